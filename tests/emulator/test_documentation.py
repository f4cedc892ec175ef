"""docs/emulator.md, row by row: what it says is what happens."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from pulumi_vod_workflow.emulator import EmulatorSettings, VodEmulator
from pulumi_vod_workflow.emulator.control_api import READ_ROUTES, WRITE_ROUTES
from pulumi_vod_workflow.emulator.dashboard import MAX_REQUESTS, MAX_RUNS, RUN_PATH
from pulumi_vod_workflow.emulator.http import VERSIONS
from pulumi_vod_workflow.emulator.service import MAX_KEPT_REQUESTS
from pulumi_vod_workflow.emulator.settings import EmulatorSettings as Settings

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "emulator.md").read_text()
Call = Callable[..., httpx.Response]
BASE = {"Vid": "v", "TemplateId": "t"}
SYSTEM = "c3841b3122fd460db2bc99a6ec131cb8"


def table(name: str) -> list[list[str]]:
    """The rows of the table after a comment of that name."""
    lines = PAGE.partition(f"<!-- {name} -->\n")[2].split("\n")[2:]
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return rows


def replaced(old: str, new: str) -> Callable[[dict[str, str]], Any]:
    def change(headers: dict[str, str]) -> None:
        headers["authorization"] = headers["authorization"].replace(old, new)

    return change


def without(name: str) -> Callable[[dict[str, str]], Any]:
    return lambda headers: headers.pop(name)


PROVOKE: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "MissingParameter": ({"Vid": "v"}, {}),
    "MissingAuthenticationToken": (BASE, {"change": without("authorization")}),
    "MissingRequestInfo": (BASE, {"change": without("x-date")}),
    "MissingSignature": (BASE, {"change": replaced("Signature=", "Other=")}),
    "InvalidTimestamp": (BASE, {"moment": "20200101T000000Z"}),
    "ServiceNotFound": (BASE, {"service": "imp"}),
    "InvalidActionOrVersion": (BASE, {"version": "2021-01-01"}),
    "InvalidAccessKey": (BASE, {"access_key": "AKLTOTHER"}),
    "SignatureDoesNotMatch": (BASE, {"secret_key": "other"}),
    "InvalidAuthorization": (BASE, {"change": replaced("HMAC-SHA256", "HMAC-MD5")}),
    "InvalidCredential": (BASE, {"change": replaced("/request", "/other")}),
    "InvalidSecretToken": (BASE, {"token": "STS"}),
    "MethodNotAllowed": (BASE, {"method": "PUT"}),
    "InvalidParameter": ({**BASE, "Priority": "6"}, {}),
    "ResourceNotFound": ({**BASE, "Vid": "emu-missing"}, {}),
}


@pytest.mark.parametrize("row", table("errors"), ids=lambda row: row[0])
def test_each_error(call: Call, emulator: VodEmulator, row: list[str]) -> None:
    code, number, status, how, _ = row
    parameters: dict[str, str] = BASE
    options: dict[str, Any] = {}
    if how == "a fault with this code":
        emulator.fault(action="StartWorkflow", kind="http", code=code)
    elif code == "InvalidClientTokenId":
        emulator.settings(access_key_code=code)
        options = {"access_key": "AKLTOTHER"}
    elif code == "RequestLimitExceeded":
        emulator.settings(rate_limit=1)
        call("StartWorkflow", BASE)
    else:
        parameters, options = PROVOKE[code]
    answer = call("StartWorkflow", parameters, **options)
    error = answer.json()["ResponseMetadata"]["Error"]
    expected = (code, None if number == "-" else int(number), int(status))
    assert (error["Code"], error.get("CodeN"), answer.status_code) == expected
    assert "Result" not in answer.json()
    if code == "RequestLimitExceeded":
        assert answer.headers["retry-after"] == "1"


CODES = {
    # the page's own
    "InvalidParameter", "RequestForbidden", "ResourceNotFound", "ResourceInUse",
    "RequestLimitExceeded", "InternalError", "ServiceUnavailable",
    # the gateway's, and the public ones (facts 5 and 8)
    "MissingParameter", "MissingAuthenticationToken", "MissingRequestInfo", "MissingSignature",
    "InvalidTimestamp", "ServiceNotFound", "InvalidActionOrVersion", "InvalidAccessKey",
    "InvalidClientTokenId", "SignatureDoesNotMatch", "LackPolicy", "LackProjectPolicy",
    "AccessDenied", "FailToConnect", "InternalServiceTimeout", "InvalidAuthorization",
    "InvalidCredential", "InvalidSecretToken", "MethodNotAllowed", "UndefinedError",
    "FlowLimitExceeded", "AccountFlowLimitExceeded", "ServiceUnavailableTemp",
    "InternalServiceError", "InvalidAction", "InvalidVersion", "InvalidDomain",
    "UnsupportedProtocol", "UnsupportedRegion", "Unauthorized",
}  # fmt: skip


def test_every_error_of_the_emulator_is_in_the_page() -> None:
    from pulumi_vod_workflow.emulator.errors import TABLE

    assert {row[0] for row in table("errors")} == set(TABLE) == CODES


def test_a_sub_code_has_the_status_of_its_base(call: Call, emulator: VodEmulator) -> None:
    emulator.fault(action="StartWorkflow", kind="http", code="InvalidParameter.Vid")
    answer = call("StartWorkflow", BASE)
    error = answer.json()["ResponseMetadata"]["Error"]
    assert (answer.status_code, error["Code"]) == (400, "InvalidParameter.Vid")


def test_where_pages_disagree_a_setting_chooses(call: Call, emulator: VodEmulator) -> None:
    emulator.settings(expired_status=400, access_key_code="InvalidClientTokenId")
    late = call("StartWorkflow", BASE, moment="20200101T000000Z")
    assert late.status_code == 400
    other = call("StartWorkflow", BASE, access_key="AKLTOTHER")
    error = other.json()["ResponseMetadata"]["Error"]
    assert (other.status_code, error["Code"]) == (401, "InvalidClientTokenId")
    assert "AKLTOTHER" in error["Message"]


def override(kind: str, item: Any) -> dict[str, str]:
    return {**BASE, "Input": json.dumps({"OverrideParams": {kind: item}})}


BREAKS: dict[str, list[dict[str, str]]] = {
    "Vid, DirectUrl": [{"TemplateId": "t"}, {**BASE, "DirectUrl": '{"FileName":"a"}'}],
    "TemplateId": [{"Vid": "v"}],
    "DirectUrl.FileName": [{"TemplateId": "t", "DirectUrl": "{}"}],
    "DirectUrl.SpaceName": [{"TemplateId": SYSTEM, "DirectUrl": '{"FileName":"a"}'}],
    "Priority": [{**BASE, "Priority": "6"}, {**BASE, "Priority": "0.5"}],
    "CallbackArgs": [{**BASE, "CallbackArgs": "中" * 171}],
    "ClientToken": [{**BASE, "ClientToken": "a" * 65}, {**BASE, "ClientToken": "é"}],
    "EnableLowPriority": [{**BASE, "EnableLowPriority": "yes"}],
    "Input": [{**BASE, "Input": "{"}, {**BASE, "Input": '{"Other":{}}'}],
    "Input.OverrideParams.Logo": [override("Logo", [{}]), override("Logo", [{"TemplateId": []}])],
    "Input.OverrideParams.Snapshot": [
        override("Snapshot", [{"TemplateId": "s"}]),
        override("Snapshot", [{"TemplateId": ["s"], "Width": 4097}]),
        override("Snapshot", [{"TemplateId": ["s"], "SampleOffsets": [-1]}]),
    ],
    "Input.OverrideParams.TranscodeAudio": [
        override("TranscodeAudio", [{}]),
        override("TranscodeAudio", [{"TemplateId": ["a"], "Clip": {"StartTime": 5, "EndTime": 5}}]),
    ],
    "Input.OverrideParams.TranscodeVideo": [
        override("TranscodeVideo", [{"TemplateId": ["a"], "OutputIndex": ["0"]}])
    ],
    "Input.OverrideParams.Enhance": [override("Enhance", ["m"])],
    "any other": [{**BASE, "Colour": "red"}],
}


@pytest.mark.parametrize("row", table("rules"), ids=lambda row: row[0])
def test_each_rule(call: Call, emulator: VodEmulator, row: list[str]) -> None:
    for parameters in BREAKS[row[0]]:
        answer = call("StartWorkflow", parameters)
        assert answer.status_code == 400
        code = answer.json()["ResponseMetadata"]["Error"]["Code"]
        assert code in {"InvalidParameter", "MissingParameter"}
    assert emulator.ledger() == []


def test_every_rule_of_the_page_is_broken_here() -> None:
    assert {row[0] for row in table("rules")} == set(BREAKS)


@pytest.mark.parametrize("row", table("statuses"), ids=lambda row: row[0])
def test_each_status(call: Call, emulator: VodEmulator, row: list[str]) -> None:
    status, how = row
    named = re.search("emu-[a-z0-9-]+", how)
    source = named[0] if named else "v"
    started = call("StartWorkflow", {**BASE, "Vid": source}).json()["Result"]["RunId"]
    emulator.advance({"PendingStart": 0, "Running": 2}.get(status, 10))
    for action in ("GetWorkflowExecution", "GetWorkflowExecutionResult"):
        assert call(action, {"RunId": started}).json()["Result"]["Status"] == status


@pytest.mark.parametrize("row", table("dedup"), ids=lambda row: row[0].split()[0])
@pytest.mark.parametrize("source", ["v", "emu-fail-1001", "emu-fail-2001", "emu-terminated"])
def test_each_dedup_rule(call: Call, emulator: VodEmulator, row: list[str], source: str) -> None:
    rule = row[0].split()[0].strip("`")
    emulator.settings(dedup=rule)
    start = {**BASE, "Vid": source, "ClientToken": "x"}
    runs = [call("StartWorkflow", start).json()["Result"]["RunId"] for _ in range(2)]
    emulator.advance(100)
    runs.append(call("StartWorkflow", start).json()["Result"]["RunId"])
    assert runs[0] == runs[1]
    joins = rule == "finished" and source in {"v", "emu-fail-1001"}
    assert (runs[2] == runs[0]) is joins
    assert len(emulator.ledger()) == (1 if joins else 2)


def test_the_page_names_every_call_setting_and_control() -> None:
    for action, version in VERSIONS.items():
        assert f"| `{action}` | {version} |" in PAGE
    for field in Settings.model_fields.values():
        assert f"`{field.alias}`" in PAGE
    for control in (*READ_ROUTES, *WRITE_ROUTES):
        assert f"`{control}`" in PAGE
    assert f"| `{RUN_PATH}RUNID` |" in PAGE
    for number in (f"newest {MAX_RUNS} runs", f"last {MAX_REQUESTS} requests",
                   f"last {MAX_KEPT_REQUESTS:,}"):  # fmt: skip
        assert number in PAGE


# -- what the settings do ----------------------------------------------------------------------

TEMPLATES: list[dict[str, Any]] = [
    {"templateId": "mine", "spaceName": "s", "name": "feeds", "transcodes": 3, "snapshots": 0},
    {
        "templateId": "other",
        "spaceName": "r",
        "type": "Group",
        "createdAt": "2026-02-01T08:00:00+08:00",
    },
]


def test_templates_exist_or_do_not(call: Call, emulator: VodEmulator) -> None:
    """With a list only those and the built-in ones; outputs as many as they make."""
    emulator.settings(templates=TEMPLATES)
    assert call("StartWorkflow", BASE).status_code == 404
    assert call("StartWorkflow", {**BASE, "TemplateId": SYSTEM}).status_code == 200
    run_id = call("StartWorkflow", {**BASE, "TemplateId": "mine"}).json()["Result"]["RunId"]
    emulator.advance(100)
    made = call("GetWorkflowExecutionResult", {"RunId": run_id}).json()["Result"]
    assert (len(made["TranscodeInfos"]), len(made["Snapshots"])) == (3, 0)
    told = call("GetWorkflowTemplate", {"TemplateId": "mine"}).json()["Result"]["WorkflowTemplate"]
    assert (told["Name"], told["SpaceName"], len(told["Activities"])) == ("feeds", "s", 4)
    assert call("GetWorkflowTemplate", {"TemplateId": "none"}).status_code == 404


def test_an_edited_template_is_a_new_identity(call: Call, emulator: VodEmulator) -> None:
    """While it is unmodified a start joins; its CommitId tells."""
    start = {**BASE, "TemplateId": "mine", "ClientToken": "x"}
    runs, commits = [], []
    for name in ("feeds", "feeds", "edited"):
        emulator.settings(templates=[{**TEMPLATES[0], "name": name}])
        runs.append(call("StartWorkflow", start).json()["Result"]["RunId"])
        told = call("GetWorkflowTemplate", {"TemplateId": "mine"}).json()["Result"]
        commits.append(told["WorkflowTemplate"]["CommitId"])
    assert runs[0] == runs[1] != runs[2]
    assert commits[0] == commits[1] != commits[2]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["other", "mine"]),
        ({"Order": "asc"}, ["mine", "other"]),
        ({"OrderByKey": "updated_at", "Order": "ASC"}, ["mine", "other"]),
        ({"SpaceName": "r"}, ["other"]),
        ({"Type": "Group"}, ["other"]),
        ({"Name": "fee"}, ["mine"]),
        ({"TemplateId": "mine"}, ["mine"]),
        ({"Limit": "1"}, ["other"]),
        ({"Limit": "1", "Offset": "1"}, ["mine"]),
        ({"Offset": "9"}, []),
    ],
)
def test_templates_are_listed(
    call: Call, emulator: VodEmulator, query: dict[str, str], found: list[str]
) -> None:
    """Filtered, sorted and paged; the total is a string of digits, and of all pages."""
    emulator.settings(templates=TEMPLATES, list_system_templates=False)
    told = call("ListWorkflowTemplate", query).json()["Result"]
    assert [item["TemplateId"] for item in told["Data"]] == found
    assert told["Limit"] == int(query.get("Limit", 30))
    if not set(query) & {"Limit", "Offset"}:
        assert told["Total"] == str(len(found))
    assert isinstance(told["Total"], str)


@pytest.mark.parametrize(
    "query", [{"Limit": "101"}, {"Offset": "-1"}, {"Order": "up"}, {"OrderByKey": "name"}]
)
def test_lists_have_rules_too(call: Call, query: dict[str, str]) -> None:
    assert call("ListWorkflowTemplate", query).status_code == 400


def test_built_in_templates_are_listed_or_not(call: Call, emulator: VodEmulator) -> None:
    """Whether the service finds them is not known: a setting chooses."""
    assert call("ListWorkflowTemplate").json()["Result"]["Total"] == "4"
    none = call("ListWorkflowTemplate", {"SpaceName": "system"}).json()["Result"]
    assert none["Total"] == "0", "they are of no space"
    assert call("GetWorkflowTemplate", {"TemplateId": SYSTEM}).status_code == 200
    emulator.settings(list_system_templates=False)
    assert call("ListWorkflowTemplate").json()["Result"]["Total"] == "0"
    assert call("GetWorkflowTemplate", {"TemplateId": SYSTEM}).status_code == 404
    assert call("StartWorkflow", {**BASE, "TemplateId": SYSTEM}).status_code == 200


def test_videos_are_told_with_their_spaces(call: Call, emulator: VodEmulator) -> None:
    """Those that are missing are no error but a list; so is what StartWorkflow would not find."""
    emulator.settings(vids={"v": "mine", "w": "other"})
    told = call("GetMediaInfos", {"Vids": "v,nobody,w,v"}).json()["Result"]
    infos = [item["BasicInfo"] for item in told["MediaInfoList"]]
    assert [(info["Vid"], info["SpaceName"]) for info in infos] == [("v", "mine"), ("w", "other")]
    assert told["NotExistVids"] == ["nobody"]
    emulator.settings(vids=None)
    told = call("GetMediaInfos", {"Vids": "any,emu-missing"}).json()["Result"]
    assert told["MediaInfoList"][0]["BasicInfo"]["SpaceName"] == "emulated-space"
    assert told["NotExistVids"] == ["emu-missing"]
    vids = "v,emu-seconds-90.5"
    told = call("GetMediaInfos", {"Vids": vids}).json()["Result"]["MediaInfoList"]
    assert [item["SourceInfo"]["Duration"] for item in told] == [60.0, 90.5]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, "MissingParameter"),
        ({"Vids": ""}, "InvalidParameter"),
        ({"Vids": "a,,b"}, "InvalidParameter"),
        ({"Vids": ",".join(map(str, range(21)))}, "InvalidParameter"),
        ({"Vids": "a", "SpaceName": "s"}, "InvalidParameter"),
    ],
)
def test_a_question_about_videos_has_rules(call: Call, query: dict[str, str], code: str) -> None:
    """At least one and at most twenty, and nothing else."""
    answer = call("GetMediaInfos", query)
    assert (answer.status_code, answer.json()["ResponseMetadata"]["Error"]["Code"]) == (400, code)
    most = call("GetMediaInfos", {"Vids": ",".join(map(str, range(20)))})
    assert len(most.json()["Result"]["MediaInfoList"]) == 20


def test_spaces_and_vids_exist_or_do_not(call: Call, emulator: VodEmulator) -> None:
    emulator.settings(vids={"v": "mine"}, spaces=["mine"])
    run_id = call("StartWorkflow", BASE).json()["Result"]["RunId"]
    assert call("GetWorkflowExecution", {"RunId": run_id}).json()["Result"]["SpaceName"] == "mine"
    assert call("StartWorkflow", {**BASE, "Vid": "w"}).status_code == 404
    for space, status in (("mine", 200), ("other", 404)):
        source = json.dumps({"FileName": "f", "SpaceName": space})
        answer = call("StartWorkflow", {"TemplateId": "t", "DirectUrl": source})
        assert answer.status_code == status
    emulator.settings(templates=[{**TEMPLATES[0], "spaceName": "mine"}])
    start = {"TemplateId": "mine", "DirectUrl": '{"FileName":"f"}'}
    run_id = call("StartWorkflow", start).json()["Result"]["RunId"]
    told = call("GetWorkflowExecution", {"RunId": run_id}).json()["Result"]
    assert told["SpaceName"] == "mine", "a file without a space is in its workflow's"


def test_a_low_priority_run_is_pending_longer(call: Call, emulator: VodEmulator) -> None:
    run_id = call("StartWorkflow", {**BASE, "EnableLowPriority": "true"}).json()["Result"]["RunId"]
    for seconds, status in ((25, "PendingStart"), (7, "Running"), (5, "0")):
        emulator.advance(seconds)
        told = call("GetWorkflowExecution", {"RunId": run_id}).json()["Result"]
        assert (told["Status"], told["EnableLowPriority"]) == (status, True)


def test_a_region_can_be_demanded(call: Call) -> None:
    for region, status in (("cn-north-1", 200), ("ap-southeast-1", 400)):
        with VodEmulator(EmulatorSettings(region=region)) as emulator:
            assert call("StartWorkflow", BASE, url=emulator.url).status_code == status
