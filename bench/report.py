"""What was measured, each figure against another of the same run: a table, and a file of JSON."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

HEADINGS: Final[tuple[str, ...]] = ("", "measured", "against", "ratio", "bar", "")
PERMITTED: Final = 0.001
"""Share of all requests that may be answered 429: who keeps the pace is not refused."""


def say(text: str) -> None:
    """Tell the person who waits what goes on."""
    print(f"    {text}", file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that was measured, what it is held against, and the bar for their ratio, if any."""

    name: str
    measured: float
    unit: str
    against: float
    baseline: str
    """What it is held against, in words."""
    at_most: float | None = None
    at_least: float | None = None

    @property
    def ratio(self) -> float:
        """What was measured, in parts of the baseline."""
        return self.measured / self.against

    @property
    def holds(self) -> bool:
        """Whether the bar is kept; what has none is for comparison only."""
        most = self.at_most is None or self.ratio <= self.at_most
        return most and (self.at_least is None or self.ratio >= self.at_least)

    @property
    def bar(self) -> float | None:
        """The ratio it is held to."""
        return self.at_least if self.at_most is None else self.at_most

    def cells(self) -> tuple[str, ...]:
        """Return its row of the table."""
        sign = "" if self.bar is None else "<= " if self.at_least is None else ">= "
        return (
            self.name,
            f"{_number(self.measured)} {self.unit}",
            f"{_number(self.against)} {self.baseline}",
            f"{self.ratio:.4f}" if 0 < self.ratio < 0.01 else f"{self.ratio:.2f}",
            "" if self.bar is None else f"{sign}{self.bar:g}",
            "" if self.bar is None else "ok" if self.holds else "MISSED",
        )

    def document(self) -> dict[str, Any]:
        """Return it for the file."""
        names = ("name", "measured", "unit", "against", "baseline", "ratio", "at_most", "at_least")
        return {name: getattr(self, name) for name in names} | {"holds": self.holds}


@dataclass(frozen=True, slots=True)
class Measured:
    """What a part has found out."""

    figures: Sequence[Figure]
    curves: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    """By name, what grew with a number: pairs of the number and the figure."""


def refused(answers: Sequence[int], where: str) -> Figure:
    """Hold the answers with status 429 to the permitted share of all of them."""
    many = float(answers.count(429))
    return Figure(
        f"{where}: answers 429", many, "", float(len(answers)), "requests", at_most=PERMITTED
    )


def table(parts: Mapping[str, Measured]) -> str:
    """Return everything as one table for a terminal."""
    rows = [HEADINGS]
    for name, measured in parts.items():
        rows.append((name.upper(), *[""] * (len(HEADINGS) - 1)))
        rows.extend(figure.cells() for figure in measured.figures)
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def write(parts: Mapping[str, Measured], path: Path, seconds: float) -> None:
    """Write everything as JSON."""
    document = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "version": version("pulumi-vod-workflow"),
        "seconds": round(seconds, 1),
        "parts": {
            name: {
                "figures": [figure.document() for figure in measured.figures],
                "curves": measured.curves,
            }
            for name, measured in parts.items()
        },
    }
    path.write_text(json.dumps(document, indent=2) + "\n")


def _number(value: float) -> str:
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
