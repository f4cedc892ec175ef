"""The request rate, lowered while the service throttles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Final

DEFAULT_RATE: Final = 50.0
"""The request rate of each action and account (page, 注意事项), in requests a second."""

# 50 requests a second with answers after 2.5 s are 125 calls. The client's pool has a connection
# for each, so a request with a permit never waits for one.
MAX_IN_FLIGHT: Final = 128
"""The number of simultaneous calls of one action, waiting retries included."""


@dataclass(frozen=True, slots=True)
class AdaptiveRate:
    """
    The request rate of one action, as an immutable value.

    Requests may be close together until the service throttles. From then on they are evenly
    spaced, first at a lower rate, then faster again. `transport.rate_limiter` has an
    `OperationLimiter` for each action, which sends at this rate. A `RateLimiter` has those of one
    process.
    """

    # The page (注意事项) limits the requests of each second, so a burst of one second is allowed.
    # vod-api-facts 7: the limit is the main account's, so other systems may use a part of it.
    allowed: float
    """The configured rate, in requests a second."""
    reduction: float = 0.0
    """The reduction by the service's last throttling, in requests a second."""
    reduced_at: float = 0.0
    """The time of the last reduction, in seconds of the caller's clock."""

    # Requests do not arrive as evenly as the client sends them.
    MARGIN: ClassVar[float] = 1.02
    """The length of the client's second, in seconds."""
    # Journal-facts 8: one lone rejection must not cost a job a third, and a second one soon after
    # it means that other jobs use the account. tests/transport/test_shared_account.py has the
    # effect on one job and on many.
    FIRST_FACTOR: ClassVar[float] = 3 / 4
    """The part of the rate that remains after the first throttling within `QUIET_TIME`."""
    FURTHER_FACTOR: ClassVar[float] = 1 / 2
    """The part of the rate that remains after further throttling."""
    QUIET_TIME: ClassVar[float] = 60.0
    """The time without a reduction after which throttling is the first again, in seconds."""
    # Ten jobs get 17 % of their requests rejected at 1/50, and 21 % at 1/30.
    RECOVERY: ClassVar[float] = 1 / 50
    """The part of the allowed rate that returns each second."""
    MIN_FRACTION: ClassVar[float] = 1 / 16
    """The part of the allowed rate that always remains."""
    # The requests in flight at the first rejection are rejected for the same reason.
    DEBOUNCE: ClassVar[float] = 1.0
    """The time after a reduction in which further throttling reduces nothing, in seconds."""

    def at(self, now: float) -> float:
        """Return the rate at a time."""
        return self.allowed - max(
            0.0, self.reduction - self.allowed * self.RECOVERY * self._since(now)
        )

    def _since(self, now: float) -> float:
        return max(0.0, now - self.reduced_at)

    def on_throttled(self, now: float) -> AdaptiveRate:
        """Return the rate after the service has rejected a request as too fast (429)."""
        if self.reduction and self._since(now) < self.DEBOUNCE:
            return self
        is_first = not self.reduction or self._since(now) >= self.QUIET_TIME
        rate = self.at(now) * (self.FIRST_FACTOR if is_first else self.FURTHER_FACTOR)
        least = self.allowed * self.MIN_FRACTION
        return replace(self, reduction=self.allowed - max(least, rate), reduced_at=now)

    def burst_window(self, now: float) -> tuple[int, float]:
        """Return a number of requests, and the seconds in which the client may send them."""
        rate = self.at(now)
        count = max(1, int(rate))
        return count, count / rate * self.MARGIN

    def min_spacing(self, now: float) -> float:
        """Return the shortest time between two requests, in seconds."""
        even_spacing = 1 / self.at(now)
        return even_spacing * self.MARGIN if self.reduction else even_spacing / 4
