"""The runs of a stack as a table for a terminal, as JSON, and as CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from pulumi_vod_workflow.cli.formatting import format_age, format_clock_time
from pulumi_vod_workflow.cli.pulumi_files.stack_export import Stack
from pulumi_vod_workflow.cli.runs.costs import (
    RunCosts,
    cost_cells,
    cost_data,
    total_cost_data,
    total_cost_text,
)
from pulumi_vod_workflow.cli.runs.model import (
    PHASE_ORDER,
    SOURCE_FIELDS,
    ListedRun,
    OutputFile,
    counts_by_phase,
    has_secret_output_files,
    output_files,
)
from pulumi_vod_workflow.cli.runs.totals import Total
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
"""Number of runs that a hint names."""
PLAIN_WIDTH: Final = 200
"""Width without a terminal, in columns: wide enough for one line per run."""


def make_console(*, stderr: bool = False) -> Console:
    """Return the console for the output."""
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    return console


def stack_heading(stack: Stack, now: datetime | None = None) -> str:
    """Return the stack's name and project, and the time and age of its state."""
    name = (
        f"{escape_line(stack.name)} of {escape_line(stack.project)}"
        if stack.name
        else "an empty stack"
    )
    if stack.written is None:
        return f"{name}; the time of its state is unknown"
    heading = f"{name}, state of {format_clock_time(stack.written)}"
    if now is None:
        return heading
    return f"{heading} ({format_age((now - stack.written).total_seconds())} ago)"


def phase_summary(runs: Sequence[ListedRun]) -> str:
    """Return the number of runs, in all and in each phase."""
    counts = ", ".join(
        f"{count:,} {escape_line(phase)}" for phase, count in counts_by_phase(runs).items()
    )
    noun = "run" if len(runs) == 1 else "runs"
    return f"{len(runs):,} {noun}: {counts}" if runs else "no runs"


def output_summary(run: ListedRun) -> str:
    """Return the counts and sizes of a run's files, or its progress."""
    if has_secret_output_files(run):
        return "[secret]"
    found = output_files(run)
    parts = [
        *_count_files([product for product in found if not product.is_snapshot]),
        *_count_files([product for product in found if product.is_snapshot], "snapshot"),
    ]
    return "; ".join(parts) or ("" if run.is_terminal else tasks_summary(run.outputs)) or "-"


def outcome_text(run: ListedRun) -> str:
    """Return the reason if a run needs attention, otherwise its outputs."""
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
        counts = (f"{count:,} {kind}{'s' * (count != 1)}" for kind, count in kinds.items())
        yield " + ".join(counts) + total


def render_table(
    runs: Sequence[ListedRun],
    now: datetime,
    max_rows: int | None = None,
    costs: RunCosts | None = None,
) -> RenderableType:
    """
    Return the table of all runs; with `max_rows`, of so many runs, each on one line.

    With `costs`, the table has the estimate and the cost of each run.
    """
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    money = ("ESTIMATE", "COST") if costs else ()
    right = {"AGE", "TOOK", *money}
    for name in ("PHASE", "RUN", "AGE", "TOOK", *money, "OUTPUTS OR REASON", "RUN ID"):
        grid.add_column(name, justify="right" if name in right else "left",
                        overflow="fold" if max_rows is None else "ellipsis",
                        no_wrap=max_rows is not None)  # fmt: skip
    for run in runs[:max_rows]:
        took = "-" if run.duration is None else format_duration(run.duration)
        phase = Text(escape_line(run.phase), style=COLOURS.get(run.phase, ""))
        cells = (
            escape_line(run.label),
            format_age(run.age(now)),
            took,
            *(cost_cells(run, costs) if costs else ()),
            outcome_text(run),
            escape_line(run.run_id) or "-",
        )
        grid.add_row(phase, *map(Text, cells))
    if max_rows is not None and len(runs) > max_rows:
        return Group(grid, Text(f"... and {len(runs) - max_rows:,} more"))
    return grid


def remedy_hints(runs: Sequence[ListedRun]) -> str:
    """Return a line for each remedy, with the names of its runs, and an empty line."""
    names_by_remedy: dict[str, list[str]] = defaultdict(list)
    for run in runs:
        if run.remedy:
            names_by_remedy[run.remedy].append(escape_line(run.label))
    lines = [
        f"hint: {list_names(names, MAX_NAMES)}: {escape_line(remedy)}\n"
        for remedy, names in names_by_remedy.items()
    ]
    return "".join([*lines, "\n"]) if lines else ""


TOTAL_TEXTS: Final = {"all": "all", "stack": "stack", "workflow": "workflow", "day": "day (UTC)"}


def render_totals(totals: Sequence[Total], costs: RunCosts | None = None) -> RenderableType:
    """Return the table of totals, with a column for each phase of the runs; with `costs`, cost."""
    phases = tuple(totals[0].phases)
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    grid.add_column("TOTAL")
    grid.add_column("OF", overflow="fold")
    money = ("COST SO FAR",) if costs else ()
    for name in ("RUNS", *(escape_line(phase).upper() for phase in phases), *money):
        grid.add_column(name, justify="right")
    for number, total in enumerate(totals):
        kind = TOTAL_TEXTS[total.by] if total.by != totals[number - 1].by else ""
        found = total.phases
        counts = (f"{found.get(phase, 0):,}" for phase in phases)
        cost = (total_cost_text(total.runs, costs),) if costs else ()
        cells = (kind, escape_line(total.text), f"{len(total.runs):,}", *counts, *cost)
        grid.add_row(*map(Text, cells))
    return grid


def render_json(
    stacks: Mapping[str, Stack],
    totals: Sequence[Total],
    listed: Sequence[ListedRun],
    now: datetime,
    source: str,
    *,
    costs: RunCosts | None = None,
) -> str:
    """
    Return the totals of all runs and the listed ones as JSON; secrets are `[secret]`.

    Args:
        stacks: the stacks by their names in the list.
        totals: of all runs.
        listed: the runs to list.
        now: the present time.
        source: the origin of the facts: `state` or `service`.
        costs: the prices of the runs, if there are any.

    """
    single = next(iter(stacks.values())) if len(stacks) == 1 else None
    documents: dict[str, dict[str, Any]] = {"stack": {}, "workflow": {}, "day": {}}
    for total in totals[1:]:
        documents[total.by][total.value] = _total_document(total, costs)
    document = {
        **(_stack_document(single) if single else {}),
        "stacks": {name: _stack_document(stack) for name, stack in stacks.items()},
        "source": source,
        "counts": totals[0].phases,
        "totals": {"all": _total_document(totals[0], costs), **documents},
        "runs": [_run_document(run, now, costs) for run in listed],
    }
    return json.dumps(document, indent=2, default=_json_default)


def _stack_document(stack: Stack) -> dict[str, Any]:
    written = stack.written.isoformat() if stack.written else None
    return {"stack": stack.name, "project": stack.project, "stateWrittenAt": written}


def _total_document(total: Total, costs: RunCosts | None) -> dict[str, Any]:
    money = total_cost_data(total.runs, costs) if costs else {}
    return {"runs": len(total.runs), "phases": total.phases, **money}


JSON_FIELDS: Final = (
    *SOURCE_FIELDS, "status", "submittedAt", "createTime", "startTime", "endTime",
    "region", "endpoint", "emulated", "transcodes", "snapshots",
)  # fmt: skip


def _run_document(run: ListedRun, now: datetime, costs: RunCosts | None) -> dict[str, Any]:
    outputs = {name: run.outputs[name] for name in JSON_FIELDS if name in run.outputs}
    return {
        "names": run.names,
        "stacks": run.stacks,
        "runId": run.run_id or None,
        "phase": run.phase,
        "statusReason": run.reason,
        **({"remedy": run.remedy} if run.remedy else {}),
        **({"trouble": run.read_error} if run.read_error else {}),
        "ageSeconds": run.age(now),
        "durationSeconds": run.duration,
        **(cost_data(run, costs) if costs else {}),
        **outputs,
    }


def render_csv(runs: Sequence[ListedRun], costs: RunCosts | None = None) -> str:
    """
    Return CSV with a header and a row for each run; with `costs`, also the money.

    A spreadsheet runs a text that begins like a formula, so an apostrophe precedes such a text.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = (*CSV_COLUMNS, *COST_COLUMNS) if costs else CSV_COLUMNS
    writer.writerow(columns)
    for run in runs:
        cells = {**run.outputs, "names": run.name, "source": run.source,
                "stacks": ", ".join(run.stacks), "day": run.day,
                "outputs": output_summary(run).removeprefix("-"),
                "templateId": run.workflow, "runId": run.run_id, "phase": run.phase,
                "statusReason": run.reason, "remedy": run.remedy, "trouble": run.read_error,
                "durationSeconds": run.duration}  # fmt: skip
        if costs:
            cells |= _cost_columns(run, costs)
        writer.writerow([_csv_cell(cells.get(name)) for name in columns])
    return out.getvalue()


CSV_COLUMNS: Final = (
    "names", "phase", "status", "statusReason", "remedy", "trouble", "source", "templateId",
    "runId", "createTime", "startTime", "endTime", "durationSeconds", "outputs", "stacks", "day",
)  # fmt: skip
"""Columns of the CSV, with the names of the JSON."""


COST_COLUMNS: Final = ("currency", "estimateLow", "estimateHigh", "costLow", "costHigh")
"""Further columns of the CSV with prices. An amount that is not known is an empty cell."""


def _cost_columns(run: ListedRun, costs: RunCosts) -> dict[str, Any]:
    data = cost_data(run, costs)
    estimated, cost = data["estimate"], data["cost"] or {}
    return {
        "currency": data["currency"],
        "estimateLow": estimated["low"],
        "estimateHigh": estimated["high"],
        "costLow": cost.get("low"),
        "costHigh": cost.get("high"),
    }


def render_totals_csv(totals: Sequence[Total], costs: RunCosts | None = None) -> str:
    """Return the totals as CSV: a row for each total, a column for each phase."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    others = sorted({*totals[0].phases}.difference(PHASE_ORDER))
    phases = (*PHASE_ORDER, *others)
    writer.writerow(
        ["total", "of", "runs", *map(_csv_cell, phases), *(TOTAL_COST_COLUMNS if costs else ())]
    )
    for total in totals:
        cost = total_cost_data(total.runs, costs) if costs else {}
        money = (cost["currency"], cost["cost"]["low"], cost["cost"]["high"]) if cost else ()
        found = total.phases
        counts = (found.get(phase, 0) for phase in phases)
        row = (total.by, total.value, len(total.runs), *counts, *money)
        writer.writerow([_csv_cell(value) for value in row])
    return out.getvalue()


TOTAL_COST_COLUMNS: Final = ("currency", "costLow", "costHigh")
"""Further columns of the totals with prices."""


def _csv_cell(value: Any) -> str:
    text = "" if value is None else escape_line(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _json_default(value: Any) -> str:
    return "[secret]" if isinstance(value, Secret) else escape_line(value)
