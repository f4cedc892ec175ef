"""
What a person is told while many runs go on: few lines, whatever the number of runs.

A line that stays for each change of a few runs, for failures, and for a heartbeat that gets slower;
a passing one on the resource's row more often. Continuous-integration logs print the passing ones
too, so those get rarer with time.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pulumi_vod_workflow.core.execution import TERMINAL_PHASES, is_terminal

MAX_RUNS_LISTED_INDIVIDUALLY: Final = 10
"""Runs up to which each of their changes is a line."""
MAX_FAILURES_LISTED: Final = 20
"""Failures up to which each is a line, among more runs."""
FIRST_HEARTBEAT: Final = 30.0
"""Seconds to the first heartbeat; the next comes after twice as long, and so on."""
SLOWEST_HEARTBEAT: Final = 600.0
"""Seconds between two heartbeats at most."""
MIN_FRACTION_FOR_ETA: Final = 0.02
"""Part of all work that has to be seen done before its end is guessed."""
PHASE_ORDER: Final = (
    "succeeded",
    "failed",
    "terminated",
    "expired",
    "running",
    "pending",
    "submitted",
)


@dataclass(frozen=True, slots=True)
class ProgressMessage:
    """One thing to tell."""

    text: str
    ephemeral: bool = False
    """It is only of interest until the next one."""


class ProgressTracker:
    """How far many runs are, by what has been seen of them; times are the caller's seconds."""

    def __init__(self, names: Collection[str], began: float) -> None:
        self._total = len(names)
        self._began = began
        self._phases: dict[str, str] = {}
        self._done: dict[str, float] = {}
        self._sum = 0.0
        self._seen_at_first: tuple[float, float] | None = None
        self._failures = 0
        self._gap = FIRST_HEARTBEAT
        self._next_beat = began + FIRST_HEARTBEAT
        self._next_passing = began
        self._last_passing = ""

    def update(self, name: str, run: Mapping[str, Any], now: float) -> Iterator[ProgressMessage]:
        """Take in what was read of a run, and yield the lines that this is worth."""
        phase = run["phase"]
        done = _part_done(run)
        self._sum += done - self._done.get(name, 0.0)
        self._done[name] = done
        if len(self._done) == self._total and self._seen_at_first is None:
            self._seen_at_first = now, self._sum
        if phase == self._phases.get(name):
            return
        self._phases[name] = phase
        failed = phase in TERMINAL_PHASES - {"succeeded"}
        self._failures += failed
        if self._total <= MAX_RUNS_LISTED_INDIVIDUALLY or (
            failed and self._failures <= MAX_FAILURES_LISTED
        ):
            yield ProgressMessage(f"{name}: {phase} ({run['statusReason']})")

    def on_timer(self, now: float) -> Iterator[ProgressMessage]:
        """Yield what is to be told because time has passed."""
        if now >= self._next_beat:
            self._gap = min(SLOWEST_HEARTBEAT, 2 * self._gap)
            self._next_beat = now + self._gap
            self._last_passing = self.summary(now)
            yield ProgressMessage(self._last_passing)
        elif now >= self._next_passing:
            text = self.summary(now)
            if text != self._last_passing:
                self._next_passing = now + max(2.0, (now - self._began) / 10)
                self._last_passing = text
                yield ProgressMessage(text, ephemeral=True)

    def summary(self, now: float) -> str:
        """Return the counts, and when the end is to be expected."""
        counts = Counter(self._phases.values())
        ended = sum(counts[phase] for phase in TERMINAL_PHASES)
        others = [f"{counts[phase]:,} {phase}" for phase in PHASE_ORDER[1:] if counts[phase]]
        left = self._left(now)
        expected = [f"about {format_duration(left)} left"] if left is not None else []
        return ", ".join([f"{ended:,} of {self._total:,} ended", *others, *expected])

    def _left(self, now: float) -> float | None:
        """Guess the seconds to the end from how fast it went so far."""
        if self._seen_at_first is None:
            return None
        since, at_first = self._seen_at_first
        gained = self._sum - at_first
        if gained < MIN_FRACTION_FOR_ETA * self._total or now <= since or self._sum >= self._total:
            return None
        return (now - since) * (self._total - self._sum) / gained


def _part_done(run: Mapping[str, Any]) -> float:
    return 1.0 if is_terminal(run) else _tasks_done(run) or 0.0


def _tasks_done(run: Mapping[str, Any]) -> float | None:
    """Return the mean share of a run's tasks, 0 to 1; `None` if no task has a progress."""
    tasks = run.get("tasks")
    told = [task.get("progress") for task in tasks] if isinstance(tasks, list) else []
    known = [min(max(part, 0), 100) for part in told if _is_share(part)]
    return sum(known) / len(told) / 100 if known else None


def tasks_summary(run: Mapping[str, Any]) -> str:
    """Return the progress of a run's tasks as one number; empty if none is known."""
    done = _tasks_done(run)
    if done is None:
        return ""
    count = len(run["tasks"])
    return f"{done * 100:.0f} % of {count} {'task' if count == 1 else 'tasks'}"


def _is_share(progress: object) -> bool:
    return isinstance(progress, (int, float)) and math.isfinite(progress)


def format_duration(seconds: float) -> str:
    """Return a duration as a person says it."""
    if seconds < 89.5:
        return f"{seconds:.0f} s"
    minutes = math.floor(seconds / 60 + 0.5)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
