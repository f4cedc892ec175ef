"""The interval between two reads of a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PollPolicy:
    """
    When to ask again how far a run is: soon while it is young, later when it has run for long.

    A run's end is seen within a tenth of its age, and within half a minute; and within N / rate
    seconds where so many runs are awaited that the limiter, not this, decides.
    """

    min_interval: float = 1.0
    """Seconds between two questions at least."""
    max_interval: float = 30.0
    """Seconds between two questions at most."""
    age_fraction: float = 0.1
    """Part of the run's age to wait."""

    def interval(self, age: float) -> float:
        """Return the seconds until the next question about a run of this age in seconds."""
        return min(self.max_interval, max(self.min_interval, age * self.age_fraction))
