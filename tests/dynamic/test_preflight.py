"""Who is asked about at preview, and how it is told, as the host calls the providers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from pulumi.dynamic import Config, ConfigureRequest
from pulumi.output import Unknown

from pulumi_vod_workflow.core.batch.inputs import items_of, normalise_batch
from pulumi_vod_workflow.core.recovery import start_intent
from pulumi_vod_workflow.core.values import normalise
from pulumi_vod_workflow.dynamic import provider as provider_module
from pulumi_vod_workflow.dynamic.batch import WorkflowBatchProvider
from pulumi_vod_workflow.dynamic.error_reporting import OperationFailedError
from pulumi_vod_workflow.dynamic.provider import VodProvider
from pulumi_vod_workflow.dynamic.run import WorkflowRunProvider
from pulumi_vod_workflow.dynamic.sdk_compat.engine_log import (
    log_stack_status,
    print_line,
    print_warning,
)
from pulumi_vod_workflow.emulator import VodEmulator
from pulumi_vod_workflow.journal.recorder import StartRecorder
from pulumi_vod_workflow.journal.sqlite import SqliteJournal
from pulumi_vod_workflow.lifecycle.announcements import Announcements
from tests.forks import loaded_by

SCOPE = {"project": "p", "stack": "s", "name": "n"}
RUN: dict[str, Any] = {"vid": "v1", "templateId": "t1", "scope": SCOPE, "__provider": "x"}
BATCH: dict[str, Any] = {"defaults": {"templateId": "t1"}, "scope": SCOPE, "__provider": "x"}
MISSING = "the service knows no such video"


@pytest.fixture
def configured(
    vod_emulator: VodEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., None]:
    """Configure a provider for the emulator, as a process that has said nothing yet."""
    fresh = Announcements(print_line, print_warning, log_stack_status)
    monkeypatch.setattr(provider_module, "ANNOUNCEMENTS", fresh)

    def configure(made: VodProvider, mode: str, **config: str) -> None:
        raw = {
            "vod:endpoint": vod_emulator.url,
            "vod:accessKey": "AKLTEMULATOR",
            "vod:secretKey": "emulator-secret-key",
            "vod:journal": str(tmp_path / "journal.sqlite3"),
            # Each test has a client, and so answers, of its own.
            "vod:emulatorStore": str(tmp_path / "runs.sqlite3"),
            "vod:preflight": mode,
            **{key.replace("_", ":"): value for key, value in config.items()},
        }
        made.configure(ConfigureRequest(config=Config(raw_config=raw, project_name="p")))

    return configure


def unknown() -> Unknown:
    return Unknown()  # type: ignore[no-untyped-call]  # the SDK's


@pytest.mark.parametrize(
    ("changes", "questions"),
    [
        ({}, {"GetWorkflowTemplate": 1, "GetMediaInfos": 1}),
        ({"triggers": {"a": unknown()}}, {"GetWorkflowTemplate": 1, "GetMediaInfos": 1}),
        ({"vid": unknown()}, {"GetWorkflowTemplate": 1}),
        ({"templateId": unknown(), "vid": unknown()}, {}),
        ({"existingRunId": unknown()}, {}),
        ({"existingRunId": "emu:1"}, {}),
    ],
)
def test_what_is_not_known_or_adopted_is_not_asked_about(
    vod_emulator: VodEmulator,
    configured: Callable[..., None],
    changes: dict[str, Any],
    questions: dict[str, int],
) -> None:
    made = WorkflowRunProvider()
    configured(made, "error")
    assert made.check({}, {**RUN, **changes}).failures == []
    assert vod_emulator.requests() == questions
    batch = {**BATCH, "items": {"k": {"vid": "v1", **changes}, "later": unknown()}}
    many = WorkflowBatchProvider()
    configured(many, "error")
    many.check({}, batch)
    assert vod_emulator.requests() == questions, "by the other provider's answers, too"


def test_what_is_sent_once_more_has_no_time_for_questions(
    vod_emulator: VodEmulator,
    configured: Callable[..., None],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It was sent within `vod:resendWithin`, and never answered."""
    made = WorkflowRunProvider()
    configured(made, "off")
    inputs = normalise(made.check({}, RUN).inputs)
    order = start_intent(inputs, endpoint=vod_emulator.url, region="cn-north-1")
    anyio.run(StartRecorder(SqliteJournal(tmp_path / "journal.sqlite3"), order, "earlier").claim)
    configured(made, "error", vod_resendWithin="600")
    assert made.check({}, RUN).failures == []
    assert "sends the start again" in capsys.readouterr().err
    assert vod_emulator.requests() == {}


def test_items_that_are_sent_once_more_are_not_held_up_by_others(
    vod_emulator: VodEmulator, configured: Callable[..., None], tmp_path: Path
) -> None:
    """Nothing of such a batch is asked about: the questions would use up the time there is."""
    made = WorkflowBatchProvider()
    configured(made, "off")
    news = {**BATCH, "items": {"a": {"vid": "v1"}, "b": {"vid": "emu-missing"}}}
    item = items_of(normalise_batch(made.check({}, news).inputs))["a"]
    order = start_intent(item, endpoint=vod_emulator.url, region="cn-north-1")
    anyio.run(StartRecorder(SqliteJournal(tmp_path / "journal.sqlite3"), order, "earlier").claim)
    configured(made, "error", vod_resendWithin="600")
    assert made.check({}, news).failures == []
    assert vod_emulator.requests() == {}


def test_what_is_wrong_fails_without_naming_a_property(configured: Callable[..., None]) -> None:
    """All at once; the engine would print a named property's value."""
    made = WorkflowRunProvider()
    configured(made, "error")
    failures = made.check({}, {**RUN, "vid": "emu-missing"}).failures
    assert [failure.property for failure in failures] == [""]
    assert failures[0].reason.startswith(f"vid: {MISSING}")


def test_what_could_not_be_asked_is_said_once(
    vod_emulator: VodEmulator, configured: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """However many resources, and whatever the RequestIds of their answers."""
    fault = {"kind": "http", "code": "InvalidParameter", "times": 99}
    vod_emulator.fault(action="GetWorkflowTemplate", **fault)
    made = WorkflowRunProvider()
    configured(made, "error")
    for number in range(3):
        assert made.check({}, {**RUN, "templateId": f"t{number}"}).failures == []
    said = capsys.readouterr().err
    assert said.count("preflight: templateId: not checked: GetWorkflowTemplate: ") == 1
    assert "InvalidParameter [HTTP 400, RequestId 2" in said


@pytest.mark.parametrize("mode", ["warn", "error"])
def test_an_update_of_a_batch_is_asked_about_by_its_difference(
    vod_emulator: VodEmulator,
    configured: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    mode: str,
) -> None:
    """Only the items that start. A refresh, which checks nothing, and a removal ask nothing."""
    made = WorkflowBatchProvider()
    configured(made, mode)
    first = made.check({}, {**BATCH, "items": {"a": {"vid": "v1"}}}).inputs
    more = made.check({}, {**BATCH, "items": {"a": {"vid": "v1"}, "gone": {"vid": "v0"}}}).inputs
    run = {"runId": "lb:1", "phase": "succeeded", "status": "0"}
    site = {"endpoint": vod_emulator.url, "region": "cn-north-1"}
    state = {**first, "runs": {"a": run}, "rejected": {}, "unclear": {}, **site}
    before = vod_emulator.requests()
    configured(made, mode)
    made.diff("id", state, first)
    assert made.diff("id", {**state, **more, "runs": {"a": run, "gone": run}}, first).changes
    assert vod_emulator.requests() == before
    wrong = {"a": {"vid": "v1"}, "b": {"vid": "emu-missing"}, "c": {"vid": "emu-missing-2"}}
    news = made.check(first, {**BATCH, "items": wrong}).inputs
    assert vod_emulator.requests() == before
    told = f"items.b.vid: {MISSING}"
    if mode == "warn":
        assert made.diff("id", state, news).changes
        assert f"preflight: {told}" in capsys.readouterr().err
    else:
        with pytest.raises(OperationFailedError, match="rejected by preflight:") as caught:
            made.diff("id", state, news)
        assert f"  - {told}" in str(caught.value)
        assert "(and 1 more: c)" in str(caught.value)
    assert vod_emulator.requests()["GetMediaInfos"] == before["GetMediaInfos"] + 1


def test_off_loads_nothing_for_it(tmp_path: Path) -> None:
    """A preview without it starts as quickly as ever."""
    code = """
from pulumi.dynamic import Config, ConfigureRequest
from pulumi_vod_workflow._provider import WorkflowRunProvider
made = WorkflowRunProvider()
raw = {"vod:endpoint": "https://vod.example.com", "vod:journal": journal}
made.configure(ConfigureRequest(config=Config(raw_config=raw, project_name="p")))
assert not made.check({}, run).failures
"""
    assert not {"httpx", "pulumi_vod_workflow.lifecycle.preflight"} & loaded_by(
        code, journal=str(tmp_path / "j"), run=RUN
    )
