"""
Updates that are interrupted on runner A and repeated on runner B, with each store of the journal.

The runners share the state of the stack, and the journal if its store is shared. Each declared run
is paid once, unless the user chooses to start it again. No run is lost, and no question is about a
run whose RunId the shared journal has.
"""

from __future__ import annotations

import itertools
import os
import random
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal
from unittest.mock import patch

import pytest

from pulumi_vod_workflow.journal.opening import new_journal
from tools.engine.find_or_install import EngineError
from torture.crash import POINTS, Target, Where, crash, end, first, strike
from torture.gate import Point
from torture.matrix import Plan
from torture.stand import Said
from torture.trial import FOLLOWS, RULES, SOON, Cell, Kind, Result, Trial

Store = Literal["shared file", "own file", "objects", "postgres"]
Handover = Literal["lease", "cancel", "beside"]

STORES: Final[tuple[Store, ...]] = ("shared file", "own file", "objects", "postgres")
"""The journal: a file beside the state, a file of each runner, a bucket, or a database."""
HANDOVERS: Final[tuple[Handover, ...]] = ("lease", "cancel", "beside")
"""
The end of A's lock: without a command, as on Pulumi Cloud, or by `pulumi cancel` after A's end.

`beside` is a `pulumi cancel` while A still waits for an answer.
"""
ONE_BY_ONE: Final[tuple[Handover, ...]] = ("lease", "cancel")
LOST: Final[tuple[Target, ...]] = ("engine", "group")
"""The killed processes of A: its engine, or all of them, as if the machine was lost."""
KINDS: Final[tuple[Kind, ...]] = ("runs", "batch")
HELD: Final[tuple[Where, ...]] = ("sent", "accepted")
"""The points at which a start of A can wait while B updates."""
BESIDE: Final[tuple[Target, ...]] = (*LOST, "nothing")
UPDATES: Final = 3
"""The most updates of B until none waits for an answer to A."""
WAITS: Final = "another update is starting th"  # this run, these runs
"""A text of updates that wait for the answer to a start of another machine."""
NewJournal = Callable[[], str]
"""Makes an empty journal, and returns its URL."""


@dataclass(frozen=True, slots=True)
class RunnerCell(Cell):
    """One place of the matrix."""

    store: Store = "shared file"
    handover: Handover = "cancel"

    def __str__(self) -> str:
        return f"{self.store}, {self.handover}: {Cell.__str__(self)}"


def grid_of(store: Store) -> list[RunnerCell]:
    """Return all cells of a store."""
    ways: list[tuple[Handover, Target, Where]] = [
        *itertools.product(ONE_BY_ONE, LOST, POINTS),
        *(("beside", target, point) for target, point in itertools.product(BESIDE, HELD)),
    ]
    return [
        RunnerCell(target, point, follow, rule, kind, store, handover)
        for (handover, target, point), follow, rule, kind in itertools.product(
            ways, FOLLOWS, RULES, KINDS
        )
    ]


class RunnerTrial(Trial):
    """
    A trial of one cell.

    Args:
        cell: the cell.
        chance: decides all random parts.
        new_journal: makes an empty journal and returns its URL; unused for files.

    """

    cell: RunnerCell
    resend = 0.0  # the user's choice of a second send of all starts may pay twice

    def __init__(
        self, cell: RunnerCell, chance: random.Random, new_journal: NewJournal | None = None
    ) -> None:
        super().__init__(cell, chance)
        self._new_journal = new_journal
        runs, items = chance.randint(1, 2), chance.randint(4, 12)
        self._count = (runs, 0) if cell.kind == "runs" else (0, items)
        self._updates = chance.random() < 0.15

    def _config(self) -> dict[str, str]:
        config = super()._config()
        if self.cell.store == "own file":
            # Relative to the program: runner B must not find the file of runner A.
            return {**config, "vod:journal": "journal.sqlite3"}
        return {**config, "vod:journal": self._new_journal()} if self._new_journal else config

    def _make(self, result: Result) -> None:
        stand, cell, chance = self._stand, self.cell, self._chance
        if self._updates:
            self._declare("old")
            self._succeed(stand.up(), "the first update")
        self._declare("new")
        before = stand.paid
        stand.project.has_leases = cell.handover == "lease"
        if cell.handover == "beside":
            said = self._beside(result)
        else:
            result.reached = crash(stand, cell.target, cell.point, self._number(), chance)
            self._end_runs()
            self._move()
            said = self._settle()
        allowed = before + Counter(dict.fromkeys(self._vids(), 1))
        self._at_most(allowed)
        if said.questions:
            ways = self._answer(said)
            result.came.append("asked: " + ", ".join(sorted(ways)))
        else:
            result.came.append("joined" if said.joined else "paid" if said.paid else "free")
        self._end_clean()

    def _beside(self, result: Result) -> Said:
        """Update on B while A waits for an answer, then let A end."""
        stand, cell = self._stand, self.cell
        point: Point = "sent" if cell.point == "sent" else "accepted"
        trap = stand.gate.trap(point, self._number())
        a = stand.begin()
        result.reached = first(a, trap.reached.is_set)
        self._end_runs()
        written = self._written()
        self._move()
        stand.project.repair()  # `pulumi cancel`
        b = stand.begin_with_preview()
        if self._chance.random() < 0.5:
            first(b, lambda: sum(event.prelude_event is not None for event in [*b.events]) > 1)
        strike(a, cell.target)
        trap.release(lost=cell.target == "group")
        said = stand.end(b)
        self._asks_rightly(said, written)
        end(stand, a, patient=cell.target == "engine")
        return self._settle()  # A and B may have written the same state

    def _settle(self) -> Said:
        """Update on B until nothing is left, or the preview asks."""
        stand, said = self._stand, None
        for _ in range(UPDATES):
            written = self._written()
            said = stand.up()
            self._asks_rightly(said, written)
            if said.questions and not said.updated:
                return said
            if said.code == 0 and self._is_complete():
                if WAITS not in said.text:  # the answer to A decides about such a start
                    self._succeed(said, "the update on B")
                return said
            assert WAITS in said.text, f"the update on B failed:\n{said.text}"
        raise AssertionError(f"B still waits for A:\n{said and said.text}")

    def _is_complete(self) -> bool:
        """Return whether the state has a run of each declaration, and not of an earlier one."""
        recorded = self._stand.recorded
        return all(
            recorded.get(name) in self._stand.runs_of(inputs["vid"])
            for name, inputs in self._stand.declared.all.items()
        )

    def _end_runs(self) -> None:
        if self.cell.follow == "ended":
            self._stand.emulator.advance(5000)
            time.sleep(float(SOON) + 0.1)

    def _move(self) -> None:
        """Go on at runner B; a file of runner A stays there."""
        folder = self._stand.folder.with_name(f"{self._stand.folder.name}-b")
        self._stand.move(folder)

    # -- checks -------------------------------------------------------------------------------

    def _written(self) -> set[str]:
        """Return the runs whose RunIds the state or a shared journal has."""
        found = set(self._stand.recorded.values())
        if self.cell.store != "own file" or self._stand.folder.name.endswith("-b"):
            records = new_journal(self._stand.project.journal).list_stack("project", "dev")
            found |= {record.run["runId"] for record in records if record.run}
        return found

    def _asks_rightly(self, said: Said, written: set[str]) -> None:
        """Check that no question is about a run whose RunId has been written."""
        declared = self._stand.declared.all
        wrong = {
            name: runs
            for name in said.questions
            if (runs := {*self._stand.runs_of(declared[name]["vid"])} & written)
        }
        assert not wrong, f"it asks about runs whose RunIds are known, {wrong}:\n{said.text}"


def store_of(number: int) -> Store:
    """Return the store of a trial: all stores by turns."""
    return STORES[number % len(STORES)]


def trial(seed: int, number: int, stores: Mapping[Store, NewJournal | None]) -> RunnerTrial:
    """Return the trial of this number: each cell of its store by turns."""
    store, round_ = store_of(number), number // len(STORES)
    cells = grid_of(store)
    random.Random(f"{seed}/{store}").shuffle(cells)  # noqa: S311 - not for secrets
    chance = random.Random(f"{seed}/{number}")  # noqa: S311
    return RunnerTrial(cells[round_ % len(cells)], chance, stores[store])


def open_stores(
    servers: ExitStack, wanted: Sequence[Store] = STORES
) -> dict[Store, NewJournal | None]:
    """Open stores as `open_store` does; a line reports each store that is not available."""
    made: dict[Store, NewJournal | None] = {}
    for store in wanted:
        try:
            made[store] = open_store(store, servers)
        except pytest.skip.Exception as reason:
            print(f"no trials of {store}: {reason}")
    return made


def open_store(store: Store, servers: ExitStack) -> NewJournal | None:
    """
    Start the server of a store, if it has one.

    Args:
        store: the store.
        servers: ends the server.

    Returns:
        A function that makes a journal; `None` for files.

    Raises:
        pytest.skip.Exception: without the server's program.

    """
    # Each is imported here: without the library of one store the others have their trials.
    if store == "objects":
        from tests.servers.s3 import S3Server  # noqa: PLC0415
        from tools.object_servers import S3, find_or_install  # noqa: PLC0415

        try:
            executable = find_or_install(S3, os.environ)
        except EngineError as error:
            pytest.skip(f"no S3 server: {error}")
        folder = Path(servers.enter_context(tempfile.TemporaryDirectory(prefix="s3-")))
        s3 = servers.enter_context(S3Server(executable, folder))
        servers.enter_context(patch.dict(os.environ, s3.environ()))
        bucket = s3.bucket()
        return lambda: s3.url(bucket, f"/{uuid.uuid4().hex}")
    if store == "postgres":
        from tests.servers.postgres import PostgresServer  # noqa: PLC0415

        postgres = servers.enter_context(PostgresServer())
        return lambda: postgres.url(postgres.new_database())
    return None


def _row(cell: Cell) -> tuple[Store, Handover] | None:
    return (cell.store, cell.handover) if isinstance(cell, RunnerCell) else None


def table(results: Sequence[Result]) -> str:
    """Return how often each store and handover came to its point, and how it came out."""
    lines = ["Trials that came to their point, for each store and end of runner A's lock:", ""]
    for row in itertools.product(STORES, HANDOVERS):
        mine = [result for result in results if _row(result.cell) == row]
        if mine:
            came = Counter(came for result in mine for came in result.came)
            outcomes = ", ".join(f"{count} {what}" for what, count in came.most_common())
            reached = sum(result.reached for result in mine)
            lines.append(f"{row[0]:12} {row[1]:7} {reached:4} of {len(mine):4}: {outcomes}")
    return "\n".join(lines)


def plan(stores: Mapping[Store, NewJournal | None]) -> Plan:
    """Return the trials of some stores."""
    return Plan("runners", partial(trial, stores=stores), table)
