"""The runs of a stack as one page for a browser: nothing is loaded, no script runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Any, Final

from rich.filesize import decimal

from pulumi_vod_workflow.cli.listing import (
    BAD,
    PHASES,
    Product,
    Run,
    counts,
    has_secret_products,
    products,
)
from pulumi_vod_workflow.cli.page_style import STYLE
from pulumi_vod_workflow.cli.stack import Stack
from pulumi_vod_workflow.cli.table import heading, made
from pulumi_vod_workflow.cli.text import ago, clock_time, line
from pulumi_vod_workflow.core.progress import duration

SIGNS: Final = {
    "failed": "✕", "terminated": "■", "unclear": "?", "rejected": "⊘",
    "running": "▶", "pending": "…", "submitted": "…", "expired": "◌", "succeeded": "✓",
}  # fmt: skip
"""Beside each phase's word: nothing is told by colour alone."""
TICKS: Final = 4
"""Parts of the time axis."""
SHOWN_URIS: Final = 3
"""Addresses that are shown without being asked for."""


def render(stack: Stack, runs: Sequence[Run], now: datetime, *, live: bool) -> bytes:
    """
    Return the page.

    Args:
        stack: whose runs.
        runs: as they are to be listed.
        now: the time to which unfinished runs are drawn if they were just read.
        live: whether they were just read, not taken from the state.

    """
    title = f"Runs of {line(stack.name) or 'an empty stack'}"
    until = now if live else (stack.written or now)
    read = (
        f"Unfinished runs were read from the service at {clock_time(now)}; the state is unchanged."
        if live
        else "This is what the state tells: <code>pulumi refresh --run-program</code> brings it up "
        "to date."
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}</title><style>{STYLE}</style></head><body>
<header><h1>{escape(title)}</h1>
<p>{escape(heading(stack, now))}. {read}</p></header>
<main>{_figures(runs)}{_attention(runs)}{_timeline(runs, now, until)}{_transcodes(runs)}{
        _snapshots(runs)
    }</main>
</body></html>
""".encode()


def _figures(runs: Sequence[Run]) -> str:
    made_of = [product for run in runs for product in products(run)]
    size = sum(product.size or 0 for product in made_of)
    files = sum(product.count for product in made_of)
    figures = [
        f"<li><b>{len(runs):,}</b> {'run' if len(runs) == 1 else 'runs'}</li>",
        *(f"<li><b>{count:,}</b> {_badge(phase)}</li>" for phase, count in counts(runs).items()),
        f"<li><b>{files:,}</b> {'file' if files == 1 else 'files'}</li>" if files else "",
        f"<li><b>{decimal(int(size))}</b> of transcodes</li>" if size else "",
    ]
    return f'<ul class="figures">{"".join(figures)}</ul>'


def _badge(phase: str) -> str:
    known = phase if phase in PHASES else "running"
    sign = SIGNS.get(phase, "?")
    return f'<span class="badge {known}"><i aria-hidden="true">{sign}</i> {_text(phase)}</span>'


def _text(value: Any) -> str:
    return escape(line(value))


# -- the timeline ------------------------------------------------------------------------------


def _timeline(runs: Sequence[Run], now: datetime, until: datetime) -> str:
    if not runs:
        return "<section><h2>Timeline</h2><p>There are no runs in this state.</p></section>"
    times = [moment for run in runs for moment in (run.began, run.started, run.finished) if moment]
    if any(not run.ended and run.began for run in runs):
        times.append(until)
    axis = _Axis(min(times, default=until), max(times, default=until))
    rows = "".join(_row(run, now, until, axis) for run in runs)
    return (
        '<section><h2>Timeline</h2><p class="legend"><span class="key queue"></span>queued'
        '<span class="key work"></span>processed, in the colour of its phase'
        '<span class="key open"></span>not ended when last read. Times are UTC.</p>'
        f'<div class="chart"><div class="axis" aria-hidden="true"><div></div>{axis.ticks()}</div>'
        f'<ol class="timeline" id="timeline">{rows}</ol></div></section>'
    )


class _Axis:
    """Where moments are on the time axis, in percent of its width."""

    def __init__(self, begin: datetime, end: datetime) -> None:
        self._begin = begin
        self._span = max(end - begin, timedelta(seconds=1))

    def at(self, moment: datetime) -> float:
        return min(100.0, max(0.0, 100 * ((moment - self._begin) / self._span)))

    def ticks(self) -> str:
        form = "%H:%M:%S" if self._span < timedelta(hours=20) else "%m-%d %H:%M"
        moments = (self._begin + self._span * part / TICKS for part in range(TICKS + 1))
        return f"<div>{''.join(f'<span>{moment:{form}}</span>' for moment in moments)}</div>"


def _row(run: Run, now: datetime, until: datetime, axis: _Axis) -> str:
    ends = [f"{moment:%m-%d %H:%M:%S}" for moment in (run.began, run.finished) if moment]
    facts = [" to ".join(ends), f"{ago(run.age(now))} old"] if ends else []
    if run.duration is not None:
        facts.append(f"took {duration(run.duration)}")
    facts.append(made(run))
    facts = [fact for fact in facts if fact != "-"]
    return (
        f'<li class="{run.phase if run.phase in PHASES else "running"}"><div class="who">'
        f"<strong>{_text(run.name)}</strong> {_badge(run.phase)}"
        f"<small>{_text(' · '.join(facts))}</small>"
        f"<small><code>{_text(run.run_id or 'no run')}</code></small></div>"
        f'<div class="track" role="img" aria-label="{_text(_spoken(run))}">'
        f"{''.join(_bars(run, until, axis))}</div></li>"
    )


def _spoken(run: Run) -> str:
    """Say what the bar shows."""
    times = {"made": run.began, "started": run.started, "ended": run.finished}
    told = (f"{name} {clock_time(moment)}" for name, moment in times.items() if moment)
    return ", ".join([run.phase, *told])


def _bars(run: Run, until: datetime, axis: _Axis) -> Iterator[str]:
    if run.began is None:
        return
    end = run.finished or (run.began if run.ended else max(until, run.began))
    started = run.started or (run.began if run.finished else end)
    title = _text(_spoken(run))
    for kind, first, last in (("queue", run.began, started), ("work", started, end)):
        if last > first or (kind == "work" and run.ended):
            left, right = axis.at(first), axis.at(last)
            open_end = " open" if not run.ended and last == end else ""
            yield (
                f'<span class="bar {kind}{open_end}" title="{title}" '
                f'style="left:{left:.3f}%;width:{right - left:.3f}%"></span>'
            )


# -- what went wrong, what was made ------------------------------------------------------------


def _attention(runs: Sequence[Run]) -> str:
    wrong = [run for run in runs if run.phase in BAD or run.phase == "expired" or run.trouble]
    cards = "".join(
        f'<li class="{run.phase if run.phase in PHASES else "running"}"><p><strong>'
        f"{_text(run.name)}</strong> {_badge(run.phase)}</p><dl>{_why(run)}</dl></li>"
        for run in wrong
    )
    if not wrong:
        return ""
    return (
        f'<section><h2>Needs attention</h2><ul class="cards" id="attention">{cards}</ul></section>'
    )


def _why(run: Run) -> str:
    code, _, meaning = run.reason.partition(": ")
    status = str(run.outputs.get("status") or "") if run.phase != "expired" else ""
    parts = {"Code": status, "Meaning": meaning if code == status else run.reason,
             "What to do": run.remedy, "Cannot be read": run.trouble,
             "Run": run.run_id}  # fmt: skip
    return "".join(
        f"<div><dt>{name}</dt><dd>{_text(value)}</dd></div>"
        for name, value in parts.items()
        if value and (run.remedy or name != "Meaning")
    )


def _transcodes(runs: Sequence[Run]) -> str:
    rows = (
        [
            ("Run", _text(run.name)),
            ("Kind", _text(product.kind)),
            ("Format", _text(product.format or "-")),
            ("Codec", _text(", ".join(map(line, product.codecs)) or "-")),
            ("Pixels", _pixels(product)),
            ("Length", duration(product.seconds) if product.seconds is not None else "-"),
            ("Size", decimal(int(product.size)) if product.size is not None else "-"),
            ("Stored at", _uris(product)),
        ]
        for run in runs
        for product in products(run)
        if not product.is_snapshot
    )
    return _facts("Transcodes", "transcodes", rows, runs)


def _snapshots(runs: Sequence[Run]) -> str:
    rows = (
        [
            ("Run", _text(run.name)),
            ("Type", _text(product.kind)),
            ("Files", f"{product.count:,}"),
            ("Format", _text(product.format or "-")),
            ("Pixels", _pixels(product)),
            ("Stored at", _uris(product)),
        ]
        for run in runs
        for product in products(run)
        if product.is_snapshot
    )
    return _facts("Snapshots", "snapshots", rows, runs)


def _facts(
    title: str, name: str, rows: Iterable[list[tuple[str, str]]], runs: Sequence[Run]
) -> str:
    found = list(rows)
    hidden = [line(run.name) for run in runs if has_secret_products(run)]
    note = f"<p>Secret, and not shown: {escape(', '.join(hidden))}.</p>" if hidden else ""
    if not found:
        empty = "" if note else "<p>None recorded: a refresh, or a wait, records them.</p>"
        return f"<section><h2>{title}</h2>{note}{empty}</section>"
    head = "".join(f"<th scope=col>{label}</th>" for label, _ in found[0])
    body = "".join(
        "<tr>" + "".join(f'<td data-label="{label}">{cell}</td>' for label, cell in row) + "</tr>"
        for row in found
    )
    return (
        f'<section><h2>{title}</h2>{note}<table id="{name}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></section>"
    )


def _pixels(product: Product) -> str:
    if product.width and product.height:
        return f"{_text(product.width)}&times;{_text(product.height)}"
    return "-"


def _uris(product: Product) -> str:
    found = [f"<code>{_text(uri)}</code>" for uri in product.uris]
    if len(found) <= SHOWN_URIS:
        return "<br>".join(found) or "-"
    first, rest = found[0], "<br>".join(found[1:])
    return f"{first}<details><summary>{len(found) - 1:,} more</summary>{rest}</details>"
