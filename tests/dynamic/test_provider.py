"""The provider's methods, as the SDK's host calls them."""

from __future__ import annotations

import base64
import tempfile
from typing import Any

import dill
import pytest
from pulumi.dynamic import Config, ConfigureRequest
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.output import Unknown

from pulumi_vod_workflow.core.execution import OUTPUT_FIELDS
from pulumi_vod_workflow.dynamic.batch import WorkflowBatchProvider
from pulumi_vod_workflow.dynamic.completion import WorkflowCompletionProvider
from pulumi_vod_workflow.dynamic.error_reporting import OperationFailedError
from pulumi_vod_workflow.dynamic.provider import VodProvider
from pulumi_vod_workflow.dynamic.run import WorkflowRunProvider
from pulumi_vod_workflow.dynamic.sdk_compat.provider_pickle import PICKLES
from pulumi_vod_workflow.errors import NotFoundError

SCOPE = {"project": "p", "stack": "s", "name": "n"}
GOLDEN_PICKLES = {
    # (release, class) -> what its states hold. Every one of them must load for ever.
    ("0.1.0", WorkflowRunProvider): (
        "gASVPAAAAAAAAACMHXB1bHVtaV92b2Rfd29ya2Zsb3cuX3Byb3ZpZGVylIwTV29ya2Zsb3dSdW5Qcm92aWRl"
        "cpSTlCmBlC4="
    ),
    ("0.1.0", WorkflowBatchProvider): (
        "gASVRAAAAAAAAACMI3B1bHVtaV92b2Rfd29ya2Zsb3cuX2JhdGNoX3Byb3ZpZGVylIwVV29ya2Zsb3dCYXRj"
        "aFByb3ZpZGVylJOUKYGULg=="
    ),
    ("0.1.0", WorkflowCompletionProvider): (
        "gASVTgAAAAAAAACMKHB1bHVtaV92b2Rfd29ya2Zsb3cuX2NvbXBsZXRpb25fcHJvdmlkZXKUjBpXb3JrZmxv"
        "d0NvbXBsZXRpb25Qcm92aWRlcpSTlCmBlC4="
    ),
}


STORE = tempfile.TemporaryDirectory()


def provider(**config: str) -> WorkflowRunProvider:
    made = WorkflowRunProvider()
    store, journal = f"{STORE.name}/runs.sqlite3", f"{STORE.name}/journal.sqlite3"
    raw = {"vod:endpoint": "emulator", "vod:emulatorStore": store, "vod:journal": journal}
    raw |= {key.replace("_", ":"): value for key, value in config.items()}
    made.configure(ConfigureRequest(config=Config(raw_config=raw, project_name="p")))
    return made


def inputs(**changes: Any) -> dict[str, Any]:
    return {"vid": "v1", "templateId": "t1", "scope": SCOPE, "__provider": "x", **changes}


def checked(news: dict[str, Any], olds: dict[str, Any] | None = None) -> dict[str, Any]:
    result = provider().check(olds or {}, news)
    assert result.failures == []
    return result.inputs


@pytest.mark.parametrize(("release", "made"), GOLDEN_PICKLES, ids=str)
def test_every_released_pickle_loads(release: str, made: type[VodProvider]) -> None:
    """A state of any release finds its provider, or `destroy` would fail."""
    assert type(dill.loads(base64.b64decode(GOLDEN_PICKLES[release, made]))) is made


@pytest.mark.parametrize(
    "made", [WorkflowRunProvider, WorkflowBatchProvider, WorkflowCompletionProvider]
)
def test_the_pickle_is_a_reference(made: type[VodProvider]) -> None:
    """What a program says is what the SDK makes of it: nothing of the code or configuration."""
    said = PICKLES[made.__name__.removesuffix("Provider")]
    assert said == serialize_provider(made()) == GOLDEN_PICKLES["0.1.0", made]


def test_check_fills_in_the_token_and_keeps_a_recorded_one() -> None:
    """The preview shows the token; a rename keeps it; another start has another."""
    first = checked(inputs())
    assert first["clientToken"].startswith("pvw1-")
    renamed = inputs(scope={**SCOPE, "name": "m"})
    assert checked(renamed, olds=first)["clientToken"] == first["clientToken"]
    assert checked(renamed)["clientToken"] != first["clientToken"]
    assert checked(inputs(vid="v2"), olds=first)["clientToken"] != first["clientToken"]
    assert checked(inputs(clientToken="mine"), olds=first)["clientToken"] == "mine"


def test_check_leaves_the_token_open_while_anything_is_unknown() -> None:
    """Unknowns pass through as they came, at any depth."""
    unknown = Unknown()  # type: ignore[no-untyped-call]
    news = checked(inputs(vid=unknown, triggers={"a": [unknown]}))
    assert isinstance(news["vid"], Unknown)
    assert isinstance(news["triggers"]["a"][0], Unknown)
    assert isinstance(news["clientToken"], Unknown), "absent, it would be shown as removed"


@pytest.mark.parametrize("field", ["vid", "input", "triggers", "clientToken", "scope"])
def test_a_token_of_ones_own_can_be_declared_before_all_is_known(field: str) -> None:
    """A preview knows less than the update: it does not look for the start in the journal yet."""
    unknown = Unknown()  # type: ignore[no-untyped-call]
    within = {"input": {"condition": {"a": unknown}}, "scope": {**SCOPE, "parent": unknown}}
    value = within.get(field, unknown)
    news = checked(inputs(**{"clientToken": "mine", field: value}))
    assert field in news
    assert news.get("clientToken", "mine") == "mine" or field == "clientToken"


@pytest.mark.parametrize("wrong", [{"triggers": 5}, {"triggers": [1]}, {"priority": float("nan")}])
def test_a_wrong_value_beside_a_token_of_ones_own_is_just_that(wrong: dict[str, Any]) -> None:
    """Values are judged before they are compared with the recorded ones."""
    olds = checked(inputs(clientToken="mine"))
    failures = provider().check(olds, inputs(clientToken="mine", **wrong)).failures
    assert [failure.reason.partition(":")[0] for failure in failures] == [*wrong]


def test_only_the_resources_own_key_of_the_sdk_is_dropped() -> None:
    """Deeper down the key is the user's: a logo's variable of that name is sent."""
    odd = {"__provider": "mine"}
    logo = {"overrideParams": {"logo": [{"templateId": "l", "vars": odd}]}}
    news = checked(inputs(triggers=odd, input=logo))
    assert (news["triggers"], news["input"]) == (odd, logo)
    assert "__provider" not in news


def test_check_failures_name_no_property() -> None:
    """The engine prints a named property's value, secret or not: the path is in the text."""
    result = provider().check({}, inputs(priority=9.0))
    assert [failure.property for failure in result.failures] == [""]
    assert result.failures[0].reason.startswith("priority: ")


def test_a_defect_is_told_without_its_traceback_or_values() -> None:
    """Even what should not happen ends in one message, and says whether a run may exist."""
    broken = {key: value for key, value in inputs(vid="s3cr3t").items() if key != "scope"}
    with pytest.raises(OperationFailedError) as caught:
        provider().create(broken)  # lacks its token
    message = str(caught.value)
    assert "a defect of pulumi_vod_workflow" in message
    assert "KeyError at recovery.py:" in message
    assert "A run may exist" in message
    assert "s3cr3t" not in message
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_wrong_setting_is_refused_at_preview() -> None:
    """Settings are judged with the declaration, in one list."""
    result = provider(vod_endpoint="http://vod.example.com").check({}, inputs(priority=9))
    assert len(result.failures) == 2


def test_diff_reports_what_is_replaced() -> None:
    """Paid changes are replacements, everything else an update or nothing."""
    state = {**checked(inputs()), "runId": "emu:1", "emulated": True, "phase": "submitted"}
    same = provider().diff("emu:1", state, checked(inputs(), olds=state))
    assert (same.changes, same.replaces) == (False, [])
    other = provider().diff("emu:1", state, checked(inputs(vid="v2"), olds=state))
    assert (other.changes, other.replaces) == (True, ["vid"])
    moved = {**checked(inputs(), olds=state), "__provider": "y"}
    assert provider().diff("emu:1", {**state, "__provider": "x"}, moved).changes is True


def test_a_run_that_is_not_found_at_the_service_points_to_the_account() -> None:
    """The remedy fits what was asked for."""
    for operation, says in (
        ("GetWorkflowExecution", "check the id (the service has a run for 30 days)"),
        ("StartWorkflow", "check `vid`, `direct_url` and `template_id`"),
    ):
        error = NotFoundError(operation, code="ResourceNotFound", message="", http_status=404)
        assert says in str(error)
        assert "account" in str(error)


def test_delete_says_that_an_unfinished_run_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    """There is no cancel; an ended or an emulated run needs no word."""
    for phase, emulated, says in (
        ("running", False, True),
        ("succeeded", False, False),
        ("running", True, False),
    ):
        provider().delete("lb:1", inputs(phase=phase, emulated=emulated))
        said = capsys.readouterr().err
        assert ("lb:1 removed from state; the run keeps running" in said) is says
        assert ("is billed (VOD has no cancel API)" in said) is says


def test_only_a_defect_where_runs_are_paid_says_that_one_may_have_started() -> None:
    """What a batch's update has started is not denied, what a wait has not is not claimed."""
    for made, operation, may in (
        (WorkflowBatchProvider, "create", True),
        (WorkflowBatchProvider, "update", True),
        (WorkflowBatchProvider, "read", False),
        (WorkflowCompletionProvider, "create", False),
        (WorkflowCompletionProvider, "update", False),
    ):
        arguments: dict[str, list[Any]] = {
            "create": [{}],
            "update": ["id", {}, {}],
            "read": ["id", {"runs": 5}],
        }
        with pytest.raises(OperationFailedError) as caught:
            getattr(made(), operation)(*arguments[operation])
        assert ("A run may exist" in str(caught.value)) is may
        assert ("No run was started" in str(caught.value)) is not may


def test_update_keeps_what_was_read_and_drops_what_is_no_longer_declared() -> None:
    """An update records the declaration and loses no output."""
    read = dict.fromkeys(OUTPUT_FIELDS, "o")
    state = {**inputs(triggers={"a": 1}), **read}
    outs = provider().update("o", state, inputs(rerunOnFailure=True)).outs or {}
    assert "triggers" not in outs
    assert outs["rerunOnFailure"] is True
    assert {key: outs[key] for key in OUTPUT_FIELDS} == read


@pytest.mark.parametrize(
    "made", [WorkflowRunProvider, WorkflowBatchProvider, WorkflowCompletionProvider]
)
def test_nothing_is_done_with_values_missing(made: type[VodProvider]) -> None:
    """The engine skips what depends on a failed resource; if it does not, nothing is started."""
    lost, one = {"scope": SCOPE, "unknownInputs": True, "__provider": "x"}, made()
    one.configure(ConfigureRequest(config=Config(raw_config={}, project_name="p")))
    result = one.check({}, lost)
    assert result.failures == []
    assert result.inputs["unknownInputs"] is True
    plan = one.diff("id", inputs(), lost)
    assert (plan.changes, plan.replaces) == (True, [])
    for operation in (lambda: one.create(lost), lambda: one.update("id", inputs(), lost)):
        with pytest.raises(OperationFailedError, match=r"that failed .* No run was started"):
            operation()


def test_the_reason_of_a_failed_adoption_is_one_line() -> None:
    """The report of a batch has a line for each reason, and the state has no line break."""
    run = provider().create(inputs(clientToken="adopted-elsewhere"))
    batch = WorkflowBatchProvider()
    batch._session = provider()._session
    items = {"new": {"vid": "v3"}, "old": {"vid": "v2", "existingRunId": run.id}}
    news = {"items": items, "defaults": {"templateId": "t1"}, "scope": {**SCOPE, "name": "b"}}
    state = batch.create(batch.check({}, news).inputs).outs
    assert state
    assert [*state["runs"]] == ["new"]
    assert "was started with another vid" in state["rejected"]["old"]
    assert "\n" not in state["rejected"]["old"]
