"""A review as JSON: the schema is in docs/review.md, and grows only by new keys."""

from __future__ import annotations

from typing import Any, Final

from pulumi_vod_workflow.cli.pulumi_files.preview import HIDDEN_SECRET, contains_marker
from pulumi_vod_workflow.cli.review.change_text import sides
from pulumi_vod_workflow.cli.review.model import PlannedRun, ResourceRef, Review, SameWork
from pulumi_vod_workflow.cli.review.value_diff import NOT_SET, Change
from pulumi_vod_workflow.core.values import is_known

SCHEMA_VERSION: Final = 1


def render_json(promise: Review, max_starts: int | None) -> dict[str, Any]:
    """Return the review as plain data."""
    return {
        "version": SCHEMA_VERSION,
        "project": promise.project,
        "stack": promise.stack,
        "where": [*promise.endpoint],
        "starts": {
            "certain": promise.certain,
            "atMost": promise.at_most,
            "maxStarts": max_starts,
            "exceeded": promise.exceeds(max_starts),
        },
        "paidOutputs": {
            "known": promise.outputs,
            "runsOfUnknownWorkflows": promise.of_unknown_workflow,
        },
        "runs": [_start(start) for start in promise.starts],
        "free": [
            {**_who(part.resource), "what": part.reason.name.lower(), "detail": part.detail}
            for part in promise.free
        ],
        "forgotten": [
            {**_who(part.resource), "runId": part.run_id, "phase": part.phase}
            for part in promise.dropped
        ],
    }


def _who(who: ResourceRef) -> dict[str, Any]:
    return {"resource": who.name, "urn": who.urn, "item": who.item}


def _start(start: PlannedRun) -> dict[str, Any]:
    return {
        **_who(start.resource),
        "count": start.count,
        "certain": start.certain,
        "why": start.reason,
        "changes": [
            {
                "path": item.path,
                "from": _value(item.before),
                "to": _value(item.after),
                "looksAlike": _alike(item),
            }
            for item in start.changes
        ],
        "notKnownYet": [*start.unknown],
        "joins": start.joins or None,
        "templateId": _value(NOT_SET if start.template is None else start.template),
        "paidOutputs": start.outputs,
        "replaces": start.replaces,
        "warnings": [*start.warnings],
        "sameWork": None if start.same is None else _same(start.same),
    }


def _same(same: SameWork) -> dict[str, Any]:
    return {
        **_who(same.resource),
        "lost": None if same.lost is None else same.lost.name.lower(),
        "runId": same.run_id,
        "phase": same.phase,
        "remedy": _remedy(same),
        "differs": [*same.differs],
    }


def _remedy(same: SameWork) -> str | None:
    if same.lost is None:
        return None
    return "aliases" if same.alias else "existingRunId"


def _alike(change: Change) -> dict[str, str] | None:
    """Return how two values differ that a person would take for the same, if they do."""
    shown = sides(change)
    if not shown.alike:
        return None
    return {"why": shown.alike, "from": shown.before, "to": shown.after}


def _value(value: Any) -> dict[str, Any] | None:
    """Return a value so that a secret, or an unknown one, cannot be taken for text."""
    if value is NOT_SET:
        return None
    if contains_marker(value, HIDDEN_SECRET):
        return {"secret": True}
    return {"value": value} if is_known(value) else {"unknown": True}
