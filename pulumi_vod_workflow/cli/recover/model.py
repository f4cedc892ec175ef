"""
What became of the starts of an update that was cut short.

The engine notes a create before it begins it, and keeps that note until it is cleared, even when a
later update has made the resource. The journal tells what was sent, and which run it became; it
also has starts that the engine has no note of, because their update failed and was not killed.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any, Final

from pulumi_vod_workflow.cli.pulumi_files.stack_export import (
    BATCH_TYPE,
    RUN_TYPE,
    Operation,
    Resource,
    Stack,
    has_secrets,
)
from pulumi_vod_workflow.cli.runs.model import without_secret_parts
from pulumi_vod_workflow.cli.sanitize import escape_controls, escape_line
from pulumi_vod_workflow.config.settings import Settings
from pulumi_vod_workflow.core.batch.inputs import items_of, normalise_batch
from pulumi_vod_workflow.core.batch.state import runs_of
from pulumi_vod_workflow.core.recovery import (
    RecoveryAction,
    StartIntent,
    StartRecord,
    recovery_action,
    resource_key_of,
    start_intent,
)
from pulumi_vod_workflow.core.request import describe_start
from pulumi_vod_workflow.core.secrets import Secret
from pulumi_vod_workflow.core.text import list_names
from pulumi_vod_workflow.core.values import normalise
from pulumi_vod_workflow.errors import VodWorkflowError
from pulumi_vod_workflow.journal.sqlite import Journal

JOURNAL_ONLY: Final = "noted"
"""The type of an operation that only the journal knows of."""


class StartOutcome(Enum):
    """What became of a start that was being made."""

    RECORDED = "the state holds its run"
    ACCEPTED = "a run, which no state is known to hold"
    UNCLEAR = "sent, and never answered: it may be a run"
    TOO_OLD = "a run, too old to be found by the service"
    RESENT = "sent, and never answered; so short ago that it is sent again as the same start"
    OTHER = "not sent, but another start of it was, which no state is known to hold"
    HELD = "the journal has nothing of it, and the state holds another run of the resource"
    ADOPTED = "it names an existing run: nothing is started"
    UNSENT = "the journal has nothing of it: it is not known to have been sent"


UNDECIDED: Final = (StartOutcome.UNCLEAR, StartOutcome.TOO_OLD, StartOutcome.OTHER)
"""What a person decides about."""


class UnknownStartNameError(VodWorkflowError):
    """No start of such a name waits for a decision; the journal is as it was."""


@dataclass(frozen=True, slots=True)
class InterruptedStart:
    """One start of an interrupted operation: a run, or an item of a batch."""

    name: str
    """As the program calls it: `trailer`, or `episodes[s01e01]`."""
    key: str
    """The item of a batch; empty for a run."""
    outcome: StartOutcome
    resource: str
    """Who declares it, as the journal names it."""
    run_id: str = ""
    record: StartRecord | None = None
    is_exact: bool = True
    """Whether the journal was asked for this very start; for its name only, if that is secret."""
    phase: str = ""
    """As just read; empty if it was not."""
    read_error: str = ""
    """Why it could not be read."""
    description: str = ""
    """Its source and workflow, as far as they are known and no secret."""

    @property
    def run(self) -> Mapping[str, Any]:
        """What the journal has of its run: `runId`, `submittedAt`."""
        return (self.record.run if self.record else None) or {}


@dataclass(frozen=True, slots=True)
class InterruptedOperation:
    """One operation that was cut short, with its starts."""

    operation: Operation
    starts: tuple[InterruptedStart, ...]
    has_secret_inputs: bool
    """Something that it was declared with is secret."""

    def with_read_results(
        self, phases: Mapping[str, str], troubles: Mapping[str, str]
    ) -> InterruptedOperation:
        """Return it with what was just read of its runs, by their ids."""
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
        stack: whose.
        journal: of the machine where the update ran.
        settings: where the stack starts runs, and how long it sends a start again unasked.
        now: by the clock of the journal's machine.

    Raises:
        JournalError: when the journal cannot be read.

    """
    books = _StateAndJournal(stack, journal, settings, now)
    found = [
        InterruptedOperation(
            operation,
            tuple(books.starts(operation.resource)),
            operation.resource.inputs.get("secretInputs") is True,
        )
        for operation in stack.interrupted
    ]
    return [*found, *books.journal_only([start for each in found for start in each.starts])]


def discard_records(
    found: Sequence[InterruptedOperation], names: Sequence[str], journal: Journal
) -> None:
    """
    Take starts that wait for a decision out of the journal: all of these names, or none.

    Args:
        found: what was cut short, as it was shown.
        names: of starts, as they are printed; or who declares one, as the journal names it.
        journal: what to take them out of.

    Raises:
        NothingToForgetError: when a name has none, or is the name of several.
        JournalError: when that cannot be written.

    """
    starts: dict[str, list[InterruptedStart]] = defaultdict(list)
    for start in (start for operation in found for start in operation.starts):
        if start.outcome in UNDECIDED:
            starts[escape_line(start.name)].append(start)
            starts[escape_line(start.resource)].append(start)
    for name in names:
        if name not in starts:
            printed = sorted(
                {escape_line(each.name) for those in starts.values() for each in those}
            )
            raise UnknownStartNameError(
                f"--forget {name}: no start of that name waits for a decision, so nothing was "
                f"forgotten. There is {list_names(printed, 20) or 'none'}."
            )
        whose = {escape_line(start.resource) for start in starts[name]}
        if len(whose) > 1:
            raise UnknownStartNameError(
                f"--forget {name}: that is the name of several, so nothing was forgotten. Give, "
                f"quoted, which one: {' or '.join(sorted(whose))}"
            )
    journal.delete(start.record for name in names for start in starts[name] if start.record)


class _StateAndJournal:
    """What the state and the journal hold."""

    def __init__(self, stack: Stack, journal: Journal, settings: Settings, now: datetime) -> None:
        self._stack, self._journal, self._settings, self._now = stack, journal, settings, now
        resources = [*stack.of_type(RUN_TYPE), *stack.of_type(BATCH_TYPE)]
        self._recorded: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
            resource.urn: _recorded_runs(resource) for resource in resources if not resource.delete
        }
        self._run_ids = {run["runId"] for runs in self._recorded.values() for run in runs.values()}

    def starts(self, resource: Resource) -> Iterator[InterruptedStart]:
        declared, held = _declared_starts(resource), self._recorded.get(resource.urn, {})
        orders = {key: self._start_intent(inputs) for key, inputs in declared.items()}
        look = self._journal.lookup(orders.values())
        known, others = look.records, look.superseded
        for key, order in orders.items():
            name = f"{resource.name}[{key}]" if key else resource.name
            what = describe_start(declared[key])
            start = InterruptedStart(
                name,
                key,
                StartOutcome.UNSENT,
                order.resource_key,
                is_exact=bool(order.record_key),
                description=what,
            )
            if "existingRunId" in declared[key]:
                run_id = escape_controls(declared[key]["existingRunId"])
                kept = run_id in self._run_ids
                became = StartOutcome.RECORDED if kept else StartOutcome.ADOPTED
                yield replace(start, outcome=became, run_id=run_id)
                continue
            other = others.get(order.resource_key)
            entry = known.get(order.record_key) if start.is_exact else other
            yield self._from_record(start, entry) or self._without_record(
                start, order, other, held.get(key)
            )

    def journal_only(self, told: Collection[InterruptedStart]) -> Iterator[InterruptedOperation]:
        """Yield what else the journal has of the stack, and no state: of one resource, each run."""
        starts: dict[tuple[str, str], list[InterruptedStart]] = defaultdict(list)
        names = {start.name for start in told if start.outcome is not StartOutcome.HELD}
        run_ids = {start.run_id for start in told}
        for scope, entry in self._journal.list_stack(self._stack.project, self._stack.name):
            who = json.loads(scope)
            name, key = escape_controls(who["name"]), escape_controls(who.get("item", ""))
            start = InterruptedStart(
                f"{name}[{key}]" if key else name, key, StartOutcome.UNSENT, scope
            )
            noted = self._from_record(start, entry) or start
            is_told = noted.run_id in run_ids if noted.run_id else noted.name in names
            if noted.outcome is not StartOutcome.RECORDED and not is_told:
                starts[name, BATCH_TYPE if key else RUN_TYPE].append(noted)
        for (name, kind), noted_starts in sorted(starts.items()):
            urn = f"urn:pulumi:{self._stack.name}::{self._stack.project}::{kind}::{name}"
            operation = Operation(type=JOURNAL_ONLY, resource=Resource(urn=urn, type=kind))
            yield InterruptedOperation(
                operation, tuple(noted_starts), has_secret_inputs=True
            )  # it cannot be known

    def _from_record(
        self, start: InterruptedStart, entry: StartRecord | None
    ) -> InterruptedStart | None:
        """Return what the journal's note of a start says, if there is one."""
        if entry is None:
            return None
        run_id = str(entry.run["runId"]) if entry.run else ""
        became = {
            RecoveryAction.REUSE: StartOutcome.ACCEPTED,
            RecoveryAction.SEND: StartOutcome.RESENT,
            RecoveryAction.REFUSE: StartOutcome.TOO_OLD if run_id else StartOutcome.UNCLEAR,
        }[recovery_action(entry, self._now, self._settings.resend_within)]
        if run_id in self._run_ids:
            became = StartOutcome.RECORDED
        return replace(start, outcome=became, run_id=run_id, record=entry)

    def _without_record(
        self,
        start: InterruptedStart,
        order: StartIntent,
        other: StartRecord | None,
        held: Mapping[str, Any] | None,
    ) -> InterruptedStart:
        """Return what is known of a start of which the journal has nothing."""
        if held and (held.get("clientToken") == order.client_token or not start.is_exact):
            return replace(start, outcome=StartOutcome.RECORDED, run_id=str(held["runId"]))
        if held and self._settings.journal.exists():
            return replace(start, outcome=StartOutcome.HELD, run_id=str(held["runId"]))
        another = self._from_record(start, other)
        if another and another.outcome is not StartOutcome.RECORDED:
            return replace(another, outcome=StartOutcome.OTHER, description="")
        return start

    def _start_intent(self, declared: Mapping[str, Any]) -> StartIntent:
        """Return the start; without a key where a secret keeps it from being compared."""
        if has_secrets(declared) or "clientToken" not in declared:
            return StartIntent({}, "", resource_key_of(declared), "")
        site = self._settings.site
        return start_intent(declared, endpoint=site.endpoint, region=site.region)


def _declared_starts(resource: Resource) -> dict[str, dict[str, Any]]:
    """Return the inputs of a run under no key, or those of each item of a batch."""
    inputs = {key: value for key, value in resource.inputs.items() if key != "__provider"}
    if resource.type == RUN_TYPE:
        return {"": normalise(inputs)}
    if isinstance(inputs.get("items"), Secret):  # it may be any number of starts, known by no name
        return {"": inputs}
    return items_of(normalise_batch(without_secret_parts(inputs)))


def _recorded_runs(resource: Resource) -> dict[str, dict[str, Any]]:
    """Return the runs that a resource of the state holds, as `_declared` names them."""
    outputs = resource.outputs
    if resource.type == RUN_TYPE:
        return {"": outputs} if "runId" in outputs else {}
    plain = without_secret_parts(outputs)
    tokens = plain.get("clientTokens") or {}
    # A run's own inputs are recorded only where they are not its item's.
    return {
        key: {**run, "clientToken": None if "inputs" in plain["runs"][key] else tokens.get(key)}
        for key, run in runs_of(plain).items()
    }
