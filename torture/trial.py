"""One crash of an update, and what the updates after it do: nothing may be paid twice."""

from __future__ import annotations

import itertools
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from tests.engine.project import Command, Project, until
from torture import sockets
from torture.gate import Trap
from torture.stand import THREE_WAYS, Said, Stand

Target = Literal["provider", "language", "engine", "group", "ctrl-c", "ctrl-c twice"]
Where = Literal["create", "connect", "sent", "accepted", "answered", "returned"]
Follow = Literal["at once", "ended"]
Kind = Literal["runs", "batch", "both"]
Rule = Literal["unfinished", "finished"]

TARGETS: Final[tuple[Target, ...]] = (
    "provider", "language", "engine", "group", "ctrl-c", "ctrl-c twice",
)  # fmt: skip
POINTS: Final[tuple[Where, ...]] = (
    "create", "connect", "sent", "accepted", "answered", "returned",
)  # fmt: skip
FOLLOWS: Final[tuple[Follow, ...]] = ("at once", "ended")
RULES: Final[tuple[Rule, ...]] = ("unfinished", "finished")
KINDS: Final[tuple[Kind, ...]] = ("runs", "batch", "both")
MARKS: Final = {"provider": "pulumi.dynamic", "language": "pulumi-language-python"}
"""What the command lines of these processes have."""
FREE: Final = ("adopt", "adopt", "again", "forget")
"""Ways on where the ledger has a run that may be adopted."""
OTHER: Final = ("again", "forget")
"""Ways on where there is none."""
SOON, LATER = "1", "600"
"""`vod:resendWithin` of a trial that is to go beyond it, and of one that is not."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of the matrix."""

    target: Target
    """Who is killed, or asked to stop."""
    point: Where
    """When: `create` as the engine begins one, `returned` when one is done but not recorded."""
    follow: Follow
    """When the next update comes: at once, or when all runs have ended."""
    rule: Rule
    """Which earlier runs the service lets a repeated start join."""
    kind: Kind
    """What is declared."""

    def __str__(self) -> str:
        return f"{self.target} at {self.point}, {self.kind}, {self.follow}, joins {self.rule}"


def grid() -> list[Cell]:
    """Return all cells; a process that has returned can only be lost with the engine."""
    cells = itertools.product(TARGETS, POINTS, FOLLOWS, RULES, KINDS)
    return [
        Cell(*cell) for cell in cells if cell[1] != "returned" or cell[0] in {"engine", "group"}
    ]


@dataclass
class Result:
    """What became of a trial."""

    cell: Cell
    reached: bool = False
    """Whether the crash came at its point; if not the trial says nothing about its cell."""
    came: list[str] = field(default_factory=list)
    """How it came out: what the next updates did about the starts in question."""
    failure: str = ""


class Trial:
    """
    A trial; all that is left to chance is drawn from `chance`.

    Args:
        cell: what is tried.
        chance: decides the rest.

    """

    def __init__(self, cell: Cell, chance: random.Random) -> None:
        self.cell, self._chance = cell, chance
        self._count = {
            "runs": (chance.randint(2, 3), 0),
            "batch": (0, chance.randint(20, 60)),
            "both": (2, chance.randint(20, 40)),
        }[cell.kind]
        self._updates = chance.random() < 0.25
        """Whether the crash comes in an update of what there is, not in its creation."""

    def run(self, folder: Path, like: Project | None = None) -> Result:
        """Make the trial; a failure is in the result."""
        result = Result(self.cell)
        within = LATER if self.cell.follow == "at once" else SOON
        with Stand(folder, like, {"vod:resendWithin": within}, dedup=self.cell.rule) as self._stand:
            try:
                self._make(result)
            except AssertionError as error:
                result.failure = str(error) or repr(error)
        return result

    def _make(self, result: Result) -> None:
        if self._updates:
            self._declare("old")
            self._succeed(self._stand.up(), "the first update")
        self._declare("new")
        before = self._stand.paid
        result.reached = self._crash()
        self._stand.project.unlock()
        if self.cell.follow == "ended":
            self._stand.emulator.advance(5000)
            time.sleep(float(SOON) + 0.1)
        once = dict.fromkeys(self._vids(), 1)
        self._at_most(before + Counter(once))
        said = self._stand.up()
        if said.questions:
            self._ask_rightly(said)
            result.came.append("asked: " + self._answer(said))
        else:
            self._succeed(said, "the update after the crash")
            result.came.append("joined" if said.joined else "paid" if said.paid else "free")
            self._at_most(before + Counter(once))
        self._end_clean()

    # -- what is declared ---------------------------------------------------------------------

    def _declare(self, generation: str) -> None:
        runs, items = self._count
        declared = self._stand.declared
        for number in range(runs):
            name = f"r{number}"
            declared.runs[name] = {"vid": f"{name}-{generation}", "template_id": "t"}
        for number in range(items):
            name = f"k{number:03}"
            declared.items[name] = {"vid": f"{name}-{generation}"}

    def _vids(self) -> list[str]:
        return [inputs["vid"] for inputs in self._stand.declared.all.values()]

    # -- the crash ----------------------------------------------------------------------------

    def _crash(self) -> bool:
        """Begin the update and let the worst happen; tell whether it came at its point."""
        starts, point = sum(self._count), self.cell.point
        if point == "create":
            number = self._chance.randint(1, min(starts, self._count[0] + bool(self._count[1])))
            command = self._stand.begin()
            reached = _first(command, lambda: _creates(command) >= number)
            if reached:
                self._strike(command)
        else:
            number = self._chance.randint(1, 2 if point == "connect" else starts)
            if point == "returned" and self.cell.kind == "batch":
                number = starts  # it returns once all is done
            trap = self._stand.gate.trap("accepted" if point == "returned" else point, number)
            command = self._stand.begin()
            reached = _first(command, trap.reached.is_set)
            if reached and point == "returned":
                self._return(command, trap)
            elif reached:
                self._strike(command, trap)
            trap.release()
        command.wait()
        # What was left behind may go on for a moment, as it would.
        if self._chance.random() < 0.5:
            with suppress(AssertionError):
                until(lambda: not self._stand.gate.open or not command.processes(), 0.01, 0.3)
        command.kill()
        return reached

    def _strike(self, command: Command, trap: Trap | None = None) -> None:
        """Kill the target, or ask it to stop; what was on its way is lost with its sender."""
        target = self.cell.target
        if target in MARKS:
            command.kill(*command.processes(MARKS[target]))
        elif target == "engine":
            command.kill(command.process.pid)
        elif target == "group":
            command.kill()
        else:
            command.signal(signal.SIGINT)
            if target == "ctrl-c twice":
                _first(command, lambda: "press ^C again" in command.said)
                command.signal(signal.SIGINT)
        if trap:
            trap.release(lost=target in {"provider", "group"})

    def _return(self, command: Command, trap: Trap) -> None:
        """Let `create` return to an engine that cannot write it down any more."""
        engine = command.process.pid
        command.signal(signal.SIGSTOP, engine)
        [provider] = command.processes(MARKS["provider"])[-1:]
        before = sockets.unread(engine, provider)
        trap.release()
        until(lambda: sockets.unread(engine, provider) > before, 0.005)
        command.kill(*([engine] if self.cell.target == "engine" else []))

    # -- what must hold -----------------------------------------------------------------------

    def _at_most(self, allowed: Counter[str]) -> None:
        twice = {vid: count for vid, count in self._stand.paid.items() if count > allowed[vid]}
        assert not twice, f"PAID TWICE: {twice}"

    def _succeed(self, said: Said, what: str) -> None:
        assert said.code == 0, f"{what} failed:\n{said.text}"
        promised = f"promised {said.promised}, paid {said.paid}, joined {said.joined}"
        assert said.promised == said.paid + said.joined, f"{what}: {promised}:\n{said.text}"

    def _ask_rightly(self, said: Said) -> None:
        assert said.code != 0, said.text
        assert not said.updated, f"a question must be put by the preview:\n{said.text}"
        assert (said.paid, said.joined) == (0, 0), f"it asked and paid:\n{said.text}"
        assert self.cell.follow == "ended", f"it asked at once:\n{said.text}"
        for way in THREE_WAYS:
            assert way in said.text, f"it does not name {way!r}:\n{said.text}"

    def _answer(self, asked: Said) -> str:
        """Answer for all that is asked about in one of the ways, drawn by chance, and update."""
        stand, declared = self._stand, self._stand.declared
        before = stand.paid
        again: dict[str, int] = {}
        ways: set[str] = set()
        everyone = self._chance.choice(["resend", "each", "each", "each"])
        if everyone == "resend":
            stand.project.configure(vod_resendWithin=LATER)
        for name in sorted(asked.questions):
            inputs = declared.all[name]
            exists = stand.runs_of(inputs["vid"])
            way = self._chance.choice(FREE if exists else OTHER)
            way = "resend" if everyone == "resend" else way
            ways.add(way)
            if way == "adopt":
                inputs["existing_run_id"] = exists[-1]
            elif way == "again":
                inputs["triggers"] = {"again": "1"}
            elif way == "forget":
                declared.remove(name)
            again[inputs["vid"]] = int(way in {"again", "resend"})
        said = stand.up()
        self._succeed(said, f"the update after the answer ({', '.join(sorted(ways))})")
        never = set(self._vids()) - set(again)
        gained = stand.paid - before
        for vid, count in gained.items():
            limit = again.get(vid, int(vid in never and not before[vid]))
            assert count <= limit, f"PAID TWICE: {vid} gained {count}:\n{said.text}"
        return ", ".join(sorted(ways))

    def _end_clean(self) -> None:
        """Everything declared is there, once, with a paid run's id; and nothing is left to do."""
        stand = self._stand
        recorded, declared = stand.recorded, stand.declared.all
        assert set(recorded) == set(declared), f"recorded {recorded}, declared {declared}"
        wrong: dict[str, Any] = {
            name: recorded[name]
            for name, inputs in declared.items()
            if recorded[name] != stand.runs_of(inputs["vid"])[-1]
        }
        assert not wrong, f"the state has other runs than the ledger: {wrong}"
        ids = stand.ids
        said = stand.preview()
        assert said.code == 0, said.text
        assert (said.promised, said.changed) == (0, []), f"it does not come clean:\n{said.text}"
        assert stand.ids == ids


def _first(command: Command, condition: Callable[[], bool]) -> bool:
    """Wait for something while a command runs, and tell whether it came first."""
    until(lambda: condition() or not command.running, 0.002)
    return condition()


def _creates(command: Command) -> int:
    """Return how many of our resources the engine has begun to make or change."""
    steps = [event.resource_pre_event for event in tuple(command.events)]
    return sum(
        step is not None
        and "dynamic/vod:" in step.metadata.type
        and str(getattr(step.metadata.op, "value", step.metadata.op))
        in {"create", "create-replacement", "update"}
        for step in steps
    )
