"""
The reason of a start, as data and as text.

Decisions compare the data. `reason_text` is the only place that renders a reason, so a change of
its words decides nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from pulumi_vod_workflow.core.changes import EFFECTS, Effect
from pulumi_vod_workflow.core.values import is_known


class StartCause(Enum):
    """A cause of a start. The values are part of the plan message."""

    NEW = "new"
    """Nothing is recorded: no run, and no earlier start."""
    REJECTED = "rejected"
    """The last start of the item was rejected, so the item has no run."""
    NOT_SENT = "notSent"
    """The last update did not send the start, because of `maxFailures`."""
    UNKNOWN_OUTCOME = "unknownOutcome"
    """The same start was sent before without an answer."""
    UNKNOWN_INPUTS = "unknownInputs"
    """Inputs that are not known yet decide whether the start is needed."""
    CHANGED_INPUTS = "changedInputs"
    """The service would receive other inputs than for the recorded run."""
    TRIGGER = "trigger"
    """A trigger was added, or has another value."""
    EMULATED_RUN = "emulatedRun"
    """The recorded run is emulated, and runs now start at the service."""
    RERUN = "rerun"
    """The recorded run did not succeed, and `rerunOn` or `rerunOnFailure` starts it again."""
    REPLACED = "replaced"
    """The engine replaces the resource, for example with `--replace`."""
    OTHER = "other"
    """A cause that a newer provider reports."""

    @classmethod
    def _missing_(cls, value: object) -> StartCause | None:
        return cls.OTHER if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class StartReason:
    """The reason of one start."""

    causes: tuple[StartCause, ...]
    properties: tuple[str, ...] = ()
    """The properties that cause the start."""
    unknown: tuple[str, ...] = ()
    """Those properties whose values are not known yet."""
    status: str | None = None
    """The recorded run's status, or `expired`, for `RERUN`."""

    @property
    def may_be_sent_before(self) -> bool:
        """Whether the same start was sent before without an answer: the service may join it."""
        return StartCause.UNKNOWN_OUTCOME in self.causes

    @property
    def is_unknown(self) -> bool:
        """Whether an unknown input is part of the reason."""
        return bool(self.unknown) or StartCause.UNKNOWN_INPUTS in self.causes

    def sent_before(self) -> StartReason:
        """Return the reason with `UNKNOWN_OUTCOME`, once."""
        if self.may_be_sent_before:
            return self
        return replace(self, causes=(*self.causes, StartCause.UNKNOWN_OUTCOME))


NEW: Final = StartReason((StartCause.NEW,))
REJECTED: Final = StartReason((StartCause.REJECTED,))
NOT_SENT: Final = StartReason((StartCause.NOT_SENT,))
SENT_BEFORE: Final = StartReason((StartCause.UNKNOWN_OUTCOME,))
REPLACED: Final = StartReason((StartCause.REPLACED,))
UNKNOWN_ITEM: Final = StartReason((StartCause.UNKNOWN_INPUTS,))
UNKNOWN_ADOPTION: Final = StartReason(
    (StartCause.UNKNOWN_INPUTS,), ("existingRunId",), ("existingRunId",)
)

_CAUSE_BY_EFFECT: Final[Mapping[Effect, StartCause]] = {
    Effect.TRIGGER: StartCause.TRIGGER,
    Effect.RERUN: StartCause.RERUN,
}


def restart_reason(
    causing: Collection[str], run: Mapping[str, Any], declared: Mapping[str, Any]
) -> StartReason:
    """
    Return the reason of a start that replaces a recorded run.

    Args:
        causing: the properties that cause it, as `plan_change` returns them.
        run: the recorded run.
        declared: the checked inputs.

    """
    causes = dict.fromkeys(map(_cause_of, causing))
    status = "expired" if run.get("phase") == "expired" else run.get("status")
    return StartReason(
        tuple(causes),
        tuple(causing),
        tuple(name for name in causing if not is_known(declared.get(name))),
        str(status) if status is not None and StartCause.RERUN in causes else None,
    )


def _cause_of(name: str) -> StartCause:
    if name == "emulated":
        return StartCause.EMULATED_RUN
    return _CAUSE_BY_EFFECT.get(EFFECTS[name], StartCause.CHANGED_INPUTS)


# -- text --------------------------------------------------------------------------------------

EMULATED_RUN_TEXT: Final = "its run is an emulated one"
SENT_BEFORE_TEXT: Final = (
    "may have been started before: found again, or paid again if that run has ended"
)
_TEXTS: Final[Mapping[StartCause, str]] = {
    StartCause.NEW: "new",
    StartCause.REJECTED: "not started before",
    StartCause.NOT_SENT: "not sent before",
    StartCause.REPLACED: "the engine replaces it",
    StartCause.OTHER: "for a cause that this version does not know",
}


def reason_text(reason: StartReason) -> str:
    """Return a reason as text for people."""
    return "; ".join(_texts(reason))


def _texts(reason: StartReason) -> Iterator[str]:
    yield from (_TEXTS[cause] for cause in reason.causes if cause in _TEXTS)
    if reason.properties:
        yield ", ".join(_property_texts(reason.properties, reason))
    elif StartCause.UNKNOWN_INPUTS in reason.causes:
        yield "not known yet"
    if reason.may_be_sent_before:
        yield SENT_BEFORE_TEXT


def _property_texts(names: Iterable[str], reason: StartReason) -> Iterator[str]:
    for name in names:
        if name in reason.unknown:
            yield f"{name} (not known yet)"
        elif name == "emulated":
            yield EMULATED_RUN_TEXT
        elif EFFECTS[name] is Effect.RERUN:
            yield f"{name} after {reason.status}"
        else:
            yield name
