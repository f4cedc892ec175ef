"""`vod-workflow runs`: what became of the runs that a stack's state tells of."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pulumi_vod_workflow.cli.errors import as_unreadable_file, exit_on_error
from pulumi_vod_workflow.cli.exit_codes import EXIT_ATTENTION, EXIT_CANCELLED, EXIT_UNUSABLE
from pulumi_vod_workflow.cli.options import (
    EndpointOverride,
    ProgramFolder,
    StackExport,
    StackName,
)
from pulumi_vod_workflow.cli.pulumi_files.stack_export import ExportError, read_stack
from pulumi_vod_workflow.cli.runs.model import FAILURE_PHASES, PHASE_ORDER, Phase, list_runs
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
from pulumi_vod_workflow.errors import ConfigurationError

FROM_STATE = "Read from the state, for free: `pulumi refresh --run-program` brings it up to date."
FROM_SERVICE = (
    "Read from the service, for free; the state is unchanged: `pulumi refresh --run-program` "
    "records it."
)
INTERRUPTED = (
    "An update was cut short: `vod-workflow recover` says what became of what it was starting."
)


class Format(StrEnum):
    """How the runs are written."""

    table = "table"
    json = "json"
    csv = "csv"


RunsFormat = Annotated[Format, typer.Option("--format", "-f", help="How to write it.")]


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
            help="Read unfinished runs from the service until all have ended; Ctrl-C stops it. "
            "Free; the state is not changed.",
        ),
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(help="Write a page with a timeline, too: one file that loads nothing."),
    ] = None,
    form: RunsFormat = Format.table,
    phase: Annotated[
        list[Phase] | None,
        typer.Option(
            metavar="PHASE",
            help="List only runs in this phase; give it again for another one. The phases: "
            f"{', '.join(PHASE_ORDER)}.",
            show_default=False,
        ),
    ] = None,
    fail_on_failed: Annotated[
        bool,
        typer.Option("--fail-on-failed", help="End with 1 if a run did not do what was asked for."),
    ] = False,
    endpoint: EndpointOverride = None,
) -> None:
    """
    List a stack's runs by phase: how old they are, what they made, what to do about failures.

    Offline and free, from the stack's state; only --watch asks the service. Secrets are not shown.
    What --phase leaves out is followed and counted all the same: it changes no exit code.

    Exit code: 0; 1 with --fail-on-failed, if a run has failed, was ended, was rejected, or may
    have started unseen; 2 if something cannot be read or written; 130 after Ctrl-C.
    """
    with exit_on_error():
        exported, clock, stopped = read_stack(source, stack, cwd), SystemClock(), False
        with as_unreadable_file(ExportError):
            found = list_runs(exported)
        if watch:
            from pulumi_vod_workflow.cli.runs.watch import follow_runs as follow  # noqa: PLC0415 - makes calls

            told = make_console(stderr=True)
            found, stopped = follow(found, exported.settings(cwd, endpoint=endpoint), told, clock)
        now = clock.now()
        listed = [run for run in found if not phase or run.phase in phase]
        if html is not None:
            _write_page(html, render_html(exported, listed, now, live=watch, total=len(found)))
    if form is Format.json:
        typer.echo(render_json(exported, found, listed, now, "service" if watch else "state"))
    elif form is Format.csv:
        typer.echo(render_csv(listed), nl=False)
    else:
        out = make_console()
        only = f"; {len(listed):,} listed ({' or '.join(phase)})" if phase else ""
        out.print(f"{stack_heading(exported, now)}: {phase_summary(found)}{only}", soft_wrap=True)
        if listed:
            out.print(render_table(listed, now))
            out.print(remedy_hints(listed), soft_wrap=True, end="")
        if exported.interrupted:
            out.print(INTERRUPTED, soft_wrap=True)
        out.print(FROM_SERVICE if watch else FROM_STATE, soft_wrap=True)
    if stopped:
        raise typer.Exit(EXIT_CANCELLED)
    if any(run.read_error for run in found):
        raise typer.Exit(EXIT_UNUSABLE)
    if fail_on_failed and any(run.phase in FAILURE_PHASES for run in found):
        raise typer.Exit(EXIT_ATTENTION)


def _write_page(file: Path, page: bytes) -> None:
    try:
        file.write_bytes(page)
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be written: {error.strerror}") from None
