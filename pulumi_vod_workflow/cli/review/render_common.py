"""The texts of a review, for every form: its headline, and one row for equal runs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from pulumi_vod_workflow.cli.review.model import (
    FreeReason,
    PlannedRun,
    ResourceRef,
    Review,
    SameWork,
)
from pulumi_vod_workflow.cli.review.value_diff import Change
from pulumi_vod_workflow.core.changes import SAME_WORK_WARNING
from pulumi_vod_workflow.core.execution import TERMINAL_PHASES
from pulumi_vod_workflow.core.text import pluralise


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """A run, or the items of a batch that start for the same reason."""

    name: str
    first: PlannedRun
    """The first of the runs; its reason is that of all."""
    items: tuple[str, ...]
    count: int | None
    changes: tuple[tuple[str, Change], ...]
    """(key of the item, change); the key is empty if the change is that of all items."""
    outputs: int | None
    sames: tuple[str, ...]
    """Texts about other runs of the same work."""
    starts: tuple[PlannedRun, ...]
    """All runs of the row."""


def headline(review: Review) -> str:
    """Return the number of runs that would be started, and of paid outputs, as text."""
    certain, at_most = review.certain, review.at_most
    if at_most is None:
        return f"{pluralise(certain, 'run')} or more would be started: how many is not known yet"
    if not at_most:
        return "no run would be started"
    if certain == at_most:
        return f"{pluralise(at_most, 'run')} would be started ({_outputs(review)})"
    runs = f"up to {pluralise(at_most, 'run')} would be started, {certain:,} for certain"
    return f"{runs} ({_outputs(review)})"


def _outputs(review: Review) -> str:
    unknown = review.of_unknown_workflow
    parts = []
    if review.outputs:
        parts.append(pluralise(review.outputs, "paid output"))
    if unknown:
        parts.append(f"{pluralise(unknown, 'run')} of unknown template")
    return ", ".join(parts)


def review_rows(starts: Iterable[PlannedRun]) -> list[ReviewRow]:
    """Return the rows of starts; items of a batch with the same reason share a row."""
    alike: dict[tuple[object, ...], list[PlannedRun]] = {}
    for start in starts:
        kind = start.same and (start.same.lost, start.same.alias)
        same = (start.resource.urn, start.reason, start.unknown, start.certain, start.joins, kind)
        alike.setdefault(same, []).append(start)
    return [review_row(starts) for starts in alike.values()]


def review_row(starts: Sequence[PlannedRun]) -> ReviewRow:
    """Return the row of starts with the same reason."""
    first = starts[0]
    counts = [start.count for start in starts]
    outputs = [start.outputs for start in starts]
    alike = all(start.changes == first.changes for start in starts)
    changed = [first] if alike else starts
    return ReviewRow(
        first.resource.name,
        first,
        tuple(start.resource.item for start in starts if start.resource.item is not None),
        None if None in counts else sum(count for count in counts if count),
        tuple(
            ("" if alike else start.resource.item or "", change)
            for start in changed
            for change in start.changes
        ),
        None if None in outputs else sum(number for number in outputs if number),
        tuple(
            dict.fromkeys(_same_text(start.resource, start.same) for start in starts if start.same)
        ),
        tuple(starts),
    )


def _same_text(resource: ResourceRef, same: SameWork) -> str:
    """Return a text about the other declaration of the work, and how to pay once."""
    item = f"{resource.item}: " if resource.item and not same.alias else ""
    if same.lost is None:
        return f"{item}{SAME_WORK_WARNING}{same.resource.label}"
    if same.alias and resource.item:  # the same for all items of a batch
        whose, found = same.resource.name, ""
    else:
        whose, found = same.resource.label, ", ".join(filter(None, (same.run_id, same.phase)))
    run = f" ({found})" if found else ""
    return f"{item}same work as {whose}{run}, {same.lost.value}; free: {_remedy(resource, same)}"


def _remedy(resource: ResourceRef, same: SameWork) -> str:
    """Return the Python code that keeps the existing run, in backticks."""
    if same.alias:
        declared = f", and {', '.join(same.differs)} as before" if same.differs else ""
        return f"`ResourceOptions(aliases=[{_alias(same.resource, resource)}])`{declared}"
    return f"`existing_run_id={json.dumps(same.run_id)}`" if same.run_id else "`existing_run_id`"


def _alias(old: ResourceRef, new: ResourceRef) -> str:
    """Return the alias as Python code: by name if the rest of the URN is equal."""
    if old.urn.removesuffix(old.name) == new.urn.removesuffix(new.name):
        return f"pulumi.Alias(name={json.dumps(old.name, ensure_ascii=False)})"
    return json.dumps(old.urn, ensure_ascii=False)


def adds_information(row: ReviewRow) -> bool:
    """Return whether the reason has more than the names of the changed properties."""
    changed = {re.split(r"[.\[]", change.path)[0] for _, change in row.changes}
    reason = row.first.reason
    return not (reason.is_properties_alone and changed.issuperset(reason.properties))


def uncertainty_notes(start: PlannedRun) -> Iterator[str]:
    """Yield the reasons why a start is not certain."""
    if start.joins:
        yield f"{start.joins}: free if joined, as it is while that run is unfinished"
    elif not start.certain:
        yield "it may turn out that nothing is started"
    if start.max_failures:
        yield f"the batch stops after {pluralise(start.max_failures, 'failure')}"


FREE_REASON_TEXT: dict[FreeReason, str] = {
    FreeReason.ADOPTED: "adopt an existing run",
    FreeReason.REUSED: "reuse runs that an earlier update started",
    FreeReason.RECORDED: "only recorded",
    FreeReason.WAITS: "wait for runs",
    FreeReason.READ: "looked up",
}


def free_changes_by_reason(review: Review) -> dict[FreeReason, list[tuple[str, str | None, str]]]:
    """Return the free changes, as (name, item, detail), by kind."""
    found: dict[FreeReason, list[tuple[str, str | None, str]]] = {}
    for kind in FreeReason:
        parts = [part for part in review.free if part.reason is kind]
        if parts:
            found[kind] = [(part.resource.name, part.resource.item, part.detail) for part in parts]
    return found


UNFINISHED: Final = "unfinished when last read (they keep running)"
HAVE_ENDED: Final = "ended when last read"
UNREAD: Final = "not cancelled: unfinished runs keep running"


def dropped_runs_by_state(review: Review) -> dict[str, list[str]]:
    """Return the names of the dropped runs, by their state."""
    found: dict[str, list[str]] = {UNFINISHED: [], UNREAD: [], HAVE_ENDED: []}
    for part in review.dropped:
        words = (
            HAVE_ENDED if part.phase in TERMINAL_PHASES else UNFINISHED if part.phase else UNREAD
        )
        found[words].append(part.resource.label)
    return {words: names for words, names in found.items() if names}


def limit_text(review: Review, max_starts: int) -> str:
    """Return the text for more starts than allowed."""
    found = "an unknown number of" if review.at_most is None else f"{review.at_most:,}"
    runs = "run" if review.at_most == 1 else "runs"
    return f"{found} {runs} may be started, more than --max-starts {max_starts:,} allows"
