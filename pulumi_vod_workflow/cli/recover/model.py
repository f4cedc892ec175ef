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

from pulumi_vod_workflow.cli.formatting import line, shown
from pulumi_vod_workflow.cli.pulumi_files.stack_export import (
    BATCH_TYPE,
    RUN_TYPE,
    Operation,
    Resource,
    Stack,
    has_secrets,
)
from pulumi_vod_workflow.cli.runs.model import without_secret_parts
from pulumi_vod_workflow.config.settings import Settings
from pulumi_vod_workflow.core.batch.inputs import items_of, normalise_batch
from pulumi_vod_workflow.core.batch.state import runs_of
from pulumi_vod_workflow.core.recovery import Entry, Order, Recall, order_of, recall, resource_of
from pulumi_vod_workflow.core.request import in_words
from pulumi_vod_workflow.core.secrets import Secret
from pulumi_vod_workflow.core.text import named
from pulumi_vod_workflow.core.values import normalise
from pulumi_vod_workflow.errors import VodWorkflowError
from pulumi_vod_workflow.journal.sqlite import Journal

NOTED: Final = "noted"
"""The type of an operation that only the journal knows of."""


class Became(Enum):
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


UNDECIDED: Final = (Became.UNCLEAR, Became.TOO_OLD, Became.OTHER)
"""What a person decides about."""


class NothingToForgetError(VodWorkflowError):
    """No start of such a name waits for a decision; the journal is as it was."""


@dataclass(frozen=True, slots=True)
class Start:
    """One start of an interrupted operation: a run, or an item of a batch."""

    name: str
    """As the program calls it: `trailer`, or `episodes[s01e01]`."""
    key: str
    """The item of a batch; empty for a run."""
    became: Became
    resource: str
    """Who declares it, as the journal names it."""
    run_id: str = ""
    entry: Entry | None = None
    exact: bool = True
    """Whether the journal was asked for this very start; for its name only, if that is secret."""
    phase: str = ""
    """As just read; empty if it was not."""
    trouble: str = ""
    """Why it could not be read."""
    what: str = ""
    """Its source and workflow, as far as they are known and no secret."""

    @property
    def run(self) -> Mapping[str, Any]:
        """What the journal has of its run: `runId`, `submittedAt`."""
        return (self.entry.run if self.entry else None) or {}


@dataclass(frozen=True, slots=True)
class Interrupted:
    """One operation that was cut short, with its starts."""

    operation: Operation
    starts: tuple[Start, ...]
    secret: bool
    """Something that it was declared with is secret."""

    def verified(self, phases: Mapping[str, str], troubles: Mapping[str, str]) -> Interrupted:
        """Return it with what was just read of its runs, by their ids."""
        read = (
            replace(
                start,
                phase=phases.get(start.run_id, ""),
                trouble=troubles.get(start.run_id, ""),
            )
            for start in self.starts
        )
        return replace(self, starts=tuple(read))


def interrupted(
    stack: Stack, journal: Journal, settings: Settings, now: datetime
) -> list[Interrupted]:
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
    books = _Books(stack, journal, settings, now)
    found = [
        Interrupted(
            operation,
            tuple(books.starts(operation.resource)),
            operation.resource.inputs.get("secretInputs") is True,
        )
        for operation in stack.interrupted
    ]
    return [*found, *books.noted([start for each in found for start in each.starts])]


def forget(found: Sequence[Interrupted], names: Sequence[str], journal: Journal) -> None:
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
    starts: dict[str, list[Start]] = defaultdict(list)
    for start in (start for operation in found for start in operation.starts):
        if start.became in UNDECIDED:
            starts[line(start.name)].append(start)
            starts[line(start.resource)].append(start)
    for name in names:
        if name not in starts:
            printed = sorted({line(each.name) for those in starts.values() for each in those})
            raise NothingToForgetError(
                f"--forget {name}: no start of that name waits for a decision, so nothing was "
                f"forgotten. There is {named(printed, 20) or 'none'}."
            )
        whose = {line(start.resource) for start in starts[name]}
        if len(whose) > 1:
            raise NothingToForgetError(
                f"--forget {name}: that is the name of several, so nothing was forgotten. Give, "
                f"quoted, which one: {' or '.join(sorted(whose))}"
            )
    journal.forget(start.entry for name in names for start in starts[name] if start.entry)


class _Books:
    """What the state and the journal hold."""

    def __init__(self, stack: Stack, journal: Journal, settings: Settings, now: datetime) -> None:
        self._stack, self._journal, self._settings, self._now = stack, journal, settings, now
        resources = [*stack.of_type(RUN_TYPE), *stack.of_type(BATCH_TYPE)]
        self._held: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
            resource.urn: _runs_of(resource) for resource in resources if not resource.delete
        }
        self._run_ids = {run["runId"] for runs in self._held.values() for run in runs.values()}

    def starts(self, resource: Resource) -> Iterator[Start]:
        declared, held = _declared(resource), self._held.get(resource.urn, {})
        orders = {key: self._order(inputs) for key, inputs in declared.items()}
        look = self._journal.look(orders.values())
        known, others = look.known, look.earlier
        for key, order in orders.items():
            name = f"{resource.name}[{key}]" if key else resource.name
            what = in_words(declared[key])
            start = Start(
                name, key, Became.UNSENT, order.resource, exact=bool(order.key), what=what
            )
            if "existingRunId" in declared[key]:
                run_id = shown(declared[key]["existingRunId"])
                kept = run_id in self._run_ids
                became = Became.RECORDED if kept else Became.ADOPTED
                yield replace(start, became=became, run_id=run_id)
                continue
            other = others.get(order.resource)
            entry = known.get(order.key) if start.exact else other
            yield self._told(start, entry) or self._otherwise(start, order, other, held.get(key))

    def noted(self, told: Collection[Start]) -> Iterator[Interrupted]:
        """Yield what else the journal has of the stack, and no state: of one resource, each run."""
        starts: dict[tuple[str, str], list[Start]] = defaultdict(list)
        names = {start.name for start in told if start.became is not Became.HELD}
        run_ids = {start.run_id for start in told}
        for scope, entry in self._journal.of_stack(self._stack.project, self._stack.name):
            who = json.loads(scope)
            name, key = shown(who["name"]), shown(who.get("item", ""))
            start = Start(f"{name}[{key}]" if key else name, key, Became.UNSENT, scope)
            noted = self._told(start, entry) or start
            is_told = noted.run_id in run_ids if noted.run_id else noted.name in names
            if noted.became is not Became.RECORDED and not is_told:
                starts[name, BATCH_TYPE if key else RUN_TYPE].append(noted)
        for (name, kind), noted_starts in sorted(starts.items()):
            urn = f"urn:pulumi:{self._stack.name}::{self._stack.project}::{kind}::{name}"
            operation = Operation(type=NOTED, resource=Resource(urn=urn, type=kind))
            yield Interrupted(operation, tuple(noted_starts), secret=True)  # it cannot be known

    def _told(self, start: Start, entry: Entry | None) -> Start | None:
        """Return what the journal's note of a start says, if there is one."""
        if entry is None:
            return None
        run_id = str(entry.run["runId"]) if entry.run else ""
        became = {
            Recall.TAKE: Became.ACCEPTED,
            Recall.SEND: Became.RESENT,
            Recall.ASK: Became.TOO_OLD if run_id else Became.UNCLEAR,
        }[recall(entry, self._now, self._settings.resend_within)]
        if run_id in self._run_ids:
            became = Became.RECORDED
        return replace(start, became=became, run_id=run_id, entry=entry)

    def _otherwise(
        self, start: Start, order: Order, other: Entry | None, held: Mapping[str, Any] | None
    ) -> Start:
        """Return what is known of a start of which the journal has nothing."""
        if held and (held.get("clientToken") == order.client_token or not start.exact):
            return replace(start, became=Became.RECORDED, run_id=str(held["runId"]))
        if held and self._settings.journal.exists():
            return replace(start, became=Became.HELD, run_id=str(held["runId"]))
        another = self._told(start, other)
        if another and another.became is not Became.RECORDED:
            return replace(another, became=Became.OTHER, what="")
        return start

    def _order(self, declared: Mapping[str, Any]) -> Order:
        """Return the start; without a key where a secret keeps it from being compared."""
        if has_secrets(declared) or "clientToken" not in declared:
            return Order({}, "", resource_of(declared), "")
        site = self._settings.site
        return order_of(declared, endpoint=site.endpoint, region=site.region)


def _declared(resource: Resource) -> dict[str, dict[str, Any]]:
    """Return the inputs of a run under no key, or those of each item of a batch."""
    inputs = {key: value for key, value in resource.inputs.items() if key != "__provider"}
    if resource.type == RUN_TYPE:
        return {"": normalise(inputs)}
    if isinstance(inputs.get("items"), Secret):  # it may be any number of starts, known by no name
        return {"": inputs}
    return items_of(normalise_batch(without_secret_parts(inputs)))


def _runs_of(resource: Resource) -> dict[str, dict[str, Any]]:
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
