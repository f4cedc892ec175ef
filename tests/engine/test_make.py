"""The first command, as a new user runs it: on a copy, twice, and what it leaves."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from pulumi_vod_workflow.emulator.store import Store
from tests.engine.checkout import PARTS, ROOT, blocks, copy_to, tracked

QUICKSTART = ROOT / "examples" / "quickstart" / "README.md"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return copy_to(tmp_path)


def make(copy: Path, *command: str) -> str:
    environ = {**os.environ, "VOLCENGINE_ACCESS_KEY": "AKLTREAL", "PULUMI_STACK": "other"}
    done = subprocess.run(
        command, cwd=copy, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def ledger(copy: Path) -> list[str]:
    store = Store(copy / ".pulumi-state" / ".pulumi" / "vod-emulator.sqlite3")
    try:
        return [start["templateId"] for start in store.ledger()]
    finally:
        store.close()


def files(said: str) -> dict[str, list[str]]:
    """The files that it ends with."""
    shown: dict[str, list[str]]
    shown, _ = json.JSONDecoder().raw_decode(said.rpartition("the files of its runs\n")[2])
    return shown


def test_make_engine_prints_the_folder_last(copy: Path) -> None:
    """Other tools put it first on PATH."""
    folder = Path(make(copy, "make", "-s", "engine").splitlines()[-1])
    assert (folder / "pulumi").exists()


def test_make_up_runs_the_page_examples_once(copy: Path) -> None:
    """Three runs on the embedded emulator; a second `make up` starts nothing; `make down` ends."""
    said = make(copy, "make", "up")
    assert "embedded emulator, nothing is real or paid" in said
    for name in ("by-vid", "by-file", "snapshot-paths"):
        assert f"{name}: succeeded (0: finished without an unhandled exception)" in said
    assert sorted(ledger(copy)) == [
        "06853553c4d3402698a17ff5dff87fd7",
        "a378f66a5bc2495eb55fc14ac109625f",
        "c3841b3122fd460db2bc99a6ec131cb8",
    ]
    found = files(said)
    assert {name: len(uris) for name, uris in found.items()} == {
        "byFile": 5,
        "byVid": 5,
        "snapshotPaths": 1,
    }
    assert all(uri.startswith("tos://") for uris in found.values() for uri in uris)
    assert len(said.splitlines()) < 110, "it can be read"
    assert "[unknown]" not in said
    again = make(copy, "make", "up")
    assert files(again) == found
    assert "5 unchanged" in again
    assert len(ledger(copy)) == 3
    make(copy, "make", "down")
    [commands] = blocks(QUICKSTART, "sh")
    typed = [line.partition("#")[0].strip() for line in commands.splitlines()]
    assert typed == ["cd ../..", "make up", "make up", "make down"]
    [told] = blocks(QUICKSTART, "text")
    assert [line for line in told.splitlines() if line not in again] == []
    assert {path.name for path in copy.iterdir()} - {*PARTS, ".venv"} == {
        ".pulumi-state",
        "Pulumi.dev.yaml",
    }
    left = {path for path in (copy / "examples").rglob("*") if path.is_file()}
    names = {path.relative_to(copy).as_posix() for path in left if path.suffix != ".pyc"}
    assert names == set(tracked("examples"))
    assert len(ledger(copy)) == 3
