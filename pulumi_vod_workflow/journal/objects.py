"""
The journal in an object store, beside the state of an `s3://`, `gs://` or `azblob://` backend.

The provider creates objects and never overwrites them, so a store needs nothing but a conditional
create. A claim creates the number after the last claim that its operation has seen. Of two
operations with the same view, one creates it, and the other loses the claim.

The store has project, stack and resource names, RunIds and times. It has no inputs, tokens or keys.
"""

# journal-facts 5. `object_names` has the layout, `object_entries` the records. A start costs two
# requests: one before it is sent, one after its answer.
#
# A limit: a store deletes by name only, and obstore repeats a DELETE without an answer. If the
# store has executed the first one, and another update claims the start before the second one, then
# that claim is deleted. The answer to it is still recorded, but after a crash it has no record.

from __future__ import annotations

import hashlib
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from typing import Any, Final
from uuid import uuid4

from typing_extensions import override

from pulumi_vod_workflow.config.clock import Clock, SystemClock
from pulumi_vod_workflow.core.recovery import OwnerState, StartIntent, StartRecord
from pulumi_vod_workflow.errors import JournalError
from pulumi_vod_workflow.journal.object_entries import (
    EntryVersion,
    Listing,
    ObjectEntries,
    body_of,
    entry_of,
    number_of,
    start_of,
)
from pulumi_vod_workflow.journal.object_names import (
    MARKS,
    Entry,
    MarkKind,
    folder_of_resource,
    has_met_last,
    new_mark,
    quoted,
    stack_folder,
)
from pulumi_vod_workflow.journal.object_store import (
    AccessDeniedError,
    NameRefusedError,
    ObjectFolder,
)
from pulumi_vod_workflow.journal.owners import UnknownProcesses
from pulumi_vod_workflow.journal.store import (
    RUN_FIELDS,
    ClaimResult,
    Journal,
    JournalLookup,
    PendingStart,
    RecordVersion,
    imported_process,
    intent_of,
    stack_of,
)
from pulumi_vod_workflow.journal.store_clock import StoreClock

# As many as the client's starts in flight (`core.rate.MAX_IN_FLIGHT`), so that no start
# waits for the record of another one.
MAX_CALLS: Final = 128
"""The number of requests at the same time."""

MAX_LOOKUPS: Final = 5
"""The attempts of a lookup whose entries disappear, because their starts were rejected."""

MAX_SKIPPED_NUMBERS: Final = 20
"""The names that one claim tries in a store that does not give those of deleted claims free."""


@dataclass(slots=True)
class _Claims:
    """The claims of one operation for one start."""

    seen: EntryVersion
    numbers: list[int] = field(default_factory=list)
    """The numbers of the operation's claims that were not rejected."""
    first_sent: datetime | None = None
    """The time of the first send without an answer."""
    was_rejected: bool = False
    skipped: int = 0
    """The count of the numbers after `seen` that the store refuses, although no claim has them."""
    rejection: Future[None] | None = None

    @property
    def last(self) -> int:
        """The number of the last claim."""
        return self.numbers[-1] if self.numbers else self.seen.claims + self.skipped

    @property
    def has_rival(self) -> bool:
        """Whether another operation may have a claim that the next number does not show."""
        return bool(self.numbers or self.was_rejected or self.seen.sent_at)


class ObjectJournal(Journal):
    """
    A journal in an object store; usable from any thread.

    A lookup costs one list request for each of a few resources, or for 1,000 names of the stack.
    The first one also lists the project. `list_stack` reads each entry. A claim is one request.

    Args:
        url: the URL of the state backend, or of `vod:journal`.
        backend: the identity of the state backend whose starts the journal records.
        clock: this machine's clock. If it differs from the store's, the store's dates the records.

    """

    def __init__(self, url: str, backend: str = "", clock: Clock | None = None) -> None:
        identity = hashlib.sha256(backend.encode()).hexdigest()[:16]
        self._objects = ObjectFolder(url, identity)
        self._owners = UnknownProcesses()
        self._clock = StoreClock(clock or SystemClock())
        self._calls = ThreadPoolExecutor(MAX_CALLS, "vod-journal")
        self._entries = ObjectEntries(self._objects, self._clock, self._owners, self._calls)
        self._writer = ThreadPoolExecutor(1, "vod-journal-marks")
        """Writes marks and deletions of other starts, in order."""
        self._probe_lock = threading.Lock()
        self._is_probed = False
        self._lock = threading.Lock()
        """The lock of the attributes below, free during each request."""
        self._warnings: list[str] = []
        self._claims: dict[tuple[str, str], _Claims] = {}
        """Record key and owner -> the claims of an operation of this process."""
        self._numbers: dict[str, int] = {}
        """Record key -> the number of this process's last claim."""
        self._unreleased: list[Entry] = []
        """Entries whose release is scheduled."""

    @property
    @override
    def location(self) -> str:
        return self._objects.location

    @property
    @override
    def warnings(self) -> Sequence[str]:
        return tuple(self._warnings)

    @override
    def now(self) -> datetime:
        return self._clock.now()

    # -- reading ------------------------------------------------------------------------------

    @override
    def lookup(self, intents: Iterable[StartIntent], *, create: bool = False) -> JournalLookup:
        wanted = [*intents]
        if create:
            # Scheduled releases of runs that a state has must precede the read of the versions.
            self._writer.submit(lambda: None).result()
            self._probe()
        if not wanted:
            return JournalLookup({}, {})
        if create:
            # Before the first start: a release must not wait for this list.
            for project in {stack_of(intent.resource_key)[0] for intent in wanted}:
                self._entries.snapshot(quoted(project))
        for _ in range(MAX_LOOKUPS):
            found = self._entries.look(wanted, with_versions=create)
            if found:
                return found
        raise JournalError(
            self.location,
            "the store lists entries that it does not return",
            "run the same command again",
        )

    @override
    def list_stack(self, project: str, stack: str) -> list[StartRecord]:
        return self._entries.list_stack(stack_folder(project, stack))

    @override
    def has_met(self, project: str, stack: str) -> bool:
        folder = stack_folder(project, stack)
        self._entries.snapshot(quoted(project))
        listing = self._entries.list_names([f"{folder}/{MARKS}"])
        return has_met_last(listing.marks)

    @override
    def forget_met(self, project: str, stack: str) -> None:
        # The former mark stays with its keys, and this one withdraws it.
        self._probe()
        mark = new_mark(stack_folder(project, stack), MarkKind.LEFT, self.now())
        self._objects.create(mark.path, [])

    # -- one start ----------------------------------------------------------------------------

    @override
    def claim(
        self, intent: StartIntent, owner: str, expected: RecordVersion | None = None
    ) -> Future[ClaimResult]:
        return self._calls.submit(self._claim, intent, owner, expected)

    @override
    def record_rejected(self, intent: StartIntent, owner: str) -> Future[None]:
        rejection = self._calls.submit(self._reject, intent, owner)
        with self._lock:
            if claims := self._claims.get((intent.record_key, owner)):
                claims.rejection = rejection
        return rejection

    @override
    def record_accepted(self, intent: StartIntent, run: Mapping[str, Any]) -> Future[None]:
        number = self._numbers.get(intent.record_key)
        if number is not None:
            # At once: a release may follow before the store has answered.
            self._entries.add_run(entry_of(intent, number, run["runId"]))
        return self._calls.submit(self._accept, intent, run, number)

    @override
    def discard_undecided(self, *resources: str) -> None:
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
            **body_of(intent, sent_at.isoformat()),
            "owner": owner,
            "process": self._owners.own_id(),
            "claim": uuid4().hex,
        }
        entry, stored = self._create_next(intent, claims, body)
        if stored.get("owner") != owner:
            return self._lost(intent, claims)
        if claims.has_rival and self._is_overtaken(entry, claims):
            self._entries.delete([entry])
            return self._lost(intent, claims)
        with self._lock:
            claims.numbers.append(entry.number)
            claims.first_sent = datetime.fromisoformat(stored["sentAt"])
            self._numbers[intent.record_key] = entry.number
        # `stored` is another one if the answer to an earlier request was lost.
        return ClaimResult(won=True, record=self._entries.record(entry, stored))

    def _create_next(
        self, intent: StartIntent, claims: _Claims, body: dict[str, Any]
    ) -> tuple[Entry, dict[str, Any]]:
        """Create the next claim, and return it with its body."""
        last_skipped = claims.skipped + MAX_SKIPPED_NUMBERS
        while True:
            entry = entry_of(intent, claims.last + 1)
            try:
                return entry, self._entries.create(entry, body)
            except NameRefusedError:
                # A versioned bucket of some stores never gives the name of a deleted claim free.
                if claims.skipped == last_skipped:
                    raise
                claims.skipped, claims.was_rejected = claims.skipped + 1, True

    def _claims_of(
        self, intent: StartIntent, owner: str, expected: RecordVersion | None
    ) -> _Claims:
        seen = expected if isinstance(expected, EntryVersion) else EntryVersion()
        with self._lock:
            claims = self._claims.get((intent.record_key, owner))
            # After another lookup, the operation continues with the newer version.
            if claims is None or (seen != claims.seen and seen.claims >= claims.last):
                sent = datetime.fromisoformat(seen.sent_at) if seen.sent_at else None
                claims = _Claims(seen, first_sent=sent)
                self._claims[intent.record_key, owner] = claims
            return claims

    def _is_overtaken(self, claimed: Entry, claims: _Claims) -> bool:
        """Return whether another operation has claimed or answered the start in the meantime."""
        # Both operations create their claim first and read the other's afterwards, so at least one
        # of them sees the other.
        entries = self._entries.list_start(claimed)
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
        entries = self._entries.list_start(entry_of(intent, 1))
        runs = [entry for entry in entries if entry.run_id]
        new = [entry for entry in runs if entry.name not in claims.seen.runs]
        answered = max(map(number_of, runs), default=0)
        gone = self._entries.is_gone
        sent = [e for e in entries if not (e.run_id or gone(e)) and e.number > answered]
        if new or not sent:
            deciding = max(new or runs, key=number_of, default=None)
        else:
            deciding = min(sent, key=number_of)
        body = self._objects.read(deciding.path) if deciding else None
        if deciding is None or body is None:
            # Rejected in the meantime. The next lookup of the waiting operation finds no record.
            in_flight = StartRecord(self.now(), owner_state=OwnerState.UNKNOWN)
            return ClaimResult(won=False, record=in_flight)
        record = self._entries.record(deciding, body)
        if record.owner_state is OwnerState.PENDING and len(sent) > 1:
            # Another update has claimed the pending start, so it is in flight.
            record = replace(record, owner_state=OwnerState.UNKNOWN)
        return ClaimResult(won=False, record=record)

    def _reject(self, intent: StartIntent, owner: str) -> None:
        with self._lock:
            claims = self._claims.get((intent.record_key, owner))
        if claims and not claims.seen.claims:
            self._entries.delete([entry_of(intent, number) for number in claims.numbers])
        else:
            entries = self._entries.list_start(entry_of(intent, 1))
            sent = [entry for entry in entries if not entry.run_id]
            bodies = self._entries.read_bodies(sent, parallel=False)
            own = [e for e in sent if bodies.get(e.path, {}).get("owner") == owner]
            # The rejection of the last claim decides about the earlier ones, too.
            is_last = own and max(map(number_of, own)) == max(map(number_of, sent))
            self._entries.delete(self._entries.unmarked(sent if is_last else own))
        if claims:
            claims.numbers, claims.first_sent, claims.was_rejected = [], None, True

    def _accept(self, intent: StartIntent, run: Mapping[str, Any], number: int | None) -> None:
        if number is None:  # the claim is gone: the user has discarded it
            entries = self._entries.list_start(entry_of(intent, 1))
            number = max((each.number for each in entries), default=1)
            number += any(map(self._entries.is_gone, entries))
        entry = entry_of(intent, number, run["runId"])
        self._entries.add_run(entry)
        sent = self._entries.own_body(entry_of(intent, number))
        others = self._entries.has_other_starts(entry)
        at = sent["sentAt"] if sent else self.now().isoformat()
        fields = {name: run.get(name) for name in RUN_FIELDS}
        self._entries.create(entry, {**body_of(intent, at), **fields})
        if others:
            listing = self._entries.list_names([f"{entry.folder}/{entry.resource}"])
            self._delete_undecided(listing, besides=entry.start)

    def _discard_undecided(self, resources: Collection[str]) -> None:
        with suppress(JournalError):
            known = {folder_of_resource(key) for key in resources}
            listing = self._entries.list_resources(known)
            listing.entries = [e for e in listing.entries if (e.folder, e.resource) in known]
            self._delete_undecided(listing)

    def _delete_undecided(self, listing: Listing, besides: str = "") -> None:
        """Delete claims without an answer, besides those of one start."""
        undecided = [
            entry
            for (_, start), entries in listing.by_start().items()
            if start != besides and not any(entry.run_id for entry in entries)
            for entry in entries
        ]
        self._entries.delete(self._entries.unmarked(undecided))

    # -- many starts --------------------------------------------------------------------------

    @override
    def delete(self, records: Iterable[StartRecord]) -> None:
        wanted = [*records]
        listing = self._entries.list_resources({folder_of_resource(r.resource_key) for r in wanted})
        starts = listing.by_start()
        current = {}
        for record in wanted:
            start = start_of(record)
            if entry := self._entries.current(starts.get(start, [])):
                current[entry] = record, starts[start]
        bodies = self._entries.read_bodies(current)
        # A mark names the exact entries, so it does not cover a claim that comes after this read.
        discarded = [
            each
            for entry, (record, entries) in current.items()
            if [record] == self._entries.records([entry], bodies)
            for each in entries
            if not self._entries.is_gone(each)
        ]
        self._entries.discard(discarded)

    @override
    def release(self, run_ids: Iterable[str]) -> Future[None] | None:
        entries = self._entries.take_unreleased(run_ids)
        if not entries:
            return None
        with self._lock:
            self._unreleased += entries
        return self._writer.submit(self._write_releases)

    @override
    def import_records(self, records: Iterable[StartRecord]) -> int:
        wanted = [*records]
        self._probe()
        folders = {folder_of_resource(record.resource_key)[0] for record in wanted}
        return self._add_new(wanted, self._entries.list_names(folders))

    @override
    def import_pending(self, project: str, stack: str, starts: Iterable[PendingStart]) -> int:
        folder = stack_folder(project, stack)
        pending = [(start, start.record()) for start in starts]
        self._probe()
        listing = self._entries.list_names([folder])
        met = [mark.path for mark in listing.marks if mark.kind is MarkKind.MET]
        imported = {*chain.from_iterable(self._entries.parallel(self._objects.read, met))}
        # The engine keeps a pending operation until a user clears it (journal-facts 6), so each is
        # imported once.
        new = [(start, record) for start, record in pending if record.record_key not in imported]
        added = self._add_new((record for start, record in new if not start.is_unsent), listing)
        if new or not has_met_last(listing.marks):
            keys = sorted(record.record_key for _, record in new)
            self._objects.create(new_mark(folder, MarkKind.MET, self.now()).path, keys)
        return added

    def _add_new(self, records: Iterable[StartRecord], listing: Listing) -> int:
        """Create the entries of records whose starts have none."""
        self._entries.apply_marks(listing, always=True)
        known = {(entry.folder, entry.start) for entry in listing.entries}
        known |= self._entries.discarded_starts()
        new = {start: record for record in records if (start := start_of(record)) not in known}
        self._entries.parallel(self._add, [*new.values()])
        return len(new)

    def _add(self, record: StartRecord) -> None:
        intent, run = intent_of(record), record.run
        body = {
            **body_of(intent, record.sent_at.isoformat()),
            "process": imported_process(record),
            **({name: run.get(name) for name in RUN_FIELDS} if run else {"claim": uuid4().hex}),
        }
        self._entries.create(entry_of(intent, 1, run["runId"] if run else ""), body)

    def _write_releases(self) -> None:
        """Write the releases of all calls since the last write: one request for a stack."""
        with self._lock:
            entries, self._unreleased = self._unreleased, []
        self._entries.release(entries)

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
            before = self._clock.machine_time()
            try:
                excludes = self._objects.create_first(path)
            except AccessDeniedError as error:
                self._warnings.append(
                    f"the journal {self.location} is read-only for these credentials: {error.why}. "
                    "A preview works. An update starts no run until they may write.\n"
                    "hint: allow the credentials of `pulumi up` to put and delete objects"
                )
            else:
                if not excludes:
                    self._warnings.append(
                        f"the object store of the journal {self.location} ignores conditional "
                        "requests, so only the lock of the stack excludes a second update. "
                        "Do not run `pulumi cancel` while an update may still run."
                    )
                after = self._clock.machine_time()
                with suppress(JournalError):  # otherwise, this machine's clock dates the records
                    self._clock.set_time(self._objects.modified_at(path), before, after)
                self._calls.submit(self._objects.delete, [path])
            self._is_probed = True
