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
"""The interval of checks for a cancellation, in seconds."""


class AttemptTracker:
    """The attempts of one call, and the start's record in the journal."""

    def __init__(self, recorder: StartRecorder | None, clock: Clock) -> None:
        self._recorder = recorder
        self._clock = clock
        self._has_claim = False
        self._first_sent = datetime.min.replace(tzinfo=UTC)
        """The time of the first send, from the journal; set by the first claim."""
        self._rejection: Future[None] | None = None
        self._count = 0
        self._started_at = self._latest_at = 0.0
        self._ambiguous_since: float | None = None
        self.is_ambiguous = recorder is not None and recorder.resent
        """Whether the service may have accepted an earlier attempt."""

    @property
    def must_finish(self) -> bool:
        """Whether this operation has sent an attempt with an unknown outcome."""
        # A cancellation must not end the retries of such a start: its answer has the RunId.
        return self.is_ambiguous and self._count > 0

    async def begin(self) -> None:
        """
        Claim the start before an attempt.

        Raises:
            JournalError: when the journal cannot record it; the client sends nothing.
            ClaimLostError: when another operation has sent the start.
            UnknownStartOutcomeError: after `vod:resendWithin` seconds since the first send.

        """
        # Journal-facts 0: each attempt is a claim that one process can win, so two updates at the
        # same time do not both send a start.
        if self._recorder:
            self._first_sent = await self._recorder.claim()
            self._has_claim = True
            self.check_resend_deadline()
        self._latest_at = self._clock.monotonic()
        if not self._count:
            self._started_at = self._latest_at
            self._ambiguous_since = self._latest_at if self.is_ambiguous else None
        self._count += 1

    def check_resend_deadline(self) -> None:
        """
        Check that a retry is within `vod:resendWithin` seconds of the first send.

        Raises:
            UnknownStartOutcomeError: after that time.

        """
        # The client checks again when the request leaves: a new connection may take seconds.
        if (
            self._recorder
            and self.is_ambiguous
            and self._recorder.is_past_resend_deadline(self._first_sent)
        ):
            raise UnknownStartOutcomeError(
                "more than `vod:resendWithin` seconds have passed since the first send"
            )

    def record_failure(self, error: CallError) -> None:
        """Record the error of the attempt."""
        if error.maybe_accepted and not self.is_ambiguous:
            self.is_ambiguous = True
            self._ambiguous_since = self._latest_at
        if self._recorder and self._has_claim and not self.is_ambiguous:
            self._rejection = self._recorder.record_rejected()
            self._has_claim = False

    async def flush(self) -> None:
        """Wait a moment until the journal has the rejection."""
        # Without it the next preview would offer the choices for a start that was rejected.
        if self._rejection:
            with suppress(CallError), anyio.move_on_after(CANCEL_CHECK_INTERVAL):
                await asyncio.shield(asyncio.wrap_future(self._rejection))

    def attempts_at(self, now: float) -> Attempts:
        """Return the attempts until a time."""
        ambiguous_for = None if self._ambiguous_since is None else now - self._ambiguous_since
        return Attempts(self._count, now - self._started_at if self._count else 0.0, ambiguous_for)
