"""
The names of the objects of a journal.

    PROJECT/STACK/RESOURCE/REQUEST.START.s1          the first claim of a start
    PROJECT/STACK/RESOURCE/REQUEST.START.r1.RUNID    the run of that claim, after the answer
    PROJECT/STACK/marks/KIND.TIME.ID                 a mark on entries, see `MarkKind`

RESOURCE, REQUEST and START are hashes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from urllib.parse import quote, unquote
from uuid import uuid4

# 128 bits never collide.
HASH_LENGTH: Final = 32
"""The characters of a hash in a name."""

MARKS: Final = "marks"
"""The folder of a stack's marks; no resource has this name."""

TIME_FORMAT: Final = "%Y%m%dT%H%M%S%fZ"


class MarkKind(StrEnum):
    """The kinds of marks. The body of a mark is a list of names."""

    RELEASED = "released"
    """Names of entries whose runs a state has."""
    DISCARDED = "discarded"
    """Names of entries that the user has discarded."""
    MET = "met"
    """Record keys of starts that came from the state or another journal: not added again."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The name of an object: a claim of a start, or the run of a claim."""

    folder: str
    """The folder of the stack."""
    resource: str
    """The hash of the resource."""
    request: str
    """The hash of the request; `-` without one."""
    start: str
    """The hash of the start."""
    number: int
    """The number of the claim, from 1."""
    run_id: str = ""
    """The run; empty for a claim."""

    @property
    def name(self) -> str:
        """The name in marks, unique in a stack."""
        run = f".{quoted(self.run_id)}" if self.run_id else ""
        return f"{self.start}.{'r' if self.run_id else 's'}{self.number}{run}"

    @property
    def id(self) -> str:
        """The stack's folder and the name."""
        return f"{self.folder}/{self.name}"

    @property
    def path(self) -> str:
        """The path of the object."""
        return f"{self.folder}/{self.resource}/{self.request}.{self.name}"


def parse_entry(path: str) -> Entry | None:
    """Return the entry of a path; `None` for another object."""
    parents, _, name = path.rpartition("/")
    folder, _, resource = parents.rpartition("/")
    request, start, claim, run, *more = [*name.split("."), "", "", ""]
    if folder.count("/") != 1 or any(more) or not claim[1:].isdecimal():
        return None
    if claim[0] != ("r" if run else "s"):
        return None
    return Entry(folder, resource, request, start, int(claim[1:]), unquoted(run))


def stack_folder(project: str, stack: str) -> str:
    """Return the folder of a stack."""
    return f"{quoted(project)}/{quoted(stack)}"


def folder_of_resource(resource_key: str) -> tuple[str, str]:
    """Return the folder of a resource's stack, and the resource's hash."""
    try:
        scope = json.loads(resource_key)
        folder = stack_folder(str(scope["project"]), str(scope["stack"]))
    except (ValueError, KeyError, TypeError):
        folder = stack_folder("", "")
    return folder, hashlib.sha256(resource_key.encode()).hexdigest()[:HASH_LENGTH]


def short_hash(key: str) -> str:
    """Return the part of a hash that names have."""
    return quoted(key[:HASH_LENGTH])


def mark_path(folder: str, kind: MarkKind, time: datetime) -> str:
    """Return a new path of a mark."""
    return f"{folder}/{MARKS}/{kind}.{time.astimezone(UTC):{TIME_FORMAT}}.{uuid4().hex}"


def parse_mark(path: str) -> tuple[str, MarkKind, datetime] | None:
    """Return folder, kind and time of a mark; `None` for another object."""
    parents, _, name = path.rpartition("/")
    folder, _, marks = parents.rpartition("/")
    kind, time, *_ = [*name.split("."), ""]
    if marks != MARKS or kind not in {*MarkKind}:
        return None
    try:
        at = datetime.strptime(time, TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None
    return folder, MarkKind(kind), at


def quoted(text: str) -> str:
    """Return a text as a part of a name, with letters, digits, `_`, `-` and `=` only."""
    # Stores, their libraries and proxies change `%`, and folders `.` and `..`.
    encoded = quote(text, safe="").replace(".", "%2E").replace("~", "%7E")
    return encoded.replace("%", "=") or "-"


def unquoted(part: str) -> str:
    """Return the text of a part of a name."""
    return unquote(part.replace("=", "%"))
