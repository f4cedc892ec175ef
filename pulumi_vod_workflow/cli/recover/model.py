"""
The outcomes of the starts of an interrupted update.

The engine records a create before it begins, as a pending operation. The record stays until a user
clears it, even if a later update has made the resource. The journal has the sent starts and their
runs. The journal also has starts without a pending operation: their update failed, and no kill
interrupted it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any, Final

from pulumi_vod_workflow.cli.pulumi_files.stack_export import Stack
from pulumi_vod_workflow.cli.sanitize import escape_controls, escape_line
from pulumi_vod_workflow.config.settings import Settings
from pulumi_vod_workflow.core.exported_stack import Operation, Resource
from pulumi_vod_workflow.core.exported_state import (
    BATCH_TYPE,
    RUN_TYPE,
    declared_starts,
    has_secrets,
    recorded_runs,
)
from pulumi_vod_workflow.core.recovery import (
    RecoveryAction,
    StartIntent,
    StartRecord,
    recovery_action,
    resource_key_of,
    start_intent,
)
from pulumi_vod_workflow.core.request import describe_start
from pulumi_vod_workflow.core.text import list_names
from pulumi_vod_workflow.errors import VodWorkflowError
from pulumi_vod_workflow.journal.store import Journal

JOURNAL_ONLY: Final = "noted"
"""The type of an operation that is in the journal, and in no state."""


class StartOutcome(Enum):
    """The outcome of an interrupted start; the values are those of the JSON output."""

    RECORDED = "recorded"
    """The state has its run."""
    ACCEPTED = "accepted"
    """The service accepted the start; no known state has the run."""
    UNCLEAR = "unclear"
    """The start was sent and got no response: a run may exist."""
    TOO_OLD = "too_old"
    """The service accepted the start, and no longer finds the run (vod-api-facts 1: 30 days)."""
    RESENT = "resent"
    """The start was sent and got no response; the next update sends the same start again."""
    IN_FLIGHT = "in_flight"
    """Another update may be sending the start now."""
    OTHER = "other"
    """The journal has another start of the resource, and no known state has its run."""
    HELD = "held"
    """The journal has no record of the start; the state has another run of the resource."""
    ADOPTED = "adopted"
    """The declaration names an existing run: the operation starts nothing."""
    UNSENT = "unsent"
    """The journal has no record of the start."""


UNDECIDED: Final = (StartOutcome.UNCLEAR, StartOutcome.TOO_OLD, StartOutcome.OTHER)
"""The outcomes after which the user must decide."""


class UnknownStartNameError(VodWorkflowError):
    """No start of this name waits for a decision; the journal is unchanged."""


@dataclass(frozen=True, slots=True)
class InterruptedStart:
    """One start of an interrupted operation: a run, or an item of a batch."""

    name: str
    """The name in the program: `trailer`, or `episodes[s01e01]`."""
    key: str
    """The item of a batch; empty for a run."""
    outcome: StartOutcome
    resource: str
    """The declaring resource, as the journal names it."""
    run_id: str = ""
    record: StartRecord | None = None
    is_exact: bool = True
    """Whether all inputs were compared with the journal; if some are secret, only the name was."""
    phase: str = ""
    """The phase that the command has read; empty if it has read none."""
    read_error: str = ""
    """The reason why the run cannot be read; empty if there is none."""
    description: str = ""
    """Source and workflow, as far as they are known and not secret."""

    @property
    def run(self) -> Mapping[str, Any]:
        """The run in the start record: `runId`, `submittedAt`."""
        return (self.record.run if self.record else None) or {}


@dataclass(frozen=True, slots=True)
class InterruptedOperation:
    """One interrupted operation with its starts."""

    operation: Operation
    starts: tuple[InterruptedStart, ...]
    has_secret_inputs: bool
    """Whether some of its inputs are secret."""

    def with_read_results(
        self, phases: Mapping[str, str], troubles: Mapping[str, str]
    ) -> InterruptedOperation:
        """Return the operation with the phases and errors of its runs, by their ids."""
        read = (
            replace(
                start,
                phase=phases.get(start.run_id, ""),
                read_error=troubles.get(start.run_id, ""),
            )
            for start in self.starts
        )
        return replace(self, starts=tuple(read))


def interrupted_operations(
    stack: Stack, journal: Journal, settings: Settings, now: datetime
) -> list[InterruptedOperation]:
    """
    Return the interrupted operations that may have started runs.

    Args:
        stack: the exported stack.
        journal: the journal of the machine where the update ran.
        settings: the stack's endpoint, and its `vod:resendWithin`.
        now: the time of the journal's machine.

    Raises:
        JournalError: the journal cannot be read.

    """
    records = _StateAndJournal(stack, journal, settings, now)
    found = [
        InterruptedOperation(
            operation,
            tuple(records.starts(operation.resource)),
            operation.resource.inputs.get("secretInputs") is True,
        )
        for operation in stack.interrupted
    ]
    return [*found, *records.journal_only([start for each in found for start in each.starts])]


def discard_records(
    found: Sequence[InterruptedOperation], names: Sequence[str], journal: Journal
) -> None:
    """
    Remove starts that wait for a decision from the journal: all of the given names, or none.

    Args:
        found: the interrupted operations, as the command has shown them.
        names: printed names of starts, or declaring resources as the journal names them.
        journal: the journal to change.

    Raises:
        UnknownStartNameError: a name fits no start, or several.
        JournalError: the journal cannot be written.

    """
    starts: dict[str, list[InterruptedStart]] = defaultdict(list)
    for start in (start for operation in found for start in operation.starts):
        if start.outcome in UNDECIDED:
            starts[escape_line(start.name)].append(start)
            starts[escape_line(start.resource)].append(start)
    for name in names:
        if name not in starts:
            printed = sorted(
                {escape_line(each.name) for named in starts.values() for each in named}
            )
            raise UnknownStartNameError(
                f"--forget {name}: no start of this name waits for a decision. The journal is "
                f"unchanged.\nhint: starts that wait: {list_names(printed, 20) or 'none'}"
            )
        resources = {escape_line(start.resource) for start in starts[name]}
        if len(resources) > 1:
            raise UnknownStartNameError(
                f"--forget {name}: several starts have this name. The journal is unchanged.\n"
                f"hint: pass one of these names, in quotes: {' or '.join(sorted(resources))}"
            )
    journal.delete(start.record for name in names for start in starts[name] if start.record)


class _StateAndJournal:
    """The runs of a state, compared with the start records of a journal."""

    def __init__(self, stack: Stack, journal: Journal, settings: Settings, now: datetime) -> None:
        self._stack, self._journal, self._settings, self._now = stack, journal, settings, now
        resources = [*stack.of_type(RUN_TYPE), *stack.of_type(BATCH_TYPE)]
        self._recorded: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
            resource.urn: recorded_runs(resource.type, resource.outputs)
            for resource in resources
            if not resource.delete
        }
        self._run_ids = {run["runId"] for runs in self._recorded.values() for run in runs.values()}

    def starts(self, resource: Resource) -> Iterator[InterruptedStart]:
        """Yield the starts of an interrupted operation, with their outcomes."""
        declared, recorded = (
            declared_starts(resource.type, resource.inputs),
            self._recorded.get(resource.urn, {}),
        )
        intents = {key: self._start_intent(inputs) for key, inputs in declared.items()}
        found = self._journal.lookup(intents.values())
        for key, intent in intents.items():
            start = InterruptedStart(
                f"{resource.name}[{key}]" if key else resource.name,
                key,
                StartOutcome.UNSENT,
                intent.resource_key,
                is_exact=bool(intent.record_key),
                description=describe_start(declared[key]),
            )
            if "existingRunId" in declared[key]:
                run_id = escape_controls(declared[key]["existingRunId"])
                is_recorded = run_id in self._run_ids
                outcome = StartOutcome.RECORDED if is_recorded else StartOutcome.ADOPTED
                yield replace(start, outcome=outcome, run_id=run_id)
                continue
            other = found.superseded.get(intent.resource_key)
            record = found.records.get(intent.record_key) if start.is_exact else other
            yield self._from_record(start, record) or self._without_record(
                start, intent, other, recorded.get(key)
            )

    def journal_only(self, listed: Collection[InterruptedStart]) -> Iterator[InterruptedOperation]:
        """Yield an operation for each resource with starts that only the journal has."""
        starts: dict[tuple[str, str], list[InterruptedStart]] = defaultdict(list)
        names = {start.name for start in listed if start.outcome is not StartOutcome.HELD}
        run_ids = {start.run_id for start in listed}
        for record in self._journal.list_stack(self._stack.project, self._stack.name):
            scope = json.loads(record.resource_key)
            name, key = escape_controls(scope["name"]), escape_controls(scope.get("item", ""))
            unsent = InterruptedStart(
                f"{name}[{key}]" if key else name, key, StartOutcome.UNSENT, record.resource_key
            )
            start = self._from_record(unsent, record) or unsent
            is_listed = start.run_id in run_ids if start.run_id else start.name in names
            if start.outcome is not StartOutcome.RECORDED and not is_listed:
                starts[name, BATCH_TYPE if key else RUN_TYPE].append(start)
        for (name, kind), found in sorted(starts.items()):
            urn = f"urn:pulumi:{self._stack.name}::{self._stack.project}::{kind}::{name}"
            operation = Operation(type=JOURNAL_ONLY, resource=Resource(urn=urn, type=kind))
            # The journal keeps no inputs, so any of them may be secret.
            yield InterruptedOperation(operation, tuple(found), has_secret_inputs=True)

    def _from_record(
        self, start: InterruptedStart, record: StartRecord | None
    ) -> InterruptedStart | None:
        """Return a start with the outcome of its record; None without a record."""
        if record is None:
            return None
        run_id = str(record.run["runId"]) if record.run else ""
        outcome = {
            RecoveryAction.REUSE: StartOutcome.ACCEPTED,
            RecoveryAction.SEND: StartOutcome.RESENT,
            RecoveryAction.WAIT: StartOutcome.IN_FLIGHT,
            RecoveryAction.REFUSE: StartOutcome.TOO_OLD if run_id else StartOutcome.UNCLEAR,
        }[recovery_action(record, self._now, self._settings.resend_within)]
        if run_id in self._run_ids:
            outcome = StartOutcome.RECORDED
        return replace(start, outcome=outcome, run_id=run_id, record=record)

    def _without_record(
        self,
        start: InterruptedStart,
        intent: StartIntent,
        other: StartRecord | None,
        recorded: Mapping[str, Any] | None,
    ) -> InterruptedStart:
        """Return a start that the journal does not have, with its outcome."""
        if recorded and (recorded.get("clientToken") == intent.client_token or not start.is_exact):
            return replace(start, outcome=StartOutcome.RECORDED, run_id=str(recorded["runId"]))
        if recorded and self._settings.journal.exists():
            return replace(start, outcome=StartOutcome.HELD, run_id=str(recorded["runId"]))
        another = self._from_record(start, other)
        if another and another.outcome is not StartOutcome.RECORDED:
            return replace(another, outcome=StartOutcome.OTHER, description="")
        return start

    def _start_intent(self, declared: Mapping[str, Any]) -> StartIntent:
        """Return the start; without a record key if a secret prevents the comparison."""
        if has_secrets(declared) or "clientToken" not in declared:
            return StartIntent({}, "", resource_key_of(declared), "")
        site = self._settings.site
        return start_intent(declared, endpoint=site.endpoint, region=site.region)
