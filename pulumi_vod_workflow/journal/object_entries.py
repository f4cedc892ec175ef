"""
The start records of an object store, read from the names of its objects and from marks.

A process lists a project once, and each resource of a lookup again. It reads the body of an entry
only if the start concerns the operation.
"""

# journal-facts 5. `object_names` has the layout.

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from typing import Any, Final, TypeVar

from pulumi_vod_workflow.core.recovery import StartIntent, StartRecord
from pulumi_vod_workflow.errors import JournalError
from pulumi_vod_workflow.journal.object_names import (
    MARKS,
    Entry,
    Mark,
    MarkKind,
    folder_of_resource,
    new_mark,
    parse_entry,
    parse_mark,
    short_hash,
)
from pulumi_vod_workflow.journal.object_store import ObjectFolder
from pulumi_vod_workflow.journal.owners import OwnerProcesses
from pulumi_vod_workflow.journal.store import (
    RELEASED_RETENTION,
    RUN_FIELDS,
    JournalLookup,
    RecordVersion,
    journal_lookup,
)
from pulumi_vod_workflow.journal.store_clock import StoreClock

K = TypeVar("K")
T = TypeVar("T")

# Each folder costs one request, and a stack costs one for each 1,000 names.
MAX_FOLDERS: Final = 16
"""The number of resources above which a lookup lists the whole stack."""


@dataclass(frozen=True, slots=True)
class EntryVersion(RecordVersion):
    """The version of a start with entries."""

    claims: int = 0
    """The number of the last claim."""
    last_claim: str | None = None
    """The id of the last claim, if it has no answer."""
    runs: frozenset[str] = frozenset()
    """The names of the entries with runs."""
    answered: int = 0
    """The number of the last claim with a run."""

    def without_claim(self) -> RecordVersion:
        """Return the version before the claims without an answer."""
        return EntryVersion(claims=self.answered, runs=self.runs, answered=self.answered)


@dataclass(slots=True)
class Listing:
    """The names in some folders."""

    entries: list[Entry] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)

    def by_start(self) -> dict[tuple[str, str], list[Entry]]:
        """Return folder and start -> the entries of the start."""
        return grouped(self.entries, lambda entry: (entry.folder, entry.start))

    def marks_of(self, entries: Iterable[Entry]) -> list[Mark]:
        """Return the marks of the stacks of entries."""
        folders = {entry.folder for entry in entries}
        return [mark for mark in self.marks if mark.folder in folders]


class ObjectEntries:
    """
    The entries of one journal; usable from any thread.

    A method that makes a request raises `JournalError` if the store is not usable.

    Args:
        objects: the folder of the journal.
        clock: the clock that dates the records.
        owners: the processes whose claims the journal has.
        calls: makes requests at the same time.

    """

    def __init__(
        self,
        objects: ObjectFolder,
        clock: StoreClock,
        owners: OwnerProcesses,
        calls: ThreadPoolExecutor,
    ) -> None:
        self._objects = objects
        self._clock = clock
        self._owners = owners
        self._calls = calls
        self._snapshot_lock = threading.RLock()
        """The lock of `_snapshots` and `_indexed`, also during the requests that fill them."""
        self._snapshots: dict[str, Listing] = {}
        """Folder of a project -> its names at the first lookup."""
        self._indexed: set[str] = set()
        """Projects whose claims without an answer are in `_same_request`."""
        self._has_release_failed = False
        """Whether a release could not read the store since the last list of a project."""
        self._lock = threading.Lock()
        """The lock of the attributes below, free during each request."""
        self._starts: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        """Folder and resource -> its known starts."""
        self._bodies: dict[str, dict[str, Any]] = {}
        """Path -> the body of an entry that this process has created."""
        self._read_marks: set[Mark] = set()
        """The marks whose names are in the attributes below."""
        self._released_at: dict[str, datetime] = {}
        """Id of an entry whose run a state has -> the time of its release."""
        self._own_released: set[str] = set()
        """Ids of entries that this process has released."""
        self._discarded: set[str] = set()
        """Ids of entries that the user has discarded."""
        self._same_request: defaultdict[tuple[str, str], set[Entry]] = defaultdict(set)
        """Project and request -> its entries."""
        self._runs: defaultdict[str, set[Entry]] = defaultdict(set)
        """RunId -> the entries with this run."""

    # -- decisions ----------------------------------------------------------------------------

    def look(self, wanted: Sequence[StartIntent], *, with_versions: bool) -> JournalLookup | None:
        """Return the lookup of starts; `None` if an entry has disappeared in the meantime."""
        resources = {folder_of_resource(intent.resource_key) for intent in wanted}
        listing = self.list_resources(resources)
        starts = listing.by_start()
        own = {intent.record_key: starts.get(start_of(intent), []) for intent in wanted}
        deciding = {
            entry
            for entries in starts.values()
            if (entries[0].folder, entries[0].resource) in resources
            and (entry := self.current(entries))
        }
        if with_versions:
            # A concurrent update has started the run, and a newer state has it.
            deciding |= {
                entry
                for entries in own.values()
                if not self.current(entries) and (entry := self._released_since(entries))
            }
        others = {*self._find_same_request(wanted)} - deciding
        last = {
            max(entries, key=number_of) for entries in own.values() if with_versions and entries
        }
        bodies = self.read_bodies(deciding | others | last)
        # An entry without its body would count as a start that was never sent.
        if any(entry.path not in bodies for entry in deciding | last):
            return None
        versions = {
            key: self._version(entries, bodies) for key, entries in own.items() if with_versions
        }
        return journal_lookup(wanted, self.records(deciding | others, bodies), versions)

    def list_stack(self, folder: str) -> list[StartRecord]:
        """Return the record of each start of a stack; the latest last. Reads the body of each."""
        listing = self.list_names([folder])
        self.apply_marks(listing)
        entries = [entry for found in listing.by_start().values() if (entry := self.current(found))]
        return self.records(entries, self.read_bodies(entries))

    def is_gone(self, entry: Entry) -> bool:
        """Return whether a state has the run of an entry, or the user has discarded the entry."""
        key = entry.id
        return key in self._own_released or key in self._released_at or key in self._discarded

    def unmarked(self, entries: Iterable[Entry]) -> list[Entry]:
        """Return the entries that no user has discarded."""
        # The mark stays. A later claim of the same name would be invisible.
        return [entry for entry in entries if entry.id not in self._discarded]

    def current(self, entries: Collection[Entry]) -> Entry | None:
        """Return the entry of a start that decides: its last run, or its first claim since."""
        runs = [entry for entry in entries if entry.run_id]
        if kept := [entry for entry in runs if not self.is_gone(entry)]:
            return max(kept, key=number_of)
        answered = max(map(number_of, runs), default=0)
        sent = [e for e in entries if e.number > answered and not self.is_gone(e)]
        return min(sent, key=number_of, default=None)

    def _released_since(self, entries: Collection[Entry]) -> Entry | None:
        """Return the run that another process has released since this journal was opened."""
        opened_at = self._clock.opened_at
        found = [
            entry
            for entry in entries
            if entry.run_id
            and entry.id not in self._own_released
            and (at := self._released_at.get(entry.id))
            and at > opened_at
        ]
        return max(found, key=number_of, default=None)

    def records(
        self, entries: Iterable[Entry], bodies: Mapping[str, dict[str, Any]]
    ) -> list[StartRecord]:
        """Return the records of entries that exist; the latest last."""
        records = [
            self.record(entry, body) for entry in entries if (body := bodies.get(entry.path))
        ]
        return sorted(records, key=lambda record: record.sent_at)

    def record(self, entry: Entry, body: Mapping[str, Any]) -> StartRecord:
        """Return the record of an entry and its body."""
        return StartRecord(
            datetime.fromisoformat(body["sentAt"]),
            {name: body.get(name) for name in RUN_FIELDS} | {"runId": entry.run_id}
            if entry.run_id
            else None,
            body["recordKey"],
            body["resourceKey"],
            body["requestKey"],
            self._owners.state(body.get("process")),
        )

    def _version(
        self, entries: Collection[Entry], bodies: Mapping[str, dict[str, Any]]
    ) -> RecordVersion:
        if not entries:
            return RecordVersion()
        current = self.current(entries)
        last = max(entries, key=number_of)
        version = EntryVersion(
            claims=last.number,
            runs=frozenset(entry.name for entry in entries if entry.run_id),
            answered=max((entry.number for entry in entries if entry.run_id), default=0),
        )
        if current is None or current.run_id:
            return replace(version, run_id=current.run_id if current else None)
        return replace(
            version,
            sent_at=bodies.get(current.path, {}).get("sentAt"),
            owner=bodies.get(last.path, {}).get("owner"),
            last_claim=bodies.get(last.path, {}).get("claim"),
        )

    def _find_same_request(self, intents: Iterable[StartIntent]) -> list[Entry]:
        """Return the deciding entries of the same requests under other resources."""
        # Entries under another name are older than this operation, so the first list of the
        # project has them.
        found: list[Entry] = []
        for request_key, same in grouped(intents, lambda intent: intent.request_key).items():
            if not request_key:
                continue
            own = {folder_of_resource(intent.resource_key) for intent in same}
            for project in {folder.partition("/")[0] for folder, _ in own}:
                snapshot = self.snapshot(project)
                self._index_requests(project, snapshot)
                with self._lock:
                    entries = [*self._same_request[project, short_hash(request_key)]]
                other = [e for e in entries if (e.folder, e.resource) not in own]
                self.apply_marks(Listing(other, snapshot.marks_of(other)))
                starts = Listing(other).by_start().values()
                found += [entry for each in starts if (entry := self.current(each))]
        return found

    def _index_requests(self, project: str, snapshot: Listing) -> None:
        """Read the requests of a project's claims without an answer: of interrupted updates."""
        with self._snapshot_lock:
            if project in self._indexed:
                return
            sent = [
                entry
                for entries in snapshot.by_start().values()
                if not any(entry.run_id for entry in entries)
                for entry in entries
            ]
            bodies = self.read_bodies(sent)
            with self._lock:
                for entry in sent:
                    if body := bodies.get(entry.path):
                        self._same_request[project, short_hash(body["requestKey"])].add(entry)
            self._indexed.add(project)

    # -- the store ----------------------------------------------------------------------------

    def create(self, entry: Entry, body: dict[str, Any]) -> dict[str, Any]:
        """Create an entry, and return its body: `body` itself if it did not exist."""
        stored: dict[str, Any] = self._objects.create(entry.path, body)
        with self._lock:
            if stored is body:
                self._bodies[entry.path] = body
            self._index(entry)
            self._same_request[_project_of(entry), short_hash(stored["requestKey"])].add(entry)
        return stored

    def delete(self, entries: Sequence[Entry]) -> None:
        """Delete entries, if they exist."""
        self._objects.delete([entry.path for entry in entries])
        with self._lock:
            for entry in entries:
                body = self._bodies.pop(entry.path, None)
                if body:
                    request = short_hash(body["requestKey"])
                    self._same_request[_project_of(entry), request].discard(entry)

    def snapshot(self, project: str) -> Listing:
        """Return the names of a project at its first lookup; of all projects if it is empty."""
        with self._snapshot_lock:
            if project not in self._snapshots:
                listing = self._snapshots[project] = self.list_names([project])
                self._has_release_failed = False
                since = self._clock.now() - RELEASED_RETENTION
                for folder in {m.folder for m in listing.marks if m.is_release_before(since)}:
                    self._calls.submit(self._prune, folder)
            return self._snapshots[project]

    def _folders(self, resources: Iterable[tuple[str, str]]) -> list[str]:
        """Return the folders to list for resources, with the marks of their stacks."""
        folders = []
        for folder, found in grouped(resources, lambda resource: resource[0]).items():
            if len(found) > MAX_FOLDERS:
                folders.append(folder)
                continue
            folders += [f"{folder}/{resource}" for _, resource in found]
            folders.append(f"{folder}/{MARKS}")
        return folders

    def list_resources(self, resources: Iterable[tuple[str, str]]) -> Listing:
        """Return the names of resources, each given by its folder and hash; applies the marks."""
        listing = self.list_names(self._folders(resources))
        self.apply_marks(listing)
        return listing

    def list_start(self, entry: Entry) -> list[Entry]:
        """Return the entries of an entry's start."""
        listing = self.list_names([f"{entry.folder}/{entry.resource}"], parallel=False)
        return [each for each in listing.entries if each.start == entry.start]

    def list_names(self, folders: Collection[str], *, parallel: bool = True) -> Listing:
        """Return the names in folders; a request for each 1,000 of each folder."""
        call = self.parallel if parallel else map
        paths = [*chain.from_iterable(call(self._objects.list, folders))]
        listing = Listing()
        for path in paths:
            if entry := parse_entry(path):
                listing.entries.append(entry)
            elif mark := parse_mark(path):
                listing.marks.append(mark)
        with self._lock:
            for entry in listing.entries:
                self._index(entry)
        return listing

    def _index(self, entry: Entry) -> None:
        """Remember the name of an entry; needs the lock."""
        self._starts[entry.folder, entry.resource].add(entry.start)
        if entry.run_id:
            self._runs[entry.run_id].add(entry)
            self._same_request[_project_of(entry), entry.request].add(entry)

    def apply_marks(self, listing: Listing, *, always: bool = False, parallel: bool = True) -> None:
        """Read the new marks of a list; only if there are entries that they may concern."""
        if not listing.entries and not always:
            return
        with self._lock:
            new = {*listing.marks} - self._read_marks
        concerned = {MarkKind.RELEASED, MarkKind.DISCARDED}
        unread = [mark for mark in new if mark.kind in concerned]
        call = self.parallel if parallel else map
        bodies = call(self._objects.read, [mark.path for mark in unread])
        for mark, names in zip(unread, bodies, strict=True):
            marked = [f"{mark.folder}/{name}" for name in names or ()]
            with self._lock:
                self._read_marks.add(mark)
                if mark.kind is MarkKind.RELEASED:
                    self._released_at |= dict.fromkeys(marked, mark.time)
                else:
                    self._discarded.update(marked)

    def read_bodies(
        self, entries: Iterable[Entry], *, parallel: bool = True
    ) -> dict[str, dict[str, Any]]:
        """Return path -> body of entries that exist."""
        paths = {entry.path for entry in entries}
        with self._lock:
            bodies = {path: self._bodies[path] for path in paths if path in self._bodies}
        missing = [*(paths - bodies.keys())]
        call = self.parallel if parallel else map
        found = zip(missing, call(self._objects.read, missing), strict=True)
        return {**bodies, **{path: body for path, body in found if body is not None}}

    def parallel(self, call: Callable[[K], T], items: Collection[K]) -> list[T]:
        """Return the results of calls. Do not use it in `_calls`: its threads may all wait."""
        if len(items) <= 1:
            return [call(item) for item in items]
        return [*self._calls.map(call, items)]

    def release(self, entries: Iterable[Entry]) -> None:
        """Mark entries whose runs a state has: one request for a stack."""
        self._mark(MarkKind.RELEASED, entries)

    def discard(self, entries: Collection[Entry]) -> None:
        """Mark entries that the user discards: one request for a stack."""
        self._mark(MarkKind.DISCARDED, entries)
        with self._lock:
            self._discarded |= {entry.id for entry in entries}

    def _mark(self, kind: MarkKind, entries: Iterable[Entry]) -> None:
        for folder, found in grouped(entries, lambda entry: entry.folder).items():
            mark = new_mark(folder, kind, self._clock.now())
            self._objects.create(mark.path, sorted(entry.name for entry in found))
            with self._lock:
                self._read_marks.add(mark)

    def _prune(self, folder: str) -> None:
        """Delete the entries of runs that were released long ago, and their marks."""
        with suppress(JournalError):
            since = self._clock.now() - RELEASED_RETENTION
            listing = self.list_names([folder], parallel=False)
            self.apply_marks(listing, parallel=False)
            old = [mark.path for mark in listing.marks if mark.is_release_before(since)]
            answered: dict[str, int] = {}
            names: set[str] = set()
            for path in old:
                for name in self._objects.read(path) or ():
                    names.add(name)
                    start, claim, *_ = name.split(".")
                    answered[start] = max(int(claim[1:]), answered.get(start, 0))
            done = [
                entry
                for entry in listing.entries
                if entry.name in names
                or (not entry.run_id and entry.number <= answered.get(entry.start, 0))
            ]
            self.delete(self.unmarked(done))
            self._objects.delete(old)

    # -- the known entries --------------------------------------------------------------------

    def add_run(self, entry: Entry) -> None:
        """Remember the entry of a run, also if this process has released it before."""
        with self._lock:
            self._own_released.discard(entry.id)
            self._index(entry)

    def own_body(self, entry: Entry) -> Mapping[str, Any] | None:
        """Return the body of an entry that this process has created."""
        with self._lock:
            return self._bodies.get(entry.path)

    def has_other_starts(self, entry: Entry) -> bool:
        """Return whether the resource of an entry has other known starts."""
        with self._lock:
            return bool(self._starts[entry.folder, entry.resource] - {entry.start})

    def discarded_starts(self) -> set[tuple[str, str]]:
        """Return folder and start of the known entries that the user has discarded."""
        with self._lock:
            names = [key.split(".")[0].rpartition("/") for key in self._discarded]
        return {(folder, start) for folder, _, start in names}

    def take_unreleased(self, run_ids: Iterable[str]) -> list[Entry]:
        """Return the entries of runs that are not released, and count them as released."""
        with self._snapshot_lock:
            try:
                entries = [] if self._has_release_failed else self._unreleased(run_ids)
            except JournalError:
                # A start needs the journal, and reports its error. A destroy releases each of its
                # runs, and each request to an unreachable store takes seconds.
                self._has_release_failed, entries = True, []
            with self._lock:
                self._own_released |= {entry.id for entry in entries}
            return entries

    def _unreleased(self, run_ids: Iterable[str]) -> list[Entry]:
        """Return the entries of runs that are not released."""
        if not self._snapshots:
            self.snapshot("")
        with self._lock:
            found = [e for run_id in {*run_ids} & self._runs.keys() for e in self._runs[run_id]]
        for listing in self._snapshots.values():
            self.apply_marks(Listing(found, listing.marks_of(found)))
        return [entry for entry in found if not self.is_gone(entry)]


def number_of(entry: Entry) -> int:
    """Return the number of an entry's claim."""
    return entry.number


def entry_of(intent: StartIntent, number: int, run_id: str = "") -> Entry:
    """Return the entry of a claim, or of its run."""
    folder, resource = folder_of_resource(intent.resource_key)
    request = short_hash(intent.request_key) if run_id else ""
    return Entry(folder, resource, short_hash(intent.record_key), number, run_id, request)


def start_of(start: StartIntent | StartRecord) -> tuple[str, str]:
    """Return the folder of a start's stack, and the start's hash."""
    return folder_of_resource(start.resource_key)[0], short_hash(start.record_key)


def body_of(intent: StartIntent, sent_at: str) -> dict[str, Any]:
    """Return the part of a body that all entries of a start have."""
    return {
        "recordKey": intent.record_key,
        "requestKey": intent.request_key,
        "resourceKey": intent.resource_key,
        "sentAt": sent_at,
    }


def _project_of(entry: Entry) -> str:
    return entry.folder.partition("/")[0]


def grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """Return key -> the items with this key."""
    groups: defaultdict[K, list[T]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return groups
