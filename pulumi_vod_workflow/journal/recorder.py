"""Records one start: before it is sent, and after its answer."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pulumi_vod_workflow.core.recovery import StartIntent, StartRecord
from pulumi_vod_workflow.errors import JournalError
from pulumi_vod_workflow.journal.sqlite import BUSY_TIMEOUT, Journal, T
from pulumi_vod_workflow.journal.store import ClaimLostError, RecordVersion


@dataclass(frozen=True, slots=True)
class StartRecorder:
    """What the client records about a start that it is about to send."""

    journal: Journal
    intent: StartIntent
    owner: str
    """The operation that sends it."""
    seen_version: RecordVersion = field(default_factory=RecordVersion)
    """The start's record when the operation has decided to send it."""
    resent: bool = False
    """An earlier operation has sent it, and no answer came: whatever comes now, it may be a run."""
    resend_within: float = math.inf
    """Seconds after the first send ever in which it may be sent again."""

    async def claim(self) -> datetime:
        """
        Record that it is sent, before each attempt.

        Returns:
            When it was first sent.

        Raises:
            JournalError: when that cannot be written.
            ClaimLostError: when another operation has sent it since this one has looked.

        """
        claim = await _written(self.journal.claim(self.intent, self.owner, self.seen_version))
        if not claim.won:
            raise ClaimLostError(claim.record)
        return claim.record.sent_at

    def has_record(self) -> StartRecord | None:
        """
        Return what the journal has of the start now, without a claim; it blocks.

        Raises:
            JournalError: when it cannot be read.

        """
        return self.journal.lookup([self.intent]).records.get(self.intent.record_key)

    def is_past_resend_deadline(self, first_sent: datetime) -> bool:
        """Tell whether the window for a repeat is over, or the clock was set back and tells not."""
        return not 0 <= self.journal.age(first_sent).total_seconds() <= self.resend_within

    def record_rejected(self) -> Future[None]:
        """Record that it was not accepted; if that is not written, the next operation asks."""
        return self.journal.record_rejected(self.intent, self.owner)

    async def record_accepted(self, run: Mapping[str, Any]) -> None:
        """
        Record which run it has become.

        Raises:
            JournalError: when that cannot be written.

        """
        async with asyncio.timeout(BUSY_TIMEOUT + 5):
            await _written(self.journal.record_accepted(self.intent, run))


async def _written(written: Future[T]) -> T:
    """Wait until something is written; the others that wait for it are not disturbed."""
    try:
        return await asyncio.shield(asyncio.wrap_future(written))
    except JournalError as error:
        raise JournalError(error.path, error.why) from None
