"""What a step on a `WorkflowRun` promises: why it is started, or that it is free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from pulumi_vod_workflow.cli.pulumi_files.preview import (
    DELETES,
    HIDDEN_SECRET,
    READS,
    UPDATES,
    Step,
    contains_marker,
)
from pulumi_vod_workflow.cli.pulumi_files.provider_messages import Told
from pulumi_vod_workflow.cli.review.model import (
    DroppedRun,
    FreeChange,
    FreeReason,
    PlannedRun,
    ResourceRef,
    ReviewItem,
)
from pulumi_vod_workflow.cli.review.value_diff import (
    Change,
    assume_unknowns_unchanged,
    changes_of,
    unknown_paths,
    without_hidden,
)
from pulumi_vod_workflow.core.batch.changes import NEW, restart_reason_text
from pulumi_vod_workflow.core.changes import EFFECTS, ChangePlan, Effect, plan_change
from pulumi_vod_workflow.core.values import UNKNOWN, Properties, normalise
from pulumi_vod_workflow.errors import AdoptionError

ENGINE_REASON: Final = {
    "id": "the engine was told to replace it (--replace)",
    "replaceWith": "it is replaced with another resource (replace_with)",
}
DEPENDS_REASON: Final = (
    "the engine replaces it (a replacement trigger, a taint, or what it depends on)"
)
RESTART_REASON: Final = tuple(name for name, effect in EFFECTS.items() if effect is not Effect.FREE)


def run_items(step: Step, told: Told, service: str | None) -> Iterator[ReviewItem]:
    """Yield what a step does: it starts a run, costs nothing, or forgets one."""
    who = ResourceRef(step.urn)
    recorded, declared = normalise(step.recorded), normalise(step.declared)
    if step.op in DELETES:
        run_id, phase = (_shown(recorded.get(name)) for name in ("runId", "phase"))
        yield DroppedRun(who, run_id, phase, recorded)
    elif step.op in READS:
        yield FreeChange(who, FreeReason.READ)
    elif step.op in UPDATES:
        plan = _plan(recorded, declared, service)
        yield FreeChange(who, FreeReason.RECORDED, ", ".join(plan.free))
    elif declared.get("existingRunId") not in (None, UNKNOWN):
        run_id = declared["existingRunId"]
        yield FreeChange(who, FreeReason.ADOPTED, "" if run_id is HIDDEN_SECRET else str(run_id))
    elif told.taken is not None:
        yield FreeChange(who, FreeReason.REUSED, told.taken)
    elif recorded:
        yield _replacement(step, recorded, declared, told, service)
    else:
        why = "existingRunId (not known yet)" if "existingRunId" in declared else NEW
        yield replace(
            planned_run(who, why, declared, told), certain=why == NEW and not told.sent_again
        )


def _plan(recorded: Properties, declared: Properties, service: str | None) -> ChangePlan:
    old, new = without_hidden(recorded, declared)
    try:
        return plan_change(old, new, service=service)
    except AdoptionError:
        return ChangePlan()


def planned_run(who: ResourceRef, why: str, declared: Properties, told: Told) -> PlannedRun:
    """Return the start that a declaration asks for."""
    return PlannedRun(
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
    found = unknown_paths({name: declared[name] for name in RESTART_REASON if name in declared})
    return tuple(path for path in found if path != "clientToken") or found


def _replacement(
    step: Step, recorded: Properties, declared: Properties, told: Told, service: str | None
) -> PlannedRun:
    reasons = {*step.replace_reasons}
    forced = not reasons or not reasons.isdisjoint(ENGINE_REASON)
    if forced:
        reasons |= {*_plan(recorded, declared, service).new_run}
    fields = [name for name in (*RESTART_REASON, "emulated") if name in reasons]
    whys = [restart_reason_text(fields, recorded, declared)] if fields else []
    if forced:
        whys += [why for name, why in ENGINE_REASON.items() if name in reasons] or [DEPENDS_REASON]
    start = replace(
        planned_run(ResourceRef(step.urn), "; ".join(whys), declared, told),
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
    known = _plan(recorded, assume_unknowns_unchanged(recorded, whole), service).new_run
    hidden = whole["clientToken"] is not UNKNOWN and any(
        contains_marker(side.get(name), HIDDEN_SECRET)
        for name in fields
        for side in (recorded, declared)
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
        if EFFECTS.get(name)
        in (Effect.NEW_RUN, Effect.TRIGGER, Effect.CLIENT_TOKEN, Effect.ADOPTION)
        for change in changes_of(name, recorded, declared)
    )
