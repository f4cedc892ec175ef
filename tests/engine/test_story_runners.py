"""
Updates that are killed on one machine and repeated on another one, with each store of the journal.

A short part of `make torture ARGS=runners`: the same trials, at points with a known outcome.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.engine.project import Project
from torture.runners import NewJournal, RunnerCell, RunnerTrial

CELLS = [
    (RunnerCell("group", "accepted", "at once", "unfinished", "batch"), "joined"),
    (RunnerCell("nothing", "accepted", "ended", "finished", "runs", handover="beside"), "free"),
    (RunnerCell("group", "accepted", "ended", "unfinished", "batch", "own file"), "asked"),
    (RunnerCell("engine", "sent", "at once", "finished", "runs", "own file", "lease"), "joined"),
]


@pytest.mark.parametrize(
    ("cell", "comes"), CELLS, ids=lambda value: str(value).replace(" ", "-").replace(",", "")
)
def test_what_one_machine_began_another_ends_without_a_second_payment(
    tmp_path: Path, like: Project, cell: RunnerCell, comes: str
) -> None:
    new_journal: NewJournal | None = None
    result = RunnerTrial(cell, random.Random(2), new_journal).run(tmp_path / "trial", like)
    assert not result.failure, result.failure
    assert result.reached
    [came] = result.came
    assert came.startswith(comes)
