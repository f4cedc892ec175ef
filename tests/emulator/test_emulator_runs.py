"""Runs: dedup, progression, results, and the 30 days."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pulumi_vod_workflow.emulator import EmulatorSettings, VodEmulator

Call = Callable[..., httpx.Response]
BASE = {"Vid": "v", "TemplateId": "t"}
SYSTEM = {
    "c3841b3122fd460db2bc99a6ec131cb8": 6,
    "25524a2dae4541db93b2e891d7daf4b9": 6,
    "06853553c4d3402698a17ff5dff87fd7": 6,
    "1ddda0dd053c4c7488926eb2eb77eb34": 8,
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def start(call: Call, **parameters: str) -> str:
    answer = call("StartWorkflow", {**BASE, **parameters})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["Result"]["RunId"])


def execution(call: Call, run_id: str, **query: str) -> dict[str, Any]:
    answer = call("GetWorkflowExecution", {"RunId": run_id, **query})
    return dict(answer.json()["Result"])


def result(call: Call, run_id: str) -> dict[str, Any]:
    return dict(call("GetWorkflowExecutionResult", {"RunId": run_id}).json()["Result"])


def test_a_run_goes_through_its_states(call: Call, emulator: VodEmulator) -> None:
    run_id = start(call)
    pending = execution(call, run_id)
    assert pending["Status"] == "PendingStart"
    assert "StartTime" not in pending
    assert "EndTime" not in pending
    emulator.advance(1.5)
    running = execution(call, run_id)
    assert running["Status"] == "Running"
    assert TIME.fullmatch(running["StartTime"])
    assert "EndTime" not in running
    assert not result(call, run_id).get("TranscodeInfos")
    emulator.advance(10)
    ended = execution(call, run_id)
    assert ended["Status"] == "0"
    assert TIME.fullmatch(ended["CreateTime"])
    assert TIME.fullmatch(ended["EndTime"])


def test_an_execution_echoes_what_was_sent(call: Call) -> None:
    sent = {"Priority": "3", "CallbackArgs": "c", "EnableLowPriority": "True", "TaskListId": "q"}
    told = execution(call, start(call, **sent, Input='{"Condition":{"x":true}}'))
    expected = {
        "Vid": "v",
        "TemplateId": "t",
        "Priority": 3,
        "CallbackArgs": "c",
        "EnableLowPriority": True,
        "TaskListId": "q",
        "JobSource": "API",
        "Input": {"Condition": {"x": True}},
    }
    assert {key: told[key] for key in expected} == expected
    assert told["TemplateName"]
    assert told["SpaceName"]
    assert "TasksDetail" not in told


@pytest.mark.parametrize(("template", "count"), SYSTEM.items())
def test_system_templates_have_their_outputs(
    call: Call, emulator: VodEmulator, template: str, count: int
) -> None:
    run_id = start(call, TemplateId=template)
    emulator.advance(10)
    made = result(call, run_id)
    assert len(made["TranscodeInfos"]) + len(made["Snapshots"]) == count
    tasks = execution(call, run_id, NeedTasksDetail="true")["TasksDetail"]
    assert [task["Progress"] for task in tasks] == [100] * count
    keys = {"DisplayName", "TemplateId", "Status", "Progress", "StartTime", "EndTime"}
    assert set(tasks[0]) == keys


def test_tasks_progress_while_running(call: Call, emulator: VodEmulator) -> None:
    run_id = start(call)
    emulator.advance(3)
    [task, *_] = execution(call, run_id, NeedTasksDetail="true")["TasksDetail"]
    assert 0 < task["Progress"] < 100
    assert task["Status"] == "Running"


@pytest.mark.parametrize(
    ("vid", "status"),
    [
        *((f"emu-fail-{code}", str(code)) for code in (1001, 1006, 1999, 2000, 2003, 2004, 2005)),
        ("clips/emu-terminated-2", "Terminated"),
        ("emu-unknown-status", "Paused"),
        ("epic-fail-2023", "0"),
        ("terminated", "0"),
        ("emu-fail-3000", "0"),
        ("emu-fail-١٢٣٤", "0"),
    ],
)
def test_a_source_can_say_how_its_run_ends(
    call: Call, emulator: VodEmulator, vid: str, status: str
) -> None:
    run_id = start(call, Vid=vid)
    emulator.advance(1000)
    assert execution(call, run_id)["Status"] == status
    made = result(call, run_id)
    assert made["Status"] == status
    assert bool(made.get("TranscodeInfos")) == (status in {"0", "2004", "2005"})


def test_a_missing_source_is_refused(call: Call, emulator: VodEmulator) -> None:
    answer = call("StartWorkflow", {**BASE, "Vid": "emu-missing"})
    assert answer.json()["ResponseMetadata"]["Error"]["Code"] == "ResourceNotFound"
    assert (answer.status_code, emulator.ledger()) == (404, [])
    start(call, Vid="clips/missing_dog.mp4")  # an ordinary name


def test_outcomes_are_decided_at_the_start(call: Call, emulator: VodEmulator) -> None:
    before = start(call, Vid="a1")
    emulator.outcome("1003", times=1, match="a")
    other, failing, after = (start(call, Vid=vid) for vid in ("b", "a2", "a3"))
    emulator.advance(10)
    statuses = [execution(call, item)["Status"] for item in (before, other, failing, after)]
    assert statuses == ["0", "0", "1003", "0"]


def test_results_follow_the_request(call: Call, emulator: VodEmulator) -> None:
    overrides = {
        "TranscodeVideo": [
            {
                "TemplateId": ["All"],
                "FileName": "out/{{fileTitle}}_{{templateId}}",
                "Clip": {"StartTime": 2000, "EndTime": 5000},
            }
        ],
        "Snapshot": [
            {
                "TemplateId": ["s"],
                "FileName": "{{fileName}}",
                "FileIndex": "{{fileTitle}}.idx",
                "SampleOffsets": [1.0, 2.5, 4.0],
                "Width": 320,
                "Height": 180,
            }
        ],
    }
    answer = call(
        "StartWorkflow",
        {
            "TemplateId": "t",
            "DirectUrl": '{"FileName":"dir/vodtest.mp4","BucketName":"bkt","SpaceName":"sp"}',
            "Input": json.dumps({"OverrideParams": overrides}),
            "ClientToken": "tok",
        },
    )
    emulator.advance(10)
    made = result(call, answer.json()["Result"]["RunId"])
    [video] = made["TranscodeInfos"]
    assert video["StoreUri"] == "tos://bkt/out/vodtest_t"
    assert video["Duration"] == video["VideoStreamMeta"]["Duration"] == 3.0
    [snapshot] = made["Snapshots"]
    sample = snapshot["Sample"]
    assert (sample["Width"], sample["Height"]) == (320, 180)
    assert sample["IndexUri"] == "tos://bkt/vodtest.idx"
    assert sample["Offsets"] == [1.0, 2.5, 4.0]
    assert len(sample["StoreUris"]) == 3
    assert sample["StoreUris"][0].startswith("tos://bkt/vodtest.mp4")
    assert (made["ClientToken"], made["SpaceName"]) == ("tok", "sp")


@pytest.mark.parametrize(
    ("clip", "seconds"),
    [({"StartTime": 90000}, 0), ({"EndTime": 200000}, 60), ({"StartTime": 50000}, 10)],
)
def test_a_clip_is_a_part_of_the_source(
    call: Call, emulator: VodEmulator, clip: dict[str, int], seconds: float
) -> None:
    override = {"TemplateId": ["All"], "Clip": clip}
    run_id = start(call, Input=json.dumps({"OverrideParams": {"TranscodeVideo": [override]}}))
    emulator.advance(10)
    assert result(call, run_id)["TranscodeInfos"][0]["Duration"] == seconds


@pytest.mark.parametrize(
    ("asked", "made"),
    [({}, (480, 270)), ({"Width": 0, "Height": 720}, (1280, 720)), ({"Width": 960}, (960, 270))],
)
def test_snapshots_are_scaled_as_the_page_says(
    call: Call, emulator: VodEmulator, asked: dict[str, int], made: tuple[int, int]
) -> None:
    override = {"TemplateId": ["s"], "SampleOffsets": [1.0], **asked}
    run_id = start(call, Input=json.dumps({"OverrideParams": {"Snapshot": [override]}}))
    emulator.advance(10)
    sample = result(call, run_id)["Snapshots"][0]["Sample"]
    assert (sample["Width"], sample["Height"]) == made


def test_each_named_template_has_its_output_and_its_task(call: Call, emulator: VodEmulator) -> None:
    overrides = {
        "TranscodeVideo": [
            {"TemplateId": ["a", "b"], "FileName": "{{fileTitle}}"},
            {"TemplateId": ["c"]},
        ],
        "TranscodeAudio": [{"TemplateId": ["All"], "FileName": "{{fileTitle}}"}],
        "Snapshot": [{"TemplateId": ["s"]}, {"TemplateId": ["t"], "OffsetTimeList": [1]}],
        "Enhance": {"FileName": "hd/{{fileName}}"},
    }
    run_id = start(call, Vid="{{templateId}}", Input=json.dumps({"OverrideParams": overrides}))
    emulator.advance(10)
    made = result(call, run_id)
    paths = [item["StoreUri"].rpartition("emulator/")[2] for item in made["TranscodeInfos"]]
    assert paths[:2] == ["{{templateId}}", "{{templateId}}_2"], "expanded once, and distinct"
    assert paths[3:] == ["hd/{{templateId}}.mp4", "{{templateId}}_3"]
    assert [item["FileType"] for item in made["TranscodeInfos"]] == [*["video"] * 4, "audio"]
    assert [item["Type"] for item in made["Snapshots"]] == ["Poster", "Dynpost"]
    tasks = execution(call, run_id, NeedTasksDetail="true")["TasksDetail"]
    assert [task["TemplateId"] for task in tasks] == ["a", "b", "c", "t", "t", "s", "t"]


def test_a_built_in_workflow_keeps_its_outputs_apart(call: Call, emulator: VodEmulator) -> None:
    override = {"TemplateId": ["All"], "FileName": "{{fileTitle}}"}
    run_id = start(
        call,
        TemplateId="06853553c4d3402698a17ff5dff87fd7",
        Input=json.dumps({"OverrideParams": {"TranscodeVideo": [override]}}),
    )
    emulator.advance(10)
    uris = [item["StoreUri"] for item in result(call, run_id)["TranscodeInfos"]]
    assert len(set(uris)) == 5


def test_an_identical_start_joins_and_is_not_billed(call: Call, emulator: VodEmulator) -> None:
    text, other = '{"Condition":{"a":true,"b":false}}', '{"Condition": {"b":false,"a":true}}'
    first = start(call, Input=text, ClientToken="x")
    joined = start(call, Input=other, ClientToken="x", Priority="5", CallbackArgs="c")
    assert first == joined
    assert [entry["runId"] for entry in emulator.ledger()] == [first]
    assert "CallbackArgs" not in execution(call, joined)
    different = [
        start(call, Input=text),
        start(call, Input=text, ClientToken="X"),
        start(call, ClientToken="x"),
        start(call, Input=text, ClientToken="x", TemplateId="u"),
        start(call, Input=text, ClientToken="x", Vid="w"),
    ]
    assert len({first, *different}) == 6


def test_the_space_is_part_of_a_direct_urls_identity(call: Call) -> None:
    runs = {
        call(
            "StartWorkflow",
            {"TemplateId": "t", "DirectUrl": f'{{"FileName":"{name}","SpaceName":"{space}"}}'},
        ).json()["Result"]["RunId"]
        for name, space in (("a", "s"), ("a", "r"), ("b", "s"), ("a", "s"))
    }
    assert len(runs) == 3


def test_a_finished_run_does_not_dedup_by_default(call: Call, emulator: VodEmulator) -> None:
    first = start(call)
    emulator.advance(10)
    assert start(call) != first


@pytest.mark.parametrize(
    ("vid", "joins"),
    [
        ("v", True),
        ("emu-fail-1001", True),
        ("emu-fail-2001", False),
        ("emu-terminated", False),
    ],
)
def test_finished_runs_dedup_by_the_other_rule(call: Call, vid: str, joins: bool) -> None:
    with VodEmulator(EmulatorSettings(dedup="finished")) as emulator:
        url = emulator.url
        first = call("StartWorkflow", {**BASE, "Vid": vid}, url=url).json()["Result"]
        emulator.advance(100)
        second = call("StartWorkflow", {**BASE, "Vid": vid}, url=url).json()["Result"]
        assert (first == second) is joins
        assert len(emulator.ledger()) == (1 if joins else 2)
        emulator.advance(31 * 86400)
        third = call("StartWorkflow", {**BASE, "Vid": vid}, url=url).json()["Result"]
        assert third not in (first, second), "a record that is gone cannot be joined"


def test_a_record_is_gone_after_30_days(call: Call, emulator: VodEmulator) -> None:
    run_id = start(call)
    emulator.advance(30 * 86400 - 60)
    assert execution(call, run_id)["Status"] == "0"
    emulator.advance(120)
    for action in ("GetWorkflowExecution", "GetWorkflowExecutionResult"):
        for wanted in (run_id, "lb:unknown"):
            answer = call(action, {"RunId": wanted})
            assert answer.status_code == 404
            assert answer.json()["ResponseMetadata"]["Error"]["Code"] == "ResourceNotFound"
    assert len(emulator.ledger()) == 1, "what was paid stays paid"
