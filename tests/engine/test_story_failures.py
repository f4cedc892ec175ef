"""Bad input, wrong configuration and a failing service, on the real engine."""

from __future__ import annotations

from functools import partial
from typing import Any

import pulumi
import pytest

from pulumi_vod_workflow import (
    DirectUrlArgs,
    LogoOverrideArgs,
    OverrideParamsArgs,
    WorkflowBatch,
    WorkflowParamsArgs,
    WorkflowRun,
)
from pulumi_vod_workflow.core.resource_types import COMPLETION_TYPE
from tests.engine.harness import Outcome, Program, Story, run
from tests.scale import scaled

pytestmark = pytest.mark.hosts("dynamic", torture="plugin")

SECRET = "s3cr3t-value"


def test_bad_input_is_refused_at_preview_all_at_once(story: Story) -> None:
    """Every problem comes with its path, nothing is started, and no secret is shown."""

    def bad() -> None:
        secret = pulumi.Output.secret
        logo = {"template_id": "x", "vars": {"a": secret(SECRET)}, "colour": 1}
        WorkflowRun(  # type: ignore[call-arg]  # a mistake
            "run",
            vid="v1",
            priority=secret(777),
            callback_args=secret(SECRET * 100),
            input={"override_params": {"logo": [logo]}},
            direct_url=DirectUrlArgs(file_nam="x"),  # type: ignore[call-arg]  # a mistake
            templat_id="t",
        )

    preview = story.preview(bad)
    assert preview.failed
    for path in (
        "templateId: is required",
        "priority: must be an integer from -5 to 5",
        "callbackArgs: must be",
        "input.overrideParams.logo[0].colour: unknown key",
        "directUrl.file_nam: unknown key; did you mean file_name?",
        "directUrl.fileName: is required",
        "templat_id: unknown key; did you mean template_id?",
    ):
        assert path in preview.text
    assert SECRET not in preview.text
    assert "777" not in preview.text
    story.failing_up(bad)
    assert story.emulator.requests() == {}


def test_secret_inputs_stay_secret(story: Story) -> None:
    """
    What is declared secret is encrypted in the state, at any depth, and so is what is made of it.

    The results' paths follow the file's name, also in waits. The token is a hash that could be
    guessed.
    """

    def declare(*, waits: bool) -> None:
        made = WorkflowRun(
            "run",
            direct_url=DirectUrlArgs(file_name=pulumi.Output.secret(f"{SECRET}-file.mp4")),
            template_id="t1",
            callback_args=pulumi.Output.secret(f"{SECRET}-args"),
            input=WorkflowParamsArgs(
                override_params=OverrideParamsArgs(
                    logo=[
                        LogoOverrideArgs(
                            template_id="All",
                            vars={"text": pulumi.Output.secret(f"{SECRET}-logo")},
                        )
                    ],
                    snapshot=[{"template_id": ["x"], "file_name": pulumi.Output.secret(SECRET)}],
                    transcode_video=[{"template_id": ["y"], "file_name": "{{fileTitle}}-hd"}],
                )
            ),
            triggers={"version": pulumi.Output.secret(f"{SECRET}-trigger")},
        )
        items = {"a": {"direct_url": {"file_name": pulumi.Output.secret(f"{SECRET}.mp4")}}}
        batch = WorkflowBatch("batch", items=items, defaults={"template_id": "t2"})
        pulumi.export("args", made.callback_args)
        if waits:
            pulumi.export("results", made.wait().results)
            pulumi.export("results of the batch", batch.wait().results)

    outcome = story.pays(lambda: declare(waits=False), 2)
    start = story.ledger_of("t1")
    assert start["directUrl"]["FileName"] == f"{SECRET}-file.mp4"
    hidden = (SECRET, start["clientToken"], story.ledger_of("t2")["clientToken"])

    def nothing_is_told(outcome: Outcome) -> None:
        for text in hidden:
            assert text not in outcome.text
            assert text not in story.raw_state

    nothing_is_told(outcome)
    story.emulator.advance(5000)
    nothing_is_told(story.refresh())
    assert story.run["phase"] == "succeeded"
    assert "plaintext" in story.run["transcodes"], "a secret, which the export has decrypted"
    nothing_is_told(story.pays(lambda: declare(waits=True), 0))
    nothing_is_told(story.shown)
    waits = story.of_type(COMPLETION_TYPE).values()
    assert len(waits) == 2
    for wait in waits:
        assert "plaintext" in wait["outputs"]["results"]
    nothing_is_told(story.destroy())


def test_a_secret_stays_one_when_it_is_no_longer_declared(story: Story) -> None:
    """What is recorded of the same run was made of it: the token, and what was read."""

    def secrets() -> None:
        triggers: Any = pulumi.Output.secret({"password": SECRET})
        WorkflowRun("trigger", vid="v1", template_id="t1", triggers=triggers)
        args = pulumi.Output.secret(SECRET)
        WorkflowRun("args", vid="v2", template_id="t2", callback_args=args)

    def plain(**of_args: Any) -> Program:
        def program() -> None:
            WorkflowRun("trigger", vid="v1", template_id="t1")
            WorkflowRun("args", vid="v2", template_id="t2", **of_args)

        return program

    story.up(secrets)
    adopted = {"existing_run_id": story.ledger_of("t2")["runId"]}
    story.pays(plain(**adopted), 0)
    assert story.ledger_of("t1")["clientToken"] not in story.raw_state
    assert story.resources["args"]["outputs"]["callbackArgs"] != SECRET
    story.emulator.advance(5000)
    story.refresh()
    assert SECRET not in story.raw_state
    assert SECRET not in story.stays(plain(**adopted)).text
    story.up(plain())
    assert len(story.emulator.ledger()) == 2
    assert SECRET not in story.raw_state


def test_a_token_of_ones_own_must_change_with_what_it_stands_for(story: Story) -> None:
    """A trigger beside an unchanged token would be shown as a start, and join: it is refused."""

    def two(token: str, version: int, vid: str) -> Program:
        def program() -> None:
            run("trigger", client_token=token, triggers={"a": version})()
            run("source", client_token="other", triggers={"a": 1}, vid=vid)()

        return program

    story.up(two("mine", 1, "v2"))
    refused = story.preview(two("mine", 2, "v2"))
    assert refused.failed
    assert "clientToken: must change, too" in refused.text
    story.pays(two("mine-2", 2, "v3"), 2)


WRONG_SETTINGS: list[dict[str, str]] = [
    {"vod_accessKey": "AKLTWRONG"},
    {"vod_secretKey": "wrong-secret"},
    {"vod_endpoint": "http://127.0.0.1:9"},
    {
        "vod_endpoint": "http://vod.example.com",
        "vod_requestsPerSecond": "900",
        "vod_endpont": "emulator",
    },
]
SAYS = [
    ["InvalidAccessKey"],
    ["SignatureDoesNotMatch"],
    ["refused"],
    ["https", "vod:requestsPerSecond: must be a number above 0", "did you mean vod:endpoint?"],
]
"""The messages about WRONG_SETTINGS. The service or the network answers all but the last."""


def test_wrong_configuration_is_one_clear_message(story: Story, subtests: pytest.Subtests) -> None:
    """A wrong key, an unreachable endpoint or bad settings start nothing and say what to do."""
    right = dict(story.config)
    for wrong, says in zip(WRONG_SETTINGS, SAYS, strict=True):
        with subtests.test(" ".join(wrong)):
            story.config = dict(right)
            story.write_config(**wrong)
            failed = story.failing_up(run())
            for text in says:
                assert text in failed.text
            for part in ("wrong-secret", "Signature=", "HMAC-SHA256", "ClientToken="):
                assert part not in failed.text
            assert story.emulator.ledger() == []
    story.config = dict(right)
    story.write_config(vod_requestsPerSecond="50")
    story.up(run())
    assert len(story.emulator.ledger()) == 1


@pytest.mark.hosts("dynamic")  # the packaged provider has the keys of its own namespace alone
def test_a_setting_without_its_prefix(story: Story) -> None:
    """`pulumi config set endpoint emulator` does not lead to the service; others are doubted."""
    del story.config["vod:endpoint"]
    story.write_config(story_endpoint="emulator", story_resendWithin="60")
    refused = story.preview(run())
    assert refused.failed
    assert "story:endpoint: did you mean vod:endpoint? Without it, runs start" in refused.text
    story.write_config(vod_endpoint=story.emulator.url)
    paid = story.up(run())
    assert len(story.emulator.ledger()) == 1
    doubt = "story:resendWithin is set, and vod:resendWithin is not: did you mean vod:resendWithin?"
    assert ("", f"vod: {doubt}") in paid.lines
    # The state refers to the provider by its import path: tiny, readable, never secret.
    assert story.run["__provider"] == (
        "gASVPAAAAAAAAACMHXB1bHVtaV92b2Rfd29ya2Zsb3cuX3Byb3ZpZGVylIwTV29ya2Zsb3dSdW5Qcm92aWRl"
        "cpSTlCmBlC4="
    )


def test_a_proxy_that_cannot_be_used_is_one_clear_message(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails the update, which sends nothing, and not a preview that only wants to ask."""
    monkeypatch.setenv("all_proxy", "socks://user:hidden@127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "::1,[::1],10.0.0.0/8")
    keys = {"vod_accessKey": "AK", "vod_secretKey": "SK"}
    story.write_config(vod_endpoint="https://vod.example.com", vod_preflight="warn", **keys)
    preview = story.preview(run())
    assert not preview.failed
    # A forgotten or mistyped endpoint is seen before anything is paid.
    paid = "vod: runs are started, and paid, at https://vod.example.com (cn-north-1)"
    assert paid in preview.text
    failed = story.failing_up(run())
    for outcome in (preview, failed):
        assert "all_proxy has a proxy of an unsupported kind" in outcome.text
        for part in ("hidden", "defect", "A run may exist"):
            assert part not in outcome.text
    monkeypatch.setenv("NO_PROXY", "[::1],.example.com")
    past = story.preview(run())
    assert "GetWorkflowTemplate: vod.example.com: " in past.text, "the name is asked for"
    assert "all_proxy" not in past.text


@pytest.mark.hosts("dynamic")  # the packaged provider can import
def test_what_cannot_be_meant_is_said_in_one_line(story: Story) -> None:
    """`import_` has its remedy, and a mistake in an argument class names the class."""
    imported = story.preview(run(opts=pulumi.ResourceOptions(import_="lb:1")))
    assert imported.failed
    assert "hint: to adopt a run, declare existing_run_id" in imported.text
    with pytest.raises(TypeError, match="second argument must be ResourceOptions"):
        WorkflowRun("run", "template")  # type: ignore[arg-type]  # that is the mistake


def test_missing_credentials_name_every_place(story: Story) -> None:
    """Without a key the preview still works, and the update says where one was looked for."""
    del story.config["vod:accessKey"], story.config["vod:secretKey"]
    story.write_config()
    preview = story.preview(run())
    assert not preview.failed
    assert f"vod: runs are started at {story.emulator.url}" in preview.text
    failed = story.failing_up(run())
    for place in (
        "vod:accessKey",
        "volcengine:accessKey",
        "VOLCENGINE_ACCESS_KEY",
        "VOLC_ACCESSKEY",
    ):
        assert place in failed.text


FAULTS: dict[str, dict[str, Any]] = {
    "throttled": {"kind": "http", "status": 429, "code": "RequestLimitExceeded", "when": "before"},
    "lost": {"kind": "reset", "when": "after"},
    "bad-gateway": {"kind": "http", "status": 502, "code": "FailToConnect", "when": "after"},
    "unavailable": {"kind": "http", "status": 503, "code": "ServiceUnavailable", "when": "before"},
    "failed": {"kind": "http", "status": 500, "code": "InternalError", "when": "before"},
    "reset": {"kind": "reset", "when": "before"},
    "garbage": {"kind": "garbage", "when": "after"},
}
"""
Name of a run -> the fault of its first two requests.

All of them, many at a time: `test_a_failing_service_is_paid_once_in_the_end`.
"""


@pytest.mark.torture
def test_a_failing_service_is_paid_once(story: Story) -> None:
    """
    Refused, failed, and accepted-but-answer-lost starts end as one run, recorded.

    Each run waits for the one before, and only then its fault is added, for its first two requests.
    """
    names = [*FAULTS][: scaled(3, len(FAULTS))]

    def with_fault(name: str, _run_id: str = "") -> str:
        story.emulator.fault(action="StartWorkflow", times=2, **FAULTS[name])
        return name

    def program() -> None:
        vid: Any = with_fault(names[0])
        for name, following in zip(names, [*names[1:], ""], strict=True):
            made = WorkflowRun(name, vid=vid, template_id="t1")
            if following:
                vid = made.run_id.apply(partial(with_fault, following))

    assert sorted(story.up(program).changed) == sorted(("create", name) for name in names)
    assert [start["vid"] for start in story.emulator.ledger()] == names
    recorded = {name: item["outputs"]["runId"] for name, item in story.resources.items()}
    assert recorded == {start["vid"]: start["runId"] for start in story.emulator.ledger()}
    assert story.emulator.requests()["StartWorkflow"] == 3 * len(names)
    story.stays(program)


def test_a_service_that_stays_down_loses_nothing(story: Story) -> None:
    """When all answers are lost, the update fails clearly; sent again in time it finds the run."""
    story.emulator.fault(
        action="StartWorkflow",
        kind="http",
        status=500,
        code="InternalError",
        when="after",
        times=99,
    )
    failed = story.failing_up(run())
    assert "InternalError" in failed.text
    assert "A run may exist." in failed.text
    [start] = story.emulator.ledger()
    story.emulator.fault(action="StartWorkflow", kind="http", times=0)  # the faults are over
    story.write_config(vod_resendWithin="3600")
    found = story.pays_for(run(), promised=1, paid=0)
    assert "sends the start again: an earlier send got no response" in found.text
    assert story.run["runId"] == start["runId"]
    assert len(story.emulator.ledger()) == 1
