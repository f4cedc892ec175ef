"""A review as Markdown for a pull request; names and values cannot add to its structure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from pulumi_vod_workflow.cli.review.model import Promise
from pulumi_vod_workflow.cli.review.render_common import (
    WHAT,
    Row,
    counted,
    doubts,
    forgotten_by_end,
    free_by_kind,
    headline,
    limit_text,
    rows,
    says_more,
)
from pulumi_vod_workflow.cli.review.sanitize import change_text, code, entities, shortened

MARK: Final = "<!-- vod-workflow review -->"
"""The first line, by which a job finds its earlier comment."""
LONGEST: Final = 60_000
"""Characters; GitHub takes 65,536."""


def as_markdown(promise: Promise, max_starts: int | None) -> str:
    """Return a review that fits into a comment, however much there is to say."""
    text = ""
    for most in (200, 50, 15, 5, 1):
        text = "\n".join(_lines(promise, max_starts, most)) + "\n"
        if len(text) <= LONGEST:
            break
    return text


def _lines(promise: Promise, max_starts: int | None, most: int) -> Iterator[str]:
    stack = f"{code(f'{promise.project}/{promise.stack}')}: " if promise.stack else ""
    yield MARK
    yield f"### {stack}{headline(promise)}"
    yield ""
    if max_starts is not None and promise.exceeds(max_starts):
        yield f"**{limit_text(promise, max_starts)}.**"
        yield ""
    for line in promise.where:
        yield entities(line)
        yield ""
    found = rows(promise)
    if found:
        yield "| run | why | paid outputs |"
        yield "|---|---|---:|"
        for row in found[:most]:
            outputs = "not known" if row.outputs is None else f"{row.outputs:,}"
            yield f"| {_who(row, most)} | {'<br>'.join(_why(row, most))} | {outputs} |"
        if len(found) > most:
            yield f"| and {len(found) - most:,} more | | |"
        yield ""
    free = free_by_kind(promise)
    if free:
        total = sum(map(len, free.values()))
        lines = (
            f"- {WHAT[kind]}: {_named((_name(name, item) for name, item, _ in parts), most)}"
            for kind, parts in free.items()
        )
        yield from _details(f"Free: {counted(total, 'change')}", lines)
    if promise.forgotten:
        yield from _details(
            f"Only forgotten: {counted(len(promise.forgotten), 'run')}",
            (
                f"- {words}: {_named((code(shortened(name)) for name in names), most)}"
                for words, names in forgotten_by_end(promise).items()
            ),
        )


def _details(summary: str, lines: Iterable[str]) -> Iterator[str]:
    yield f"<details><summary>{summary}</summary>"
    yield ""
    yield from lines
    yield ""
    yield "</details>"
    yield ""


def _name(name: str, item: str | None) -> str:
    return code(shortened(f"{name}.{item}" if item else name))


def _who(row: Row, most: int) -> str:
    name = code(shortened(row.name))
    if row.items:
        items = _named((code(shortened(key)) for key in row.items), most)
        return f"{name}: {counted(len(row.items), 'item')}: {items}"
    if row.count == 1:
        return name
    return f"{name}: {'items' if row.count is None else counted(row.count, 'item')}"


def _why(row: Row, most: int) -> Iterator[str]:
    if says_more(row):
        yield entities(row.first.why)
    changes = [code(change_text(change, item)) for item, change in row.changes]
    yield from changes[:most]
    if len(changes) > most:
        yield f"and {len(changes) - most:,} more"
    unknown = [code(shortened(path)) for path in row.first.unknown if path]
    if unknown:
        yield f"not known yet: {_named(unknown, most)}"
    yield from map(entities, doubts(row.first))
    yield from (entities(shortened(text, 300)) for text in row.sames[:most])
    if len(row.sames) > most:
        yield f"and {len(row.sames) - most:,} more"
    yield from (f"warning: {entities(shortened(text, 300))}" for text in row.first.warnings)


def _named(names: Iterable[str], most: int) -> str:
    every = [*names]
    more = f" and {len(every) - most:,} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more
