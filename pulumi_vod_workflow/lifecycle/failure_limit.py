"""
The limit of failures in one update of a batch: starts wait while too many runs could still fail.

VOD has no cancel API, and a run fails minutes after its start. So the limit counts each run that
has not ended as a possible failure. It admits the next start after the reads of earlier runs, which
are free, have shown successes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import anyio

from pulumi_vod_workflow.config.clock import SystemClock
from pulumi_vod_workflow.core import execution
from pulumi_vod_workflow.core.operations import START_WORKFLOW
from pulumi_vod_workflow.core.polling import PollPolicy
from pulumi_vod_workflow.core.progress import format_duration
from pulumi_vod_workflow.core.text import defect_summary, pluralise
from pulumi_vod_workflow.errors import CallError, StoppedError
from pulumi_vod_workflow.lifecycle.reader import FailedReads, RunRef, read_many
from pulumi_vod_workflow.transport.attempts import CANCEL_CHECK_INTERVAL

STARTS_PER_SUCCESS: Final = 2
"""The starts that each success admits beyond the one that takes its place."""
MAX_TIME_WITHOUT_END: Final = 3600.0
"""The longest wait for the next end of a run, in seconds: a run may hang in the queue."""


class FailureLimit:
    """
    The limit of failures, and the runs of this update that it reads.

    A failure is a start that got no RunId, or a run that ended without success, or a run that
    cannot be read. While no run has succeeded, at most `max_failures` starts are sent.

    Args:
        max_failures: the number of failures after which no start is sent.
        ref: returns how to read a run, from the outputs of its start.
        deadline: the time limit of the operation in seconds; `None` without a limit.

    """

    def __init__(
        self,
        max_failures: int,
        ref: Callable[[Mapping[str, Any]], RunRef],
        deadline: float | None = None,
    ) -> None:
        self.max_failures = max_failures
        self.stop_reason = ""
        """The reason why no more starts are sent; empty while starts are sent."""
        self.reads: dict[str, dict[str, Any]] = {}
        """Name -> the outputs of the last read."""
        self.failed: dict[str, str] = {}
        """Name -> the reason, of each run that did not succeed or cannot be read."""
        self._ref = ref
        self._deadline = deadline
        self._clock = SystemClock()
        self._began = self._last_end = self._clock.monotonic()
        self._without_run = 0
        self._successes = 0
        self._sending = 0
        self._unfinished: dict[str, RunRef] = {}
        self._failed_reads = FailedReads()
        self._waiting = 0
        self._changed = anyio.Event()

    @property
    def is_waiting(self) -> bool:
        """Whether a start waits for the end of an earlier run."""
        return bool(self._waiting)

    async def admit(self, is_cancelled: Callable[[], bool]) -> bool:
        """
        Wait until the next start may be sent; return false if it must not be sent.

        After true, call `accepted` or `not_accepted` once.

        Raises:
            StoppedError: when the user cancels the update.

        """
        self._waiting += 1
        try:
            while not self.stop_reason:
                if self._sending + len(self._unfinished) < self._possible_failures():
                    self._sending += 1
                    return True
                if is_cancelled():
                    raise StoppedError(START_WORKFLOW)
                with anyio.move_on_after(CANCEL_CHECK_INTERVAL):
                    await self._changed.wait()
            return False
        finally:
            self._waiting -= 1

    def accepted(self, name: str, run: Mapping[str, Any]) -> None:
        """Record that an admitted start has a run."""
        self._sending -= 1
        self.add(name, run)

    def not_accepted(self, *, failed: bool) -> None:
        """Record that an admitted start has no RunId: it failed, or it was not sent."""
        self._sending -= 1
        self._without_run += failed
        self._check()

    def stop(self, reason: str) -> None:
        """Admit no more starts; no effect after an earlier stop."""
        self.stop_reason = self.stop_reason or reason
        self._wake()

    def _wake(self) -> None:
        """Let the starts that wait check again."""
        self._changed.set()
        self._changed = anyio.Event()

    def add(self, name: str, run: Mapping[str, Any]) -> None:
        """Add a run of this update; an interrupted update may have started it."""
        if execution.is_terminal(run):
            self._end(name, run)
        else:
            self._unfinished[name] = self._ref(run)

    async def watch(self) -> None:
        """Read the runs that have not ended, until the caller cancels; never raises."""
        try:
            await self._watch()
        except Exception as error:  # noqa: BLE001 - a defect must not cancel starts that were sent
            self.stop(f"because runs cannot be read: {defect_summary(error)}")

    async def _watch(self) -> None:
        policy = PollPolicy()
        while True:
            await self._clock.sleep(policy.interval(self._clock.monotonic() - self._last_end))
            found, errors = await read_many(dict(self._unfinished))
            for name, read in found.items():
                self.reads[name] = read.outputs
                self._failed_reads.note_success(name)
                if execution.is_terminal(read.outputs):
                    self._end(name, read.outputs)
            for name, error in errors.items():
                self._note_unreadable(name, error)
            self._check_time()

    @property
    def _failures(self) -> int:
        return self._without_run + len(self.failed)

    def _possible_failures(self) -> int:
        return self.max_failures - self._failures + STARTS_PER_SUCCESS * self._successes

    def _end(self, name: str, outputs: Mapping[str, Any]) -> None:
        self._unfinished.pop(name, None)
        self._last_end = self._clock.monotonic()
        if outputs.get("phase") == "succeeded":
            self._successes += 1
        else:
            self.failed[name] = f"{outputs['phase']}: {outputs.get('statusReason', '')}"
        self._check()

    def _note_unreadable(self, name: str, error: CallError) -> None:
        if self._failed_reads.is_final(name, self._unfinished[name].run_id, error):
            del self._unfinished[name]
            self.failed[name] = f"cannot be read: {error.summary}"
            self._check()

    def _check(self) -> None:
        if self._failures >= self.max_failures:
            failures = pluralise(self._failures, "failure")
            self.stop(f"after {failures} (max_failures: {self.max_failures:,})")
        self._wake()

    def _check_time(self) -> None:
        now = self._clock.monotonic()
        if self._deadline is not None and now - self._began >= self._deadline:
            self.stop(f"at the time limit of {format_duration(self._deadline)}")
        elif self._waiting and now - self._last_end >= MAX_TIME_WITHOUT_END:
            self.stop(f"because no run has ended for {format_duration(MAX_TIME_WITHOUT_END)}")
