"""
Settings and credentials: what the stack says, then the environment, then the official files.

Sources: the design's configuration namespace; facts 6 (who reads what) and 7 (hosts, regions).
The key, the secret and the session token come from one source: a mix gives confusing 401s. The
first source that holds anything is that one; those after it are not even looked at. It is long
because five tools have left seven places to look at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, get_args
from urllib.parse import unquote

from pulumi_vod_workflow.config.credentials import Get, _resolve_credentials, _sources
from pulumi_vod_workflow.config.endpoint import (
    DEFAULT_REGION,
    EMULATOR,
    KNOWN_REGIONS,
    ServiceEndpoint,
    _region,
    _url,
    is_loopback,
)
from pulumi_vod_workflow.core.signing import Credentials
from pulumi_vod_workflow.errors import ConfigurationError

MAX_RATE: Final = 50.0

STORE_NAME: Final = "vod-emulator.sqlite3"

JOURNAL_NAME: Final = "vod-journal.sqlite3"

RESEND_WITHIN: Final = 4.0

MAX_RESEND_WITHIN: Final = 30 * 86400.0

Preflight = Literal["off", "warn", "error"]
"""What a preview does about workflows and videos that the service does not know."""

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
)
"""The settings there are; README, Configuration, says what each means."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the configuration amounts to."""

    site: ServiceEndpoint
    """Where runs are started."""
    credentials: Credentials | None
    """The one triple, if any place had one."""
    requests_per_second: float
    """At most, for each action: above 0, to 50, which is the default."""
    emulator_store: Path
    """The embedded emulator's file."""
    journal: Path
    """The file that remembers what was sent until a state does."""
    resend_within: float
    """
    Seconds, by default 4, for which a start that was sent and never answered is sent again without
    being asked: less than the shortest run takes, for one that has ended may be paid again.
    """
    preflight: Preflight
    """
    Whether a preview asks the service if workflow and video of a start are there: `off`, the
    default; `warn` says what is wrong; `error` refuses it, too.
    """
    searched: tuple[str, ...] = field(repr=False)
    """Where credentials were looked for."""
    encrypted: str = ""
    """What to do about keys that the stack has and that cannot be read here; empty if none are."""
    doubts: tuple[str, ...] = ()
    """What may have been meant as a setting, but is none: sentences for the user."""

    def require_credentials(self) -> Credentials:
        """
        Return the credentials.

        Raises:
            ConfigurationError: naming every place that was looked at, or what to do about keys
                that cannot be read.

        """
        if self.credentials is None and self.encrypted:
            raise ConfigurationError(self.encrypted)
        if self.credentials is None:
            places = "\n".join(f"  - {place}" for place in self.searched)
            doubts = "".join(f" {doubt}" for doubt in self.doubts)
            raise ConfigurationError(
                f"No credentials for Volcengine. Looked at, in this order:\n{places}\n"
                "Set them with `pulumi config set vod:accessKey ...` and "
                f"`pulumi config set --secret vod:secretKey ...`.{doubts} Nothing was started."
            )
        return self.credentials

    @property
    def where_runs_start(self) -> str:
        """One line for people: where runs are started, and whether they are paid."""
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
        ConfigurationError: when there is none, as for a container's user who has no name.

    """
    try:
        return Path.home()
    except RuntimeError:
        raise ConfigurationError(
            "There is no home folder: HOME is not set, and this user has no entry in the system's "
            "list of users. Set HOME. Nothing was started."
        ) from None


def load_settings(
    config: Get, environ: Mapping[str, str], home: Path, keys: Iterable[str] = ()
) -> Settings:
    """
    Read the settings.

    Args:
        config: the stack's configuration, by full key.
        environ: the environment.
        home: where the official credential files are.
        keys: the full keys that the configuration has, if that is known.

    Raises:
        ConfigurationError: all that is wrong at once; missing credentials are not, yet. No value
            that may be secret is in its text.

    """

    def setting(name: str) -> str | None:
        return (config(name) or "").strip() or None

    project = environ.get("PULUMI_PROJECT", "")
    problems = [] if project == "vod" else [*_mistyped(keys)]
    endpoint = setting("vod:endpoint")
    texts = {key: value for key in keys if isinstance(value := config(key), str)}
    problems += _meant_as_endpoint(texts, project)
    sources = _sources(setting, environ, home, emulated=endpoint == EMULATOR)
    credentials, profile_region, places = _resolve_credentials(sources, problems)
    region, named_by = _region(setting, environ, endpoint, profile_region, problems)
    if endpoint is None:
        subdomain = "" if region == DEFAULT_REGION else f".{region}"
        endpoint = f"https://vod{subdomain}.volcengineapi.com"
    else:
        named_by = "vod:endpoint"
        endpoint = endpoint if endpoint == EMULATOR else _url(endpoint, problems)
    rate = _rate(setting("vod:requestsPerSecond"), problems)
    resend_within = _resend_within(setting("vod:resendWithin"), problems)
    preflight = _preflight(setting("vod:preflight"), problems)
    chosen_store, chosen_journal = setting("vod:emulatorStore"), setting("vod:journal")
    if problems:
        raise ConfigurationError("\n".join(problems))
    return Settings(
        site=ServiceEndpoint(endpoint, region, named_by),
        credentials=credentials,
        requests_per_second=rate,
        emulator_store=_file(chosen_store, STORE_NAME, environ, home),
        journal=_file(chosen_journal, JOURNAL_NAME, environ, home),
        resend_within=resend_within,
        preflight=preflight,
        searched=places,
        doubts=tuple(_without_prefix(texts, project, region)),
    )


def _mistyped(keys: Iterable[str]) -> Iterator[str]:
    """Refuse keys that are none: a run meant for the emulator must not go to the service."""
    for key in sorted(keys):
        if key.startswith("vod:") and key not in KEYS:
            import difflib  # noqa: PLC0415 - few mistype

            near = difflib.get_close_matches(key, KEYS, n=1, cutoff=0.7)
            hint = f"did you mean {near[0]}? " if near else ""
            yield f"{key}: unknown setting; {hint}There is {', '.join(KEYS)}"


def _near(key: str) -> str:
    """Return the setting that is spelled so but for its namespace, in any case style."""
    name = re.sub("[_-]", "", key.partition(":")[2]).lower().removeprefix("vod")
    return next((known for known in KEYS if known.lower() == f"vod:{name}"), "")


def _meant_as_endpoint(texts: Mapping[str, str], project: str) -> Iterator[str]:
    """Refuse an endpoint of another namespace: without it the real service is used, and paid."""
    if texts.get("vod:endpoint", "").strip():
        return
    for key, value in sorted(texts.items()):
        if _near(key) != "vod:endpoint":
            continue
        host = (re.match(r"https?://(\[[^\]]*\]|[^/:?#]*)", value.strip()) or ["", ""])[1]
        of_vod = is_loopback(host) or host.endswith(".volcengineapi.com")
        if value.strip() == EMULATOR or (of_vod and key.startswith(f"{project}:")):
            yield (
                f"{key}: did you mean vod:endpoint? It is not set, so runs would be started, and "
                "paid, at the real service. Set vod:endpoint to the same value; if "
                f"{key} is the program's own, set vod:endpoint to https://vod.volcengineapi.com"
            )


def _without_prefix(texts: Mapping[str, str], project: str, region: str) -> Iterator[str]:
    """Doubt settings of the project that are named as ours, where ours are not set."""
    for key, value in sorted(texts.items()):
        known = _near(key)
        if not known or known in texts or not key.startswith(f"{project}:"):
            continue
        plausible = {  # others are, whatever they hold
            "vod:endpoint": False,
            "vod:region": value in KNOWN_REGIONS - {region},
            "vod:accessKey": value.startswith(("AKLT", "AKTP")),
            "vod:secretKey": False,
            "vod:sessionToken": False,
            "vod:preflight": value in get_args(Preflight),
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
        seconds = RESEND_WITHIN if text is None else float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MAX_RESEND_WITHIN:
        problems.append("vod:resendWithin: must be seconds, from 0 to 2592000 (30 days)")
        return RESEND_WITHIN
    return seconds


def _preflight(text: str | None, problems: list[str]) -> Preflight:
    for mode in get_args(Preflight):
        if mode == (text or "off"):
            return mode  # type: ignore[no-any-return]  # one of its own words
    problems.append("vod:preflight: must be off, warn or error")
    return "off"


def _file(chosen: str | None, name: str, environ: Mapping[str, str], home: Path) -> Path:
    """
    Return a file of ours: the chosen one, or beside a file backend's stacks, or Pulumi's folder.

    The backend is that of PULUMI_BACKEND_URL or of `pulumi login`; one that only Pulumi.yaml names
    is not seen from here. A relative path counts from the program's folder, where the engine starts
    providers. For PULUMI_BACKEND_URL that is what Pulumi does too when it is called there; called
    elsewhere (`--cwd`, a subfolder), give `vod:emulatorStore` or an absolute URL.
    """

    def path(text: str) -> Path:
        return home / text[1:].lstrip("/") if re.match("~(/|$)", text) else Path(text)

    if chosen:
        return path(chosen)
    pulumi_home = Path(environ.get("PULUMI_HOME") or home / ".pulumi")
    backend = environ.get("PULUMI_BACKEND_URL") or _logged_in(pulumi_home)
    if backend.startswith("file://"):
        folder = path(unquote(backend.removeprefix("file://").partition("?")[0]))
        return folder / ".pulumi" / name
    return pulumi_home / name


def _logged_in(pulumi_home: Path) -> str:
    """Return the backend of the last `pulumi login`."""
    try:
        document = json.loads((pulumi_home / "credentials.json").read_text(encoding="utf-8"))
        return str(document["current"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
