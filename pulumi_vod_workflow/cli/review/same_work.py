"""Starts that repeat the work of another run, after a rename or by a second declaration."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pulumi_vod_workflow.cli.pulumi_files.preview import (
    CREATES,
    DELETES,
    HIDDEN_SECRET,
    UPDATES,
    Step,
    contains_marker,
)
from pulumi_vod_workflow.cli.review.batch_items import items_declared
from pulumi_vod_workflow.cli.review.model import (
    DroppedRun,
    LostRun,
    PlannedRun,
    ResourceRef,
    ReviewItem,
    SameWork,
)
from pulumi_vod_workflow.core.changes import (
    IDENTITY_FIELDS,
    SAME_WORK_WARNING,
    changed_start_fields,
    has_new_triggers,
    work_digest,
)
from pulumi_vod_workflow.core.resource_types import BATCH_TYPE, RUN_TYPE
from pulumi_vod_workflow.core.values import Properties, normalise


def with_same_work(parts: Sequence[ReviewItem], steps: Mapping[str, Step]) -> list[ReviewItem]:
    """Mark the starts whose source, workflow and input are those of another run."""
    lost = _lost_runs(parts)
    declared = _declared(steps)
    starting = {part.resource for part in parts if isinstance(part, PlannedRun)}
    marked: list[ReviewItem] = []
    for part in parts:
        work = _work(part.declared) if isinstance(part, PlannedRun) and not part.joins else None
        if not isinstance(part, PlannedRun) or work is None:
            marked.append(part)
            continue
        same = _take(lost[work], part, steps) or _twin(declared[work], part.resource, starting)
        marked.append(replace(part, same=same, warnings=_warnings(part, same)))
    return marked


def _warnings(start: PlannedRun, same: SameWork | None) -> tuple[str, ...]:
    """Return a start's warnings, without those that the review itself shows as the same work."""
    # The provider also compares with unchanged runs, which most previews leave out.
    if same is None and start.resource.item is None:
        return start.warnings
    return tuple(text for text in start.warnings if not text.startswith(SAME_WORK_WARNING))


def _work(inputs: Properties) -> bytes | None:
    hidden = any(contains_marker(inputs.get(name), HIDDEN_SECRET) for name in IDENTITY_FIELDS)
    return None if hidden else work_digest(inputs)


def _lost_runs(
    parts: Sequence[ReviewItem],
) -> defaultdict[bytes, list[tuple[SameWork, Properties]]]:
    """Return work -> the runs that are removed or replaced, with the inputs of their starts."""
    found: defaultdict[bytes, list[tuple[SameWork, Properties]]] = defaultdict(list)
    for part in parts:
        if isinstance(part, DroppedRun):
            same = SameWork(part.resource, LostRun.REMOVED, part.run_id, part.phase)
        elif isinstance(part, PlannedRun) and part.recorded and part.certain:
            phase = part.recorded.get("phase")
            known = phase if isinstance(phase, str) else None
            same = SameWork(part.resource, LostRun.REPLACED, part.replaces, known)
        else:
            continue
        work = _work(part.recorded)
        if work is not None:
            found[work].append((same, part.recorded))
    return found


def _take(
    lost: list[tuple[SameWork, Properties]], start: PlannedRun, steps: Mapping[str, Step]
) -> SameWork | None:
    """Remove and return the run that the start repeats, a run with the same key first."""
    others = [found for found in lost if found[0].resource != start.resource]
    if not others or len(others) < len(lost):  # the start replaces its own run
        return None
    found = min(others, key=lambda item: item[0].resource.item != start.resource.item)
    lost.remove(found)
    same, recorded = found
    return replace(
        same,
        alias=_is_renamed(same, start.resource, steps),
        differs=tuple(_differing(recorded, start.declared)),
    )


def _is_renamed(same: SameWork, resource: ResourceRef, steps: Mapping[str, Step]) -> bool:
    """Return whether a removed resource is now declared under another URN."""
    old, new = steps[same.resource.urn], steps[resource.urn]
    return (
        same.resource.item == resource.item
        and old.op in DELETES
        and new.op in CREATES
        and old.type == new.type
        and new.old_state is None
    )


def _differing(recorded: Properties, declared: Properties) -> Iterator[str]:
    """Yield the properties that start a new run although the work is the same."""
    old, new = normalise(recorded), normalise(declared)
    yield from changed_start_fields(old, new)
    if has_new_triggers(old, new):
        yield "triggers"


def _declared(steps: Mapping[str, Step]) -> defaultdict[bytes, list[ResourceRef]]:
    """Return work -> its declarations in the steps."""
    found: defaultdict[bytes, list[ResourceRef]] = defaultdict(list)
    for urn, step in sorted(steps.items()):
        if step.op not in (*CREATES, *UPDATES):
            continue
        inputs: dict[ResourceRef, Properties] = {}
        if step.type == RUN_TYPE:
            inputs = {ResourceRef(urn): normalise(step.declared)}
        elif step.type == BATCH_TYPE:
            inputs = {ResourceRef(urn, key): item for key, item in items_declared(step).items()}
        for resource, declared in inputs.items():
            work = _work(declared)
            if work is not None:
                found[work].append(resource)
    return found


def _twin(
    declared: Sequence[ResourceRef], resource: ResourceRef, starting: set[ResourceRef]
) -> SameWork | None:
    """Return another declaration of the work: one with a run, or the first that starts."""
    kept = [other for other in declared if other not in starting]
    first = (kept or declared or [resource])[0]
    return None if first == resource else SameWork(first)
