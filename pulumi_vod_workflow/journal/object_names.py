"""
The names of the objects of a journal.

    PROJECT/STACK/RESOURCE/START.s1                  the first claim of a start
    PROJECT/STACK/RESOURCE/START.r1.RUNID.REQUEST    the run of that claim, after the answer
    PROJECT/STACK/marks/KIND.TIME.ID                 a mark on entries, see `MarkKind`

RESOURCE, START and REQUEST are hashes. The name of a claim has nothing that two claims of one start
could differ in, so the store creates it once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from urllib.parse import quote, unquote
from uuid import uuid4

from pulumi_vod_workflow.journal.store import stack_of

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
    """Record keys of starts that pending operations of the state had: not added again."""
    LEFT = "left"
    """No names. Updates of the stack have used another journal since."""


@dataclass(frozen=True, slots=True)
class Entry:
    """The name of an object: a claim of a start, or the run of a claim."""

    folder: str
    """The folder of the stack."""
    resource: str
    """The hash of the resource."""
    start: str
    """The hash of the start."""
    number: int
    """The number of the claim, from 1."""
    run_id: str = ""
    """The run; empty for a claim."""
    request: str = ""
    """The hash of the run's request; empty for a claim."""

    @property
    def name(self) -> str:
        """The name in marks, unique in a stack."""
        if not self.run_id:
            return f"{self.start}.s{self.number}"
        return f"{self.start}.r{self.number}.{quoted(self.run_id)}.{self.request}"

    @property
    def id(self) -> str:
        """The stack's folder and the name."""
        return f"{self.folder}/{self.name}"

    @property
    def path(self) -> str:
        """The path of the object."""
        return f"{self.folder}/{self.resource}/{self.name}"


@dataclass(frozen=True, slots=True)
class Mark:
    """The name of an object that is a mark."""

    path: str
    """The path of the object."""
    folder: str
    """The folder of the stack."""
    kind: MarkKind
    time: datetime
    """The time of the mark, by the journal's clock."""

    def is_release_before(self, time: datetime) -> bool:
        """Return whether the mark releases runs, and is older than a time."""
        return self.kind is MarkKind.RELEASED and self.time < time


def parse_entry(path: str) -> Entry | None:
    """Return the entry of a path; `None` for another object."""
    parents, _, name = path.rpartition("/")
    folder, _, resource = parents.rpartition("/")
    start, claim, *run = name.split(".") if "." in name else ("", "")
    if folder.count("/") != 1 or not claim[1:].isdecimal() or len(run) not in {0, 2}:
        return None
    if claim[0] != ("r" if run else "s"):
        return None
    entry = Entry(folder, resource, start, int(claim[1:]))
    return replace(entry, run_id=unquoted(run[0]), request=run[1]) if run else entry


def stack_folder(project: str, stack: str) -> str:
    """Return the folder of a stack."""
    return f"{quoted(project)}/{quoted(stack)}"


def folder_of_resource(resource_key: str) -> tuple[str, str]:
    """Return the folder of a resource's stack, and the resource's hash."""
    return stack_folder(*stack_of(resource_key)), short_hash(resource_key)


def short_hash(key: str) -> str:
    """Return the hash of a key in names; `-` for no key."""
    return hashlib.sha256(key.encode()).hexdigest()[:HASH_LENGTH] if key else "-"


def new_mark(folder: str, kind: MarkKind, time: datetime) -> Mark:
    """Return a new mark."""
    name = f"{kind}.{time.astimezone(UTC):{TIME_FORMAT}}.{uuid4().hex}"
    return Mark(f"{folder}/{MARKS}/{name}", folder, kind, time)


def parse_mark(path: str) -> Mark | None:
    """Return the mark of a path; `None` for another object."""
    parents, _, name = path.rpartition("/")
    folder, _, marks = parents.rpartition("/")
    kind, time, *_ = [*name.split("."), ""]
    if marks != MARKS or kind not in {*MarkKind}:
        return None
    try:
        at = datetime.strptime(time, TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return None
    return Mark(path, folder, MarkKind(kind), at)


def has_met_last(marks: Iterable[Mark]) -> bool:
    """Return whether the journal has met a stack, and updates have used no other one since."""
    latest = {mark.kind: mark for mark in sorted(marks, key=lambda mark: mark.time)}
    met, left = latest.get(MarkKind.MET), latest.get(MarkKind.LEFT)
    return met is not None and (left is None or left.time < met.time)


def quoted(text: str) -> str:
    """Return a text as a part of a name, with letters, digits, `_`, `-` and `=` only."""
    # Stores, their libraries and proxies change `%`, and folders `.` and `..`.
    encoded = quote(text, safe="").replace(".", "%2E").replace("~", "%7E")
    return encoded.replace("%", "=") or "-"


def unquoted(part: str) -> str:
    """Return the text of a part of a name."""
    return unquote(part.replace("=", "%"))
