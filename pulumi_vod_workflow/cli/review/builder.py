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
    HIDDEN,
    READS,
    UPDATES,
    Preview,
    Step,
    holds,
)
from pulumi_vod_workflow.cli.pulumi_files.provider_messages import Told, told_in, told_of_all
from pulumi_vod_workflow.cli.pulumi_files.stack_export import BATCH_TYPE, COMPLETION_TYPE, RUN_TYPE
from pulumi_vod_workflow.cli.review.batch_items import batch_parts
from pulumi_vod_workflow.cli.review.model import Forgotten, Free, FreeOf, Part, Promise, Start, Who
from pulumi_vod_workflow.cli.review.run_items import run_parts
from pulumi_vod_workflow.cli.review.same_work import with_same_work
from pulumi_vod_workflow.config.settings import load_settings
from pulumi_vod_workflow.core.canonical import canonical_json
from pulumi_vod_workflow.core.changes import IDENTITY
from pulumi_vod_workflow.core.values import is_known
from pulumi_vod_workflow.errors import ConfigurationError


def promise_of(preview: Preview) -> Promise:
    """Return what a preview promises of this package's resources; others are left out."""
    told, service = told_in(preview.diagnostics), _service(preview.config)
    parts: list[Part] = []
    steps = _decisive(preview.steps)
    for urn, step in steps.items():
        said = told.get(urn, Told())
        if not preview.has_inputs:
            parts += _bounds(step)
        elif step.type == RUN_TYPE:
            parts += run_parts(step, said, service)
        elif step.type == BATCH_TYPE:
            parts += batch_parts(step, said, service)
        elif step.type == COMPLETION_TYPE and step.op in (*CREATES, *UPDATES):
            runs = step.declared.get("runs")
            counted = f"{len(runs):,}" if isinstance(runs, Mapping) else "runs not known yet"
            parts.append(FreeOf(Who(urn), Free.WAITS, counted))
    # The engine's order is that of a program whose parts run side by side.
    parts.sort(key=lambda part: (part.who.name, part.who.urn, part.who.item or ""))
    parts = with_same_work(_with_joins(parts, steps), steps)
    project, stack = preview.stack
    return Promise(
        project,
        stack,
        told_of_all(preview.diagnostics),
        starts=tuple(part for part in parts if isinstance(part, Start)),
        free=tuple(part for part in parts if isinstance(part, FreeOf)),
        forgotten=tuple(part for part in parts if isinstance(part, Forgotten)),
    )


UNTOLD: Final = "`--output json` does not say why, or how many: `--json` does"


def _bounds(step: Step) -> Iterator[Part]:
    """Yield what a step may start at most, by what the engine does alone."""
    who = Who(step.urn)
    if step.op in DELETES and step.type in (RUN_TYPE, BATCH_TYPE):
        yield Forgotten(who, None, None)
    elif step.type == RUN_TYPE and step.op in CREATES:  # that may adopt a run, or take one over
        yield Start(who, UNTOLD, certain=False)
    elif step.type == RUN_TYPE:
        yield FreeOf(who, Free.READ if step.op in READS else Free.RECORDED)
    elif step.type == BATCH_TYPE and step.op in (*CREATES, *UPDATES):
        yield Start(who, UNTOLD, certain=False, count=None)
    elif step.type == COMPLETION_TYPE and step.op in (*CREATES, *UPDATES):
        yield FreeOf(who, Free.WAITS)


def _service(config: Mapping[str, Any]) -> str | None:
    """Return the endpoint of the real service, if that is configured: see `VodProvider`."""
    values = {key: value for key, value in config.items() if isinstance(value, str)}
    try:
        site = load_settings(values.get, {}, Path(os.devnull)).site
    except ConfigurationError:
        return None
    return None if site.may_be_emulator else site.endpoint


def _decisive(steps: Iterable[Step]) -> dict[str, Step]:
    """Return of each resource the step that counts: a replacement is up to three."""
    ranked = (*CREATES, *UPDATES, *DELETES, *READS)
    found: dict[str, Step] = {}
    for step in steps:
        other = found.get(step.urn)
        if step.op in ranked and (other is None or ranked.index(step.op) < ranked.index(other.op)):
            found[step.urn] = step
    return found


def _with_joins(parts: Iterable[Part], steps: Mapping[str, Step]) -> list[Part]:
    """Mark starts that ask for the same as one before them: the service makes them one run."""
    seen: dict[bytes, Who] = {}
    joined: list[Part] = []
    for part in parts:
        if isinstance(part, Start) and part.who.item is None and part.count == 1:
            declared = steps[part.who.urn].declared
            start = {name: declared.get(name) for name in (*IDENTITY, "clientToken")}
            known = is_known(start) and not holds(start, HIDDEN) and start["clientToken"]
            first = seen.setdefault(canonical_json(start), part.who) if known else part.who
            if first is not part.who:
                same = f"it has the ClientToken, source and workflow of {first.name}"
                joined.append(replace(part, joins=same, certain=False))
                continue
        joined.append(part)
    return joined
