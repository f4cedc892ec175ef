"""The location of the journal: `vod:journal`, or a default that follows the state's backend."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from pulumi_vod_workflow.config.backend import (
    OBJECT_STORES,
    StateBackend,
    expand_home,
    pulumi_home,
)
from pulumi_vod_workflow.config.shown_url import shown_url

JOURNAL_NAME: Final = "vod-journal.sqlite3"
"""The name of the default file."""

OBJECTS_FOLDER: Final = ".pulumi/vod/starts/v1/"
"""The prefix of start records below the prefix of the state."""

BESIDE_STATE: Final = "beside the journal"
"""
The backend of the records in a journal that lies in the backend itself.

Runners may mount a folder at different paths, or reach a bucket by different endpoints. Start
records have this value, so it must not change.
"""

JournalKind = Literal["file", "objects", "postgres"]
"""The kind of a store."""

KINDS: Final[Mapping[str, JournalKind]] = {
    **dict.fromkeys(OBJECT_STORES, "objects"),
    "postgres": "postgres",
    "postgresql": "postgres",
}
"""The scheme of a URL -> the kind of its store."""

ALLOWED: Final = "must be the path of a file, or a URL with one of these schemes: " + ", ".join(
    f"{scheme}://" for scheme in KINDS
)
"""The rule for `vod:journal`, for people."""

# `s3:/user:password@host` is a valid path, too: the provider would create a folder with the
# password in its name. A drive of Windows has one letter.
URL_SCHEME: Final = re.compile(
    rf"([A-Za-z][A-Za-z0-9+.-]+(?=:/)|{'|'.join(KINDS)})(:/{{0,2}})", re.IGNORECASE
)
"""The start of a URL: its scheme, and the colon with the slashes."""


@dataclass(frozen=True, slots=True)
class JournalLocation:
    """The location of a journal: a file, an object store, or a database."""

    kind: JournalKind
    path: Path | None = None
    """The SQLite file."""
    url: str = field(default="", repr=False)
    """The URL of objects or of a database. It may contain credentials."""
    backend: str = ""
    """The identity of the state's backend, to which the records belong; empty if unknown."""
    is_shared: bool = True
    """Whether every machine that updates the state also has this journal, wherever it is."""
    is_on_ci_runner: bool = field(default=False, compare=False)
    """Whether `CI` is set and the journal is not shared: the next runner may not have it."""
    warning: str = field(default="", compare=False)
    """The warning about a journal that the next machine does not have; empty without one."""
    default: JournalLocation | None = field(default=None, compare=False)
    """The journal without `vod:journal`; `None` if this is it."""
    former_files: tuple[tuple[Path, str], ...] = field(default=(), compare=False)
    """
    Other files in which the provider may have kept the records of this backend by default.

    Their records move to this journal: see `lifecycle.pending_starts`.
    """

    def exists(self) -> bool:
        """Return whether the file exists; objects and a database count as existing."""
        return self.path is None or self.path.exists()

    def __str__(self) -> str:
        """Return the path or the URL, without credentials and parameters."""
        if self.path is not None:
            return str(self.path)
        return shown_url(self.url)


def locate_journal(
    chosen: str | None,
    backend: StateBackend,
    *,
    environ: Mapping[str, str],
    home: Path,
    folder: Path,
    problems: list[str],
    emulated: bool,
) -> JournalLocation:
    """
    Return the location of the journal.

    Args:
        chosen: `vod:journal`.
        backend: the backend of the state.
        environ: the environment.
        home: the user's home folder.
        folder: the program's folder, the base of a relative path.
        problems: receives a problem of the setting.
        emulated: whether starts are sent to the embedded emulator, whose runs are on this machine.

    """
    # The default before a change of the setting, and that of releases that knew only
    # PULUMI_BACKEND_URL and the last login (journal-facts 1).
    defaults = (
        file_beside_state(JOURNAL_NAME, backend, environ, home),
        pulumi_home(environ, home) / JOURNAL_NAME,
    )
    location = default = _default_location(backend, defaults[0], environ, emulated=emulated)
    if chosen:
        location = _chosen_location(chosen, backend, home, folder, problems)
        location = replace(location, default=default)
    location = replace(
        location, is_on_ci_runner=not (location.is_shared or emulated) and _is_ci(environ)
    )
    if backend.warning and not emulated:
        location = replace(location, warning=backend.warning)
    # Two spellings of one file are one journal: its records must not move into itself.
    own = location.path.resolve() if location.path else None
    former = tuple(
        (path, BESIDE_STATE if backend.folder and path == defaults[0] else backend.identity)
        for path in dict.fromkeys(defaults)
        if path.resolve() != own
    )
    return replace(location, former_files=former)


def _is_ci(environ: Mapping[str, str]) -> bool:
    """Return whether this machine is a CI runner: all common CI systems set `CI`."""
    return environ.get("CI", "").lower() not in {"", "0", "false"}


def _default_location(
    backend: StateBackend, path: Path, environ: Mapping[str, str], *, emulated: bool
) -> JournalLocation:
    # Journal-facts 7: the table of defaults.
    if backend.scheme in OBJECT_STORES and not emulated:
        address, mark, query = backend.url.partition("?")
        url = f"{address.rstrip('/')}/{OBJECTS_FOLDER}{mark}{query}"
        return JournalLocation("objects", url=url, backend=BESIDE_STATE)
    is_beside = backend.folder is not None
    warning = ""
    if not (is_beside or emulated) and _is_ci(environ):
        warning = (
            f"the journal {path} exists only on this CI runner. After an interrupted update, the "
            "preview on the next runner stops at each start of that update. A start that failed "
            "without an answer is not in the state: the next runner may pay it again.\n"
            "hint: set `vod:journal` to a bucket: `vod:journal: s3://BUCKET/PREFIX`"
        )
    return JournalLocation(
        "file",
        path,
        backend=BESIDE_STATE if is_beside else backend.identity,
        is_shared=is_beside,
        warning=warning,
    )


def _chosen_location(
    chosen: str, backend: StateBackend, home: Path, folder: Path, problems: list[str]
) -> JournalLocation:
    scheme = URL_SCHEME.match(chosen)
    if scheme:
        kind = KINDS.get(scheme[1].lower())
        problem = _url_problem(chosen, scheme, kind)
        if problem:
            problems.append(f"vod:journal: {problem}")
        # With an unknown scheme this is a file without a path: `problems` prevents its use.
        url = chosen.replace(scheme[1], scheme[1].lower(), 1)
        return JournalLocation(kind or "file", url=url, backend=backend.identity)
    path = folder / expand_home(chosen, home)
    is_beside = backend.folder is not None and path.resolve().is_relative_to(
        backend.folder.resolve()
    )
    identity = BESIDE_STATE if is_beside else backend.identity
    return JournalLocation("file", path, backend=identity, is_shared=is_beside)


def is_url(chosen: str) -> bool:
    """Return whether a journal is chosen by a URL, and not by a path."""
    return URL_SCHEME.match(chosen) is not None


def _url_problem(url: str, scheme: re.Match[str], kind: JournalKind | None) -> str:
    """Return the problem of a URL, without its parts: it may contain a password."""
    if kind is None:
        return ALLOWED
    if scheme[2] != "://":
        return f"a URL starts with `{scheme[1].lower()}://`: it has two slashes"
    if kind != "objects":
        return ""
    with suppress(ValueError):  # square brackets that are not closed
        if urlsplit(url).netloc:
            return ""
    return f"must name a bucket, for example `{scheme[1].lower()}://BUCKET/PREFIX`"


def file_beside_state(
    name: str, backend: StateBackend, environ: Mapping[str, str], home: Path
) -> Path:
    """Return a file of the provider: beside the stacks of a file backend, else in Pulumi's home."""
    if backend.folder is not None:
        return backend.folder / ".pulumi" / name
    return pulumi_home(environ, home) / name
