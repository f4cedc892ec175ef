"""The access keys: one source gives all three."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from pulumi_vod_workflow.core.signing import Credentials

EMULATOR_CREDENTIALS: Final = Credentials("AKLTEMULATOR", "emulator-secret-key")

Get = Callable[[str], str | None]

# -- credentials -------------------------------------------------------------------------------


class _UnusableError(Exception):
    """A source that is meant but cannot be used; its text says why."""


Names = tuple[str, ...]
"""Of the key, the secret, the session token, and the region where the place has one."""

Source = tuple[str, Names, Callable[[], Get]]
"""The place's name, the names of the triple there, and what opens it."""


def _resolve_credentials(
    sources: Iterator[Source], problems: list[str]
) -> tuple[Credentials | None, str | None, tuple[str, ...]]:
    """Return what the first source that holds anything holds, its region, and where we looked."""
    places: list[str] = []
    for place, names, opened in sources:
        try:
            get = opened()
            found = _read_credentials(get, place, names, problems)
        except _UnusableError as error:
            return None, None, (*places, f"{place} ({error})")
        places.append(place)
        if found is not None:
            return found, get(names[3]) if len(names) > 3 else None, tuple(places)
        if problems:
            break
    return None, None, tuple(places)


def _read_credentials(
    get: Get, place: str, names: Names, problems: list[str]
) -> Credentials | None:
    names = names[:3]
    values = [(get(name) or "").strip() for name in names]
    access, secret, token = values
    held = [name for name, value in zip(names, values, strict=True) if value]
    missing = [name for name in names[:2] if name not in held]
    if held and missing:
        problems.append(
            f"{place}: {' and '.join(missing)} missing there beside {' and '.join(held)} "
            "(key, secret and session token are taken from one place only)"
        )
    elif not all(re.fullmatch("[!-~]*", value) for value in values):
        problems.append(f"{place}: a key or token holds a character that none has")
    elif held:
        return Credentials(access, secret, token or None)
    return None


def _sources(
    setting: Get, environ: Mapping[str, str], home: Path, *, emulated: bool
) -> Iterator[Source]:
    """Yield each place, in their order."""
    for space in ("vod",) if emulated else ("vod", "volcengine"):
        keys = (f"{space}:accessKey", f"{space}:secretKey", f"{space}:sessionToken")
        yield f"{keys[0]} and {keys[1]} of the stack", keys, lambda: setting
    if emulated:  # a developer's real keys never matter there
        own = EMULATOR_CREDENTIALS
        fixed = {"ak": own.access_key, "sk": own.secret_key}
        yield "the emulator's own", ("ak", "sk", "session_token"), lambda: _getter(fixed)
        return
    names: Names
    for names in (
        ("VOLCENGINE_ACCESS_KEY", "VOLCENGINE_SECRET_KEY", "VOLCENGINE_SESSION_TOKEN"),
        ("VOLC_ACCESSKEY", "VOLC_SECRETKEY", "VOLC_SESSIONTOKEN"),
    ):
        yield f"{names[0]} and {names[1]} of the environment", names, lambda: environ.get
    cli = environ.get("VOLCENGINE_CLI_CONFIG_FILE")
    profile = environ.get("VOLCENGINE_PROFILE")
    path = Path(cli) if cli else home / ".volcengine" / "config.json"
    names = ("access-key", "secret-key", "session-token", "region")
    yield str(path), names, lambda: _values(path, lambda text: _profile(text, profile), cli)
    ini, plain = home / ".volc" / "credentials", home / ".volc" / "config"
    names = ("access_key_id", "secret_access_key", "session_token")
    yield str(ini), names, lambda: _values(ini, _ini)
    yield str(plain), ("ak", "sk", "session_token"), lambda: _values(plain, _plain)


def _profile(text: str, name: str | None) -> Mapping[str, object]:
    """Read a profile of the official command line; only those that hold a key can be used."""
    document = json.loads(text)
    chosen = name or document.get("current") or "default"
    profile: Mapping[str, object] | None = document.get("profiles", {}).get(chosen)
    if profile is None:
        if name:
            raise _UnusableError("it has no such profile as VOLCENGINE_PROFILE names")
        return {}
    if str(profile.get("mode") or "ak").strip().lower() not in {"ak", "ststoken"}:
        raise _UnusableError("its profile's mode holds no key; only the mode ak can be used")
    return profile


def _ini(text: str) -> Mapping[str, object]:
    import configparser  # noqa: PLC0415 - few have the file

    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise ValueError(type(error).__name__) from None
    return dict(parser["default"]) if parser.has_section("default") else {}


def _plain(text: str) -> Mapping[str, object]:
    document = json.loads(text)  # Go and Python, then Node, spell its keys differently
    spelled = {"ak": document.get("VOLC_ACCESSKEY"), "sk": document.get("VOLC_SECRETKEY")}
    return {**spelled, **document}


Reader = Callable[[str], Mapping[str, object]]


def _getter(values: Mapping[str, object]) -> Get:
    texts = {key: value for key, value in values.items() if isinstance(value, str)}
    return texts.get


def _values(path: Path, read: Reader, named: str | None = None) -> Get:
    """Open an official file; where there is none it holds nothing, unless it was `named`."""
    try:
        return _getter(read(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        if named:
            raise _UnusableError(
                "VOLCENGINE_CLI_CONFIG_FILE names it, and it is not there"
            ) from None
        return _getter({})
    except OSError as error:
        raise _UnusableError(f"it cannot be read: {type(error).__name__}") from None
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise _UnusableError("it is not in its official format") from None
