"""
What a changed declaration costs: recorded state x new inputs -> a new run, or nothing.

Its laws:
  - only a field that is sent to the service, or an added or changed trigger, asks for a new run;
  - a declaration that names an existing run never starts one;
  - what is unknown at preview may differ, so it is shown as what it may cost;
  - an emulated run is not a real one: on the service it is still to be started.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from pulumi_vod_workflow.core.canonical import canonical_json
from pulumi_vod_workflow.core.execution import (
    is_consistent_with,
    may_succeed_if_repeated,
    mismatched_fields,
)
from pulumi_vod_workflow.core.request import REQUEST_FIELDS, request_value
from pulumi_vod_workflow.core.values import UNKNOWN, is_known, normalise
from pulumi_vod_workflow.errors import AdoptionError

IDENTITY: Final = frozenset({"vid", "directUrl", "templateId", "input"})
"""What makes two starts with one ClientToken the same start for the service (facts 4)."""


class Effect(Enum):
    """What a change of a field does."""

    NEW_RUN = "a new, paid run"
    TRIGGER = "a new, paid run if a value is added or changed, nothing if one is removed"
    CLIENT_TOKEN = "a new, paid run, unless the run was adopted"  # noqa: S105 - a word
    ADOPTION = "another run is adopted; nothing is started"
    RERUN = "a new, paid run if it is set and the recorded one failed by a system error"
    FREE = "recorded; nothing is started"


EFFECTS: Final[Mapping[str, Effect]] = {
    "vid": Effect.NEW_RUN,
    "directUrl": Effect.NEW_RUN,
    "templateId": Effect.NEW_RUN,
    "input": Effect.NEW_RUN,
    "priority": Effect.NEW_RUN,
    "callbackArgs": Effect.NEW_RUN,
    "enableLowPriority": Effect.NEW_RUN,
    "taskListId": Effect.NEW_RUN,
    "triggers": Effect.TRIGGER,
    "rerunOnFailure": Effect.RERUN,
    "existingRunId": Effect.ADOPTION,
    "clientToken": Effect.CLIENT_TOKEN,
    "scope": Effect.FREE,
    "secretInputs": Effect.FREE,
}
"""Every field's effect, said once: `plan_change` does what this table says."""

RUN_FIELDS: Final = tuple(EFFECTS)
"""Everything that a run is declared with."""


@dataclass(frozen=True, slots=True)
class ChangePlan:
    """What a change asks for: each tuple names the properties that ask."""

    new_run: tuple[str, ...] = ()
    """Replaced by a new run, which is paid."""
    adopt: tuple[str, ...] = ()
    """Replaced by an existing run, which is free."""
    free: tuple[str, ...] = ()
    """Recorded in place, which is free."""


def values_differ(old: object, new: object) -> bool:
    """Tell whether two values are not one and the same, whatever their spelling."""
    if old is None or new is None:  # as most fields are
        return old is not new
    if isinstance(old, str) and isinstance(new, str):
        return old != new
    return not is_known(new) or canonical_json(old) != canonical_json(new)


SAME_WORK_WARNING: Final = "same source, workflow and input, each run is paid: "
"""What is said of a start, before the names of those that do the same work."""


def work_digest(properties: Mapping[str, Any]) -> bytes | None:
    """
    Return the work of a run: the same bytes for the same work of any resource.

    That is its source, workflow and input; `None` while not all of it is known.
    """
    told = {key: request_value(properties, key) for key in sorted(IDENTITY)}
    source = told["vid"] or told["directUrl"]
    return canonical_json(told) if source and told["templateId"] and is_known(told) else None


def changed_start_fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the fields of which the service would be told something else."""
    return tuple(
        key
        for key in REQUEST_FIELDS
        if values_differ(request_value(old, key), request_value(new, key))
    )


def has_new_triggers(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Tell whether a trigger was added or its value changed; a removed one asks for nothing."""
    before, after = old.get("triggers") or {}, new.get("triggers") or {}
    if after is UNKNOWN:
        return True
    return any(key not in before or values_differ(before[key], after[key]) for key in after)


def keeps_token(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """
    Tell whether the recorded token stays: the same start, whoever declares it now.

    So renaming a stack, project or resource, or upgrading this library, costs nothing.
    """
    return not changed_start_fields(old, new) and not has_new_triggers(old, new)


def token_collides_with_recorded_run(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """
    Tell whether a new run is asked for that the service may answer with the recorded one.

    A ClientToken of the user's own stays although something changes that is not part of what the
    service compares (facts 4): source, workflow, input and ClientToken.
    """
    token = new.get("clientToken")
    if token is None or "existingRunId" in new:  # derived, or nothing is started
        return False
    changed = changed_start_fields(old, new)
    return (
        token == old.get("clientToken")
        and is_known(new)
        and not IDENTITY.intersection(changed)
        and (bool(changed) or has_new_triggers(old, new))
    )


def _value_changed(key: str, recorded: Mapping[str, Any], declared: Mapping[str, Any]) -> bool:
    asked, told = request_value(declared, key), request_value(recorded, key)
    if "existingRunId" in recorded:
        # Somebody else started it: what is not declared, or was not told, asks for nothing.
        return asked is not None and not is_consistent_with(asked, told)
    return values_differ(told, asked)


def _trigger_added(_: str, recorded: Mapping[str, Any], declared: Mapping[str, Any]) -> bool:
    return has_new_triggers(recorded, declared)


def _own_token_changed(key: str, recorded: Mapping[str, Any], declared: Mapping[str, Any]) -> bool:
    # The token of an adopted run was not ours: ceasing to name that run starts nothing.
    return "existingRunId" not in recorded and values_differ(recorded.get(key), declared.get(key))


def _failed_retryably(key: str, recorded: Mapping[str, Any], declared: Mapping[str, Any]) -> bool:
    return declared.get(key) in (True, UNKNOWN) and may_succeed_if_repeated(recorded)


_RESTARTS: Final[Mapping[Effect, Callable[[str, Mapping[str, Any], Mapping[str, Any]], bool]]] = {
    Effect.NEW_RUN: _value_changed,
    Effect.TRIGGER: _trigger_added,
    Effect.CLIENT_TOKEN: _own_token_changed,
    Effect.RERUN: _failed_retryably,
}


def plan_change(
    recorded: Mapping[str, Any],
    declared: Mapping[str, Any],
    *,
    service: str | None,
    just_ended: bool = False,
) -> ChangePlan:
    """
    Compare a run's recorded state with its new declaration, offline.

    Args:
        recorded: the outputs in the state.
        declared: the checked inputs.
        service: the endpoint of the real service, if the configuration now names one.
        just_ended: this very operation has read the run's end. `up --refresh` reads once more after
            its preview was approved, so a failure that only it has learned of is acted on by the
            next one, whose preview shows it.

    Raises:
        AdoptionError: when the recorded run is named as one with another source.

    """
    recorded, declared = normalise(recorded), normalise(declared)
    if just_ended:
        recorded["phase"] = "running"
    leaves_emulator = (
        service is not None
        and recorded.get("emulated") is True
        and recorded.get("endpoint") != service
    )
    adopted = declared.get("existingRunId")
    if adopted is not None:
        if leaves_emulator or adopted != recorded.get("runId"):
            return ChangePlan(adopt=("existingRunId",))
        check_adopted_run(adopted, declared, recorded)
        return ChangePlan(free=_free_changes(recorded, declared))

    asking = [
        key
        for key, effect in EFFECTS.items()
        if effect in _RESTARTS and _RESTARTS[effect](key, recorded, declared)
    ]
    if len(asking) > 1 and "clientToken" in asking:
        asking.remove("clientToken")  # it only follows the others
    if leaves_emulator:
        asking.append("emulated")
    if asking:
        return ChangePlan(new_run=tuple(asking))
    return ChangePlan(free=_free_changes(recorded, declared))


def _free_changes(recorded: Mapping[str, Any], declared: Mapping[str, Any]) -> tuple[str, ...]:
    """Name what is to be recorded anew; a start field left undeclared keeps what was read."""
    return tuple(
        key
        for key in RUN_FIELDS
        if (key in declared or EFFECTS[key] is not Effect.NEW_RUN)
        and values_differ(recorded.get(key), declared.get(key))
    )


def check_adopted_run(run_id: str, declared: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """
    Let only that run be adopted which is declared.

    Raises:
        AdoptionError: when it was started with something else.

    """
    wrong = mismatched_fields(declared, found)
    if wrong:
        raise AdoptionError(
            f"existingRunId: {run_id} was started with another {' and '.join(wrong)} than is "
            "declared here. Nothing was started. Declare what that run was started with, or "
            "name another run."
        )
