"""
A wait in simulated time: runs that end, a service that answers, and reads at the permitted rate.

The wait reads by a `ReadSchedule`, or at fixed intervals, as waits without estimates do.
"""

from __future__ import annotations

import heapq
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Protocol

from pulumi_vod_workflow.core.end_estimates import Reading
from pulumi_vod_workflow.core.polling import PollPolicy
from pulumi_vod_workflow.core.read_schedule import ReadSchedule

RATE: Final = 50.0
"""The permitted reads in a second."""
ANSWER_TIME: Final = 0.2
"""The time from a request to its answer, in seconds; the service reads the run halfway."""

Progress = Callable[[float], float]
"""Returns the share of work done that the service reports, at a part of the run's time."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run of the service, with times in seconds."""

    started: float
    duration: float
    workflow: str = "w"

    @property
    def ended(self) -> float:
        return self.started + self.duration

    def reading(self, now: float, progress: Progress | None) -> Reading:
        """Return what a read gives: the service's times are whole seconds, Progress percents."""
        created, read_at = math.floor(self.started), math.floor(now)
        age = float(read_at - created)
        if now >= self.ended:
            return Reading(age, self.workflow, duration=math.floor(self.ended) - created)
        share = math.floor(100 * progress((now - self.started) / self.duration)) if progress else 0
        remaining = age * (100 - share) / share if share >= 2 else None
        return Reading(age, self.workflow, remaining)


class Schedule(Protocol):
    @property
    def next_at(self) -> float: ...
    def take(self) -> str: ...
    def add_unfinished(self, name: str, reading: Reading, now: float) -> None: ...
    def add_ended(self, name: str, reading: Reading, now: float) -> None: ...


class FixedIntervals:
    """The reads of a wait without estimates: each run after an interval by its age."""

    def __init__(self, names: Sequence[str], now: float) -> None:
        self._due = [(now + 1e-9 * number, name) for number, name in enumerate(names)]

    @property
    def next_at(self) -> float:
        return self._due[0][0] if self._due else math.inf

    def take(self) -> str:
        return heapq.heappop(self._due)[1]

    def add_unfinished(self, name: str, reading: Reading, now: float) -> None:
        heapq.heappush(self._due, (now + PollPolicy().interval(reading.age), name))

    def add_ended(self, name: str, reading: Reading, now: float) -> None:
        """Ignore the end."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The reads of a wait."""

    reads: tuple[tuple[float, str], ...]
    """The time and the run of each read."""
    delays: tuple[float, ...]
    """The delay from each end to its answer, in order of length, in seconds."""
    sweep: float

    @property
    def p95(self) -> float:
        """The 95th percentile of the delays, in sweeps."""
        return statistics.quantiles(self.delays, n=20)[-1] / self.sweep

    @property
    def longest(self) -> float:
        """The longest delay, in sweeps."""
        return self.delays[-1] / self.sweep

    @property
    def questions(self) -> float:
        """The requests for each run: its reads, and one for its results."""
        return len(self.reads) / len(self.delays) + 1

    def intervals(self) -> list[float]:
        """Return the times between two reads of a run, in sweeps."""
        times: dict[str, list[float]] = {}
        for moment, name in self.reads:
            times.setdefault(name, []).append(moment)
        return [
            (later - earlier) / self.sweep
            for moments in times.values()
            for earlier, later in pairwise(moments)
        ]


def learning(
    runs: Mapping[str, Run],
    *,
    begin: float,
    progress: Progress | None = None,
    recorded: Mapping[str, Sequence[float]] | None = None,
) -> Outcome:
    """Wait by a schedule that learns."""
    ages = {name: begin - run.started for name, run in runs.items()}
    schedule = ReadSchedule(ages, rate=RATE, now=begin, recorded=recorded)
    return _wait(runs, schedule, begin, progress)


def fixed(runs: Mapping[str, Run], *, begin: float) -> Outcome:
    """Wait at fixed intervals."""
    return _wait(runs, FixedIntervals([*runs], begin), begin, None)


def _wait(
    runs: Mapping[str, Run], schedule: Schedule, begin: float, progress: Progress | None
) -> Outcome:
    reads: list[tuple[float, str]] = []
    delays: list[float] = []
    answers: list[tuple[float, str]] = []
    free_at = begin
    while len(delays) < len(runs):
        read_at = max(schedule.next_at, free_at)
        if answers and answers[0][0] <= read_at:
            answered_at, name = heapq.heappop(answers)
            run, seen_at = runs[name], answered_at - ANSWER_TIME / 2
            reading = run.reading(seen_at, progress)
            if seen_at >= run.ended:
                delays.append(answered_at - max(begin, run.ended))
                schedule.add_ended(name, reading, answered_at)
            else:
                schedule.add_unfinished(name, reading, answered_at)
            continue
        name = schedule.take()
        reads.append((read_at, name))
        heapq.heappush(answers, (read_at + ANSWER_TIME, name))
        free_at = read_at + 1 / RATE
    return Outcome(tuple(reads), tuple(sorted(delays)), len(runs) / RATE)
