"""The emulator's page in a real browser, as a person would see it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from pulumi_vod_workflow.emulator import VodEmulator

Call = Callable[..., httpx.Response]
# Without these it asks the network for updates, or needs rights that containers do not give.
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
           "--disable-background-networking", "--disable-component-update", "--disable-sync",
           "--hide-scrollbars", "--window-size=1200,700", "--force-color-profile=srgb"]  # fmt: skip


@pytest.fixture
def browser(tmp_path: Path) -> Callable[..., str]:
    names = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("no browser on PATH: tools/find-browser says what to do")

    def run(*arguments: str) -> str:
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        line = [found, *OPTIONS, profile, *arguments]
        done = subprocess.run(line, capture_output=True, text=True, check=True, timeout=120)
        return done.stdout

    return run


def test_a_browser_shows_runs_timeline_and_ledger(
    call: Call, emulator: VodEmulator, browser: Callable[..., str], tmp_path: Path
) -> None:
    """Each run is a row with its status and a drawn timeline; so is each paid start."""
    emulator.clock(speed=0)
    runs = {}
    for vid, advance in (("emu-fail-1001", 3), ("good", 2), ("waiting", 0)):
        answer = call("StartWorkflow", {"Vid": vid, "TemplateId": "t", "ClientToken": f"c-{vid}"})
        runs[vid] = answer.json()["Result"]["RunId"]
        emulator.advance(advance)
    dom = browser("--dump-dom", emulator.url)
    table = re.search(r'<table id="runs">.*?</table>', dom, re.DOTALL)
    ledger = re.search(r'<table id="ledger">.*?</table>', dom, re.DOTALL)
    assert table is not None
    assert ledger is not None
    rows = re.findall(r"<tr>.*?</tr>", table[0], re.DOTALL)[1:]
    assert [vid for row in rows for vid in runs if runs[vid] in row] == [
        "waiting",
        "good",
        "emu-fail-1001",
    ]
    shown = [("PendingStart", "PendingStart"), ("Running", "Running"), ("1001", "failed")]
    for row, (status, drawn) in zip(rows, shown, strict=True):
        assert f"<td>{status}</td>" in row
        assert f'<rect class="{drawn}"' in row
    assert re.findall(r"c-[a-z0-9-]+", ledger[0]) == ["c-emu-fail-1001", "c-good", "c-waiting"]

    picture = tmp_path / "page.png"
    browser(f"--screenshot={picture}", emulator.url)
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    assert picture.stat().st_size > 10_000, "more than an empty page"
