"""
Many runs at once: start them, read them, wait for them. The rate is the client's limiter's.

Nothing here gives up what was accepted: a start that is on its way is never cancelled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
import anyio.to_thread

from pulumi_vod_workflow.config.clock import SystemClock
from pulumi_vod_workflow.core import execution
from pulumi_vod_workflow.core.progress import ProgressMessage
from pulumi_vod_workflow.core.recovery import REUSES_RUN, Run, StartRecord
from pulumi_vod_workflow.core.response import ApiResponse
from pulumi_vod_workflow.errors import (
    CallError,
    StoppedError,
    UnknownStartOutcomeError,
)
from pulumi_vod_workflow.journal.recorder import StartRecorder
from pulumi_vod_workflow.journal.store import ClaimLostError
from pulumi_vod_workflow.lifecycle.bulk import (
    CANCEL_CHECK_INTERVAL,
    OnProgress,
    affects_every_start,
    emit,
    for_each,
    internal_error,
)
from pulumi_vod_workflow.transport.client import VodClient

MAX_CONSECUTIVE_FAILURES: Final = 8
"""Failures of the service, with no start accepted in between, after which the rest is not sent."""

STOPPING_MESSAGE: Final = (
    "stopping: waiting for the answers to what was sent; if you press Ctrl-C again, the ids of the "
    "runs that were started are lost"
)

OTHER_UPDATE_TIMEOUT: Final = 65.0
"""
Age in seconds up to which the answer to another operation's start is waited for: as long as its
client waits for one (`client.Timeouts.start`), and the few seconds in which it is sent again.
"""

WAITING_FOR_OTHER_UPDATE: Final = "another update is starting this: waiting for its run"

STARTED_BY_OTHER_UPDATE: Final = "another update has started it meanwhile"


@dataclass(frozen=True, slots=True)
class StartedRun:
    """A run that a start has come to."""

    outputs: dict[str, Any]
    """As `execution.just_accepted` returns them."""
    reused: bool = False
    """Another operation has started it; this one has paid for nothing."""


async def start_run(
    client: VodClient, recorder: StartRecorder, *, say: OnProgress, is_cancelled: Callable[[], bool]
) -> dict[str, Any]:
    """
    Start a run, which is paid, or reuse the run of another operation that has sent the same start.

    Once the start is accepted, this never raises.

    Args:
        client: of the site.
        recorder: the start, and the journal's page for it.
        say: where a line goes if the journal fails, or another operation has sent the start.
        is_cancelled: whether the user has asked to stop.

    Returns:
        The run's outputs, as far as the start's answer gives them.

    Raises:
        CallError: when no RunId came back.

    """
    started = await _start(client, recorder, say, is_cancelled, say)
    if started.reused:
        await emit(
            say,
            [
                ProgressMessage(
                    f"{REUSES_RUN.format(started.outputs['runId'])}: {STARTED_BY_OTHER_UPDATE}"
                )
            ],
        )
    return started.outputs


async def _start(
    client: VodClient,
    recorder: StartRecorder,
    say: OnProgress,
    is_cancelled: Callable[[], bool],
    say_waiting: OnProgress,
) -> StartedRun:
    order = recorder.intent
    while True:
        try:
            answer = await client.start_workflow(
                order.start, order.client_token, is_cancelled, recorder
            )
        except ClaimLostError as lost:
            run = await _run_of_other_update(recorder, lost.record, say_waiting, is_cancelled)
            if run is not None:
                return StartedRun(execution.submitted_outputs(run), reused=True)
        else:
            return StartedRun(await _accepted(recorder, answer, say))


async def _accepted(
    recorder: StartRecorder, answer: ApiResponse, say: OnProgress
) -> dict[str, Any]:
    """Record an accepted start's run, and return its outputs; never raises."""
    moment = execution.service_time(answer.server_date, SystemClock().now())
    run = {
        "runId": str(answer.result["RunId"]),
        "requestId": answer.request_id,
        "submittedAt": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
    }
    try:
        await recorder.record_accepted(run)
    except Exception as error:  # noqa: BLE001 - the run's id must not be lost
        why = error.summary if isinstance(error, CallError) else type(error).__name__
        await emit(say, [ProgressMessage(f"run {run['runId']} has started, but {why}")])
    return execution.submitted_outputs(run)


async def _run_of_other_update(
    recorder: StartRecorder,
    entry: StartRecord,
    say_waiting: OnProgress,
    is_cancelled: Callable[[], bool],
) -> Run | None:
    """
    Wait for the answer to a start that another operation has sent since this one has looked.

    Returns:
        The run, or `None` when the other operation's start was rejected: this one may send it.

    Raises:
        UnknownStartOutcomeError: when no answer is recorded in time.

    """
    if entry.run is None:
        await emit(say_waiting, [ProgressMessage(WAITING_FOR_OTHER_UPDATE, ephemeral=True)])
    while entry.run is None:
        if (
            is_cancelled()
            or recorder.journal.age(entry.sent_at).total_seconds() >= OTHER_UPDATE_TIMEOUT
        ):
            raise UnknownStartOutcomeError(
                f"another update has sent it {entry.sent_at:%Y-%m-%dT%H:%M:%SZ}, and no answer is "
                "in the journal"
            )
        await anyio.sleep(CANCEL_CHECK_INTERVAL)
        found = await anyio.to_thread.run_sync(recorder.current_record)
        if found is None:
            return None
        entry = found
    return entry.run


@dataclass(slots=True)
class StartResults:
    """What became of many starts."""

    accepted: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Name -> the run, as `start_run` returns it."""
    reused: list[str] = field(default_factory=list)
    """Names of accepted runs that another operation has started meanwhile."""
    failed: dict[str, CallError] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    """Name -> why it was not even sent."""
    abort_error: CallError | None = None
    """Why the next start would fail, too."""
    consecutive_failures: int = 0
    """Failures of the service since it last accepted a start."""

    def fail(self, name: str, error: CallError) -> None:
        """Take note of a start that failed."""
        self.failed[name] = error
        self.consecutive_failures += error.maybe_accepted or error.retryable
        if affects_every_start(error) or self.consecutive_failures >= MAX_CONSECUTIVE_FAILURES:
            self.abort_error = error


async def start_many(
    client: VodClient,
    recorders: Mapping[str, StartRecorder],
    *,
    say: OnProgress,
    is_cancelled: Callable[[], bool],
) -> StartResults:
    """
    Start runs, each of them paid, at the account's rate; never raises.

    Once the next start would fail like the last ones, the rest is not sent.

    Args:
        client: of the site.
        recorders: name -> the start, and the journal's page for it.
        say: where lines about the progress go.
        is_cancelled: whether the person has asked to stop: what is not yet sent is left.

    """
    started = StartResults()
    waiting: list[ProgressMessage] = []

    def say_waiting(line: ProgressMessage) -> None:
        waiting.append(line)
        if len(waiting) == 1:  # many wait for the same update
            say(line)

    async def start(name: str) -> None:
        if started.abort_error:
            started.skipped[name] = f"not sent after {started.abort_error.summary}"
            return
        try:
            run = await _start(client, recorders[name], say, is_cancelled, say_waiting)
            started.accepted[name] = run.outputs
            started.reused += [name] if run.reused else []
            started.consecutive_failures = 0
        except StoppedError as error:
            started.skipped[name] = error.summary
        except CallError as error:
            started.fail(name, error)
        except Exception as error:  # noqa: BLE001 - it must not cancel those that are on their way
            started.fail(name, internal_error(error))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_report_progress, started, len(recorders), say, is_cancelled)
        await for_each(recorders, start)
        tasks.cancel_scope.cancel()
    if started.reused:
        count = f"{len(started.reused):,} runs of {len(recorders):,}"
        await emit(say, [ProgressMessage(f"{REUSES_RUN.format(count)}: {STARTED_BY_OTHER_UPDATE}")])
    return started


async def _report_progress(
    started: StartResults, total: int, say: OnProgress, is_cancelled: Callable[[], bool]
) -> None:
    """Tell now and then how many are started, and once that it is stopping."""
    begun = anyio.current_time()
    due, told = begun + 2.0, False
    while True:
        await anyio.sleep(CANCEL_CHECK_INTERVAL)
        now = anyio.current_time()
        if is_cancelled() and not told:
            told = True
            await emit(say, [ProgressMessage(STOPPING_MESSAGE)])
        elif now >= due:
            due = now + max(2.0, (now - begun) / 10)
            failed = f", {len(started.failed):,} not" if started.failed else ""
            text = f"{len(started.accepted):,} of {total:,} started{failed}"
            await emit(say, [ProgressMessage(text, ephemeral=True)])
