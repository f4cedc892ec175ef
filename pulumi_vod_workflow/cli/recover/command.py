"""`vod-workflow recover`: the runs of an interrupted update, and the next steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pulumi_vod_workflow.cli.errors import as_unreadable_file, exit_on_error
from pulumi_vod_workflow.cli.exit_codes import EXIT_ATTENTION
from pulumi_vod_workflow.cli.options import EndpointOverride, ProgramFolder
from pulumi_vod_workflow.cli.pulumi_files.stack_export import ExportError, Stack, read_stack
from pulumi_vod_workflow.cli.recover.model import (
    FoundRun,
    InterruptedOperation,
    StartOutcome,
    compare_run,
    discard_records,
    interrupted_operations,
    record_pending_starts,
    waiting_names,
)
from pulumi_vod_workflow.cli.recover.render_text import RecoveryReport
from pulumi_vod_workflow.config.clock import SystemClock
from pulumi_vod_workflow.config.journal_location import is_url
from pulumi_vod_workflow.core.execution import is_emulated, start_inputs_of
from pulumi_vod_workflow.errors import ConfigurationError
from pulumi_vod_workflow.journal.opening import open_journal

JOURNAL_HELP = "The journal of the update, a path or a URL, instead of the stack's vod:journal."
FORGET_HELP = (
    "Remove the start NAME, as printed, from the journal; BATCH[*] means all items of a batch "
    "without an answer. First search the VOD console for the run. If the program still declares "
    "the start, `pulumi up` starts it again; see its preview. Repeat the option for more names."
)
FORGET_ALL_HELP = "Remove all listed starts without an answer from the journal, as --forget does."
RUN_HELP = (
    "Read a run that the VOD console shows, and print which start it belongs to, by its "
    "ClientToken: free. Repeat the option for more runs."
)
FORMER_STACK_HELP = (
    "Also list the starts of the stack NAME, an earlier name of this stack. Repeat the option for "
    "more names."
)


class RecoverFormat(StrEnum):
    """The formats of the output."""

    text = "text"
    json = "json"


StackExport = Annotated[
    str | None,
    typer.Argument(
        metavar="[EXPORT]",
        help="A file of `pulumi stack export`, or - for standard input. Without a file the command "
        "runs `pulumi stack export`.",
        show_default=False,
    ),
]
StackName = Annotated[
    str | None,
    typer.Option("--stack", "-s", help="The stack to export [default: the selected stack]."),
]


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
    forgets_all: Annotated[bool, typer.Option("--forget-all", help=FORGET_ALL_HELP)] = False,
    found_runs: Annotated[
        list[str] | None, typer.Option("--run", metavar="RUNID", help=RUN_HELP)
    ] = None,
    former_stacks: Annotated[
        list[str] | None, typer.Option("--former-stack", metavar="NAME", help=FORMER_STACK_HELP)
    ] = None,
    form: Annotated[
        RecoverFormat, typer.Option("--format", "-f", help="The format of the output.")
    ] = RecoverFormat.text,
    endpoint: EndpointOverride = None,
) -> None:
    """
    List the starts of an interrupted update, and the steps that avoid a second payment.

    Run the command with the journal of that update, because it has the sent starts. It starts no
    run. Only --forget and --forget-all change the journal. Without --offline the command reads the
    runs that it lists: free.

    Exit code 0: the next `pulumi up` continues without a decision. 1: you must decide first, or
    wait for another update. 2: an input cannot be read.
    """
    if offline and found_runs:
        raise typer.BadParameter("--run reads runs from the service, so --offline excludes it")
    with exit_on_error():
        exported, now = read_stack(source, stack, cwd), SystemClock().now()
        if journal and not is_url(journal):
            journal = str(Path(journal).absolute())  # `--cwd` moves only the stack's own paths
        settings = exported.settings(cwd, endpoint=endpoint, journal=journal)
        records = open_journal(settings.journal)
        report = RecoveryReport(
            exported,
            (),
            settings,
            now,
            discards_all=forgets_all,
            journal_source=_journal_source(exported, journal),
        )

        def listed() -> list[InterruptedOperation]:
            return interrupted_operations(exported, records, settings, former_stacks or ())

        with as_unreadable_file(ExportError):
            has_met = records.has_met(exported.project, exported.name)
            forgets = bool(forgotten) or forgets_all
            # As each preview does: the journal of one machine learns of other machines' updates. A
            # file with an export may be older than the journal.
            is_read_now = source is None and has_met and not settings.journal.is_shared
            if is_read_now or (forgets and not has_met):
                record_pending_starts(exported, records, settings)
            operations = listed()
            names = [*(forgotten or ()), *(waiting_names(operations) if forgets_all else ())]
            if names:
                report = replace(report, discarded=discard_records(operations, names, records))
                operations = listed()
        report = replace(report, operations=operations)
        if not offline:
            report = _read_accepted_runs(report)
        if found_runs:
            report = replace(report, found_runs=_compare_runs(report, found_runs))
    typer.echo(report.as_json() if form is RecoverFormat.json else report.text())
    if report.needs_attention:
        raise typer.Exit(EXIT_ATTENTION)


def _journal_source(exported: Stack, chosen: str | None) -> str:
    """Return the setting that the journal's location comes from."""
    if chosen:
        return "--journal"
    if exported.setting("vod:journal"):
        return "vod:journal of the last update"
    # The state does not have the backend, so this machine's setting may differ from the update's.
    return "the default for this machine's backend: the last update had no vod:journal"


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
    phases = {run_id: found.outputs["phase"] for run_id, found in read.items()}
    lines = {run_id: " ".join(str(error).split("\n")) for run_id, error in errors.items()}
    operations = [each.with_read_results(phases, lines) for each in report.operations]
    return replace(report, operations=operations)


def _compare_runs(report: RecoveryReport, run_ids: Sequence[str]) -> list[FoundRun]:
    """Return which starts the runs belong to; free."""
    from pulumi_vod_workflow.cli.runs.watch import connect_runs  # noqa: PLC0415 - slow import
    from pulumi_vod_workflow.lifecycle.reader import (  # noqa: PLC0415 - slow import
        read_client_tokens,
        read_many,
    )

    runs = {each: {"runId": each, "emulated": is_emulated(each)} for each in run_ids}
    refs, client = connect_runs(runs, report.settings, lambda text: typer.echo(text, err=True))
    read, errors = client.run(read_many, refs)
    tokens = client.run(read_client_tokens, {run_id: refs[run_id] for run_id in read})
    found = []
    for run_id in refs:
        if run_id in tokens:
            start_inputs = start_inputs_of(read[run_id].record)
            found.append(
                compare_run(
                    report.operations, run_id, tokens[run_id], start_inputs, report.settings
                )
            )
        else:
            error = str(errors.get(run_id, "its results cannot be read"))
            found.append(FoundRun(run_id, read_error=error))
    return found
