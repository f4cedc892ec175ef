"""
Updates that are killed on one machine and repeated on another one, with each store of the journal.

A short part of `make torture ARGS=runners`: the same trials, at points with a known outcome.
"""

from __future__ import annotations

import random
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.engine.project import Project
from tests.scale import scaled
from torture.runners import RunnerCell, RunnerTrial, open_store

pytestmark = pytest.mark.hosts("dynamic", torture="plugin")
KNOWN = [
    (RunnerCell("group", "returned", "ended", "unfinished", "batch", "postgres", "lease"), "free"),
    # Other stories show the same: test_story_fresh_runner.py, _concurrent.py and _object_state.py.
    (RunnerCell("nothing", "accepted", "at once", "finished", "runs", "objects", "beside"), "free"),
    (RunnerCell("nothing", "accepted", "ended", "finished", "runs", handover="beside"), "free"),
    (RunnerCell("group", "accepted", "ended", "unfinished", "batch", "own file"), "asked"),
    (RunnerCell("engine", "sent", "at once", "finished", "runs", "own file", "lease"), "asked"),
    (RunnerCell("group", "returned", "ended", "unfinished", "batch", "objects", "lease"), "free"),
]


@pytest.mark.torture
@pytest.mark.parametrize(
    ("cell", "comes"),
    scaled(KNOWN[:1], KNOWN),
    ids=lambda value: str(value).replace(" ", "-").replace(",", ""),
)
def test_what_one_machine_began_another_ends_without_a_second_payment(
    tmp_path: Path, like: Project, cell: RunnerCell, comes: str
) -> None:
    with ExitStack() as servers:
        new_journal = open_store(cell.store, servers)
        result = RunnerTrial(cell, random.Random(2), new_journal).run(tmp_path / "trial", like)
    assert not result.failure, result.failure
    assert result.reached
    [came] = result.came
    assert came.startswith(comes)
