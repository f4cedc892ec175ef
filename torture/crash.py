"""Interruptions of an update: the killed or cancelled process, and the point of a start."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Literal

from pulumi_vod_workflow.core.resource_types import (
    BATCH_TYPE,
    COMPLETION_TYPE,
    RUN_TYPE,
    canonical_type,
)
from tests.engine.hosts import PROVIDER_MARKS, HostName
from tests.engine.project import Command, until
from torture import sockets
from torture.gate import Trap
from torture.stand import Stand

Target = Literal["provider", "language", "engine", "group", "ctrl-c", "ctrl-c twice", "nothing"]
Where = Literal["create", "connect", "sent", "accepted", "answered", "returned"]

TARGETS: Final[tuple[Target, ...]] = (
    "provider", "language", "engine", "group", "ctrl-c", "ctrl-c twice",
)  # fmt: skip
"""The killed process, `group` for all processes; or a user at the keyboard; or nothing."""
POINTS: Final[tuple[Where, ...]] = (
    "create", "connect", "sent", "accepted", "answered", "returned",
)  # fmt: skip
"""The point: begin of a create; a point of the gate; or a finished, unrecorded create."""
LANGUAGE: Final = "pulumi-language-python"
"""A text in the command line of the language host."""
PROVIDER_SECONDS: Final = 10.0
"""More seconds than a provider needs to end after its engine."""
PAYING: Final = frozenset({"create", "create-replacement", "update"})


def crash(stand: Stand, target: Target, point: Where, number: int, chance: random.Random) -> bool:
    """
    Begin an update and interrupt it; afterwards none of its processes runs.

    Args:
        stand: the stack of the update.
        target: the process, or the user.
        point: the point of a start.
        number: the number of the start among all starts that reach the point.
        chance: decides how long the remaining processes run.

    Returns:
        Whether a start reached the point before the end of the update.

    """
    if point == "create":
        command = stand.begin()
        reached = first(command, lambda: _begun(command) >= number)
        if reached:
            strike(command, target, stand.project.host)
    else:
        trap = stand.gate.trap("accepted" if point == "returned" else point, number)
        command = stand.begin()
        reached = first(command, trap.reached.is_set)
        if reached and point == "returned":
            reached = _return(command, target, trap, stand.project.host)
        elif reached:
            strike(command, target, stand.project.host)
        trap.release(lost=reached and target in {"provider", "group"})
    end(stand, command, patient=chance.random() < 0.5)
    return reached


def strike(command: Command, target: Target, host: HostName = "dynamic") -> None:
    """Kill the target, or send it SIGINT; or do nothing."""
    if target in {"provider", "language"}:
        mark = LANGUAGE if target == "language" else PROVIDER_MARKS[host]
        command.kill(*command.processes(mark))
    elif target == "engine":
        command.kill(command.process.pid)
    elif target == "group":
        command.kill()
    elif target != "nothing":
        command.signal(signal.SIGINT)
        if target == "ctrl-c twice":
            first(command, lambda: "press ^C again" in command.said)
            command.signal(signal.SIGINT)


def _return(command: Command, target: Target, trap: Trap, host: HostName) -> bool:
    """
    Interrupt after `create` has returned, and before the engine can record the result.

    Returns:
        Whether `create` has returned. A line of progress may wait for the stopped engine instead.

    """
    engine = command.process.pid
    command.signal(signal.SIGSTOP, engine)

    def unread() -> int:
        # The packaged provider has one process for the refresh of an update, one for the rest.
        providers = command.processes(PROVIDER_MARKS[host])
        return sum(sockets.unread(engine, provider) for provider in providers)

    before = unread()
    trap.release()
    with suppress(AssertionError):
        until(lambda: unread() > before, 0.005, PROVIDER_SECONDS)
    has_returned = unread() > before
    strike(command, target, host)
    return has_returned


def end(stand: Stand, command: Command, *, patient: bool) -> None:
    """Wait for the engine's end, and let the providers end by themselves, or kill them at once."""
    command.wait()
    if patient:
        with suppress(AssertionError):  # a provider without a first call stays (`sdk_compat`)
            mark = PROVIDER_MARKS[stand.project.host]
            until(lambda: not command.processes(mark), 0.01, PROVIDER_SECONDS)
    command.kill()
    stand.project.repair()


def first(command: Command, condition: Callable[[], bool]) -> bool:
    """Wait for a condition or the end of a command; return whether the condition is true."""
    until(lambda: condition() or not command.running, 0.002)
    return condition()


def _begun(command: Command) -> int:
    """Return the number of resources that the engine has begun to create or change."""
    steps = [event.resource_pre_event for event in tuple(command.events)]
    return sum(
        canonical_type(step.metadata.type) in {RUN_TYPE, BATCH_TYPE, COMPLETION_TYPE}
        and str(getattr(step.metadata.op, "value", step.metadata.op)) in PAYING
        for step in steps
        if step is not None
    )
