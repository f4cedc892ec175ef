"""How an update is cut short: who is killed, or asked to stop, and when."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Literal

from tests.engine.project import Command, until
from torture import sockets
from torture.gate import Trap
from torture.stand import Stand

Target = Literal["provider", "language", "engine", "group", "ctrl-c", "ctrl-c twice"]
Where = Literal["create", "connect", "sent", "accepted", "answered", "returned"]

TARGETS: Final[tuple[Target, ...]] = (
    "provider", "language", "engine", "group", "ctrl-c", "ctrl-c twice",
)  # fmt: skip
"""Who is killed, `group` being all at once; or who sits at the keyboard."""
POINTS: Final[tuple[Where, ...]] = (
    "create", "connect", "sent", "accepted", "answered", "returned",
)  # fmt: skip
"""When: as the engine begins a create; at a gate's point; when one is done but not recorded."""
MARKS: Final = {"provider": "pulumi.dynamic", "language": "pulumi-language-python"}
"""What the command lines of these processes have."""
PAYING: Final = frozenset({"create", "create-replacement", "update"})


def crash(stand: Stand, target: Target, point: Where, number: int, chance: random.Random) -> bool:
    """
    Begin an update and cut it short; nothing of it is left when this returns.

    Args:
        stand: whose update.
        target: who is hit.
        point: when.
        number: at which of those that come to the point.
        chance: decides how long what is left behind goes on, as it would.

    Returns:
        Whether it came to the point before it ended.

    """
    if point == "create":
        command = stand.begin()
        reached = first(command, lambda: _begun(command) >= number)
        if reached:
            strike(command, target)
    else:
        trap = stand.gate.trap("accepted" if point == "returned" else point, number)
        command = stand.begin()
        reached = first(command, trap.reached.is_set)
        if reached and point == "returned":
            _return(command, target, trap)
        elif reached:
            strike(command, target)
        trap.release(lost=reached and target in {"provider", "group"})
    end(stand, command, patient=chance.random() < 0.5)
    return reached


def strike(command: Command, target: Target) -> None:
    """Kill the target, or ask it to stop."""
    if target in MARKS:
        command.kill(*command.processes(MARKS[target]))
    elif target == "engine":
        command.kill(command.process.pid)
    elif target == "group":
        command.kill()
    else:
        command.signal(signal.SIGINT)
        if target == "ctrl-c twice":
            first(command, lambda: "press ^C again" in command.said)
            command.signal(signal.SIGINT)


def _return(command: Command, target: Target, trap: Trap) -> None:
    """Let `create` return to an engine that cannot write it down any more."""
    engine = command.process.pid
    command.signal(signal.SIGSTOP, engine)
    provider = command.processes(MARKS["provider"])[-1]
    before = sockets.unread(engine, provider)
    trap.release()
    until(lambda: sockets.unread(engine, provider) > before, 0.005)
    strike(command, target)


def end(stand: Stand, command: Command, *, patient: bool) -> None:
    """Wait for the engine's end, let the others go on for a moment or not, and kill them."""
    command.wait()
    if patient:
        with suppress(AssertionError):
            until(lambda: not (stand.gate.open and command.processes()), 0.01, 0.3)
    command.kill()
    stand.project.repair()


def first(command: Command, condition: Callable[[], bool]) -> bool:
    """Wait for something while a command runs, and tell whether it came first."""
    until(lambda: condition() or not command.running, 0.002)
    return condition()


def _begun(command: Command) -> int:
    """Return how many of our resources the engine has begun to make or change."""
    steps = [event.resource_pre_event for event in tuple(command.events)]
    return sum(
        "dynamic/vod:" in step.metadata.type
        and str(getattr(step.metadata.op, "value", step.metadata.op)) in PAYING
        for step in steps
        if step is not None
    )
