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
from pulumi_vod_workflow.core.execution import agrees, contradictions, may_succeed_if_repeated
from pulumi_vod_workflow.core.inputs import (
    RUN_FIELDS,
    START_FIELDS,
    UNKNOWN,
    is_known,
    normalise,
    start_of,
)
from pulumi_vod_workflow.errors import AdoptionError

IDENTITY: Final = frozenset({"vid", "directUrl", "templateId", "input"})
"""What makes two starts with one ClientToken the same start for the service (facts 4)."""


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


def would_join(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """
    Tell whether a new run is asked for that the service may answer with the recorded one.

    A ClientToken of the user's own stays although something changes that is not part of what the
    service compares (facts 4): source, workflow, input and ClientToken.
    """
    token, changed = new.get("clientToken"), changed_start_fields(old, new)
    return (
        token is not UNKNOWN
        and token == old.get("clientToken")
        and is_known(new)
        and not IDENTITY.intersection(changed)
        and (bool(changed) or has_new_triggers(old, new))
    )


def plan_change(
    recorded: Mapping[str, Any], declared: Mapping[str, Any], *, service: str | None
) -> ChangePlan:
    """
    Compare a run's recorded state with its new declaration, offline.

    `service` is the endpoint of the real service, if the configuration now names one.

    Raises:
        AdoptionError: when the recorded run is named as one with another source.

    """
    recorded, declared = normalise(recorded), normalise(declared)
    leaves_emulator = (
        service is not None
        and recorded.get("emulated") is True
        and recorded.get("endpoint") != service
    )
    adopted = declared.get("existingRunId")
    if adopted is not None:
        if leaves_emulator or adopted != recorded.get("runId"):
            return ChangePlan(adopt=("existingRunId",))
        refuse_contradictions(adopted, declared, recorded)
        return ChangePlan(free=_free_changes(recorded, declared))

    new_run = [*changed_start_fields(recorded, declared)]
    was_adopted = "existingRunId" in recorded
    if was_adopted:  # somebody else started it: what is not declared here asks for nothing
        asked, told = start_of(declared), start_of(recorded)
        new_run = [key for key in new_run if key in asked and not agrees(asked[key], told.get(key))]
    if has_new_triggers(recorded, declared):
        new_run.append("triggers")
    # Nor does its token, which was not ours: ceasing to name an adopted run starts nothing.
    if not (new_run or was_adopted) and _differ(
        recorded.get("clientToken"), declared.get("clientToken")
    ):
        new_run.append("clientToken")
    if leaves_emulator:
        new_run.append("emulated")
    if declared.get("rerunOnFailure") in (True, UNKNOWN) and may_succeed_if_repeated(recorded):
        new_run.append("status")
    if new_run:
        return ChangePlan(new_run=tuple(new_run))
    return ChangePlan(free=_free_changes(recorded, declared))


def refuse_contradictions(
    run_id: str, declared: Mapping[str, Any], found: Mapping[str, Any]
) -> None:
    """
    Let only that run be adopted which is declared.

    Raises:
        AdoptionError: when it was started with something else.

    """
    wrong = contradictions(declared, found)
    if wrong:
        raise AdoptionError(
            f"existingRunId: {run_id} was started with another {' and '.join(wrong)} than is "
            "declared here. Nothing was started. Declare what that run was started with, or "
            "name another run."
        )


def _free_changes(recorded: Mapping[str, Any], declared: Mapping[str, Any]) -> tuple[str, ...]:
    """Name what is to be recorded anew; a start field left undeclared keeps what was read."""
    return tuple(
        key
        for key in RUN_FIELDS
        if (key in declared or EFFECTS[key] is not Effect.NEW_RUN)
        and _differ(recorded.get(key), declared.get(key))
    )
