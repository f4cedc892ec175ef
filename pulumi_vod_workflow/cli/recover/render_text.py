"""The output of `vod-workflow recover`: the facts about each start, and the next steps."""

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
    HAVE_RUNS,
    JOURNAL_ONLY,
    UNDECIDED,
    FoundRun,
    InterruptedOperation,
    InterruptedStart,
    StartOutcome,
)
from pulumi_vod_workflow.cli.runs.render_table import stack_heading
from pulumi_vod_workflow.cli.sanitize import escape_controls, escape_line
from pulumi_vod_workflow.config.settings import Settings
from pulumi_vod_workflow.core.recovery import ANSWER_TIMEOUT
from pulumi_vod_workflow.core.text import list_names
from pulumi_vod_workflow.errors import UNKNOWN_START_OPTIONS

MAX_STARTS_LISTED: Final = 100
"""Number of runs with a line that adopts the run; JSON has all runs."""
UNKNOWN: Final = (StartOutcome.UNCLEAR, StartOutcome.TOO_OLD)
"""Outcomes for which the preview of `pulumi up` fails until the user chooses."""
UNLOCK_STEP: Final = (
    "If Pulumi reports that the stack is locked, first run `pulumi cancel`, after the old process "
    "has ended for certain."
)
CLEAR_COMMAND: Final = "pulumi refresh --clear-pending-creates && pulumi up"
"""The update that first removes the engine's records of interrupted creates."""
UP_COMMAND: Final = "pulumi up"
KEEP_PENDING_NOTE: Final = (
    "Do not use --clear-pending-creates before the next update: only the state has some of these "
    "starts, and they may be paid again without it."
)
NO_IMPORT_NOTE: Final = (
    "Do not use --import-pending-creates: Pulumi cannot import a run, and removes its record "
    "without a message."
)
ONLY_PENDING_TEXT: Final = (
    "the state has unfinished operations that this journal does not know, so their starts may have "
    "been sent. Another journal may know which starts were sent, and their runs. If so, run "
    "`vod-workflow recover` on the machine of that update, or pass the journal with --journal."
)
_OPTIONS: Final = "\n".join(f"   {line}" for line in UNKNOWN_START_OPTIONS.splitlines())
BY_NAME_NOTE: Final = "found by its name only: its inputs are secret"


@dataclass(frozen=True)
class RecoveryReport:
    """The facts about interrupted operations, and the text and JSON of them."""

    stack: Stack
    operations: Sequence[InterruptedOperation]
    settings: Settings
    now: datetime
    read_error: str = ""
    """The reason why no run was read; empty if runs were read, or none had to be."""
    discarded: Sequence[str] = ()
    """Names of the starts that this command has removed from the journal."""
    discards_all: bool = False
    """Whether the command removes all starts without an answer."""
    journal_source: str = ""
    """The setting that the journal's location comes from."""
    found_runs: Sequence[FoundRun] = ()
    """Runs that the user has found, compared with the starts."""

    @cached_property
    def has_journal(self) -> bool:
        """Whether the journal exists."""
        return self.settings.journal.exists()

    @property
    def is_shared(self) -> bool:
        """Whether other machines have the same journal: a file is on one machine."""
        return self.settings.journal.kind != "file"

    @property
    def needs_a_decision(self) -> bool:
        """Whether the next update fails without a decision of the user, or may pay twice."""
        return bool(self.starts_with(*UNDECIDED))

    @property
    def needs_attention(self) -> bool:
        """Whether the next update needs a decision, or another update must end before it."""
        return self.needs_a_decision or bool(self.starts_with(StartOutcome.IN_FLIGHT))

    def starts_with(
        self, *outcomes: StartOutcome
    ) -> list[tuple[InterruptedOperation, InterruptedStart]]:
        """Return the starts with one of these outcomes."""
        return [
            (operation, start)
            for operation in self.operations
            for start in operation.starts
            if start.outcome in outcomes
        ]

    def text(self) -> str:
        """Return the report for a terminal."""
        return "\n".join(map(escape_controls, self._lines()))

    def _lines(self) -> Iterator[str]:
        yield stack_heading(self.stack, self.now)
        if self.discarded:
            names = list_names([*map(escape_line, self.discarded)], 20)
            yield f"removed from the journal: {names}"
            yield "`pulumi preview` shows which of these starts the program still declares"
        elif self.discards_all:
            yield "removed from the journal: nothing, because no listed start is without an answer"
        missing = "" if self.has_journal else "; there is none"
        source = f" ({self.journal_source}{missing})"
        if not self.operations:
            yield "Nothing to recover: no start was interrupted, and none is without a response"
            yield f"journal: {self.settings.journal}{source}"
            yield from self._found_runs()
            return
        yield f"journal: {self.settings.journal}{source}"
        yield f"endpoint of new runs: {self.settings.site.endpoint}"
        for operation in self.operations:
            yield from _operation_lines(operation, self.stack)
        yield from self._found_runs()
        if self.read_error:
            yield f"\nThe runs were not read. {self.read_error}"
        yield f"\nNext steps:\n{UNLOCK_STEP}"
        yield from (f"{number}. {step}" for number, step in enumerate(self._steps(), 1))
        command = UP_COMMAND
        if any(operation.operation.type == "creating" for operation in self.operations):
            yield NO_IMPORT_NOTE
            command = CLEAR_COMMAND
        if any(start.is_only_pending for _, start in self.starts_with(*UNDECIDED)):
            yield KEEP_PENDING_NOTE
            command = UP_COMMAND
        yield f"Then: `{command}`"

    def _found_runs(self) -> Iterator[str]:
        """Yield a line for each run that the user has found."""
        for found in self.found_runs:
            run_id = escape_line(found.run_id)
            if found.read_error:
                lines = map(escape_line, found.read_error.split("\n"))
                yield f"\n{run_id}: cannot be read: " + "\n     ".join(lines)
            elif found.starts:
                names = list_names([escape_line(start.name) for start in found.starts], 20)
                lost = [start for start in found.starts if start.outcome not in HAVE_RUNS]
                if lost:
                    yield f"\n{run_id}: the run of {names} (same ClientToken). Adopt it: free"
                else:
                    yield f"\n{run_id}: the run of {names}, as listed above"
                for start in lost:
                    yield _adoption(start, found.run_id)
            elif found.not_compared:
                # The journal has hashes only, and the service may spell an input in another way.
                names = list_names([escape_line(start.name) for start in found.not_compared], 20)
                yield f"\n{run_id}: probably not the run of a listed start; not certain for {names}"
            else:
                yield f"\n{run_id}: not the run of a listed start: its ClientToken is another"

    def _decisions(self) -> Iterator[str]:
        """Yield the steps that need a decision of the user."""
        pending = [start for _, start in self.starts_with(*UNKNOWN) if start.is_only_pending]
        if pending:
            names = list_names([escape_line(start.name) for start in pending], 20)
            yield f"{names}: {ONLY_PENDING_TEXT}"
        if self.starts_with(*UNKNOWN):
            yield (
                f"{self._names(*UNKNOWN)}: search the VOD console for a run of this video, "
                "workflow and time. Until you choose, the preview of `pulumi up` fails, and starts "
                "nothing. `vod-workflow recover --run RUNID` shows whether a run is one of these "
                "starts. With --skip-preview `pulumi up` starts none of these. A start that is no "
                f"longer in the program needs no choice. Choose for each start:\n{_OPTIONS}"
            )
        if self.starts_with(StartOutcome.OTHER):
            yield (
                f"{self._names(StartOutcome.OTHER)}: `pulumi up` starts a new run: paid. The "
                "program declares another start than the sent one, or another vod:endpoint or "
                "vod:region. To keep the existing run, restore the declaration, or adopt the run."
            )
        if self.starts_with(*UNDECIDED):
            yield (
                f"{self._names(*UNDECIDED)}: if you find no run, or do not want the run, remove "
                "the start from the journal: `vod-workflow recover --forget NAME`. --forget-all "
                "removes all starts without an answer. If the program still declares the start, "
                "`pulumi up` starts it again. The service joins it to an unfinished run of the "
                "same start: free. Otherwise it is a new run: paid."
            )

    def _steps(self) -> Iterator[str]:
        yield from self._decisions()
        if self.starts_with(StartOutcome.ACCEPTED):
            place = "" if self.is_shared else "on this machine, "
            elsewhere = "With another journal" if self.is_shared else "On another machine"
            yield (
                f"{self._names(StartOutcome.ACCEPTED)}: {place}with this journal, "
                "`pulumi up` reuses each run whose declaration is unchanged, and its preview shows "
                f"that: free. {elsewhere}, first add the run to the program: free."
            ) + "".join(self._adoptions())
        unreadable = [
            escape_line(start.name)
            for _, start in self.starts_with(StartOutcome.ACCEPTED)
            if start.read_error
        ]
        if unreadable:
            yield (
                f"{list_names(unreadable, 20)}: the run could not be read. Check that the account "
                "and the region are those of the run. `pulumi up` reads the run too, and starts "
                "nothing if it cannot be read."
            )
        if self.starts_with(StartOutcome.RESENT):
            yield (
                f"{self._names(StartOutcome.RESENT)}: within vod:resendWithin "
                f"({self.settings.resend_within:g} s) `pulumi up` sends the same start again. "
                "After that its preview fails and offers the choices."
            )
        if self.starts_with(StartOutcome.IN_FLIGHT):
            yield (
                f"{self._names(StartOutcome.IN_FLIGHT)}: wait for the end of the other update, "
                f"at most {ANSWER_TIMEOUT:.0f} s after its send, then run `vod-workflow recover` "
                "again"
            )
        if self.starts_with(StartOutcome.HELD):
            names = self._names(StartOutcome.HELD)
            yield f"{names}: `pulumi preview` shows whether a new run starts"
        if self.starts_with(StartOutcome.UNSENT):
            other = "Another journal" if self.is_shared else "The journal of another machine"
            yield (
                f"{self._names(StartOutcome.UNSENT)}: `pulumi up` starts each once, as its preview "
                f"shows: paid. {other} may have other records."
            )

    def _names(self, *outcomes: StartOutcome) -> str:
        names = (escape_line(start.name) for _, start in self.starts_with(*outcomes))
        return list_names([*dict.fromkeys(names)], 20)

    def _adoptions(self) -> Iterator[str]:
        """Yield the lines that adopt each accepted run in the program."""
        accepted = self.starts_with(StartOutcome.ACCEPTED)
        for _, start in accepted[:MAX_STARTS_LISTED]:
            yield f"\n{_adoption(start, start.run_id)}"
        if len(accepted) > MAX_STARTS_LISTED:
            yield f"\n     and {len(accepted) - MAX_STARTS_LISTED:,} more runs: see --format json"

    def as_json(self) -> str:
        """Return the report for a program."""
        stack, settings = self.stack, self.settings
        document = {
            "stack": stack.name,
            "project": stack.project,
            "stateWrittenAt": stack.written.isoformat() if stack.written else None,
            "journal": str(settings.journal),
            "journalExists": self.has_journal,
            "journalSource": self.journal_source,
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
            "runs": [
                {
                    "runId": found.run_id,
                    "starts": [start.name for start in found.starts],
                    "notCompared": [start.name for start in found.not_compared],
                    "trouble": " ".join(found.read_error.split("\n")) or None,
                }
                for found in self.found_runs
            ],
        }
        return json.dumps(document, indent=2)


def _adoption(start: InterruptedStart, run_id: str) -> str:
    """Return the line that adopts a run in the program."""
    name = json.dumps(escape_line(start.name.removesuffix(f"[{start.key}]")))
    value = json.dumps(escape_line(run_id))
    if start.key:
        item = json.dumps(escape_line(start.key))
        return f'     WorkflowBatch({name}): items[{item}]: "existing_run_id": {value}'
    return f"     WorkflowRun({name}): existing_run_id={value}"


def _operation_lines(operation: InterruptedOperation, stack: Stack) -> Iterator[str]:
    """Yield a heading, and a line for all starts of the operation with the same outcome."""
    resource, kind = operation.operation.resource, operation.operation.type
    heading = f"\n{escape_line(resource.name)} ({resource.type.rpartition(':')[2]})"
    if kind == JOURNAL_ONLY:
        former = {escape_line(start.stack) for start in operation.starts} - {stack.name}
        name = f" of the stack {list_names(sorted(former))}" if former else ""
        yield f"{heading}: sent by an earlier update{name}; no known state has the run"
        yield "  (the journal keeps no inputs: see the program for its video and workflow)"
    else:
        yield f"{heading}: interrupted while {kind}"
    names_by_text: dict[str, list[str]] = defaultdict(list)
    for start in operation.starts:
        names_by_text[_outcome_text(start, stack.written)].append(escape_line(start.name))
    for text, names in names_by_text.items():
        yield f"  {list_names(names, 10)}: {text}"


def _outcome_text(start: InterruptedStart, written: datetime | None) -> str:
    by_name = "" if start.is_exact else f" ({BY_NAME_NOTE})"
    run_id = escape_line(start.run_id)
    sent_at = format_clock_time(start.record.sent_at) if start.record else ""
    if start.outcome in {StartOutcome.UNCLEAR, StartOutcome.RESENT}:
        sent = f"sent {sent_at}, no response"
        # The state dates the start of an unfinished operation: nobody knows the send.
        if start.is_only_pending:
            sent = f"begun by an unfinished operation before {sent_at}, not in the journal"
        elif start.record and start.record.sent_at == written:
            sent = f"begun by an unfinished operation before {sent_at}, no response"
        text = f"{sent}. A RUN MAY EXIST"
        description = f": {escape_line(start.description)}" if start.description else ""
        return text + description + by_name
    if start.outcome is StartOutcome.IN_FLIGHT:
        return f"sent {sent_at} by another update, no answer yet{by_name}"
    if start.outcome is StartOutcome.OTHER:
        other = f"accepted as {run_id}" if run_id else "no response. A RUN MAY EXIST"
        return f"not in the journal; another start of it was sent {sent_at}, {other}"
    if start.outcome in {StartOutcome.ACCEPTED, StartOutcome.TOO_OLD}:
        text = f"accepted as {run_id} at {escape_line(start.run.get('submittedAt'))}"
        if start.outcome is StartOutcome.TOO_OLD:
            text += ", too old: the service no longer finds the run"
        elif start.read_error:
            text += f"; cannot be read: {escape_line(start.read_error)}"
        elif start.phase:
            text += f", now {escape_line(start.phase)}"
        return text + by_name
    return {
        StartOutcome.RECORDED: f"the state has its run; nothing to do{by_name}",
        StartOutcome.HELD: f"not in the journal; the state has {run_id} of this resource",
        StartOutcome.ADOPTED: f"adopts {run_id}; starts no run",
    }.get(start.outcome, "not in the journal")


def _start_document(start: InterruptedStart) -> dict[str, Any]:
    return {
        "name": start.name,
        "resource": start.resource,
        "item": start.key or None,
        "became": start.outcome.value,
        "runId": start.run_id or None,
        "sentAt": start.record.sent_at.isoformat() if start.record else None,
        "submittedAt": start.run.get("submittedAt"),
        "exact": start.is_exact,
        "declared": start.description or None,
        "phase": start.phase or None,
        "trouble": start.read_error or None,
    }
