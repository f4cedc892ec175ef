"""The request rate, lowered while the service throttles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class AdaptiveRate:
    """
    How many requests of one action may be sent, and how far apart.

    The service's limit counts a second (page, 注意事项), so up to a second's worth may go close
    together, until the service objects: from then on evenly spaced, at first at half the rate and
    faster again bit by bit, for other systems may share the account.
    """

    allowed: float
    """Requests a second at most: the configured rate."""
    reduction: float = 0.0
    """What the service's last objection took off that."""
    reduced_at: float = 0.0
    """When that was, on the caller's clock."""

    MARGIN: ClassVar[float] = 1.02
    """So much longer than a second is ours: requests do not arrive as evenly as they are sent."""
    RECOVERY: ClassVar[float] = 1 / 30
    """Part of the allowed rate that comes back each second."""
    MIN_FRACTION: ClassVar[float] = 1 / 16
    """Part of the allowed rate that always remains."""
    DEBOUNCE: ClassVar[float] = 1.0
    """Seconds after an objection in which others are the same objection."""

    def at(self, now: float) -> float:
        """Return the rate now."""
        return self.allowed - max(
            0.0, self.reduction - self.allowed * self.RECOVERY * self._since(now)
        )

    def _since(self, now: float) -> float:
        return max(0.0, now - self.reduced_at)

    def on_throttled(self, now: float) -> AdaptiveRate:
        """Return the rate after the service has answered that it was too fast."""
        if self.reduction and self._since(now) < self.DEBOUNCE:
            return self
        least = self.allowed * self.MIN_FRACTION
        return replace(self, reduction=self.allowed - max(least, self.at(now) / 2), reduced_at=now)

    def burst_window(self, now: float) -> tuple[int, float]:
        """Return how many requests may be sent within how many seconds."""
        rate = self.at(now)
        count = max(1, int(rate))
        return count, count / rate * self.MARGIN

    def min_spacing(self, now: float) -> float:
        """Return the seconds between two requests at least."""
        evenly = 1 / self.at(now)
        return evenly * self.MARGIN if self.reduction else evenly / 4
