"""
Progress messages of a wait: few lines for any number of runs.

Permanent lines report each change of a few runs, failures, and a heartbeat. Ephemeral lines on the
resource's row are more frequent.
"""

# Logs of continuous integration print ephemeral lines, too, so their interval grows.

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pulumi_vod_workflow.core.execution import TERMINAL_PHASES, is_terminal

MAX_RUNS_LISTED_INDIVIDUALLY: Final = 10
"""The largest number of runs with one line for each change."""
MAX_FAILURES_LISTED: Final = 20
"""The number of failures with a line each, among more runs."""
FIRST_HEARTBEAT: Final = 30.0
"""The time to the first heartbeat, in seconds; each interval is twice the one before."""
SLOWEST_HEARTBEAT: Final = 600.0
"""The longest interval of heartbeats, in seconds."""
# An estimate from less work is wrong by a multiple.
MIN_FRACTION_FOR_ETA: Final = 0.02
"""The part of all work that must be done before an estimate of the end."""
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
    """A line of progress."""

    text: str
    ephemeral: bool = False
    """Whether the next line replaces this one."""


class ProgressTracker:
    """The progress of many runs. Times are seconds of the caller's clock."""

    def __init__(self, names: Collection[str], started_at: float) -> None:
        self._total = len(names)
        self._started_at = started_at
        self._phases: dict[str, str] = {}
        self._done_by_name: dict[str, float] = {}
        self._work_done = 0.0
        self._baseline: tuple[float, float] | None = None
        self._failures = 0
        self._heartbeat_interval = FIRST_HEARTBEAT
        self._next_heartbeat = started_at + FIRST_HEARTBEAT
        self._next_status = started_at
        self._last_status = ""

    def update(self, name: str, run: Mapping[str, Any], now: float) -> Iterator[ProgressMessage]:
        """Record the outputs of a run, and yield messages."""
        phase = run["phase"]
        done = _done_share(run)
        self._work_done += done - self._done_by_name.get(name, 0.0)
        self._done_by_name[name] = done
        if len(self._done_by_name) == self._total and self._baseline is None:
            self._baseline = now, self._work_done
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
        """Yield the messages that are due."""
        if now >= self._next_heartbeat:
            self._heartbeat_interval = min(SLOWEST_HEARTBEAT, 2 * self._heartbeat_interval)
            self._next_heartbeat = now + self._heartbeat_interval
            self._last_status = self.summary(now)
            yield ProgressMessage(self._last_status)
        elif now >= self._next_status:
            text = self.summary(now)
            if text != self._last_status:
                self._next_status = now + max(2.0, (now - self._started_at) / 10)
                self._last_status = text
                yield ProgressMessage(text, ephemeral=True)

    def summary(self, now: float) -> str:
        """Return the number of runs by phase, and the estimated time to the end."""
        counts = Counter(self._phases.values())
        ended = sum(counts[phase] for phase in TERMINAL_PHASES)
        others = [f"{counts[phase]:,} {phase}" for phase in PHASE_ORDER[1:] if counts[phase]]
        left = self._seconds_left(now)
        expected = [f"about {format_duration(left)} left"] if left is not None else []
        return ", ".join([f"{ended:,} of {self._total:,} ended", *others, *expected])

    def _seconds_left(self, now: float) -> float | None:
        """Return the estimated seconds to the end, from the work done since the first full read."""
        if self._baseline is None:
            return None
        since, at_first = self._baseline
        gained = self._work_done - at_first
        if (
            gained < MIN_FRACTION_FOR_ETA * self._total
            or now <= since
            or self._work_done >= self._total
        ):
            return None
        return (now - since) * (self._total - self._work_done) / gained


def _done_share(run: Mapping[str, Any]) -> float:
    return 1.0 if is_terminal(run) else mean_task_share(run) or 0.0


def mean_task_share(run: Mapping[str, Any]) -> float | None:
    """Return the mean share of a run's tasks, 0 to 1; `None` if no task has a progress."""
    tasks = run.get("tasks")
    shares = [task.get("progress") for task in tasks] if isinstance(tasks, list) else []
    # vod-api-facts 1: no document has the range of Progress; 0 to 100 is inferred.
    known = [min(max(share, 0), 100) for share in shares if _is_progress(share)]
    return sum(known) / len(shares) / 100 if known else None


def tasks_summary(run: Mapping[str, Any]) -> str:
    """Return the progress of a run's tasks as one number; empty if none is known."""
    done = mean_task_share(run)
    if done is None:
        return ""
    count = len(run["tasks"])
    return f"{done * 100:.0f} % of {count} {'task' if count == 1 else 'tasks'}"


def _is_progress(progress: object) -> bool:
    return isinstance(progress, (int, float)) and math.isfinite(progress)


def format_duration(seconds: float) -> str:
    """Return a duration with two units at most, for example `1 h 30 min`."""
    if seconds < 89.5:
        return f"{seconds:.0f} s"
    minutes = math.floor(seconds / 60 + 0.5)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
