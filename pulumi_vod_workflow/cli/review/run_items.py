"""A step on a `WorkflowRun` -> a start with its reason, a free change, or a dropped run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from pulumi_vod_workflow.cli.pulumi_files.diagnostics import ProviderReport
from pulumi_vod_workflow.cli.pulumi_files.preview import (
    DELETES,
    HIDDEN_SECRET,
    READS,
    UPDATES,
    Step,
    contains_marker,
)
from pulumi_vod_workflow.cli.review.model import (
    DroppedRun,
    FreeChange,
    FreeReason,
    PlannedRun,
    Reason,
    ResourceRef,
    ReviewCause,
    ReviewItem,
)
from pulumi_vod_workflow.cli.review.value_diff import (
    Change,
    assume_unknowns_unchanged,
    changes_of,
    unknown_paths,
    without_hidden,
)
from pulumi_vod_workflow.core.changes import EFFECTS, ChangePlan, Effect, plan_change
from pulumi_vod_workflow.core.durations import source_duration
from pulumi_vod_workflow.core.start_reason import NEW, UNKNOWN_ADOPTION, restart_reason
from pulumi_vod_workflow.core.values import UNKNOWN, Properties, normalise
from pulumi_vod_workflow.errors import AdoptionError

CAUSE_BY_ENGINE_REASON: Final = {
    "id": ReviewCause.REPLACE_OPTION,
    "replaceWith": ReviewCause.REPLACED_WITH,
}
SENT_BEFORE: Final = "it was sent before, and never answered"
STARTED_BEFORE: Final = "an earlier update has started it"
RESTART_FIELDS: Final = tuple(name for name, effect in EFFECTS.items() if effect is not Effect.FREE)


def run_items(step: Step, report: ProviderReport, service: str | None) -> Iterator[ReviewItem]:
    """Yield the items of a step."""
    resource = ResourceRef(step.urn)
    recorded, declared = normalise(step.recorded), normalise(step.declared)
    if step.op in DELETES:
        run_id, phase = (_shown(recorded.get(name)) for name in ("runId", "phase"))
        yield DroppedRun(resource, run_id, phase, recorded)
    elif step.op in READS:
        yield FreeChange(resource, FreeReason.READ)
    elif step.op in UPDATES:
        causes = _unshown_restart(recorded, declared, service)
        if causes:
            reason = Reason(restart_reason(causes, recorded, declared))
            start = _start(resource, reason, declared, report)
            yield replace(_restarted(start, causes, recorded), certain=False)
        else:
            plan = _plan(recorded, declared, service)
            yield FreeChange(resource, FreeReason.RECORDED, ", ".join(plan.free))
    elif declared.get("existingRunId") not in (None, UNKNOWN):
        run_id = declared["existingRunId"]
        detail = "" if run_id is HIDDEN_SECRET else str(run_id)
        yield FreeChange(resource, FreeReason.ADOPTED, detail)
    elif report.plan and report.plan.reuses.count and isinstance(declared.get("clientToken"), str):
        yield FreeChange(resource, FreeReason.REUSED, report.plan.run or "")
    elif recorded:
        yield _replacement(step, recorded, declared, report, service)
    else:
        is_adoption = "existingRunId" in declared
        reason = Reason(UNKNOWN_ADOPTION if is_adoption else NEW)
        start = _start(resource, reason, declared, report)
        yield replace(start, certain=start.certain and not is_adoption)


def _unshown_restart(
    recorded: Properties, declared: Properties, service: str | None
) -> tuple[str, ...]:
    """Return the causes of a new run that the engine shows as an update."""
    # It does so while a setting of the provider resource is unknown: it then calls neither the
    # provider's check, which adds the scope, nor its diff.
    if "scope" in declared:
        return ()
    whole = {"clientToken": recorded.get("clientToken"), **declared}
    return _plan(recorded, whole, service).new_run


def _plan(recorded: Properties, declared: Properties, service: str | None) -> ChangePlan:
    old, new = without_hidden(recorded, declared)
    try:
        return plan_change(old, new, service=service)
    except AdoptionError:
        return ChangePlan()


def planned_run(
    resource: ResourceRef,
    reason: Reason,
    declared: Properties,
    *,
    joins: str,
    warnings: tuple[str, ...],
) -> PlannedRun:
    """Return the start of a declaration."""
    return PlannedRun(
        resource,
        reason,
        unknown=_unknown_inputs(declared),
        joins=joins,
        client_token=declared.get("clientToken", UNKNOWN),
        vid=declared.get("vid"),
        direct_url=declared.get("directUrl"),
        template=declared.get("templateId"),
        low_priority=declared.get("enableLowPriority"),
        warnings=warnings,
        declared=declared,
    )


def _start(
    resource: ResourceRef, reason: Reason, declared: Properties, report: ProviderReport
) -> PlannedRun:
    plan, joins = report.plan, ""
    if plan and plan.may_be_sent_before:
        joins = SENT_BEFORE
    elif plan and plan.reuses.count:
        # The preview hides the token of a secret run, so nothing confirms the reuse: "up to".
        joins = STARTED_BEFORE
    start = planned_run(resource, reason, declared, joins=joins, warnings=report.warnings)
    return replace(start, duration=source_duration(plan.durations)) if plan else start


def _unknown_inputs(declared: Properties) -> tuple[str, ...]:
    """Return the paths of unknown inputs; a derived token is unknown if any other input is."""
    found = unknown_paths({name: declared[name] for name in RESTART_FIELDS if name in declared})
    return tuple(path for path in found if path != "clientToken") or found


def _replacement(
    step: Step,
    recorded: Properties,
    declared: Properties,
    report: ProviderReport,
    service: str | None,
) -> PlannedRun:
    reasons = {*step.replace_reasons}
    forced = not reasons or not reasons.isdisjoint(CAUSE_BY_ENGINE_REASON)
    if forced:
        reasons |= {*_plan(recorded, declared, service).new_run}
    fields = [name for name in (*RESTART_FIELDS, "emulated") if name in reasons]
    causes: tuple[ReviewCause, ...] = ()
    if forced:
        known = (cause for name, cause in CAUSE_BY_ENGINE_REASON.items() if name in reasons)
        causes = tuple(known) or (ReviewCause.ENGINE,)
    reason = Reason(restart_reason(fields, recorded, declared) if fields else None, causes)
    start = _restarted(_start(ResourceRef(step.urn), reason, declared, report), fields, recorded)
    if start.joins or declared.get("existingRunId") is UNKNOWN:
        return replace(start, certain=False)
    if forced:
        same = declared.get("clientToken", UNKNOWN) == recorded.get("clientToken")
        return replace(start, joins=_joins_recorded(recorded)) if same else start
    # Whatever is not known yet, a derived token with it, may turn out to be what is recorded.
    whole = {"clientToken": UNKNOWN, **declared}
    surely = _plan(recorded, assume_unknowns_unchanged(recorded, whole), service).new_run
    hidden = whole["clientToken"] is not UNKNOWN and any(
        contains_marker(side.get(name), HIDDEN_SECRET)
        for name in fields
        for side in (recorded, declared)
    )
    return replace(start, certain=bool(surely or hidden or "emulated" in fields))


def _restarted(start: PlannedRun, fields: Iterable[str], recorded: Properties) -> PlannedRun:
    """Return a start with the run that it replaces, and the changes that cause it."""
    return replace(
        start,
        changes=field_changes(fields, recorded, start.declared),
        replaces=_shown(recorded.get("runId")),
        recorded=recorded,
    )


def _joins_recorded(run: Properties) -> str:
    return f"it is the same start as of the recorded run, last read as {_shown(run.get('phase'))}"


def _shown(output: object) -> str | None:
    """Return an output, unless the program has made it secret."""
    return output if isinstance(output, str) else None


def field_changes(
    fields: Iterable[str], recorded: Properties, declared: Properties
) -> tuple[Change, ...]:
    """Return the differences within the fields whose values cause a start."""
    return tuple(
        change
        for name in fields
        if EFFECTS.get(name)
        in (Effect.NEW_RUN, Effect.TRIGGER, Effect.CLIENT_TOKEN, Effect.ADOPTION)
        for change in changes_of(name, recorded, declared)
    )
