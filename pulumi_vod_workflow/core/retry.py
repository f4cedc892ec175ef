"""
When to repeat a failed call, how fast to go, when to ask again: decisions, never sleeping.

A start whose fate is unknown is repeated promptly or not at all: while its run is unfinished the
service joins the repeat, afterwards it may bill a new run (facts 4).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Final

from pulumi_vod_workflow.errors import ApiError, TransportError, VodWorkflowError

STARTS: Final = "StartWorkflow"


@dataclass(frozen=True, slots=True)
class Attempts:
    """What has been tried so far, in seconds on one clock."""

    count: int
    """How many have failed."""
    elapsed: float
    """Since the first attempt began."""
    unclear_for: float | None = None
    """Since the first attempt of unknown fate began, if there was one."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """
    Bounds of the repeats of one call.

    A repeat begins within the bound, or not at all. Where the service asks to wait for longer
    (Retry-After), the call fails at once and says so, rather than to come back too early.
    """

    refused_start: float = 120.0
    """Seconds for a start that was surely refused (429, 503)."""
    unclear_start: float = 4.0
    """
    Seconds, since it was sent, for a start of unknown fate: short, because a run that has ended is
    not found again but started, and paid, anew. Snapshots of a clip take seconds.
    """
    read: float = 60.0
    """Seconds for a read."""
    unreachable: float = 20.0
    """Seconds while no connection is made: the network may come back."""
    refused: float = 5.0
    """Seconds while connections are refused: a wrong setting, or a server that is not there."""
    base: float = 0.5
    """Seconds that the first wait is at most; it doubles with each attempt."""
    ceiling: float = 15.0
    """Seconds that any wait is at most, unless the service asked for more."""
    prompt: float = 1.0
    """The same for a start of unknown fate."""

    def delay(
        self, operation: str, error: VodWorkflowError, attempts: Attempts, jitter: float
    ) -> float | None:
        """
        Return the seconds to wait before the next attempt, or `None` to give up.

        `jitter` is a random number from 0 to 1: the wait is anything up to its bound, so that
        many callers that failed together do not come back together.
        """
        if not error.can_repeat:
            return None
        spent, ceiling = attempts.elapsed, self.ceiling
        limit = self.refused_start if operation == STARTS else self.read
        if isinstance(error, TransportError) and not error.sent:
            limit = min(limit, self.unreachable, self.refused if error.refused else limit)
        if operation == STARTS and attempts.unclear_for is not None:
            spent, ceiling, limit = attempts.unclear_for, self.prompt, self.unclear_start
        wait = jitter * min(ceiling, self.base * 2.0 ** min(attempts.count - 1, 10))
        if isinstance(error, ApiError) and error.retry_after is not None:
            wait += error.retry_after
        return wait if spent + wait <= limit else None


@dataclass(frozen=True, slots=True)
class Rate:
    """
    How many requests of one action may be sent, and how far apart.

    The service's limit counts a second (page, 注意事项), so up to a second's worth may go close
    together, until the service objects: from then on evenly spaced, at first at half the rate and
    faster again bit by bit, for other systems may share the account.
    """

    allowed: float
    """Requests a second at most: the configured rate."""
    cut: float = 0.0
    """What the service's last objection took off that."""
    cut_at: float = 0.0
    """When that was, on the caller's clock."""

    MARGIN: ClassVar[float] = 1.02
    """So much longer than a second is ours: requests do not arrive as evenly as they are sent."""
    RECOVERY: ClassVar[float] = 1 / 30
    """Part of the allowed rate that comes back each second."""
    LEAST: ClassVar[float] = 1 / 16
    """Part of the allowed rate that always remains."""
    DEAF: ClassVar[float] = 1.0
    """Seconds after an objection in which others are the same objection."""

    def at(self, now: float) -> float:
        """Return the rate now."""
        return self.allowed - max(0.0, self.cut - self.allowed * self.RECOVERY * self._since(now))

    def _since(self, now: float) -> float:
        return max(0.0, now - self.cut_at)

    def objected(self, now: float) -> Rate:
        """Return the rate after the service has answered that it was too fast."""
        if self.cut and self._since(now) < self.DEAF:
            return self
        least = self.allowed * self.LEAST
        return replace(self, cut=self.allowed - max(least, self.at(now) / 2), cut_at=now)

    def window(self, now: float) -> tuple[int, float]:
        """Return how many requests may be sent within how many seconds."""
        rate = self.at(now)
        count = max(1, int(rate))
        return count, count / rate * self.MARGIN

    def spacing(self, now: float) -> float:
        """Return the seconds between two requests at least."""
        evenly = 1 / self.at(now)
        return evenly * self.MARGIN if self.cut else evenly / 4


@dataclass(frozen=True, slots=True)
class PollPolicy:
    """
    When to ask again how far a run is: soon while it is young, later when it has run for long.

    A run's end is seen within a tenth of its age, and within half a minute; and within N / rate
    seconds where so many runs are awaited that the limiter, not this, decides.
    """

    soonest: float = 1.0
    """Seconds between two questions at least."""
    latest: float = 30.0
    """Seconds between two questions at most."""
    share: float = 0.1
    """Part of the run's age to wait."""

    def interval(self, age: float) -> float:
        """Return the seconds until the next question about a run of this age in seconds."""
        return min(self.latest, max(self.soonest, age * self.share))
