"""A large stack through cycles of change, preview, update, refresh and crash."""

from __future__ import annotations

import itertools
import random
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

from tests.engine.project import Project
from torture.crash import POINTS, TARGETS, crash, end, first, strike
from torture.questions import answer
from torture.stand import Inputs, Said, Stand

SOON, LATER = "1", "600"
CHANGES: Final = {
    "source": 6, "trigger": 4, "more": 4, "fewer": 4, "rename": 2, "adopt": 3, "cease": 2,
}  # fmt: skip
"""The changes between two updates, and the weight of each."""


class Soak:
    """
    A soak of one stack.

    Args:
        folder: the folder of the stack.
        chance: decides all changes.
        size: the number of runs at first: a third are resources, the other ones items.
        like: another stack, as a template; saves time.

    """

    def __init__(
        self, folder: Path, chance: random.Random, size: int, like: Project | None = None
    ) -> None:
        self._folder, self._chance, self._size, self._like = folder, chance, size, like
        self._numbers = itertools.count(1)
        self._owed: dict[str, str | None] = {}
        """Names that require a new run -> the run before the change."""
        self._gone: list[Inputs] = []
        """Inputs and ids of removed runs."""
        self.told = Counter[str]()
        """The changes so far."""

    def run(self, cycles: int, minutes: float) -> None:
        """
        Run the cycles, as many as the time allows.

        Raises:
            AssertionError: ledger and state differ.

        """
        until = time.monotonic() + minutes * 60
        with Stand(self._folder, self._like, {"vod:resendWithin": LATER}) as self._stand:
            for number in range(self._size):
                self._add(run=number < self._size / 3)
            for cycle in range(1, cycles + 1):
                if time.monotonic() > until:
                    break
                self._cycle(new=cycle == 1)
                self.told["cycles"] += 1
                if cycle % 5 == 0 or cycle == cycles:
                    self._print()

    def _print(self) -> None:
        declared = self._stand.declared
        told = ", ".join(f"{count} {what}" for what, count in self.told.items())
        print(
            f"{len(declared.runs)} runs and {len(declared.items)} items are declared, "
            f"{len(self._stand.ledger)} are paid; {told}",
            flush=True,
        )

    def _cycle(self, *, new: bool) -> None:
        """Change the program; check the cost in the preview, and that the update pays once."""
        stand, chance = self._stand, self._chance
        if not new:
            for _ in range(chance.randint(1, max(2, self._size // 12))):
                self._change()
            if chance.random() < 0.5:
                stand.emulator.advance(chance.choice([500, 1500]))
        if chance.random() < 0.5:
            self._crash()
        elif chance.random() < 0.3:
            self._refuse()
        complete = self._settle(stand.up())
        for inputs in stand.declared.runs.values():
            inputs.pop("alias", None)
        refreshed = stand.ids
        stand.project.command("refresh", "--yes", "--skip-preview", "--stack", stand.project.stack)
        assert stand.ids == refreshed, "a refresh has started something"
        self._agree(complete=complete)

    # -- changes ------------------------------------------------------------------------------

    def _change(self) -> None:
        declared, chance = self._stand.declared, self._chance
        [what] = chance.choices(list(CHANGES), list(CHANGES.values()))
        name = chance.choice(sorted(declared.all))
        inputs, adopted = declared.all[name], "existing_run_id" in declared.all[name]
        match what:
            case "more":
                self._add(run=chance.random() < 0.3)
            case "adopt" if self._gone:
                found = self._gone.pop(chance.randrange(len(self._gone)))
                run = found.pop("run", None) is not None
                (declared.runs if run else declared.items)[self._name(run=run)] = found
            case "cease" if adopted:
                del inputs["existing_run_id"]
            case "fewer" if len(declared.all) > self._size // 2 and len(declared.items) > 1:
                self._remove(name)
            case "rename" if name in declared.runs and "alias" not in inputs:
                new = self._name(run=True)
                declared.runs[new] = {**declared.runs.pop(name), "alias": name}
                if name in self._owed:
                    self._owed[new] = self._owed.pop(name)
            case "source" if not adopted:
                inputs["vid"] = f"{name}-{next(self._numbers)}"
                self._owe(name)
            case "trigger" if not adopted:
                inputs["triggers"] = {**inputs.get("triggers", {}), "t": str(next(self._numbers))}
                self._owe(name)
            case _:
                return
        self.told[what] += 1

    def _name(self, *, run: bool) -> str:
        return f"{'r' if run else 'k'}{next(self._numbers):05}"

    def _add(self, *, run: bool) -> None:
        declared, name = self._stand.declared, self._name(run=run)
        inputs: Inputs = {"vid": f"{name}-{next(self._numbers)}"}
        if run:
            declared.runs[name] = {**inputs, "template_id": "t"}
        else:
            declared.items[name] = inputs
        self._owed[name] = None

    def _owe(self, name: str) -> None:
        alias = self._stand.declared.all[name].get("alias", name)
        self._owed.setdefault(name, self._stand.recorded.get(alias))

    def _remove(self, name: str) -> None:
        run_id, inputs = self._stand.recorded.get(name), self._stand.declared.all[name]
        if run_id is not None and name not in self._owed and set(inputs) <= {"vid", "template_id"}:
            run = {"run": True} if name in self._stand.declared.runs else {}
            self._gone.append({**inputs, **run, "existing_run_id": run_id})
        self._stand.declared.remove(name)
        self._owed.pop(name, None)

    # -- failures -----------------------------------------------------------------------------

    def _refuse(self) -> None:
        """Make the service reject some of the next starts."""
        times = self._chance.randint(1, 4)
        self._stand.emulator.fault(
            action="StartWorkflow", kind="http", code="InvalidParameter", times=times
        )

    def _crash(self) -> None:
        """Interrupt an update, at a point of a start or at any moment, and update again."""
        stand, chance = self._stand, self._chance
        before, late = stand.ids, chance.random() < 0.3
        stand.project.configure(vod_resendWithin=SOON if late else LATER)
        target = chance.choice(TARGETS)
        if self._owed and chance.random() < 0.5:
            point = chance.choice([point for point in POINTS if point != "returned"])
            number = chance.randint(1, 1 + len(self._owed) // 4)
            what, reached = "crashes at a start", crash(stand, target, point, number, chance)
        else:
            command = stand.begin()
            moment = time.monotonic() + chance.uniform(0.2, 3.0)
            first(command, lambda: time.monotonic() > moment)
            what, reached = "crashes at any moment", command.running
            strike(command, target)
            end(stand, command, patient=chance.random() < 0.5)
        self.told[what] += reached
        assert len(stand.ids - before) <= len(self._owed), f"it paid more than {self._owed}"
        if late:
            stand.emulator.advance(5000)
            time.sleep(float(SOON) + 0.1)
        self._forgive()

    def _forgive(self) -> None:
        """Read the records of the interrupted update."""
        recorded = self._stand.recorded
        for name, old in list(self._owed.items()):
            if recorded.get(name) not in {None, old}:
                del self._owed[name]

    # -- checks -------------------------------------------------------------------------------

    def _settle(self, said: Said) -> bool:
        """
        Compare an update with its preview, and choose for unknown outcomes.

        Returns:
            Whether the update is complete: a rejected run may stop it early.

        """
        stand = self._stand
        if said.questions:
            said, ways = answer(stand, said, self._chance, resend=0.0)
            self.told["questions"] += len(ways)
            for name in list(self._owed):
                inputs = stand.declared.all.get(name)
                if inputs is None or ways.get(inputs["vid"]) == "adopt":
                    del self._owed[name]
        spent = said.paid + said.joined + said.refused
        books = (
            f"owed {len(self._owed)}, promised {said.promised}, paid {said.paid}, joined "
            f"{said.joined}, refused {said.refused}:\n{said.text}"
        )
        assert said.updated, books
        assert said.promised <= len(self._owed), books
        self.told["taken over"] += len(self._owed) - said.promised
        if said.code == 0:
            assert said.promised == spent, books
        else:
            assert said.refused, books
            assert said.promised >= spent, books
        stand.emulator.fault(action="StartWorkflow", kind="http", times=0)
        for what in ("promised", "paid", "joined", "refused"):
            self.told[what] += getattr(said, what)
        self._forgive()
        if said.code == 0 and not said.refused:
            assert not self._owed, f"without a run: {self._owed}:\n{said.text}"
        return said.code == 0

    def _agree(self, *, complete: bool) -> None:
        """Check that the ledger has no start twice, and every run of the state."""
        ledger, recorded = self._stand.ledger, self._stand.recorded
        tokens = Counter(start["clientToken"] for start in ledger)
        twice = [start for start in ledger if tokens[start["clientToken"]] > 1]
        assert not twice, f"PAID TWICE: {twice}"
        unknown = set(recorded.values()) - self._stand.ids
        assert not unknown, f"the state has runs that the ledger has not: {unknown}"
        declared = self._stand.declared.all
        missing = set(declared) - set(recorded) - set(self._owed)
        if not complete:
            missing -= {name for name in missing if "existing_run_id" in declared[name]}
        assert not missing, f"without a run: {missing}"


def soak(seed: int, size: int, cycles: int, minutes: float) -> bool:
    """Run one soak and print its progress; return whether all checks passed."""
    with tempfile.TemporaryDirectory(prefix="torture-") as name:
        tried = Soak(Path(name) / "soak", random.Random(seed), size)  # noqa: S311 - not for secrets
        try:
            tried.run(cycles, minutes)
        except AssertionError as error:
            print(f"FAILED after {dict(tried.told)}: {error}")
            print(f'seed {seed}; again: make torture ARGS="soak --seed {seed}"')
            return False
    print(f"seed {seed}: the books agree")
    return True
