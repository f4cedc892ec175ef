"""What `vod-workflow recover` says: what is known of each start, and what to do."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from pulumi_vod_workflow.cli.formatting import format_clock_time
from pulumi_vod_workflow.cli.pulumi_files.stack_export import Stack
from pulumi_vod_workflow.cli.recover.model import (
    JOURNAL_ONLY,
    UNDECIDED,
    InterruptedOperation,
    InterruptedStart,
    StartOutcome,
)
from pulumi_vod_workflow.cli.runs.render_table import stack_heading
from pulumi_vod_workflow.cli.sanitize import escape_controls, escape_line
from pulumi_vod_workflow.config.settings import Settings
from pulumi_vod_workflow.core.text import list_names
from pulumi_vod_workflow.errors import UNKNOWN_START_OPTIONS

MAX_STARTS_LISTED: Final = 100
"""Runs whose adoption is spelled out; JSON has all."""
UNKNOWN: Final = (StartOutcome.UNCLEAR, StartOutcome.TOO_OLD)
"""What `pulumi up` asks about."""
UNLOCK_STEP: Final = (
    "if Pulumi says that the stack is locked, `pulumi cancel` first, once the old process has "
    "surely ended"
)
CLEAR_COMMAND: Final = "pulumi refresh --clear-pending-creates && pulumi up"
"""What goes on, and first removes the engine's notes of creates that were cut short."""
UP_COMMAND: Final = "pulumi up"
NO_IMPORT_NOTE: Final = (
    " (not --import-pending-creates: a run cannot be imported, and Pulumi drops the note without a "
    "word)"
)
NO_JOURNAL_TEXT: Final = (
    "this says nothing, for there is no journal here. Run `vod-workflow recover` on the machine "
    "where the update ran, or give its --journal. If it is lost, look in the VOD console first, "
    "and adopt what is there with existing_run_id: `pulumi up` is joined to a run that has not "
    "ended, but pays for one that has ended a second time."
)
BY_NAME_NOTE: Final = "found by its name only, for its inputs are secret"


@dataclass(frozen=True)
class RecoveryReport:
    """What is known of interrupted operations, in words."""

    stack: Stack
    operations: Sequence[InterruptedOperation]
    settings: Settings
    now: datetime
    read_error: str = ""
    """Why no run was looked at, if any should have been."""
    discarded: Sequence[str] = ()
    """What was just taken out of the journal."""

    @cached_property
    def has_journal(self) -> bool:
        """Whether there is a journal to tell anything."""
        return self.settings.journal.exists()

    @property
    def needs_a_decision(self) -> bool:
        """Whether the next update cannot go on by itself, or might pay twice."""
        unsent = self.starts_with(StartOutcome.UNSENT) and not self.has_journal
        return bool(self.starts_with(*UNDECIDED) or unsent)

    def starts_with(
        self, *kinds: StartOutcome
    ) -> list[tuple[InterruptedOperation, InterruptedStart]]:
        """Return the starts that became one of these."""
        return [
            (operation, start)
            for operation in self.operations
            for start in operation.starts
            if start.outcome in kinds
        ]

    def text(self) -> str:
        """Return it for a person."""
        return "\n".join(map(escape_controls, self._lines()))

    def _lines(self) -> Iterator[str]:
        yield stack_heading(self.stack, self.now)
        if self.discarded:
            names = list_names([*map(escape_line, self.discarded)], 20)
            yield f"The journal has forgotten {names}."
            yield "What of that is still declared is started by `pulumi up`, as its preview says."
        if not self.operations:
            yield "No start of ours was cut short or left without an answer: nothing to recover."
            return
        there = "" if self.has_journal else " (there is none)"
        where = f"runs are started at {self.settings.site.endpoint}"
        yield f"journal {self.settings.journal}{there}; {where}"
        for operation in self.operations:
            resource, doing = operation.operation.resource, operation.operation.type
            kind = resource.type.rpartition(":")[2]
            what = f"was cut short while {doing}"
            if doing == JOURNAL_ONLY:
                what = (
                    "was sent by an earlier update, and no state is known to hold it (its video "
                    "and workflow are as the program declared them: the journal keeps no inputs)"
                )
            yield f"\n{escape_line(resource.name)} ({kind}) {what}:"
            yield from _start_lines(operation.starts)
        if self.read_error:
            yield f"\nThe runs were not looked at. {self.read_error}"
        yield f"\nWhat to do ({UNLOCK_STEP}):"
        yield from (f"{number}. {step}" for number, step in enumerate(self._steps(), 1))
        creating = any(operation.operation.type == "creating" for operation in self.operations)
        yield f"Then: `{CLEAR_COMMAND if creating else UP_COMMAND}`{NO_IMPORT_NOTE if creating else ''}"

    def _steps(self) -> Iterator[str]:
        if self.starts_with(*UNKNOWN):
            yield (
                f"{self._names(*UNKNOWN)}: `pulumi up` stops and asks, and starts nothing of it "
                "(without --skip-preview: nothing at all), until you have looked for a run of that "
                "video, workflow and time in the VOD console and chosen for each (what you have "
                f"removed from the program is not asked about any more):\n{UNKNOWN_START_OPTIONS}"
            )
        if self.starts_with(StartOutcome.OTHER):
            yield (
                f"{self._names(StartOutcome.OTHER)}: `pulumi up` starts it anew, which is paid, "
                "for it is declared otherwise than what was sent (or for another vod:endpoint or "
                "vod:region). To keep the run that there is, declare it as it was, or adopt it."
            )
        if self.starts_with(*UNDECIDED):
            yield (
                f"{self._names(*UNDECIDED)}: what you have looked for and not found, or do not "
                "want, goes out of the journal with `vod-workflow recover --forget NAME`. What is "
                "still declared is then started, as its preview says: joined to a run of the very "
                "same start that has not ended, paid otherwise."
            )
        if self.starts_with(StartOutcome.ACCEPTED):
            yield (
                f"{self._names(StartOutcome.ACCEPTED)}: on this machine, with this journal, "
                "`pulumi up` takes over what was accepted, if it is declared as it was: free, and "
                "its preview says so. On another machine name the run in the program first, "
                "free as well:"
            ) + "".join(self._adoptions())
        troubled = [
            escape_line(start.name)
            for _, start in self.starts_with(StartOutcome.ACCEPTED)
            if start.read_error
        ]
        if troubled:
            yield (
                f"{list_names(troubled, 20)}: could not be read. `pulumi up` reads it, too, and "
                "starts nothing if that fails: check that the account and the region are the run's."
            )
        if self.starts_with(StartOutcome.RESENT):
            yield (
                f"{self._names(StartOutcome.RESENT)}: `pulumi up` within vod:resendWithin "
                f"({self.settings.resend_within:g} s) sends it again as the same start; later it "
                "asks."
            )
        if self.starts_with(StartOutcome.HELD):
            names = self._names(StartOutcome.HELD)
            yield f"{names}: `pulumi preview` says whether a new run is asked for."
        if self.starts_with(StartOutcome.UNSENT):
            usual = (
                "`pulumi up` starts what was not sent, as its preview says: each is paid once. (So "
                "says this journal, which knows only what was sent with it.)"
            )
            yield f"{self._names(StartOutcome.UNSENT)}: {usual if self.has_journal else NO_JOURNAL_TEXT}"

    def _names(self, *kinds: StartOutcome) -> str:
        return list_names(
            [*dict.fromkeys(escape_line(start.name) for _, start in self.starts_with(*kinds))], 20
        )

    def _adoptions(self) -> Iterator[str]:
        """Say what to write into the program."""
        accepted = self.starts_with(StartOutcome.ACCEPTED)
        for operation, start in accepted[:MAX_STARTS_LISTED]:
            name = json.dumps(escape_line(operation.operation.resource.name))
            run_id = json.dumps(escape_line(start.run_id))
            if start.key:
                item = json.dumps(escape_line(start.key))
                yield f'\n     WorkflowBatch({name}): items[{item}]: "existing_run_id": {run_id}'
            else:
                yield f"\n     WorkflowRun({name}): existing_run_id={run_id}"
        if len(accepted) > MAX_STARTS_LISTED:
            yield f"\n     and {len(accepted) - MAX_STARTS_LISTED:,} more: see --format json"

    def as_json(self) -> str:
        """Return it for a program."""
        stack, settings = self.stack, self.settings
        told = {
            "stack": stack.name,
            "project": stack.project,
            "stateWrittenAt": stack.written.isoformat() if stack.written else None,
            "journal": str(settings.journal),
            "journalExists": self.has_journal,
            "needsADecision": self.needs_a_decision,
            "unread": self.read_error or None,
            "forgotten": [*self.discarded],
            "operations": [
                {
                    "urn": operation.operation.resource.urn,
                    "type": operation.operation.type,
                    "starts": [_start_document(start) for start in operation.starts],
                }
                for operation in self.operations
            ],
        }
        return json.dumps(told, indent=2)


def _start_lines(starts: Sequence[InterruptedStart]) -> Iterator[str]:
    """Say what each became; those alike together."""
    together: dict[str, list[str]] = defaultdict(list)
    for start in starts:
        together[_outcome_text(start)].append(escape_line(start.name))
    for words, names in together.items():
        yield f"  {list_names(names, 10)}: {words}"


def _outcome_text(start: InterruptedStart) -> str:
    by_name = "" if start.is_exact else f" ({BY_NAME_NOTE})"
    run_id = escape_line(start.run_id)
    if start.record and start.outcome in {StartOutcome.UNCLEAR, StartOutcome.RESENT}:
        told = f"sent {format_clock_time(start.record.sent_at)}, never answered: MAY BE A RUN"
        return (
            f"{told} of {escape_line(start.description)}{by_name}"
            if start.description
            else told + by_name
        )
    if start.outcome is StartOutcome.OTHER:
        when = format_clock_time(start.record.sent_at) if start.record else ""
        what = f"became {run_id}" if run_id else "never answered: MAY BE A RUN"
        return f"not known to have been sent so; another start of it, sent {when}, {what}"
    if start.outcome in {StartOutcome.ACCEPTED, StartOutcome.TOO_OLD}:
        text = f"became {run_id}, accepted {escape_line(start.run.get('submittedAt'))}"
        if start.outcome is StartOutcome.TOO_OLD:
            text += ", too old to be found by the service"
        elif start.read_error:
            text += f"; it cannot be read: {escape_line(start.read_error)}"
        elif start.phase:
            text += f", {escape_line(start.phase)} just now"
        return text + by_name
    return {
        StartOutcome.RECORDED: f"nothing is lost: the state holds its run{by_name}",
        StartOutcome.HELD: f"not known to have been sent; the state holds {run_id} of it",
        StartOutcome.ADOPTED: f"adopts {run_id}, which starts nothing",
    }.get(start.outcome, "not known to have been sent")


def _start_document(start: InterruptedStart) -> dict[str, Any]:
    return {
        "name": start.name,
        "resource": start.resource,
        "item": start.key or None,
        "became": start.outcome.name.lower(),
        "runId": start.run_id or None,
        "sentAt": start.record.sent_at.isoformat() if start.record else None,
        "submittedAt": start.run.get("submittedAt"),
        "exact": start.is_exact,
        "declared": start.description or None,
        "phase": start.phase or None,
        "trouble": start.read_error or None,
    }
