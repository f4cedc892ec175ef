"""
The settings of a stack: its configuration, the environment, and the official credential files.

Sources: the design's configuration namespace (section 2), and vod-api-facts 6 and 7.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, get_args

from pulumi_vod_workflow.config.backend import expand_home, find_backend
from pulumi_vod_workflow.config.credentials import (
    ConfigGetter,
    credential_sources,
    resolve_credentials,
)
from pulumi_vod_workflow.config.endpoint import (
    DEFAULT_REGION,
    EMULATOR,
    KNOWN_REGIONS,
    ServiceEndpoint,
    is_loopback,
    normalise_url,
    resolve_region,
)
from pulumi_vod_workflow.config.journal_location import (
    JournalLocation,
    file_beside_state,
    locate_journal,
)
from pulumi_vod_workflow.core.signing import Credentials
from pulumi_vod_workflow.errors import ConfigurationError

# The page, 注意事项: 50 requests a second for each account.
MAX_RATE: Final = 50.0
"""The highest request rate, in requests a second for each action."""

STORE_NAME: Final = "vod-emulator.sqlite3"

# vod-api-facts 4: the service joins a repeated start while its run is unfinished, and the shortest
# runs take longer than 4 s.
DEFAULT_RESEND_WITHIN: Final = 4.0
"""The default of `vod:resendWithin`, in seconds."""

MAX_RESEND_WITHIN: Final = 30 * 86400.0
"""The largest `vod:resendWithin`, in seconds: the service has a run for 30 days."""

Preflight = Literal["off", "warn", "error"]
"""The effect of a workflow or video that the service does not know."""

KEYS: Final = (
    "vod:region",
    "vod:endpoint",
    "vod:accessKey",
    "vod:secretKey",
    "vod:sessionToken",
    "vod:requestsPerSecond",
    "vod:emulatorStore",
    "vod:journal",
    "vod:resendWithin",
    "vod:preflight",
    "vod:prices",
)
"""The settings of the namespace `vod:`; docs/configuration.md has their meanings."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a stack."""

    site: ServiceEndpoint
    """The endpoint of starts."""
    credentials: Credentials | None
    """The credentials of the first source that has some."""
    requests_per_second: float
    """The highest request rate for each action: above 0, at most 50 (the default)."""
    emulator_store: Path
    """The file of the embedded emulator."""
    journal: JournalLocation
    """The location of the journal."""
    resend_within: float
    """
    The time after the first send in which a start without an answer is sent again, in seconds.

    The default is 4. A start that is sent again later may be paid again.
    """
    preflight: Preflight
    """
    Whether a preview looks up the workflow and the video of each start.

    `off` (the default) does not; `warn` reports problems; `error` also rejects the start.
    """
    searched: tuple[str, ...] = field(repr=False)
    """The searched sources of credentials."""
    has_prices: bool = False
    """
    Whether `vod:prices` names a price file.

    Then a preview shows the durations of sources to every reader of its output. Only
    `vod-workflow review` reads the file.
    """
    unreadable: str = ""
    """The error about keys that this process cannot read; empty without such keys."""
    doubts: tuple[str, ...] = ()
    """The sentences about settings in a wrong namespace."""
    provider: str | None = None
    """As in `load_settings`."""

    def require_credentials(self) -> Credentials:
        """
        Return the credentials.

        Raises:
            ConfigurationError: with every searched source, or with the remedy for unreadable keys.

        """
        if self.credentials is None and self.unreadable:
            raise ConfigurationError(self.unreadable)
        if self.credentials is None:
            places = "\n".join(f"  - {place}" for place in self.searched)
            doubts = "".join(f" {doubt}" for doubt in self.doubts)
            raise ConfigurationError(
                f"No credentials for Volcengine in these sources:\n{places}\n"
                f"No run was started.{doubts}\nhint: {self._where_to_set_keys()}"
            )
        return self.credentials

    def _where_to_set_keys(self) -> str:
        if self.provider:
            return f"set `accessKey` and `secretKey` of the provider {self.provider}"
        return (
            "run `pulumi config set vod:accessKey ...` and "
            "`pulumi config set --secret vod:secretKey ...`"
        )

    @property
    def endpoint_notice(self) -> str:
        """A line about the endpoint of starts, and whether they are paid."""
        # Design, section 6: nobody may mistake the emulator for the service.
        if self.site.endpoint == EMULATOR:
            return (
                f"embedded emulator, nothing is real or paid; its runs are in {self.emulator_store}"
            )
        if self.site.is_local:
            return f"runs are started at {self.site.endpoint}, on this machine"
        return f"runs are started, and paid, at {self.site.endpoint} ({self.site.region})"


def home_folder() -> Path:
    """
    Return the user's home folder.

    Raises:
        ConfigurationError: when the user has none, for example an unnamed user of a container.

    """
    try:
        return Path.home()
    except RuntimeError:
        raise ConfigurationError(
            "There is no home folder: HOME is not set, and the system has no entry of this user. "
            "No run was started.\nhint: set HOME"
        ) from None


def load_settings(
    config: ConfigGetter,
    environ: Mapping[str, str],
    home: Path,
    keys: Iterable[str] = (),
    folder: Path = Path(),
    *,
    trusts_login: bool = True,
    provider: str | None = None,
) -> Settings:
    """
    Return the settings of a stack.

    Args:
        config: the stack's configuration, by full key.
        environ: the environment.
        home: the folder with the official credential files.
        keys: the full keys of the configuration, if they are known.
        folder: the program's folder, at which relative paths start.
        trusts_login: as in `find_backend`.
        provider: if the packaged provider loads them, the name of the program's own provider
            resource; empty for the default one, which has the stack's keys of `vod:` alone.

    Raises:
        ConfigurationError: with all problems, one a line, and without secret values. Missing
            credentials are an error only when a call needs them.

    """

    def setting(name: str) -> str | None:
        return (config(name) or "").strip() or None

    project = environ.get("PULUMI_PROJECT", "")
    problems = [] if project == "vod" else [*_unknown_settings(keys)]
    endpoint = setting("vod:endpoint")
    texts = {key: value for key in keys if isinstance(value := config(key), str)}
    problems += _misplaced_endpoints(texts, project)
    sources = credential_sources(
        setting, environ, home, emulated=endpoint == EMULATOR, provider=provider
    )
    credentials, profile_region, places = resolve_credentials(sources, problems)
    region, named_by = resolve_region(setting, environ, endpoint, profile_region, problems)
    if endpoint is None:
        subdomain = "" if region == DEFAULT_REGION else f".{region}"
        endpoint = f"https://vod{subdomain}.volcengineapi.com"
    else:
        named_by = "vod:endpoint"
        endpoint = endpoint if endpoint == EMULATOR else normalise_url(endpoint, problems)
    rate = _rate(setting("vod:requestsPerSecond"), problems)
    resend_within = _resend_within(setting("vod:resendWithin"), problems)
    preflight = _preflight(setting("vod:preflight"), problems)
    backend = find_backend(environ, home, folder, project, trusts_login=trusts_login)
    store = setting("vod:emulatorStore")
    journal = locate_journal(
        setting("vod:journal"),
        backend,
        environ=environ,
        home=home,
        folder=folder,
        problems=problems,
        emulated=endpoint == EMULATOR,
    )
    if problems:
        raise ConfigurationError("\n".join(problems))
    return Settings(
        site=ServiceEndpoint(endpoint, region, named_by),
        credentials=credentials,
        requests_per_second=rate,
        emulator_store=folder / expand_home(store, home)
        if store
        else file_beside_state(STORE_NAME, backend, environ, home),
        journal=journal,
        resend_within=resend_within,
        preflight=preflight,
        searched=places,
        has_prices=setting("vod:prices") is not None,
        doubts=tuple(_misplaced_settings(texts, project, region)),
        provider=provider,
    )


def _unknown_settings(keys: Iterable[str]) -> Iterator[str]:
    """Yield a problem for each unknown `vod:` key."""
    # With a misspelled `vod:endpoint`, a run for the emulator would start at the service, paid.
    for key in sorted(keys):
        if key.startswith("vod:") and key not in KEYS:
            import difflib  # noqa: PLC0415 - only for a misspelled key

            near = difflib.get_close_matches(key, KEYS, n=1, cutoff=0.7)
            hint = f"did you mean {near[0]}? " if near else ""
            yield f"{key}: unknown setting; {hint}The settings are {', '.join(KEYS)}"


def _intended_setting(key: str) -> str:
    """Return the setting with the same name in another namespace or case style; else empty."""
    name = re.sub("[_-]", "", key.partition(":")[2]).lower().removeprefix("vod")
    return next((known for known in KEYS if known.lower() == f"vod:{name}"), "")


def _misplaced_endpoints(texts: Mapping[str, str], project: str) -> Iterator[str]:
    """Yield a problem for each endpoint in a namespace other than `vod:`."""
    # Without `vod:endpoint`, the run would start at the real service, paid.
    if texts.get("vod:endpoint", "").strip():
        return
    for key, value in sorted(texts.items()):
        if _intended_setting(key) != "vod:endpoint":
            continue
        host = (re.match(r"https?://(\[[^\]]*\]|[^/:?#]*)", value.strip()) or ["", ""])[1]
        of_vod = is_loopback(host) or host.endswith(".volcengineapi.com")
        if value.strip() == EMULATOR or (of_vod and key.startswith(f"{project}:")):
            yield (
                f"{key}: did you mean vod:endpoint? Without it, runs start at the real service, "
                f"paid. Set vod:endpoint to the same value. If {key} is a setting of the program, "
                "set vod:endpoint to https://vod.volcengineapi.com"
            )


def _misplaced_settings(texts: Mapping[str, str], project: str, region: str) -> Iterator[str]:
    """Yield a sentence for each project setting with the name of an unset `vod:` setting."""
    for key, value in sorted(texts.items()):
        known = _intended_setting(key)
        if not known or known in texts or not key.startswith(f"{project}:"):
            continue
        # A program may have own settings with these names, so their values decide. Settings that
        # are not in this table are reported with any value.
        plausible = {
            "vod:endpoint": False,
            "vod:region": value in KNOWN_REGIONS - {region},
            "vod:accessKey": value.startswith(("AKLT", "AKTP")),
            "vod:secretKey": False,
            "vod:sessionToken": False,
            "vod:preflight": value in get_args(Preflight),
            "vod:prices": value.endswith(".toml"),
        }
        if plausible.get(known, True):
            yield f"{key} is set, and {known} is not: did you mean {known}?"


def _rate(text: str | None, problems: list[str]) -> float:
    try:
        rate = float(text or MAX_RATE)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= MAX_RATE:
        problems.append("vod:requestsPerSecond: must be a number above 0, at most 50")
        return MAX_RATE
    return rate


def _resend_within(text: str | None, problems: list[str]) -> float:
    try:
        seconds = DEFAULT_RESEND_WITHIN if text is None else float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MAX_RESEND_WITHIN:
        problems.append("vod:resendWithin: must be seconds, from 0 to 2592000 (30 days)")
        return DEFAULT_RESEND_WITHIN
    return seconds


def _preflight(text: str | None, problems: list[str]) -> Preflight:
    for mode in get_args(Preflight):
        if mode == (text or "off"):
            return mode  # type: ignore[no-any-return]  # `get_args` is untyped
    problems.append("vod:preflight: must be off, warn or error")
    return "off"
