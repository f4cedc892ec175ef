"""What it takes to load the provider, beside what it cannot do without."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import Final

from bench.processes import run
from bench.report import Figure, Measured, say
from bench.stacks import ROOT

OURS: Final = "import pulumi_vod_workflow._provider"
NEEDED: Final = "import pulumi, pulumi.dynamic, httpx, pydantic"
ROUNDS: Final = 15
BAR: Final = 1.15


def measure(_: Path) -> Measured:
    """Import in new processes, in turns; the median of each counts."""
    say(f"startup: two imports, {ROUNDS} times each")
    commands = [[sys.executable, "-c", code] for code in (OURS, NEEDED)]
    for command in commands:
        run(command, cwd=ROOT)  # Python compiles, and the machine reads its disk
    pairs = [[run(command, cwd=ROOT) for command in commands] for _ in range(ROUNDS)]
    ours, needed = zip(*pairs, strict=True)

    def figure(name: str, what: str, bar: float | None) -> Figure:
        mine, other = (
            statistics.median(getattr(took, what) for took in column) * 1000
            for column in (ours, needed)
        )
        return Figure(name, mine, "ms", other, "ms, its libraries", at_most=bar)

    return Measured(
        [
            figure("import the provider: processor", "cpu", BAR),
            figure("import the provider: wall", "wall", None),
        ]
    )
