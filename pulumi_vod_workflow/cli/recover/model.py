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
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import chain
from typing import Any, Final

from pulumi_vod_workflow.cli.pulumi_files.stack_export import Stack
from pulumi_vod_workflow.cli.sanitize import escape_controls, escape_line
from pulumi_vod_workflow.config.settings import Settings
from pulumi_vod_workflow.core.exported_stack import Operation, Resource
from pulumi_vod_workflow.core.exported_state import declared_starts, has_secrets, recorded_runs
from pulumi_vod_workflow.core.recovery import (
    RecoveryAction,
    StartIntent,
    StartRecord,
    is_start_of_token,
    recovery_action,
    resource_key_of,
    start_intent,
)
from pulumi_vod_workflow.core.request import describe_start
from pulumi_vod_workflow.core.resource_types import BATCH_TYPE, RUN_TYPE
from pulumi_vod_workflow.core.text import list_names
from pulumi_vod_workflow.errors import VodWorkflowError
from pulumi_vod_workflow.journal.store import Journal, stack_of
from pulumi_vod_workflow.lifecycle.pending_starts import pending_starts

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


HAVE_RUNS: Final = (
    StartOutcome.RECORDED,
    StartOutcome.ACCEPTED,
    StartOutcome.TOO_OLD,
    StartOutcome.ADOPTED,
    StartOutcome.HELD,
)
"""The outcomes with a run of which nothing has to be found out."""


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
    is_only_pending: bool = False
    """Whether the record is only a pending operation of the state, which the journal lacks."""
    declared: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """The inputs of the interrupted operation, if no secret hides them; else empty."""

    @property
    def stack(self) -> str:
        """The stack that has sent the start, by its name at that time."""
        return stack_of(self.resource)[1]

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
    stack: Stack,
    journal: Journal,
    settings: Settings,
    former_stacks: Collection[str] = (),
) -> list[InterruptedOperation]:
    """
    Return the interrupted operations that may have started runs.

    Args:
        stack: the exported stack.
        journal: the journal of the update.
        settings: the stack's endpoint, and its `vod:resendWithin`.
        former_stacks: earlier names of the stack, beside those in the state.

    Raises:
        JournalError: the journal cannot be read.

    """
    records = _StateAndJournal(stack, journal, settings)
    found = [
        InterruptedOperation(
            operation,
            tuple(records.starts(operation)),
            operation.resource.inputs.get("secretInputs") is True,
        )
        for operation in stack.interrupted
    ]
    listed = [start for each in found for start in each.starts]
    return [*found, *records.journal_only(listed, {*former_stacks})]


def record_pending_starts(stack: Stack, journal: Journal, settings: Settings) -> None:
    """
    Record the starts of unfinished operations, as the next update does before its first start.

    Raises:
        JournalError: the journal cannot be written.

    """
    starts = pending_starts(stack, settings, journal)
    journal.import_pending(stack.project, stack.name, starts)


ALL_ITEMS: Final = "[*]"
"""The end of the name of all items of a batch."""


def waiting_names(found: Sequence[InterruptedOperation]) -> list[str]:
    """Return the printed names of all starts without an answer that wait for a decision."""
    # A start with a known run is not a false alarm: the user discards it by its name only.
    return [
        escape_line(start.name)
        for operation in found
        for start in operation.starts
        if start.outcome in UNDECIDED and not start.run
    ]


def discard_records(
    found: Sequence[InterruptedOperation], names: Sequence[str], journal: Journal
) -> list[str]:
    """
    Remove starts that wait for a decision from the journal: all of the given names, or none.

    Args:
        found: the interrupted operations, as the command has shown them.
        names: printed names of starts, `BATCH[*]` for all items of a batch without an answer, or
            declaring resources as the journal names them.
        journal: the journal to change.

    Returns:
        The printed names of the removed starts.

    Raises:
        UnknownStartNameError: a name fits no start, or several.
        JournalError: the journal cannot be written.

    """
    starts: dict[str, list[InterruptedStart]] = defaultdict(list)
    batches: dict[str, list[InterruptedStart]] = defaultdict(list)
    for operation in found:
        for start in operation.starts:
            if start.outcome in UNDECIDED:
                starts[escape_line(start.name)].append(start)
                starts[escape_line(start.resource)].append(start)
                if start.key and not start.run:
                    batch = start.name.removesuffix(f"[{start.key}]")
                    batches[escape_line(batch) + ALL_ITEMS].append(start)
    chosen: dict[str, InterruptedStart] = {}
    for name in names:
        if name in batches and name not in starts:
            chosen |= {start.resource: start for start in batches[name]}
            continue
        if name not in starts:
            printed = sorted(
                {escape_line(each.name) for named in starts.values() for each in named}
            )
            batch = name + ALL_ITEMS
            whole = (
                f"\nhint: all items of the batch: --forget '{batch}'" if batch in batches else ""
            )
            raise UnknownStartNameError(
                f"--forget {name}: no start of this name waits for a decision. The journal is "
                f"unchanged.{whole}\nhint: starts that wait: {list_names(printed, 20) or 'none'}"
            )
        resources = {escape_line(start.resource) for start in starts[name]}
        if len(resources) > 1:
            raise UnknownStartNameError(
                f"--forget {name}: several starts have this name. The journal is unchanged.\n"
                f"hint: pass one of these names, in quotes: {' or '.join(sorted(resources))}"
            )
        chosen |= {start.resource: start for start in starts[name]}
    journal.delete(start.record for start in chosen.values() if start.record)
    return [escape_line(start.name) for start in chosen.values()]


@dataclass(frozen=True, slots=True)
class FoundRun:
    """A run that the user has found, compared with the listed starts."""

    run_id: str
    starts: tuple[InterruptedStart, ...] = ()
    """The starts with the run's ClientToken; usually one."""
    not_compared: tuple[InterruptedStart, ...] = ()
    """Starts whose ClientToken the command does not know, because a secret hides it."""
    read_error: str = ""
    """The reason why the run cannot be read; empty if there is none."""


def compare_run(
    found: Sequence[InterruptedOperation],
    run_id: str,
    token: str,
    start_inputs: Mapping[str, Any],
    settings: Settings,
) -> FoundRun:
    """
    Return which starts have the ClientToken of a run.

    Args:
        found: the interrupted operations.
        run_id: the run.
        token: its ClientToken; empty for a run without one.
        start_inputs: the inputs of its start, as the service returns them.
        settings: the stack's endpoint.

    """
    equal: list[InterruptedStart] = []
    unknown: list[InterruptedStart] = []
    for start in (start for operation in found for start in operation.starts):
        # The journal or the state has the runs of these starts, and the user need not find them.
        is_equal = (
            start.run_id == run_id
            if start.outcome in HAVE_RUNS
            else _has_token(start, token, start_inputs, settings)
        )
        if is_equal is not False:
            (equal if is_equal else unknown).append(start)
    return FoundRun(run_id, tuple(equal), tuple(unknown))


def _has_token(
    start: InterruptedStart, token: str, start_inputs: Mapping[str, Any], settings: Settings
) -> bool | None:
    """Return whether a start has the ClientToken; `None` if that cannot be known."""
    if start.outcome is not StartOutcome.OTHER and "clientToken" in start.declared:
        return bool(token) and start.declared["clientToken"] == token
    if start.record is None or not start.record.record_key:
        return None
    site = settings.site
    where = {"endpoint": site.endpoint, "region": site.region}
    return is_start_of_token(start.record, start_inputs, token, **where)


class _StateAndJournal:
    """The runs of a state, compared with the start records of a journal."""

    def __init__(self, stack: Stack, journal: Journal, settings: Settings) -> None:
        self._stack, self._journal, self._settings = stack, journal, settings
        resources = [*stack.of_type(RUN_TYPE), *stack.of_type(BATCH_TYPE)]
        self._recorded: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
            resource.urn: recorded_runs(resource.type, resource.outputs)
            for resource in resources
            if not resource.delete
        }
        self._runs = stack.runs
        self._pending: dict[str, StartRecord] = {}
        """
        Key of a start, or of a resource with secrets, -> its record in the journal's place.

        The journal has not met the stack, so each unfinished operation may have sent its starts.
        """
        if stack.interrupted and not journal.has_met(stack.project, stack.name):
            for each in pending_starts(stack, settings, journal):
                if not each.is_unsent:
                    self._pending[each.record_key or each.resource_key] = each.record()

    def starts(self, operation: Operation) -> Iterator[InterruptedStart]:
        """Yield the starts of an interrupted operation, with their outcomes."""
        resource = operation.resource
        # `up --replace` keeps the token, so the recorded run is no answer to its start.
        is_replacement = self._stack.is_replacement(operation)
        recorded = self._recorded.get(resource.urn, {})
        declared = declared_starts(resource.type, resource.inputs, recorded)
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
                declared=declared[key] if intent.record_key else {},
            )
            if "existingRunId" in declared[key]:
                run_id = escape_controls(declared[key]["existingRunId"])
                is_recorded = run_id in self._runs.runs
                outcome = StartOutcome.RECORDED if is_recorded else StartOutcome.ADOPTED
                yield replace(start, outcome=outcome, run_id=run_id)
                continue
            other = found.superseded.get(intent.resource_key)
            record = found.records.get(intent.record_key) if start.is_exact else other
            if is_replacement and record is None:
                start = replace(start, is_only_pending=True)
                record = self._pending.get(intent.record_key or intent.resource_key)
            if is_replacement and record is not None and record.run is None:
                yield self._without_run(start, record)
                continue
            start = replace(start, is_only_pending=False)
            known = self._from_record(start, record, intent.client_token)
            yield known or self._without_record(start, intent, other, recorded.get(key))

    def journal_only(
        self, listed: Collection[InterruptedStart], former_stacks: Collection[str]
    ) -> Iterator[InterruptedOperation]:
        """Yield an operation for each resource with starts that only the journal has."""
        starts: dict[tuple[str, str, str], list[InterruptedStart]] = defaultdict(list)
        resources = {start.resource for start in listed if start.outcome is not StartOutcome.HELD}
        run_ids = {start.run_id for start in listed}
        stacks = {self._stack.name, *self._runs.stacks, *former_stacks}
        for record in chain.from_iterable(
            self._journal.list_stack(self._stack.project, name) for name in sorted(stacks)
        ):
            scope = json.loads(record.resource_key)
            name, key = escape_controls(scope["name"]), escape_controls(scope.get("item", ""))
            unsent = InterruptedStart(
                f"{name}[{key}]" if key else name, key, StartOutcome.UNSENT, record.resource_key
            )
            start = self._from_record(unsent, record) or unsent
            is_listed = start.run_id in run_ids if start.run_id else start.resource in resources
            if start.outcome is not StartOutcome.RECORDED and not is_listed:
                starts[name, BATCH_TYPE if key else RUN_TYPE, start.stack].append(start)
        for (name, kind, stack), found in sorted(starts.items()):
            urn = f"urn:pulumi:{stack}::{self._stack.project}::{kind}::{name}"
            operation = Operation(type=JOURNAL_ONLY, resource=Resource(urn=urn, type=kind))
            # The journal keeps no inputs, so any of them may be secret.
            yield InterruptedOperation(operation, tuple(found), has_secret_inputs=True)

    def _from_record(
        self, start: InterruptedStart, record: StartRecord | None, token: str = ""
    ) -> InterruptedStart | None:
        """Return a start with the outcome of its record; None without a record."""
        if record is None:
            return None
        # Another machine may have joined the start, or the journal's disk was full: the state then
        # has the answer that the journal lacks.
        recorded = self._runs.run_of(record, token)
        if recorded is not None:
            run_id = str(recorded["runId"])
            return replace(start, outcome=StartOutcome.RECORDED, run_id=run_id, record=record)
        return self._without_run(start, record)

    def _without_run(self, start: InterruptedStart, record: StartRecord) -> InterruptedStart:
        """Return a start with the outcome of its record, whose run no state has."""
        run_id = str(record.run["runId"]) if record.run else ""
        # Another machine's clock may have dated the record, so only the journal's gives its age.
        now = self._journal.now()
        outcome = {
            RecoveryAction.REUSE: StartOutcome.ACCEPTED,
            RecoveryAction.SEND: StartOutcome.RESENT,
            RecoveryAction.WAIT: StartOutcome.IN_FLIGHT,
            RecoveryAction.REFUSE: StartOutcome.TOO_OLD if run_id else StartOutcome.UNCLEAR,
        }[recovery_action(record, now, self._settings.resend_within)]
        return replace(start, outcome=outcome, run_id=run_id, record=record)

    def _without_record(
        self,
        start: InterruptedStart,
        intent: StartIntent,
        other: StartRecord | None,
        recorded: Mapping[str, Any] | None,
    ) -> InterruptedStart:
        """Return a start that the journal does not have, with its outcome."""
        tokens = self._runs.by_token
        if start.is_exact and intent.client_token in tokens:
            run_id = str(tokens[intent.client_token][0]["runId"])
            return replace(start, outcome=StartOutcome.RECORDED, run_id=run_id)
        if recorded and not start.is_exact:
            return replace(start, outcome=StartOutcome.RECORDED, run_id=str(recorded["runId"]))
        if recorded and self._settings.journal.exists():
            return replace(start, outcome=StartOutcome.HELD, run_id=str(recorded["runId"]))
        another = self._from_record(start, other)
        if another and another.outcome is not StartOutcome.RECORDED:
            return replace(another, outcome=StartOutcome.OTHER, description="")
        pending = self._pending.get(intent.record_key or intent.resource_key)
        return self._from_record(replace(start, is_only_pending=True), pending) or start

    def _start_intent(self, declared: Mapping[str, Any]) -> StartIntent:
        """Return the start; without a record key if a secret prevents the comparison."""
        if has_secrets(declared) or "clientToken" not in declared:
            return StartIntent({}, "", resource_key_of(declared), "")
        site = self._settings.site
        return start_intent(declared, endpoint=site.endpoint, region=site.region)
