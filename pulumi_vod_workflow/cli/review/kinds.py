"""The kinds of starts by which a comment groups them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import Final

from pulumi_vod_workflow.cli.review.model import PlannedRun, ReviewCause
from pulumi_vod_workflow.core.start_reason import StartCause


class StartKind(Enum):
    """The kind of a start, in the order of the attention that it needs."""

    RENAMED = "Probably renamed or moved"
    """Its work is that of a run that this update removes or replaces."""
    CHANGED = "Changed"
    """A recorded run has other inputs or triggers."""
    AGAIN = "Started again"
    """A recorded run is replaced without a changed input."""
    UNNAMED = "Not named by the preview"
    """The preview has only a number, or not even that."""
    NEW = "New"
    """Nothing is recorded."""


_CHANGES: Final = {StartCause.CHANGED_INPUTS, StartCause.TRIGGER}
_REPEATS: Final = {StartCause.RERUN, StartCause.REPLACED, StartCause.EMULATED_RUN}
_ENGINE: Final = {ReviewCause.REPLACE_OPTION, ReviewCause.REPLACED_WITH, ReviewCause.ENGINE}
_UNNAMED: Final = {ReviewCause.UNNAMED, ReviewCause.UNKNOWN_ITEMS, ReviewCause.NO_INPUTS}


def start_kind(start: PlannedRun) -> StartKind:
    """Return the kind of a start."""
    causes = {*start.reason.causes, *(start.reason.start.causes if start.reason.start else ())}
    if start.same is not None and start.same.lost is not None:
        return StartKind.RENAMED
    if not causes.isdisjoint(_UNNAMED) or start.count != 1:
        return StartKind.UNNAMED
    if not causes.isdisjoint(_CHANGES):
        return StartKind.CHANGED
    if not causes.isdisjoint(_REPEATS | _ENGINE):
        return StartKind.AGAIN
    # An unknown or secret input decides: with a recorded run it is a change.
    return StartKind.CHANGED if start.replaces or start.recorded else StartKind.NEW


def starts_by_kind(starts: Iterable[PlannedRun]) -> dict[StartKind, list[PlannedRun]]:
    """Return the starts by kind, without kinds that have none."""
    found: dict[StartKind, list[PlannedRun]] = {kind: [] for kind in StartKind}
    for start in starts:
        found[start_kind(start)].append(start)
    return {kind: parts for kind, parts in found.items() if parts}
