"""
Many runs at once: start them, read them, wait for them. The rate is the client's limiter's.

Nothing here gives up what was accepted: a start that is on its way is never cancelled.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import anyio

from pulumi_vod_workflow.client import IN_FLIGHT, VodClient
from pulumi_vod_workflow.clock import SystemClock
from pulumi_vod_workflow.core import execution
from pulumi_vod_workflow.core.envelope import Answer
from pulumi_vod_workflow.core.policy import PollPolicy
from pulumi_vod_workflow.core.progress import Line, Progress
from pulumi_vod_workflow.errors import (
    AuthenticationError,
    CallError,
    NotFoundError,
    TransportError,
)

TICK: Final = 0.5
"""Seconds between two looks at the time, and at whether to stop."""
LOOKS: Final = 3
"""Reads that must not find a run before it counts as not there: it may be too new to be seen."""

Say = Callable[[Line], None]


@dataclass(frozen=True, slots=True)
class Target:
    """A run, and the client that can read it."""

    client: VodClient
    run_id: str
    submitted_at: str | None = None
    """When it was started, if that is known: a run that is not found may be too old to be."""


def accepted(answer: Answer) -> dict[str, Any]:
    """Return what is known of a run that the service has just accepted; never raises."""
    moment = execution.service_time(answer.server_date, SystemClock().now())
    return {
        "runId": str(answer.result["RunId"]),
        "requestId": answer.request_id,
        "submittedAt": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        "phase": "submitted",
        "statusReason": execution.SUBMITTED_REASON,
    }


async def read_run(
    target: Target, *, results: bool = True
) -> tuple[Mapping[str, Any], dict[str, Any]]:
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
            raise
        return {}, dict(execution.EXPIRED)
    outputs = execution.execution_outputs(answer.result)
    if results and execution.is_known_to_have_ended(outputs):
        told = (await target.client.get_workflow_execution_result(target.run_id)).result
        outputs = execution.merged(outputs, execution.result_outputs(told))
    return answer.result, outputs


async def _each(names: Iterable[str], work: Callable[[str], Awaitable[None]]) -> None:
    """Do the work for each name, in order, as many at a time as may be in flight."""
    todo = iter(names)

    async def worker() -> None:
        for name in todo:
            await work(name)

    async with anyio.create_task_group() as tasks:
        for _ in range(IN_FLIGHT):
            tasks.start_soon(worker)


Read = tuple[Mapping[str, Any], dict[str, Any]]
"""The service's record of a run, and its outputs."""


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

    accepted: dict[str, Answer] = field(default_factory=dict)
    failed: dict[str, CallError] = field(default_factory=dict)
    untried: dict[str, str] = field(default_factory=dict)
    """Name -> why it was not even sent."""


async def start_all(
    client: VodClient,
    starts: Mapping[str, tuple[Mapping[str, Any], str]],
    *,
    say: Say,
    stopped: Callable[[], bool],
) -> Started:
    """
    Start runs, each of them paid, at the account's rate; never raises for a start that failed.

    Args:
        client: of the site.
        starts: name -> the start as `inputs.start_of` returns it, and its ClientToken.
        say: where lines about the progress go.
        stopped: whether the person has asked to stop: what is not yet sent is left.

    """
    started = Started()
    hopeless: list[CallError] = []

    async def start(name: str) -> None:
        if stopped():
            started.untried[name] = "the update was cancelled before it was sent"
            return
        if hopeless:
            started.untried[name] = f"not sent after {hopeless[0].what}"
            return
        try:
            started.accepted[name] = await client.start_workflow(*starts[name])
        except CallError as error:
            started.failed[name] = error
            if _concerns_all(error):
                hopeless.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_count, started, len(starts), say)
        await _each(starts, start)
        tasks.cancel_scope.cancel()
    return started


async def _count(started: Started, total: int, say: Say) -> None:
    """Tell now and then how many are started."""
    gap = 2.0
    while True:
        await anyio.sleep(gap)
        gap = min(30.0, gap * 1.25)
        failed = f", {len(started.failed):,} rejected" if started.failed else ""
        say(Line(f"{len(started.accepted):,} of {total:,} started{failed}", passing=True))


def _concerns_all(error: CallError) -> bool:
    """Tell whether the next start would fail the same way."""
    return isinstance(error, AuthenticationError) or (
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

    """
    return await _Wait(targets, say, policy or PollPolicy()).run(timeout, stopped)


class _Wait:
    """One wait: a task for each run, and one that looks at the time."""

    def __init__(self, targets: Mapping[str, Target], say: Say, policy: PollPolicy) -> None:
        self._targets = targets
        self._say = say
        self._policy = policy
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
                self._tell(self._progress.tick(self._clock.monotonic()))
            tasks.cancel_scope.cancel()
        waited.took = self._passed()
        return waited

    def _passed(self) -> float:
        return self._clock.monotonic() - self._began

    def _tell(self, lines: Iterable[Line]) -> None:
        for line in lines:
            self._say(line)

    async def _watch_all(self) -> None:
        async with anyio.create_task_group() as tasks:
            for name in self._targets:
                tasks.start_soon(self._watch, name)
        self._over.set()

    async def _watch(self, name: str) -> None:
        """Ask how far a run is until it has ended."""
        waited, misses = self._waited, 0
        while True:
            try:
                _, outputs = await read_run(self._targets[name])
            except CallError as error:
                misses += isinstance(error, NotFoundError)
                too_new = isinstance(error, NotFoundError) and misses < LOOKS
                if not (error.can_repeat or too_new):
                    waited.unreadable[name] = error
                    del waited.unfinished[name]
                    if _concerns_all(error):
                        self._over.set()
                    return
            else:
                waited.unfinished[name] = outputs
                self._tell(self._progress.seen(name, outputs, self._clock.monotonic()))
                if execution.is_known_to_have_ended(outputs):
                    waited.ended[name] = waited.unfinished.pop(name)
                    return
            age = execution.age_of(waited.unfinished[name], self._clock.now()) or 0.0
            await self._clock.sleep(self._policy.interval(max(age, self._passed())))
