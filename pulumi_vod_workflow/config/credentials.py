"""The credentials: one source provides access key, secret key and session token."""

# vod-api-facts 6: a key from a file with a token from the environment gives confusing 401s, so all
# parts come from the first source that has any part.

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from pulumi_vod_workflow.core.signing import Credentials

EMULATOR_CREDENTIALS: Final = Credentials("AKLTEMULATOR", "emulator-secret-key")

ConfigGetter = Callable[[str], str | None]


class _UnusableSourceError(Exception):
    """An error of a source that exists but is not usable. The text is the cause."""


KeyNames = tuple[str, ...]
"""The names of access key, secret key, session token and, in some sources, region."""

CredentialSource = tuple[str, KeyNames, Callable[[], ConfigGetter]]
"""The name of a source, the names in it, and a function that opens it."""


def resolve_credentials(
    sources: Iterator[CredentialSource], problems: list[str]
) -> tuple[Credentials | None, str | None, tuple[str, ...]]:
    """
    Return the first credentials, the region of their source, and the searched sources.

    Args:
        sources: the sources in their order; later ones are not opened.
        problems: receives the problems of a source with incomplete or invalid keys.

    """
    places: list[str] = []
    for place, names, opened in sources:
        try:
            get = opened()
            found = _read_credentials(get, place, names, problems)
        except _UnusableSourceError as error:
            return None, None, (*places, f"{place} ({error})")
        places.append(place)
        if found is not None:
            return found, get(names[3]) if len(names) > 3 else None, tuple(places)
        if problems:
            break
    return None, None, tuple(places)


def _read_credentials(
    get: ConfigGetter, place: str, names: KeyNames, problems: list[str]
) -> Credentials | None:
    names = names[:3]
    values = [(get(name) or "").strip() for name in names]
    access, secret, token = values
    present = [name for name, value in zip(names, values, strict=True) if value]
    missing = [name for name in names[:2] if name not in present]
    if present and missing:
        problems.append(
            f"{place}: {' and '.join(present)} without {' and '.join(missing)} "
            "(all parts of a key must come from one source)"
        )
    # Keys are printable ASCII. Another character, for example of a paste, breaks the header.
    elif not all(re.fullmatch("[!-~]*", value) for value in values):
        problems.append(f"{place}: a key or token has a character that no key has")
    elif present:
        return Credentials(access, secret, token or None)
    return None


def credential_sources(
    setting: ConfigGetter,
    environ: Mapping[str, str],
    home: Path,
    *,
    emulated: bool,
    provider: str | None = None,
) -> Iterator[CredentialSource]:
    """
    Yield the sources in their order (vod-api-facts 6).

    Args:
        setting: the configuration, by full key.
        environ: the environment.
        home: the folder with the official credential files.
        emulated: whether the runs start at the embedded emulator.
        provider: as in `load_settings`.

    """
    for space in ("vod",) if emulated or provider is not None else ("vod", "volcengine"):
        keys = (f"{space}:accessKey", f"{space}:secretKey", f"{space}:sessionToken")
        place = f"{keys[0]} and {keys[1]} of the stack"
        if provider:
            place = f"accessKey and secretKey of the provider {provider}"
        yield place, keys, lambda: setting
    if emulated:  # the emulator must not receive a developer's real keys
        own = EMULATOR_CREDENTIALS
        fixed = {"ak": own.access_key, "sk": own.secret_key}
        yield "the emulator's own", ("ak", "sk", "session_token"), lambda: _getter(fixed)
        return
    names: KeyNames
    for names in (
        ("VOLCENGINE_ACCESS_KEY", "VOLCENGINE_SECRET_KEY", "VOLCENGINE_SESSION_TOKEN"),
        ("VOLC_ACCESSKEY", "VOLC_SECRETKEY", "VOLC_SESSIONTOKEN"),
    ):
        yield f"{names[0]} and {names[1]} of the environment", names, lambda: environ.get
    cli = environ.get("VOLCENGINE_CLI_CONFIG_FILE")
    profile = environ.get("VOLCENGINE_PROFILE")
    path = Path(cli) if cli else home / ".volcengine" / "config.json"
    names = ("access-key", "secret-key", "session-token", "region")
    yield (
        str(path),
        names,
        lambda: _read_file(path, lambda text: _parse_profile(text, profile), cli),
    )
    ini, plain = home / ".volc" / "credentials", home / ".volc" / "config"
    names = ("access_key_id", "secret_access_key", "session_token")
    yield str(ini), names, lambda: _read_file(ini, _parse_ini)
    yield str(plain), ("ak", "sk", "session_token"), lambda: _read_file(plain, _parse_json_keys)


def _parse_profile(text: str, name: str | None) -> Mapping[str, object]:
    """Return a profile of the official command line. Only profiles with keys are usable."""
    document = json.loads(text)
    chosen = name or document.get("current") or "default"
    profile: Mapping[str, object] | None = document.get("profiles", {}).get(chosen)
    if profile is None:
        if name:
            raise _UnusableSourceError("it does not have the profile of VOLCENGINE_PROFILE")
        return {}
    # Other modes get keys by OIDC, SSO or an ECS role (vod-api-facts 6).
    if str(profile.get("mode") or "ak").strip().lower() not in {"ak", "ststoken"}:
        raise _UnusableSourceError("the mode of its profile has no key; use a profile of mode ak")
    return profile


def _parse_ini(text: str) -> Mapping[str, object]:
    import configparser  # noqa: PLC0415 - few machines have the file

    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise ValueError(type(error).__name__) from None
    return dict(parser["default"]) if parser.has_section("default") else {}


def _parse_json_keys(text: str) -> Mapping[str, object]:
    document = json.loads(text)
    # vod-api-facts 6: the Go and Python SDKs name the keys `ak` and `sk`, the Node SDK does not.
    node_keys = {"ak": document.get("VOLC_ACCESSKEY"), "sk": document.get("VOLC_SECRETKEY")}
    return {**node_keys, **document}


FileParser = Callable[[str], Mapping[str, object]]


def _getter(values: Mapping[str, object]) -> ConfigGetter:
    texts = {key: value for key, value in values.items() if isinstance(value, str)}
    return texts.get


def _read_file(path: Path, read: FileParser, named: str | None = None) -> ConfigGetter:
    """
    Return the values of an official file; a missing file is empty.

    Args:
        path: the file.
        read: its parser.
        named: whether the environment names the file, so that it must exist.

    """
    try:
        return _getter(read(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        if named:
            raise _UnusableSourceError(
                "the file of VOLCENGINE_CLI_CONFIG_FILE does not exist"
            ) from None
        return _getter({})
    except OSError as error:
        raise _UnusableSourceError(f"the file is not readable: {type(error).__name__}") from None
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise _UnusableSourceError("the file is not in its official format") from None
