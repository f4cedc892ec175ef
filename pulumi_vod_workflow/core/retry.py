"""
When to repeat a failed call, how fast to go, when to ask again: decisions, never sleeping.

A start whose fate is unknown is repeated promptly or not at all: while its run is unfinished the
service joins the repeat, afterwards it may bill a new run (facts 4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pulumi_vod_workflow.errors import ApiError, TransportError, VodWorkflowError

START_WORKFLOW: Final = "StartWorkflow"


@dataclass(frozen=True, slots=True)
class Attempts:
    """What has been tried so far, in seconds on one clock."""

    count: int
    """How many have failed."""
    elapsed: float
    """Since the first attempt began."""
    ambiguous_for: float | None = None
    """Since the first attempt of unknown fate began, if there was one."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """
    Bounds of the repeats of one call.

    A repeat begins within the bound, or not at all. Where the service asks to wait for longer
    (Retry-After), the call fails at once and says so, rather than to come back too early.
    """

    rejected_start_budget: float = 120.0
    """Seconds for a start that was surely refused (429, 503)."""
    ambiguous_start_budget: float = 4.0
    """
    Seconds, since it was sent, for a start of unknown fate: short, because a run that has ended is
    not found again but started, and paid, anew. Snapshots of a clip take seconds.
    """
    read_budget: float = 60.0
    """Seconds for a read."""
    unreachable_budget: float = 20.0
    """Seconds while no connection is made: the network may come back."""
    rejected_budget: float = 5.0
    """Seconds while connections are refused: a wrong setting, or a server that is not there."""
    initial_backoff: float = 0.5
    """Seconds that the first wait is at most; it doubles with each attempt."""
    max_backoff: float = 15.0
    """Seconds that any wait is at most, unless the service asked for more."""
    max_backoff_ambiguous: float = 1.0
    """The same for a start of unknown fate."""

    def next_delay(
        self, operation: str, error: VodWorkflowError, attempts: Attempts, jitter: float
    ) -> float | None:
        """
        Return the seconds to wait before the next attempt, or `None` to give up.

        `jitter` is a random number from 0 to 1: the wait is anything up to its bound, so that
        many callers that failed together do not come back together.
        """
        if not error.retryable:
            return None
        spent, ceiling = attempts.elapsed, self.max_backoff
        limit = self.rejected_start_budget if operation == START_WORKFLOW else self.read_budget
        if isinstance(error, TransportError) and not error.sent:
            limit = min(
                limit, self.unreachable_budget, self.rejected_budget if error.refused else limit
            )
        if operation == START_WORKFLOW and attempts.ambiguous_for is not None:
            spent, ceiling, limit = (
                attempts.ambiguous_for,
                self.max_backoff_ambiguous,
                self.ambiguous_start_budget,
            )
        wait = jitter * min(ceiling, self.initial_backoff * 2.0 ** min(attempts.count - 1, 10))
        if isinstance(error, ApiError) and error.retry_after is not None:
            wait += error.retry_after
        return wait if spent + wait <= limit else None
