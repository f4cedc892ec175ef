"""Waits for the end of runs; free."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio

from pulumi_vod_workflow.config.clock import SystemClock
from pulumi_vod_workflow.core import execution
from pulumi_vod_workflow.core.end_estimates import reading_of
from pulumi_vod_workflow.core.polling import PollPolicy
from pulumi_vod_workflow.core.progress import ProgressMessage, ProgressTracker
from pulumi_vod_workflow.core.rate import MAX_IN_FLIGHT
from pulumi_vod_workflow.core.read_schedule import ReadSchedule
from pulumi_vod_workflow.core.values import as_text
from pulumi_vod_workflow.errors import CallError
from pulumi_vod_workflow.lifecycle.bulk import (
    OnProgress,
    OnRead,
    affects_every_start,
    emit,
)
from pulumi_vod_workflow.lifecycle.reader import FailedReads, RunRead, RunRef, read_run
from pulumi_vod_workflow.transport.attempts import CANCEL_CHECK_INTERVAL


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
    durations: Mapping[str, Sequence[float]] | None = None,
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
        policy: the usual times between two reads of a run.
        on_read: receives the outputs of each read. The event loop calls it, so it must be quick.
        durations: workflow -> durations of earlier runs in seconds, from which the wait estimates
            the ends of its runs.

    """
    waiter = RunWaiter(runs, on_progress, on_read, policy=policy, durations=durations)
    return await waiter.run(timeout, is_cancelled)


class RunWaiter:
    """A wait: a task that reads by a schedule, a task for each read, and one for the time."""

    def __init__(
        self,
        runs: Mapping[str, RunRef],
        on_progress: OnProgress,
        on_read: OnRead | None,
        *,
        policy: PollPolicy | None,
        durations: Mapping[str, Sequence[float]] | None,
    ) -> None:
        self._runs = runs
        self._on_progress = on_progress
        self._on_read = on_read
        self._clock = SystemClock()
        self._began = self._clock.monotonic()
        self._progress = ProgressTracker(runs, self._began)
        self._schedule = ReadSchedule(
            {name: self._age_before(run) for name, run in runs.items()},
            rate=min((run.client.requests_per_second for run in runs.values()), default=1.0),
            now=self._began,
            recorded=durations,
            policy=policy,
        )
        self._changed = anyio.Event()
        """Set when a read has changed the schedule."""
        self._created_at: dict[str, float] = {}
        """The creation of each run by the first read, in seconds of this clock."""
        self._failed_reads = FailedReads()
        self._over = anyio.Event()
        self._result = WaitResult(unfinished={name: {} for name in runs})

    async def run(self, timeout: float, is_cancelled: Callable[[], bool]) -> WaitResult:  # noqa: ASYNC109
        """Wait until all runs have ended, the time is over, or the user cancels."""
        result = self._result
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._read_all)
            while not (self._over.is_set() or result.cancelled or self._elapsed() >= timeout):
                with anyio.move_on_after(min(CANCEL_CHECK_INTERVAL, timeout)):
                    await self._over.wait()
                result.cancelled = is_cancelled()
                await emit(self._on_progress, self._progress.on_timer(self._clock.monotonic()))
            tasks.cancel_scope.cancel()
        result.duration = self._elapsed()
        return result

    def _age_before(self, run: RunRef) -> float | None:
        return execution.run_age({"submittedAt": run.submitted_at}, self._clock.now())

    def _elapsed(self) -> float:
        return self._clock.monotonic() - self._began

    async def _read_all(self) -> None:
        """Read the runs by the schedule, until each run has ended or cannot be read."""
        slots = anyio.Semaphore(MAX_IN_FLIGHT)
        async with anyio.create_task_group() as tasks:
            while not self._schedule.is_over:
                self._changed = anyio.Event()
                delay = self._schedule.next_at - self._clock.monotonic()
                if delay > 0:
                    with anyio.move_on_after(delay):
                        await self._changed.wait()
                    continue
                # The choice is as late as possible: the reads in flight may change the schedule.
                await slots.acquire()
                tasks.start_soon(self._read, self._schedule.take(), slots)
        self._over.set()

    async def _read(self, name: str, slots: anyio.Semaphore) -> None:
        """Read a run once, and report the result to the schedule."""
        try:
            found = await read_run(self._runs[name])
        except CallError as error:
            await self._on_error(name, error)
        else:
            await self._on_outputs(name, found)
        finally:
            slots.release()
            self._changed.set()

    async def _on_error(self, name: str, error: CallError) -> None:
        result = self._result
        if not self._failed_reads.is_final(name, self._runs[name].run_id, error):
            result.failing[name] = error
            self._schedule.add_failed(name, self._age(name), self._clock.monotonic())
            return
        result.unreadable[name] = error
        del result.unfinished[name]
        self._schedule.remove(name)
        text = f"{name}: cannot be read: {error.summary}"
        await emit(self._on_progress, [ProgressMessage(text)])
        if affects_every_start(error):
            self._over.set()

    async def _on_outputs(self, name: str, found: RunRead) -> None:
        result, outputs, now = self._result, found.outputs, self._clock.monotonic()
        self._failed_reads.note_success(name)
        result.failing.pop(name, None)
        age = execution.run_age(outputs, found.read_at)
        if age is not None:
            self._created_at.setdefault(name, now - age)
        workflow = as_text(found.record.get("TemplateId"))
        reading = reading_of(outputs, workflow, self._age(name), found.read_at)
        if execution.is_terminal(outputs):
            del result.unfinished[name]
            result.ended[name] = outputs
            self._schedule.add_ended(name, reading, now)
        else:
            result.unfinished[name] = outputs
            self._schedule.add_unfinished(name, reading, now)
        if self._on_read:
            self._on_read(name, outputs)
        await emit(self._on_progress, self._progress.update(name, outputs, now))

    def _age(self, name: str) -> float:
        """Return the age of a run in seconds: at least the time of this wait."""
        # Each clock may be wrong or jump; the time of this wait is certain.
        created_at = self._created_at.get(name, self._began)
        return self._clock.monotonic() - min(created_at, self._began)
