"""Charts of the results: each ratio beside its bar, and values by the number of items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pygal
from pygal.style import CleanStyle

from bench.report import Measured

STYLE = CleanStyle(label_font_size=12, value_font_size=11, colors=("#3b6fb6", "#b8b8b8"))
COMMON: Mapping[str, Any] = {"style": STYLE, "js": [], "legend_at_bottom": True}
"""Without the script that pygal would load from elsewhere."""


def draw(parts: Mapping[str, Measured], folder: Path) -> None:
    """Write `ratios.svg` and a file for each curve, and remove the files of earlier runs."""
    for old in folder.glob("*.svg"):
        old.unlink()
    barred = [
        figure
        for measured in parts.values()
        for figure in measured.figures
        if figure.bar is not None
    ]
    if barred:
        chart = pygal.HorizontalBar(
            **COMMON,
            title="measured / baseline, beside its bar",
            print_values=True,
            width=1100,
            height=120 + 44 * len(barred),
        )
        last_first = barred[::-1]  # the chart begins at its foot
        chart.x_labels = [
            f"{item.name} {'<=' if item.at_least is None else '>='} {item.bar:g}"
            for item in last_first
        ]
        chart.add("measured", [round(item.ratio, 3) for item in last_first])
        chart.add("bar", [item.bar for item in last_first])
        chart.render_to_file(str(folder / "ratios.svg"))
    for name, curve in _curves(parts):
        chart = pygal.XY(
            **COMMON, title=name, x_title="items", show_legend=False, include_x_axis=True
        )
        chart.add(name, curve)
        chart.render_to_file(str(folder / f"{name.partition(',')[0].replace(' ', '-')}.svg"))


def _curves(parts: Mapping[str, Measured]) -> Iterator[tuple[str, list[tuple[float, float]]]]:
    for measured in parts.values():
        for name, curve in measured.curves.items():
            yield name, [(float(x), float(y)) for x, y in curve]
