"""The client against a service that misbehaves; time is a fake, nothing sleeps."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import httpx
import pytest

from pulumi_vod_workflow.core.execution import start_inputs_of
from pulumi_vod_workflow.core.response import ApiResponse
from pulumi_vod_workflow.core.retry import RetryPolicy
from pulumi_vod_workflow.core.signing import Credentials
from pulumi_vod_workflow.emulator import EmulatorSettings, VodEmulator
from pulumi_vod_workflow.errors import (
    ApiError,
    AuthenticationError,
    ClockSkewError,
    ConfigurationError,
    InvalidRequestError,
    MalformedResponseError,
    NotFoundError,
    PermissionDeniedError,
    ServiceFailureError,
    ThrottledError,
    TransportError,
    VodWorkflowError,
)
from pulumi_vod_workflow.transport.client import Timeouts, VodClient
from tests.transport.conftest import Moments
from tests.transport.simulation import SimulatedLoop

START = {"vid": "v", "templateId": "t"}
NO_RUN_ID: dict[str, object] = {"ResponseMetadata": {}, "Result": {}}
OK = {"ResponseMetadata": {"RequestId": "r"}, "Result": {"RunId": "lb:1"}}
Reply = httpx.Response | Exception


def error(
    status: int, code: str, number: int | None = None, headers: dict[str, str] | None = None
) -> httpx.Response:
    body = {"Code": code, "Message": "words"} | ({"CodeN": number} if number else {})
    document = {"ResponseMetadata": {"RequestId": "r1", "Error": body}}
    return httpx.Response(status, json=document, headers=headers)


class Service:
    """Answers with a script; its last line repeats."""

    def __init__(self, *script: Reply | Callable[[], Reply]) -> None:
        self.script = list(script)
        self.seen: list[httpx.Request] = []
        self.clock = Moments()
        self.said: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        line = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        reply = line() if callable(line) else line
        if isinstance(reply, Exception):
            raise reply
        return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)

    def run(self, call: str = "start", token: str = "token") -> ApiResponse:
        async def go() -> ApiResponse:
            client = VodClient(
                "https://vod.example.com",
                "cn-north-1",
                Credentials("AK", "hidden-secret", "hidden-token"),
                clock=self.clock,
                log=self.said.append,
                transport=httpx.MockTransport(self),
                requests_per_second=50,
            )
            try:
                if call == "start":
                    return await client.start_workflow(START, token)
                return await client.get_workflow_execution("lb:1")
            finally:
                await client.aclose()

        with asyncio.Runner(loop_factory=SimulatedLoop) as runner:  # the limiter waits, too
            return runner.run(go())

    def fails(self, call: str = "start") -> VodWorkflowError:
        with pytest.raises(VodWorkflowError) as caught:
            self.run(call)
        assert "hidden" not in str(caught.value)
        assert caught.value.__cause__ is None
        return caught.value


def ok() -> httpx.Response:
    return httpx.Response(200, json=OK)


def test_a_start_sends_what_was_declared() -> None:
    """One request, signed, with the token."""
    service = Service(ok())
    assert service.run().result["RunId"] == "lb:1"
    [request] = service.seen
    assert dict(request.url.params)["ClientToken"] == "token"
    assert request.headers["authorization"].startswith("HMAC-SHA256 Credential=AK/20260101/")
    assert request.headers["x-security-token"] == "hidden-token"


@pytest.mark.parametrize(
    ("status", "code", "kind", "maybe", "repeat"),
    [
        (200, "InvalidParameter.Vid", InvalidRequestError, False, False),
        (403, "AccessDenied", PermissionDeniedError, False, False),
        (401, "InvalidAccessKey", AuthenticationError, False, False),
        (404, "ResourceNotFound", NotFoundError, False, False),
        (429, "RequestLimitExceeded", ThrottledError, False, True),
        (503, "ServiceUnavailable", ServiceFailureError, False, True),
        (500, "InternalError", ServiceFailureError, True, True),
    ],
)
def test_errors_carry_all_that_the_service_said(
    status: int, code: str, kind: type[ApiError], maybe: bool, repeat: bool
) -> None:
    """Code, number, words, RequestId and status are in the text, and what to make of them."""
    failure = Service(error(status, code, 100010)).fails()
    assert type(failure) is kind
    assert (failure.maybe_accepted, failure.retryable) == (maybe, repeat)
    for part in (code, "100010", "words", "r1", str(status)):
        assert part in str(failure)


@pytest.mark.parametrize(
    ("reply", "kind", "maybe"),
    [
        (httpx.ConnectError("x"), TransportError, False),
        (httpx.ConnectTimeout("x"), TransportError, False),
        (httpx.ReadTimeout("x"), TransportError, True),
        (httpx.RemoteProtocolError("x"), TransportError, True),
        (httpx.Response(200, text="<html>"), MalformedResponseError, True),
        (httpx.Response(200, text=""), MalformedResponseError, True),
        (httpx.Response(200, text='{"ResponseMetadata"'), MalformedResponseError, True),
        (httpx.Response(200, json=NO_RUN_ID), MalformedResponseError, True),
        (httpx.Response(502, json={"x": 1}), MalformedResponseError, True),
        (httpx.Response(302, headers={"location": "http://e"}), MalformedResponseError, False),
    ],
)  # fmt: skip
def test_answers_that_are_none(reply: Reply, kind: type[Exception], maybe: bool) -> None:
    """What is no answer says whether a run may exist."""
    failure = Service(reply).fails()
    assert type(failure) is kind
    assert failure.maybe_accepted is maybe


def test_an_unclear_start_is_repeated_promptly_and_byte_for_byte() -> None:
    """All repeats carry the same bytes and come while the first run is surely unfinished."""
    service = Service(httpx.ReadTimeout("x"), error(500, "InternalError"), ok())
    assert service.run().result["RunId"] == "lb:1"
    assert len({(bytes(request.url.query), request.content) for request in service.seen}) == 1
    assert sum(service.clock.slept) < 4
    gone = Service(error(500, "InternalError"))
    gone.fails()
    assert gone.clock.at <= 4


def test_a_refusal_after_an_unclear_attempt_stays_unclear() -> None:
    """Once an attempt may have been accepted, the whole call may."""
    service = Service(httpx.ReadTimeout("x"), error(400, "InvalidParameter"))
    failure = service.fails()
    assert isinstance(failure, InvalidRequestError)
    assert failure.maybe_accepted
    assert "A run may exist." in str(failure)


def test_a_refused_start_waits_as_told_and_gives_up_in_time() -> None:
    """Retry-After is honoured, and the whole is bounded."""
    throttled = error(429, "RequestLimitExceeded", headers={"retry-after": "7"})
    service = Service(throttled, ok())
    service.run()
    assert service.clock.slept[0] >= 7
    patient = Service(error(503, "ServiceUnavailable"))
    patient.fails()
    assert 300 < patient.clock.at <= 600


def test_a_long_failure_says_a_line_now_and_then() -> None:
    """Not each repeat, nothing of the service's words, and nothing while it is quick."""
    down = Service(error(503, "ServiceUnavailable"))
    down.fails()
    assert len(down.seen) > 8
    assert 1 < len(down.said) <= 1 + 600 / 30
    assert "retrying StartWorkflow" in down.said[0]
    assert "ServiceUnavailable [HTTP 503, RequestId r1]" in down.said[0]
    assert "words" not in "".join(down.said)
    brief = Service(error(503, "ServiceUnavailable"), ok())
    brief.run()
    assert brief.said == []


def test_reads_are_repeated_within_a_minute() -> None:
    """A read is free and may be repeated at leisure."""
    service = Service(httpx.ReadTimeout("x"), error(502, "FailToConnect"), ok())
    service.run("read")
    slow = Service(error(500, "InternalError"))
    assert slow.fails("read").maybe_accepted is False
    assert slow.clock.at <= 60


def test_a_wrong_clock_is_told_from_a_wrong_key() -> None:
    """The service's own time is taken over once; then the error says how far off ours is."""
    stale = {"date": "Thu, 01 Jan 2026 01:00:00 GMT"}
    service = Service(error(403, "InvalidTimestamp", 100006, stale), ok())
    service.run()
    assert service.seen[1].headers["x-date"] == "20260101T010000Z"
    failure = Service(error(403, "InvalidTimestamp", 100006, stale)).fails()
    assert isinstance(failure, ClockSkewError)
    assert "clock" in str(failure)


@pytest.mark.parametrize(("call", "seconds"), [("start", 60.0), ("read", 20.0)])
def test_each_attempt_is_bounded(call: str, seconds: float) -> None:
    """Five seconds for a connection, and then for the answer as long as it is worth."""
    service = Service(ok())
    service.run(call)
    assert service.seen[0].extensions["timeout"] == {
        "connect": 5.0,
        "read": seconds,
        "write": seconds,
        "pool": None,
    }


def test_an_answer_that_drips_is_cut_off() -> None:
    """httpx's own timeouts are for each byte; the whole has an end as well."""

    async def drip() -> AsyncIterator[bytes]:
        while True:
            await anyio.sleep(0.01)
            yield b" "

    async def go() -> None:
        client = VodClient(
            "https://vod.example.com",
            "cn-north-1",
            Credentials("AK", "SK"),
            transport=httpx.MockTransport(lambda _: httpx.Response(200, content=drip())),
            timeouts=Timeouts(connect=0.05, start=0.1, read=0.1),
            policy=RetryPolicy(ambiguous_start_budget=0),
        )
        with anyio.fail_after(5), pytest.raises(TransportError, match="no answer in time"):
            await client.start_workflow(START, "token")
        await client.aclose()

    anyio.run(go)


def test_connections_are_kept() -> None:
    """Calls one after another need one connection, not one each."""
    with VodEmulator(EmulatorSettings(rate_limit=0)) as emulator:
        accepted = []

        async def go() -> None:
            client = emulated(emulator)
            for number in range(3):
                await client.start_workflow({**START, "vid": f"v{number}"}, "token")
                pool = client._http._transport._pool  # type: ignore[attr-defined]  # httpx's own
                accepted.append([id(connection) for connection in pool.connections])
            await client.aclose()

        anyio.run(go)
    assert accepted[0] == accepted[1] == accepted[2]
    assert len(accepted[0]) == 1


def emulated(emulator: VodEmulator) -> VodClient:
    keys = Credentials("AKLTEMULATOR", "emulator-secret-key")
    return VodClient(emulator.url, "cn-north-1", keys, requests_per_second=1000)


LONG = {
    "directUrl": {"fileName": "文件.mp4", "spaceName": "s"},
    "templateId": "t",
    "priority": -5,
    "callbackArgs": "参" * 170,
    "enableLowPriority": True,
    "taskListId": "q",
    "input": {
        "condition": {"Long": True},
        "overrideParams": {"logo": [{"templateId": "All", "vars": {"k": "水" * 2000}}]},
    },
}


def test_a_long_start_arrives_whole() -> None:
    """Client and emulator are written apart: what one POSTs the other understands, every part."""
    with VodEmulator(EmulatorSettings(rate_limit=0)) as emulator:

        async def go() -> tuple[Any, Any]:
            client = emulated(emulator)
            run_id = (await client.start_workflow(LONG, "token")).result["RunId"]
            told = await client.get_workflow_execution(run_id)
            template = await client.get_workflow_template("t")
            await client.aclose()
            return told.result, template.result

        told, template = anyio.run(go)
        assert start_inputs_of(told) == LONG
        assert emulator.ledger()[0]["clientToken"] == "token"
        assert template["WorkflowTemplate"]["TemplateId"] == "t"
        assert template["WorkflowTemplate"]["CommitId"]


def test_keys_never_travel_in_the_clear() -> None:
    """Plain HTTP is for this machine only."""
    for endpoint in ("http://vod.volcengineapi.com", "http://10.0.0.1", "http://localhost.example"):
        with pytest.raises(ConfigurationError):
            VodClient(endpoint, "cn-north-1", Credentials("AK", "SK"))


def test_bodies_are_json_with_strings_of_json() -> None:
    """A long start is a POST whose Input is a string."""
    service = Service(ok())

    async def go() -> None:
        client = VodClient(
            "https://vod.example.com", "cn-north-1", Credentials("AK", "SK"),
            clock=service.clock, transport=httpx.MockTransport(service),
        )  # fmt: skip
        logos = [{"templateId": "All", "vars": {"k": "中" * 2000}}]
        await client.start_workflow({**START, "input": {"overrideParams": {"logo": logos}}}, "x")
        await client.aclose()

    anyio.run(go)
    [request] = service.seen
    assert request.method == "POST"
    assert "content-type" in request.headers["authorization"]
    assert isinstance(json.loads(request.content)["Input"], str)
