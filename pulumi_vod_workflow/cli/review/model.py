"""What a preview promises: the runs that would be started, those that are free or forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pulumi_vod_workflow.cli.review.value_diff import Change
from pulumi_vod_workflow.core.request import SYSTEM_TEMPLATES


class FreeReason(Enum):
    """What costs nothing."""

    ADOPTED = "adopts a run"
    REUSED = "takes a run over that an earlier update has started"
    RECORDED = "is only recorded"
    WAITS = "waits for runs"
    READ = "is looked up"


@dataclass(frozen=True, slots=True)
class ResourceRef:
    """A resource, or an item of a batch."""

    urn: str
    item: str | None = None

    @property
    def name(self) -> str:
        """The resource's name in the program."""
        return self.urn.split("::", 3)[-1]

    @property
    def label(self) -> str:
        """The same with the item's key, if it is an item."""
        return f"{self.name}.{self.item}" if self.item else self.name


class LostRun(Enum):
    """Why a resource or an item no longer stands for a run."""

    REMOVED = "which this update removes"
    REPLACED = "which this update starts another run for"


@dataclass(frozen=True, slots=True)
class SameWork:
    """Who else stands, or stood, for a run of the same source, workflow and input."""

    resource: ResourceRef
    lost: LostRun | None = None
    """Why it has no use for its run any more; `None` if it has, so that both are paid."""
    run_id: str | None = None
    phase: str | None = None
    """As last read."""
    alias: bool = False
    """Whether an alias keeps that run, as the whole resource has another name now."""
    differs: tuple[str, ...] = ()
    """What else asks for a new run all the same."""


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A run that would be started, or more of them that cannot be told apart."""

    resource: ResourceRef
    reason: str
    """In core's words: `new`, the properties that ask for it, or what else does."""
    changes: tuple[Change, ...] = ()
    unknown: tuple[str, ...] = ()
    """Paths of inputs that are not known yet."""
    certain: bool = True
    """Whether it is started whatever turns out; else this is an upper bound."""
    joins: str = ""
    """Why the service may answer with a run that there is, which is free; empty if it will not."""
    template: Any = None
    """The workflow's id; may be `UNKNOWN` or `HIDDEN`."""
    replaces: str | None = None
    """The run that it takes the place of in the state; that one is not cancelled."""
    count: int | None = 1
    """How many runs; `None` if that is not known yet."""
    warnings: tuple[str, ...] = ()
    declared: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The inputs; `HIDDEN` and `UNKNOWN` stand in them."""
    recorded: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What is known of the run that it takes the place of."""
    same: SameWork | None = None

    @property
    def outputs(self) -> int | None:
        """How many outputs are paid, at most; `None` if the workflow is not known here."""
        each = SYSTEM_TEMPLATES.get(self.template) if isinstance(self.template, str) else None
        return None if each is None or self.count is None else each * self.count


@dataclass(frozen=True, slots=True)
class FreeChange:
    """What happens to a resource, or an item, and costs nothing."""

    resource: ResourceRef
    reason: FreeReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class DroppedRun:
    """A run that is no longer declared: it is not cancelled, and nothing is started."""

    resource: ResourceRef
    run_id: str | None
    phase: str | None
    """As last read."""
    recorded: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What it was started with."""


ReviewItem = PlannedRun | FreeChange | DroppedRun


@dataclass(frozen=True, slots=True)
class Review:
    """All that a preview says of our resources."""

    project: str
    stack: str
    endpoint: tuple[str, ...]
    """Where runs are started, and whether that is paid, in the provider's words."""
    starts: tuple[PlannedRun, ...]
    free: tuple[FreeChange, ...]
    dropped: tuple[DroppedRun, ...]

    @property
    def certain(self) -> int:
        """How many runs would be started whatever turns out."""
        return sum(start.count or 0 for start in self.starts if start.certain)

    @property
    def at_most(self) -> int | None:
        """How many runs would be started at most; `None` while that is not known."""
        counts = [start.count for start in self.starts]
        return None if None in counts else sum(count for count in counts if count)

    @property
    def outputs(self) -> int:
        """How many outputs would be paid at most, of the runs whose workflows are known here."""
        return sum(start.outputs or 0 for start in self.starts)

    @property
    def of_unknown_workflow(self) -> int:
        """How many of the runs are of other workflows, as far as they can be counted."""
        return sum(start.count or 0 for start in self.starts if start.outputs is None)

    def exceeds(self, max_starts: int | None) -> bool:
        """Tell whether there may be more starts than that; an unknown number is more."""
        if max_starts is None:
            return False
        return self.at_most is None or self.at_most > max_starts
