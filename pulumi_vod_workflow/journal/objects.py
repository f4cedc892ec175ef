"""
The journal in an object store, beside the state of an `s3://`, `gs://` or `azblob://` backend.

The provider creates objects and never overwrites them, so a store needs nothing but a conditional
create. A claim creates the number after the last claim that its operation has seen. Of two
operations with the same view, one creates it, and the other loses the claim.

The store has project, stack and resource names, RunIds and times. It has no inputs, tokens or keys.
"""

# journal-facts 5. `object_names` has the layout. Names decide, so one list request shows all; a
# body is read only if its start concerns the operation. A start costs two requests: one before it
# is sent, one after its answer.
#
# A limit: a store deletes by name only, and obstore repeats a DELETE without an answer. If the
# store has executed the first one, and another update claims the start before the second one, then
# that claim is deleted. The answer to it is still recorded, but after a crash it has no record.

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from typing import Any, Final, TypeVar
from uuid import uuid4

from pulumi_vod_workflow.config.clock import Clock, SystemClock
from pulumi_vod_workflow.core.recovery import OwnerState, StartIntent, StartRecord
from pulumi_vod_workflow.errors import JournalError
from pulumi_vod_workflow.journal.object_names import (
    MARKS,
    Entry,
    MarkKind,
    folder_of_resource,
    mark_path,
    parse_entry,
    parse_mark,
    quoted,
    short_hash,
    stack_folder,
)
from pulumi_vod_workflow.journal.object_store import (
    AccessDeniedError,
    NameRefusedError,
    ObjectFolder,
)
from pulumi_vod_workflow.journal.owners import UnknownProcesses
from pulumi_vod_workflow.journal.store import (
    ClaimResult,
    JournalLookup,
    PendingStart,
    RecordVersion,
    hidden_key,
    journal_lookup,
)

K = TypeVar("K")
T = TypeVar("T")

# As many as the client's starts in flight (`transport.client.MAX_IN_FLIGHT`), so that no start
# waits for the record of another one.
MAX_CALLS: Final = 128
"""The number of requests at the same time."""

# Each folder costs one request, and a stack costs one for each 1,000 names.
MAX_FOLDERS: Final = 16
"""The number of resources above which a lookup lists the whole stack."""

# Longer than any update. A slower concurrent update still finds the released run.
RELEASED_RETENTION: Final = timedelta(days=2)
"""The time for which the entries of a released run are kept."""

# The store's time has whole seconds. Synchronised clocks are more exact.
CLOCK_TOLERANCE: Final = timedelta(seconds=3)
"""The difference to the store's clock below which this machine's clock dates the records."""

MAX_LOOKUPS: Final = 5
"""The attempts of a lookup whose entries disappear, because their starts were rejected."""

MAX_SKIPPED_NUMBERS: Final = 20
"""The names that one claim tries in a store that does not give those of deleted claims free."""

ADOPTED: Final = "another journal"
"""The process of adopted starts, about which nothing is known."""

RUN_FIELDS: Final = ("runId", "requestId", "submittedAt")


@dataclass(frozen=True, slots=True)
class _Version(RecordVersion):
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
        return _Version(claims=self.answered, runs=self.runs, answered=self.answered)


@dataclass(slots=True)
class _Claims:
    """The claims of one operation for one start."""

    seen: _Version
    numbers: list[int] = field(default_factory=list)
    """The numbers of the operation's claims that were not rejected."""
    first_sent: datetime | None = None
    """The time of the first send without an answer."""
    was_rejected: bool = False
    skipped: int = 0
    """The numbers after `seen` that the store refuses, although no claim has them."""
    rejection: Future[None] | None = None

    @property
    def last(self) -> int:
        """The number of the last claim."""
        return self.numbers[-1] if self.numbers else self.seen.claims + self.skipped

    @property
    def has_rival(self) -> bool:
        """Whether another operation may have a claim that the next number does not show."""
        return bool(self.numbers or self.was_rejected or self.seen.sent_at)


@dataclass(slots=True)
class _Listing:
    """The names in some folders."""

    entries: list[Entry] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)

    def by_start(self) -> dict[tuple[str, str], list[Entry]]:
        """Return folder and start -> the entries of the start."""
        return _grouped(self.entries, lambda entry: (entry.folder, entry.start))

    def marks_of(self, entries: Iterable[Entry]) -> list[str]:
        """Return the marks of the stacks of entries."""
        folders = {entry.folder for entry in entries}
        return [path for path in self.marks if _stack_of_mark(path) in folders] if folders else []


class ObjectJournal:
    """
    A journal in an object store; usable from any thread.

    Args:
        url: the URL of the state backend, or of `vod:journal`.
        backend: the identity of the state backend whose starts the journal records.
        clock: this machine's clock. If it differs from the store's, the store's dates the records.

    """

    def __init__(self, url: str, backend: str = "", clock: Clock | None = None) -> None:
        identity = hashlib.sha256(backend.encode()).hexdigest()[:16]
        self._objects = ObjectFolder(url, identity)
        self._owners = UnknownProcesses()
        self._clock = clock or SystemClock()
        self._offset = timedelta()
        """The store's time minus this machine's time."""
        self._opened_at = self._clock.now()
        self._calls = ThreadPoolExecutor(MAX_CALLS, "vod-journal")
        self._writer = ThreadPoolExecutor(1, "vod-journal-marks")
        """Writes marks and deletions of other starts, in order."""
        self._probe_lock = threading.Lock()
        self._is_probed = False
        self._snapshot_lock = threading.RLock()
        """The lock of `_snapshots` and `_indexed`, also during the requests that fill them."""
        self._lock = threading.Lock()
        """The lock of the attributes below, free during each request."""
        self._warnings: list[str] = []
        self._claims: dict[tuple[str, str], _Claims] = {}
        """Record key and owner -> the claims of an operation of this process."""
        self._numbers: dict[str, int] = {}
        """Record key -> the number of this process's last claim."""
        self._starts: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        """Folder and resource -> its known starts."""
        self._bodies: dict[str, dict[str, Any]] = {}
        """Path -> the body of an entry that this process has created."""
        self._read_marks: set[str] = set()
        self._released_at: dict[str, datetime] = {}
        """Id of an entry whose run a state has -> the time of its release."""
        self._own_released: set[str] = set()
        """Ids of entries that this process has released."""
        self._discarded: set[str] = set()
        """Ids of entries that the user has discarded."""
        self._indexed: set[str] = set()
        """Projects whose claims without an answer are in `_same_request`."""
        self._snapshots: dict[str, _Listing] = {}
        """Folder of a project -> its names at the first lookup."""
        self._same_request: defaultdict[tuple[str, str], set[Entry]] = defaultdict(set)
        """Project and request -> its entries."""
        self._runs: defaultdict[str, set[Entry]] = defaultdict(set)
        """RunId -> the entries with this run."""
        self._unreleased: list[Entry] = []
        """Entries whose release is scheduled."""
        self._has_release_failed = False
        """Whether a release could not read the store since the last list of a project."""

    @property
    def location(self) -> str:
        """The URL for messages, without parameters."""
        return self._objects.location

    @property
    def warnings(self) -> Sequence[str]:
        """The limits of the store that the first lookup has found, each in a sentence."""
        return tuple(self._warnings)

    def now(self) -> datetime:
        """Return the current time by the store's clock, which dates the records."""
        # journal-facts 7: the clocks of runners differ, and the age of a record decides.
        return self._clock.now() + self._offset

    # -- reading ------------------------------------------------------------------------------

    def lookup(self, intents: Iterable[StartIntent], *, create: bool = False) -> JournalLookup:
        """
        Return the records of starts, and the latest other start of each of their resources.

        A lookup costs one list request for each of a few resources, or for 1,000 names of the
        stack. The first one also lists the project.

        Args:
            intents: the starts.
            create: whether to test the store, and to return the versions that claims need. A store
                that denies writes is only a warning: a preview needs no right to write.

        Raises:
            JournalError: when the store is not readable.

        """
        wanted = [*intents]
        if create:
            # Scheduled releases of runs that a state has must precede the read of the versions.
            self._writer.submit(lambda: None).result()
            self._probe()
        if not wanted:
            return JournalLookup({}, {})
        if create:
            for intent in wanted:
                # At once: a release must not wait for it.
                self._snapshot(folder_of_resource(intent.resource_key)[0].partition("/")[0])
        for _ in range(MAX_LOOKUPS):
            found = self._look(wanted, with_versions=create)
            if found:
                return found
        raise JournalError(
            self.location,
            "the store lists entries that it does not return",
            "run the same command again",
        )

    def _look(self, wanted: Sequence[StartIntent], *, with_versions: bool) -> JournalLookup | None:
        """Return the lookup of starts; `None` if an entry has disappeared in the meantime."""
        resources = {folder_of_resource(intent.resource_key) for intent in wanted}
        listing = self._list_resources(resources)
        starts = listing.by_start()
        own = {intent.record_key: starts.get(_start_of(intent), []) for intent in wanted}
        deciding = {
            entry
            for entries in starts.values()
            if (entries[0].folder, entries[0].resource) in resources
            and (entry := self._current(entries))
        }
        if with_versions:
            # A concurrent update has started the run, and a newer state has it.
            deciding |= {
                entry
                for entries in own.values()
                if not self._current(entries) and (entry := self._released_since(entries))
            }
        others = {*self._find_same_request(wanted)} - deciding
        last = {max(entries, key=_number) for entries in own.values() if with_versions and entries}
        bodies = self._read_bodies(deciding | others | last)
        # An entry without its body would count as a start that was never sent.
        if any(entry.path not in bodies for entry in deciding | last):
            return None
        versions = {
            key: self._version(entries, bodies) for key, entries in own.items() if with_versions
        }
        return journal_lookup(wanted, self._records(deciding | others, bodies), versions)

    def list_stack(self, project: str, stack: str) -> list[StartRecord]:
        """
        Return the record of each start of a stack; the latest last. Reads the body of each.

        Raises:
            JournalError: when the store is not readable.

        """
        listing = self._list([stack_folder(project, stack)])
        self._apply_marks(listing)
        entries = [
            entry for found in listing.by_start().values() if (entry := self._current(found))
        ]
        return self._records(entries, self._read_bodies(entries))

    def has_met(self, project: str, stack: str) -> bool:
        """
        Return whether the journal has recorded the pending operations of a stack.

        Raises:
            JournalError: when the store is not readable.

        """
        folder = stack_folder(project, stack)
        self._snapshot(quoted(project))
        listing = self._list([f"{folder}/{MARKS}"])
        return any(_kind(path) is MarkKind.MET for path in listing.marks)

    # -- one start ----------------------------------------------------------------------------

    def claim(
        self, intent: StartIntent, owner: str, expected: RecordVersion | None = None
    ) -> Future[ClaimResult]:
        """
        Claim a start: record that an operation is about to send it. Costs one request.

        The claim is lost if another operation has changed the record. Only the owner of the last
        claim may send.

        Args:
            intent: the start.
            owner: the operation.
            expected: the record at the decision to send the start; by default none.

        """
        return self._calls.submit(self._claim, intent, owner, expected)

    def record_rejected(self, intent: StartIntent, owner: str) -> Future[None]:
        """Record a rejected start; no effect on the claims of other operations."""
        rejection = self._calls.submit(self._reject, intent, owner)
        with self._lock:
            if claims := self._claims.get((intent.record_key, owner)):
                claims.rejection = rejection
        return rejection

    def record_accepted(self, intent: StartIntent, run: Mapping[str, Any]) -> Future[None]:
        """Record a start's run, and remove the resource's other starts without an answer."""
        number = self._numbers.get(intent.record_key)
        if number is not None:
            # At once: a release may follow before the store has answered.
            self._add_run(_entry_of(intent, number, run["runId"]))
        return self._calls.submit(self._accept, intent, run, number)

    def discard_undecided(self, *resources: str) -> None:
        """Remove the resources' starts without an answer, after an adoption; never raises."""
        # The user has chosen the run, so the choices of an unknown outcome are no longer due.
        self._writer.submit(self._discard_undecided, resources)

    def _claim(
        self, intent: StartIntent, owner: str, expected: RecordVersion | None
    ) -> ClaimResult:
        claims = self._claims_of(intent, owner, expected)
        if claims.rejection:
            with suppress(JournalError):  # the claim itself reports a store that fails
                claims.rejection.result()
            claims.rejection = None
        if claims.seen.run_id:
            return self._lost(intent, claims)
        sent_at = claims.first_sent or self.now()
        body = {
            **_body_of(intent, sent_at.isoformat()),
            "owner": owner,
            "process": self._owners.own_id(),
            "claim": uuid4().hex,
        }
        entry, stored = self._create_next(intent, claims, body)
        if stored.get("owner") != owner:
            return self._lost(intent, claims)
        if claims.has_rival and self._is_overtaken(entry, claims):
            self._delete([entry])
            return self._lost(intent, claims)
        with self._lock:
            claims.numbers.append(entry.number)
            claims.first_sent = datetime.fromisoformat(stored["sentAt"])
            self._numbers[intent.record_key] = entry.number
        # `stored` is another one if the answer to an earlier request was lost.
        return ClaimResult(won=True, record=self._record(entry, stored))

    def _create_next(
        self, intent: StartIntent, claims: _Claims, body: dict[str, Any]
    ) -> tuple[Entry, dict[str, Any]]:
        """Create the next claim, and return it with its body."""
        last_skipped = claims.skipped + MAX_SKIPPED_NUMBERS
        while True:
            entry = _entry_of(intent, claims.last + 1)
            try:
                return entry, self._create(entry, body)
            except NameRefusedError:
                # A versioned bucket of some stores never gives the name of a deleted claim free.
                if claims.skipped == last_skipped:
                    raise
                claims.skipped, claims.was_rejected = claims.skipped + 1, True

    def _claims_of(
        self, intent: StartIntent, owner: str, expected: RecordVersion | None
    ) -> _Claims:
        seen = expected if isinstance(expected, _Version) else _Version()
        with self._lock:
            claims = self._claims.get((intent.record_key, owner))
            # An operation that has looked again goes on from there.
            if claims is None or (seen != claims.seen and seen.claims >= claims.last):
                sent = datetime.fromisoformat(seen.sent_at) if seen.sent_at else None
                claims = _Claims(seen, first_sent=sent)
                self._claims[intent.record_key, owner] = claims
            return claims

    def _is_overtaken(self, claimed: Entry, claims: _Claims) -> bool:
        """Return whether another operation has claimed or answered the start in the meantime."""
        # Both operations create their claim first and read the other's afterwards, so at least one
        # of them sees the other.
        entries = self._list_start(claimed)
        own = {*claims.numbers, claimed.number}
        for entry in entries:
            if entry.run_id and entry.name not in claims.seen.runs:
                return True
            if not entry.run_id and entry.number > claims.seen.claims and entry.number not in own:
                return True
        # The same number is free again after a rejection.
        seen = [e for e in entries if not e.run_id and e.number == claims.seen.claims]
        if claims.numbers or not seen or claims.seen.last_claim is None:
            return False
        body = self._objects.read(seen[0].path)
        return body is not None and body["claim"] != claims.seen.last_claim

    def _lost(self, intent: StartIntent, claims: _Claims) -> ClaimResult:
        """Return the current record, also of a run that a state has in the meantime."""
        entries = self._list_start(_entry_of(intent, 1))
        runs = [entry for entry in entries if entry.run_id]
        new = [entry for entry in runs if entry.name not in claims.seen.runs]
        answered = max(map(_number, runs), default=0)
        sent = [e for e in entries if not (e.run_id or self._is_gone(e)) and e.number > answered]
        if new or not sent:
            deciding = max(new or runs, key=_number, default=None)
        else:
            deciding = min(sent, key=_number)
        body = self._objects.read(deciding.path) if deciding else None
        if deciding is None or body is None:
            # Rejected in the meantime. The next lookup of the waiting operation finds no record.
            in_flight = StartRecord(self.now(), owner_state=OwnerState.UNKNOWN)
            return ClaimResult(won=False, record=in_flight)
        return ClaimResult(won=False, record=self._record(deciding, body))

    def _reject(self, intent: StartIntent, owner: str) -> None:
        with self._lock:
            claims = self._claims.get((intent.record_key, owner))
        if claims and not claims.seen.claims:
            self._delete([_entry_of(intent, number) for number in claims.numbers])
        else:
            sent = [entry for entry in self._list_start(_entry_of(intent, 1)) if not entry.run_id]
            bodies = self._read_bodies(sent, parallel=False)
            own = [e for e in sent if bodies.get(e.path, {}).get("owner") == owner]
            # The rejection of the last claim decides about the earlier ones, too.
            is_last = own and max(map(_number, own)) == max(map(_number, sent))
            self._delete(self._unmarked(sent if is_last else own))
        if claims:
            claims.numbers, claims.first_sent, claims.was_rejected = [], None, True

    def _accept(self, intent: StartIntent, run: Mapping[str, Any], number: int | None) -> None:
        if number is None:  # the claim is gone: the user has discarded it
            entries = self._list_start(_entry_of(intent, 1))
            number = max((each.number for each in entries), default=1)
            number += any(map(self._is_gone, entries))
        entry = _entry_of(intent, number, run["runId"])
        self._add_run(entry)
        with self._lock:
            sent = self._bodies.get(_entry_of(intent, number).path)
            others = self._starts[entry.folder, entry.resource] - {entry.start}
        at = sent["sentAt"] if sent else self.now().isoformat()
        fields = {name: run.get(name) for name in RUN_FIELDS}
        self._create(entry, {**_body_of(intent, at), **fields})
        if others:
            listing = self._list([f"{entry.folder}/{entry.resource}"])
            self._delete_undecided(listing, besides=entry.start)

    def _add_run(self, entry: Entry) -> None:
        with self._lock:
            self._own_released.discard(entry.id)
            self._index(entry)

    def _discard_undecided(self, resources: Collection[str]) -> None:
        with suppress(JournalError):
            known = {folder_of_resource(key) for key in resources}
            listing = self._list_resources(known)
            listing.entries = [e for e in listing.entries if (e.folder, e.resource) in known]
            self._delete_undecided(listing)

    def _delete_undecided(self, listing: _Listing, besides: str = "") -> None:
        """Delete claims without an answer, besides those of one start."""
        undecided = [
            entry
            for (_, start), entries in listing.by_start().items()
            if start != besides and not any(entry.run_id for entry in entries)
            for entry in entries
        ]
        self._delete(self._unmarked(undecided))

    def _unmarked(self, entries: Iterable[Entry]) -> list[Entry]:
        """Return the entries that no user has discarded."""
        # The mark stays. A later claim of the same name would be invisible.
        return [entry for entry in entries if entry.id not in self._discarded]

    # -- many starts --------------------------------------------------------------------------

    def delete(self, records: Iterable[StartRecord]) -> None:
        """
        Remove records of a stack that the user discards: all of them, or none.

        A record that has changed since its read stays. `import_pending` does not add a deleted
        start again.

        Raises:
            JournalError: when the store is not writable.

        """
        wanted = [*records]
        listing = self._list_resources({folder_of_resource(r.resource_key) for r in wanted})
        starts = listing.by_start()
        current = {}
        for record in wanted:
            start = folder_of_resource(record.resource_key)[0], short_hash(record.record_key)
            if entry := self._current(starts.get(start, [])):
                current[entry] = record, starts[start]
        bodies = self._read_bodies(current)
        # A mark names the exact entries, so it does not cover a claim that comes after this read.
        discarded = [
            each
            for entry, (record, entries) in current.items()
            if [record] == self._records([entry], bodies)
            for each in entries
            if not self._is_gone(each)
        ]
        self._mark(MarkKind.DISCARDED, discarded)
        with self._lock:
            self._discarded |= {entry.id for entry in discarded}

    def release(self, run_ids: Iterable[str]) -> Future[None] | None:
        """
        Remove the records of runs that a state has; never raises.

        Returns:
            The scheduled write, or `None` without a record.

        """
        with self._snapshot_lock:
            try:
                entries = [] if self._has_release_failed else self._unreleased_entries(run_ids)
            except JournalError:
                # A start needs the journal, and reports its error. A destroy releases each of its
                # runs, and each request to an unreachable store takes seconds.
                self._has_release_failed, entries = True, []
            if entries:
                with self._lock:
                    self._own_released |= {entry.id for entry in entries}
                    self._unreleased += entries
                return self._writer.submit(self._write_releases)
        return None

    def adopt_records(self, records: Iterable[StartRecord]) -> int:
        """
        Record the starts of another journal as they are there.

        A start that the journal has, has released, or has deleted stays as it is. After an error
        some starts may be missing; a repetition adds them, and has no other effect.

        Returns:
            The number of added records.

        Raises:
            JournalError: when the store is not writable.

        """
        wanted = [*records]
        self._probe()
        folders = {folder_of_resource(record.resource_key)[0] for record in wanted}
        return self._add_new(wanted, self._list(folders), ADOPTED)

    def import_pending(self, project: str, stack: str, starts: Iterable[PendingStart]) -> int:
        """
        Record starts of pending operations as sent without an answer, and the stack as met.

        A start that the journal has, has released, has deleted, or has imported before stays as it
        is.

        Returns:
            The number of added records.

        Raises:
            JournalError: when the store is not writable.

        """
        folder = stack_folder(project, stack)
        pending = [
            StartRecord(
                start.sent_at,
                None,
                start.record_key or hidden_key(start.resource_key),
                start.resource_key,
                start.request_key,
            )
            for start in starts
        ]
        self._probe()
        listing = self._list([folder])
        met = [path for path in listing.marks if _kind(path) is MarkKind.MET]
        imported = {*chain.from_iterable(self._parallel(self._objects.read, met))}
        # The engine keeps a pending operation until a user clears it (journal-facts 6), so each is
        # imported once.
        new = [record for record in pending if record.record_key not in imported]
        added = self._add_new(new, listing, None)
        if new or not met:
            keys = sorted(record.record_key for record in new)
            self._objects.create(mark_path(folder, MarkKind.MET, self.now()), keys)
        return added

    def _add_new(
        self, records: Iterable[StartRecord], listing: _Listing, process: str | None
    ) -> int:
        """Create the entries of records whose starts have none."""
        self._apply_marks(listing, always=True)
        known = {(entry.folder, entry.start) for entry in listing.entries}
        with self._lock:
            known |= {(*key.split(".")[0].rpartition("/")[::2],) for key in self._discarded}
        new = {
            start: record
            for record in records
            if (
                start := (folder_of_resource(record.resource_key)[0], short_hash(record.record_key))
            )
            not in known
        }
        self._parallel(partial(self._add, process=process), [*new.values()])
        return len(new)

    def _add(self, record: StartRecord, *, process: str | None) -> None:
        folder, resource = folder_of_resource(record.resource_key)
        run = record.run or {}
        entry = Entry(folder, resource, short_hash(record.record_key), 1)
        if run:
            request = short_hash(record.request_key)
            entry = replace(entry, run_id=run["runId"], request=request)
        body = {
            "recordKey": record.record_key,
            "requestKey": record.request_key,
            "resourceKey": record.resource_key,
            "sentAt": record.sent_at.isoformat(),
            "process": process,
            **({name: run.get(name) for name in RUN_FIELDS} if run else {"claim": uuid4().hex}),
        }
        self._create(entry, body)

    def _unreleased_entries(self, run_ids: Iterable[str]) -> list[Entry]:
        """Return the entries of runs that are not released."""
        if not self._snapshots:
            self._snapshot("")
        with self._lock:
            found = [e for run_id in {*run_ids} & self._runs.keys() for e in self._runs[run_id]]
        for listing in self._snapshots.values():
            self._apply_marks(_Listing(found, listing.marks_of(found)))
        return [entry for entry in found if not self._is_gone(entry)]

    def _write_releases(self) -> None:
        """Write the releases of all calls since the last write: one request for a stack."""
        with self._lock:
            entries, self._unreleased = self._unreleased, []
        self._mark(MarkKind.RELEASED, entries)

    def _mark(self, kind: MarkKind, entries: Iterable[Entry]) -> None:
        for folder, found in _grouped(entries, lambda entry: entry.folder).items():
            path = mark_path(folder, kind, self.now())
            self._objects.create(path, sorted(entry.name for entry in found))
            with self._lock:
                self._read_marks.add(path)

    def _prune(self, folder: str) -> None:
        """Delete the entries of runs that were released long ago, and their marks."""
        with suppress(JournalError):
            since = self.now() - RELEASED_RETENTION
            listing = self._list([folder], parallel=False)
            self._apply_marks(listing, parallel=False)
            old = [path for path in listing.marks if _is_release_before(path, since)]
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
            self._delete(self._unmarked(done))
            self._objects.delete(old)

    # -- decisions ----------------------------------------------------------------------------

    def _is_gone(self, entry: Entry) -> bool:
        key = entry.id
        return key in self._own_released or key in self._released_at or key in self._discarded

    def _current(self, entries: Collection[Entry]) -> Entry | None:
        """Return the entry of a start that decides: its last run, or its first claim since."""
        runs = [entry for entry in entries if entry.run_id]
        if kept := [entry for entry in runs if not self._is_gone(entry)]:
            return max(kept, key=_number)
        answered = max(map(_number, runs), default=0)
        sent = [e for e in entries if e.number > answered and not self._is_gone(e)]
        return min(sent, key=_number, default=None)

    def _released_since(self, entries: Collection[Entry]) -> Entry | None:
        """Return the run that another process has released since this journal was opened."""
        opened_at = self._opened_at + self._offset
        found = [
            entry
            for entry in entries
            if entry.run_id
            and entry.id not in self._own_released
            and (at := self._released_at.get(entry.id))
            and at > opened_at
        ]
        return max(found, key=_number, default=None)

    def _records(
        self, entries: Iterable[Entry], bodies: Mapping[str, dict[str, Any]]
    ) -> list[StartRecord]:
        """Return the records of entries that exist; the latest last."""
        records = [
            self._record(entry, body) for entry in entries if (body := bodies.get(entry.path))
        ]
        return sorted(records, key=lambda record: record.sent_at)

    def _record(self, entry: Entry, body: Mapping[str, Any]) -> StartRecord:
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
        current = self._current(entries)
        last = max(entries, key=_number)
        version = _Version(
            claims=last.number,
            runs=frozenset(entry.name for entry in entries if entry.run_id),
            answered=max((entry.number for entry in entries if entry.run_id), default=0),
        )
        if current is None or current.run_id:
            return replace(version, run_id=current.run_id if current else None)
        return replace(
            version,
            sent_at=bodies.get(current.path, {}).get("sentAt"),
            last_claim=bodies.get(last.path, {}).get("claim"),
        )

    def _find_same_request(self, intents: Iterable[StartIntent]) -> list[Entry]:
        """Return the deciding entries of the same requests under other resources."""
        # Entries under another name are older than this operation, so the first list of the
        # project has them.
        found: list[Entry] = []
        for request_key, same in _grouped(intents, lambda intent: intent.request_key).items():
            if not request_key:
                continue
            own = {folder_of_resource(intent.resource_key) for intent in same}
            for project in {folder.partition("/")[0] for folder, _ in own}:
                snapshot = self._snapshot(project)
                self._index_requests(project, snapshot)
                with self._lock:
                    entries = [*self._same_request[project, short_hash(request_key)]]
                other = [e for e in entries if (e.folder, e.resource) not in own]
                self._apply_marks(_Listing(other, snapshot.marks_of(other)))
                starts = _Listing(other).by_start().values()
                found += [entry for each in starts if (entry := self._current(each))]
        return found

    def _index_requests(self, project: str, snapshot: _Listing) -> None:
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
            bodies = self._read_bodies(sent)
            with self._lock:
                for entry in sent:
                    if body := bodies.get(entry.path):
                        self._same_request[project, short_hash(body["requestKey"])].add(entry)
            self._indexed.add(project)

    # -- the store ----------------------------------------------------------------------------

    def _probe(self) -> None:
        """
        Test the store once: whether it is writable, and creates an object only once.

        Raises:
            JournalError: when the store is not usable. A store that denies writes is a warning.

        """
        # journal-facts 3: a store may ignore the condition, so its documentation is not enough.
        with self._probe_lock:
            if self._is_probed:
                return
            path = f"probe/{uuid4().hex}"
            before = self._clock.now()
            try:
                excludes = self._objects.create_first(path)
            except AccessDeniedError as error:
                self._warnings.append(
                    f"the journal {self.location} is read-only for these credentials: {error.why}. "
                    "A preview works. An update starts no run until they may write."
                )
            else:
                if not excludes:
                    self._warnings.append(
                        f"the object store of the journal {self.location} ignores conditional "
                        "requests, so only the lock of the stack excludes a second update. "
                        "Do not run `pulumi cancel` while an update may still run."
                    )
                after = self._clock.now()
                with suppress(JournalError):  # then this machine's clock has to do
                    self._set_clock(self._objects.modified_at(path), before, after)
                self._calls.submit(self._objects.delete, [path])
            self._is_probed = True

    def _set_clock(self, time: datetime, before: datetime, after: datetime) -> None:
        """Use the store's clock if it does not fit this machine's: the time is between two."""
        if not before - CLOCK_TOLERANCE <= time <= after + CLOCK_TOLERANCE:
            self._offset = time - before

    def _create(self, entry: Entry, body: dict[str, Any]) -> dict[str, Any]:
        """Create an entry, and return its body: `body` itself if it did not exist."""
        stored: dict[str, Any] = self._objects.create(entry.path, body)
        with self._lock:
            if stored is body:
                self._bodies[entry.path] = body
            self._index(entry)
            self._same_request[_project_of(entry), short_hash(stored["requestKey"])].add(entry)
        return stored

    def _delete(self, entries: Sequence[Entry]) -> None:
        self._objects.delete([entry.path for entry in entries])
        with self._lock:
            for entry in entries:
                body = self._bodies.pop(entry.path, None)
                if body:
                    request = short_hash(body["requestKey"])
                    self._same_request[_project_of(entry), request].discard(entry)

    def _snapshot(self, project: str) -> _Listing:
        """Return the names of a project at its first lookup; of the backend if it is empty."""
        with self._snapshot_lock:
            if project not in self._snapshots:
                listing = self._snapshots[project] = self._list([project])
                self._has_release_failed = False
                since = self.now() - RELEASED_RETENTION
                for folder in {
                    _stack_of_mark(path)
                    for path in listing.marks
                    if _is_release_before(path, since)
                }:
                    self._calls.submit(self._prune, folder)
            return self._snapshots[project]

    def _folders(self, resources: Iterable[tuple[str, str]], *, marks: bool = True) -> list[str]:
        """Return the folders to list for resources, with the marks of their stacks."""
        folders = []
        for folder, found in _grouped(resources, lambda resource: resource[0]).items():
            if len(found) > MAX_FOLDERS:
                folders.append(folder)
                continue
            folders += [f"{folder}/{resource}" for _, resource in found]
            if marks:
                folders.append(f"{folder}/{MARKS}")
        return folders

    def _list_resources(self, resources: Iterable[tuple[str, str]]) -> _Listing:
        listing = self._list(self._folders(resources))
        self._apply_marks(listing)
        return listing

    def _list_start(self, entry: Entry) -> list[Entry]:
        listing = self._list([f"{entry.folder}/{entry.resource}"], parallel=False)
        return [each for each in listing.entries if each.start == entry.start]

    def _list(self, folders: Collection[str], *, parallel: bool = True) -> _Listing:
        call = self._parallel if parallel else map
        paths = [*chain.from_iterable(call(self._objects.list, folders))]
        listing = _Listing()
        for path in paths:
            if entry := parse_entry(path):
                listing.entries.append(entry)
            elif f"/{MARKS}/" in path and parse_mark(path):
                listing.marks.append(path)
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

    def _apply_marks(
        self, listing: _Listing, *, always: bool = False, parallel: bool = True
    ) -> None:
        """Read the new marks of a list; only if there are entries that they may concern."""
        if not listing.entries and not always:
            return
        with self._lock:
            new = {*listing.marks} - self._read_marks
        unread = [path for path in new if _kind(path) is not MarkKind.MET]
        bodies = (self._parallel if parallel else map)(self._objects.read, unread)
        for path, names in zip(unread, bodies, strict=True):
            folder, kind, at = parse_mark(path) or ("", MarkKind.MET, self.now())
            marked = [f"{folder}/{name}" for name in names or ()]
            with self._lock:
                self._read_marks.add(path)
                if kind is MarkKind.RELEASED:
                    self._released_at |= dict.fromkeys(marked, at)
                else:
                    self._discarded.update(marked)

    def _read_bodies(
        self, entries: Iterable[Entry], *, parallel: bool = True
    ) -> dict[str, dict[str, Any]]:
        """Return path -> body of entries that exist."""
        paths = {entry.path for entry in entries}
        with self._lock:
            bodies = {path: self._bodies[path] for path in paths if path in self._bodies}
        missing = [*(paths - bodies.keys())]
        call = self._parallel if parallel else map
        found = zip(missing, call(self._objects.read, missing), strict=True)
        return {**bodies, **{path: body for path, body in found if body is not None}}

    def _parallel(self, call: Callable[[K], T], items: Collection[K]) -> list[T]:
        """Return the results of calls. Do not use it in `_calls`: its threads may all wait."""
        if len(items) <= 1:
            return [call(item) for item in items]
        return [*self._calls.map(call, items)]


def _number(entry: Entry) -> int:
    return entry.number


def _entry_of(intent: StartIntent, number: int, run_id: str = "") -> Entry:
    folder, resource = folder_of_resource(intent.resource_key)
    request = short_hash(intent.request_key) if run_id else ""
    return Entry(folder, resource, short_hash(intent.record_key), number, run_id, request)


def _start_of(intent: StartIntent) -> tuple[str, str]:
    """Return folder and start of an intent."""
    return folder_of_resource(intent.resource_key)[0], short_hash(intent.record_key)


def _body_of(intent: StartIntent, sent_at: str) -> dict[str, Any]:
    return {
        "recordKey": intent.record_key,
        "requestKey": intent.request_key,
        "resourceKey": intent.resource_key,
        "sentAt": sent_at,
    }


def _project_of(entry: Entry) -> str:
    return entry.folder.partition("/")[0]


def _kind(path: str) -> MarkKind | None:
    mark = parse_mark(path)
    return mark[1] if mark else None


def _stack_of_mark(path: str) -> str:
    return path.partition(f"/{MARKS}/")[0]


def _is_release_before(path: str, time: datetime) -> bool:
    mark = parse_mark(path)
    return mark is not None and mark[1] is MarkKind.RELEASED and mark[2] < time


def _grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    groups: defaultdict[K, list[T]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return groups
