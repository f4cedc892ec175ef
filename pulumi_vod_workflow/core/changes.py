"""
The cost of a change: recorded state and new inputs -> a new run, an adoption, or a free update.

The rules:
  - Only a changed field of the start, or an added or changed trigger, starts a new run.
  - A declaration with an existing run never starts one.
  - An unknown value may differ, so the preview shows a possible start.
  - An emulated run is not a real run. A change to the real service starts it there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from pulumi_vod_workflow.core.canonical import canonical_json
from pulumi_vod_workflow.core.client_token import rerun_token
from pulumi_vod_workflow.core.execution import (
    StatusClass,
    is_consistent_with,
    mismatched_fields,
    status_class,
)
from pulumi_vod_workflow.core.request import REQUEST_FIELDS, request_value
from pulumi_vod_workflow.core.values import UNKNOWN, is_known, normalise
from pulumi_vod_workflow.errors import AdoptionError

IDENTITY_FIELDS: Final = frozenset({"vid", "directUrl", "templateId", "input"})
"""The fields of the service's deduplication, beside the ClientToken (vod-api-facts 4)."""


class Effect(Enum):
    """The effect of a changed field."""

    NEW_RUN = "a new, paid run"
    TRIGGER = "a new, paid run if a value is added or changed, nothing if one is removed"
    CLIENT_TOKEN = "a new, paid run, unless the run was adopted"  # noqa: S105 - a word
    ADOPTION = "another run is adopted; nothing is started"
    RERUN = "a new, paid run if it names the way in which the recorded one did not succeed"
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
    "rerunOn": Effect.RERUN,
    "rerunOnFailure": Effect.RERUN,
    "existingRunId": Effect.ADOPTION,
    "clientToken": Effect.CLIENT_TOKEN,
    "scope": Effect.FREE,
    "secretInputs": Effect.FREE,
}
"""Field -> the effect of its change; `plan_change` applies this table."""

RUN_FIELDS: Final = tuple(EFFECTS)
"""The inputs of a run."""


@dataclass(frozen=True, slots=True)
class ChangePlan:
    """The plan of a change: the changed properties, by the operation they need."""

    new_run: tuple[str, ...] = ()
    """The properties that replace the run by a new one; paid: starts one run."""
    adopt: tuple[str, ...] = ()
    """The properties that replace the run by an existing one; free."""
    free: tuple[str, ...] = ()
    """The properties that are recorded in place; free."""


def values_differ(old: object, new: object) -> bool:
    """Return whether two values differ; numbers and key order have one spelling."""
    # Fast paths: most fields are absent or texts.
    if old is None or new is None:
        return old is not new
    if isinstance(old, str) and isinstance(new, str):
        return old != new
    return not is_known(new) or canonical_json(old) != canonical_json(new)


SAME_WORK_WARNING: Final = "same source, workflow and input, each run is paid: "
"""The warning before the names of runs with the same work."""


def work_digest(properties: Mapping[str, Any]) -> bytes | None:
    """
    Return canonical bytes of a run's source, workflow and input.

    Resources with the same work have the same bytes. `None` if a part is unknown.
    """
    work = {key: request_value(properties, key) for key in sorted(IDENTITY_FIELDS)}
    source = work["vid"] or work["directUrl"]
    return canonical_json(work) if source and work["templateId"] and is_known(work) else None


def changed_start_fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the start fields whose sent values differ."""
    return tuple(
        key
        for key in REQUEST_FIELDS
        if values_differ(request_value(old, key), request_value(new, key))
    )


def has_new_triggers(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Return whether a trigger was added or changed. A removed trigger has no effect."""
    before, after = old.get("triggers") or {}, new.get("triggers") or {}
    if after is UNKNOWN:
        return True
    return any(key not in before or values_differ(before[key], after[key]) for key in after)


def keeps_token(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Return whether the recorded token stays, because the start is the same."""
    # Design, section 3 (ClientToken): renames with aliases, copied states and upgrades are free.
    return not changed_start_fields(old, new) and not has_new_triggers(old, new)


def token_collides_with_recorded_run(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """
    Return whether the service may answer a new start with the recorded run.

    This happens if a user's own ClientToken stays and only fields outside `IDENTITY_FIELDS` change.
    """
    token = new.get("clientToken")
    if token is None or "existingRunId" in new:  # a derived token, or no start
        return False
    changed = changed_start_fields(old, new)
    return (
        token == old.get("clientToken")
        and is_known(new)
        and not IDENTITY_FIELDS.intersection(changed)
        and (bool(changed) or has_new_triggers(old, new))
    )


def _value_changed(key: str, recorded: Mapping[str, Any], declared: Mapping[str, Any]) -> bool:
    new, old = request_value(declared, key), request_value(recorded, key)
    if "existingRunId" in recorded:
        # Another tool started an adopted run. A field counts only if the program declares it and
        # the service returned it.
        return new is not None and not is_consistent_with(new, old)
    return values_differ(old, new)


def _trigger_added(_: str, recorded: Mapping[str, Any], declared: Mapping[str, Any]) -> bool:
    return has_new_triggers(recorded, declared)


def _own_token_changed(key: str, recorded: Mapping[str, Any], declared: Mapping[str, Any]) -> bool:
    # An adopted run has another tool's token, so the removal of `existingRunId` starts no run.
    return "existingRunId" not in recorded and values_differ(recorded.get(key), declared.get(key))


# vod-api-facts 1 (D-stat): of all failures, a rerun alone can help after a system error.
RERUN_ON_FAILURE: Final[tuple[StatusClass, ...]] = ("systemError",)
"""The meaning of `rerunOnFailure`, which is an alias of `rerunOn`."""


def _reruns(key: str, recorded: Mapping[str, Any], declared: Mapping[str, Any]) -> bool:
    found, value = status_class(recorded), declared.get(key)
    if found is None or value is None:
        return False
    if key == "rerunOnFailure":
        return value in (True, UNKNOWN) and found in RERUN_ON_FAILURE
    return value is UNKNOWN or found in value or UNKNOWN in value


def reruns(recorded: Mapping[str, Any], declared: Mapping[str, Any]) -> bool:
    """Return whether a declaration starts a recorded run again because it did not succeed."""
    return any(
        effect is Effect.RERUN and _reruns(key, recorded, declared)
        for key, effect in EFFECTS.items()
    )


# vod-api-facts 4 (B-idem): an equal start is a new run after a system error or a termination. After
# a user error, and perhaps for an expired run, the service may answer with the recorded run.
JOINED_CLASSES: Final[frozenset[StatusClass]] = frozenset({"userError", "expired"})
"""The classes of runs to which the service may join a start with an equal token."""


def with_rerun_token(declared: Mapping[str, Any], recorded: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the inputs of a start that replaces a recorded run, with the token to send.

    A rerun that the service may join to the recorded run gets another token, and `rerunOf` names
    that run. All other starts keep the declared token.
    """
    if (
        status_class(recorded) in JOINED_CLASSES
        and reruns(recorded, declared)
        and keeps_token(recorded, declared)
        and isinstance(declared.get("clientToken"), str)
    ):
        token = rerun_token(declared["clientToken"], recorded["runId"])
        return {**declared, "clientToken": token, "rerunOf": recorded["runId"]}
    return dict(declared)


_RESTARTS: Final[Mapping[Effect, Callable[[str, Mapping[str, Any], Mapping[str, Any]], bool]]] = {
    Effect.NEW_RUN: _value_changed,
    Effect.TRIGGER: _trigger_added,
    Effect.CLIENT_TOKEN: _own_token_changed,
    Effect.RERUN: _reruns,
}


def plan_change(
    recorded: Mapping[str, Any],
    declared: Mapping[str, Any],
    *,
    service: str | None,
    just_ended: bool = False,
) -> ChangePlan:
    """
    Return the plan of a change, from the recorded state and the new declaration; offline.

    Args:
        recorded: the outputs in the state.
        declared: the checked inputs.
        service: the endpoint of the real service, if the configuration has one.
        just_ended: whether this engine operation has read the run's end.

    Raises:
        AdoptionError: when the declaration adopts the recorded run with another source.

    """
    recorded, declared = normalise(recorded), normalise(declared)
    # `up --refresh` reads again after the user has approved the preview. The preview did not show a
    # rerun for a failure read after it, so the next preview shows that rerun (promise 2).
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

    causes = [
        key
        for key, effect in EFFECTS.items()
        if effect in _RESTARTS and _RESTARTS[effect](key, recorded, declared)
    ]
    if len(causes) > 1 and "clientToken" in causes:
        causes.remove("clientToken")  # the derived token changes with the other causes
    if leaves_emulator:
        causes.append("emulated")
    if causes:
        return ChangePlan(new_run=tuple(causes))
    return ChangePlan(free=_free_changes(recorded, declared))


def _free_changes(recorded: Mapping[str, Any], declared: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the changed properties without cost; an undeclared start field keeps its value."""
    return tuple(
        key
        for key in RUN_FIELDS
        if (key in declared or EFFECTS[key] is not Effect.NEW_RUN)
        and values_differ(recorded.get(key), declared.get(key))
    )


def check_adopted_run(run_id: str, declared: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """
    Check that an adopted run has the declared source and workflow.

    Raises:
        AdoptionError: when a declared field differs.

    """
    wrong = mismatched_fields(declared, found)
    if wrong:
        raise AdoptionError(
            f"existingRunId: {run_id} was started with another {' and '.join(wrong)} than declared "
            "here. No run was started.\n"
            "hint: declare the values of that run, or set `existing_run_id` to another run"
        )
