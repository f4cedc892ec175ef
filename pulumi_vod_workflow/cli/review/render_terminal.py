"""A review for a terminal; nothing of it is taken for markup or control."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pulumi_vod_workflow.cli.review.model import Promise
from pulumi_vod_workflow.cli.review.render_common import (
    WHAT,
    Row,
    counted,
    doubts,
    forgotten_by_end,
    free_by_kind,
    headline,
    rows,
    says_more,
)
from pulumi_vod_workflow.cli.review.sanitize import change_text, shortened, visible

SHOWN = 20
"""Names, or changes, on one row."""


def show(promise: Promise, console: Console) -> None:
    """Print a review."""
    stack = f"{promise.project}/{promise.stack}: " if promise.stack else ""
    style = "bold yellow" if promise.starts else "bold green"
    console.print(Text(visible(stack) + headline(promise), style=style))
    for line in promise.where:
        console.print(Text(visible(line), style="dim"))
    if promise.starts:
        console.print(_table(promise))
    for line in _rest(promise):
        console.print(Text(line))


def _table(promise: Promise) -> Table:
    table = Table("run", "why", "paid outputs", expand=False)
    table.columns[2].justify = "right"
    for column in table.columns:
        column.overflow = "fold"  # nothing is cut: what differs may stand at the end
    for row in rows(promise):
        outputs = "not known" if row.outputs is None else f"{row.outputs:,}"
        table.add_row(Text(_who(row)), Text("\n".join(_why(row))), Text(outputs))
    return table


def _who(row: Row) -> str:
    name = visible(row.name)
    if row.items:
        return f"{name}: {counted(len(row.items), 'item')}: {_named(row.items)}"
    return name if row.count == 1 else f"{name}: {_count(row)}"


def _count(row: Row) -> str:
    return "items" if row.count is None else counted(row.count, "item")


def _why(row: Row) -> Iterator[str]:
    if says_more(row):
        yield visible(row.first.why)
    changes = [change_text(change, item) for item, change in row.changes]
    yield from changes[:SHOWN]
    if len(changes) > SHOWN:
        yield f"and {len(changes) - SHOWN:,} more"
    unknown = [path for path in row.first.unknown if path]
    if unknown:
        yield f"not known yet: {_named(unknown)}"
    yield from map(visible, doubts(row.first))
    yield from map(visible, row.sames[:SHOWN])
    if len(row.sames) > SHOWN:
        yield f"and {len(row.sames) - SHOWN:,} more"
    yield from (f"warning: {visible(text)}" for text in row.first.warnings)


def _named(names: Iterable[str]) -> str:
    every = [shortened(visible(name)) for name in names]
    more = f" and {len(every) - SHOWN:,} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + more


def _rest(promise: Promise) -> Iterator[str]:
    for kind, parts in free_by_kind(promise).items():
        names = [f"{name}.{item}" if item else name for name, item, _ in parts]
        yield f"free, {WHAT[kind]}: {_named(names)}"
    for words, names in forgotten_by_end(promise).items():
        yield f"only forgotten, {words}: {_named(names)}"
