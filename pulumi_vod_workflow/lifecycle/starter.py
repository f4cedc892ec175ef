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
from pulumi_vod_workflow.core.progress import Line
from pulumi_vod_workflow.core.recovery import TAKES_OVER, Entry, Run
from pulumi_vod_workflow.core.response import Answer
from pulumi_vod_workflow.errors import (
    CallError,
    StoppedError,
    UnknownStartOutcomeError,
)
from pulumi_vod_workflow.journal.recorder import Note
from pulumi_vod_workflow.journal.store import ClaimLostError
from pulumi_vod_workflow.lifecycle.bulk import TICK, Say, _concerns_all, _defect, _each, _tell
from pulumi_vod_workflow.transport.client import VodClient

IN_A_ROW: Final = 8
"""Failures of the service, with no start accepted in between, after which the rest is not sent."""

STOPPING: Final = (
    "stopping: waiting for the answers to what was sent; if you press Ctrl-C again, the ids of the "
    "runs that were started are lost"
)

OTHERS_ANSWER: Final = 65.0
"""
Age in seconds up to which the answer to another operation's start is waited for: as long as its
client waits for one (`client.Timeouts.start`), and the few seconds in which it is sent again.
"""

WAITS_FOR_ANOTHER: Final = "another update is starting this: waiting for its run"

MEANWHILE: Final = "another update has started it meanwhile"


@dataclass(frozen=True, slots=True)
class StartedRun:
    """A run that a start has come to."""

    outputs: dict[str, Any]
    """As `execution.just_accepted` returns them."""
    reused: bool = False
    """Another operation has started it; this one has paid for nothing."""


async def start_run(
    client: VodClient, note: Note, *, say: Say, stopped: Callable[[], bool]
) -> dict[str, Any]:
    """
    Start a run, which is paid, or reuse the run of another operation that has sent the same start.

    Once the start is accepted, this never raises.

    Args:
        client: of the site.
        note: the start, and the journal's page for it.
        say: where a line goes if the journal fails, or another operation has sent the start.
        stopped: whether the user has asked to stop.

    Returns:
        The run's outputs, as far as the start's answer gives them.

    Raises:
        CallError: when no RunId came back.

    """
    started = await _start(client, note, say, stopped, say)
    if started.reused:
        await _tell(say, [Line(f"{TAKES_OVER.format(started.outputs['runId'])}: {MEANWHILE}")])
    return started.outputs


async def _start(
    client: VodClient, note: Note, say: Say, stopped: Callable[[], bool], say_waiting: Say
) -> StartedRun:
    order = note.order
    while True:
        try:
            answer = await client.start_workflow(order.start, order.client_token, stopped, note)
        except ClaimLostError as lost:
            run = await _run_of_another(note, lost.entry, say_waiting, stopped)
            if run is not None:
                return StartedRun(execution.just_accepted(run), reused=True)
        else:
            return StartedRun(await _accepted(note, answer, say))


async def _accepted(note: Note, answer: Answer, say: Say) -> dict[str, Any]:
    """Record an accepted start's run, and return its outputs; never raises."""
    moment = execution.service_time(answer.server_date, SystemClock().now())
    run = {
        "runId": str(answer.result["RunId"]),
        "requestId": answer.request_id,
        "submittedAt": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
    }
    try:
        await note.accepted(run)
    except Exception as error:  # noqa: BLE001 - the run's id must not be lost
        why = error.summary if isinstance(error, CallError) else type(error).__name__
        await _tell(say, [Line(f"run {run['runId']} has started, but {why}")])
    return execution.just_accepted(run)


async def _run_of_another(
    note: Note, entry: Entry, say_waiting: Say, stopped: Callable[[], bool]
) -> Run | None:
    """
    Wait for the answer to a start that another operation has sent since this one has looked.

    Returns:
        The run, or `None` when the other operation's start was rejected: this one may send it.

    Raises:
        UnknownStartOutcomeError: when no answer is recorded in time.

    """
    if entry.run is None:
        await _tell(say_waiting, [Line(WAITS_FOR_ANOTHER, passing=True)])
    while entry.run is None:
        if stopped() or note.journal.age(entry.sent_at).total_seconds() >= OTHERS_ANSWER:
            raise UnknownStartOutcomeError(
                f"another update has sent it {entry.sent_at:%Y-%m-%dT%H:%M:%SZ}, and no answer is "
                "in the journal"
            )
        await anyio.sleep(TICK)
        found = await anyio.to_thread.run_sync(note.recorded)
        if found is None:
            return None
        entry = found
    return entry.run


@dataclass(slots=True)
class Started:
    """What became of many starts."""

    accepted: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Name -> the run, as `start_run` returns it."""
    reused: list[str] = field(default_factory=list)
    """Names of accepted runs that another operation has started meanwhile."""
    failed: dict[str, CallError] = field(default_factory=dict)
    untried: dict[str, str] = field(default_factory=dict)
    """Name -> why it was not even sent."""
    hopeless: CallError | None = None
    """Why the next start would fail, too."""
    failures_in_a_row: int = 0
    """Failures of the service since it last accepted a start."""

    def fail(self, name: str, error: CallError) -> None:
        """Take note of a start that failed."""
        self.failed[name] = error
        self.failures_in_a_row += error.maybe_accepted or error.retryable
        if _concerns_all(error) or self.failures_in_a_row >= IN_A_ROW:
            self.hopeless = error


async def start_all(
    client: VodClient,
    notes: Mapping[str, Note],
    *,
    say: Say,
    stopped: Callable[[], bool],
) -> Started:
    """
    Start runs, each of them paid, at the account's rate; never raises.

    Once the next start would fail like the last ones, the rest is not sent.

    Args:
        client: of the site.
        notes: name -> the start, and the journal's page for it.
        say: where lines about the progress go.
        stopped: whether the person has asked to stop: what is not yet sent is left.

    """
    started = Started()
    waiting: list[Line] = []

    def say_waiting(line: Line) -> None:
        waiting.append(line)
        if len(waiting) == 1:  # many wait for the same update
            say(line)

    async def start(name: str) -> None:
        if started.hopeless:
            started.untried[name] = f"not sent after {started.hopeless.summary}"
            return
        try:
            run = await _start(client, notes[name], say, stopped, say_waiting)
            started.accepted[name] = run.outputs
            started.reused += [name] if run.reused else []
            started.failures_in_a_row = 0
        except StoppedError as error:
            started.untried[name] = error.summary
        except CallError as error:
            started.fail(name, error)
        except Exception as error:  # noqa: BLE001 - it must not cancel those that are on their way
            started.fail(name, _defect(error))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_count, started, len(notes), say, stopped)
        await _each(notes, start)
        tasks.cancel_scope.cancel()
    if started.reused:
        count = f"{len(started.reused):,} runs of {len(notes):,}"
        await _tell(say, [Line(f"{TAKES_OVER.format(count)}: {MEANWHILE}")])
    return started


async def _count(started: Started, total: int, say: Say, stopped: Callable[[], bool]) -> None:
    """Tell now and then how many are started, and once that it is stopping."""
    begun = anyio.current_time()
    due, told = begun + 2.0, False
    while True:
        await anyio.sleep(TICK)
        now = anyio.current_time()
        if stopped() and not told:
            told = True
            await _tell(say, [Line(STOPPING)])
        elif now >= due:
            due = now + max(2.0, (now - begun) / 10)
            failed = f", {len(started.failed):,} not" if started.failed else ""
            text = f"{len(started.accepted):,} of {total:,} started{failed}"
            await _tell(say, [Line(text, passing=True)])
