"""One crash of an update, and the updates after it: no start may be paid twice."""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

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
"""`vod:resendWithin` of trials after its end, and of trials within it, in seconds."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of the matrix."""

    target: Target
    """The killed process, or a user at the keyboard."""
    point: Where
    """The point: `create` at its begin, `returned` after its end and before its record."""
    follow: Follow
    """The time of the next update: at once, or after the end of all runs."""
    rule: Rule
    """The earlier runs that a repeated start joins."""
    kind: Kind
    """The kind of the declarations."""

    def __str__(self) -> str:
        return f"{self.target} at {self.point}, {self.kind}, {self.follow}, joins {self.rule}"


def grid() -> list[Cell]:
    """Return all cells; at `returned` only a kill of the engine loses the result."""
    cells = itertools.product(TARGETS, POINTS, FOLLOWS, RULES, KINDS)
    return [
        Cell(*cell) for cell in cells if cell[1] != "returned" or cell[0] in {"engine", "group"}
    ]


@dataclass
class Result:
    """The result of a trial."""

    cell: Cell
    reached: bool = False
    """Whether the crash was at its point; otherwise the trial does not test its cell."""
    came: list[str] = field(default_factory=list)
    """The reactions of the next updates to the interrupted starts."""
    failure: str = ""


class Trial:
    """
    A trial of one cell.

    Args:
        cell: the cell.
        chance: decides all random parts.

    """

    resend: ClassVar[float] = 0.25
    """The probability that the user chooses a second send of all starts."""

    def __init__(self, cell: Cell, chance: random.Random) -> None:
        self.cell, self._chance = cell, chance
        self._count = {
            "runs": (chance.randint(2, 3), 0),
            "batch": (0, chance.randint(20, 60)),
            "both": (2, chance.randint(20, 40)),
        }[cell.kind]
        self._updates = chance.random() < 0.25
        """Whether the crash is in an update of existing runs, not in their creation."""

    def run(self, folder: Path, like: Project | None = None) -> Result:
        """Run the trial; a failure is in the result."""
        result = Result(self.cell)
        config = self._config()
        with Stand(folder, like, config, dedup=self.cell.rule) as self._stand:
            try:
                self._make(result)
            except AssertionError as error:
                result.failure = str(error) or repr(error)
        return result

    def _config(self) -> dict[str, str]:
        """Return the configuration of the stack."""
        return {"vod:resendWithin": LATER if self.cell.follow == "at once" else SOON}

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

    # -- declarations -------------------------------------------------------------------------

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
        """Draw the number of the start, among all at the point, for the crash."""
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

    # -- checks -------------------------------------------------------------------------------

    def _at_most(self, allowed: Counter[str]) -> None:
        twice = {vid: count for vid, count in self._stand.paid.items() if count > allowed[vid]}
        assert not twice, f"PAID TWICE: {twice}"

    def _succeed(self, said: Said, what: str) -> None:
        assert said.code == 0, f"{what} failed:\n{said.text}"
        promised = f"promised {said.promised}, paid {said.paid}, joined {said.joined}"
        assert said.promised == said.paid + said.joined, f"{what}: {promised}:\n{said.text}"

    def _answer(self, asked: Said) -> set[str]:
        before = self._stand.paid
        said, ways = answer(self._stand, asked, self._chance, resend=self.resend)
        self._succeed(said, "the update after the answer")
        again = {vid for vid, way in ways.items() if way == "again"}
        if "resend" in ways.values():
            again |= set(self._vids())
        never = {vid for vid in self._vids() if vid not in ways and not before[vid]}
        self._at_most(before + Counter(again | never))
        return set(ways.values())

    def _end_clean(self) -> None:
        """Check that the state has each declared run once, and that a preview changes nothing."""
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
