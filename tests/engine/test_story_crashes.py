"""
Updates that are cut short, and the journal that remembers what they sent.

A short part of `make torture`: the same trials, at points where it is known how they come out.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
import stat
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from pulumi_vod_workflow.core.resource_types import BATCH_TYPE, canonical_type
from pulumi_vod_workflow.emulator import VodEmulator
from pulumi_vod_workflow.journal.sqlite_schema import APPLICATION_ID
from tests.engine.harness import Story, run
from tests.engine.hosts import HostName
from tests.engine.project import Project
from tests.engine.vault import Vault
from tests.scale import scaled
from torture.crash import first
from torture.gate import Gate
from torture.soak import Soak
from torture.trial import Cell, Trial

pytestmark = pytest.mark.hosts("dynamic", torture="plugin")


@pytest.mark.parametrize(
    ("cell", "comes"),
    [
        (Cell("group", "accepted", "at once", "unfinished", "runs"), "joined"),
        (Cell("engine", "returned", "ended", "unfinished", "batch"), "free"),
        (Cell("provider", "accepted", "ended", "finished", "both"), "asked"),
    ],
    ids=lambda value: str(value).replace(" ", "-"),
)
def test_an_update_that_was_cut_short_costs_nothing_twice(
    tmp_path: Path, like: Project, cell: Cell, comes: str
) -> None:
    result = Trial(cell, random.Random(1)).run(tmp_path / "trial", like)
    assert not result.failure, result.failure
    assert result.reached
    [came] = result.came
    assert came.startswith(comes)


def test_cycles_of_change_and_crash_keep_the_books(tmp_path: Path, like: Project) -> None:
    """An update without a crash, then a change whose update is cut short at a start."""
    tried = Soak(tmp_path / "soak", random.Random(17), 12, like)
    tried.run(cycles=2, minutes=5)
    assert tried.told["cycles"] == 2
    assert tried.told["crashes at a start"]
    assert sum(tried.told[how] for how in ("paid", "joined", "refused", "taken over")) >= 6


def test_stacks_that_share_a_journal_do_not_disturb_each_other(
    tmp_path: Path, emulator: VodEmulator, vault: Vault, host: HostName
) -> None:
    """Two at once, which declare the same; one of them is killed, and goes on after."""
    shared = {"vod:journal": str(tmp_path / "journal.sqlite3"), "vod:resendWithin": "600"}
    names = [f"k{number:02}" for number in range(20)]
    with Gate(emulator.url) as gate:
        projects = [
            Project(tmp_path / name, gate.url, stack=name, config=shared, vault=vault, host=host)
            for name in ("one", "two")
        ]
        for project in projects:
            project.program(
                f"""
                made = {{name: {{"vid": name}} for name in {names}}}
                WorkflowBatch("batch", items=made, defaults={{"template_id": "t"}})
                """
            )
        with projects[0] as one, projects[1] as two:
            trap = gate.trap("accepted", 15)
            killed = one.up()
            assert first(killed, trap.reached.is_set)
            other = two.up()
            assert first(other, lambda: len(emulator.ledger()) > len(names))
            killed.kill()
            trap.release()
            assert other.wait() == 0, other.said
            one.repair()
            one.command("up", "--yes", "--skip-preview", "--stack", "one")
            for project in projects:
                recorded = [
                    item for item in project.resources if canonical_type(item["type"]) == BATCH_TYPE
                ]
                assert len(recorded) == 1
    ledger = emulator.ledger()
    tokens = Counter(start["clientToken"] for start in ledger)
    assert len(tokens) == len(ledger) == 2 * 20


# -- a journal that cannot be used --------------------------------------------------------------


def damaged(journal: Path) -> None:
    journal.write_bytes(b"this is no database" * 100)


def torn(journal: Path) -> None:
    """As a disk leaves it that was full or has failed."""
    with sqlite3.connect(journal) as file:
        file.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        file.execute("CREATE TABLE starts (key TEXT PRIMARY KEY)")
        file.executemany("INSERT INTO starts VALUES (?)", [[str(n) * 50] for n in range(1000)])
    file.close()
    with journal.open("r+b") as raw:
        raw.seek(4096)
        raw.write(b"\xff" * 8192)


def read_only(journal: Path) -> None:
    """SQLite's own mark in the file: root may write where the permissions say no."""
    with sqlite3.connect(journal) as file:
        file.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        file.execute("CREATE TABLE other (key TEXT)")
    file.close()
    with journal.open("r+b") as raw:
        raw.seek(18)
        raw.write(b"\x03")
    journal.chmod(stat.S_IRUSR)


def a_folder(journal: Path) -> None:
    journal.mkdir()


def in_no_folder(journal: Path) -> None:
    """A folder that cannot be made, nor anything in it."""
    shutil.rmtree(journal.parent)
    journal.parent.write_text("a file")


SPOILED = [
    (torn, "hint: move the file away"),
    (in_no_folder, "hint: make the file writable, or set `vod:journal` to a writable file"),
    (damaged, "hint: move the file away"),
    (read_only, "hint: make the file writable, or set `vod:journal` to a writable file"),
    (a_folder, "hint: make the file writable, or set `vod:journal` to a writable file"),
]
"""Each of them is in tests/journal/test_sqlite.py, too."""


@pytest.mark.torture
@pytest.mark.parametrize(("spoil", "says"), scaled(SPOILED[:1], SPOILED))
def test_a_journal_that_cannot_be_used_is_told_by_the_preview(
    story: Story, spoil: Callable[[Path], None], says: str
) -> None:
    journal = story.folder / "journals" / "journal.sqlite3"
    journal.parent.mkdir()
    spoil(journal)
    story.write_config(vod_journal=str(journal))
    preview = story.preview(run())
    assert preview.failed
    assert f"the journal {journal} cannot be read or written: " in preview.text
    assert says in preview.text
    assert "No run was started" in preview.text
    assert story.emulator.requests() == {}
