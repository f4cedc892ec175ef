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
from pulumi_vod_workflow.core.progress import Line, Progress
from pulumi_vod_workflow.errors import (
    CallError,
    NotFoundError,
)
from pulumi_vod_workflow.lifecycle.bulk import TICK, Say, Seen, _concerns_all, _tell
from pulumi_vod_workflow.lifecycle.reader import Target, read_run

LOOKS: Final = 3
"""
Reads that must not find a run before it counts as not there: it may be too new to be seen.

The emulator has it at once, or not at all.
"""


@dataclass(slots=True)
class Waited:
    """What became of many runs that were waited for."""

    ended: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Name -> outputs, results included."""
    unfinished: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Name -> what was last read; nothing if it was not read at all."""
    unreadable: dict[str, CallError] = field(default_factory=dict)
    """Name -> why it cannot be read, for good."""
    failing: dict[str, CallError] = field(default_factory=dict)
    """Name -> why it could not be read the last time."""
    stopped: bool = False
    """The person has asked to stop."""
    took: float = 0.0
    """Seconds."""


async def wait_all(
    targets: Mapping[str, Target],
    *,
    timeout: float,  # noqa: ASYNC109 - the time is told, not raised
    say: Say,
    stopped: Callable[[], bool],
    policy: PollPolicy | None = None,
    seen: Seen | None = None,
) -> Waited:
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
    return await _Wait(targets, say, policy or PollPolicy(), seen).run(timeout, stopped)


class _Wait:
    """One wait: a task for each run, and one that looks at the time."""

    def __init__(
        self, targets: Mapping[str, Target], say: Say, policy: PollPolicy, seen: Seen | None
    ) -> None:
        self._targets = targets
        self._say = say
        self._policy = policy
        self._seen = seen
        self._clock = SystemClock()
        self._began = self._clock.monotonic()
        self._progress = Progress(targets, self._began)
        self._over = anyio.Event()
        self._waited = Waited(unfinished={name: {} for name in targets})

    async def run(self, timeout: float, stopped: Callable[[], bool]) -> Waited:  # noqa: ASYNC109
        waited = self._waited
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch_all)
            while not (self._over.is_set() or waited.stopped or self._passed() >= timeout):
                with anyio.move_on_after(min(TICK, timeout)):
                    await self._over.wait()
                waited.stopped = stopped()
                await _tell(self._say, self._progress.tick(self._clock.monotonic()))
            tasks.cancel_scope.cancel()
        waited.took = self._passed()
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
        looks = 1 if execution.is_emulated(self._targets[name].run_id) else LOOKS
        while True:
            try:
                _, outputs = await read_run(self._targets[name])
            except CallError as error:
                misses += isinstance(error, NotFoundError)
                too_new = isinstance(error, NotFoundError) and misses < looks
                if not (error.retryable or too_new):
                    waited.unreadable[name] = error
                    del waited.unfinished[name]
                    await _tell(self._say, [Line(f"{name}: cannot be read: {error.summary}")])
                    if _concerns_all(error):
                        self._over.set()
                    return
                waited.failing[name] = error
            else:
                misses = 0
                waited.failing.pop(name, None)
                waited.unfinished[name] = outputs
                if self._seen:
                    self._seen(name, outputs)
                await _tell(self._say, self._progress.seen(name, outputs, self._clock.monotonic()))
                if execution.is_known_to_have_ended(outputs):
                    waited.ended[name] = waited.unfinished.pop(name)
                    return
            age = execution.age_of(waited.unfinished[name], self._clock.now()) or 0.0
            await self._clock.sleep(self._policy.interval(max(age, self._passed())))
