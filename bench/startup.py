"""The import time of the provider, beside that of its libraries."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from bench.processes import Took, run
from bench.report import Figure, Measured, say
from bench.stacks import ROOT

OURS: Final = "import pulumi_vod_workflow._provider"
ALL: Final = (
    f"{OURS}, pulumi_vod_workflow.core.inputs.models, pulumi_vod_workflow.lifecycle.starter"
)
"""The provider, and the modules of a first start: the models and the client."""
NEEDED: Final = "import pulumi, pulumi.dynamic, httpx, pydantic"
ROUNDS: Final = 15
BAR: Final = 1.15


def measure(_: Path) -> Measured:
    """Import in new processes, in alternating rounds; the median of each counts."""
    say(f"startup: three imports, {ROUNDS} times each")
    commands = [[sys.executable, "-c", code] for code in (OURS, ALL, NEEDED)]
    for command in commands:
        run(command, cwd=ROOT)  # Python compiles, and the machine reads its disk
    rounds = [[run(command, cwd=ROOT) for command in commands] for _ in range(ROUNDS)]
    *ours, needed = zip(*rounds, strict=True)

    def figures(name: str, took: Sequence[Took], bar: float | None) -> Iterator[Figure]:
        for what, word, at_most in (("cpu", "processor", bar), ("wall", "wall", None)):
            mine, other = (
                statistics.median(getattr(each, what) for each in column) * 1000
                for column in (took, needed)
            )
            yield Figure(f"{name}: {word}", mine, "ms", other, "ms, its libraries", at_most=at_most)

    alone, whole = ours
    return Measured(
        [
            *figures("import the provider", alone, BAR),
            *figures("import the provider and what a first start loads", whole, None),
        ]
    )
