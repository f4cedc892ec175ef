"""The emulator, held to published vectors and to the official SDK."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from volcengine.auth.SignerV4 import SignerV4
from volcengine.base.Request import Request
from volcengine.Credentials import Credentials

from pulumi_vod_workflow.emulator import EmulatorSettings, VodEmulator, create_app
from pulumi_vod_workflow.emulator.errors import Refusal
from pulumi_vod_workflow.emulator.store import Store
from pulumi_vod_workflow.emulator.verify import Keys, Signed, verify

AT = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = Keys("AKLTEXAMPLE", "c2VjcmV0")
STARTS = [("Action", "StartWorkflow"), ("Version", "2020-08-01")]
GOLDEN: dict[str, tuple[Signed, Keys, str, str]] = {
    "A": (
        Signed(
            "GET",
            "/",
            [
                *STARTS,
                ("Vid", "v0d399g10001"),
                ("TemplateId", "c3841b3122fd460db2bc99a6ec131cb8"),
            ],
            {"x-content-sha256": "", "host": "vod.volcengineapi.com"},
            b"",
        ),
        KEYS,
        "host;x-content-sha256;x-date",
        "2cbe353f051884f8f33c942c14d6da3c85873a900ca080fc969f05a8e766aeef",
    ),
    "B": (
        Signed(
            "GET",
            "/",
            [*STARTS, ("Vid", "v 1+中*~(')!"), ("TemplateId", "t")],
            {
                "x-content-sha256": "",
                "host": "vod.volcengineapi.com",
                "x-security-token": "STS2abc==",
            },
            b"",
        ),
        Keys("AKLTEXAMPLE", "c2VjcmV0", "STS2abc=="),
        "host;x-content-sha256;x-date;x-security-token",
        "ac2e99207f0666b105fb9220a158618ebc693f6b1b2a260fc222cb536eda3089",
    ),
    "C": (
        Signed(
            "POST",
            "/",
            STARTS,
            {
                "x-content-sha256": "",
                "host": "vod.volcengineapi.com",
                "content-type": "application/json",
            },
            b'{"Vid":"v1","TemplateId":"t"}',
        ),
        KEYS,
        "content-type;host;x-content-sha256;x-date",
        "a2a550b3abde00d0b5683b997b9c14e29ce452cd0bd0fc533dfe7c5ed1523db4",
    ),
    "D": (
        Signed(
            "GET",
            "/",
            [("Action", "GetWorkflowExecution"), ("Version", "2020-08-01"), ("RunId", "lb:1")],
            {},
            b"",
        ),
        KEYS,
        "x-date",
        "3a685ebd53909c30fd1c584214f8717970dadae24f00ab144e96ebde49b76588",
    ),
}


@pytest.fixture(scope="module")
def service() -> Iterator[VodEmulator]:
    settings = EmulatorSettings(rate_limit=0, pending_seconds=100, running_seconds=100)
    with VodEmulator(settings) as emulator:
        yield emulator


@pytest.fixture
def emulator(service: VodEmulator) -> VodEmulator:
    service.reset()
    return service


def call(emulator: VodEmulator, *, keys: tuple[str, str] | None = None, **query: Any) -> Any:
    """Call as the official SDK signs, and return status and document."""
    official = Request()
    official.method, official.path = "GET", "/"
    official.host = emulator.url.removeprefix("http://")
    official.headers = {"Host": official.host}
    official.query = {"Action": "StartWorkflow", "Version": "2020-08-01", **query}
    access, secret = keys or ("AKLTEMULATOR", "emulator-secret-key")
    SignerV4.sign(official, Credentials(access, secret, "vod", "cn-north-1"))
    response = httpx.get(emulator.url, params=official.query, headers=official.headers)
    return response.status_code, response.json()


def refusal(answer: Any) -> tuple[int, str, int | None]:
    status, document = answer
    error = document["ResponseMetadata"]["Error"]
    assert "Result" not in document
    return status, error["Code"], error.get("CodeN")


@pytest.mark.parametrize(("request_", "keys", "names", "signature"), GOLDEN.values(), ids=GOLDEN)
def test_golden_vectors_verify(request_: Signed, keys: Keys, names: str, signature: str) -> None:
    """Facts 5: what the official signer makes is accepted, and one changed bit is not."""
    import hashlib

    headers = {**request_.headers, "x-date": "20260101T000000Z"}
    if "x-content-sha256" in headers:
        headers["x-content-sha256"] = hashlib.sha256(request_.body).hexdigest()
    for value, good in ((signature, True), ("0" + signature[1:], signature[0] == "0")):
        headers["authorization"] = (
            "HMAC-SHA256 Credential=AKLTEXAMPLE/20260101/cn-north-1/vod/request, "
            f"SignedHeaders={names}, Signature={value}"
        )
        signed = Signed(request_.method, request_.path, request_.query, headers, request_.body)
        if good:
            assert verify(signed, keys, AT) == "cn-north-1"
        else:
            with pytest.raises(Refusal, match="SignatureDoesNotMatch"):
                verify(signed, keys, AT)


def test_the_official_sdk_works(emulator: VodEmulator) -> None:
    """The Python SDK, unmodified but for host and key, starts and reads runs."""
    from volcengine.vod.models.request.request_vod_pb2 import (
        VodGetWorkflowExecutionStatusRequest,
        VodGetWorkflowResultRequest,
        VodStartWorkflowRequest,
    )
    from volcengine.vod.VodService import VodService

    sdk = VodService()
    sdk.set_ak("AKLTEMULATOR")
    sdk.set_sk("emulator-secret-key")
    sdk.set_scheme("http")
    sdk.set_host(emulator.url.removeprefix("http://"))
    request = VodStartWorkflowRequest()
    request.Vid, request.TemplateId, request.ClientToken = "v 中+1", "t", "token"
    request.EnableLowPriority = True
    request.Input.OverrideParams.Logo.add(TemplateId="All", Vars={"文字": "水印 a+b"})
    run_id = sdk.start_workflow(request).Result.RunId
    [start] = emulator.ledger()
    assert (start["runId"], start["vid"], start["clientToken"]) == (run_id, "v 中+1", "token")
    status = VodGetWorkflowExecutionStatusRequest(RunId=run_id)
    execution = sdk.get_workflow_execution(status).Result
    assert (execution.Status, execution.EnableLowPriority) == ("PendingStart", True)
    emulator.advance(300)
    result = sdk.get_workflow_execution_result(VodGetWorkflowResultRequest(RunId=run_id))
    assert result.Result.Status == "0"
    assert result.Result.TranscodeInfos[0].VideoStreamMeta.Codec == "h264"


BAD: list[dict[str, Any]] = [
    {"TemplateId": "t"},
    {"Vid": "v", "DirectUrl": '{"FileName":"f"}', "TemplateId": "t"},
    {"Vid": "v", "TemplateId": "t", "Priority": "6"},
    {"Vid": "v", "TemplateId": "t", "CallbackArgs": "中" * 171},
    {"Vid": "v", "TemplateId": "t", "ClientToken": "é"},
    {"Vid": "v", "TemplateId": "t", "EnableLowPriority": "yes"},
    {"Vid": "v", "TemplateId": "t", "Colour": "red"},
    {"Vid": "v", "TemplateId": "t", "Input": "{"},
    {"Vid": "v", "TemplateId": "t", "Input": '{"OverrideParams":{"Logo":[{"Vars":{}}]}}'},
    {"Vid": "v", "TemplateId": "t", "Input": '{"OverrideParams":{"Snapshot":[{"Width":1}]}}'},
    {"DirectUrl": "{}", "TemplateId": "t"},
    {"DirectUrl": '{"FileName":"f"}', "TemplateId": "c3841b3122fd460db2bc99a6ec131cb8"},
]


@pytest.mark.parametrize("query", BAD, ids=lambda query: json.dumps(query)[:40])
def test_parameter_rules(emulator: VodEmulator, query: dict[str, Any]) -> None:
    """What the page forbids is InvalidParameter, and nothing is accepted."""
    assert refusal(call(emulator, **query)) == (400, "InvalidParameter", None)
    assert emulator.ledger() == []


def test_gateway_errors(emulator: VodEmulator) -> None:
    """Wrong key, wrong secret, unknown action and no signature have the gateway's codes."""
    good = {"Vid": "v", "TemplateId": "t"}
    wrong_key = call(emulator, keys=("AKLTOTHER", "emulator-secret-key"), **good)
    assert refusal(wrong_key) == (401, "InvalidAccessKey", 100009)
    wrong_secret = call(emulator, keys=("AKLTEMULATOR", "other"), **good)
    assert refusal(wrong_secret) == (401, "SignatureDoesNotMatch", 100010)
    assert refusal(call(emulator, Action="Nothing")) == (404, "InvalidActionOrVersion", 100008)
    assert refusal(call(emulator, Vid="v")) == (400, "MissingParameter", 100002)
    assert refusal(call(emulator, Vid="missing", TemplateId="t"))[:2] == (404, "ResourceNotFound")
    bare = httpx.get(emulator.url, params={"Action": "StartWorkflow", "Version": "2020-08-01"})
    answer = (bare.status_code, bare.json())
    assert refusal(answer) == (401, "MissingAuthenticationToken", 100003)


@pytest.mark.parametrize(
    ("dedup", "outcome", "starts"),
    [
        ("unfinished", "0", 2),
        ("finished", "0", 1),
        ("finished", "1001", 1),
        ("finished", "2001", 2),
        ("finished", "Terminated", 2),
    ],
)
def test_both_dedup_rules(dedup: Any, outcome: str, starts: int) -> None:
    """Facts 4: unfinished runs always join; finished ones by the switch."""
    store = Store(None)
    store.outcome(outcome, 1, "")
    start = {"Vid": "v", "TemplateId": "t", "ClientToken": "x"}

    def accept() -> str:
        return store.accept(start, dedup=dedup, pending=1, running=1)

    first = accept()
    assert accept() == first
    store.advance(5)
    assert (accept() == first) is (starts == 1)
    assert len(store.ledger()) == starts
    store.close()


def test_two_connections_to_one_store_accept_once(tmp_path: Path) -> None:
    """Processes that share a file neither lose nor double a start."""
    stores = [Store(tmp_path / "s.sqlite3") for _ in range(2)]
    starts = [{"Vid": f"v{n % 20}", "TemplateId": "t"} for n in range(80)]

    def accept(n: int) -> str:
        return stores[n % 2].accept(starts[n], dedup="unfinished", pending=50, running=1)

    with ThreadPoolExecutor(8) as pool:
        run_ids = list(pool.map(accept, range(80)))
    assert len(set(run_ids)) == len(stores[0].ledger()) == 20
    for store in stores:
        store.close()


def test_the_rate_limit() -> None:
    """As many of an action as allowed pass in a second; the next is told to wait."""
    app = create_app(EmulatorSettings(rate_limit=5))
    for _ in range(5):
        app._limit("StartWorkflow")
    with pytest.raises(Refusal) as caught:
        app._limit("StartWorkflow")
    assert (caught.value.status, caught.value.headers) == (429, {"retry-after": "1"})
    app._limit("GetWorkflowExecution")
    app.store.close()


def test_command_line(tmp_path: Path) -> None:
    """It says where it listens, keeps its store, and ends cleanly."""
    command = [sys.executable, "-m", "pulumi_vod_workflow.emulator", "--port", "0"]
    environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [*command, "--store", str(tmp_path / "s.sqlite3")],
        stdout=subprocess.PIPE,
        text=True,
        env=environ,
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        assert httpx.get(f"{url}/_emulator/ledger").json() == {"starts": []}
        bad = httpx.post(f"{url}/_emulator/faults", json={"kind": "x"})
        assert bad.status_code == 400
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) in {0, -signal.SIGTERM}
