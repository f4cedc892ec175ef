"""The content of a review: the runs that would be started, free changes, and dropped runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pulumi_vod_workflow.cli.review.value_diff import Change
from pulumi_vod_workflow.core.durations import SourceDuration
from pulumi_vod_workflow.core.request import SYSTEM_TEMPLATES
from pulumi_vod_workflow.core.start_reason import StartReason, reason_text


class FreeReason(Enum):
    """A change without a cost. The values are part of the review's JSON."""

    ADOPTED = "adopted"
    """The declaration adopts an existing run."""
    REUSED = "taken"
    """The declaration reuses a run that an earlier update has started."""
    RECORDED = "recorded"
    """The change is only recorded."""
    WAITS = "waits"
    """A completion waits for runs."""
    READ = "read"
    """A run is looked up."""


class Uncertainty(Enum):
    """A cause why a start is not certain. The values are part of the review's JSON."""

    JOINS = "joins"
    """The service may answer with an existing run."""
    NOT_KNOWN = "notKnownYet"
    """A value that is not known before the update decides."""
    SECRET = "secret"  # noqa: S105 - a word of the JSON
    """A value that the preview hides decides."""
    NO_INPUTS = "noInputs"
    """The form of the preview has no inputs."""


class ReviewCause(Enum):
    """A cause of a start that only the review knows; in JSON its name in lowerCamelCase."""

    REPLACE_OPTION = "the command replaces it (--replace)"
    REPLACED_WITH = "it is replaced with another resource (replace_with)"
    ENGINE = "the engine replaces it (a replacement trigger, a taint, or what it depends on)"
    SECRET = "a secret input"  # noqa: S105 - a text
    UNNAMED = "items that the preview does not name"
    UNKNOWN_ITEMS = "its items are not known yet"
    NO_INPUTS = "`--output json` has no causes and no numbers; `--json` has both"


@dataclass(frozen=True, slots=True)
class Reason:
    """The reason of a start: the provider's rules, the engine, or the limits of the preview."""

    start: StartReason | None = None
    causes: tuple[ReviewCause, ...] = ()

    @property
    def text(self) -> str:
        """The reason for people."""
        texts = [reason_text(self.start)] if self.start else []
        return "; ".join([*texts, *(cause.value for cause in self.causes)])

    @property
    def properties(self) -> tuple[str, ...]:
        """Names of the properties that cause the start."""
        return self.start.properties if self.start else ()

    @property
    def is_properties_alone(self) -> bool:
        """Whether the names of the properties are the whole reason."""
        return bool(self.properties) and not self.causes and not self.may_be_sent_before

    @property
    def may_be_sent_before(self) -> bool:
        """Whether the same start was sent before without an answer."""
        return self.start is not None and self.start.may_be_sent_before


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
    """The change that removes a run from its resource or item."""

    REMOVED = "which this update removes"
    REPLACED = "which this update starts another run for"


@dataclass(frozen=True, slots=True)
class SameWork:
    """Another declaration of the same source, workflow and input."""

    resource: ResourceRef
    lost: LostRun | None = None
    """The change that removes its run; `None` if its run stays, so that both are paid."""
    run_id: str | None = None
    phase: str | None = None
    """As last read."""
    alias: bool = False
    """Whether an alias keeps that run, because the whole resource has another name now."""
    differs: tuple[str, ...] = ()
    """Properties that start a new run with the alias, too."""


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A run that would be started, or a number of items that the preview does not distinguish."""

    resource: ResourceRef
    reason: Reason
    changes: tuple[Change, ...] = ()
    unknown: tuple[str, ...] = ()
    """Paths of inputs that are not known yet."""
    certain: bool = True
    """Whether the run starts in any case; otherwise `count` is an upper bound. See `joins`."""
    joins: str = ""
    """
    Reason why the service may answer with an existing run, free; empty if it will not.

    A start with such a reason is never certain: the service joins a run while it is unfinished.
    """
    client_token: Any = None
    """The ClientToken of the start; may be `UNKNOWN` or `HIDDEN_SECRET`. `None` for many items."""
    vid: Any = None
    """The declared video; may be `UNKNOWN` or `HIDDEN_SECRET`."""
    direct_url: Any = None
    """The declared file; may contain `UNKNOWN` or `HIDDEN_SECRET`."""
    template: Any = None
    """The workflow's id; may be `UNKNOWN` or `HIDDEN_SECRET`."""
    low_priority: Any = None
    """The declared `enableLowPriority`; may be `UNKNOWN` or `HIDDEN_SECRET`."""
    replaces: str | None = None
    """The run that it replaces in the state, which is not cancelled."""
    count: int | None = 1
    """The number of runs; `None` if it is not known yet."""
    duration: SourceDuration | None = None
    """The duration of the source; `None` if the preview does not have it."""
    max_failures: int | None = None
    """The number of failures after which the batch sends no more starts."""
    warnings: tuple[str, ...] = ()
    declared: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The inputs; may contain `HIDDEN_SECRET` and `UNKNOWN`."""
    recorded: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The recorded values of the run that it replaces."""
    same: SameWork | None = None

    def __post_init__(self) -> None:
        if self.joins:
            object.__setattr__(self, "certain", False)

    @property
    def uncertainty(self) -> tuple[Uncertainty, ...]:
        """The causes why the start is not certain; empty if it is."""
        if self.certain:
            return ()
        start, causes = self.reason.start, self.reason.causes
        is_unknown = self.unknown or ReviewCause.UNKNOWN_ITEMS in causes
        found = {
            Uncertainty.JOINS: self.joins,
            Uncertainty.NO_INPUTS: ReviewCause.NO_INPUTS in causes,
            Uncertainty.NOT_KNOWN: is_unknown or (start is not None and start.is_unknown),
            Uncertainty.SECRET: ReviewCause.SECRET in causes,
        }
        # The rest depends on an unknown setting of the provider.
        return tuple(cause for cause, holds in found.items() if holds) or (Uncertainty.NOT_KNOWN,)

    @property
    def outputs(self) -> int | None:
        """The maximum number of paid outputs; `None` if the workflow is not known offline."""
        each = SYSTEM_TEMPLATES.get(self.template) if isinstance(self.template, str) else None
        return None if each is None or self.count is None else each * self.count


@dataclass(frozen=True, slots=True)
class FreeChange:
    """A change of a resource, or an item; free."""

    resource: ResourceRef
    reason: FreeReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class DroppedRun:
    """A run that is no longer declared. It is not cancelled, and nothing is started."""

    resource: ResourceRef
    run_id: str | None
    phase: str | None
    """As last read."""
    recorded: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The inputs of its start."""


ReviewItem = PlannedRun | FreeChange | DroppedRun


@dataclass(frozen=True, slots=True)
class Review:
    """The content of a preview about the package's resources."""

    project: str
    stack: str
    endpoint: tuple[str, ...]
    """The provider's lines about the endpoint of new runs, and whether they are paid."""
    starts: tuple[PlannedRun, ...]
    free: tuple[FreeChange, ...]
    dropped: tuple[DroppedRun, ...]
    workflow_names: Mapping[str, str] = field(default_factory=dict)
    """Id of a workflow -> its name, of workflows whose names are known offline."""

    @property
    def certain(self) -> int:
        """The number of runs that start in any case."""
        return sum(start.count or 0 for start in self.starts if start.certain)

    @property
    def at_most(self) -> int | None:
        """The maximum number of runs; `None` while it is not known."""
        counts = [start.count for start in self.starts]
        return None if None in counts else sum(count for count in counts if count)

    @property
    def outputs(self) -> int:
        """The maximum number of paid outputs, of runs whose workflows are known offline."""
        return sum(start.outputs or 0 for start in self.starts)

    @property
    def of_unknown_workflow(self) -> int:
        """The number of runs of other workflows, as far as it is known."""
        return sum(start.count or 0 for start in self.starts if start.outputs is None)

    def exceeds(self, max_starts: int | None) -> bool:
        """Return whether more runs may start; an unknown number is more."""
        if max_starts is None:
            return False
        return self.at_most is None or self.at_most > max_starts
