"""
The schedule of a wait's reads, which learns how long runs take.

Reads are scarce: an account has 50 a second (vod-api-facts 7), and no call lists runs. So the
schedule estimates the end of each run, and reads the run when it has probably ended.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pulumi_vod_workflow.core.end_estimates import ProgressErrors, Reading, RunDurations, plan_read
from pulumi_vod_workflow.core.polling import PollPolicy

# The values are the best of those tried beside fixed intervals (tests/core/test_read_schedule.py).
READ_PENALTY: Final = 1 / 4
"""The delay that costs as much as a read, as a part of the usual interval."""
FIRST_RETRY: Final = 1 / 4
"""The shortest interval after a read that came too early, as a part of the usual interval."""
MAX_SWEEPS: Final = 2
"""The longest interval while estimates are good, in sweeps."""
ENDS_PER_CHECK: Final = 20
"""The number of ends after which the schedule checks its estimates."""
MAX_LATE: Final = 0.1
"""The part of ends that good estimates may delay by more than half a usual interval."""


@dataclass(slots=True)
class _Plan:
    """The plan for a run since its last read. Times are in seconds."""

    read_at: float = 0.0
    estimated: float = 0.0
    """The interval by the estimate."""
    usual: float = 0.0
    """The usual interval; 0 before the first read."""
    longest: float = 0.0
    """The longest interval while estimates are good."""
    remaining: float | None = None
    """The remaining time by the progress at the last read."""
    too_early: int = 0
    """The number of successive reads that an estimate has made too early."""


class ReadSchedule:
    """
    The order and the times of a wait's reads. Times are seconds of the caller's clock.

    A sweep is the time of one read of each unfinished run at the permitted rate. The usual interval
    between two reads of a run is a sweep, or the policy's interval if that is longer. An estimate
    makes an interval shorter. While estimates are good, an estimate can also make it longer: up to
    `MAX_SWEEPS` sweeps. A read can be late by one more sweep, when all other reads are due first.

    Args:
        ages: name -> the age of a run in seconds; `None` if it is not known.
        rate: the permitted reads in a second.
        now: the current time.
        recorded: workflow -> durations of earlier runs, in seconds.
        policy: the intervals by age.

    """

    def __init__(
        self,
        ages: Mapping[str, float | None],
        *,
        rate: float,
        now: float,
        recorded: Mapping[str, Sequence[float]] | None = None,
        policy: PollPolicy | None = None,
    ) -> None:
        # While the service throttles, the rate is lower and reads are overdue. The schedule then
        # reads each run once in a sweep.
        self._rate = rate
        self._policy = policy or PollPolicy()
        self._plans = {name: _Plan() for name in ages}
        self._durations = {
            workflow: RunDurations(durations) for workflow, durations in (recorded or {}).items()
        }
        self._errors = ProgressErrors()
        self._late: list[bool] = []
        """Whether the estimate of each run that has ended since the last check was too late."""
        self._estimates_are_good = False
        # An old run has more probably ended. The first reads take a sweep, and reads of runs whose
        # estimated end is in that sweep come between them.
        oldest_first = sorted(ages, key=lambda name: (-(ages[name] or 0.0), name))
        self._due = [(now + number / rate, name) for number, name in enumerate(oldest_first)]

    @property
    def is_over(self) -> bool:
        """Whether no run is left."""
        return not self._plans

    @property
    def next_at(self) -> float:
        """The time of the next read; infinite if no read is planned."""
        return self._due[0][0] if self._due else math.inf

    def take(self) -> str:
        """Return the next run to read. Its result decides about its next read."""
        return heapq.heappop(self._due)[1]

    def add_unfinished(self, name: str, reading: Reading, now: float) -> None:
        """Plan the next read of a run that has not ended."""
        durations = self._durations_of(reading)
        durations.add_unfinished(name, reading.age)
        plan = self._plans[name]
        self._set_bounds(plan, reading.age, now)
        plan.remaining = reading.remaining
        estimates = [durations.remaining(reading.age)]
        if reading.remaining is not None:
            estimates.append(self._errors.remaining(reading.remaining))
        plans = [
            plan_read(times, READ_PENALTY * plan.usual, plan.usual)
            for times in estimates
            if times[0] < math.inf
        ]
        # The better estimate has the plan that costs less.
        interval, _ = min(plans, key=lambda found: found[1], default=(plan.usual, 0.0))
        shortest = plan.usual * min(1.0, FIRST_RETRY * 2**plan.too_early)
        plan.estimated = max(self._policy.min_interval, shortest, interval)
        plan.too_early = plan.too_early + 1 if interval < plan.usual else 0
        heapq.heappush(self._due, (self._due_at(plan), name))

    def add_failed(self, name: str, age: float, now: float) -> None:
        """Plan the next read of a run after a failed read."""
        plan = self._plans[name]
        self._set_bounds(plan, age, now)
        plan.estimated, plan.remaining = plan.usual, None
        heapq.heappush(self._due, (self._due_at(plan), name))

    def add_ended(self, name: str, reading: Reading, now: float) -> None:
        """Learn from a run that has ended, and remove it."""
        plan = self._plans.pop(name)
        self._durations_of(reading).add_ended(name, reading.duration)
        if reading.duration is None or not plan.usual:
            return
        remaining = now - plan.read_at - (reading.age - reading.duration)
        if plan.remaining is not None:
            self._errors.add(plan.remaining, remaining)
        self._late.append(plan.estimated - remaining > plan.usual / 2)
        if len(self._late) == ENDS_PER_CHECK:
            self._check_estimates()

    def remove(self, name: str) -> None:
        """Remove a run that cannot be read."""
        del self._plans[name]

    def _durations_of(self, reading: Reading) -> RunDurations:
        return self._durations.setdefault(reading.workflow, RunDurations())

    def _set_bounds(self, plan: _Plan, age: float, now: float) -> None:
        by_age, sweep = self._policy.interval(age), len(self._plans) / self._rate
        plan.read_at, plan.usual = now, max(by_age, sweep)
        plan.longest = max(by_age, MAX_SWEEPS * sweep)

    def _due_at(self, plan: _Plan) -> float:
        longest = plan.longest if self._estimates_are_good else plan.usual
        return plan.read_at + min(longest, plan.estimated)

    def _check_estimates(self) -> None:
        """Compare the last estimates with the ends. After another result, plan all reads again."""
        are_good = sum(self._late) <= MAX_LATE * len(self._late)
        self._late.clear()
        if are_good != self._estimates_are_good:
            self._estimates_are_good = are_good
            self._due = [
                (self._due_at(plan) if (plan := self._plans[name]).usual else due_at, name)
                for due_at, name in self._due
            ]
            heapq.heapify(self._due)
