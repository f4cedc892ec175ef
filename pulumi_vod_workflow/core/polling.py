"""The usual interval between two reads of a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PollPolicy:
    """
    The polling policy: short intervals for a young run, longer ones for an old run.

    A wait notices a run's end within a tenth of the run's age, and within 30 s. With N runs the
    interval is at least N / rate seconds: see `ReadSchedule`.
    """

    # No call lists runs or reports an end (vod-api-facts 3), so each run is read by its id.
    min_interval: float = 1.0
    """The shortest interval, in seconds."""
    max_interval: float = 30.0
    """The longest interval, in seconds."""
    age_fraction: float = 0.1
    """The interval as a part of the run's age."""

    def interval(self, age: float) -> float:
        """Return the seconds until the next read of a run with this age in seconds."""
        return min(self.max_interval, max(self.min_interval, age * self.age_fraction))
