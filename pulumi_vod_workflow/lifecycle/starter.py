"""
Many runs at once: start them, read them, wait for them. The rate is the client's limiter's.

Nothing here gives up what was accepted: a start that is on its way is never cancelled.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import anyio
import anyio.to_thread

from pulumi_vod_workflow.config.clock import SystemClock
from pulumi_vod_workflow.core import execution
from pulumi_vod_workflow.core.progress import Line, Progress
from pulumi_vod_workflow.core.recovery import TAKES_OVER, Entry, Run
from pulumi_vod_workflow.core.response import Answer
from pulumi_vod_workflow.core.retry import STARTS, PollPolicy
from pulumi_vod_workflow.errors import (
    AuthenticationError,
    CallError,
    JournalError,
    NotFoundError,
    StoppedError,
    TransportError,
    UnclearStartError,
)
from pulumi_vod_workflow.journal.sqlite import ClaimLostError, Note
from pulumi_vod_workflow.transport.client import VodClient

AT_ONCE: Final = 64
"""Calls at a time: enough for answers that take 1.3 s, few enough to be lost in an outage."""
IN_A_ROW: Final = 8
"""Failures of the service, with no start accepted in between, after which the rest is not sent."""
STOPPING: Final = (
    "stopping: waiting for the answers to what was sent; if you press Ctrl-C again, the ids of the "
    "runs that were started are lost"
)
TICK: Final = 0.5
"""Seconds between two looks at the time, and at whether to stop."""
LOOKS: Final = 3
"""
Reads that must not find a run before it counts as not there: it may be too new to be seen.

The emulator has it at once, or not at all.
"""

OTHERS_ANSWER: Final = 65.0
"""
Age in seconds up to which the answer to another operation's start is waited for: as long as its
client waits for one (`client.Timeouts.start`), and the few seconds in which it is sent again.
"""
WAITS_FOR_ANOTHER: Final = "another update is starting this: waiting for its run"
MEANWHILE: Final = "another update has started it meanwhile"

Say = Callable[[Line], None]
Seen = Callable[[str, Mapping[str, Any]], None]
"""Takes the name of a run, and its outputs as just read."""


@dataclass(frozen=True, slots=True)
class Target:
    """A run, and the client that can read it."""

    client: VodClient
    run_id: str
    submitted_at: str | None = None
    """When it was started, if that is known: a run that is not found may be too old to be."""


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
        why = error.what if isinstance(error, CallError) else type(error).__name__
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
        UnclearStartError: when no answer is recorded in time.

    """
    if entry.run is None:
        await _tell(say_waiting, [Line(WAITS_FOR_ANOTHER, passing=True)])
    while entry.run is None:
        if stopped() or note.journal.age(entry.sent_at).total_seconds() >= OTHERS_ANSWER:
            raise UnclearStartError(
                f"another update has sent it {entry.sent_at:%Y-%m-%dT%H:%M:%SZ}, and no answer is "
                "in the journal"
            )
        await anyio.sleep(TICK)
        found = await anyio.to_thread.run_sync(note.recorded)
        if found is None:
            return None
        entry = found
    return entry.run


Read = tuple[Mapping[str, Any], dict[str, Any]]
"""The service's record of a run, and its outputs."""


async def read_run(target: Target, *, results: bool = True) -> Read:
    """
    Return the service's record of a run, and its outputs; free.

    Args:
        target: the run.
        results: read what it has produced, too, once it has ended.

    Raises:
        CallError: when it cannot be read, or is not there and not too old to be.

    """
    try:
        answer = await target.client.get_workflow_execution(target.run_id)
    except NotFoundError as error:
        now = execution.service_time(error.server_date, SystemClock().now())
        if not execution.has_expired({"submittedAt": target.submitted_at}, now):
            if execution.is_emulated(target.run_id):
                error.remedy = execution.FORGOTTEN
            raise
        return {}, dict(execution.EXPIRED)
    outputs = execution.execution_outputs(answer.result)
    if results and execution.is_known_to_have_ended(outputs):
        told = (await target.client.get_workflow_execution_result(target.run_id)).result
        outputs = execution.merged(outputs, execution.result_outputs(told))
    return answer.result, outputs


async def _each(names: Iterable[str], work: Callable[[str], Awaitable[None]]) -> None:
    """Do the work for each name, in order, some at a time."""
    todo = iter(names)

    async def worker() -> None:
        for name in todo:
            await work(name)

    async with anyio.create_task_group() as tasks:
        for _ in range(AT_ONCE):
            tasks.start_soon(worker)


async def read_all(targets: Mapping[str, Target]) -> tuple[dict[str, Read], dict[str, CallError]]:
    """Return how far each run is, and why the others could not be read; free, without results."""
    found: dict[str, Read] = {}
    errors: dict[str, CallError] = {}

    async def read(name: str) -> None:
        try:
            found[name] = await read_run(targets[name], results=False)
        except CallError as error:
            errors[name] = error

    await _each(targets, read)
    return found, errors


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
        self.failures_in_a_row += error.maybe_accepted or error.can_repeat
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
            started.untried[name] = f"not sent after {started.hopeless.what}"
            return
        try:
            run = await _start(client, notes[name], say, stopped, say_waiting)
            started.accepted[name] = run.outputs
            started.reused += [name] if run.reused else []
            started.failures_in_a_row = 0
        except StoppedError as error:
            started.untried[name] = error.what
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


def _defect(error: Exception) -> CallError:
    return CallError(
        STARTS,
        f"a defect of pulumi_vod_workflow ({type(error).__name__}); please report it",
        maybe_accepted=True,
        can_repeat=True,
    )


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


async def _tell(say: Say, lines: Iterable[Line]) -> None:
    """Show lines without holding up the loop, through which everything is sent; never raises."""
    for line in lines:
        with suppress(Exception):  # a line that is not shown must not lose a run
            await anyio.to_thread.run_sync(say, line)


def _concerns_all(error: CallError) -> bool:
    """Tell whether the next start would fail the same way."""
    return isinstance(error, (AuthenticationError, JournalError)) or (
        isinstance(error, TransportError) and not error.sent
    )


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
                if not (error.can_repeat or too_new):
                    waited.unreadable[name] = error
                    del waited.unfinished[name]
                    await _tell(self._say, [Line(f"{name}: cannot be read: {error.what}")])
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
