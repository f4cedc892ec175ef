"""The interface of every store of start records: a file, an object store, a database."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from pulumi_vod_workflow.core.recovery import OwnerState, StartIntent, StartRecord

RUN_FIELDS: Final = ("runId", "requestId", "submittedAt")
"""The fields of a run that a record has."""

IMPORTED: Final = "imported"
"""The process of a start that another journal had: nothing shows whether it is alive."""

PENDING_PROCESS: Final = "pending"
"""The process in the record of an unfinished operation of the state."""


def imported_process(record: StartRecord) -> str | None:
    """Return the process of a start that another journal or a state had; `None` if it has ended."""
    without = {OwnerState.ENDED: None, OwnerState.PENDING: PENDING_PROCESS}
    return without.get(record.owner_state, IMPORTED)


# Longer than any update. A slower concurrent update still finds the released run.
RELEASED_RETENTION: Final = timedelta(days=2)
"""The time for which a released run is kept."""


@dataclass(frozen=True, slots=True)
class RecordVersion:
    """The record of one start at one time. A claim compares it with the current record."""

    sent_at: str | None = None
    """The time of the first send; `None` without a record."""
    run_id: str | None = None
    owner: str | None = None
    """The operation with the last claim."""
    released_at: str | None = None
    """The time at which a state had a run of this start."""

    def without_claim(self) -> RecordVersion:
        """Return the version before the claims without an answer: their rejection restores it."""
        return RecordVersion(released_at=self.released_at)


@dataclass(frozen=True, slots=True)
class JournalLookup:
    """The records of several starts at one time."""

    records: Mapping[str, StartRecord]
    """
    `record_key` -> the record of a start that no known state has.

    A start without a record has the pending one of its resource that a secret hides, if any.
    """
    superseded: Mapping[str, StartRecord]
    """`resource_key` -> the latest other start of the resource."""
    versions: Mapping[str, RecordVersion] = field(default_factory=dict)
    """`record_key` -> the version of each requested start; empty for a read-only lookup."""
    same_request: Mapping[str, Collection[StartRecord]] = field(default_factory=dict)
    """
    `request_key` -> records of the same request under other resources of the project.

    A renamed stack or resource leaves them. They belong to the same backend.
    """


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """The outcome of one claim."""

    won: bool
    """Whether the operation may send the start."""
    record: StartRecord
    """The current record: the operation's own one after a won claim."""


class ClaimLostError(Exception):
    """An error of a lost claim: another operation has sent the start. This one sent nothing."""

    def __init__(self, record: StartRecord) -> None:
        self.record = record
        super().__init__("another operation has sent this start")


@dataclass(frozen=True, slots=True)
class PendingStart:
    """A start of a pending operation of the state, which may have been sent."""

    record_key: str
    """`StartIntent.record_key`; empty if a secret hides the start."""
    request_key: str
    """`StartIntent.request_key`; empty if a secret hides the start."""
    resource_key: str
    sent_at: datetime
    """The time of the state, the earliest time at which the start may have been sent."""
    creates: int = 1
    """
    The number of pending creates with this start; 0 of an update only.

    The engine keeps each (journal-facts 6), so a larger number shows a later create. An `updating`
    operation goes with the next write of the state.
    """
    is_unsent: bool = False
    """Whether the journal has each start that the operation has sent, and this one is not there."""

    def record(self) -> StartRecord:
        """Return the record of the start as sent without an answer."""
        return StartRecord(
            self.sent_at,
            None,
            self.record_key or hidden_key(self.resource_key),
            self.resource_key,
            self.request_key,
            OwnerState.PENDING,
        )


class Journal(Protocol):
    """
    The start records of one backend. Its methods are callable from any thread.

    An unanswered record has the state of its owner's process (`journal.owners`). A store that many
    machines share knows its own process only.

    A method that returns a `Future` schedules a write; the future has its error. All other methods
    block. A `JournalError` names the journal and the remedy.
    """

    @property
    def location(self) -> str:
        """The path or URL for messages, without credentials."""

    @property
    def warnings(self) -> Sequence[str]:
        """The limits of the store for the user, found by the first lookup with `create`."""

    def now(self) -> datetime:
        """
        Return the current time by the clock that dates the records.

        Raises:
            JournalError: when the store's clock is not readable.

        """

    def lookup(self, intents: Iterable[StartIntent], *, create: bool = False) -> JournalLookup:
        """
        Return the records of starts, and the latest other start of each of their resources.

        Args:
            intents: the starts.
            create: whether to create the store, and to return the versions that claims need. A
                preview then already fails if the store is not usable. A store that only denies
                writes may leave the failure to the first claim, and warns.

        Raises:
            JournalError: when the store is not readable, or with `create` not writable.

        """

    def list_stack(self, project: str, stack: str) -> list[StartRecord]:
        """
        Return the record of each start of a stack; the latest last.

        Raises:
            JournalError: when the store is not readable.

        """

    # journal-facts 0: two updates at the same time paid 332 of 300 starts without claims.
    def claim(
        self, intent: StartIntent, owner: str, expected: RecordVersion | None = None
    ) -> Future[ClaimResult]:
        """
        Claim a start: record that an operation is about to send it.

        The claim is lost if another operation has changed the record, or if the start was sent by
        another process that is known to be alive. Only the owner of the last claim may send. An
        owner may claim its own start again, for each attempt.

        Args:
            intent: the start.
            owner: the operation.
            expected: the record at the decision to send the start; by default none.

        """

    def record_rejected(self, intent: StartIntent, owner: str) -> Future[None]:
        """Record a rejected start; no effect if another operation has claimed it."""

    def record_accepted(self, intent: StartIntent, run: Mapping[str, Any]) -> Future[None]:
        """Record a start's run, and remove the resource's other starts without an answer."""

    # The user has chosen the run, so the choices of an unknown outcome are no longer due.
    def discard_undecided(self, *resources: str) -> None:
        """Remove the resources' starts without an answer, after an adoption; never raises."""

    def delete(self, records: Iterable[StartRecord]) -> None:
        """
        Remove records of a stack that the user discards: all of them, or none.

        A record that has changed since its read stays. `import_pending` does not add a deleted
        start again.

        Raises:
            JournalError: when the store is not writable.

        """

    def release(self, run_ids: Iterable[str]) -> Future[None] | None:
        """
        Remove the records of runs that a state has; never raises.

        Returns:
            The scheduled write, or `None` without a record.

        """

    def import_records(self, records: Iterable[StartRecord]) -> int:
        """
        Record the starts of another journal as they are there.

        A start that the journal has, has released, or has deleted stays as it is. So a repetition
        adds what an error has prevented, and has no other effect. The journal knows of an
        imported start only whether its owner has ended.

        Returns:
            The number of added records.

        Raises:
            JournalError: when the store is not writable.

        """

    def has_met(self, project: str, stack: str) -> bool:
        """
        Return whether the journal has recorded the pending operations of a stack.

        Raises:
            JournalError: when the store is not readable.

        """

    def forget_met(self, project: str, stack: str) -> None:
        """
        Remove the mark of `has_met`, because updates of the stack use another journal now.

        Raises:
            JournalError: when the store is not writable.

        """

    def import_pending(self, project: str, stack: str, starts: Iterable[PendingStart]) -> int:
        """
        Record starts of pending operations as sent without an answer, and the stack as met.

        A start that the journal has, has released, has deleted, or has imported before stays as it
        is. The journal does not record a start that is unsent, but counts it as imported: a later
        write of the state would hide that its operation is that of the journal.

        Returns:
            The number of added records.

        Raises:
            JournalError: when the store is not writable.

        """


def hidden_key(resource_key: str) -> str:
    """Return the record key of a resource's pending start that a secret hides."""
    return f"hidden:{resource_key}"


def journal_lookup(
    intents: Collection[StartIntent],
    records: Iterable[StartRecord],
    versions: Mapping[str, RecordVersion] | None = None,
) -> JournalLookup:
    """
    Return the lookup of starts: the part that all stores share.

    Args:
        intents: the starts.
        records: the records of these starts, of their resources, and of their requests; the latest
            last.
        versions: `record_key` -> the version of the record.

    """
    by_request: dict[str, list[StartIntent]] = defaultdict(list)
    for intent in intents:
        by_request[intent.request_key].append(intent)
    keys = {intent.record_key for intent in intents}
    resources = {intent.resource_key for intent in intents}
    known: dict[str, StartRecord] = {}
    others: dict[str, StartRecord] = {}
    same_request: dict[str, list[StartRecord]] = defaultdict(list)
    for record in records:
        if record.record_key in keys:
            known[record.record_key] = record
            continue
        if record.resource_key in resources:
            others[record.resource_key] = record
        if record.request_key and any(
            intent.resource_key != record.resource_key
            and stack_of(intent.resource_key)[0] == stack_of(record.resource_key)[0]
            for intent in by_request.get(record.request_key, ())
        ):
            same_request[record.request_key].append(record)
    for intent in intents:
        other = others.get(intent.resource_key)
        # The hidden start may be this one.
        if intent.record_key and other and other.record_key == hidden_key(intent.resource_key):
            known.setdefault(intent.record_key, other)
    return JournalLookup(known, others, versions or {}, dict(same_request))


def stack_of(resource_key: str) -> tuple[str, str]:
    """Return the project and the stack of a resource key; empty if it has none."""
    try:
        scope = json.loads(resource_key)
        return scope.get("project", ""), scope.get("stack", "")
    except (ValueError, AttributeError):
        return "", ""


def lookup_keys(intents: Collection[StartIntent]) -> dict[str, list[str]]:
    """Return the keys by which a lookup of starts finds their records, as SQL parameters."""
    return {
        "keys": sorted({intent.record_key for intent in intents}),
        "resources": sorted({intent.resource_key for intent in intents}),
        "requests": sorted({intent.request_key for intent in intents} - {""}),
    }


def intent_of(record: StartRecord) -> StartIntent:
    """Return the start of a record, without the inputs and the token: a journal has none."""
    return StartIntent({}, "", record.resource_key, record.record_key, record.request_key)
