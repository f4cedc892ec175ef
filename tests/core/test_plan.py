"""What a change costs."""

from typing import Any

import pytest

from pulumi_vod_workflow.core.inputs import RUN_FIELDS, UNKNOWN
from pulumi_vod_workflow.core.plan import EFFECTS, ChangePlan, keeps_token, plan_change

RECORDED: dict[str, Any] = {
    "vid": "v",
    "templateId": "t",
    "triggers": {"a": 1.0, "b": "x"},
    "clientToken": "pvw1-1",
    "scope": {"project": "p", "stack": "s", "name": "n"},
    "runId": "lb:1",
    "phase": "succeeded",
    "status": "0",
    "emulated": False,
}
INPUTS = {key: value for key, value in RECORDED.items() if key in RUN_FIELDS}


def plan(
    recorded: dict[str, Any] | None = None, on_service: bool = True, **changes: Any
) -> ChangePlan:
    declared = {k: v for k, v in {**INPUTS, **changes}.items() if v is not ...}
    return plan_change({**RECORDED, **(recorded or {})}, declared, on_service=on_service)


def test_every_field_has_an_effect() -> None:
    """A new input without a declared effect would be a change that is lost, or paid."""
    assert set(EFFECTS) == set(RUN_FIELDS)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ChangePlan()),
        ({"vid": "w"}, ChangePlan(new_run=("vid",))),
        (
            {"vid": ..., "directUrl": {"fileName": "f"}},
            ChangePlan(new_run=("vid", "directUrl")),
        ),
        ({"priority": 0.0}, ChangePlan(free=("priority",))),
        ({"priority": 1}, ChangePlan(new_run=("priority",))),
        ({"callbackArgs": UNKNOWN}, ChangePlan(new_run=("callbackArgs",))),
        ({"triggers": {"a": 1, "b": "x"}}, ChangePlan()),
        ({"triggers": {"a": 2, "b": "x"}}, ChangePlan(new_run=("triggers",))),
        ({"triggers": {"a": 1, "b": "x", "c": 0}}, ChangePlan(new_run=("triggers",))),
        ({"triggers": {"a": 1, "b": UNKNOWN}}, ChangePlan(new_run=("triggers",))),
        ({"triggers": UNKNOWN}, ChangePlan(new_run=("triggers",))),
        ({"triggers": {"a": 1}}, ChangePlan(free=("triggers",))),
        ({"triggers": ...}, ChangePlan(free=("triggers",))),
        ({"clientToken": "mine"}, ChangePlan(new_run=("clientToken",))),
        ({"scope": {"project": "q"}}, ChangePlan(free=("scope",))),
        ({"rerunOnFailure": True}, ChangePlan(free=("rerunOnFailure",))),
        ({"existingRunId": "lb:1"}, ChangePlan(free=("existingRunId",))),
        ({"existingRunId": "lb:1", "vid": "w"}, ChangePlan(free=("vid", "existingRunId"))),
        ({"existingRunId": "lb:2"}, ChangePlan(adopt=("existingRunId",))),
        ({"existingRunId": UNKNOWN}, ChangePlan(adopt=("existingRunId",))),
    ],
)
def test_changes(changes: dict[str, Any], expected: ChangePlan) -> None:
    """Only what is sent, or a trigger that is new, costs a run."""
    assert plan(**changes) == expected


@pytest.mark.parametrize(
    ("status", "reruns"), [("2003", True), ("1001", False), ("0", False), ("Terminated", False)]
)
def test_rerun_on_failure(status: str, reruns: bool) -> None:
    """Only a recorded system error is run again, and only if that is wanted."""
    phase = {"0": "succeeded", "Terminated": "terminated"}.get(status, "failed")
    recorded = {"status": status, "phase": phase, "rerunOnFailure": True}
    assert plan(recorded, rerunOnFailure=True) == ChangePlan(new_run=("status",) if reruns else ())
    assert plan({"status": status, "phase": phase}) == ChangePlan()


def test_adoption_starts_nothing_afterwards() -> None:
    """Ceasing to name an adopted run is free, even where its source was never declared."""
    adopted = {"existingRunId": "lb:1", "clientToken": "pvw1-other"}
    assert plan(adopted).new_run == ()
    assert plan(adopted).free == ("clientToken", "existingRunId")
    by_id_only = plan(adopted, vid=..., templateId=..., existingRunId="lb:1", clientToken="pvw1-x")
    assert by_id_only == ChangePlan(free=("clientToken",))


def test_leaving_the_emulator_is_a_new_run() -> None:
    """An emulated run is not a real one; a real one stays whatever is configured."""
    assert plan({"emulated": True}) == ChangePlan(new_run=("emulated",))
    assert plan({"emulated": True}, on_service=False) == ChangePlan()
    assert plan({"emulated": False}, on_service=False) == ChangePlan()


def test_a_renamed_resource_keeps_its_token() -> None:
    """Renaming, copying a state or removing a trigger costs nothing; a new start does."""
    assert keeps_token(INPUTS, {**INPUTS, "scope": {"project": "q", "stack": "s", "name": "m"}})
    assert keeps_token(INPUTS, {**INPUTS, "triggers": {}})
    assert not keeps_token(INPUTS, {**INPUTS, "vid": "w"})
    assert not keeps_token({}, INPUTS)
