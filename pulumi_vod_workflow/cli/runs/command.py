"""`vod-workflow runs`: the runs of a stack's state, with outputs and remedies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pulumi_vod_workflow.cli.errors import as_unreadable_file, exit_on_error
from pulumi_vod_workflow.cli.exit_codes import EXIT_ATTENTION, EXIT_CANCELLED, EXIT_UNUSABLE
from pulumi_vod_workflow.cli.options import EndpointOverride, PriceFile, ProgramFolder
from pulumi_vod_workflow.cli.pulumi_files.stack_export import (
    ExportError,
    Stack,
    name_stacks,
    read_stacks,
)
from pulumi_vod_workflow.cli.runs.costs import RunCosts, cost_summary, read_review
from pulumi_vod_workflow.cli.runs.model import (
    FAILURE_PHASES,
    PHASE_ORDER,
    ListedRun,
    Phase,
    list_runs,
    merge_stacks,
)
from pulumi_vod_workflow.cli.runs.render_html import render_html
from pulumi_vod_workflow.cli.runs.render_table import (
    make_console,
    phase_summary,
    remedy_hints,
    render_csv,
    render_json,
    render_table,
    render_totals,
    render_totals_csv,
    stack_heading,
)
from pulumi_vod_workflow.cli.runs.totals import totals_of
from pulumi_vod_workflow.cli.sanitize import escape_line
from pulumi_vod_workflow.config.clock import SystemClock
from pulumi_vod_workflow.config.price_file import (
    PRICES_HINT,
    configured_price_file,
    load_prices,
)
from pulumi_vod_workflow.errors import ConfigurationError

FROM_STATE = "Source: the state. `pulumi refresh --run-program` updates the state: free."
FROM_SERVICE = (
    "Source: the service. The state is unchanged. `pulumi refresh --run-program` updates the "
    "state: free."
)
INTERRUPTED = (
    "an update was interrupted\nhint: `vod-workflow recover` lists its starts and the next steps"
)


class RunsFormat(StrEnum):
    """The formats of the output."""

    table = "table"
    json = "json"
    csv = "csv"


def runs(
    *,
    source: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[EXPORT]...",
            help="Files of `pulumi stack export`, or - for standard input. Without a file the "
            "command runs `pulumi stack export`.",
            show_default=False,
        ),
    ] = None,
    stack: Annotated[
        list[str] | None,
        typer.Option(
            "--stack",
            "-s",
            help="The stack to export. Repeat the option for more stacks [default: the selected "
            "stack].",
            show_default=False,
        ),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="List the runs of all stacks of the project.")
    ] = False,
    cwd: ProgramFolder = None,
    totals: Annotated[
        bool,
        typer.Option(
            "--totals",
            help="Print only the number of runs by stack, workflow, day in UTC, and phase.",
        ),
    ] = False,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            "-w",
            help="Read unfinished runs from the service until all have ended, or until Ctrl-C. The "
            "state does not change. Free.",
        ),
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(help="Also write a page with a timeline: one file that loads nothing."),
    ] = None,
    form: Annotated[
        RunsFormat, typer.Option("--format", "-f", help="The format of the output.")
    ] = RunsFormat.table,
    phase: Annotated[
        list[Phase] | None,
        typer.Option(
            metavar="PHASE",
            help="List only runs in this phase. Repeat the option for more phases. The phases: "
            f"{', '.join(PHASE_ORDER)}.",
            show_default=False,
        ),
    ] = None,
    fail_on_failed: Annotated[
        bool,
        typer.Option("--fail-on-failed", help="Exit with 1 if a run or a start has failed."),
    ] = False,
    endpoint: EndpointOverride = None,
    price_file: PriceFile = None,
    review: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A review in JSON, made with prices before the update: its estimates appear "
            "beside the costs.",
        ),
    ] = None,
) -> None:
    """
    List the runs of stacks by phase, with their ages, their outputs, and remedies of failures.

    The command reads the stacks' states: offline and free. After the runs of several stacks it
    prints totals by stack, workflow, day and phase. Only --watch sends requests to the
    service. The output has no secrets. --phase changes neither --watch nor the exit code. With
    prices, the output has the estimate of each run, and its cost by its results.

    Exit code 0: the runs are listed. 1, with --fail-on-failed: a run has failed or was terminated,
    or a start was rejected or has an unknown outcome. 2: an input cannot be read, or the page
    cannot be written. 130: Ctrl-C.
    """
    with exit_on_error():
        exported = read_stacks(source or (), stack or (), cwd, every=every)
        stacks, clock, cancelled = name_stacks(exported), SystemClock(), False
        with as_unreadable_file(ExportError):
            found = merge_stacks({name: list_runs(each) for name, each in stacks.items()})
        costs = _costs(exported, cwd, price_file, review)
        if watch:
            from pulumi_vod_workflow.cli.runs.watch import follow_runs  # noqa: PLC0415 - slow import

            settings = {
                name: each.settings(cwd, endpoint=endpoint) for name, each in stacks.items()
            }
            found, cancelled = follow_runs(found, settings, make_console(stderr=True), clock)
        now = clock.now()
        listed = [run for run in found if not phase or run.phase in phase]
        if html is not None:
            _write_page(html, render_html(stacks, listed, now, live=watch, total=len(found)))
    if form is RunsFormat.json:
        origin, counted = "service" if watch else "state", totals_of(found)
        typer.echo(render_json(stacks, counted, listed, now, origin, costs=costs))
    elif form is RunsFormat.csv:
        text = render_totals_csv(totals_of(found), costs) if totals else render_csv(listed, costs)
        typer.echo(text, nl=False)
    else:
        filtered = f"; {len(listed):,} listed ({' or '.join(phase)})" if phase else ""
        _print_headings(stacks, found, now, filtered)
        out = make_console()
        if listed and not totals:
            out.print(render_table(listed, now, costs=costs))
            out.print(remedy_hints(listed), soft_wrap=True, end="")
        if found and (totals or len(stacks) > 1):
            out.print(render_totals(totals_of(found), costs))
        _print_notes(exported, cost_summary(found, costs) if costs else (), watch=watch)
    raise typer.Exit(EXIT_CANCELLED if cancelled else _exit_code(found, fail_on_failed))


def _print_headings(
    stacks: Mapping[str, Stack], found: Sequence[ListedRun], now: datetime, filtered: str
) -> None:
    out, several = make_console(), len(stacks) > 1
    for name, stack in stacks.items():
        counts = phase_summary([run for run in found if name in run.stacks])
        heading = f"{stack_heading(stack, now)}: {counts}"
        out.print(heading if several else f"{heading}{filtered}", soft_wrap=True)
    if several:
        out.print(f"{len(stacks)} stacks: {phase_summary(found)}{filtered}", soft_wrap=True)


def _print_notes(stacks: Sequence[Stack], costs: Iterable[str], *, watch: bool) -> None:
    out = make_console()
    for line in costs:
        out.print(line, soft_wrap=True)
    for stack in stacks:
        if stack.interrupted:
            name = f"{escape_line(stack.name)}: " if len(stacks) > 1 else ""
            out.print(f"{name}{INTERRUPTED}", soft_wrap=True)
    out.print(FROM_SERVICE if watch else FROM_STATE, soft_wrap=True)


def _exit_code(found: Sequence[ListedRun], fail_on_failed: bool) -> int:  # noqa: FBT001 - an option
    if any(run.read_error for run in found):
        return EXIT_UNUSABLE
    has_failed = any(run.phase in FAILURE_PHASES for run in found)
    return EXIT_ATTENTION if fail_on_failed and has_failed else 0


def _costs(
    stacks: Sequence[Stack], cwd: Path | None, price_file: Path | None, review: Path | None
) -> RunCosts | None:
    """
    Return the costs by the prices of an option or of the stacks; `None` without prices.

    Raises:
        ConfigurationError: when the price file or the review is wrong, or the stacks have several
            price files.

    """
    if review is not None and len(stacks) > 1:
        raise ConfigurationError(
            f"--review has the names of one stack, and there are {len(stacks)}\n"
            "hint: run the command with --review once for each stack"
        )
    configured = {configured_price_file(stack.setting("vod:prices"), cwd) for stack in stacks}
    if price_file is None and len(configured) > 1:
        raise ConfigurationError(
            "the stacks differ in vod:prices\nhint: give one price file by --prices"
        )
    file = price_file or next(iter(configured), None)
    if file is None:
        if review is not None:
            raise ConfigurationError(f"--review needs prices\n{PRICES_HINT}")
        return None
    prices = load_prices(file)
    return RunCosts(prices) if review is None else read_review(review, prices)


def _write_page(file: Path, page: bytes) -> None:
    try:
        file.write_bytes(page)
    except OSError as error:
        raise ConfigurationError(f"cannot write {file}: {error.strerror}") from None
