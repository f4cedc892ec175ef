"""Time, chance, events and what a person sees."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.server
import json
import logging
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pulumi_vod_workflow.config.settings import load_settings
from pulumi_vod_workflow.emulator import EmulatorSettings, VodEmulator
from pulumi_vod_workflow.emulator.__main__ import main
from pulumi_vod_workflow.emulator.settings import Rule
from tests.emulator.conftest import send
from tests.emulator.test_emulator_control import command
from tests.scale import scaled

Call = Callable[..., httpx.Response]
BASE = {"Vid": "v", "TemplateId": "t"}


def start(call: Call, **more: str) -> str:
    return str(call("StartWorkflow", {**BASE, **more}).json()["Result"]["RunId"])


def status(call: Call, run_id: str) -> str:
    return str(call("GetWorkflowExecution", {"RunId": run_id}).json()["Result"]["Status"])


# -- time --------------------------------------------------------------------------------------


def test_a_frozen_clock_stands_and_can_be_moved(call: Call, emulator: VodEmulator) -> None:
    emulator.clock(speed=0)
    run_id = start(call)
    time.sleep(1.2)  # of the second that it is pending
    assert status(call, run_id) == "PendingStart"
    emulator.advance(1)
    assert status(call, run_id) == "Running"
    emulator.advance(4)
    assert status(call, run_id) == "0"


def test_a_fast_clock_hurries(call: Call, emulator: VodEmulator) -> None:
    emulator.clock(speed=100)
    run_id = start(call)
    time.sleep(0.1)
    assert status(call, run_id) == "0"


def test_a_stepped_clock_moves_with_each_request(call: Call, emulator: VodEmulator) -> None:
    emulator.clock(speed=0, step_seconds=1)
    run_id = start(call)
    seen = [status(call, run_id) for _ in range(6)]
    assert seen == ["Running"] * 4 + ["0"] * 2


def test_a_clock_can_begin_in_the_future(call: Call, emulator: VodEmulator) -> None:
    emulator.clock(to="2040-01-01T08:00:00+08:00", speed=0)
    run_id = start(call)
    told = call("GetWorkflowExecution", {"RunId": run_id}).json()["Result"]
    assert told["CreateTime"] == "2040-01-01T00:00:00Z"
    for wrong in ("2000-01-01T00:00:00Z", "2040-01-01T00:00:00", "9999-01-01T00:00:00Z"):
        with pytest.raises(ValueError, match=r"to|clock"):
            emulator.clock(to=wrong)


def test_a_stepped_clock_stands_at_the_end_of_time(call: Call, emulator: VodEmulator) -> None:
    emulator.clock(speed=0, to="2199-12-31T23:59:59Z", step_seconds=10)
    for _ in range(3):
        assert call("GetWorkflowTemplate", {"TemplateId": "t"}).status_code == 200


def test_latency_is_before_each_answer(call: Call, emulator: VodEmulator) -> None:
    emulator.settings(latency_seconds=[0.2, 0.3])
    begun = time.monotonic()
    start(call)
    assert time.monotonic() - begun >= 0.2
    drawn = []
    for _ in range(2):
        emulator.reset()
        emulator.settings(latency_seconds=[0.2, 0.3], seed=3)
        drawn.append([emulator.service.next_latency() for _ in range(3)])
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 3


# -- chance ------------------------------------------------------------------------------------

RULES = [
    {"source": "slow/*", "runningSeconds": 100},
    {"template": "t-fails", "status": "1006"},
    {"chance": 0.3, "status": "2003", "pendingSeconds": [1, 9]},
]


def outcomes(seed: int) -> list[tuple[str, str]]:
    settings = EmulatorSettings(rate_limit=0, seed=seed, rules=tuple(map(Rule.model_validate, [
        {"chance": 0.3, "status": "2003", "pendingSeconds": [1, 9]}])))  # fmt: skip
    with VodEmulator(settings) as emulator:

        def call(*args: Any, **more: Any) -> httpx.Response:
            return send(emulator.url, *args, **more)

        runs = [start(call, Vid=f"v{number}") for number in range(40)]
        emulator.advance(100)
        return [(run_id, status(call, run_id)) for run_id in runs]


def test_a_seed_decides_all_that_is_left_to_chance() -> None:
    """Twice the same, run ids included; another seed is another story."""
    first = outcomes(7)
    assert first == outcomes(7)
    assert [end for _, end in first] != [end for _, end in outcomes(8)]
    failed = sum(end == "2003" for _, end in first)
    assert 4 <= failed <= 20, "three in ten, more or less"


def test_the_first_rule_that_matches_decides(call: Call, emulator: VodEmulator) -> None:
    emulator.settings(rules=[*RULES[:2], {"status": "2003"}], running_seconds=2)
    slow, fails, usual = (
        start(call, Vid="slow/v"),
        start(call, TemplateId="t-fails"),
        start(call, Vid="emu-fail-1001"),
    )
    emulator.advance(50)
    assert [status(call, run_id) for run_id in (slow, fails, usual)] == ["Running", "1006", "1001"]
    emulator.outcome("Terminated", match="w[x]*")
    named = start(call, Vid="--w[x]*--")
    emulator.advance(50)
    assert status(call, named) == "Terminated", "an outcome comes before all rules, literally"
    for wrong in ("Running", "Success", "3000", ""):
        with pytest.raises(ValueError, match="status"):
            emulator.outcome(wrong)


def test_settings_are_shared_checked_and_forgotten(call: Call, tmp_path: Path) -> None:
    shared = EmulatorSettings(store=tmp_path / "runs.sqlite3", rate_limit=0)
    with VodEmulator(shared) as one, VodEmulator(shared) as two:
        one.settings(rules=[{"status": "1001"}])
        run_id = start(lambda *args, **more: send(two.url, *args, **more))
        shown = httpx.get(f"{two.url}/_emulator/settings").json()
        assert (shown["rules"][0]["status"], shown["rateLimit"]) == ("1001", 0)
        two.advance(100)
        told = send(one.url, "GetWorkflowExecution", {"RunId": run_id}).json()["Result"]
        assert told["Status"] == "1001"
        bad: list[dict[str, Any]] = [
            {"rule": []},
            {"rules": [{"chance": 2}]},
            {"runningSeconds": [5, 1]},
        ]
        for wrong in bad:
            answer = httpx.post(f"{one.url}/_emulator/settings", json=wrong)
            assert answer.status_code == 400
            assert next(iter(wrong)) in answer.json()["error"]
        two.reset()
        assert httpx.get(f"{one.url}/_emulator/settings").json()["rules"] == []


@pytest.mark.parametrize("suffix", ["json", "toml"])
def test_everything_can_be_set_by_a_file(
    call: Call, tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Options go before the file; what is wrong with it is one line."""
    path = tmp_path / f"settings.{suffix}"
    path.write_text(
        json.dumps(
            {
                "rules": RULES,
                "rateLimit": 1,
                "runningSeconds": [2, 3],
                "seed": 9,
                "faults": [{"action": "GetWorkflowTemplate", "kind": "http", "status": 504}],
                "outcomes": [{"status": "1006"}],
            }
        )
        if suffix == "json"
        else """
            rateLimit = 1
            runningSeconds = [2, 3]
            seed = 9
            [[rules]]
            status = "1006"
            [[faults]]
            action = "GetWorkflowTemplate"
            kind = "http"
            status = 504
            """
    )
    clock = 'clock={"speed": 0, "to": "2040-01-01T00:00:00Z"}'
    options = ("--config", str(path), "--rate-limit", "0", "--set", "seed=5", "--set", clock)
    with command(*options) as (url, _):
        shown = httpx.get(f"{url}/_emulator/settings").json()
        assert (shown["rateLimit"], shown["runningSeconds"], shown["seed"]) == (0, [2, 3], 5)
        run_id = call("StartWorkflow", {**BASE, "TemplateId": "t-fails"}, url=url).json()["Result"]
        assert run_id == {"RunId": f"emu:00000005{1:024x}"}
        httpx.post(f"{url}/_emulator/clock", json={"advanceSeconds": 100})
        told = call("GetWorkflowExecution", run_id, url=url).json()["Result"]
        assert told["Status"] == "1006"
        assert told["CreateTime"] == "2040-01-01T00:00:00Z"
        assert call("GetWorkflowTemplate", {"TemplateId": "t"}, url=url).status_code == 504
        assert call("GetWorkflowTemplate", {"TemplateId": "t"}, url=url).status_code == 200
    path.write_text("nonsense")
    capsys.readouterr()
    assert main(["--config", str(path)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert str(path) in line


@pytest.mark.parametrize(
    "wrong", ["colour=1", "faults={}", 'faults=[{"kind": "flood"}]', "clock=[]", "rules"]
)
def test_what_cannot_be_set_is_one_line(wrong: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--set", wrong]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert wrong.partition("=")[0] in line or "kind" in line


# -- events ------------------------------------------------------------------------------------


class Receiver(http.server.ThreadingHTTPServer):
    """A subscriber that answers as it is told, 200 at the end."""

    def __init__(self) -> None:
        self.seen: queue.Queue[tuple[dict[str, str], bytes]] = queue.Queue()
        self.answers: list[int] = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.end_headers()
                receiver.seen.put((headers, body))

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/events?a=b"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_ended_run_is_told_signed(call: Call, emulator: VodEmulator, receiver: Receiver) -> None:
    """The whole event, with the run's own arguments, verified as the service's page says."""
    emulator.clock(speed=0)
    emulator.settings(
        subscriptions=[
            {"url": receiver.url, "privateKey": "abcd1234", "contentType": "application/json"}
        ]
    )
    shown = httpx.get(f"{emulator.url}/_emulator/settings").text
    assert "abcd1234" not in shown
    run_id = start(call, CallbackArgs="参数 1")
    failed = start(call, Vid="emu-fail-1001")
    assert receiver.seen.empty()
    emulator.advance(5)
    events = {}
    for _ in range(2):
        headers, body = receiver.seen.get(timeout=10)
        stamp = headers["x-vod-timestamp"]
        text = f"{receiver.url}|{stamp}|abcd1234|{base64.b64encode(body).decode()}"
        assert headers["x-vod-signature"] == hashlib.md5(text.encode()).hexdigest()
        assert headers["content-type"] == "application/json"
        event = json.loads(body)
        events[event["Data"]["RunId"]] = event
    event = events[run_id]
    assert (event["EventType"], event["Version"]) == ("WorkflowComplete", "1.0")
    data = event["Data"]
    assert (data["Code"], data["CallbackArgs"], data["Vid"]) == ("0", "参数 1", "v")
    assert (data["SpaceName"], data["TemplateId"]) == ("emulated-space", "t")
    assert len(data["TranscodeInfos"]) == len(data["Snapshots"]) == 1
    assert events[failed]["Data"]["Code"] == "1001"
    assert events[failed]["Data"]["TranscodeInfos"] == []
    wait_for(lambda: {item["state"] for item in emulator.events()} == {"delivered"})


def test_an_event_is_retried_by_the_emulators_clock_and_dropped(
    call: Call, emulator: VodEmulator, receiver: Receiver
) -> None:
    """After 5, 10 and 30 s; not before, and not for ever."""
    emulator.clock(speed=0)
    emulator.settings(subscriptions=[{"url": receiver.url}])
    receiver.answers = [500, 302, 204, 500]
    start(call)
    emulator.advance(5)
    for number, wait in enumerate((5, 10, 30), 1):
        receiver.seen.get(timeout=10)
        wait_for(lambda number=number: emulator.events()[0]["attempts"] == number)  # type: ignore[misc]
        emulator.advance(wait - 1)
        time.sleep(0.2)
        assert receiver.seen.empty()
        emulator.advance(1)
    receiver.seen.get(timeout=10)
    wait_for(lambda: emulator.events()[0]["state"] == "dropped")
    emulator.advance(1000)
    time.sleep(0.2)
    assert receiver.seen.empty()


def test_some_events_come_twice_and_some_go_elsewhere(
    call: Call, emulator: VodEmulator, receiver: Receiver
) -> None:
    emulator.clock(speed=0)
    emulator.settings(
        subscriptions=[
            {"url": receiver.url, "twice": 1.0},
            {"url": "http://127.0.0.1:9/nobody", "spaceName": "another"},
        ]
    )
    start(call)
    start(call, Vid="emu-unknown-status")  # never ends
    emulator.advance(10)
    bodies = [json.loads(receiver.seen.get(timeout=10)[1])["Data"]["RunId"] for _ in range(2)]
    assert bodies[0] == bodies[1]
    wait_for(lambda: emulator.events()[0]["state"] == "delivered")
    assert len(emulator.events()) == 1


@pytest.mark.waits
def test_a_slow_subscriber_holds_nobody_up_and_is_not_waited_for(
    call: Call, emulator: VodEmulator, receiver: Receiver
) -> None:
    """One that drips has five seconds in all; the others hear at once."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        slow = f"http://127.0.0.1:{listener.getsockname()[1]}/"

        def drip() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                while True:
                    connection.sendall(b"H")
                    time.sleep(0.5)

        threading.Thread(target=drip, daemon=True).start()
        emulator.clock(speed=0)
        emulator.settings(subscriptions=[{"url": slow}, {"url": receiver.url}])
        start(call)
        emulator.advance(5)
        begun = time.monotonic()
        receiver.seen.get(timeout=3)
        wait_for(lambda: emulator.events()[0]["attempts"] == 1)
        assert 4 < time.monotonic() - begun < 9
        assert emulator.events()[0]["state"] == "waiting"


def test_an_event_under_way_does_not_answer_for_another(
    call: Call, emulator: VodEmulator, receiver: Receiver
) -> None:
    """A reset forgets events; one that is still carried says nothing of those that come after."""
    store = emulator.service.store
    emulator.clock(speed=0)
    emulator.settings(subscriptions=[{"url": receiver.url}])
    start(call)
    store.set_clock(advance=5)
    receiver.seen.get(timeout=10)
    wait_for(lambda: emulator.events()[0]["state"] == "delivered")
    with store._transaction() as db:
        db.execute("UPDATE deliveries SET state = 'waiting'")
    old = store.claim_delivery(10)
    if old is None:  # the emulator's own courier was faster
        receiver.seen.get(timeout=10)
        return
    emulator.reset()
    emulator.clock(speed=0)
    emulator.settings(subscriptions=[{"url": receiver.url}])
    run_id = start(call)
    store.mark_delivered(old)
    emulator.advance(5)
    told = json.loads(receiver.seen.get(timeout=10)[1])
    assert told["Data"]["RunId"] == run_id


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "https://127.0.0.1/",
        "file:///tmp/x",
        "http://127.0.0.1/\x7fa",
        "http://127.0.0.1:99999/",
    ],
)
def test_events_stay_on_this_machine(emulator: VodEmulator, url: str) -> None:
    with pytest.raises(ValueError, match="loopback"):
        emulator.settings(subscriptions=[{"url": url}])


def test_a_receiver_that_is_not_there_is_waited_for(
    call: Call, emulator: VodEmulator, receiver: Receiver
) -> None:
    emulator.clock(speed=0)
    emulator.settings(subscriptions=[{"url": "http://127.0.0.1:9/nobody"}])
    start(call)
    emulator.advance(5)
    wait_for(lambda: emulator.events()[0]["attempts"] == 1)
    assert emulator.events()[0]["state"] == "waiting"


# -- what a person sees ------------------------------------------------------------------------


def test_each_request_is_a_line_of_json(
    call: Call, emulator: VodEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    """With what helps to find it, and nothing of its parameters or its signature."""
    caplog.set_level(logging.INFO, "pulumi_vod_workflow.emulator.access")
    run_id = start(call, CallbackArgs="hidden-args")
    call("StartWorkflow", {**BASE, "Priority": "9"})
    wait_for(lambda: len(caplog.messages) == 2)
    good, bad = map(json.loads, caplog.messages)
    assert (good["action"], good["status"], good["runId"]) == ("StartWorkflow", 200, run_id)
    assert (bad["status"], bad["code"], bad["runId"]) == (400, "InvalidParameter", None)
    assert {"time", "requestId", "method", "milliseconds"} <= set(good)
    for hidden in ("hidden-args", "Signature", "AKLT"):
        assert hidden not in "".join(caplog.messages)


@pytest.mark.parametrize("waiting", ["half a body", "a hang"])
@pytest.mark.parametrize("in_process", [False, True])
def test_it_shuts_down_while_a_request_is_open(
    call: Call, capfd: pytest.CaptureFixture[str], waiting: str, in_process: bool
) -> None:
    """Within seconds, and without a word."""

    def open_request(url: str) -> socket.socket:
        address, _, port = url.removeprefix("http://").partition(":")
        connection = socket.create_connection((address, int(port)), timeout=10)
        if waiting == "half a body":
            connection.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
        else:
            fault = {"action": "StartWorkflow", "kind": "hang", "seconds": 60}
            httpx.post(f"{url}/_emulator/faults", json=fault)
            threading.Thread(target=_quietly, args=(call, url), daemon=True).start()
        time.sleep(0.5)
        return connection

    if in_process:
        emulator = VodEmulator(EmulatorSettings()).start()
        connection = open_request(emulator.url)
        begun = time.monotonic()
        emulator.stop()
    else:
        with command() as (url, process):
            connection = open_request(url)
            begun = time.monotonic()
            process.terminate()
            assert process.wait(10) == 0
    assert time.monotonic() - begun < 5
    connection.close()
    said = capfd.readouterr()
    assert "Traceback" not in said.err + said.out


def _quietly(call: Call, url: str) -> None:
    with contextlib.suppress(httpx.HTTPError):
        call("StartWorkflow", BASE, url=url)


def test_an_emulator_that_was_not_entered_says_so() -> None:
    emulator = VodEmulator()
    with pytest.raises(RuntimeError, match="with statement"):
        _ = emulator.url
    with pytest.raises(RuntimeError, match="with statement"):
        _ = emulator.config
    emulator.stop()


@pytest.mark.parametrize(
    "own",
    [
        {},
        {"access_key": "AK", "secret_key": "sk", "session_token": "st", "region": "ap-southeast-1"},
    ],
)
def test_its_config_points_a_stack_at_it(own: dict[str, Any], tmp_path: Path) -> None:
    """Every part of a request that it insists on."""
    with VodEmulator(EmulatorSettings(**own)) as emulator:
        found = load_settings(emulator.config.get, {}, tmp_path, emulator.config)
        assert found.site.endpoint == emulator.url
        assert found.site.region == own.get("region", "cn-north-1")
        keys = found.require_credentials()
        known = EmulatorSettings(**own)
        assert (keys.access_key, keys.secret_key) == (known.access_key, known.secret_key)
        assert keys.session_token == known.session_token


def test_the_page_is_for_this_machine(emulator: VodEmulator) -> None:
    assert httpx.get(emulator.url, headers={"host": "evil.example"}).status_code == 403


def test_the_command_logs_if_it_is_told_to(call: Call) -> None:
    line = [sys.executable, "-m", "pulumi_vod_workflow.emulator", "--port", "0", "--access-log"]
    with subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        url = process.stdout.readline().split()[-1]
        assert call("StartWorkflow", BASE, url=url).status_code == 200
        assert json.loads(process.stderr.readline())["action"] == "StartWorkflow"
        process.terminate()
        assert process.wait(10) == 0


# -- the plugin --------------------------------------------------------------------------------


@pytest.mark.vod_emulator(seed=9, dedup="finished")
def test_a_marker_says_how_the_fixture_behaves(vod_emulator: VodEmulator) -> None:
    shown = httpx.get(f"{vod_emulator.url}/_emulator/settings").json()
    assert (shown["seed"], shown["dedup"], shown["rateLimit"]) == (9, "finished", 0)
    vod_emulator.advance(1000)


@pytest.mark.vod_emulator(seed=9, dedup="finished")
def test_each_test_finds_it_as_new(vod_emulator: VodEmulator) -> None:
    assert vod_emulator.ledger() == []
    assert abs(vod_emulator.service.store.now() - time.time()) < 5


# -- garbage -----------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["Vid", "DirectUrl", "TemplateId", "Input", "Priority", "CallbackArgs", "EnableLowPriority",
     "ClientToken", "TaskListId", "RunId", "NeedTasksDetail", "Limit", "Offset", "Order", "X"]
)  # fmt: skip
TEXT = (
    st.text(st.characters(codec="utf-8"), max_size=20) | JSON.map(json.dumps) | st.just("{" * 300)
)


@pytest.mark.vod_emulator(rate_limit=0)
@pytest.mark.torture
@settings(max_examples=scaled(50, 150), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    action=st.sampled_from(
        ["StartWorkflow", "GetWorkflowExecution", "GetWorkflowExecutionResult",
         "GetWorkflowTemplate", "ListWorkflowTemplate", "Nothing", ""]
    ),
    query=st.dictionaries(NAMES, TEXT),
    document=st.none() | st.dictionaries(NAMES, JSON),
)  # fmt: skip
def test_signed_garbage_is_never_a_defect(
    call: Call,
    emulator: VodEmulator,
    caplog: pytest.LogCaptureFixture,
    *,
    action: str,
    query: dict[str, str],
    document: dict[str, Any] | None,
) -> None:
    """Whatever a client signs, the answer is the envelope, and no 500."""
    try:
        json.dumps(document).encode()
    except UnicodeEncodeError:
        return
    answer = call(action, query, document=document)
    assert answer.status_code < 500
    assert "ResponseMetadata" in answer.json()
    assert "defect" not in caplog.text


@pytest.mark.torture
@settings(max_examples=scaled(30, 100), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    name=st.sampled_from(["clock", "outcomes", "faults", "settings"]),
    document=JSON
    | st.dictionaries(
        st.sampled_from(
            ["advanceSeconds", "to", "speed", "stepSeconds", "status", "times", "match", "action",
             "kind", "when", "headers", "seconds", "rules", "templates", "subscriptions", "vids",
             "pendingSeconds", "rateLimit", "seed"]
        ),
        JSON,
    ),
)  # fmt: skip
def test_garbage_controls_are_refused_whole(
    emulator: VodEmulator, name: str, document: Any
) -> None:
    """A control is taken or refused with its reason; the emulator goes on."""
    try:
        body = json.dumps(document).encode()
    except UnicodeEncodeError:
        return
    answer = httpx.post(f"{emulator.url}/_emulator/{name}", content=body, timeout=20, verify=False)
    assert answer.status_code in {200, 400}
    if answer.status_code == 400:
        assert answer.json()["error"]
    emulator.reset()
    assert httpx.get(f"{emulator.url}/_emulator/ledger", verify=False).json() == {"starts": []}


RAW = st.binary(max_size=200)
HEADER = st.tuples(
    st.sampled_from(
        [b"Authorization", b"X-Date", b"X-Content-Sha256", b"Content-Type", b"Content-Encoding",
         b"Transfer-Encoding", b"Content-Length", b"Host", b"X-Security-Token", b"Expect", b"\xff"]
    ),
    RAW
    | st.sampled_from(
        [b"HMAC-SHA256 Credential=a/b/c/vod/request, SignedHeaders=;;x-date, Signature=\xe4",
         b"HMAC-SHA256 Credential=AKLTEMULATOR/20260101/cn-north-1/vod/request, Signature=0",
         b"gzip", b"chunked", b"-1", b"99999999999999999999", b"20261301T999999Z", b"100-continue"]
    ),
)  # fmt: skip


@pytest.mark.torture
@settings(max_examples=scaled(50, 150), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    method=st.sampled_from([b"GET", b"POST", b"PUT", b"OPTIONS", b"\x00", b"get"]),
    target=st.sampled_from(
        [b"/?Action=StartWorkflow&Version=2020-08-01", b"/?%", b"/?a=%ff&a=%fe", b"/" + b"a" * 3000,
         b"/_emulator/ledger", b"/?LONG", b"*", b"",
         b"/?X-Signature=0&X-Credential=a&X-Date=b", b"http://x/?"]
    ),
    headers=st.lists(HEADER, max_size=5),
    body=RAW | st.just(b"{"),
    times=st.sampled_from([1, 1, 1, 1_000, 50_000]),
)  # fmt: skip
def test_raw_garbage_neither_hangs_nor_breaks_it(
    emulator: VodEmulator,
    caplog: pytest.LogCaptureFixture,
    *,
    method: bytes,
    target: bytes,
    headers: list[tuple[bytes, bytes]],
    body: bytes,
    times: int,
) -> None:
    """Bytes that are hardly HTTP are answered or hung up on; the next request is served."""
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
    target = target.replace(b"LONG", b"a" * 70_000)
    host = emulator.url.removeprefix("http://")
    address, _, port = host.partition(":")
    head = method + b" " + target + b" HTTP/1.1\r\nHost: " + host.encode() + b"\r\n" + lines
    answer = b""
    try:
        with socket.create_connection((address, int(port)), timeout=10) as connection:
            connection.sendall(head + b"Connection: close\r\n\r\n")
            connection.sendall(body * times)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                answer += part
    except TimeoutError:
        raise  # that would be a hang
    except OSError:
        pass  # it may hang up before it has read all
    assert not answer.startswith(b"HTTP/1.1 5")
    assert "defect" not in caplog.text
    assert "Traceback" not in caplog.text
    assert httpx.get(f"{emulator.url}/_emulator/health", verify=False).json() == {"ok": True}
