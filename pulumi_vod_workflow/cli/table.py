"""The runs of a stack as a table for a person, or as JSON for a program."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from rich import box
from rich.console import Console, Group, RenderableType
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from pulumi_vod_workflow.cli.listing import (
    BAD,
    Product,
    Run,
    counts,
    has_secret_products,
    products,
)
from pulumi_vod_workflow.cli.stack import Stack
from pulumi_vod_workflow.cli.text import ago, clock_time, line
from pulumi_vod_workflow.core.plan import Secret
from pulumi_vod_workflow.core.progress import duration, is_share

COLOURS: Final = {
    "failed": "bold red", "terminated": "red", "unclear": "bold yellow", "rejected": "yellow",
    "running": "cyan", "pending": "blue", "submitted": "blue", "expired": "dim",
    "succeeded": "green",
}  # fmt: skip
PLAIN_WIDTH: Final = 200
"""Columns where there is no terminal: wide enough for a run to be one line."""


def console(*, stderr: bool = False) -> Console:
    """Return where to write."""
    made = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not made.is_terminal:
        made.width = PLAIN_WIDTH
    return made


def heading(stack: Stack, now: datetime) -> str:
    """Say which stack this is, and of when its state."""
    whose = f"{line(stack.name)} of {line(stack.project)}" if stack.name else "an empty stack"
    if stack.written is None:
        return f"{whose}; its state does not say when it was written"
    passed = ago((now - stack.written).total_seconds())
    return f"{whose}, by its state of {clock_time(stack.written)} ({passed} ago)"


def summary(runs: Sequence[Run]) -> str:
    """Say how many runs are in which phase."""
    told = ", ".join(f"{count:,} {line(phase)}" for phase, count in counts(runs).items())
    noun = "run" if len(runs) == 1 else "runs"
    return f"{len(runs):,} {noun}: {told}" if runs else "no runs"


def made(run: Run) -> str:
    """Say in a few words what a run has produced."""
    if has_secret_products(run):
        return "[secret]"
    found = products(run)
    parts = [
        *_made([product for product in found if not product.is_snapshot]),
        *_made([product for product in found if product.is_snapshot], "snapshot"),
    ]
    return "; ".join(parts) or _progress(run) or "-"


def _progress(run: Run) -> str:
    tasks = run.outputs.get("tasks")
    parts = [task.get("progress") for task in tasks] if isinstance(tasks, list) else []
    known = [f"{part:g} %" for part in parts if is_share(part)]
    return f"tasks at {', '.join(known)}" if known and not run.ended else ""


def _made(found: Sequence[Product], noun: str = "") -> Iterator[str]:
    kinds: Counter[str] = Counter()
    for product in found:
        kinds[noun or line(product.kind)] += product.count
    sizes = [product.size for product in found if product.size]
    total = f", {decimal(int(sum(sizes)))}" if sizes else ""
    if kinds:
        counted = (f"{count:,} {kind}{'s' * (count != 1)}" for kind, count in kinds.items())
        yield " + ".join(counted) + total


def table(runs: Sequence[Run], now: datetime, most: int | None = None) -> RenderableType:
    """Return the table, of no more than `most` runs."""
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("PHASE", "RUN", "AGE", "TOOK", "OUTPUTS", "RUN ID"):
        grid.add_column(name, justify="right" if name in {"AGE", "TOOK"} else "left",
                        overflow="fold")  # fmt: skip
    for run in runs[:most]:
        took = "-" if run.duration is None else duration(run.duration)
        phase = Text(line(run.phase), style=COLOURS.get(run.phase, ""))
        cells = (line(run.name), ago(run.age(now)), took, made(run), line(run.run_id) or "-")
        grid.add_row(phase, *map(Text, cells))
    if most is not None and len(runs) > most:
        return Group(grid, Text(f"... and {len(runs) - most:,} more"))
    return grid


def failures(runs: Sequence[Run]) -> Text:
    """Say of each run that did not do what was asked for why, and what to do about it."""
    text = Text()
    for run in runs:
        wrong = run.phase in BAD or run.phase == "expired"
        if not (wrong or run.trouble):
            continue
        text.append(f"{line(run.name)}: ")
        text.append(line(run.phase), COLOURS.get(run.phase, ""))
        if wrong:
            text.append(f"\n  why:  {line(run.reason)}\n  then: {line(run.remedy)}")
        if run.trouble:
            text.append(f"\n  cannot be read: {line(run.trouble)}")
        text.append("\n")
    return text


def as_json(stack: Stack, runs: Sequence[Run], now: datetime, source: str) -> str:
    """Return all of it as JSON; times are as recorded, secrets are `[secret]`."""
    told = {
        "stack": stack.name,
        "project": stack.project,
        "stateWrittenAt": stack.written.isoformat() if stack.written else None,
        "source": source,
        "counts": counts(runs),
        "runs": [_as_json(run, now) for run in runs],
    }
    return json.dumps(told, indent=2, default=_plain)


TOLD: Final = (
    "status", "submittedAt", "createTime", "startTime", "endTime", "region", "endpoint", "emulated",
    "transcodes", "snapshots",
)  # fmt: skip


def _as_json(run: Run, now: datetime) -> dict[str, Any]:
    told = {name: run.outputs[name] for name in TOLD if name in run.outputs}
    why = {"statusReason": run.reason} | ({"remedy": run.remedy} if run.remedy else {})
    return {
        "names": run.names,
        "runId": run.run_id or None,
        "phase": run.phase,
        **why,
        **({"trouble": run.trouble} if run.trouble else {}),
        "ageSeconds": run.age(now),
        "durationSeconds": run.duration,
        **told,
    }


def _plain(value: Any) -> str:
    return "[secret]" if isinstance(value, Secret) else line(value)
