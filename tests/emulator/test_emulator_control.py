"""Controls, faults, the limit, several processes, the official SDK, and the command."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from pulumi_vod_workflow.core.signing import Credentials
from pulumi_vod_workflow.emulator import EmulatorSettings, VodEmulator, create_app
from pulumi_vod_workflow.emulator.__main__ import main
from pulumi_vod_workflow.emulator.faults import Fault
from pulumi_vod_workflow.emulator.settings import parse_model
from pulumi_vod_workflow.emulator.store import Store
from pulumi_vod_workflow.transport.auth import VolcengineAuth

Call = Callable[..., httpx.Response]
BASE = {"Vid": "v", "TemplateId": "t"}


@contextlib.contextmanager
def command(*options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    line = [sys.executable, "-m", "pulumi_vod_workflow.emulator", "--port", "0", *options]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            found = re.search(r"http://[\d.]+:\d+", process.stdout.readline())
            assert found
            yield found[0], process
        finally:
            process.kill()


def test_the_command_serves_until_a_signal(call: Call) -> None:
    """SIGINT; the command that logs gets SIGTERM."""
    with command() as (url, process):
        assert call("StartWorkflow", BASE, url=url).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_two_processes_share_a_store(call: Call, tmp_path: Path) -> None:
    store = ("--store", str(tmp_path / "runs.sqlite3"), "--rate-limit", "0")
    with command(*store) as (one, _), command(*store) as (two, _):

        def start(number: int) -> str:
            answer = call(
                "StartWorkflow", {**BASE, "Vid": f"v{number // 8}"}, url=(one, two)[number % 2]
            )
            return str(answer.json()["Result"]["RunId"])

        with ThreadPoolExecutor(8) as pool:
            runs = list(pool.map(start, range(40)))
        assert len(set(runs)) == 5
        ledgers = [httpx.get(f"{url}/_emulator/ledger").json()["starts"] for url in (one, two)]
        assert ledgers[0] == ledgers[1]
        assert len(ledgers[0]) == 5
        httpx.post(f"{one}/_emulator/clock", json={"advanceSeconds": 100})
        told = call("GetWorkflowExecution", {"RunId": runs[0]}, url=two)
        assert told.json()["Result"]["Status"] == "0"


def test_a_store_outlives_its_emulator(call: Call, tmp_path: Path) -> None:
    settings = EmulatorSettings(store=tmp_path / "runs.sqlite3")
    with VodEmulator(settings) as emulator:
        run_id = call("StartWorkflow", BASE, url=emulator.url).json()["Result"]["RunId"]
        emulator.advance(86400)
    with VodEmulator(settings) as emulator:
        told = call("GetWorkflowExecution", {"RunId": run_id}, url=emulator.url)
        assert told.json()["Result"]["Status"] == "0"
        assert [entry["runId"] for entry in emulator.ledger()] == [run_id]


def test_the_ledger_tells_what_would_be_paid(call: Call, emulator: VodEmulator) -> None:
    call("StartWorkflow", {**BASE, "ClientToken": "x"})
    direct = {"FileName": "a.mp4", "SpaceName": "s"}
    call("StartWorkflow", document={"TemplateId": "u", "DirectUrl": json.dumps(direct)})
    starts = httpx.get(f"{emulator.url}/_emulator/ledger").json()["starts"]
    assert starts == emulator.ledger()
    first, second = starts
    assert (first["vid"], first["clientToken"], first["templateId"]) == ("v", "x", "t")
    assert (second["directUrl"], second["templateId"]) == (direct, "u")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", first["acceptedAt"])


@pytest.mark.parametrize(("when", "billed"), [("before", 0), ("after", 1)])
@pytest.mark.parametrize("kind", ["http", "reset", "truncated", "html", "garbage", "hang"])
def test_faults_happen_before_or_after_the_start(
    call: Call, emulator: VodEmulator, kind: str, when: str, billed: int
) -> None:
    emulator.fault(
        action="StartWorkflow",
        kind=kind,
        when=when,
        status=503,
        code="ServiceUnavailable",
        seconds=0.2,
    )
    if kind in {"reset", "truncated"}:
        how = "without sending complete message body" if kind == "truncated" else None
        with pytest.raises(httpx.TransportError, match=how):
            call("StartWorkflow", BASE)
    else:
        answer = call("StartWorkflow", BASE)
        if kind in {"html", "garbage"}:
            with pytest.raises(ValueError, match=r"Expecting value|can't decode"):
                answer.json()
        if kind == "http":
            error = answer.json()["ResponseMetadata"]["Error"]
            assert (answer.status_code, error["Code"]) == (503, "ServiceUnavailable")
            assert "{" not in error["Message"]
    assert len(emulator.ledger()) == billed
    assert call("StartWorkflow", BASE).status_code == 200, "it happens once"
    assert len(emulator.ledger()) == 1, "a retry joins"


def test_a_fault_carries_headers_and_a_message(call: Call, emulator: VodEmulator) -> None:
    fault = {
        "action": "GetWorkflowTemplate",
        "kind": "http",
        "status": 429,
        "code": "RequestLimitExceeded",
        "message": "slow down",
        "headers": {"retry-after": "7"},
        "times": 2,
    }
    assert httpx.post(f"{emulator.url}/_emulator/faults", json=fault).status_code == 200
    for _ in range(2):
        answer = call("GetWorkflowTemplate", {"TemplateId": "t"})
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
        assert answer.json()["ResponseMetadata"]["Error"]["Message"] == "slow down"
    assert call("GetWorkflowTemplate", {"TemplateId": "t"}).status_code == 200


BAD: list[tuple[str, Any]] = [
    ("clock", {}),
    ("clock", {"advanceSeconds": "1"}),
    ("clock", {"advanceSeconds": -1}),
    ("clock", [1]),
    ("outcomes", {"status": "0", "times": "x"}),
    ("faults", {}),
    ("faults", {"action": "StartWorkflow", "kind": "flood"}),
    ("faults", {"action": "StartWorkflow", "kind": "http", "when": "during"}),
    ("faults", {"action": "StartWorkflow", "kind": "http", "colour": 1}),
    ("faults", {"action": "StartWorkflow", "kind": "http", "times": "x"}),
    ("faults", {"action": "StartWorkflow", "kind": "http", "status": "x"}),
    ("faults", {"action": "StartWorkflow", "kind": "http", "chance": 1.1}),
    ("faults", {"action": "StartWorkflow", "kind": "hang", "seconds": None}),
    ("faults", {"action": "StartWorkflow", "kind": "http", "headers": {"a": 1}}),
    ("faults", {"action": "StartWorkflow", "kind": "http", "headers": {"Content-Length": "5"}}),
    ("faults", {"action": "StartWorkflow", "kind": "http", "status": 204}),
]


@pytest.mark.parametrize(("name", "document"), BAD)
def test_bad_controls_say_what_is_wrong(
    call: Call, emulator: VodEmulator, name: str, document: Any
) -> None:
    answer = httpx.post(f"{emulator.url}/_emulator/{name}", json=document)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert call("StartWorkflow", BASE).status_code == 200, "and nothing came of it"


@pytest.mark.parametrize(
    ("fault", "status", "number"),
    [
        ({"kind": "http", "code": "RequestLimitExceeded"}, 429, None),
        ({"kind": "http", "code": "FailToConnect"}, 502, 100015),
        ({"kind": "http", "code": "InternalServiceTimeout"}, 504, 100016),
        ({"kind": "http", "code": "AccessDenied"}, 403, 100013),
        ({"kind": "http", "code": "Brand{New}"}, 500, None),
        ({"kind": "http", "code": "InternalError", "status": 200}, 200, 100014),
    ],
)
def test_a_fault_has_the_status_and_number_of_its_code(
    call: Call, emulator: VodEmulator, fault: dict[str, Any], status: int, number: int | None
) -> None:
    emulator.fault(action="StartWorkflow", **fault)
    answer = call("StartWorkflow", BASE)
    error = answer.json()["ResponseMetadata"]["Error"]
    assert (answer.status_code, error["Code"], error.get("CodeN")) == (
        status,
        fault["code"],
        number,
    )


@pytest.mark.parametrize(("kind", "begins"), [("html", b"<html>"), ("garbage", b"\x00\x01")])
def test_garbage_has_the_status_that_was_asked_for(
    call: Call, emulator: VodEmulator, kind: str, begins: bytes
) -> None:
    headers = {"Date": "never", "X-Proxy": "p"}
    emulator.fault(action="StartWorkflow", kind=kind, status=502, headers=headers)
    answer = call("StartWorkflow", BASE)
    assert answer.status_code == 502
    assert answer.content.startswith(begins)
    assert answer.headers.get_list("date") == ["never"]
    assert answer.headers["x-proxy"] == "p"


def test_a_refused_request_does_not_use_up_a_lost_answer(call: Call, emulator: VodEmulator) -> None:
    emulator.fault(action="StartWorkflow", kind="http", when="after", status=502)
    assert call("StartWorkflow", {"Vid": "v"}).status_code == 400
    assert call("StartWorkflow", BASE).status_code == 502
    assert call("StartWorkflow", BASE).status_code == 200
    assert len(emulator.ledger()) == 1


@pytest.mark.parametrize("kind", ["reset", "truncated"])
def test_in_process_a_broken_connection_is_an_exception(kind: str) -> None:
    app = create_app()
    app.service.store.add_fault(parse_model(Fault, {"action": "StartWorkflow", "kind": kind}))

    async def ask() -> None:
        keys = Credentials("AKLTEMULATOR", "emulator-secret-key")
        auth = VolcengineAuth(keys, "cn-north-1")
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, auth=auth) as client:
            query = {"Action": "StartWorkflow", "Version": "2020-08-01", **BASE}
            await client.get("http://localhost/", params=query)

    with pytest.raises(ConnectionResetError):
        asyncio.run(ask())


def test_faults_can_fall_to_some_requests_only(call: Call, emulator: VodEmulator) -> None:
    """As many as was said, the same ones for the same seed, and each time by another fault."""
    for status in (500, 502, 504):
        fault = {"kind": "http", "status": status, "chance": 0.15, "times": 1000}
        emulator.fault(action="GetWorkflowTemplate", **fault)

    def statuses(seed: int) -> list[int | None]:
        emulator.settings(seed=seed)
        drawn = [
            emulator.service.claim_fault("GetWorkflowTemplate", number) for number in range(1, 301)
        ]
        return [fault.status if fault else 200 for fault in drawn]

    seen = statuses(1)
    assert 80 < len(seen) - seen.count(200) < 160
    assert {*seen} == {200, 500, 502, 504}
    assert seen == statuses(1) != statuses(2)
    emulator.settings(seed=1)
    ask = {"TemplateId": "t"}
    assert [call("GetWorkflowTemplate", ask).status_code for _ in range(12)] == seen[:12]


def test_the_last_of_a_fault_happens_once(tmp_path: Path) -> None:
    """Two processes that see the same fault do not both take it."""
    one, two = (Store(tmp_path / "runs.sqlite3") for _ in range(2))
    one.add_fault(parse_model(Fault, {"action": "StartWorkflow", "kind": "http"}))
    taken = []

    def falls(_: Fault) -> bool:
        taken.append(two.claim_fault("StartWorkflow", lambda _: True))
        return True

    assert one.claim_fault("StartWorkflow", falls) is None
    assert [fault is not None for fault in taken] == [True]
    for store in (one, two):
        store.close()


def test_processes_share_faults_and_the_limit(call: Call, tmp_path: Path) -> None:
    settings = EmulatorSettings(store=tmp_path / "runs.sqlite3", rate_limit=5)
    with VodEmulator(settings) as one, VodEmulator(settings) as two:
        one.fault(action="StartWorkflow", kind="http", status=503, times=2)
        assert call("StartWorkflow", BASE, url=two.url).status_code == 503
        two.reset()
        assert call("StartWorkflow", BASE, url=one.url).status_code == 200
        answers = [
            call("GetWorkflowTemplate", {"TemplateId": "t"}, url=(one, two)[number % 2].url)
            for number in range(6)
        ]
        assert [answer.status_code for answer in answers] == [*[200] * 5, 429]


@pytest.mark.parametrize("bad", [{"pending_seconds": float("nan")}, {"rate_limit": -1}])
def test_settings_that_cannot_work_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        EmulatorSettings(**bad)
    name = next(iter(bad)).replace("_", "-")
    assert main([f"--{name}=-1", "--port", "0"]) == 2


def test_health_requests_and_reset(call: Call, emulator: VodEmulator) -> None:
    assert httpx.get(f"{emulator.url}/_emulator/health").status_code == 200
    assert httpx.get(f"{emulator.url}/_emulator/nothing").status_code == 404
    call("StartWorkflow", BASE)
    httpx.get(f"{emulator.url}/?Action=Nothing&Version=1")
    httpx.get(f"{emulator.url}/favicon.ico")
    counts = httpx.get(f"{emulator.url}/_emulator/requests").json()["counts"]
    assert counts == emulator.requests() == {"StartWorkflow": 1}
    assert httpx.post(f"{emulator.url}/_emulator/reset").status_code == 200
    assert (emulator.requests(), emulator.ledger()) == ({}, [])


@pytest.mark.parametrize(("peer", "status"), [("127.0.0.1", 200), ("::1", 200), ("10.0.0.7", 403)])
def test_controls_are_only_for_this_machine(peer: str, status: int) -> None:
    async def ask() -> int:
        transport = httpx.ASGITransport(app=create_app(), client=(peer, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return (await client.get("/_emulator/health")).status_code

    assert asyncio.run(ask()) == status


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "https://OWN"},
        {"origin": "http://OWN.evil.example"},
        {"origin": "http://evil.example", "host": "evil.example"},
        {"host": "evil.example"},
        {"host": "10.0.0.7:8765"},
    ],
)
def test_no_page_of_the_web_can_use_the_controls(
    call: Call, emulator: VodEmulator, headers: dict[str, str]
) -> None:
    call("StartWorkflow", BASE)
    own = emulator.url.removeprefix("http://")
    headers = {name: value.replace("OWN", own) for name, value in headers.items()}
    refused = httpx.post(f"{emulator.url}/_emulator/reset", headers=headers)
    assert refused.status_code == 403
    assert len(emulator.ledger()) == 1
    spoofed = {"x-forwarded-for": "10.0.0.7", "host": "localhost:8765"}
    assert httpx.get(f"{emulator.url}/_emulator/health", headers=spoofed).status_code == 200
    ours = httpx.post(f"{emulator.url}/_emulator/reset", headers={"origin": emulator.url})
    assert (ours.status_code, emulator.ledger()) == (200, [])


def test_more_than_the_limit_is_refused_for_each_action(call: Call) -> None:
    with VodEmulator(EmulatorSettings(rate_limit=1)) as emulator:
        url = emulator.url
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: call("StartWorkflow", BASE, url=url), range(8)))
        assert {answer.status_code for answer in answers} == {200, 429}
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert refused.headers["retry-after"] == "1"
        assert refused.json()["ResponseMetadata"]["Error"]["Code"] == "RequestLimitExceeded"
        assert call("GetWorkflowTemplate", {"TemplateId": "t"}, url=url).status_code == 200
        time.sleep(1.05)
        assert call("StartWorkflow", BASE, url=url).status_code == 200


def test_exactly_the_allowed_rate_gets_through(tmp_path: Path) -> None:
    """Of two processes' requests, each millisecond: so many a second, and not one more."""
    stores = [Store(tmp_path / "runs.sqlite3") for _ in range(2)]
    begun = time.time()
    admitted = []
    while (asked := time.time()) < begun + 2.6:
        passed = [store.admit_request("StartWorkflow", 20) for store in stores]
        admitted += [(asked, time.time())] * sum(passed)
        time.sleep(0.001)
    assert len(admitted) == 60, "20 at once, and 20 after each second"
    for (asked, _), (_, answered) in zip(admitted, admitted[20:], strict=False):
        assert answered - asked > 0.99
    for store in stores:
        store.close()


def test_a_hang_keeps_only_its_own_client_waiting(call: Call, emulator: VodEmulator) -> None:
    emulator.fault(action="StartWorkflow", kind="hang", seconds=3)
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(call, "StartWorkflow", BASE)
        time.sleep(0.3)
        begun = time.monotonic()
        assert call("GetWorkflowTemplate", {"TemplateId": "t"}).status_code == 200
        assert time.monotonic() - begun < 2
        assert not hanging.done()
        hanging.result()
