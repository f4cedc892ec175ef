"""
Starts of runs, each paid, within the rate of the client's limiter.

A start that was sent is never cancelled: the service may accept it, and the run would be lost.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread

from pulumi_vod_workflow.config.clock import SystemClock
from pulumi_vod_workflow.core import execution, recovery
from pulumi_vod_workflow.core.progress import ProgressMessage
from pulumi_vod_workflow.core.rate import DEFAULT_RATE
from pulumi_vod_workflow.core.recovery import (
    REUSES_RUN,
    OwnerState,
    RecoveryAction,
    StartRecord,
    recovery_action,
)
from pulumi_vod_workflow.core.response import ApiResponse
from pulumi_vod_workflow.core.text import defect_summary
from pulumi_vod_workflow.errors import (
    CallError,
    StartInProgressError,
    StoppedError,
    UnknownStartOutcomeError,
)
from pulumi_vod_workflow.journal.recorder import StartRecorder
from pulumi_vod_workflow.journal.store import ClaimLostError
from pulumi_vod_workflow.lifecycle.bulk import (
    MAX_CONCURRENT_CALLS,
    OnProgress,
    affects_every_start,
    emit,
    for_each,
    internal_error,
)
from pulumi_vod_workflow.lifecycle.failure_limit import FailureLimit
from pulumi_vod_workflow.transport.attempts import CANCEL_CHECK_INTERVAL

if TYPE_CHECKING:  # httpx is slow to load, and most operations make no call
    from pulumi_vod_workflow.transport.client import VodClient

# Eight failures in a row are no hiccup, and each more send may be an unknown outcome.
MAX_CONSECUTIVE_FAILURES: Final = 8  # starts

STOPPING_MESSAGE: Final = (
    "stopping: waiting for the answers to the starts that were sent; a second Ctrl-C loses the "
    "RunIds of these starts"
)

WAITING_FOR_OTHER_UPDATE: Final = "waiting for another update, which has sent the same start"

RESENDS: Final = "another update ended without an answer: sends the start again"

STARTED_BY_OTHER_UPDATE: Final = "another update started it in the meantime"


@dataclass(frozen=True, slots=True)
class StartedRun:
    """A run after its start was accepted."""

    outputs: dict[str, Any]
    """The outputs that the answer of the start gives, as `execution.submitted_outputs`."""
    reused: bool = False
    """Whether another operation started and paid for the run."""


async def start_run(
    client: VodClient,
    recorder: StartRecorder,
    *,
    on_progress: OnProgress,
    is_cancelled: Callable[[], bool],
) -> dict[str, Any]:
    """
    Start a run, or reuse the run of another operation that has sent the same start.

    A start is paid: starts one run. After the service accepts the start, this never raises.

    Args:
        client: client of the endpoint.
        recorder: the start, and its record in the journal.
        on_progress: receives a line if the journal fails, or another operation has sent the start.
        is_cancelled: whether the user has cancelled.

    Returns:
        The outputs that the answer of the start gives.

    Raises:
        CallError: when no RunId came back.

    """
    started = await _start(client, recorder, on_progress, is_cancelled, on_progress)
    if started.reused:
        text = f"{REUSES_RUN.format(started.outputs['runId'])}: {STARTED_BY_OTHER_UPDATE}"
        await emit(on_progress, [ProgressMessage(text)])
    return started.outputs


async def _start(
    client: VodClient,
    recorder: StartRecorder,
    on_progress: OnProgress,
    is_cancelled: Callable[[], bool],
    on_waiting: OnProgress,
) -> StartedRun:
    intent = recorder.intent
    while True:
        try:
            answer = await client.start_workflow(
                intent.start, intent.client_token, is_cancelled, recorder
            )
        except ClaimLostError as lost:
            if _is_own_operation(recorder, lost.record):
                recorder = await anyio.to_thread.run_sync(recorder.to_send_own)
                continue
            record = await _wait_for_other_update(recorder, lost.record, on_waiting, is_cancelled)
            if record is not None and record.run is not None:
                return StartedRun(execution.submitted_outputs(record.run), reused=True)
            if record is not None:
                await emit(on_progress, [ProgressMessage(RESENDS)])
                recorder = await anyio.to_thread.run_sync(recorder.to_resend)
        else:
            return StartedRun(await _accepted(recorder, answer, on_progress))


def _is_own_operation(recorder: StartRecorder, record: StartRecord) -> bool:
    """
    Return whether a lost claim has only the record of this operation's own pending create.

    The operation has read all earlier pending creates before its plan, and the plan had no record.
    Since then, the preview of another machine has recorded the pending creates of this operation.
    """
    is_pending = record.owner_state is OwnerState.PENDING and record.run is None
    return is_pending and recorder.expected_version.sent_at is None


async def _accepted(
    recorder: StartRecorder, answer: ApiResponse, on_progress: OnProgress
) -> dict[str, Any]:
    """Record an accepted start's run, and return its outputs; never raises."""
    # The service keeps a run for 30 days by its own clock (vod-api-facts 1).
    moment = execution.service_time(answer.server_date, SystemClock().now())
    run = {
        "runId": str(answer.result["RunId"]),
        "requestId": answer.request_id,
        "submittedAt": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
    }
    try:
        await recorder.record_accepted(run)
    except Exception as error:  # noqa: BLE001 - an error would lose the RunId of a paid run
        reason = error.summary if isinstance(error, CallError) else defect_summary(error)
        await emit(on_progress, [ProgressMessage(f"run {run['runId']} started, but {reason}")])
    return execution.submitted_outputs(run)


async def _wait_for_other_update(
    recorder: StartRecorder,
    record: StartRecord,
    on_waiting: OnProgress,
    is_cancelled: Callable[[], bool],
) -> StartRecord | None:
    """
    Wait for the answer to the same start of another operation, which was sent first.

    Returns:
        The record. Without a run in it, the other operation has ended without an answer, and
        `vod:resendWithin` allows to send the start again. `None` if the service rejected the other
        start: this operation may send its own.

    Raises:
        StartInProgressError: when the other operation has no answer in time.
        UnknownStartOutcomeError: when the other operation has ended without an answer.

    """
    if record.run is None:
        await emit(on_waiting, [ProgressMessage(WAITING_FOR_OTHER_UPDATE, ephemeral=True)])
    # The clock of the records may be set back, so the wait has an end of its own.
    deadline = anyio.current_time() + recovery.ANSWER_TIMEOUT
    while record.run is None:
        if record.owner_state is OwnerState.THIS_PROCESS:
            record = replace(record, owner_state=OwnerState.LIVING)
        action = recovery_action(record, recorder.journal.now(), recorder.resend_within)
        at = f"{record.sent_at:%Y-%m-%dT%H:%M:%SZ} (journal: {recorder.journal.location})"
        if action is RecoveryAction.SEND:
            return record
        is_refused = action is RecoveryAction.REFUSE
        if is_refused and record.owner_state is not OwnerState.LIVING:
            raise UnknownStartOutcomeError(
                f"another update sent this start at {at}, and the journal has no answer"
            )
        if is_refused or is_cancelled() or anyio.current_time() >= deadline:
            raise StartInProgressError(
                f"another update is starting this run: it sent the start at {at}, and has no "
                "answer yet"
            )
        await anyio.sleep(CANCEL_CHECK_INTERVAL)
        found = await anyio.to_thread.run_sync(recorder.current_record)
        if found is None:
            return None
        record = found
    return record


@dataclass(slots=True)
class StartResults:
    """The results of a bulk start."""

    accepted: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Name -> the run's outputs, as `start_run` returns them."""
    reused: list[str] = field(default_factory=list)
    """Names of accepted runs that another operation started in the meantime."""
    failed: dict[str, CallError] = field(default_factory=dict)
    """Name -> the error of a start that was sent, or could not be sent."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Name -> the reason for which the provider did not send the start."""
    not_sent: list[str] = field(default_factory=list)
    """Names of starts that the limit of failures did not admit."""
    abort_error: CallError | None = None
    """The error for which the next start would fail, too."""
    consecutive_failures: int = 0
    """Failures of the service since the last accepted start."""

    def fail(self, name: str, error: CallError) -> None:
        """Record a start that failed."""
        self.failed[name] = error
        self.consecutive_failures += error.maybe_accepted or error.retryable
        if affects_every_start(error) or self.consecutive_failures >= MAX_CONSECUTIVE_FAILURES:
            self.abort_error = error


async def start_many(
    client: VodClient,
    recorders: Mapping[str, StartRecorder],
    *,
    on_progress: OnProgress,
    is_cancelled: Callable[[], bool],
    limit: FailureLimit | None = None,
) -> StartResults:
    """
    Start runs at the account's rate; never raises. Each start is paid: starts one run.

    After an error that affects every start, or `MAX_CONSECUTIVE_FAILURES`, no more starts are sent.

    Args:
        client: client of the endpoint.
        recorders: name -> the start, and its record in the journal.
        on_progress: receives lines about the progress.
        is_cancelled: whether the user has cancelled. Then no more starts are sent.
        limit: the limit of failures; `None` without one. A start may wait for it.

    """
    results = StartResults()
    waiting: list[ProgressMessage] = []

    def on_waiting(message: ProgressMessage) -> None:
        waiting.append(message)
        if len(waiting) == 1:  # many starts wait for the same update: one line is enough
            on_progress(message)

    async def start(name: str) -> None:
        if results.abort_error:
            results.skipped[name] = f"not sent after {results.abort_error.summary}"
            return
        try:
            run = await _start(client, recorders[name], on_progress, is_cancelled, on_waiting)
            results.accepted[name] = run.outputs
            results.reused += [name] if run.reused else []
            results.consecutive_failures = 0
        except StoppedError as error:
            results.skipped[name] = error.summary
        except CallError as error:
            results.fail(name, error)
        except Exception as error:  # noqa: BLE001 - a defect must not cancel starts that were sent
            results.fail(name, internal_error(error))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(
            _report_progress, results, len(recorders), on_progress, is_cancelled, limit
        )
        if limit:
            tasks.start_soon(limit.watch)
        work = partial(_start_within, limit, start, results, is_cancelled) if limit else start
        await for_each(recorders, work, partial(_concurrent_starts, client))
        tasks.cancel_scope.cancel()
    if results.reused:
        text = (
            f"reuses {len(results.reused):,} of {len(recorders):,} runs, which is free: "
            "another update started them in the meantime"
        )
        await emit(on_progress, [ProgressMessage(text)])
    return results


async def _start_within(
    limit: FailureLimit,
    start: Callable[[str], Awaitable[None]],
    results: StartResults,
    is_cancelled: Callable[[], bool],
    name: str,
) -> None:
    """Start a run if the limit of failures admits it."""
    try:
        if not await limit.admit(is_cancelled):
            results.not_sent.append(name)
            return
    except StoppedError as error:
        results.skipped[name] = error.summary
        return
    await start(name)
    if name in results.accepted:
        limit.accepted(name, results.accepted[name])
    else:
        limit.not_accepted(failed=name in results.failed)
    if results.abort_error:
        limit.stop(f"after {results.abort_error.summary}")


def _concurrent_starts(client: VodClient) -> int:
    """Return the number of starts at a time, which grows with the journal's round trip."""
    # journal-facts 5, Measured: 64 starts keep the rate r while answer S + 2 L <= 64 / r. The claim
    # and the record add the two round trips L, so r * 2 L more starts keep it for the same answer.
    # The limiter measures L, at most 0.5 s: so there are 114 at most.
    return MAX_CONCURRENT_CALLS + math.ceil(DEFAULT_RATE * 2 * client.claim_time())


async def _report_progress(
    results: StartResults,
    total: int,
    on_progress: OnProgress,
    is_cancelled: Callable[[], bool],
    limit: FailureLimit | None,
) -> None:
    """Show the number of started runs from time to time, and a cancellation once."""
    began = anyio.current_time()
    next_report, cancellation_shown = began + 2.0, False
    while True:
        await anyio.sleep(CANCEL_CHECK_INTERVAL)
        now = anyio.current_time()
        if is_cancelled() and not cancellation_shown:
            cancellation_shown = True
            await emit(on_progress, [ProgressMessage(STOPPING_MESSAGE)])
        elif now >= next_report:
            next_report = now + max(2.0, (now - began) / 10)
            failed = f", {len(results.failed):,} not" if results.failed else ""
            waits = "; waits for the end of runs" if limit and limit.is_waiting else ""
            text = f"{len(results.accepted):,} of {total:,} started{failed}{waits}"
            await emit(on_progress, [ProgressMessage(text, ephemeral=True)])
