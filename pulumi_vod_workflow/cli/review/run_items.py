"""What a step on a `WorkflowRun` promises: why it is started, or that it is free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from pulumi_vod_workflow.cli.pulumi_files.preview import (
    DELETES,
    HIDDEN,
    READS,
    UPDATES,
    Step,
    holds,
)
from pulumi_vod_workflow.cli.pulumi_files.provider_messages import Told
from pulumi_vod_workflow.cli.review.model import Forgotten, Free, FreeOf, Part, Start, Who
from pulumi_vod_workflow.cli.review.value_diff import (
    Change,
    changes_of,
    comparable,
    settled,
    unknown_paths,
)
from pulumi_vod_workflow.core.batch.changes import NEW, why_new
from pulumi_vod_workflow.core.changes import EFFECTS, ChangePlan, Effect, plan_change
from pulumi_vod_workflow.core.values import UNKNOWN, normalise
from pulumi_vod_workflow.errors import AdoptionError

ENGINE: Final = {
    "id": "the engine was told to replace it (--replace)",
    "replaceWith": "it is replaced with another resource (replace_with)",
}
DEPENDS: Final = "the engine replaces it (a replacement trigger, a taint, or what it depends on)"
ASKING: Final = tuple(name for name, effect in EFFECTS.items() if effect is not Effect.FREE)

Properties = Mapping[str, Any]


def run_parts(step: Step, told: Told, service: str | None) -> Iterator[Part]:
    """Yield what a step does: it starts a run, costs nothing, or forgets one."""
    who = Who(step.urn)
    recorded, declared = normalise(step.recorded), normalise(step.declared)
    if step.op in DELETES:
        run_id, phase = (_shown(recorded.get(name)) for name in ("runId", "phase"))
        yield Forgotten(who, run_id, phase, recorded)
    elif step.op in READS:
        yield FreeOf(who, Free.READ)
    elif step.op in UPDATES:
        plan = _plan(recorded, declared, service)
        yield FreeOf(who, Free.RECORDED, ", ".join(plan.free))
    elif declared.get("existingRunId") not in (None, UNKNOWN):
        run_id = declared["existingRunId"]
        yield FreeOf(who, Free.ADOPTED, "" if run_id is HIDDEN else str(run_id))
    elif told.taken is not None:
        yield FreeOf(who, Free.TAKEN, told.taken)
    elif recorded:
        yield _replacement(step, recorded, declared, told, service)
    else:
        why = "existingRunId (not known yet)" if "existingRunId" in declared else NEW
        yield replace(
            start_of(who, why, declared, told), certain=why == NEW and not told.sent_again
        )


def _plan(recorded: Properties, declared: Properties, service: str | None) -> ChangePlan:
    old, new = comparable(recorded, declared)
    try:
        return plan_change(old, new, service=service)
    except AdoptionError:
        return ChangePlan()


def start_of(who: Who, why: str, declared: Properties, told: Told) -> Start:
    """Return the start that a declaration asks for."""
    return Start(
        who,
        why,
        unknown=_unknown_inputs(declared),
        joins="it was sent before, and never answered" if told.sent_again else "",
        template=declared.get("templateId"),
        warnings=told.warnings,
        declared=declared,
    )


def _unknown_inputs(declared: Properties) -> tuple[str, ...]:
    """Name what is not known yet; a derived token follows what else is not."""
    found = unknown_paths({name: declared[name] for name in ASKING if name in declared})
    return tuple(path for path in found if path != "clientToken") or found


def _replacement(
    step: Step, recorded: Properties, declared: Properties, told: Told, service: str | None
) -> Start:
    reasons = {*step.replace_reasons}
    forced = not reasons or not reasons.isdisjoint(ENGINE)
    if forced:
        reasons |= {*_plan(recorded, declared, service).new_run}
    fields = [name for name in (*ASKING, "emulated") if name in reasons]
    whys = [why_new(fields, recorded, declared)] if fields else []
    if forced:
        whys += [why for name, why in ENGINE.items() if name in reasons] or [DEPENDS]
    start = replace(
        start_of(Who(step.urn), "; ".join(whys), declared, told),
        changes=field_changes(fields, recorded, declared),
        replaces=_shown(recorded.get("runId")),
        recorded=recorded,
    )
    if told.sent_again or declared.get("existingRunId") is UNKNOWN:
        return replace(start, certain=False)
    if forced:
        same = declared.get("clientToken", UNKNOWN) == recorded.get("clientToken")
        return replace(start, joins=_joins_recorded(recorded), certain=False) if same else start
    # Whatever is not known yet, a derived token with it, may turn out to be what is recorded.
    whole = {"clientToken": UNKNOWN, **declared}
    known = _plan(recorded, settled(recorded, whole), service).new_run
    hidden = whole["clientToken"] is not UNKNOWN and any(
        holds(side.get(name), HIDDEN) for name in fields for side in (recorded, declared)
    )
    return replace(start, certain=bool(known or hidden or "emulated" in fields))


def _joins_recorded(run: Properties) -> str:
    return f"it is the same start as of the recorded run, last read as {_shown(run.get('phase'))}"


def _shown(output: object) -> str | None:
    """Return an output, unless the program has made it secret."""
    return output if isinstance(output, str) else None


def field_changes(
    fields: Iterable[str], recorded: Properties, declared: Properties
) -> tuple[Change, ...]:
    """Return what differs within the fields that ask for a run by their values."""
    return tuple(
        change
        for name in fields
        if EFFECTS.get(name) in (Effect.NEW_RUN, Effect.TRIGGER, Effect.OURS, Effect.ADOPTION)
        for change in changes_of(name, recorded, declared)
    )
