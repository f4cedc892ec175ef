"""A review for a terminal; nothing of it is taken for markup or control."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pulumi_vod_workflow.cli.formatting import shorten
from pulumi_vod_workflow.cli.review.change_text import change_text
from pulumi_vod_workflow.cli.review.costs import ReviewCosts, cost_hints, cost_lines, row_cost
from pulumi_vod_workflow.cli.review.model import Review
from pulumi_vod_workflow.cli.review.render_common import (
    FREE_REASON_TEXT,
    ReviewRow,
    adds_information,
    dropped_runs_by_state,
    free_changes_by_reason,
    headline,
    review_rows,
    uncertainty_notes,
)
from pulumi_vod_workflow.cli.sanitize import escape_invisible
from pulumi_vod_workflow.core.text import pluralise

MAX_LISTED = 20
"""Names, or changes, on one row."""


def render_terminal(review: Review, console: Console, costs: ReviewCosts | None = None) -> None:
    """Print a review; with prices, also its cost."""
    stack = f"{review.project}/{review.stack}: " if review.stack else ""
    style = "bold yellow" if review.starts else "bold green"
    console.print(Text(escape_invisible(stack) + headline(review), style=style))
    for line in review.endpoint:
        console.print(Text(escape_invisible(line), style="dim"))
    if costs is not None:
        for line in (*cost_lines(costs), *cost_hints(costs)):
            console.print(Text(line))
    if review.starts:
        console.print(_table(review, costs))
    for line in _rest(review):
        console.print(Text(line))


def _table(review: Review, costs: ReviewCosts | None) -> Table:
    table = Table("run", "why", "paid outputs", *(["cost"] if costs else []), expand=False)
    for column in table.columns[2:]:
        column.justify = "right"
    for column in table.columns:
        column.overflow = "fold"  # nothing is cut: what differs may stand at the end
    for row in review_rows(review.starts):
        outputs = "not known" if row.outputs is None else f"{row.outputs:,}"
        why, cells = [*_why(row)], [Text(outputs)]
        if costs:
            cost, unpriced = row_cost(row.starts, costs)
            why, cells = [*why, *unpriced], [*cells, Text(cost)]
        table.add_row(Text(_run_cell(row)), Text("\n".join(why)), *cells)
    return table


def _run_cell(row: ReviewRow) -> str:
    name = escape_invisible(row.name)
    if row.items:
        return f"{name}: {pluralise(len(row.items), 'item')}: {_named(row.items)}"
    return name if row.count == 1 else f"{name}: {_count(row)}"


def _count(row: ReviewRow) -> str:
    return "items" if row.count is None else pluralise(row.count, "item")


def _why(row: ReviewRow) -> Iterator[str]:
    if adds_information(row):
        yield escape_invisible(row.first.reason.text)
    changes = [change_text(change, item) for item, change in row.changes]
    yield from changes[:MAX_LISTED]
    if len(changes) > MAX_LISTED:
        yield f"and {len(changes) - MAX_LISTED:,} more"
    unknown = [path for path in row.first.unknown if path]
    if unknown:
        yield f"not known yet: {_named(unknown)}"
    yield from map(escape_invisible, uncertainty_notes(row.first))
    yield from map(escape_invisible, row.sames[:MAX_LISTED])
    if len(row.sames) > MAX_LISTED:
        yield f"and {len(row.sames) - MAX_LISTED:,} more"
    yield from (f"warning: {escape_invisible(text)}" for text in row.first.warnings)


def _named(names: Iterable[str]) -> str:
    every = [shorten(escape_invisible(name)) for name in names]
    more = f" and {len(every) - MAX_LISTED:,} more" if len(every) > MAX_LISTED else ""
    return ", ".join(every[:MAX_LISTED]) + more


def _rest(review: Review) -> Iterator[str]:
    for kind, parts in free_changes_by_reason(review).items():
        names = [f"{name}.{item}" if item else name for name, item, _ in parts]
        yield f"free, {FREE_REASON_TEXT[kind]}: {_named(names)}"
    for words, names in dropped_runs_by_state(review).items():
        yield f"only forgotten, {words}: {_named(names)}"
