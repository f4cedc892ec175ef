"""Which starts do again what another run does: after a rename, or because it is declared twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pulumi_vod_workflow.cli.pulumi_files.preview import (
    CREATES,
    DELETES,
    HIDDEN,
    UPDATES,
    Step,
    holds,
)
from pulumi_vod_workflow.cli.pulumi_files.stack_export import BATCH_TYPE, RUN_TYPE
from pulumi_vod_workflow.cli.review.batch_items import items_declared
from pulumi_vod_workflow.cli.review.model import Forgotten, Lost, Part, Same, Start, Who
from pulumi_vod_workflow.core.changes import (
    IDENTITY,
    SAME_WORK,
    changed_start_fields,
    has_new_triggers,
    work_of,
)
from pulumi_vod_workflow.core.values import normalise

Properties = Mapping[str, Any]


def with_same_work(parts: Sequence[Part], steps: Mapping[str, Step]) -> list[Part]:
    """Mark the starts whose source, workflow and input are those of another run."""
    lost = _lost_runs(parts)
    declared = _declared(steps)
    starting = {part.who for part in parts if isinstance(part, Start)}
    marked: list[Part] = []
    for part in parts:
        work = _work(part.declared) if isinstance(part, Start) and not part.joins else None
        if not isinstance(part, Start) or work is None:
            marked.append(part)
            continue
        same = _take(lost[work], part, steps) or _twin(declared[work], part.who, starting)
        marked.append(replace(part, same=same, warnings=_warnings(part, same)))
    return marked


def _warnings(start: Start, same: Same | None) -> tuple[str, ...]:
    """Return a start's warnings, without what the review itself says of the same work."""
    # The provider also compares with runs that stay as they are; most previews leave these out.
    if same is None and start.who.item is None:
        return start.warnings
    return tuple(text for text in start.warnings if not text.startswith(SAME_WORK))


def _work(inputs: Properties) -> bytes | None:
    hidden = any(holds(inputs.get(name), HIDDEN) for name in IDENTITY)
    return None if hidden else work_of(inputs)


def _lost_runs(parts: Sequence[Part]) -> defaultdict[bytes, list[tuple[Same, Properties]]]:
    """Return work -> the runs that lose their place, with what they were started with."""
    found: defaultdict[bytes, list[tuple[Same, Properties]]] = defaultdict(list)
    for part in parts:
        if isinstance(part, Forgotten):
            same = Same(part.who, Lost.REMOVED, part.run_id, part.phase)
        elif isinstance(part, Start) and part.recorded and part.certain:
            phase = part.recorded.get("phase")
            known = phase if isinstance(phase, str) else None
            same = Same(part.who, Lost.REPLACED, part.replaces, known)
        else:
            continue
        work = _work(part.recorded)
        if work is not None:
            found[work].append((same, part.recorded))
    return found


def _take(
    lost: list[tuple[Same, Properties]], start: Start, steps: Mapping[str, Step]
) -> Same | None:
    """Take out of those the run that the start does again, one with its own key first."""
    others = [found for found in lost if found[0].who != start.who]
    if not others or len(others) < len(lost):  # a run that is started anew for its own sake
        return None
    found = min(others, key=lambda item: item[0].who.item != start.who.item)
    lost.remove(found)
    same, recorded = found
    return replace(
        same,
        alias=_is_renamed(same, start.who, steps),
        differs=tuple(_differing(recorded, start.declared)),
    )


def _is_renamed(same: Same, who: Who, steps: Mapping[str, Step]) -> bool:
    """Tell whether a resource that is removed as a whole is now declared under another URN."""
    old, new = steps[same.who.urn], steps[who.urn]
    return (
        same.who.item == who.item
        and old.op in DELETES
        and new.op in CREATES
        and old.type == new.type
        and new.old_state is None
    )


def _differing(recorded: Properties, declared: Properties) -> Iterator[str]:
    """Name what would ask for a new run although the work is the same."""
    old, new = normalise(recorded), normalise(declared)
    yield from changed_start_fields(old, new)
    if has_new_triggers(old, new):
        yield "triggers"


def _declared(steps: Mapping[str, Step]) -> defaultdict[bytes, list[Who]]:
    """Return work -> who declares it, as far as the steps tell."""
    found: defaultdict[bytes, list[Who]] = defaultdict(list)
    for urn, step in sorted(steps.items()):
        if step.op not in (*CREATES, *UPDATES):
            continue
        inputs: dict[Who, Properties] = {}
        if step.type == RUN_TYPE:
            inputs = {Who(urn): normalise(step.declared)}
        elif step.type == BATCH_TYPE:
            inputs = {Who(urn, key): item for key, item in items_declared(step).items()}
        for who, declared in inputs.items():
            work = _work(declared)
            if work is not None:
                found[work].append(who)
    return found


def _twin(declared: Sequence[Who], who: Who, starting: set[Who]) -> Same | None:
    """Return who else declares the work: who has a run of it already, or the first that starts."""
    kept = [other for other in declared if other not in starting]
    first = (kept or declared or [who])[0]
    return None if first == who else Same(first)
