"""`vod-workflow runs`: the runs of a stack's state, with outputs and remedies."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pulumi_vod_workflow.cli.errors import as_unreadable_file, exit_on_error
from pulumi_vod_workflow.cli.exit_codes import EXIT_ATTENTION, EXIT_CANCELLED, EXIT_UNUSABLE
from pulumi_vod_workflow.cli.options import (
    EndpointOverride,
    PriceFile,
    ProgramFolder,
    StackExport,
    StackName,
)
from pulumi_vod_workflow.cli.pulumi_files.stack_export import ExportError, Stack, read_stack
from pulumi_vod_workflow.cli.runs.costs import RunCosts, cost_summary, read_review
from pulumi_vod_workflow.cli.runs.model import (
    FAILURE_PHASES,
    PHASE_ORDER,
    ListedRun,
    Phase,
    list_runs,
)
from pulumi_vod_workflow.cli.runs.render_html import render_html
from pulumi_vod_workflow.cli.runs.render_table import (
    make_console,
    phase_summary,
    remedy_hints,
    render_csv,
    render_json,
    render_table,
    stack_heading,
)
from pulumi_vod_workflow.config.clock import SystemClock
from pulumi_vod_workflow.config.price_file import load_prices
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
    source: StackExport = None,
    stack: StackName = None,
    cwd: ProgramFolder = None,
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
    List the runs of a stack by phase, with their ages, their outputs, and remedies of failures.

    The command reads the stack's state: offline and free. Only --watch sends requests to the
    service. The output has no secrets. --phase changes neither --watch nor the exit code. With
    prices, the output has the estimate of each run, and its cost by its results.

    Exit code 0: the runs are listed. 1, with --fail-on-failed: a run has failed or was terminated,
    or a start was rejected or has an unknown outcome. 2: an input cannot be read, or the page
    cannot be written. 130: Ctrl-C.
    """
    with exit_on_error():
        exported, clock, cancelled = read_stack(source, stack, cwd), SystemClock(), False
        with as_unreadable_file(ExportError):
            found = list_runs(exported)
        costs = _costs(exported, cwd, price_file, review)
        if watch:
            from pulumi_vod_workflow.cli.runs.watch import follow_runs  # noqa: PLC0415 - slow import

            settings, out = exported.settings(cwd, endpoint=endpoint), make_console(stderr=True)
            found, cancelled = follow_runs(found, settings, out, clock)
        now = clock.now()
        listed = [run for run in found if not phase or run.phase in phase]
        if html is not None:
            _write_page(html, render_html(exported, listed, now, live=watch, total=len(found)))
    if form is RunsFormat.json:
        typer.echo(
            render_json(exported, found, listed, now, "service" if watch else "state", costs=costs)
        )
    elif form is RunsFormat.csv:
        typer.echo(render_csv(listed, costs), nl=False)
    else:
        out = make_console()
        filtered = f"; {len(listed):,} listed ({' or '.join(phase)})" if phase else ""
        out.print(
            f"{stack_heading(exported, now)}: {phase_summary(found)}{filtered}", soft_wrap=True
        )
        if listed:
            out.print(render_table(listed, now, costs=costs))
            out.print(remedy_hints(listed), soft_wrap=True, end="")
        if costs is not None:
            out.print("\n".join(cost_summary(found, costs)), soft_wrap=True)
        if exported.interrupted:
            out.print(INTERRUPTED, soft_wrap=True)
        out.print(FROM_SERVICE if watch else FROM_STATE, soft_wrap=True)
    raise typer.Exit(EXIT_CANCELLED if cancelled else _exit_code(found, fail_on_failed))


def _exit_code(found: Sequence[ListedRun], fail_on_failed: bool) -> int:  # noqa: FBT001 - an option
    if any(run.read_error for run in found):
        return EXIT_UNUSABLE
    has_failed = any(run.phase in FAILURE_PHASES for run in found)
    return EXIT_ATTENTION if fail_on_failed and has_failed else 0


def _costs(
    stack: Stack, cwd: Path | None, price_file: Path | None, review: Path | None
) -> RunCosts | None:
    """
    Return the costs by the prices of an option or of the stack; `None` without prices.

    Raises:
        ConfigurationError: when the price file or the review is wrong.

    """
    configured = (stack.setting("vod:prices") or "").strip()
    if price_file is None and configured:
        price_file = (cwd or Path()) / Path(configured).expanduser()
    if price_file is None:
        if review is not None:
            raise ConfigurationError(
                "--review needs prices\nhint: give a price file by --prices, or set vod:prices"
            )
        return None
    prices = load_prices(price_file)
    return RunCosts(prices) if review is None else read_review(review, prices)


def _write_page(file: Path, page: bytes) -> None:
    try:
        file.write_bytes(page)
    except OSError as error:
        raise ConfigurationError(f"cannot write {file}: {error.strerror}") from None
