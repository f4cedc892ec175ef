"""`vod-workflow recover`: the runs of an interrupted update, and the next steps."""

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
from pulumi_vod_workflow.journal.opening import open_journal

JOURNAL_HELP = "The journal of the update, a path or a URL, instead of the stack's vod:journal."
FORGET_HELP = (
    "Remove the start NAME, as printed, from the journal. First search the VOD console for its "
    "run. If the program still declares the start, `pulumi up` starts it again; see its preview. "
    "Repeat the option for more names."
)


class RecoverFormat(StrEnum):
    """The formats of the output."""

    text = "text"
    json = "json"


def recover(
    *,
    source: StackExport = None,
    stack: StackName = None,
    cwd: ProgramFolder = None,
    journal: Annotated[str | None, typer.Option(metavar="PATH|URL", help=JOURNAL_HELP)] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Read no runs from the service.")
    ] = False,
    forgotten: Annotated[
        list[str] | None, typer.Option("--forget", metavar="NAME", help=FORGET_HELP)
    ] = None,
    form: Annotated[
        RecoverFormat, typer.Option("--format", "-f", help="The format of the output.")
    ] = RecoverFormat.text,
    endpoint: EndpointOverride = None,
) -> None:
    """
    List the starts of an interrupted update, and the steps that avoid a second payment.

    Run the command on the machine of that update, because the journal there has the sent starts.
    It starts no run. Only --forget changes the journal. Without --offline the command reads the
    runs that it lists: free.

    Exit code 0: the next `pulumi up` continues without a decision. 1: you must decide first. 2: an
    input cannot be read.
    """
    with exit_on_error():
        exported, now = read_stack(source, stack, cwd), SystemClock().now()
        if journal and "://" not in journal:
            journal = str(Path(journal).absolute())  # `--cwd` moves only the stack's own paths
        settings = exported.settings(cwd, endpoint=endpoint, journal=journal)
        records = open_journal(settings.journal)
        with as_unreadable_file(ExportError):
            operations = interrupted_operations(exported, records, settings, now)
            if forgotten:
                discard_records(operations, forgotten, records)
                operations = interrupted_operations(exported, records, settings, now)
        report = RecoveryReport(exported, operations, settings, now, discarded=forgotten or ())
        if not offline:
            report = _read_accepted_runs(report)
    typer.echo(report.as_json() if form is RecoverFormat.json else report.text())
    if report.needs_a_decision:
        raise typer.Exit(EXIT_ATTENTION)


def _read_accepted_runs(report: RecoveryReport) -> RecoveryReport:
    """Return the report with the phases of the accepted runs; free."""
    from pulumi_vod_workflow.cli.runs.watch import connect_runs  # noqa: PLC0415 - slow import
    from pulumi_vod_workflow.lifecycle.reader import read_many  # noqa: PLC0415 - slow import

    accepted = report.starts_with(StartOutcome.ACCEPTED)
    runs = {
        start.run_id: {**start.run, "emulated": is_emulated(start.run_id)} for _, start in accepted
    }
    if not runs:
        return report
    try:
        refs, client = connect_runs(runs, report.settings, lambda text: typer.echo(text, err=True))
    except ConfigurationError as error:
        return replace(report, read_error=str(error))
    read, errors = client.run(read_many, refs)
    secret = {start.run_id for operation, start in accepted if operation.has_secret_inputs}
    for run_id in secret & set(errors):
        errors[run_id].redact_service_message("an input may be secret")
    phases = {run_id: outputs["phase"] for run_id, (_, outputs) in read.items()}
    lines = {run_id: " ".join(str(error).split("\n")) for run_id, error in errors.items()}
    operations = [each.with_read_results(phases, lines) for each in report.operations]
    return replace(report, operations=operations)
