"""The backend of the state: the place where the engine stores the stacks."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
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

NO_PROJECT_FILE: Final = (
    "the provider does not find the `Pulumi.yaml` of the project {project}, so it does not know "
    "the backend of the state. It asks the last login for unfinished operations. If the state is "
    "elsewhere, a start of an interrupted update on another machine may be paid again.\n"
    "hint: set PULUMI_BACKEND_URL to the URL of the backend"
)
"""The warning in a program of the Automation API whose `main` is another folder."""


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
    """The URL as the engine has it. It may contain credentials."""
    folder: Path | None = None
    """The folder of a file backend."""
    warning: str = ""
    """The warning that the backend is not found; empty without one."""


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
            the Automation API has its file elsewhere. On Linux the function then looks for it
            where the engine runs: see `_folders_of_parent_processes`.

    """
    found = _nearest_project(folder.absolute())
    if not name or (found and found.name in {"", name}):
        return found
    # The engine does not pass its folder on, and a project's option `main` gives the provider
    # another working folder.
    projects = map(_nearest_project, _folders_of_parent_processes())
    return next((found for found in projects if found and found.name == name), None)


def _nearest_project(folder: Path) -> ProjectFile | None:
    for place in (folder, *folder.parents):
        for path in (place / file for file in PROJECT_FILES):
            with suppress(PermissionError):  # a parent process may run in a private folder
                if path.is_file():
                    return _read_project(path)
    return None


def _folders_of_parent_processes() -> Iterator[Path]:
    """
    Yield the working folders of the processes that have started this one, the nearest first.

    The engine is one of them; shells may be between. Only Linux shows these folders.
    """
    process = str(os.getppid())
    # The loop ends at a process that has ended or belongs to another user, or at 0: the first
    # process of a system or a container has no parent.
    with suppress(OSError, IndexError):
        while True:
            yield Path(f"/proc/{process}/cwd").readlink()
            # The name of a process is in brackets, and may contain any character.
            status = Path(f"/proc/{process}/stat").read_text(errors="replace")
            process = status.rpartition(")")[2].split()[1]


def _read_project(path: Path) -> ProjectFile:
    import yaml  # noqa: PLC0415 - only for a project without PULUMI_BACKEND_URL

    try:
        document: Any = yaml.safe_load(path.read_bytes())  # JSON is YAML
        name, backend = document.get("name"), document.get("backend") or {}
        url = backend.get("url")
        listed = (document.get("plugins") or {}).get("providers") or []
        plugins = frozenset(str(entry.get("name")) for entry in listed)
    except (OSError, ValueError, TypeError, AttributeError, yaml.YAMLError):
        # Such a file names no project and no backend. In an update the engine has rejected it.
        return ProjectFile(path.parent, "", "")
    return ProjectFile(path.parent, str(name or ""), str(url or ""), plugins)


def find_backend(
    environ: Mapping[str, str],
    home: Path,
    folder: Path,
    project: str = "",
    *,
    trusts_login: bool = True,
) -> StateBackend:
    """
    Return the backend of a stack, found as the engine finds it.

    The order is: PULUMI_BACKEND_URL, `backend.url` of the project's file, the last login.

    Args:
        environ: the environment.
        home: the user's home folder.
        folder: the program's folder.
        project: the project's name, if known.
        trusts_login: whether to return the last login without the project's file. Otherwise the
            backend is unknown then: the file may name another one.

    """
    # journal-facts 1: the environment of a provider lacks a backend that only the file has.
    url = environ.get("PULUMI_BACKEND_URL", "")
    base = folder.absolute()
    if not url or _is_relative(url):
        # The engine resolves a relative folder where `pulumi` runs. A project's option `main` gives
        # the provider another working folder.
        found = find_project(folder, project)
        url = url or (found.backend_url if found else "")
        base = found.folder if found else base
        if not url and not found and not trusts_login:
            return StateBackend("", "", warning=NO_PROJECT_FILE.format(project=project))
    if not url:
        url = _login_backend(pulumi_home(environ, home))
    return parse_backend(url or environ.get("PULUMI_API") or PULUMI_CLOUD, environ, home, base)


def _is_relative(url: str) -> bool:
    return re.match("file://(?![/~])", url) is not None


def _login_backend(pulumi_folder: Path) -> str:
    """Return the backend of the last `pulumi login`; empty without one."""
    try:
        document = json.loads((pulumi_folder / "credentials.json").read_text(encoding="utf-8"))
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
        url: the URL as the engine has it.
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


def azure_connection(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the parts of Azure's connection string; empty without one."""
    names = ("AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGEBLOB_CONNECTIONSTRING")
    text = next(filter(None, map(environ.get, names)), "")
    return dict(part.split("=", 1) for part in text.split(";") if "=" in part)


def azure_account(environ: Mapping[str, str]) -> str:
    """Return the storage account of Azure that the environment names; empty without one."""
    return environ.get("AZURE_STORAGE_ACCOUNT") or azure_connection(environ).get("AccountName", "")


def _identity(scheme: str, address: SplitResult, environ: Mapping[str, str]) -> str:
    """Return the identity of a store: its address, without the way to connect to it."""
    given = dict(parse_qsl(address.query))

    def value_of(parameter: str, *variables: str) -> str:
        found = (environ.get(name) for name in variables)
        return given.get(parameter) or next(filter(None, found), "")

    place = address.netloc.rpartition("@")[2]
    path = "/".join(filter(None, address.path.split("/")))
    if scheme == "https":
        place, parts = place.lower(), {}
    elif scheme == "s3":
        endpoint = value_of("endpoint", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
        host = endpoint.rpartition("://")[2].rstrip("/").lower()
        # A bucket's name is unique at AWS. Another service has its own buckets.
        parts = {"endpoint": "" if host.endswith(".amazonaws.com") else host}
    elif scheme == "azblob":
        parts = {
            "storage_account": given.get("storage_account") or azure_account(environ),
            "domain": value_of("domain", "AZURE_STORAGE_DOMAIN"),
        }
    elif scheme == "gs":
        host = environ.get("STORAGE_EMULATOR_HOST", "").rpartition("://")[2].rstrip("/").lower()
        parts = {"endpoint": host}
    elif scheme == "postgres":
        host = (address.hostname or value_of("host", "PGHOST") or "localhost").lower()
        place = f"{host}:{address.port or value_of('port', 'PGPORT') or 5432}"
        path = path or value_of("dbname", "PGDATABASE")
        parts = {"table": given.get("table") or "pulumi_state"}
    else:
        parts = {}
    query = "&".join(f"{name}={value}" for name, value in sorted(parts.items()) if value)
    identity = f"{scheme}://{place}" + (f"/{path}" if path else "")
    return f"{identity}?{query}" if query else identity
