"""
What a changed declaration costs: recorded state x new inputs -> a new run, or nothing.

Its laws:
  - only a field that is sent to the service, or an added or changed trigger, asks for a new run;
  - a declaration that names an existing run never starts one;
  - what is unknown at preview may differ, so it is shown as what it may cost;
  - an emulated run is not a real one: on the service it is still to be started.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from pulumi_vod_workflow.core.canonical import canonical_json
from pulumi_vod_workflow.core.execution import may_succeed_if_repeated
from pulumi_vod_workflow.core.inputs import (
    RUN_FIELDS,
    START_FIELDS,
    UNKNOWN,
    is_known,
    normalise,
    start_of,
)


class Effect(Enum):
    """What a change of a field does."""

    NEW_RUN = "a new, paid run"
    TRIGGER = "a new, paid run if a value is added or changed, nothing if one is removed"
    IDENTITY = "a new, paid run, unless the run was adopted"
    ADOPTION = "another run is adopted; nothing is started"
    FREE = "recorded; nothing is started"


EFFECTS: Final[Mapping[str, Effect]] = {
    **dict.fromkeys(START_FIELDS, Effect.NEW_RUN),
    "clientToken": Effect.IDENTITY,
    "triggers": Effect.TRIGGER,
    "existingRunId": Effect.ADOPTION,
    "rerunOnFailure": Effect.FREE,
    "scope": Effect.FREE,
    "secretInputs": Effect.FREE,
}


@dataclass(frozen=True, slots=True)
class ChangePlan:
    """What a change asks for: each tuple names the properties that ask."""

    new_run: tuple[str, ...] = ()
    """Replaced by a new run, which is paid."""
    adopt: tuple[str, ...] = ()
    """Replaced by an existing run, which is free."""
    free: tuple[str, ...] = ()
    """Recorded in place, which is free."""


def _differ(old: object, new: object) -> bool:
    return not is_known(new) or canonical_json(old) != canonical_json(new)


def changed_start_fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the fields of which the service would be told something else."""
    old_start, new_start = start_of(old), start_of(new)
    return tuple(key for key in START_FIELDS if _differ(old_start.get(key), new_start.get(key)))


def has_new_triggers(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Tell whether a trigger was added or its value changed; a removed one asks for nothing."""
    before, after = old.get("triggers") or {}, new.get("triggers") or {}
    if after is UNKNOWN:
        return True
    return any(key not in before or _differ(before[key], after[key]) for key in after)


def keeps_token(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """
    Tell whether the recorded token stays: the same start, whoever declares it now.

    So renaming a stack, project or resource, or upgrading this library, costs nothing.
    """
    return not changed_start_fields(old, new) and not has_new_triggers(old, new)


def plan_change(
    recorded: Mapping[str, Any], declared: Mapping[str, Any], *, on_service: bool
) -> ChangePlan:
    """
    Compare a run's recorded state with its new declaration, offline.

    `on_service` says that the configuration now names the real service.
    """
    recorded, declared = normalise(recorded), normalise(declared)
    leaves_emulator = on_service and recorded.get("emulated") is True
    adopted = declared.get("existingRunId")
    if adopted is not None:
        if leaves_emulator or adopted != recorded.get("runId"):
            return ChangePlan(adopt=("existingRunId",))
        return ChangePlan(free=_free_changes(recorded, declared))

    new_run = [*changed_start_fields(recorded, declared)]
    was_adopted = "existingRunId" in recorded
    if was_adopted:  # somebody else started it: what is not declared here asks for nothing
        new_run = [key for key in new_run if key in declared]
    if has_new_triggers(recorded, declared):
        new_run.append("triggers")
    # Nor does its token, which was not ours: ceasing to name an adopted run starts nothing.
    if not (new_run or was_adopted) and _differ(
        recorded.get("clientToken"), declared.get("clientToken")
    ):
        new_run.append("clientToken")
    if leaves_emulator:
        new_run.append("emulated")
    if declared.get("rerunOnFailure") is True and may_succeed_if_repeated(recorded):
        new_run.append("status")
    if new_run:
        return ChangePlan(new_run=tuple(new_run))
    return ChangePlan(free=_free_changes(recorded, declared))


def _free_changes(recorded: Mapping[str, Any], declared: Mapping[str, Any]) -> tuple[str, ...]:
    """Name what is to be recorded anew; a start field left undeclared keeps what was read."""
    return tuple(
        key
        for key in RUN_FIELDS
        if (key in declared or EFFECTS[key] is not Effect.NEW_RUN)
        and _differ(recorded.get(key), declared.get(key))
    )
