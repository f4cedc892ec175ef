"""The runs of a stack as a table for a person, as JSON for a program, as CSV for a sheet."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from pulumi_vod_workflow.cli.formatting import format_age, format_clock_time
from pulumi_vod_workflow.cli.pulumi_files.stack_export import Stack
from pulumi_vod_workflow.cli.runs.model import (
    SOURCE_FIELDS,
    ListedRun,
    OutputFile,
    counts_by_phase,
    has_secret_output_files,
    output_files,
)
from pulumi_vod_workflow.cli.sanitize import escape_line
from pulumi_vod_workflow.core.progress import format_duration, tasks_summary
from pulumi_vod_workflow.core.secrets import Secret
from pulumi_vod_workflow.core.text import list_names

COLOURS: Final = {
    "failed": "bold red", "terminated": "red", "unclear": "bold yellow", "rejected": "yellow",
    "running": "cyan", "pending": "blue", "submitted": "blue", "expired": "dim",
    "succeeded": "green",
}  # fmt: skip
MAX_NAMES: Final = 20
"""Runs that a hint names."""
PLAIN_WIDTH: Final = 200
"""Columns where there is no terminal: wide enough for a run to be one line."""


def make_console(*, stderr: bool = False) -> Console:
    """Return where to write."""
    made = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not made.is_terminal:
        made.width = PLAIN_WIDTH
    return made


def stack_heading(stack: Stack, now: datetime | None = None) -> str:
    """Say which stack this is, of when its state, and how old that is `now`."""
    whose = (
        f"{escape_line(stack.name)} of {escape_line(stack.project)}"
        if stack.name
        else "an empty stack"
    )
    if stack.written is None:
        return f"{whose}; its state does not say when it was written"
    told = f"{whose}, by its state of {format_clock_time(stack.written)}"
    return f"{told} ({format_age((now - stack.written).total_seconds())} ago)" if now else told


def phase_summary(runs: Sequence[ListedRun]) -> str:
    """Say how many runs are in which phase."""
    told = ", ".join(
        f"{count:,} {escape_line(phase)}" for phase, count in counts_by_phase(runs).items()
    )
    noun = "run" if len(runs) == 1 else "runs"
    return f"{len(runs):,} {noun}: {told}" if runs else "no runs"


def output_summary(run: ListedRun) -> str:
    """Say in a few words what a run has produced."""
    if has_secret_output_files(run):
        return "[secret]"
    found = output_files(run)
    parts = [
        *_count_files([product for product in found if not product.is_snapshot]),
        *_count_files([product for product in found if product.is_snapshot], "snapshot"),
    ]
    return "; ".join(parts) or ("" if run.is_terminal else tasks_summary(run.outputs)) or "-"


def outcome_text(run: ListedRun) -> str:
    """Return the reason if something is wrong with a run, and else its products."""
    if run.read_error:
        return f"cannot be read: {escape_line(run.read_error)}"
    return escape_line(run.reason) if run.needs_attention else output_summary(run)


def _count_files(found: Sequence[OutputFile], noun: str = "") -> Iterator[str]:
    kinds: Counter[str] = Counter()
    for product in found:
        kinds[noun or escape_line(product.kind)] += product.count
    sizes = [product.size for product in found if product.size]
    total = f", {decimal(int(sum(sizes)))}" if sizes else ""
    if kinds:
        counted = (f"{count:,} {kind}{'s' * (count != 1)}" for kind, count in kinds.items())
        yield " + ".join(counted) + total


def render_table(
    runs: Sequence[ListedRun], now: datetime, most: int | None = None
) -> RenderableType:
    """Return the table; with `most`, of no more than so many runs, each on one line."""
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("PHASE", "RUN", "AGE", "TOOK", "OUTPUTS OR REASON", "RUN ID"):
        grid.add_column(name, justify="right" if name in {"AGE", "TOOK"} else "left",
                        overflow="fold" if most is None else "ellipsis",
                        no_wrap=most is not None)  # fmt: skip
    for run in runs[:most]:
        took = "-" if run.duration is None else format_duration(run.duration)
        phase = Text(escape_line(run.phase), style=COLOURS.get(run.phase, ""))
        cells = (
            escape_line(run.name),
            format_age(run.age(now)),
            took,
            outcome_text(run),
            escape_line(run.run_id) or "-",
        )
        grid.add_row(phase, *map(Text, cells))
    if most is not None and len(runs) > most:
        return Group(grid, Text(f"... and {len(runs) - most:,} more"))
    return grid


def remedy_hints(runs: Sequence[ListedRun]) -> str:
    """Return one line for each remedy, with the runs that it is for, and an empty one."""
    of: dict[str, list[str]] = defaultdict(list)
    for run in runs:
        if run.remedy:
            of[run.remedy].append(escape_line(run.name))
    told = [
        f"hint: {list_names(who, MAX_NAMES)}: {escape_line(what)}\n" for what, who in of.items()
    ]
    return "".join([*told, "\n"]) if told else ""


def render_json(
    stack: Stack, runs: Sequence[ListedRun], listed: Sequence[ListedRun], now: datetime, source: str
) -> str:
    """Return the counts of all runs and the listed ones as JSON; secrets are `[secret]`."""
    told = {
        "stack": stack.name,
        "project": stack.project,
        "stateWrittenAt": stack.written.isoformat() if stack.written else None,
        "source": source,
        "counts": counts_by_phase(runs),
        "runs": [_run_document(run, now) for run in listed],
    }
    return json.dumps(told, indent=2, default=_json_default)


JSON_FIELDS: Final = (
    *SOURCE_FIELDS, "status", "submittedAt", "createTime", "startTime", "endTime",
    "region", "endpoint", "emulated", "transcodes", "snapshots",
)  # fmt: skip


def _run_document(run: ListedRun, now: datetime) -> dict[str, Any]:
    told = {name: run.outputs[name] for name in JSON_FIELDS if name in run.outputs}
    why = {"statusReason": run.reason} | ({"remedy": run.remedy} if run.remedy else {})
    return {
        "names": run.names,
        "runId": run.run_id or None,
        "phase": run.phase,
        **why,
        **({"trouble": run.read_error} if run.read_error else {}),
        "ageSeconds": run.age(now),
        "durationSeconds": run.duration,
        **told,
    }


def render_csv(runs: Sequence[ListedRun]) -> str:
    """
    Return a row for each run, as CSV with a header.

    A spreadsheet would run a text that begins like a formula: such a text gets an apostrophe first.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for run in runs:
        told = {**run.outputs, "names": run.name, "source": run.source,
                "outputs": output_summary(run).removeprefix("-"),
                "templateId": run.workflow, "runId": run.run_id, "phase": run.phase,
                "statusReason": run.reason, "remedy": run.remedy, "trouble": run.read_error,
                "durationSeconds": run.duration}  # fmt: skip
        writer.writerow([_csv_cell(told.get(name)) for name in CSV_COLUMNS])
    return out.getvalue()


CSV_COLUMNS: Final = (
    "names", "phase", "status", "statusReason", "remedy", "trouble", "source", "templateId",
    "runId", "createTime", "startTime", "endTime", "durationSeconds", "outputs",
)  # fmt: skip
"""Of the CSV, named as in the JSON."""


def _csv_cell(value: Any) -> str:
    text = "" if value is None else escape_line(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _json_default(value: Any) -> str:
    return "[secret]" if isinstance(value, Secret) else escape_line(value)
