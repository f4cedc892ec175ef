"""The crash matrix: trials of all cells in an order drawn from the seed, some at a time."""

from __future__ import annotations

import random
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final

from tests.engine.hosts import HostName
from tests.engine.project import Project
from torture.crash import POINTS, TARGETS
from torture.trial import FOLLOWS, KINDS, RULES, Cell, Result, Trial, grid


def trial(seed: int, number: int) -> Trial:
    """Return the trial of this number: each cell has its turn before the first comes again."""
    cells = grid()
    random.Random(f"{seed}/cells").shuffle(cells)  # noqa: S311 - not for secrets
    return Trial(cells[number % len(cells)], random.Random(f"{seed}/{number}"))  # noqa: S311


@dataclass(frozen=True, slots=True)
class Plan:
    """A kind of trials."""

    name: str
    """The name on the command line."""
    trial: Callable[[int, int], Trial]
    """Seed and number -> the trial."""
    table: Callable[[Sequence[Result]], str]
    """All results -> the text that sums them up."""


class Matrix:
    """
    A run of many trials.

    Args:
        plan: the kind of the trials.
        seed: the seed of all trials.
        numbers: the numbers of the trials.
        jobs: the number of parallel trials.
        minutes: the time after which no further trial begins.
        host: the host of the resources.

    """

    def __init__(
        self,
        plan: Plan,
        seed: int,
        numbers: Sequence[int],
        jobs: int,
        minutes: float,
        *,
        host: HostName = "dynamic",
    ) -> None:
        self._host = host
        self._plan, self._seed, self._numbers, self._jobs = plan, seed, numbers, jobs
        self._end = time.monotonic() + minutes * 60
        self._lock = threading.Lock()
        self.results: dict[int, Result] = {}

    def run(self) -> bool:
        """Run the trials and print their results; return whether all succeeded."""
        with (
            tempfile.TemporaryDirectory(prefix="torture-") as name,
            ThreadPoolExecutor(self._jobs) as pool,
        ):
            folder = Path(name)
            like = Project(folder / "like", "http://127.0.0.1:1", host=self._host)
            for number in self._numbers:
                pool.submit(self._try, number, folder / str(number), like)
            pool.shutdown()
        print(self._plan.table([*self.results.values()]))
        failed = {number: result for number, result in self.results.items() if result.failure}
        missed = sum(not result.reached for result in self.results.values())
        print(
            f"seed {self._seed}: {len(self.results)} of {len(self._numbers)} trials, "
            f"{missed} missed their point, {len(failed)} failed"
        )
        for number, result in sorted(failed.items()):
            print(f"  failed: {number}: {result.cell}: {self.again(number)}")
        return not failed

    def again(self, number: int) -> str:
        """Return the command that repeats one trial."""
        host = "" if self._host == "dynamic" else f" --host {self._host}"
        return f'make torture ARGS="{self._plan.name}{host} --seed {self._seed} --trial {number}"'

    def _try(self, number: int, folder: Path, like: Project) -> None:
        if time.monotonic() > self._end:
            return
        tried = self._plan.trial(self._seed, number)
        begun = time.monotonic()
        try:
            result = tried.run(folder, like)
        except Exception:  # noqa: BLE001 - an error of the harness is a failure, too
            result = Result(tried.cell, failure=traceback.format_exc())
        with self._lock:
            self.results[number] = result
            came = "FAILED" if result.failure else ", ".join(result.came)
            reached = "" if result.reached else " (missed its point)"
            took = time.monotonic() - begun
            print(f"{number:4} {result.cell}: {came}{reached} {took:.1f} s", flush=True)
            if result.failure:
                print(f"{result.failure}\nseed {self._seed}; alone: {self.again(number)}")
                sys.stdout.flush()


def table(results: Sequence[Result]) -> str:
    """Return how often each cell was reached, and how it came out."""
    hits = Counter(result.cell for result in results if result.reached)
    missed = Counter((r.cell.target, r.cell.point) for r in results if not r.reached)
    columns = list(product(FOLLOWS, RULES, KINDS))
    lines = ["Trials that came to their point, by what is declared (runs / batch / both):", ""]
    heads = [f"{follow}, joins {rule}" for follow, rule in product(FOLLOWS, RULES)]
    lines.append(f"{'':24}" + "".join(f"{head:>27}" for head in heads) + f"{'missed':>8}")
    for target, point in product(TARGETS, POINTS):
        counts = [hits[Cell(target, point, *column)] for column in columns]
        if not sum(counts) and not missed[target, point]:
            continue
        groups = [" / ".join(map(str, counts[at : at + 3])) for at in range(0, len(counts), 3)]
        row = f"{f'{target} at {point}':24}" + "".join(f"{group:>27}" for group in groups)
        lines.append(row + f"{missed[target, point] or '':>8}")
    came = Counter(came for result in results for came in result.came)
    lines += ["", *(f"{count:5} {what}" for what, count in came.most_common())]
    return "\n".join(lines)


PLAN: Final = Plan("matrix", trial, table)
"""The crash matrix."""
