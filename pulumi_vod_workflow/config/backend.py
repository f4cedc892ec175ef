"""The backend of the state: the place where the engine stores the stacks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

# The engine's DefaultURL of Pulumi Cloud.
PULUMI_CLOUD: Final = "https://api.pulumi.com"
"""The backend without a setting and without a login."""

# The engine may encrypt the file of the login (sdk/go/common/workspace/creds.go).
UNKNOWN_LOGIN: Final = "?"
"""A URL without scheme, for a login that only the engine can read."""

OBJECT_STORES: Final = ("s3", "gs", "azblob")
"""The schemes of object stores."""

# sdk/go/common/encoding/marshal.go: the engine tries them in this order.
PROJECT_FILES: Final = ("Pulumi.json", "Pulumi.yaml", "Pulumi.yml")
"""The names of a project's file."""


@dataclass(frozen=True, slots=True)
class StateBackend:
    """A backend of states."""

    scheme: str
    """`file`, `s3`, `gs`, `azblob`, `postgres`, or `https` for Pulumi Cloud; empty if unknown."""
    identity: str
    """
    The name of the backend in start records, without credentials; empty if unknown.

    All spellings of one backend have the same identity.
    """
    url: str = field(default="", repr=False, compare=False)
    """The URL as the user has written it. It may contain credentials."""
    folder: Path | None = None
    """The folder of a file backend."""


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """The settings of a project's file that this package needs."""

    folder: Path
    """The folder of the file."""
    name: str
    """The project's name."""
    backend_url: str
    """`backend.url`; empty if not set."""
    plugins: frozenset[str] = frozenset()
    """The names of the providers that `plugins` gives a folder."""


def pulumi_home(environ: Mapping[str, str], home: Path) -> Path:
    """Return Pulumi's own folder."""
    return Path(environ.get("PULUMI_HOME") or home / ".pulumi")


def find_project(folder: Path, name: str = "") -> ProjectFile | None:
    """
    Return the project's file in a folder or a folder above it; `None` without one.

    Args:
        folder: the program's folder.
        name: the project's name, if known. The file of another project is ignored: a program of
            the Automation API has its file elsewhere.

    """
    for place in (folder.absolute(), *folder.absolute().parents):
        for path in (place / file for file in PROJECT_FILES):
            if path.is_file():
                found = _read_project(path)
                return found if not name or found.name in {"", name} else None
    return None


def _read_project(path: Path) -> ProjectFile:
    import yaml  # noqa: PLC0415 - only for a project without PULUMI_BACKEND_URL

    try:
        document: Any = yaml.safe_load(path.read_bytes())  # JSON is YAML
        name, backend = document.get("name"), document.get("backend") or {}
        url = backend.get("url")
        listed = (document.get("plugins") or {}).get("providers") or []
        plugins = frozenset(str(entry.get("name")) for entry in listed)
    except (OSError, ValueError, TypeError, AttributeError, yaml.YAMLError):
        return ProjectFile(path.parent, "", "")  # the engine has reported the problem
    return ProjectFile(path.parent, str(name or ""), str(url or ""), plugins)


def find_backend(
    environ: Mapping[str, str], home: Path, folder: Path, project: str = ""
) -> StateBackend:
    """
    Return the backend of a stack, found as the engine finds it.

    The order is: PULUMI_BACKEND_URL, `backend.url` of the project's file, the last login.

    Args:
        environ: the environment.
        home: the user's home folder.
        folder: the program's folder.
        project: the project's name, if known.

    """
    # journal-facts 1: the environment of a provider lacks a backend that only the file has.
    url = environ.get("PULUMI_BACKEND_URL", "")
    base = folder.absolute()
    if not url or _is_relative(url):
        # The engine resolves a relative folder where `pulumi` runs; `main` moves the provider.
        found = find_project(folder, project)
        url = url or (found.backend_url if found else "")
        base = found.folder if found else base
    if not url:
        url = _login_backend(pulumi_home(environ, home))
    return parse_backend(url or environ.get("PULUMI_API") or PULUMI_CLOUD, environ, home, base)


def _is_relative(url: str) -> bool:
    return re.match("file://(?![/~])", url) is not None


def _login_backend(own_folder: Path) -> str:
    """Return the backend of the last `pulumi login`; empty without one."""
    try:
        document = json.loads((own_folder / "credentials.json").read_text(encoding="utf-8"))
        return str(document.get("current") or "")
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, AttributeError):
        return UNKNOWN_LOGIN


def parse_backend(
    url: str, environ: Mapping[str, str], home: Path, base: Path = Path()
) -> StateBackend:
    """
    Return the backend of a URL.

    Args:
        url: the URL as the user has written it.
        environ: the environment, which may name a part of the store.
        home: the user's home folder, for `file://~`.
        base: the folder at which a relative `file://` URL starts.

    """
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - raises ValueError for a wrong port
    except ValueError:
        parts = SplitResult("", "", "", "", "")
    if not parts.scheme:
        return StateBackend("", "", url)
    if parts.scheme == "file":
        folder = base / expand_home(unquote(url.removeprefix("file://").partition("?")[0]), home)
        return StateBackend("file", f"file://{folder.resolve()}", url, folder)
    scheme = {"http": "https", "postgresql": "postgres"}.get(parts.scheme, parts.scheme)
    return StateBackend(scheme, _identity(scheme, parts, environ), url)


def expand_home(text: str, home: Path) -> Path:
    """Return a path; `~` is the user's home folder."""
    return home / text[1:].lstrip("/") if re.match("~(/|$)", text) else Path(text)


def _identity(scheme: str, parts: SplitResult, environ: Mapping[str, str]) -> str:
    """Return the identity of a store: its address, without the way to connect to it."""
    given = {**dict(parse_qsl(parts.query))}

    def named(parameter: str, *variables: str) -> str:
        found = (environ.get(name) for name in variables)
        return given.get(parameter) or next(filter(None, found), "")

    place = parts.netloc.rpartition("@")[2]
    path = "/".join(filter(None, parts.path.split("/")))
    if scheme == "https":
        place, marks = place.lower(), {}
    elif scheme == "s3":
        endpoint = named("endpoint", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
        host = endpoint.rpartition("://")[2].rstrip("/").lower()
        # A bucket's name is unique at AWS. Another service has its own buckets.
        marks = {"endpoint": "" if host.endswith(".amazonaws.com") else host}
    elif scheme == "azblob":
        marks = {
            "storage_account": named("storage_account", "AZURE_STORAGE_ACCOUNT"),
            "domain": named("domain", "AZURE_STORAGE_DOMAIN"),
        }
    elif scheme == "postgres":
        host = (parts.hostname or named("host", "PGHOST") or "localhost").lower()
        place = f"{host}:{parts.port or named('port', 'PGPORT') or 5432}"
        path = path or named("dbname", "PGDATABASE")
        marks = {"table": given.get("table") or "pulumi_state"}
    else:
        marks = {}
    query = "&".join(f"{name}={value}" for name, value in sorted(marks.items()) if value)
    address = f"{scheme}://{place}" + (f"/{path}" if path else "")
    return f"{address}?{query}" if query else address
