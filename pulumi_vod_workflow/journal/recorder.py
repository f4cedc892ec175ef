"""The recorder of one start: before each send, and after the answer."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, TypeVar

from pulumi_vod_workflow.core.recovery import StartIntent, StartRecord
from pulumi_vod_workflow.errors import JournalError
from pulumi_vod_workflow.journal.store import ClaimLostError, Journal, RecordVersion

T = TypeVar("T")

# Longer than the longest wait of a store: `sqlite.BUSY_TIMEOUT`, and the write itself.
ACCEPTED_TIMEOUT: Final = 35.0
"""The longest wait for the record of an accepted run, in seconds."""


@dataclass(frozen=True, slots=True)
class StartRecorder:
    """A recorder of one start in the journal."""

    journal: Journal
    intent: StartIntent
    owner: str
    """The operation that sends the start."""
    # Between this decision and the claim, another update may have sent the start.
    expected_version: RecordVersion = field(default_factory=RecordVersion)
    """The start's record at the decision to send it."""
    resent: bool = False
    """Whether an earlier operation has sent the start without an answer; a run may exist."""
    resend_within: float = math.inf
    """The time after the first send in which the client may send it again, in seconds."""

    async def claim(self) -> datetime:
        """
        Record an attempt before it is sent.

        Returns:
            The time of the first send.

        Raises:
            JournalError: when the journal is not writable.
            ClaimLostError: when another operation has sent the start.

        """
        claim = await _wait_for_write(
            self.journal.claim(self.intent, self.owner, self.expected_version)
        )
        if not claim.won:
            raise ClaimLostError(claim.record)
        return claim.record.sent_at

    def current_record(self) -> StartRecord | None:
        """
        Return the start's current record, without a claim; blocks.

        Raises:
            JournalError: when the journal is not readable.

        """
        return self.journal.lookup([self.intent]).records.get(self.intent.record_key)

    def to_resend(self) -> StartRecorder:
        """
        Return the recorder that sends the start again after its current record; blocks.

        Raises:
            JournalError: when the journal is not writable.

        """
        found = self.journal.lookup([self.intent], create=True)
        version = found.versions[self.intent.record_key]
        return replace(self, expected_version=version, resent=True)

    def to_send_own(self) -> StartRecorder:
        """
        Return the recorder that sends the start although it is recorded as pending; blocks.

        Raises:
            JournalError: when the journal is not writable.

        """
        found = replace(self.to_resend(), resent=False)
        # With an owner, another update has claimed it since, and the next claim has to be lost.
        return found if found.expected_version.owner is None else self

    def is_past_resend_deadline(self, first_sent: datetime) -> bool:
        """Return whether a retry comes more than `resend_within` seconds after the first send."""
        # A negative age means that the clock was set back, so the true age is unknown.
        age = self.journal.now() - first_sent
        return not 0 <= age.total_seconds() <= self.resend_within

    def record_rejected(self) -> Future[None]:
        """Record that the service has rejected the start."""
        # If this write is lost, the next preview offers the choices of an unknown outcome.
        return self.journal.record_rejected(self.intent, self.owner)

    async def record_accepted(self, run: Mapping[str, Any]) -> None:
        """
        Record the run of an accepted start.

        Raises:
            JournalError: when the journal is not writable, or has not written in time.

        """
        try:
            async with asyncio.timeout(ACCEPTED_TIMEOUT):
                await _wait_for_write(self.journal.record_accepted(self.intent, run))
        except TimeoutError:
            raise JournalError(
                self.journal.location, f"no answer within {ACCEPTED_TIMEOUT:.0f} s"
            ) from None


async def _wait_for_write(written: Future[T]) -> T:
    """Return the result of a write; a cancellation of this wait does not cancel the write."""
    try:
        return await asyncio.shield(asyncio.wrap_future(written))
    except JournalError as error:
        # Several waiters share the exception object, and each adds its own traceback.
        raise JournalError(error.path, error.why, error.remedy) from None
