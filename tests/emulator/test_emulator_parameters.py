"""Parameters: the forms they come in, and the rules of the page."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from pulumi_vod_workflow.emulator import VodEmulator

Call = Callable[..., httpx.Response]
SYSTEM = "c3841b3122fd460db2bc99a6ec131cb8"
BASE = {"Vid": "v", "TemplateId": "t"}


def override(kind: str, **parts: Any) -> dict[str, str]:
    item = parts if kind == "Enhance" else [parts]
    return {**BASE, "Input": json.dumps({"OverrideParams": {kind: item}})}


GOOD: list[dict[str, Any]] = [
    BASE,
    {**BASE, "Priority": "-5", "EnableLowPriority": "True", "TaskListId": "q"},
    {**BASE, "EnableLowPriority": "false", "ClientToken": "QqS3o5L4BLFCDxGZ&b"},
    {**BASE, "CallbackArgs": "中" * 170, "ClientToken": "~" * 64},
    {"TemplateId": SYSTEM, "DirectUrl": '{"FileName":"a.mp4","SpaceName":"s"}'},
    {"TemplateId": "t", "DirectUrl": '{"FileName":"a.mp4","BucketName":"b"}'},
    {**BASE, "Input": '{"Condition":{"x":true}}'},
    override("Logo", TemplateId="All", Vars={"k": "v"}),
    override("Snapshot", TemplateId=["s"], Width=0, Height=4096, SampleOffsets=[1.5, 2]),
    override("Snapshot", TemplateId=["s"], OffsetTime=0, OffsetTimeList=[10], FileIndex="i"),
    override("TranscodeAudio", TemplateId=["All"], Clip={"StartTime": 2000, "EndTime": 0}),
    override("TranscodeVideo", TemplateId=["a"], LogoTemplateId="l", OutputIndex=[0, 1]),
    override("Enhance", StorageMode="m", FileName="f"),
    # as Java spells what is not set, and as PHP spells true and an empty object
    {**BASE, "DirectUrl": "", "Priority": "0", "CallbackArgs": "", "TaskListId": ""},
    {**BASE, "EnableLowPriority": "false", "ClientToken": ""},
    {"TemplateId": "t", "Vid": "", "DirectUrl": '{"FileName":"a.mp4","BucketName":""}'},
    override("Snapshot", TemplateId=["s"], FileIndex="", Width=0, SampleOffsets=[]),
    {**BASE, "EnableLowPriority": "1", "Input": "[]"},
]
BAD: list[tuple[dict[str, Any], str]] = [
    ({"TemplateId": "t"}, "Vid"),
    ({**BASE, "DirectUrl": '{"FileName":"a"}'}, "Vid"),
    ({"Vid": "v"}, "TemplateId"),
    ({**BASE, "Vid": ""}, "Vid"),
    ({**BASE, "TemplateId": ""}, "TemplateId"),
    ({"TemplateId": "t", "DirectUrl": '{"FileName":""}'}, "DirectUrl.FileName"),
    ({**BASE, "Priority": "6"}, "Priority"),
    ({**BASE, "Priority": "-6"}, "Priority"),
    ({**BASE, "Priority": "1.5"}, "Priority"),
    ({**BASE, "Priority": "--5"}, "Priority"),
    ({**BASE, "Priority": "9" * 5000}, "Priority"),
    ({**BASE, "CallbackArgs": "中" * 171}, "CallbackArgs"),
    ({**BASE, "ClientToken": "a" * 65}, "ClientToken"),
    ({**BASE, "ClientToken": "中"}, "ClientToken"),
    ({**BASE, "EnableLowPriority": "yes"}, "EnableLowPriority"),
    ({**BASE, "Colour": "red"}, "Colour"),
    ({"TemplateId": "t", "DirectUrl": "a.mp4"}, "DirectUrl"),
    ({"TemplateId": "t", "DirectUrl": "{}"}, "DirectUrl.FileName"),
    ({"TemplateId": "t", "DirectUrl": '{"FileName":"a","X":1}'}, "DirectUrl.X"),
    ({"TemplateId": SYSTEM, "DirectUrl": '{"FileName":"a"}'}, "DirectUrl.SpaceName"),
    ({**BASE, "Input": "{"}, "Input"),
    ({**BASE, "Input": "[" * 20000}, "Input"),
    ({**BASE, "Input": '{"Other":{}}'}, "Input.Other"),
    ({**BASE, "Input": '{"Condition":{"x":"true"}}'}, "Input.Condition.x"),
    ({**BASE, "Input": '{"OverrideParams":{"Video":[]}}'}, "OverrideParams.Video"),
    (override("Logo", Vars={}), "Logo[0].TemplateId"),
    (override("Logo", TemplateId="l", Vars={"k": 1}), "Logo[0].Vars.k"),
    (override("Snapshot", TemplateId=[]), "Snapshot[0].TemplateId"),
    (override("Snapshot", TemplateId="s"), "Snapshot[0].TemplateId"),
    (override("Snapshot", TemplateId=["s"], Width=4097), "Snapshot[0].Width"),
    (override("Snapshot", TemplateId=["s"], Width="480"), "Snapshot[0].Width"),
    (override("Snapshot", TemplateId=["s"], OffsetTime=-1), "Snapshot[0].OffsetTime"),
    (override("Snapshot", TemplateId=["s"], SampleOffsets=[-1.0]), "SampleOffsets[0]"),
    (override("Snapshot", TemplateId=["s"], OffsetTimeList=[1.5]), "OffsetTimeList[0]"),
    (override("TranscodeVideo", TemplateId=["a"], OutputIndex=[-1]), "OutputIndex[0]"),
    (override("TranscodeAudio", TemplateId=["a"], LogoTemplateId="l"), "LogoTemplateId"),
    (override("TranscodeVideo", TemplateId=["a"], Clip={"StartTime": 9, "EndTime": 9}), "EndTime"),
    (override("TranscodeVideo", TemplateId=["a"], Clip={"EndTime": 10**400}), "Clip.EndTime"),
    (override("TranscodeVideo", TemplateId=["a"], Clip={"EndTime": 2**31}), "Clip.EndTime"),
    (override("Snapshot", TemplateId=["s"], SampleOffsets=[1e39]), "SampleOffsets[0]"),
    (override("Enhance", Other="x"), "Enhance.Other"),
]  # fmt: skip


@pytest.mark.parametrize("form", ["query", "post-query", "json", "form"])
@pytest.mark.parametrize("parameters", GOOD)
def test_good_parameters_are_accepted_in_every_form(
    call: Call, parameters: dict[str, str], form: str
) -> None:
    if form == "json":
        answer = call("StartWorkflow", document=parameters)
    elif form == "form":
        raw = str(httpx.QueryParams(parameters)).encode()
        kind = "application/x-www-form-urlencoded"
        answer = call("StartWorkflow", raw=raw, content_type=kind)
    else:
        method = "POST" if form == "post-query" else "GET"
        answer = call("StartWorkflow", parameters, method=method, plus=True)
    assert answer.status_code == 200, answer.text
    assert answer.json()["Result"]["RunId"].startswith("emu:")
    assert len(answer.json()["Result"]["RunId"]) == 36


@pytest.mark.parametrize(("parameters", "path"), BAD)
def test_bad_parameters_are_refused_with_their_path(
    call: Call, emulator: VodEmulator, parameters: dict[str, str], path: str
) -> None:
    answer = call("StartWorkflow", document=parameters)
    error = answer.json()["ResponseMetadata"]["Error"]
    assert answer.status_code == 400
    assert error["Code"] in {"InvalidParameter", "MissingParameter"}
    assert path in error["Message"]
    assert emulator.ledger() == []


@pytest.mark.parametrize(
    "raw",
    [
        b"not json",
        b"[1]",
        b"\xff\xfe",
        b"[" * 100000,
        b'{"Vid":"\\ud800","TemplateId":"t"}',
        b'{"Vid":"v","TemplateId":"t","\\ud800":1}',
        b'{"Vid":"v","TemplateId":"t","CallbackArgs":"\\ud800"}',
        b'{"Vid":["v"],"TemplateId":"t"}',
        b'{"Vid":"v","TemplateId":"t","Input":"{\\"Condition\\":{\\"\\\\ud800\\":true}}"}',
        b'{"Vid":"v","TemplateId":"t","DirectUrl":{"FileName":"a"}}',
        b'{"Vid":"v","TemplateId":"t","Priority":true}',
    ],
)
def test_garbage_is_an_invalid_parameter(call: Call, raw: bytes) -> None:
    answer = call("StartWorkflow", raw=raw)
    error = answer.json()["ResponseMetadata"]["Error"]
    assert (answer.status_code, error["Code"]) == (400, "InvalidParameter")


@pytest.mark.parametrize("query", ["Action=%ff&Version=2020-08-01", "a=" + "x" * 61_000])
def test_a_garbage_query_is_an_invalid_parameter(emulator: VodEmulator, query: str) -> None:
    address = emulator.url.removeprefix("http://")
    connection = http.client.HTTPConnection(address, timeout=20)  # httpx sends no such query
    try:
        connection.request("GET", f"/?{query}")
        document = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    assert document["ResponseMetadata"]["Error"]["Code"] == "InvalidParameter"


@pytest.mark.parametrize("action", [[], {"a": 1}, 5])
def test_an_action_that_is_no_string_is_refused(emulator: VodEmulator, action: object) -> None:
    answer = httpx.post(emulator.url, json={"Action": action, "Version": "2020-08-01"})
    assert 400 <= answer.status_code < 500
    assert answer.json()["ResponseMetadata"]["Error"]["Code"]


def test_a_parameter_twice_must_have_one_value(call: Call) -> None:
    for vid, status in (("v", 200), ("w", 400)):
        answer = call("StartWorkflow", {"Vid": "v"}, document={"Vid": vid, "TemplateId": "t"})
        assert answer.status_code == status


def test_a_plus_in_the_query_is_a_space(call: Call, emulator: VodEmulator) -> None:
    assert call("StartWorkflow", {**BASE, "Vid": "a b"}, plus=True).status_code == 200
    assert emulator.ledger()[0]["vid"] == "a b"


def test_success_has_the_envelope(call: Call) -> None:
    metadata = call("StartWorkflow", BASE).json()["ResponseMetadata"]
    assert metadata.pop("RequestId")
    assert metadata == {
        "Action": "StartWorkflow",
        "Version": "2020-08-01",
        "Service": "vod",
        "Region": "cn-north-1",
    }
