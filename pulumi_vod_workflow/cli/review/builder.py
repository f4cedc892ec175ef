"""
A preview -> what it promises, by the rules of core.

Whether a resource is created, replaced or updated is the engine's word, which has asked the
provider; why, and for which items of a batch, is core's (`plan_change`, `plan_batch`). What the
file hides core cannot compare: there the provider's own lines count.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pulumi_vod_workflow.cli.pulumi_files.preview import (
    CREATES,
    DELETES,
    HIDDEN_SECRET,
    READS,
    UPDATES,
    Preview,
    Step,
    contains_marker,
)
from pulumi_vod_workflow.cli.pulumi_files.provider_messages import Told, told_in, told_of_all
from pulumi_vod_workflow.cli.pulumi_files.stack_export import BATCH_TYPE, COMPLETION_TYPE, RUN_TYPE
from pulumi_vod_workflow.cli.review.batch_items import batch_items
from pulumi_vod_workflow.cli.review.model import (
    DroppedRun,
    FreeChange,
    FreeReason,
    PlannedRun,
    ResourceRef,
    Review,
    ReviewItem,
)
from pulumi_vod_workflow.cli.review.run_items import run_items
from pulumi_vod_workflow.cli.review.same_work import with_same_work
from pulumi_vod_workflow.config.settings import load_settings
from pulumi_vod_workflow.core.canonical import canonical_json
from pulumi_vod_workflow.core.changes import IDENTITY_FIELDS
from pulumi_vod_workflow.core.values import is_known
from pulumi_vod_workflow.errors import ConfigurationError


def build_review(preview: Preview) -> Review:
    """Return what a preview promises of this package's resources; others are left out."""
    told, service = told_in(preview.diagnostics), _service(preview.config)
    parts: list[ReviewItem] = []
    steps = _decisive_steps(preview.steps)
    for urn, step in steps.items():
        said = told.get(urn, Told())
        if not preview.has_inputs:
            parts += _bounds(step)
        elif step.type == RUN_TYPE:
            parts += run_items(step, said, service)
        elif step.type == BATCH_TYPE:
            parts += batch_items(step, said, service)
        elif step.type == COMPLETION_TYPE and step.op in (*CREATES, *UPDATES):
            runs = step.declared.get("runs")
            counted = f"{len(runs):,}" if isinstance(runs, Mapping) else "runs not known yet"
            parts.append(FreeChange(ResourceRef(urn), FreeReason.WAITS, counted))
    # The engine's order is that of a program whose parts run side by side.
    parts.sort(key=lambda part: (part.resource.name, part.resource.urn, part.resource.item or ""))
    parts = with_same_work(_with_joined_runs(parts, steps), steps)
    project, stack = preview.stack
    return Review(
        project,
        stack,
        told_of_all(preview.diagnostics),
        starts=tuple(part for part in parts if isinstance(part, PlannedRun)),
        free=tuple(part for part in parts if isinstance(part, FreeChange)),
        dropped=tuple(part for part in parts if isinstance(part, DroppedRun)),
    )


UNKNOWN_COUNT: Final = "`--output json` does not say why, or how many: `--json` does"


def _bounds(step: Step) -> Iterator[ReviewItem]:
    """Yield what a step may start at most, by what the engine does alone."""
    who = ResourceRef(step.urn)
    if step.op in DELETES and step.type in (RUN_TYPE, BATCH_TYPE):
        yield DroppedRun(who, None, None)
    elif step.type == RUN_TYPE and step.op in CREATES:  # that may adopt a run, or take one over
        yield PlannedRun(who, UNKNOWN_COUNT, certain=False)
    elif step.type == RUN_TYPE:
        yield FreeChange(who, FreeReason.READ if step.op in READS else FreeReason.RECORDED)
    elif step.type == BATCH_TYPE and step.op in (*CREATES, *UPDATES):
        yield PlannedRun(who, UNKNOWN_COUNT, certain=False, count=None)
    elif step.type == COMPLETION_TYPE and step.op in (*CREATES, *UPDATES):
        yield FreeChange(who, FreeReason.WAITS)


def _service(config: Mapping[str, Any]) -> str | None:
    """Return the endpoint of the real service, if that is configured: see `VodProvider`."""
    values = {key: value for key, value in config.items() if isinstance(value, str)}
    try:
        site = load_settings(values.get, {}, Path(os.devnull)).site
    except ConfigurationError:
        return None
    return None if site.is_local else site.endpoint


def _decisive_steps(steps: Iterable[Step]) -> dict[str, Step]:
    """Return of each resource the step that counts: a replacement is up to three."""
    ranked = (*CREATES, *UPDATES, *DELETES, *READS)
    found: dict[str, Step] = {}
    for step in steps:
        other = found.get(step.urn)
        if step.op in ranked and (other is None or ranked.index(step.op) < ranked.index(other.op)):
            found[step.urn] = step
    return found


def _with_joined_runs(parts: Iterable[ReviewItem], steps: Mapping[str, Step]) -> list[ReviewItem]:
    """Mark starts that ask for the same as one before them: the service makes them one run."""
    seen: dict[bytes, ResourceRef] = {}
    joined: list[ReviewItem] = []
    for part in parts:
        if isinstance(part, PlannedRun) and part.resource.item is None and part.count == 1:
            declared = steps[part.resource.urn].declared
            start = {name: declared.get(name) for name in (*IDENTITY_FIELDS, "clientToken")}
            known = (
                is_known(start)
                and not contains_marker(start, HIDDEN_SECRET)
                and start["clientToken"]
            )
            first = (
                seen.setdefault(canonical_json(start), part.resource) if known else part.resource
            )
            if first is not part.resource:
                same = f"it has the ClientToken, source and workflow of {first.name}"
                joined.append(replace(part, joins=same, certain=False))
                continue
        joined.append(part)
    return joined
