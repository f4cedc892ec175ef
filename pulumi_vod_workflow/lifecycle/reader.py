"""Reads of runs; free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pulumi_vod_workflow.config.clock import SystemClock
from pulumi_vod_workflow.core import execution
from pulumi_vod_workflow.errors import CallError, NotFoundError
from pulumi_vod_workflow.lifecycle.bulk import for_each

if TYPE_CHECKING:  # httpx is slow to load, and most operations make no call
    from pulumi_vod_workflow.transport.client import VodClient

# The service may not find a new run at once. The emulator finds a new run at once, or never.
MAX_NOT_FOUND_READS: Final = 3  # reads


@dataclass(frozen=True, slots=True)
class RunRef:
    """A run, and the client that can read it."""

    client: VodClient
    run_id: str
    submitted_at: str | None = None
    """The time of the start, if the caller knows it; see `read_run`."""


class RunRead(NamedTuple):
    """The result of a read."""

    record: Mapping[str, Any]
    """The service's record of the run."""
    outputs: dict[str, Any]
    """The run's outputs."""
    read_at: datetime
    """The time of the read, by the service's clock."""

    @property
    def ended_for(self) -> float | None:
        """The seconds since the run's end; `None` if that is not known."""
        return execution.ended_for(self.outputs, self.read_at)


async def read_run(
    run: RunRef, is_cancelled: Callable[[], bool] | None = None, *, results: bool = True
) -> RunRead:
    """
    Return the service's record of a run, and its outputs; free.

    The outputs of a run that is too old to be found have the phase `expired`.

    Args:
        run: the run.
        is_cancelled: whether the user has cancelled.
        results: also read the results of a run that has ended.

    Raises:
        CallError: when the read fails or is cancelled, or the service does not know a run that is
            not too old.

    """
    try:
        answer = await run.client.get_workflow_execution(run.run_id, is_cancelled)
    except NotFoundError as error:
        # The service has a run for 30 days (vod-api-facts 1).
        now = execution.service_time(error.server_date, SystemClock().now())
        if not execution.has_expired({"submittedAt": run.submitted_at}, now):
            if execution.is_emulated(run.run_id):
                error.remedy = execution.RECORD_GONE
            raise
        return RunRead({}, dict(execution.EXPIRED), now)
    now = execution.service_time(answer.server_date, SystemClock().now())
    outputs = execution.execution_outputs(answer.result)
    if results and execution.is_terminal(outputs):
        found = await run.client.get_workflow_execution_result(run.run_id, is_cancelled)
        outputs = execution.merge_outputs(outputs, execution.result_outputs(found.result))
    return RunRead(answer.result, outputs, now)


def is_lost_emulated(run_id: str, error: CallError) -> bool:
    """Return whether the error of a read is that an emulator has lost a run, which was free."""
    return isinstance(error, NotFoundError) and execution.is_emulated(run_id)


class FailedReads:
    """The failed reads of many runs, which decide whether a later read can succeed."""

    def __init__(self) -> None:
        self._not_found: Counter[str] = Counter()
        """Name of a run -> the number of successive reads that did not find it."""

    def is_final(self, name: str, run_id: str, error: CallError) -> bool:
        """Record a failed read of a run, and return whether no later read can succeed."""
        if not isinstance(error, NotFoundError):
            return not error.retryable
        self._not_found[name] += 1
        most = 1 if execution.is_emulated(run_id) else MAX_NOT_FOUND_READS
        return not error.retryable and self._not_found[name] >= most

    def note_success(self, name: str) -> None:
        """Record a read that found the run."""
        self._not_found[name] = 0


async def read_many(
    runs: Mapping[str, RunRef], is_cancelled: Callable[[], bool] | None = None
) -> tuple[dict[str, RunRead], dict[str, CallError]]:
    """
    Return the runs that could be read, without results, and the errors of all others; free.

    After a cancellation, the remaining runs have a `StoppedError`.
    """
    found: dict[str, RunRead] = {}
    errors: dict[str, CallError] = {}

    async def read(name: str) -> None:
        try:
            found[name] = await read_run(runs[name], is_cancelled, results=False)
        except CallError as error:
            errors[name] = error

    await for_each(runs, read)
    return found, errors


async def read_client_tokens(runs: Mapping[str, RunRef]) -> dict[str, str]:
    """
    Return the ClientTokens of runs, empty for a run without one; free.

    The result has no runs that cannot be read.
    """
    found: dict[str, str] = {}

    async def read(name: str) -> None:
        with suppress(CallError):
            answer = await runs[name].client.get_workflow_execution_result(runs[name].run_id)
            found[name] = str(answer.result.get("ClientToken") or "")

    await for_each(runs, read)
    return found
