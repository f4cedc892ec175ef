"""Waits for the end of runs; free."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import anyio

from pulumi_vod_workflow.config.clock import SystemClock
from pulumi_vod_workflow.core import execution
from pulumi_vod_workflow.core.polling import PollPolicy
from pulumi_vod_workflow.core.progress import ProgressMessage, ProgressTracker
from pulumi_vod_workflow.errors import (
    CallError,
    NotFoundError,
)
from pulumi_vod_workflow.lifecycle.bulk import (
    OnProgress,
    OnRead,
    affects_every_start,
    emit,
)
from pulumi_vod_workflow.lifecycle.reader import RunRef, read_run
from pulumi_vod_workflow.transport.attempts import CANCEL_CHECK_INTERVAL

# The service may not find a new run at once. The emulator finds a new run at once, or never.
MAX_NOT_FOUND_READS: Final = 3  # reads


@dataclass(slots=True)
class WaitResult:
    """The result of a wait for many runs."""

    ended: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Name -> outputs with results."""
    unfinished: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Name -> outputs of the last read; empty without a read."""
    unreadable: dict[str, CallError] = field(default_factory=dict)
    """Name -> the error that no retry can solve."""
    failing: dict[str, CallError] = field(default_factory=dict)
    """Name -> the retryable error of the last read."""
    cancelled: bool = False
    """Whether the user cancelled the wait."""
    duration: float = 0.0
    """The length of the wait in seconds."""


async def wait_for_runs(
    runs: Mapping[str, RunRef],
    *,
    timeout: float,  # noqa: ASYNC109 - the result has the time; nothing is raised
    on_progress: OnProgress,
    is_cancelled: Callable[[], bool],
    policy: PollPolicy | None = None,
    on_read: OnRead | None = None,
) -> WaitResult:
    """
    Wait until all runs have ended, the time is over, or the user cancels; free.

    The wait retries after 429, 5xx and lost connections. After another error of a read the wait
    reports that run as unreadable, and continues for all other runs.

    Args:
        runs: name -> run.
        timeout: the longest wait in seconds.
        on_progress: receives lines about the progress.
        is_cancelled: whether the user has cancelled.
        policy: the times between two reads of a run.
        on_read: receives the outputs of each read. The event loop calls it, so it must be quick.

    """
    waiter = RunWaiter(runs, on_progress, policy or PollPolicy(), on_read)
    return await waiter.run(timeout, is_cancelled)


class RunWaiter:
    """A wait: one task for each run, and one task for the time."""

    def __init__(
        self,
        runs: Mapping[str, RunRef],
        on_progress: OnProgress,
        policy: PollPolicy,
        on_read: OnRead | None,
    ) -> None:
        self._runs = runs
        self._on_progress = on_progress
        self._policy = policy
        self._on_read = on_read
        self._clock = SystemClock()
        self._began = self._clock.monotonic()
        self._progress = ProgressTracker(runs, self._began)
        self._over = anyio.Event()
        self._result = WaitResult(unfinished={name: {} for name in runs})

    async def run(self, timeout: float, is_cancelled: Callable[[], bool]) -> WaitResult:  # noqa: ASYNC109
        """Wait until all runs have ended, the time is over, or the user cancels."""
        result = self._result
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch_all)
            while not (self._over.is_set() or result.cancelled or self._elapsed() >= timeout):
                with anyio.move_on_after(min(CANCEL_CHECK_INTERVAL, timeout)):
                    await self._over.wait()
                result.cancelled = is_cancelled()
                await emit(self._on_progress, self._progress.on_timer(self._clock.monotonic()))
            tasks.cancel_scope.cancel()
        result.duration = self._elapsed()
        return result

    def _elapsed(self) -> float:
        return self._clock.monotonic() - self._began

    async def _watch_all(self) -> None:
        async with anyio.create_task_group() as tasks:
            for name in self._runs:
                tasks.start_soon(self._watch, name)
        self._over.set()

    async def _watch(self, name: str) -> None:
        """Read a run until it has ended, or cannot be read."""
        result, misses = self._result, 0
        max_misses = 1 if execution.is_emulated(self._runs[name].run_id) else MAX_NOT_FOUND_READS
        while True:
            try:
                outputs = (await read_run(self._runs[name])).outputs
            except CallError as error:
                misses += isinstance(error, NotFoundError)
                maybe_too_new = isinstance(error, NotFoundError) and misses < max_misses
                if not (error.retryable or maybe_too_new):
                    result.unreadable[name] = error
                    del result.unfinished[name]
                    text = f"{name}: cannot be read: {error.summary}"
                    await emit(self._on_progress, [ProgressMessage(text)])
                    if affects_every_start(error):
                        self._over.set()
                    return
                result.failing[name] = error
            else:
                misses = 0
                result.failing.pop(name, None)
                result.unfinished[name] = outputs
                if self._on_read:
                    self._on_read(name, outputs)
                messages = self._progress.update(name, outputs, self._clock.monotonic())
                await emit(self._on_progress, messages)
                if execution.is_terminal(outputs):
                    result.ended[name] = result.unfinished.pop(name)
                    return
            # A long run needs few reads: all runs share 50 reads a second (vod-api-facts 7).
            age = execution.run_age(result.unfinished[name], self._clock.now()) or 0.0
            await self._clock.sleep(self._policy.interval(max(age, self._elapsed())))
