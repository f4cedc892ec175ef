"""The retry policy: the delay before the next attempt of a failed call."""

from __future__ import annotations

from dataclasses import dataclass

from pulumi_vod_workflow.core.operations import START_WORKFLOW
from pulumi_vod_workflow.errors import ApiError, TransportError, VodWorkflowError


@dataclass(frozen=True, slots=True)
class Attempts:
    """The failed attempts of one call."""

    count: int
    """The number of failed attempts."""
    elapsed: float
    """The time since the first attempt, in seconds."""
    ambiguous_for: float | None = None
    """The time since the first attempt with an unknown outcome, in seconds; `None` without one."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """
    The time budgets of the retries of one call.

    A retry starts within its budget, or not at all. If `Retry-After` is longer than the budget,
    the call fails at once.
    """

    # Journal-facts 8: with 40 jobs on one account, a start waits for minutes and then gets through.
    rejected_start_budget: float = 600.0
    """The budget of a start that the service has rejected (429, 503), in seconds."""
    # vod-api-facts 4: the service joins a repeated start while the run is unfinished. A run that
    # has ended may be paid again, and snapshots of a clip end within seconds.
    ambiguous_start_budget: float = 4.0
    """The budget of a start with an unknown outcome, in seconds since it was sent."""
    read_budget: float = 60.0
    """The budget of a read, in seconds."""
    unreachable_budget: float = 20.0
    """The budget without a connection, in seconds."""
    # A refused connection is mostly a wrong setting, so the user gets the error sooner.
    rejected_budget: float = 5.0
    """The budget of refused connections, in seconds."""
    initial_backoff: float = 0.5
    """The longest first delay, in seconds; it doubles with each attempt."""
    max_backoff: float = 15.0
    """The longest delay without a `Retry-After`, in seconds."""
    max_backoff_ambiguous: float = 1.0
    """The longest delay of a start with an unknown outcome, in seconds."""

    def next_delay(
        self, operation: str, error: VodWorkflowError, attempts: Attempts, jitter: float
    ) -> float | None:
        """
        Return the seconds before the next attempt, or `None` without a further attempt.

        Args:
            operation: the API's Action.
            error: the error of the last attempt.
            attempts: the attempts so far.
            jitter: a random number from 0 to 1.

        """
        if not error.retryable:
            return None
        elapsed, max_backoff = attempts.elapsed, self.max_backoff
        budget = self.rejected_start_budget if operation == START_WORKFLOW else self.read_budget
        if isinstance(error, TransportError) and not error.sent:
            budget = min(
                budget, self.unreachable_budget, self.rejected_budget if error.refused else budget
            )
        if operation == START_WORKFLOW and attempts.ambiguous_for is not None:
            elapsed, max_backoff, budget = (
                attempts.ambiguous_for,
                self.max_backoff_ambiguous,
                self.ambiguous_start_budget,
            )
        # Full jitter: calls that failed together do not return together. The exponent is limited
        # because a float overflows after 1,023 doublings.
        backoff = self.initial_backoff * 2.0 ** min(attempts.count - 1, 10)
        delay = jitter * min(max_backoff, backoff)
        # vod-api-facts 8: official clients honour Retry-After after 429 and 503.
        if isinstance(error, ApiError) and error.retry_after is not None:
            delay += error.retry_after
        return delay if elapsed + delay <= budget else None
