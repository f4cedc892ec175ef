"""
A preview -> its review, by the rules of the core.

The engine's steps show which resources the engine creates, replaces or updates. The core's rules
(`plan_change`, `plan_batch`) give the reasons and the items of a batch. The provider's plan
messages count where a step does not have the facts: secret values and the journal.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from pulumi_vod_workflow.cli.pulumi_files.diagnostics import (
    ProviderReport,
    endpoint_lines,
    reports_by_urn,
)
from pulumi_vod_workflow.cli.pulumi_files.preview import (
    CREATES,
    DELETES,
    HIDDEN_SECRET,
    READS,
    UPDATES,
    WITHOUT_START,
    Preview,
    PreviewError,
    Step,
    contains_marker,
)
from pulumi_vod_workflow.cli.review.batch_items import batch_items
from pulumi_vod_workflow.cli.review.model import (
    DroppedRun,
    FreeChange,
    FreeReason,
    PlannedRun,
    Reason,
    ResourceRef,
    Review,
    ReviewCause,
    ReviewItem,
)
from pulumi_vod_workflow.cli.review.run_items import run_items
from pulumi_vod_workflow.cli.review.same_work import with_same_work
from pulumi_vod_workflow.config.settings import load_settings
from pulumi_vod_workflow.core.canonical import canonical_json
from pulumi_vod_workflow.core.changes import IDENTITY_FIELDS
from pulumi_vod_workflow.core.request import SYSTEM_TEMPLATE_NAMES, request_value
from pulumi_vod_workflow.core.resource_types import (
    BATCH_TYPE,
    COMPLETION_TYPE,
    RUN_TYPE,
    is_packaged,
)
from pulumi_vod_workflow.core.values import is_known
from pulumi_vod_workflow.errors import ConfigurationError


def build_review(preview: Preview) -> Review:
    """
    Return the review of this package's resources in a preview.

    Raises:
        PreviewError: when a newer version of the provider or of the engine made the preview.

    """
    service = _service(preview.config)
    parts: list[ReviewItem] = []
    steps = _decisive_steps(preview.steps)
    reports = reports_by_urn(preview, steps)
    for urn, step in steps.items():
        report = reports.get(urn, ProviderReport())
        if not preview.has_inputs:
            parts += _bounds(step)
        elif step.type == RUN_TYPE:
            parts += run_items(step, report, service)
        elif step.type == BATCH_TYPE:
            parts += batch_items(step, report, service)
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
        endpoint_lines(preview),
        starts=tuple(part for part in parts if isinstance(part, PlannedRun)),
        free=tuple(part for part in parts if isinstance(part, FreeChange)),
        dropped=tuple(part for part in parts if isinstance(part, DroppedRun)),
        workflow_names={**SYSTEM_TEMPLATE_NAMES, **dict(_workflow_names(preview.steps))},
    )


def _workflow_names(steps: Iterable[Step]) -> Iterator[tuple[str, str]]:
    """Yield id and name of the workflows of recorded runs."""
    for step in steps:
        template, name = (step.recorded.get(key) for key in ("templateId", "templateName"))
        if isinstance(template, str) and isinstance(name, str) and name.strip():
            yield template, name


NO_INPUTS: Final = Reason(causes=(ReviewCause.NO_INPUTS,))


def _bounds(step: Step) -> Iterator[ReviewItem]:
    """Yield upper bounds for a step without inputs."""
    resource = ResourceRef(step.urn)
    if step.op in DELETES and step.type in (RUN_TYPE, BATCH_TYPE):
        yield DroppedRun(resource, None, None)
    elif step.type == RUN_TYPE and (
        step.op in CREATES  # it may adopt or reuse a run
        # The engine shows a new run as an update while a setting of the provider is unknown.
        or (step.op in UPDATES and is_packaged(step.urn))
    ):
        yield PlannedRun(resource, NO_INPUTS, certain=False)
    elif step.type == RUN_TYPE:
        yield FreeChange(resource, FreeReason.READ if step.op in READS else FreeReason.RECORDED)
    elif step.type == BATCH_TYPE and step.op in (*CREATES, *UPDATES):
        yield PlannedRun(resource, NO_INPUTS, certain=False, count=None)
    elif step.type == COMPLETION_TYPE and step.op in (*CREATES, *UPDATES):
        yield FreeChange(resource, FreeReason.WAITS)


def _service(config: Mapping[str, Any]) -> str | None:
    """Return the endpoint of the real service, if the preview's configuration names it."""
    values = {key: value for key, value in config.items() if isinstance(value, str)}
    try:
        site = load_settings(values.get, {}, Path(os.devnull)).site
    except ConfigurationError:
        return None
    return None if site.is_local else site.endpoint


def _decisive_steps(steps: Iterable[Step]) -> dict[str, Step]:
    """
    Return the decisive step of each resource: a replacement has up to three steps.

    Raises:
        PreviewError: when the engine has an operation that this version does not know.

    """
    ranked = (*CREATES, *UPDATES, *DELETES, *READS)
    found: dict[str, Step] = {}
    for step in steps:
        if step.type in (RUN_TYPE, BATCH_TYPE) and step.op not in (*ranked, *WITHOUT_START):
            raise PreviewError(
                f"This version does not know the operation `{step.op}` of the step on {step.urn}, "
                "so the number of starts is not known. No run was started.\n"
                "hint: Run the review with a newer version of pulumi_vod_workflow."
            )
        other = found.get(step.urn)
        if step.op in ranked and (other is None or ranked.index(step.op) < ranked.index(other.op)):
            found[step.urn] = step
    return found


def _with_joined_runs(parts: Iterable[ReviewItem], steps: Mapping[str, Step]) -> list[ReviewItem]:
    """Mark starts with the ClientToken and the work of another run: the service joins both."""
    seen: dict[bytes, ResourceRef] = {}
    for urn, step in steps.items():
        start = _start_identity(step.recorded) if step.type == RUN_TYPE else None
        if start is not None:
            seen.setdefault(start, ResourceRef(urn))
    joined: list[ReviewItem] = []
    for part in parts:
        # Items need no comparison: a batch derives their tokens from its own name.
        if isinstance(part, PlannedRun) and part.resource.item is None and not part.joins:
            start = _start_identity(part.declared)
            first = part.resource if start is None else seen.setdefault(start, part.resource)
            if first != part.resource:
                same = f"it has the ClientToken, source and workflow of {first.name}"
                joined.append(replace(part, joins=same))
                continue
        joined.append(part)
    return joined


def _start_identity(properties: Mapping[str, Any]) -> bytes | None:
    """Return the values by which the service joins two starts; `None` unless all are visible."""
    start = {name: request_value(properties, name) for name in sorted(IDENTITY_FIELDS)}
    start["clientToken"] = properties.get("clientToken")
    is_visible = is_known(start) and not contains_marker(start, HIDDEN_SECRET)
    return canonical_json(start) if is_visible and start["clientToken"] else None
