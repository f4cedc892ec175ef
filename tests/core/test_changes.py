"""What a change costs."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pulumi
import pytest
from pydantic.alias_generators import to_camel

from pulumi_vod_workflow.core.changes import (
    EFFECTS,
    RUN_FIELDS,
    ChangePlan,
    Effect,
    keeps_token,
    plan_change,
    token_collides_with_recorded_run,
    with_rerun_token,
    work_digest,
)
from pulumi_vod_workflow.core.inputs.models import RunInputs, StartRequestModel
from pulumi_vod_workflow.core.inputs.types import STATUS_CLASSES
from pulumi_vod_workflow.core.request import REQUEST_FIELDS
from pulumi_vod_workflow.core.secrets import Secret
from pulumi_vod_workflow.core.state import (
    is_unchanged,
    to_state,
    updated_state,
    with_derived_inputs,
)
from pulumi_vod_workflow.core.values import UNKNOWN, normalise
from pulumi_vod_workflow.errors import AdoptionError

SERVICE = "https://vod.volcengineapi.com"
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
    recorded: dict[str, Any] | None = None, service: str | None = SERVICE, **changes: Any
) -> ChangePlan:
    declared = {k: v for k, v in {**INPUTS, **changes}.items() if v is not ...}
    return plan_change({**RECORDED, **(recorded or {})}, declared, service=service)


CHANGED: dict[str, Any] = {
    # a changed value of every field, to be held against its declared effect
    "vid": "w",
    "directUrl": {"fileName": "f"},
    "templateId": "u",
    "input": {"condition": {"a": True}},
    "priority": 1,
    "callbackArgs": "x",
    "enableLowPriority": True,
    "taskListId": "q",
    "clientToken": "mine",
    "triggers": {"a": 2, "b": "x"},
    "existingRunId": "lb:2",
    "rerunOn": ["systemError"],
    "rerunOnFailure": True,
    "scope": {"project": "q"},
    "secretInputs": True,
}
PAID = {Effect.NEW_RUN, Effect.TRIGGER, Effect.CLIENT_TOKEN, Effect.RERUN}


@pytest.mark.parametrize("key", RUN_FIELDS)
def test_every_field_does_what_its_effect_says(key: str) -> None:
    """A new input without a declared effect would be a change that is lost, or paid unseen."""
    effect = EFFECTS[key]
    failed = {"phase": "failed", "status": "2003"} if effect is Effect.RERUN else {}
    made = plan(failed, **{key: CHANGED[key]})
    assert bool(made.new_run) is (effect in PAID)
    assert bool(made.adopt) is (effect is Effect.ADOPTION)
    assert bool(made.free) is (effect is Effect.FREE)


def test_the_table_of_effects_is_of_the_declared_fields() -> None:
    """All that is sent asks for a new run, and nothing else has an effect."""
    assert set(RUN_FIELDS) == {*map(to_camel, RunInputs.model_fields)} == set(CHANGED)
    assert [*map(to_camel, StartRequestModel.model_fields)] == list(REQUEST_FIELDS)
    assert [key for key in EFFECTS if EFFECTS[key] is Effect.NEW_RUN] == list(REQUEST_FIELDS)


DECLARED = {key: value for key, value in INPUTS.items() if key != "clientToken"}


@pytest.mark.parametrize("token", [{}, {"clientToken": "pvw1-1"}])
def test_what_was_recorded_is_known_again(token: dict[str, str]) -> None:
    """With a token of one's own or without; a declaration that needs no check has none."""
    assert is_unchanged(INPUTS, {**deepcopy(DECLARED), **token})
    adopted = {"existingRunId": "lb:1", "scope": {"name": "n"}}
    assert is_unchanged(adopted, {**adopted})


@pytest.mark.parametrize(
    "changes",
    [
        {"vid": "w"},
        {"vid": ...},
        {"vid": UNKNOWN},
        {"priority": 0},
        {"clientToken": "mine"},
        {"clientToken": UNKNOWN},
        {"triggers": {"b": "x"}},
        {"triggers": {"a": 1.0, "b": "x", "c": 0}},
        {"triggers": {"a": True, "b": "x"}},
        {"triggers": {"a": "1.0", "b": "x"}},
        {"triggers": {"a": 1.0, "b": UNKNOWN}},
        {"triggers": {"a": 1.0, "b": ["x"]}},
        {"triggers": [1.0, "x"]},
        {"triggers": float("nan")},
        {"triggers": pulumi.StringAsset("x")},
        {"scope": {"project": "p", "stack": "s", "name": "m"}},
        {"secretInputs": True},
        {"mistyped": 1},
    ],
)
def test_anything_else_is_to_be_checked(changes: dict[str, Any]) -> None:
    """Whatever it is: nothing was recorded of it, so nothing says that it is right."""
    declared = {k: v for k, v in {**DECLARED, **changes}.items() if v is not ...}
    assert not is_unchanged(INPUTS, declared)


def test_nothing_recorded_says_nothing() -> None:
    """A resource is checked when it is new, and again when it is replaced."""
    assert not is_unchanged({}, {})
    assert not is_unchanged(DECLARED, DECLARED)


@pytest.mark.parametrize("listed", [[1.0, True], [1, True]])
def test_numbers_are_known_by_their_kind(listed: list[Any]) -> None:
    """What was recorded as an integer is one; true is not."""
    inputs = {**INPUTS, "triggers": {"a": [1, True]}}
    assert is_unchanged(inputs, normalise({**DECLARED, "triggers": {"a": listed}}))
    assert not is_unchanged(inputs, normalise({**DECLARED, "triggers": {"a": [1, 1]}}))


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
        ({"existingRunId": "lb:1", "vid": UNKNOWN}, ChangePlan(free=("vid", "existingRunId"))),
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
    wanted = plan(recorded, rerunOnFailure=True)
    assert wanted == ChangePlan(new_run=("rerunOnFailure",) if reruns else ())
    assert plan({"status": status, "phase": phase}) == ChangePlan()
    unknown = plan(recorded, rerunOnFailure=UNKNOWN)
    assert unknown.new_run == (("rerunOnFailure",) if reruns else ())


ENDS: dict[str, dict[str, Any]] = {
    "systemError": {"phase": "failed", "status": "2003"},
    "userError": {"phase": "failed", "status": "1003"},
    "terminated": {"phase": "terminated", "status": "Terminated"},
    "expired": {"phase": "expired", "status": "Running"},
}
NO_FAILURES: tuple[dict[str, Any], ...] = (
    {"phase": "succeeded", "status": "0"},
    {"phase": "running", "status": "Running"},
)


def test_each_status_class_is_run_again_by_its_own_name_only() -> None:
    """A run that has succeeded, or has not ended, never is; an unknown set may name any class."""
    assert [*ENDS] == [*STATUS_CLASSES]
    for found, end in ENDS.items():
        for wanted in ENDS:
            recorded = {**end, "rerunOn": [wanted]}
            causes = ("rerunOn",) if wanted == found else ()
            assert plan(recorded, rerunOn=[wanted]).new_run == causes
        assert plan(end, rerunOn=[*ENDS]).new_run == ("rerunOn",)
        assert plan(end, rerunOn=UNKNOWN).new_run == ("rerunOn",)
        assert plan({**end, "rerunOn": []}, rerunOn=[]).new_run == ()
    for end in NO_FAILURES:
        assert plan(end, rerunOn=UNKNOWN).new_run == ()


@pytest.mark.parametrize("found", [*ENDS])
def test_a_rerun_that_the_service_may_join_has_its_own_token(found: str) -> None:
    """
    After a user error the service may answer an equal start with the recorded run.

    The token depends on the recorded run alone, so a crash between start and state finds it again.
    """
    recorded = {**RECORDED, **ENDS[found]}
    sent = with_rerun_token({**INPUTS, "rerunOn": [found]}, recorded)
    is_new = found in {"userError", "expired"}
    assert (sent["clientToken"] != INPUTS["clientToken"]) is is_new
    assert (sent.get("rerunOf") == recorded["runId"]) is is_new
    assert sent == with_rerun_token({**INPUTS, "rerunOn": [found]}, recorded)
    changed = {**INPUTS, "rerunOn": [found], "vid": "w"}
    assert with_rerun_token(changed, recorded) == changed, "the inputs change the token"
    assert with_rerun_token(INPUTS, recorded) == INPUTS, "no rerun is wanted"
    other = with_rerun_token({**INPUTS, "rerunOn": [found]}, {**recorded, "runId": "lb:2"})
    assert (other["clientToken"] != sent["clientToken"]) is is_new


def test_adoption_starts_nothing_afterwards() -> None:
    """Ceasing to name an adopted run is free, even where its source was never declared."""
    adopted = {"existingRunId": "lb:1", "clientToken": "pvw1-other"}
    assert plan(adopted).new_run == ()
    assert plan(adopted).free == ("existingRunId", "clientToken")
    by_id_only = plan(adopted, vid=..., templateId=..., existingRunId="lb:1", clientToken="pvw1-x")
    assert by_id_only == ChangePlan(free=("clientToken",))


TOLD = {
    "existingRunId": "lb:1",
    "vid": None,
    "directUrl": {"fileName": "f", "spaceName": "s", "bucketName": "b"},
    "input": {"overrideParams": {"snapshot": [{"templateId": ["x"], "width": 0}]}},
    "priority": 2,
}


@pytest.mark.parametrize(
    ("declared", "new_run"),
    [
        ({"directUrl": {"fileName": "f"}}, ()),
        ({"directUrl": {"fileName": "f", "spaceName": "s"}, "priority": 2}, ()),
        ({"input": {"overrideParams": {"snapshot": [{"templateId": ["x"]}]}}}, ()),
        ({"input": {"overrideParams": {"snapshot": [{"templateId": ["y"]}]}}}, ("input",)),
        ({"directUrl": {"fileName": "g"}}, ("directUrl",)),
        ({"directUrl": {"fileName": UNKNOWN}}, ("directUrl",)),
        ({"priority": 3}, ("priority",)),
        ({"triggers": {"a": 1, "b": "x", "c": 1}}, ("triggers",)),
    ],
)
def test_what_the_service_told_of_an_adopted_run_is_more_than_was_declared(
    declared: dict[str, Any], new_run: tuple[str, ...]
) -> None:
    """Ceasing to name it asks for a new run only where the declaration really differs."""
    assert plan(TOLD, vid=..., **{"directUrl": {"fileName": "f"}, **declared}).new_run == new_run


@pytest.mark.parametrize(
    "wrong", [{"vid": "w"}, {"templateId": "u"}, {"vid": ..., "directUrl": {"fileName": "f"}}]
)
def test_the_recorded_run_is_not_named_as_another(wrong: dict[str, Any]) -> None:
    """A state that says one source beside the results of another would be a lie."""
    with pytest.raises(AdoptionError, match="another"):
        plan(existingRunId="lb:1", **wrong)


@pytest.mark.parametrize(
    ("changes", "joins"),
    [
        ({"triggers": {"a": 2}}, True),
        ({"priority": 3}, True),
        ({"callbackArgs": "x", "triggers": {"c": 1}}, True),
        ({"vid": "w", "triggers": {"a": 2}}, False),
        ({"input": {"condition": {"a": True}}}, False),
        ({"triggers": {"a": UNKNOWN}}, False),
        ({"triggers": {}}, False),
        ({"clientToken": "other", "priority": 3}, False),
        ({}, False),
    ],
)
def test_a_token_of_ones_own_must_change_with_what_it_stands_for(
    changes: dict[str, Any], joins: bool
) -> None:
    """The service does not compare triggers or priority: it would answer with the first run."""
    own = {**INPUTS, "clientToken": "mine"}
    assert token_collides_with_recorded_run(own, {**own, **changes}) is joins
    assert token_collides_with_recorded_run({}, {**own, **changes}) is False
    derived = {key: value for key, value in {**own, **changes}.items() if key != "clientToken"}
    assert token_collides_with_recorded_run({}, derived) is False
    assert token_collides_with_recorded_run({"existingRunId": "lb:1"}, derived) is False, (
        "ceasing to adopt"
    )
    assert (
        token_collides_with_recorded_run(own, {**own, **changes, "existingRunId": "lb:1"}) is False
    ), "adopting"


def test_leaving_the_emulator_is_a_new_run() -> None:
    """An emulated run is not a real one; a real one stays whatever is configured."""
    assert plan({"emulated": True}) == ChangePlan(new_run=("emulated",))
    assert plan({"emulated": True}, service=None) == ChangePlan()
    assert plan({"emulated": False}, service=None) == ChangePlan()
    assert plan({"emulated": True, "endpoint": SERVICE}) == ChangePlan(), "an emulator behind TLS"


def test_a_renamed_resource_keeps_its_token() -> None:
    """Renaming, copying a state or removing a trigger costs nothing; a new start does."""
    assert keeps_token(INPUTS, {**INPUTS, "scope": {"project": "q", "stack": "s", "name": "m"}})
    assert keeps_token(INPUTS, {**INPUTS, "triggers": {}})
    assert not keeps_token(INPUTS, {**INPUTS, "vid": "w"})
    assert not keeps_token({}, INPUTS)


def test_what_is_completed() -> None:
    """The token is kept, derived, or none; a run made of secrets stays so."""
    fresh = {"vid": "v", "templateId": "t", "scope": INPUTS["scope"]}
    derived = with_derived_inputs({}, fresh)["clientToken"]
    assert derived.startswith("pvw1-")
    assert with_derived_inputs({**fresh, "clientToken": "kept"}, fresh)["clientToken"] == "kept"
    assert (
        with_derived_inputs({**fresh, "vid": "w", "clientToken": "old"}, fresh)["clientToken"]
        == derived
    )
    assert with_derived_inputs({}, {**fresh, "clientToken": "mine"})["clientToken"] == "mine"
    assert "clientToken" not in with_derived_inputs({}, {**fresh, "vid": UNKNOWN})
    assert "clientToken" not in with_derived_inputs({}, {**fresh, "existingRunId": "lb:1"})
    adopted = {**fresh, "existingRunId": "lb:1"}
    assert with_derived_inputs({**fresh, "clientToken": "kept"}, adopted)["clientToken"] == "kept"
    assert with_derived_inputs({**fresh, "secretInputs": True}, fresh)["secretInputs"] is True
    assert "secretInputs" not in with_derived_inputs({}, fresh)


def test_what_is_recorded_as_secret() -> None:
    """What is made of secret inputs, and what stays of an adopted run though undeclared."""
    outputs = {"runId": "lb:1", "transcodes": [], "phase": "succeeded"}
    plain = {**INPUTS, **outputs}
    assert to_state(plain) == plain
    made = to_state({**plain, "secretInputs": True})
    assert marked(made) == {"clientToken", "transcodes"}
    assert made["transcodes"] == Secret([])
    recorded = {**plain, "callbackArgs": "secret"}
    adopting = {"vid": "v", "existingRunId": "lb:1", "secretInputs": True}
    made = updated_state(recorded, adopting)
    assert made["callbackArgs"] == Secret("secret")
    assert {"callbackArgs", "templateId", "transcodes"} <= marked(made)
    assert "triggers" not in made
    assert made["phase"] == "succeeded"
    assert "callbackArgs" not in updated_state(recorded, INPUTS)


@pytest.mark.parametrize(
    "text",
    [
        "https://cdn.example.com/a.mp4?auth_key=1-0-0-abc",
        "HTTP://cdn.example.com/1700000000/0123abcd/a.mp4",
        "https://user:word@cdn.example.com/a.mp4",
        '{"play": "https://cdn.example.com/a.mp4?X-Tos-Signature=abc"}',
    ],
)
def test_a_url_among_the_results_is_secret_wherever_it_is(text: str) -> None:
    """It may be signed, and in which part differs; what is beside it stays readable."""
    results = {
        "tasks": [{"displayName": "t", "log": text}],
        "transcodes": [{"storeUri": "tos://b/k", "fileExtra": {"a": text, "b": 5}}],
        "snapshots": [{"sample": {"storeUris": ["tos://b/1", text], "offsets": [0.5]}}],
        "extra": {"posterUrl": text, "poster": "https", "encrypted": True, "none": None},
    }
    url = Secret(text)
    hidden = {
        "tasks": [{"displayName": "t", "log": url}],
        "transcodes": [{"storeUri": "tos://b/k", "fileExtra": {"a": url, "b": 5}}],
        "snapshots": [{"sample": {"storeUris": ["tos://b/1", url], "offsets": [0.5]}}],
        "extra": {"posterUrl": url, "poster": "https", "encrypted": True, "none": None},
    }
    declared = {"callbackArgs": text, "endpoint": "https://vod.example.com", "phase": "succeeded"}
    assert to_state({**declared, **results}) == {**declared, **hidden}
    assert updated_state({**declared, **results}, declared) == {**declared, **hidden}
    wholly = {key: Secret(value) for key, value in results.items()}
    assert to_state({**results, "secretInputs": True}) == {**wholly, "secretInputs": True}


def marked(made: Mapping[str, Any]) -> set[str]:
    return {key for key, value in made.items() if isinstance(value, Secret)}


def test_the_work_of_a_run_is_its_source_workflow_and_input() -> None:
    """Whatever else it is declared with; what is not known, or not whole, is no work."""
    run: dict[str, Any] = {"vid": "v", "templateId": "t"}
    same = [
        {**run, "priority": 2, "callbackArgs": "a", "triggers": {"a": UNKNOWN}, "clientToken": "x"},
        {**run, "input": {}, "scope": {"name": "other"}},
        {**run, "directUrl": None},
    ]
    assert {work_digest(other) for other in same} == {work_digest(run)} != {None}
    others: list[dict[str, Any]] = [
        {**run, "vid": "w"},
        {**run, "templateId": "u"},
        {**run, "input": {"condition": {"a": True}}},
        {"directUrl": {"fileName": "v"}, "templateId": "t"},
        {"directUrl": {"fileName": "v", "spaceName": "s"}, "templateId": "t"},
    ]
    assert len({work_digest(other) for other in [run, *others]}) == 6
    unknown: list[dict[str, Any]] = [
        {**run, "vid": UNKNOWN},
        {**run, "input": {"condition": {"a": UNKNOWN}}},
    ]
    for other in [*unknown, {"vid": "v"}, {"templateId": "t"}, {}]:
        assert work_digest(other) is None
