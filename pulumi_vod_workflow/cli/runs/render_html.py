"""The runs of stacks as one page for a browser, which loads nothing and runs one script."""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from importlib.resources import files
from typing import Final

from rich.filesize import decimal

from pulumi_vod_workflow.cli.formatting import format_clock_time
from pulumi_vod_workflow.cli.pulumi_files.stack_export import Stack
from pulumi_vod_workflow.cli.runs.model import (
    PHASE_ORDER,
    ListedRun,
    OutputFile,
    counts_by_phase,
    has_secret_output_files,
    output_files,
)
from pulumi_vod_workflow.cli.runs.render_table import outcome_text, render_csv, stack_heading
from pulumi_vod_workflow.cli.runs.totals import Total, totals_of
from pulumi_vod_workflow.cli.sanitize import escape_line, html_prose, html_text
from pulumi_vod_workflow.core.progress import format_duration
from pulumi_vod_workflow.core.text import list_names

_FOLDER: Final = files(__package__)
STYLE: Final = (_FOLDER / "report.css").read_text(encoding="utf-8")
SCRIPT: Final = (_FOLDER / "report.js").read_text(encoding="utf-8")
SCRIPT_HASH: Final = "sha256-" + base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
"""The hash by which the page's content security policy allows this script, and no other."""
PHASE_SIGNS: Final = {
    "failed": "✕", "terminated": "■", "unclear": "?", "rejected": "⊘",
    "running": "▶", "pending": "…", "submitted": "…", "expired": "◌", "succeeded": "✓",
}  # fmt: skip
"""Signs beside the names of phases, because a colour is never the only sign."""
TICKS: Final = 2
"""Number of parts of the time axis; an axis with days has one, because its labels are longer."""
MAX_NAMES: Final = 20
"""Number of runs with the same problem that a card names without a click."""
MAX_LINK_CHARS: Final = 1_500_000
"""Length of the link to the CSV, in characters; Chromium follows no link above 2 MiB."""
MAX_ROWS: Final = 250
"""Number of rows of a table that a browser lays out at once."""
MAX_STACKS: Final = 5
"""Number of stacks that the title names."""
MAX_URIS: Final = 3
"""Number of addresses that a row shows without a click."""


def render_html(
    stacks: Mapping[str, Stack],
    runs: Sequence[ListedRun],
    now: datetime,
    *,
    live: bool,
    total: int,
) -> bytes:
    """
    Return the page.

    Args:
        stacks: the stacks of the runs by name.
        runs: the runs to list, in their order.
        now: the present time; with `live` the end of the bars of unfinished runs.
        live: whether the unfinished runs were read from the service.
        total: the number of the stacks' runs; the page shows the number if it lists fewer.

    """
    names = [escape_line(name) for name in stacks if stacks[name].name] or ["an empty stack"]
    title = f"Runs of {list_names(names, MAX_STACKS)}"
    written = [stack.written for stack in stacks.values() if stack.written]
    until = now if live else max(written, default=now)
    source = (
        f"The unfinished runs were read from the service at {format_clock_time(now)}. "
        "The state is unchanged."
        if live
        else "The runs are those of the state. <code>pulumi refresh --run-program</code> updates "
        "the state: free."
    )
    if len(runs) < total:
        source += f" The page lists {len(runs):,} of {total:,} runs."
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; "
        f"script-src '{SCRIPT_HASH}'; base-uri 'none'"
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title><style>{STYLE}</style></head><body>
<header><h1>{escape(title)}</h1>
<p>{"<br>".join(map(_heading, stacks.values()))} {source}</p></header>
<main>{_figures(runs)}{_attention(runs)}{_totals(runs)}{_timeline(runs, until)}{_transcodes(runs)}{
        _snapshots(runs)
    }</main>
<script>{SCRIPT}</script></body></html>
""".encode()


def _heading(stack: Stack) -> str:
    age = (
        f'<time class="age" datetime="{_format_iso(stack.written)}"></time>'
        if stack.written
        else ""
    )
    return f"{escape(stack_heading(stack))}{age}."


def _totals(runs: Sequence[ListedRun]) -> str:
    if not runs:
        return ""
    whole, *totals = totals_of(runs)
    phases = tuple(whole.phases)
    head = "".join(f'<th scope="col">{_badge(phase)}</th>' for phase in phases)
    parts = []
    for kind in TOTAL_TITLES:
        rows = [_total_row(total, phases) for total in totals if total.by == kind]
        parts.append(
            f'<table class="totals"><thead><tr><th scope="col">{TOTAL_TITLES[kind]}</th>'
            f'<th scope="col">Runs</th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
        )
    return (
        "<section><details><summary><h2>Totals by stack, workflow and day</h2></summary>"
        f"{''.join(parts)}</details></section>"
    )


def _total_row(total: Total, phases: Sequence[str]) -> str:
    found = total.phases
    counts = {"Runs": len(total.runs), **{phase: found.get(phase, 0) for phase in phases}}
    cells = {TOTAL_TITLES[total.by]: html_text(total.text)}
    cells |= {name: f"{count:,}" for name, count in counts.items()}
    row = "".join(f'<td data-label="{html_text(name)}">{cell}</td>' for name, cell in cells.items())
    return f"<tr>{row}</tr>"


TOTAL_TITLES: Final = {"stack": "Stack", "workflow": "Workflow", "day": "Day (UTC)"}


def _figures(runs: Sequence[ListedRun]) -> str:
    outputs = [output for run in runs for output in output_files(run)]
    size = sum(output.size or 0 for output in outputs)
    files = sum(output.count for output in outputs)
    figures = [
        f"<li><b>{len(runs):,}</b> {'run' if len(runs) == 1 else 'runs'}</li>",
        *(
            f"<li><b>{count:,}</b> {_badge(phase)}</li>"
            for phase, count in counts_by_phase(runs).items()
        ),
        f"<li><b>{files:,}</b> {'file' if files == 1 else 'files'}</li>" if files else "",
        f"<li><b>{decimal(int(size))}</b> of transcodes</li>" if size else "",
    ]
    return f'<ul class="figures">{"".join(figures)}</ul>'


def _phase_class(run: ListedRun) -> str:
    return run.phase if run.phase in PHASE_ORDER else "running"


def _link(number: int, run: ListedRun) -> str:
    """Return a run's name as a link to its row."""
    return f'<a href="#run-{number}">{html_text(run.label)}</a>'


def _badge(phase: str) -> str:
    known = phase if phase in PHASE_ORDER else "running"
    sign = PHASE_SIGNS.get(phase, "?")
    return f'<span class="badge {known}"><i aria-hidden="true">{sign}</i> {html_text(phase)}</span>'


def _format_iso(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


# -- the runs and their timeline ---------------------------------------------------------------


def _timeline(runs: Sequence[ListedRun], until: datetime) -> str:
    if not runs:
        return "<section><h2>Runs</h2><p>The state has no runs.</p></section>"
    times = [
        moment
        for run in runs
        for moment in (run.created_at, run.started_at, run.ended_at)
        if moment
    ]
    if any(not run.is_terminal and run.created_at for run in runs):
        times.append(until)
    axis = _Axis(min(times, default=until), max(times, default=until))
    cards = {number: card for card, same in enumerate(_group_by_problem(runs)) for number in same}
    rows = [
        _row(number, run, _bars(run, until, axis), cards.get(number))
        for number, run in enumerate(runs)
    ]
    head = "".join(f'<th scope="col">{name}</th>' for name in COLUMNS)
    head += f'<th scope="col" class="axis">{axis.ticks()}</th>'
    return (
        f'<section><h2>Runs</h2><div class="tools">{_filter(runs)}{_download(runs)}</div>'
        '<p class="legend"><span class="key queue"></span>queued'
        '<span class="key work"></span>processing, in the colour of the phase'
        '<span class="key open"></span>unfinished at the last read. Times are UTC.</p>'
        f"{_table('runs', head, rows)}</section>"
    )


def _table(name: str, head: str, rows: Sequence[str]) -> str:
    """
    Return a table; rows beyond `MAX_ROWS` are in a second one, for browsers without the script.

    A browser with scripts does not parse that table. The script adds rows as the reader scrolls.
    """

    def table(identity: str, part: Sequence[str]) -> str:
        body = "\n".join(part)  # the script splits the rows at the line ends
        return (
            f'<table id="{identity}" class="{name}"><thead><tr>{head}</tr></thead>'
            f"<tbody>\n{body}\n</tbody></table>"
        )

    rest = rows[MAX_ROWS:]
    shown = table(name, rows[:MAX_ROWS])
    if not rest:
        return shown
    return f'{shown}<noscript data-of="{name}">{table(f"more-{name}", rest)}</noscript>'


COLUMNS: Final = (
    "Phase", "Run", "Source", "Workflow", "Created", "Took", "Outputs or reason", "Run id",
)  # fmt: skip


def _filter(runs: Sequence[ListedRun]) -> str:
    """Return the filter, hidden: the script shows it, because it needs the script."""
    phases = "".join(f'<option value="{html_text(phase)}">{html_text(phase)}</option>'
                     for phase in counts_by_phase(runs))  # fmt: skip
    return (
        '<div id="filter" role="search" hidden><input id="words" type="search" autocomplete="off" '
        'placeholder="Filter: name, source, workflow, id, reason" aria-label="Filter the runs">'
        f'<select id="phase" aria-label="Phase"><option value="">every phase</option>{phases}'
        '</select><output id="shown"></output></div>'
    )


def _download(runs: Sequence[ListedRun]) -> str:
    # Spreadsheets read UTF-8 only with a byte order mark.
    content = base64.b64encode(render_csv(runs).encode("utf-8-sig")).decode()
    if len(content) > MAX_LINK_CHARS:
        return "<span>As CSV: <code>vod-workflow runs --format csv</code></span>"
    return f'<a download="runs.csv" href="data:text/csv;charset=utf-8;base64,{content}">CSV</a>'


class _Axis:
    """Places of moments on the time axis, in percent of its width."""

    def __init__(self, begin: datetime, end: datetime) -> None:
        self._begin = begin
        self._span = max(end - begin, timedelta(seconds=1))

    def at(self, moment: datetime) -> float:
        return min(100.0, max(0.0, 100 * ((moment - self._begin) / self._span)))

    def ticks(self) -> str:
        is_short = self._span < timedelta(hours=20)
        form, count = ("%H:%M:%S", TICKS) if is_short else ("%m-%d %H:%M", 1)
        moments = (self._begin + self._span * part / count for part in range(count + 1))
        labels = "".join(f"<span>{moment:{form}}</span>" for moment in moments)
        return f'<div class="ticks">{labels}</div>'


def _row(number: int, run: ListedRun, bars: Iterable[str], card: int | None) -> str:
    began = run.created_at
    result = html_prose(outcome_text(run))
    if card is not None:
        result = f'<a href="#why-{card}">{result}</a>'
    cells = {
        "name": html_text(run.label),
        "source": html_text(run.source or "-"),
        "workflow": html_text(run.workflow or "-"),
        "made": f'<time datetime="{_format_iso(began)}">{began:%Y-%m-%d %H:%M}</time>'
        if began else "-",
        "took": "-" if run.duration is None else format_duration(run.duration),
        "result": result,
        "id": html_text(run.run_id or "-"),
    }  # fmt: skip
    titles = {"name": run.label, "source": run.source, "workflow": run.workflow,
             "result": outcome_text(run), "id": run.run_id}  # fmt: skip
    columns = "".join(
        f'<td class="{name}{" none" * (cell == "-")}" data-label="{label}">'
        f'<span title="{html_text(titles.get(name, ""))}">{cell}</span></td>'
        for (name, cell), label in zip(cells.items(), COLUMNS[1:], strict=True)
    )
    return (
        f'<tr id="run-{number}" class="{_phase_class(run)}" data-run="{number}" '
        f'data-phase="{html_text(run.phase)}"><td class="phase">{_badge(run.phase)}</td>{columns}'
        '<td class="axis">'
        f'<div class="track" role="img" aria-label="{html_text(_bar_label(run))}">'
        f"{''.join(bars)}</div></td></tr>"
    )


def _bar_label(run: ListedRun) -> str:
    """Return the phase and the times of a run's bar."""
    times = {"created": run.created_at, "started": run.started_at, "ended": run.ended_at}
    parts = (f"{name} {format_clock_time(moment)}" for name, moment in times.items() if moment)
    return ", ".join([run.phase, *parts])


def _bars(run: ListedRun, until: datetime, axis: _Axis) -> Iterator[str]:
    if run.created_at is None:
        return
    end = run.ended_at or (run.created_at if run.is_terminal else max(until, run.created_at))
    started = run.started_at or (run.created_at if run.ended_at else end)
    title = html_text(_bar_label(run))
    for kind, first, last in (("queue", run.created_at, started), ("work", started, end)):
        if last > first or (kind == "work" and run.is_terminal):
            left, right = axis.at(first), axis.at(last)
            open_end = " open" if not run.is_terminal and last == end else ""
            yield (
                f'<span class="bar {kind}{open_end}" title="{title}" '
                f'style="left:{left:.3f}%;width:{right - left:.3f}%"></span>'
            )


# -- runs that need attention, and output files ------------------------------------------------


def _group_by_problem(runs: Sequence[ListedRun]) -> list[list[int]]:
    """Return the numbers of runs that need attention, a list for each problem."""
    found: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, run in enumerate(runs):
        if run.needs_attention:
            found[run.phase, run.reason, run.remedy, run.read_error].append(number)
    return list(found.values())


def _attention(runs: Sequence[ListedRun]) -> str:
    cards = []
    for card, numbers in enumerate(_group_by_problem(runs)):
        first = runs[numbers[0]]
        cards.append(
            f'<li id="why-{card}" class="{_phase_class(first)}"><p>{_badge(first.phase)} '
            f"{_names([(number, runs[number]) for number in numbers])}</p>"
            f"<dl>{_problem_details(first)}</dl></li>"
        )
    if not cards:
        return ""
    content = "".join(cards)
    return (
        '<section><h2>Needs attention</h2><ul class="cards" id="attention">'
        f"{content}</ul></section>"
    )


def _names(runs: Sequence[tuple[int, ListedRun]]) -> str:
    links = [f"<strong>{_link(number, run)}</strong>" for number, run in runs]
    first, other_links = ", ".join(links[:MAX_NAMES]), ", ".join(links[MAX_NAMES:])
    more = f"<details><summary>{len(links) - MAX_NAMES:,} more</summary>{other_links}</details>"
    return f"{first}{more if other_links else ''}"


def _problem_details(run: ListedRun) -> str:
    code, _, meaning = run.reason.partition(": ")
    status = str(run.outputs.get("status") or "") if run.phase != "expired" else ""
    parts = {"Code": status, "Meaning": meaning if code == status else run.reason,
             "Next step": run.remedy, "Cannot be read": run.read_error}  # fmt: skip
    return "".join(
        f"<div><dt>{name}</dt><dd>{html_prose(value)}</dd></div>"
        for name, value in parts.items()
        if value and (run.remedy or name != "Meaning")
    )


def _transcodes(runs: Sequence[ListedRun]) -> str:
    rows = (
        (
            number,
            [
                ("Run", _link(number, run)),
                ("Kind", html_text(output.kind)),
                ("Format", html_text(output.format or "-")),
                ("Codec", html_text(", ".join(map(escape_line, output.codecs)) or "-")),
                ("Pixels", _pixels(output)),
                (
                    "Length",
                    format_duration(output.seconds) if output.seconds is not None else "-",
                ),
                ("Size", decimal(int(output.size)) if output.size is not None else "-"),
                ("Stored at", _uris(output)),
            ],
        )
        for number, run in enumerate(runs)
        for output in output_files(run)
        if not output.is_snapshot
    )
    return _file_table("Transcodes", "transcodes", rows, runs)


def _snapshots(runs: Sequence[ListedRun]) -> str:
    rows = (
        (
            number,
            [
                ("Run", _link(number, run)),
                ("Type", html_text(output.kind)),
                ("Files", f"{output.count:,}"),
                ("Format", html_text(output.format or "-")),
                ("Pixels", _pixels(output)),
                ("Stored at", _uris(output)),
            ],
        )
        for number, run in enumerate(runs)
        for output in output_files(run)
        if output.is_snapshot
    )
    return _file_table("Snapshots", "snapshots", rows, runs)


Cells = list[tuple[str, str]]
"""The cells of a row: name of the column, and content."""


def _file_table(
    title: str, name: str, rows: Iterable[tuple[int, Cells]], runs: Sequence[ListedRun]
) -> str:
    found = list(rows)
    hidden = [escape_line(run.label) for run in runs if has_secret_output_files(run)]
    note = f"<p>Hidden (secret): {escape(', '.join(hidden))}</p>" if hidden else ""
    if not found:
        remedy = "A refresh of a run, or a wait for an item, records them."
        empty = "" if note else f"<p>The state has none. {remedy}</p>"
        return f"<section><h2>{title}</h2>{note}{empty}</section>"
    head = "".join(f'<th scope="col">{label}</th>' for label, _ in found[0][1])
    body = [
        f'<tr data-run="{number}">'
        + "".join(f'<td data-label="{label}">{cell}</td>' for label, cell in row)
        + "</tr>"
        for number, row in found
    ]
    return f"<section><h2>{title}</h2>{note}{_table(name, head, body)}</section>"


def _pixels(output: OutputFile) -> str:
    if output.width and output.height:
        return f"{html_text(output.width)}&times;{html_text(output.height)}"
    return "-"


def _uris(output: OutputFile) -> str:
    found = [f"<code>{html_text(uri)}</code>" for uri in output.uris]
    if len(found) <= MAX_URIS:
        return "<br>".join(found) or "-"
    first, rest = found[0], "<br>".join(found[1:])
    return f"{first}<details><summary>{len(found) - 1:,} more</summary>{rest}</details>"
