"""The attempts of one call."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import anyio

from pulumi_vod_workflow.config.clock import Clock
from pulumi_vod_workflow.core.retry import Attempts
from pulumi_vod_workflow.errors import (
    CallError,
    UnknownStartOutcomeError,
)
from pulumi_vod_workflow.journal.recorder import StartRecorder

CANCEL_CHECK_INTERVAL: Final = 0.5
"""Seconds between two looks at whether to stop."""


class AttemptTracker:
    """What has been tried of one call, and what the journal knows of it."""

    def __init__(self, note: StartRecorder | None, clock: Clock) -> None:
        self._note = note
        self._clock = clock
        self._noted = False
        self._first_sent = datetime.min.replace(tzinfo=UTC)
        """When it was first sent, by the journal; set by the first claim."""
        self._refused: Future[None] | None = None
        self._count = 0
        self._begun = self._latest = 0.0
        self._unclear_since: float | None = None
        self.unclear = note is not None and note.resent
        """Whether it may have been accepted already."""

    @property
    def underway(self) -> bool:
        """Whether this operation has sent what may have been accepted: it is seen to the end."""
        return self.unclear and self._count > 0

    async def begin(self) -> None:
        """
        Claim the start before an attempt is made.

        Raises:
            JournalError: when that cannot be done; then nothing may be sent.
            ClaimLostError: when another operation has sent it.
            UnknownStartOutcomeError: when too much time has passed since it was first sent.

        """
        if self._note:
            self._first_sent = await self._note.claim()
            self._noted = True
            self.judge()
        self._latest = self._clock.monotonic()
        if not self._count:
            self._begun = self._latest
            self._unclear_since = self._latest if self.unclear else None
        self._count += 1

    def judge(self) -> None:
        """
        Let a repeat pass only within the window of the first send ever.

        It counts until the request is on its way: before, a new connection may take seconds.

        Raises:
            UnknownStartOutcomeError: when too much time has passed since any operation sent it.

        """
        if self._note and self.unclear and self._note.is_past_resend_deadline(self._first_sent):
            raise UnknownStartOutcomeError("too much time has passed since it was first sent")

    def failed(self, error: CallError) -> None:
        """Take note of how the attempt has ended."""
        if error.maybe_accepted and not self.unclear:
            self.unclear = True
            self._unclear_since = self._latest
        if self._note and self._noted and not self.unclear:
            self._refused = self._note.record_rejected()
            self._noted = False

    async def ended(self) -> None:
        """Wait a moment until a refusal is written, or the next operation would have to ask."""
        if self._refused:
            with suppress(CallError), anyio.move_on_after(CANCEL_CHECK_INTERVAL):
                await asyncio.shield(asyncio.wrap_future(self._refused))

    def so_far(self, now: float) -> Attempts:
        """Return what the policy decides by."""
        unclear_for = None if self._unclear_since is None else now - self._unclear_since
        return Attempts(self._count, now - self._begun if self._count else 0.0, unclear_for)
