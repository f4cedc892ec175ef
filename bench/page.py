"""The time until a browser shows the page of many runs, beside the bar."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Final

from bench.processes import run
from bench.report import Figure, Measured, say
from bench.stacks import ROOT
from tests.cli.browser import Tab, browsing
from tests.cli.exports import a_large_batch, export

RUNS: Final = 10_000
ROUNDS: Final = 5
MAX_OPEN_TIME: Final = 2.0
"""The longest time until the page is shown, in seconds."""
MAX_FILTER_TIME: Final = 0.5
"""The longest time of a filter, in seconds."""
PAINTED: Final = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
FILTER: Final = (
    "words.value = 's001e07'; words.dispatchEvent(new Event('input')); document.body.offsetHeight"
)


def measure(folder: Path) -> Measured:
    """Write the page, open it several times, and filter it; the shortest times count."""
    source, page = folder / "stack.json", folder / "runs.html"
    source.write_text(json.dumps(export(*a_large_batch(RUNS))))
    say(f"page: the page of {RUNS:,} runs, opened {ROUNDS} times")
    command = [sys.executable, "-m", "pulumi_vod_workflow.cli", "runs", str(source), "-f", "csv"]
    written = run([*command, "--html", str(page)], cwd=ROOT)
    with browsing(folder) as tab:
        opened, filtered = zip(*(_times(tab, page) for _ in range(ROUNDS)), strict=True)
    size = page.stat().st_size / 1e6
    return Measured(
        [
            Figure(
                f"open {RUNS:,} runs", min(opened), "s", MAX_OPEN_TIME, "s, the most", at_most=1
            ),
            Figure(
                f"filter {RUNS:,} runs",
                min(filtered),
                "s",
                MAX_FILTER_TIME,
                "s, the most",
                at_most=1,
            ),
            Figure("write the page", written.wall, "s", size, "MB, its size"),
        ]
    )


def _times(tab: Tab, page: Path) -> tuple[float, float]:
    """Return the seconds until the page is painted, and until a filter has its result."""
    begun = time.perf_counter()
    tab.open(page.as_uri())
    tab.call("Runtime.evaluate", expression=PAINTED, awaitPromise=True)
    shown = time.perf_counter()
    tab.evaluate(FILTER)
    return shown - begun, time.perf_counter() - shown
