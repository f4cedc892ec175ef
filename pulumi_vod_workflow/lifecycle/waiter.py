"""Waits for runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
import anyio.to_thread

from pulumi_vod_workflow.config.clock import SystemClock
from pulumi_vod_workflow.core import execution
from pulumi_vod_workflow.core.polling import PollPolicy
from pulumi_vod_workflow.core.progress import ProgressMessage, ProgressTracker
from pulumi_vod_workflow.errors import (
    CallError,
    NotFoundError,
)
from pulumi_vod_workflow.lifecycle.bulk import (
    CANCEL_CHECK_INTERVAL,
    OnProgress,
    OnRead,
    affects_every_start,
    emit,
)
from pulumi_vod_workflow.lifecycle.reader import RunRef, read_run

MAX_NOT_FOUND_READS: Final = 3
"""
Reads that must not find a run before it counts as not there: it may be too new to be seen.

The emulator has it at once, or not at all.
"""


@dataclass(slots=True)
class WaitResult:
    """What became of many runs that were waited for."""

    ended: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Name -> outputs, results included."""
    unfinished: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Name -> what was last read; nothing if it was not read at all."""
    unreadable: dict[str, CallError] = field(default_factory=dict)
    """Name -> why it cannot be read, for good."""
    failing: dict[str, CallError] = field(default_factory=dict)
    """Name -> why it could not be read the last time."""
    cancelled: bool = False
    """The person has asked to stop."""
    duration: float = 0.0
    """Seconds."""


async def wait_for_runs(
    runs: Mapping[str, RunRef],
    *,
    timeout: float,  # noqa: ASYNC109 - the time is told, not raised
    say: OnProgress,
    is_cancelled: Callable[[], bool],
    policy: PollPolicy | None = None,
    on_read: OnRead | None = None,
) -> WaitResult:
    """
    Wait until all runs have ended, or the time is over; free, and starts nothing.

    It goes on through 429, 5xx and lost connections; a run that cannot be read for another reason
    is left, and told.

    Args:
        targets: name -> run.
        timeout: seconds.
        say: where lines about the progress go.
        stopped: whether the person has asked to stop.
        policy: when to ask again.
        seen: takes what was read of a run, each time; on the loop's thread, so it must be quick.

    """
    return await RunWaiter(runs, say, policy or PollPolicy(), on_read).run(timeout, is_cancelled)


class RunWaiter:
    """One wait: a task for each run, and one that looks at the time."""

    def __init__(
        self,
        targets: Mapping[str, RunRef],
        say: OnProgress,
        policy: PollPolicy,
        seen: OnRead | None,
    ) -> None:
        self._targets = targets
        self._say = say
        self._policy = policy
        self._seen = seen
        self._clock = SystemClock()
        self._began = self._clock.monotonic()
        self._progress = ProgressTracker(targets, self._began)
        self._over = anyio.Event()
        self._waited = WaitResult(unfinished={name: {} for name in targets})

    async def run(self, timeout: float, is_cancelled: Callable[[], bool]) -> WaitResult:  # noqa: ASYNC109
        waited = self._waited
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch_all)
            while not (self._over.is_set() or waited.cancelled or self._passed() >= timeout):
                with anyio.move_on_after(min(CANCEL_CHECK_INTERVAL, timeout)):
                    await self._over.wait()
                waited.cancelled = is_cancelled()
                await emit(self._say, self._progress.on_timer(self._clock.monotonic()))
            tasks.cancel_scope.cancel()
        waited.duration = self._passed()
        return waited

    def _passed(self) -> float:
        return self._clock.monotonic() - self._began

    async def _watch_all(self) -> None:
        async with anyio.create_task_group() as tasks:
            for name in self._targets:
                tasks.start_soon(self._watch, name)
        self._over.set()

    async def _watch(self, name: str) -> None:
        """Ask how far a run is until it has ended."""
        waited, misses = self._waited, 0
        looks = 1 if execution.is_emulated(self._targets[name].run_id) else MAX_NOT_FOUND_READS
        while True:
            try:
                _, outputs = await read_run(self._targets[name])
            except CallError as error:
                misses += isinstance(error, NotFoundError)
                too_new = isinstance(error, NotFoundError) and misses < looks
                if not (error.retryable or too_new):
                    waited.unreadable[name] = error
                    del waited.unfinished[name]
                    await emit(
                        self._say, [ProgressMessage(f"{name}: cannot be read: {error.summary}")]
                    )
                    if affects_every_start(error):
                        self._over.set()
                    return
                waited.failing[name] = error
            else:
                misses = 0
                waited.failing.pop(name, None)
                waited.unfinished[name] = outputs
                if self._seen:
                    self._seen(name, outputs)
                await emit(self._say, self._progress.update(name, outputs, self._clock.monotonic()))
                if execution.is_terminal(outputs):
                    waited.ended[name] = waited.unfinished.pop(name)
                    return
            age = execution.run_age(waited.unfinished[name], self._clock.now()) or 0.0
            await self._clock.sleep(self._policy.interval(max(age, self._passed())))
