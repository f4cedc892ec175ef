"""A review as Markdown for a pull request; names and values cannot add to its structure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from pulumi_vod_workflow.cli.formatting import shorten
from pulumi_vod_workflow.cli.review.change_text import change_text
from pulumi_vod_workflow.cli.review.costs import (
    ReviewCosts,
    cost_limit_text,
    cost_lines,
    row_cost,
)
from pulumi_vod_workflow.cli.review.model import Review
from pulumi_vod_workflow.cli.review.render_common import (
    FREE_REASON_TEXT,
    ReviewRow,
    adds_information,
    dropped_runs_by_state,
    free_changes_by_reason,
    headline,
    limit_text,
    review_rows,
    uncertainty_notes,
)
from pulumi_vod_workflow.cli.sanitize import html_entities, markdown_code
from pulumi_vod_workflow.core.text import pluralise

MARK: Final = "<!-- vod-workflow review -->"
"""The first line, so that a job finds its earlier comment."""
MAX_COMMENT_CHARS: Final = 60_000
"""Characters; GitHub takes 65,536."""


def render_markdown(
    review: Review, max_starts: int | None, costs: ReviewCosts | None = None
) -> str:
    """Return a review that fits into a comment, however many runs it has; with prices, its cost."""
    text = ""
    for most in (200, 50, 15, 5, 1):
        text = "\n".join(_lines(review, max_starts, most, costs)) + "\n"
        if len(text) <= MAX_COMMENT_CHARS:
            break
    return text


def _lines(
    review: Review, max_starts: int | None, most: int, costs: ReviewCosts | None
) -> Iterator[str]:
    stack = f"{markdown_code(f'{review.project}/{review.stack}')}: " if review.stack else ""
    yield MARK
    yield f"### {stack}{headline(review)}"
    yield ""
    if max_starts is not None and review.exceeds(max_starts):
        yield f"**{limit_text(review, max_starts)}.**"
        yield ""
    if costs is not None:
        if costs.exceeded:
            yield f"**{cost_limit_text(costs)}.**"
            yield ""
        yield from (f"- {line}" for line in cost_lines(costs))
        yield ""
    for line in review.endpoint:
        yield html_entities(line)
        yield ""
    found = review_rows(review)
    if found:
        yield f"| run | why | paid outputs |{' cost |' if costs else ''}"
        yield f"|---|---|---:|{'---:|' if costs else ''}"
        for row in found[:most]:
            outputs = "not known" if row.outputs is None else f"{row.outputs:,}"
            cost, unpriced = row_cost(row.starts, costs) if costs else ("", [])
            why = "<br>".join([*_why(row, most), *unpriced])
            yield f"| {_run_cell(row, most)} | {why} | {outputs} |{f' {cost} |' if costs else ''}"
        if len(found) > most:
            yield f"| and {len(found) - most:,} more | | |{' |' if costs else ''}"
        yield ""
    free = free_changes_by_reason(review)
    if free:
        total = sum(map(len, free.values()))
        lines = (
            f"- {FREE_REASON_TEXT[kind]}: "
            f"{_named((_name(name, item) for name, item, _ in parts), most)}"
            for kind, parts in free.items()
        )
        yield from _details(f"Free: {pluralise(total, 'change')}", lines)
    if review.dropped:
        yield from _details(
            f"Only forgotten: {pluralise(len(review.dropped), 'run')}",
            (
                f"- {words}: {_named((markdown_code(shorten(name)) for name in names), most)}"
                for words, names in dropped_runs_by_state(review).items()
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
    return markdown_code(shorten(f"{name}.{item}" if item else name))


def _run_cell(row: ReviewRow, most: int) -> str:
    name = markdown_code(shorten(row.name))
    if row.items:
        items = _named((markdown_code(shorten(key)) for key in row.items), most)
        return f"{name}: {pluralise(len(row.items), 'item')}: {items}"
    if row.count == 1:
        return name
    return f"{name}: {'items' if row.count is None else pluralise(row.count, 'item')}"


def _why(row: ReviewRow, most: int) -> Iterator[str]:
    if adds_information(row):
        yield html_entities(row.first.reason.text)
    changes = [markdown_code(change_text(change, item)) for item, change in row.changes]
    yield from changes[:most]
    if len(changes) > most:
        yield f"and {len(changes) - most:,} more"
    unknown = [markdown_code(shorten(path)) for path in row.first.unknown if path]
    if unknown:
        yield f"not known yet: {_named(unknown, most)}"
    yield from map(html_entities, uncertainty_notes(row.first))
    yield from (html_entities(shorten(text, 300)) for text in row.sames[:most])
    if len(row.sames) > most:
        yield f"and {len(row.sames) - most:,} more"
    yield from (f"warning: {html_entities(shorten(text, 300))}" for text in row.first.warnings)


def _named(names: Iterable[str], most: int) -> str:
    every = [*names]
    more = f" and {len(every) - most:,} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more
