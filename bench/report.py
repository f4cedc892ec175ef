"""The results, each with a baseline of the same run: as a table, and as a JSON file."""

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
"""The permitted share of responses with 429: a client within the rate gets none."""


def say(text: str) -> None:
    """Print a line of progress."""
    print(f"    {text}", file=sys.stderr, flush=True)


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value, its baseline, and the bar of their ratio, if there is one."""

    name: str
    measured: float
    unit: str
    against: float
    baseline: str
    """The name of the baseline, with its unit."""
    at_most: float | None = None
    at_least: float | None = None

    @property
    def ratio(self) -> float:
        """The ratio of the value to the baseline."""
        return self.measured / self.against

    @property
    def holds(self) -> bool:
        """Whether the ratio is within the bar; a value without a bar is for comparison only."""
        most = self.at_most is None or self.ratio <= self.at_most
        return most and (self.at_least is None or self.ratio >= self.at_least)

    @property
    def bar(self) -> float | None:
        """The bar of the ratio."""
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
    """The results of a part."""

    figures: Sequence[Figure]
    curves: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    """Curves by name: pairs of a number of items and a value."""


def refused(answers: Sequence[int], where: str) -> Figure:
    """Return the share of responses with 429, with the permitted share as the bar."""
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
