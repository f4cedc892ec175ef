"""Estimates of a run's end, from the durations of other runs and from the progress of its tasks."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pulumi_vod_workflow.core.execution import run_duration, seconds_since
from pulumi_vod_workflow.core.progress import mean_task_share
from pulumi_vod_workflow.core.values import as_text

QUANTILES: Final = tuple((number + 0.5) / 12 for number in range(12))
"""The quantiles of an estimate: as many equally likely times."""
MAX_RECORDED: Final = 50
"""The number of durations in the state that count for a workflow, beside those of the wait."""
CURVE_GROWTH: Final = 1.05
"""The growth of the number of ends after which `RunDurations` computes its curve again."""
MIN_SHARE: Final = 0.02
"""The least share of work done that gives an estimate, because Progress has whole percents."""
# vod-api-facts 1: no document says how Progress grows.
ASSUMED_ERRORS: Final = (0.7, 0.85, 0.95, 1.0, 1.0, 1.05, 1.15, 1.3)
"""Assumed errors of estimates by progress: the real remaining time as a part of the estimate."""
MAX_ERRORS: Final = 200
"""The number of last errors that count."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The time of a run at a read, in seconds."""

    age: float
    """The time since the run's creation."""
    workflow: str = ""
    """The id of the run's workflow."""
    remaining: float | None = None
    """The remaining time by the progress of the tasks; `None` if it is not known."""
    duration: float | None = None
    """The time from creation to end; `None` for an unfinished run, and for an end without time."""


def reading_of(outputs: Mapping[str, Any], workflow: str, age: float, read_at: datetime) -> Reading:
    """
    Return the time of a run at a read.

    Args:
        outputs: the run's outputs.
        workflow: the id of the run's workflow.
        age: the run's age at the read, in seconds.
        read_at: the service's time of the read.

    """
    ran = seconds_since(outputs.get("startTime"), read_at)
    share = mean_task_share(outputs)
    remaining = None
    if ran is not None and ran > 0 and share is not None and share >= MIN_SHARE:
        remaining = ran * (1 - share) / share
    return Reading(age, workflow, remaining, run_duration(outputs))


def run_durations_by_workflow(runs: Iterable[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Return workflow -> the durations of recorded runs that have ended, in seconds."""
    found: dict[str, list[float]] = {}
    for run in runs:
        duration = run_duration(run)
        if duration is not None:
            found.setdefault(as_text(run.get("templateId")), []).append(duration)
    return found


class RunDurations:
    """
    The durations of a workflow's runs, in seconds; recorded ones, and those of this wait.

    The first ends are those of short runs, so the ages of unfinished runs count, too: this is the
    Kaplan-Meier estimator.
    """

    def __init__(self, recorded: Sequence[float] = ()) -> None:
        known, count = sorted(recorded), min(len(recorded), MAX_RECORDED)
        self._ended = [known[int((n + 0.5) * len(known) / count)] for n in range(count)]
        self._ages: dict[str, float] = {}
        self._times = [math.inf]
        self._survival: list[float] = []
        """The share of runs that take longer than each finite time of `_times`."""

    def add_unfinished(self, name: str, age: float) -> None:
        """Record the age of an unfinished run."""
        self._ages[name] = age

    def add_ended(self, name: str, duration: float | None) -> None:
        """Record a run's end, and its duration if it is known."""
        self._ages.pop(name, None)
        if duration is not None:
            insort(self._ended, duration)

    def remaining(self, age: float) -> list[float]:
        """Return quantiles of the remaining time at an age; infinite after the longest duration."""
        if len(self._ended) > CURVE_GROWTH * len(self._survival):
            self._compute_curve()
        first = bisect_right(self._times, age)
        alive = self._survival[first - 1] if first else 1.0
        return [
            self._times[bisect_left(self._survival, (quantile - 1) * alive, first, key=_negated)]
            - age
            for quantile in QUANTILES
        ]

    def _compute_curve(self) -> None:
        ages, count = sorted(self._ages.values()), len(self._ended)
        self._times, self._survival, alive = [*self._ended, math.inf], [], 1.0
        for index, time in enumerate(self._ended):
            at_risk = count - index + len(ages) - bisect_left(ages, time)
            alive *= 1 - 1 / at_risk
            self._survival.append(alive)


def _negated(share: float) -> float:
    """Return a key for `bisect`, which needs growing keys."""
    return -share


class ProgressErrors:
    """The errors of estimates by progress, which a wait learns from runs that have ended."""

    def __init__(self) -> None:
        self._errors = deque(ASSUMED_ERRORS, MAX_ERRORS)

    def add(self, estimated: float, real: float) -> None:
        """Record an estimate of a remaining time, and the real one."""
        if estimated > 0:
            self._errors.append(max(0.0, real / estimated))

    def remaining(self, estimated: float) -> list[float]:
        """Return quantiles of the remaining time."""
        errors = sorted(self._errors)
        return [estimated * errors[int(quantile * len(errors))] for quantile in QUANTILES]


def plan_read(remaining: Sequence[float], penalty: float, usual: float) -> tuple[float, float]:
    """
    Return the interval to the next read in the plan that costs least, and the cost of that plan.

    The cost is the mean delay until a read sees the end, plus the penalty of each read.

    Args:
        remaining: equally likely remaining times in seconds, in order, the first one finite. An
            infinite time is not known.
        penalty: the delay that costs as much as a read, in seconds.
        usual: the interval without an estimate, in seconds.

    """
    known, total = sum(map(math.isfinite, remaining)), len(remaining)
    # costs[i] is the cost after a read at which i times have passed.
    costs = [math.inf] * known + [penalty + usual / 2 if known < total else 0.0]
    interval = usual
    for passed in reversed(range(known)):
        delays = 0.0
        for last in range(passed, known):
            delays += (last - passed) * (remaining[last] - remaining[max(passed, last - 1)])
            missed = (total - last - 1) * costs[last + 1]
            cost = penalty + (delays + missed) / (total - passed)
            if cost < costs[passed]:
                costs[passed], interval = cost, remaining[last]
    return interval, costs[0]
