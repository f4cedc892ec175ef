"""One crash of an update, and what the updates after it do: nothing may be paid twice."""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from tests.engine.project import Project
from torture.crash import POINTS, TARGETS, Target, Where, crash
from torture.questions import answer
from torture.stand import Said, Stand

Follow = Literal["at once", "ended"]
Kind = Literal["runs", "batch", "both"]
Rule = Literal["unfinished", "finished"]

FOLLOWS: Final[tuple[Follow, ...]] = ("at once", "ended")
RULES: Final[tuple[Rule, ...]] = ("unfinished", "finished")
KINDS: Final[tuple[Kind, ...]] = ("runs", "batch", "both")
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
        cell = self.cell
        result.reached = crash(self._stand, cell.target, cell.point, self._number(), self._chance)
        if self.cell.follow == "ended":
            self._stand.emulator.advance(5000)
            time.sleep(float(SOON) + 0.1)
        once = dict.fromkeys(self._vids(), 1)
        self._at_most(before + Counter(once))
        said = self._stand.up()
        if said.questions:
            assert cell.follow == "ended", f"it asked at once:\n{said.text}"
            result.came.append("asked: " + ", ".join(sorted(self._answer(said))))
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

    def _number(self) -> int:
        """Draw at which of all that come to the point the crash comes."""
        runs, items = self._count
        match self.cell.point:
            case "create":
                most = runs + bool(items)
            case "connect":
                most = 2  # connections are used again
            case "returned" if not runs:
                return items  # a batch returns once all is done
            case _:
                most = runs + items
        return self._chance.randint(1, most)

    # -- what must hold -----------------------------------------------------------------------

    def _at_most(self, allowed: Counter[str]) -> None:
        twice = {vid: count for vid, count in self._stand.paid.items() if count > allowed[vid]}
        assert not twice, f"PAID TWICE: {twice}"

    def _succeed(self, said: Said, what: str) -> None:
        assert said.code == 0, f"{what} failed:\n{said.text}"
        promised = f"promised {said.promised}, paid {said.paid}, joined {said.joined}"
        assert said.promised == said.paid + said.joined, f"{what}: {promised}:\n{said.text}"

    def _answer(self, asked: Said) -> set[str]:
        before = self._stand.paid
        said, ways = answer(self._stand, asked, self._chance)
        self._succeed(said, "the update after the answer")
        again = {vid for vid, way in ways.items() if way == "again"}
        if "resend" in ways.values():
            again |= set(self._vids())
        never = {vid for vid in self._vids() if vid not in ways and not before[vid]}
        self._at_most(before + Counter(again | never))
        return set(ways.values())

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
