"""A review as a comment in Markdown; names and values cannot add to its structure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pulumi_vod_workflow.cli.formatting import shorten
from pulumi_vod_workflow.cli.pulumi_files.preview import HIDDEN_SECRET, contains_marker
from pulumi_vod_workflow.cli.review.change_text import change_text
from pulumi_vod_workflow.cli.review.costs import (
    ReviewCosts,
    cost_limit_text,
    cost_lines,
    row_cost,
)
from pulumi_vod_workflow.cli.review.kinds import StartKind, starts_by_kind
from pulumi_vod_workflow.cli.review.model import PlannedRun, Review, ReviewCause
from pulumi_vod_workflow.cli.review.render_common import (
    FREE_REASON_TEXT,
    ReviewRow,
    adds_information,
    dropped_runs_by_state,
    free_changes_by_reason,
    headline,
    limit_text,
    review_row,
    review_rows,
    uncertainty_notes,
)
from pulumi_vod_workflow.cli.sanitize import markdown_code, markdown_text
from pulumi_vod_workflow.core.start_reason import NEW
from pulumi_vod_workflow.core.text import pluralise
from pulumi_vod_workflow.core.values import is_known

MARK: Final = "<!-- vod-workflow review -->"
"""The first line, so that a job finds its earlier comment."""
MAX_COMMENT_CHARS: Final = 60_000
"""Characters; GitHub takes 65,536."""
MAX_OPEN_ROWS: Final = 20
"""The rows of a table that are visible; further rows are folded."""
MAX_ITEM_TEXTS: Final = 5
"""The changes, or texts about the same work, in a row of several items."""
MAX_TEXT_CHARS: Final = 300
"""Length of a sentence with names, in characters."""

SEE_BELOW: Final = "see below"
"""The cell of a row whose runs have different sources."""

_NOTES: Final = {
    StartKind.RENAMED: "Each run repeats the work of a run that this update removes or replaces. "
    "The code in its row keeps that run, free.",
    StartKind.CHANGED: "Each change starts another run. The recorded run is not cancelled.",
    StartKind.AGAIN: "No input changed. Each recorded run is not cancelled.",
}


def render_markdown(
    review: Review,
    max_starts: int | None,
    costs: ReviewCosts | None = None,
    docs: str | None = None,
) -> str:
    """
    Return a review that fits into a comment, however many runs it has.

    Args:
        review: the review.
        max_starts: the limit of runs; `None` without a limit.
        costs: the costs; `None` without prices.
        docs: the URL of the documentation, for links; `None` without one.

    """
    text = ""
    for most in (200, 100, 50, 15, 5, 1, 0):
        comment = _Comment(review, max_starts, costs, docs, most)
        text = "\n".join(comment.lines()) + "\n"
        if len(text) <= MAX_COMMENT_CHARS:
            break
    return text


TOO_LONG: Final = (
    "The names and texts of the runs do not fit into a comment. `vod-workflow review` lists them "
    "with `--format terminal`."
)


@dataclass(frozen=True)
class _Comment:
    review: Review
    max_starts: int | None
    costs: ReviewCosts | None
    docs: str | None
    most: int
    """The number of folded rows of each table; 0 leaves out all tables but the totals."""

    def lines(self) -> Iterator[str]:
        """Yield the lines of the comment."""
        review = self.review
        stack = f"{markdown_code(f'{review.project}/{review.stack}')}: " if review.stack else ""
        yield MARK
        yield f"### {stack}{headline(review)}"
        yield ""
        yield from self._verdict()
        if self.costs is not None:
            yield from (f"- {markdown_text(line)}" for line in cost_lines(self.costs))
            yield ""
        # A program can log lines of this form, too.
        for line in review.endpoint if self.most else review.endpoint[:MAX_ITEM_TEXTS]:
            yield markdown_text(line) if self.most else _sentence(line)
            yield ""
        kinds = starts_by_kind(review.starts)
        if len(kinds) > 1:
            yield from self._totals(kinds)
        if not self.most:
            yield TOO_LONG
            yield ""
            yield from self._links()
            return
        for kind, starts in kinds.items():
            yield from self._section(kind, starts)
        yield from self._unknown()
        yield from self._free()
        yield from self._links()

    def _verdict(self) -> Iterator[str]:
        """Yield whether the starts are within the limits."""
        over = []
        if self.max_starts is not None and self.review.exceeds(self.max_starts):
            over.append(limit_text(self.review, self.max_starts))
        if self.costs is not None and self.costs.exceeded:
            over.append(cost_limit_text(self.costs))
        limits = [] if self.max_starts is None else [f"`--max-starts {self.max_starts}`"]
        if self.costs is not None and self.costs.max_cost is not None:
            limits.append(f"`--max-cost {self.costs.max_cost:f}` {self.costs.currency}")
        for text in over:
            yield f"**Over the limit:** {markdown_text(text)}."
            yield ""
        if limits and not over:
            yield f"**Within the limit:** {', '.join(limits)}."
            yield ""

    def _totals(self, kinds: Mapping[StartKind, Sequence[PlannedRun]]) -> Iterator[str]:
        groups = {kind.value: starts for kind, starts in kinds.items()}
        groups["**Total**"] = self.review.starts
        columns = [
            _Column("", [*groups]),
            _Column("runs", [*map(_run_count, groups.values())], is_number=True),
            _Column("paid outputs", [*map(_output_count, groups.values())], is_number=True),
        ]
        if self.costs:
            cells = [row_cost(starts, self.costs)[0] for starts in groups.values()]
            columns.append(_Column("cost", cells, is_number=True))
        yield from _table(columns)
        yield ""

    def _section(self, kind: StartKind, starts: Sequence[PlannedRun]) -> Iterator[str]:
        """Yield the starts of a kind. If they are many, those with one reason share a row."""
        runs = _run_count(starts)
        yield f"#### {kind.value}: {runs} {'run' if runs.split()[-1] == '1' else 'runs'}"
        yield ""
        workflows = {self._workflow(start) for start in starts}
        shared = workflows.pop() if len(workflows) == 1 else ""
        notes = [
            _NOTES.get(kind, ""),
            f"Workflow: {shared.removeprefix('workflow ')}." if shared else "",
        ]
        if any(notes):
            yield " ".join(filter(None, notes))
            yield ""
        few = len(starts) <= MAX_OPEN_ROWS
        rows = [review_row([start]) for start in starts] if few else review_rows(starts)
        shown = rows[: MAX_OPEN_ROWS + self.most]
        columns = [
            _Column("run", [*map(_run_cell, shown)]),
            _Column("why", ["<br>".join(self._why(row)) for row in shown]),
            self._sources([row.starts for row in shown], with_workflow=not shared),
            _Column("paid outputs", [_output_count(row.starts) for row in shown], is_number=True),
        ]
        if self.costs:
            cells = [row_cost(row.starts, self.costs)[0] for row in shown]
            columns.append(_Column("cost", cells, is_number=True))
        columns = [column for column in columns if any(column.cells)]
        yield from _table([column.part(0, MAX_OPEN_ROWS) for column in columns])
        yield ""
        if len(shown) > MAX_OPEN_ROWS:
            rest = [column.part(MAX_OPEN_ROWS, len(shown)) for column in columns]
            yield from _details(
                f"{len(rows) - MAX_OPEN_ROWS:,} more", _table(rest, len(rows) - len(shown))
            )
        grouped = [start for row in rows if len(row.starts) > 1 for start in row.starts]
        if grouped:
            part = grouped[: MAX_OPEN_ROWS + self.most]
            reasons = ["<br>".join(self._differences(review_row([start]))) for start in part]
            columns = [
                _Column("run", [_code(start.resource.label) for start in part]),
                _Column("why", reasons if len({*reasons}) > 1 else [""] * len(part)),
                self._sources([[start] for start in part], with_workflow=not shared),
            ]
            yield from _details(
                f"Each of {pluralise(len(grouped), 'item')}",
                _table(
                    [column for column in columns if any(column.cells)], len(grouped) - len(part)
                ),
            )

    def _sources(self, groups: Iterable[Sequence[PlannedRun]], *, with_workflow: bool) -> _Column:
        """Return the column with the sources, and with the workflows unless all are equal."""
        cells = []
        for starts in groups:
            parts = [{_source(start) for start in starts}]
            if with_workflow:
                parts.append({self._workflow(start) for start in starts})
            texts = [found.pop() if len(found) == 1 else SEE_BELOW for found in parts]
            cells.append("<br>".join(dict.fromkeys(texts)))
        return _Column("source, workflow" if with_workflow else "source", cells)

    def _workflow(self, start: PlannedRun) -> str:
        hidden = _hidden_text(start.template, start)
        if hidden:
            return f"workflow {hidden}"
        template = str(start.template)
        name = self.review.workflow_names.get(template)
        return _code(template) + (f" ({markdown_text(shorten(name))})" if name else "")

    def _why(self, row: ReviewRow) -> Iterator[str]:
        if adds_information(row) and (row.first.reason.start != NEW or row.first.reason.causes):
            yield markdown_text(row.first.reason.text)
        yield from self._differences(row)
        unknown = [_code(path) for path in row.first.unknown if path]
        if unknown:
            yield f"not known yet: {self._named(unknown)}"
        yield from map(_sentence, uncertainty_notes(row.first))
        yield from (f"warning: {_sentence(text)}" for text in dict.fromkeys(row.first.warnings))

    def _differences(self, row: ReviewRow) -> Iterator[str]:
        """Yield the texts in which items of a row differ: changes, and runs of the same work."""
        changes = [markdown_code(change_text(change, item)) for item, change in row.changes]
        sames = [*map(_sentence, row.sames)]
        # The folded table has the differences of each item.
        most = min(self.most, MAX_OPEN_ROWS if len(row.starts) == 1 else MAX_ITEM_TEXTS)
        for texts in (changes, sames):
            yield from texts[:most]
            if len(texts) > most:
                yield f"and {len(texts) - most:,} more"

    def _unknown(self) -> Iterator[str]:
        """Yield the facts that the preview does not have."""
        facts: dict[str, list[PlannedRun]] = {
            "the number of runs": [],
            "whether a run starts": [],
            "inputs": [],
            "the number of paid outputs": [],
        }
        for start in self.review.starts:
            if start.count is None:
                facts["the number of runs"].append(start)
            elif not start.certain:
                facts["whether a run starts"].append(start)
            if start.unknown and start.count is not None:
                facts["inputs"].append(start)
            if start.outputs is None and start.count is not None:
                facts["the number of paid outputs"].append(start)
        lines = [
            f"- {text}: {self._named(_code(start.resource.label) for start in starts)}"
            for text, starts in facts.items()
            if starts
        ]
        if lines:
            yield "#### Not known before `up`"
            yield ""
            yield from lines
            yield ""

    def _free(self) -> Iterator[str]:
        free = free_changes_by_reason(self.review)
        if free:
            total = sum(map(len, free.values()))
            lines = (
                f"- {FREE_REASON_TEXT[kind]}: "
                + self._named(_code(f"{name}.{item}" if item else name) for name, item, _ in parts)
                for kind, parts in free.items()
            )
            yield from _details(f"Free: {pluralise(total, 'change')}", lines)
        if self.review.dropped:
            yield from _details(
                f"Only removed from the state: {pluralise(len(self.review.dropped), 'run')}",
                (
                    f"- {words}: {self._named(map(_code, names))}"
                    for words, names in dropped_runs_by_state(self.review).items()
                ),
            )

    def _links(self) -> Iterator[str]:
        pages = {"review a change": ("how-to/review-a-change", "#3-what-a-reviewer-looks-for")}
        pages["read a review"] = ("review", "")
        if self.costs is not None:
            pages["costs"] = ("review", "#costs")
        if self.docs is None:
            files = dict.fromkeys(f"`docs/{page}.md`" for page, _ in pages.values())
            yield f"How to: {', '.join(files)}"
            return
        root = self.docs.rstrip("/")
        links = (f"[{text}]({root}/{page}/{anchor})" for text, (page, anchor) in pages.items())
        yield f"How to: {', '.join(links)}"

    def _named(self, names: Iterable[str]) -> str:
        every, most = [*names], min(self.most, MAX_OPEN_ROWS)
        more = f" and {len(every) - most:,} more" if len(every) > most else ""
        return ", ".join(every[:most]) + more


# -- tables ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Column:
    title: str
    cells: Sequence[str]
    is_number: bool = False

    def part(self, start: int, end: int) -> _Column:
        """Return the column with some of its cells."""
        return _Column(self.title, self.cells[start:end], self.is_number)


def _table(columns: Sequence[_Column], more: int = 0) -> Iterator[str]:
    """Yield a table; its last row counts the rows that it leaves out."""
    yield _line(column.title for column in columns)
    yield f"|{'|'.join('---:' if column.is_number else '---' for column in columns)}|"
    for cells in zip(*(column.cells for column in columns), strict=True):
        yield _line(cells)
    if more:
        yield _line([f"and {more:,} more", *[""] * (len(columns) - 1)])


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _details(summary: str, lines: Iterable[str]) -> Iterator[str]:
    yield f"<details><summary>{summary}</summary>"
    yield ""
    yield from lines
    yield ""
    yield "</details>"
    yield ""


# -- cells -------------------------------------------------------------------------------------


def _code(text: str) -> str:
    return markdown_code(shorten(text))


def _sentence(text: str) -> str:
    return markdown_text(shorten(text, MAX_TEXT_CHARS))


def _run_cell(row: ReviewRow) -> str:
    if row.count == 1:
        return _code(row.first.resource.label)
    return f"{_code(row.name)}: {'items' if row.count is None else pluralise(row.count, 'item')}"


def _source(start: PlannedRun) -> str:
    """Return the source of a run: its Vid, or its file."""
    source = start.vid or start.direct_url
    hidden = _hidden_text(source, start)
    if hidden:
        return hidden
    if not isinstance(source, Mapping):
        return _code(str(source))
    file, space = (source.get(name) for name in ("fileName", "spaceName"))
    return _code(str(file)) + (f" in {_code(str(space))}" if space else "")


def _hidden_text(value: Any, start: PlannedRun) -> str:
    """Return a text for a value that is secret or not known; empty if it is neither."""
    if contains_marker(value, HIDDEN_SECRET) or (
        value is None and ReviewCause.SECRET in start.reason.causes
    ):
        return "secret"
    if not is_known(value):
        return "not known yet"
    return "" if value is not None else "not known"


def _run_count(starts: Sequence[PlannedRun]) -> str:
    counts = [start.count for start in starts]
    certain = sum(start.count or 0 for start in starts if start.certain)
    if None in counts:
        return f"{certain:,} or more" if certain else "an unknown number of"
    most = sum(count or 0 for count in counts)
    if certain == most:
        return f"{most:,}"
    return f"{certain:,} to {most:,}" if certain else f"up to {most:,}"


def _output_count(starts: Sequence[PlannedRun]) -> str:
    outputs = [start.outputs for start in starts]
    known = sum(number or 0 for number in outputs)
    if None not in outputs:
        return f"{known:,}"
    return f"{known:,} or more" if known else "not known"
