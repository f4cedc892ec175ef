"""`vod-workflow recover`: which runs an update that was cut short has started, and how to go on."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pulumi_vod_workflow.cli.errors import as_unreadable_file, exit_on_error
from pulumi_vod_workflow.cli.exit_codes import EXIT_ATTENTION
from pulumi_vod_workflow.cli.options import (
    EndpointOverride,
    ProgramFolder,
    StackExport,
    StackName,
)
from pulumi_vod_workflow.cli.pulumi_files.stack_export import ExportError, read_stack
from pulumi_vod_workflow.cli.recover.model import (
    StartOutcome,
    discard_records,
    interrupted_operations,
)
from pulumi_vod_workflow.cli.recover.render_text import RecoveryReport
from pulumi_vod_workflow.config.clock import SystemClock
from pulumi_vod_workflow.core.execution import is_emulated
from pulumi_vod_workflow.errors import ConfigurationError
from pulumi_vod_workflow.journal.sqlite import Journal

JOURNAL_HELP = "Instead of the stack's vod:journal: the file of the machine where the update ran."


class Format(StrEnum):
    """How the starts are written."""

    text = "text"
    json = "json"


FORGET_HELP = (
    "Take the start that NAME, as it is printed, has sent out of the journal, once you have looked "
    "for its run. What is still declared is then started, as its preview says. Can be given more "
    "than once."
)


def recover(
    *,
    source: StackExport = None,
    stack: StackName = None,
    cwd: ProgramFolder = None,
    journal: Annotated[Path | None, typer.Option(help=JOURNAL_HELP)] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not look whether the runs are there.")
    ] = False,
    forgotten: Annotated[
        list[str] | None, typer.Option("--forget", metavar="NAME", help=FORGET_HELP)
    ] = None,
    form: Annotated[Format, typer.Option("--format", "-f", help="How to write it.")] = Format.text,
    endpoint: EndpointOverride = None,
) -> None:
    """
    Say what an update that was cut short has started, and how to go on without paying twice.

    Run it on the machine where that update ran: what was sent is in the journal there. It starts
    nothing, and changes nothing but the journal, with --forget; without --offline it reads the runs
    that it finds, which is free.

    Exit code: 0 if the next `pulumi up` goes on by itself; 1 if a person has to decide something
    first; 2 if something cannot be read.
    """
    with exit_on_error():
        exported, now = read_stack(source, stack, cwd), SystemClock().now()
        settings = exported.settings(
            cwd, endpoint=endpoint, journal=str(journal) if journal else None
        )
        books = Journal(settings.journal)
        with as_unreadable_file(ExportError):
            found = interrupted_operations(exported, books, settings, now)
            if forgotten:
                discard_records(found, forgotten, books)
                found = interrupted_operations(exported, books, settings, now)
        advice = RecoveryReport(exported, found, settings, now, discarded=forgotten or ())
        if not offline:
            advice = _read_accepted_runs(advice)
    typer.echo(advice.as_json() if form is Format.json else advice.text())
    if advice.needs_a_decision:
        raise typer.Exit(EXIT_ATTENTION)


def _read_accepted_runs(advice: RecoveryReport) -> RecoveryReport:
    """Read the runs that were accepted."""
    from pulumi_vod_workflow.cli.runs.watch import connect_runs  # noqa: PLC0415 - makes calls
    from pulumi_vod_workflow.lifecycle.reader import read_many  # noqa: PLC0415 - makes calls

    accepted = advice.starts_with(StartOutcome.ACCEPTED)
    runs = {
        start.run_id: {**start.run, "emulated": is_emulated(start.run_id)} for _, start in accepted
    }
    if not runs:
        return advice
    try:
        targets, connection = connect_runs(
            runs, advice.settings, lambda text: typer.echo(text, err=True)
        )
    except ConfigurationError as error:
        return replace(advice, read_error=str(error))
    read, errors = connection.run(read_many, targets)
    secret = {start.run_id for operation, start in accepted if operation.has_secret_inputs}
    for run_id in secret & set(errors):
        errors[run_id].redact_service_message("an input may be secret")
    phases = {run_id: outputs["phase"] for run_id, (_, outputs) in read.items()}
    troubles = {run_id: " ".join(str(error).split("\n")) for run_id, error in errors.items()}
    return replace(
        advice, operations=[each.with_read_results(phases, troubles) for each in advice.operations]
    )
