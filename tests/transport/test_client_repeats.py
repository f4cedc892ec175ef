"""Many calls at once, wrong clocks, and what leaks: the client on a fake clock."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from pulumi_vod_workflow.config.settings import load_settings
from pulumi_vod_workflow.core.rate import MAX_IN_FLIGHT
from pulumi_vod_workflow.core.recovery import StartIntent
from pulumi_vod_workflow.errors import (
    AuthenticationError,
    CallError,
    ClockSkewError,
    MalformedResponseError,
    ThrottledError,
    TransportError,
    UnknownStartOutcomeError,
    VodWorkflowError,
)
from pulumi_vod_workflow.journal.recorder import StartRecorder
from pulumi_vod_workflow.journal.sqlite import SqliteJournal
from pulumi_vod_workflow.journal.store import ClaimLostError, RecordVersion
from pulumi_vod_workflow.transport.client import VodClient
from pulumi_vod_workflow.transport.event_loop import client_for

WithClient = Callable[..., None]
START = {"vid": "v", "templateId": "t"}
OK = {"ResponseMetadata": {"RequestId": "r"}, "Result": {"RunId": "lb:1"}}


def ok() -> httpx.Response:
    return httpx.Response(200, json=OK)


def error(status: int, code: str, message: str = "", **headers: str) -> httpx.Response:
    document = {"ResponseMetadata": {"Error": {"Code": code, "Message": message}}}
    spelled = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json=document, headers=spelled)


def token_of(request: httpx.Request) -> str:
    return str(request.url.params["ClientToken"])


def caught_by(with_client: WithClient, handler: Any, **options: Any) -> VodWorkflowError:
    """Return the error of a start."""
    errors: list[VodWorkflowError] = []

    async def use(client: VodClient) -> None:
        with pytest.raises(VodWorkflowError) as caught:
            await client.start_workflow(START, "token")
        errors.append(caught.value)

    with_client(handler, use, **options)
    [failure] = errors
    return failure


# -- the clock ---------------------------------------------------------------------------------


def test_calls_that_fail_together_on_a_wrong_clock_all_recover(
    with_client: WithClient, moments: Any
) -> None:
    """The first answer sets the clock for all; none is left behind as a failure."""
    theirs = timedelta(hours=2)

    def handler(request: httpx.Request) -> httpx.Response:
        signed = datetime.strptime(request.headers["x-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs(signed - moments.now() - theirs) > timedelta(seconds=900):
            date = format_datetime(moments.now() + theirs, usegmt=True)
            return error(403, "InvalidTimestamp", date=date)
        return ok()

    answers = []

    async def use(client: VodClient) -> None:
        async def one(number: int) -> None:
            answers.append(await client.start_workflow(START, str(number)))

        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(one, number)

    with_client(handler, use)
    assert len(answers) == 20


@pytest.mark.parametrize(
    ("date", "says"),
    [
        ("Thu, 01 Jan 2026 01:00:00 GMT", "3600 s behind"),
        ("Wed, 31 Dec 2025 23:00:00 GMT", "3600 s ahead of"),
    ],
)
def test_a_clock_that_stays_wrong_is_measured(
    with_client: WithClient, date: str, says: str
) -> None:
    """After one repeat the error says how far off this machine is; the key is not blamed."""
    seen = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return error(403, "InvalidTimestamp", date=date)

    failure = caught_by(with_client, handler)
    assert isinstance(failure, ClockSkewError)
    assert says in str(failure)
    assert len(seen) == 2
    assert not failure.maybe_accepted


@pytest.mark.parametrize("headers", [{}, {"date": "today"}, {"date": "Thu, 01 Jan 2026 00:00:00"}])
def test_without_the_services_time_there_is_no_resync(
    with_client: WithClient, headers: dict[str, str]
) -> None:
    """A clock error without a usable Date is told at once, and as one."""
    seen = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return error(400, "InvalidTimestamp", **headers)

    failure = caught_by(with_client, handler)
    assert isinstance(failure, ClockSkewError)
    assert len(seen) == 1


def test_a_wrong_key_stays_a_wrong_key(with_client: WithClient) -> None:
    """After the clock was set, a bad signature is told as such."""
    replies = [
        error(403, "InvalidTimestamp", date="Thu, 01 Jan 2026 01:00:00 GMT"),
        error(401, "SignatureDoesNotMatch"),
    ]
    failure = caught_by(with_client, lambda _: replies.pop(0))
    assert type(failure) is AuthenticationError


# -- promptness and pace -----------------------------------------------------------------------


def test_a_prompt_repeat_does_not_queue_behind_a_batch(with_client: WithClient) -> None:
    """A call of unknown fate keeps its place while hundreds of others wait for theirs."""
    order: list[str] = []

    async def handler(request: httpx.Request) -> httpx.Response:
        await anyio.sleep(0.001)  # as a network does: others get their turn meanwhile
        order.append(token_of(request))
        if order == ["0"]:
            raise httpx.ReadTimeout("x", request=request)
        return ok()

    async def use(client: VodClient) -> None:
        async with anyio.create_task_group() as tasks:
            for number in range(4 * MAX_IN_FLIGHT):
                tasks.start_soon(client.start_workflow, START, str(number))

    with_client(handler, use)
    assert order.count("0") == 2
    assert order.index("0", 1) < 2 * MAX_IN_FLIGHT


def test_a_repeat_that_would_come_too_late_is_not_sent(
    with_client: WithClient, moments: Any
) -> None:
    """If the wait was longer than foreseen, for whatever reason, nothing is sent any more."""
    seen = []
    moments.oversleeps = 30.0

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return error(500, "InternalError")

    failure = caught_by(with_client, handler)
    assert len(seen) == 1
    assert failure.maybe_accepted


@pytest.mark.parametrize(("answers_after", "attempts"), [(1.0, 3), (3.4, 2), (60.0, 1)])
def test_a_slow_failure_is_not_repeated_for_long(
    with_client: WithClient, moments: Any, answers_after: float, attempts: int
) -> None:
    """The window counts from the first send: a run may have ended by a later repeat."""
    begun: list[float] = []

    def handler(request: httpx.Request) -> httpx.Response:
        begun.append(moments.at)
        moments.at += answers_after
        raise httpx.ReadTimeout("x", request=request)

    failure = caught_by(with_client, handler, jitter=lambda: 1.0)
    assert len(begun) == attempts
    assert begun[-1] <= 4
    assert failure.maybe_accepted


def test_waiting_for_the_first_turn_does_not_count(with_client: WithClient, moments: Any) -> None:
    """A call's time begins with its first attempt, not with its place in the queue."""
    times: list[float] = []

    def handler(request: httpx.Request) -> httpx.Response:
        times.append(moments.at)
        if len(times) == 1:
            moments.at += 500.0
            return ok()
        return error(503, "ServiceUnavailable") if len(times) < 4 else ok()

    async def use(client: VodClient) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.start_workflow, START, "a")
            tasks.start_soon(client.start_workflow, START, "b")

    with_client(handler, use)
    assert len(times) == 4


def test_the_last_error_of_a_refusal_tells_of_the_unclear_one_before(
    with_client: WithClient,
) -> None:
    """Whatever the last error was, once a run may exist the call says so."""
    replies = [error(500, "InternalError"), error(429, "RequestLimitExceeded", retry_after="60")]
    failure = caught_by(with_client, lambda _: replies.pop(0))
    assert isinstance(failure, ThrottledError)
    assert failure.maybe_accepted
    assert "A run may exist." in str(failure)


def test_every_attempt_is_signed_anew_over_the_same_bytes(
    with_client: WithClient, moments: Any
) -> None:
    """Query, body and token stay; the time, and with it the signature, moves on."""
    seen: list[httpx.Request] = []
    big = {**START, "callbackArgs": "c" * 500, "input": {"condition": {"a" * 3000: True}}}

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        headers = {"set-cookie": "sticky=1; Path=/"}
        reply = error(503, "ServiceUnavailable", retry_after="2") if len(seen) < 3 else ok()
        reply.headers.update(headers)
        return reply

    async def use(client: VodClient) -> None:
        await client.start_workflow(big, "token")

    with_client(handler, use)
    assert {request.method for request in seen} == {"POST"}
    assert len({(request.url, request.content) for request in seen}) == 1
    assert json.loads(seen[0].content)["ClientToken"] == "token"
    assert len({request.headers["authorization"] for request in seen}) == 3
    varying = {"authorization", "x-date"}
    kept = [{k: v for k, v in r.headers.items() if k not in varying} for r in seen]
    assert kept[0] == kept[1] == kept[2]


def test_the_rate_is_the_accounts_unless_it_is_lowered(tmp_path: Path) -> None:
    """Without a setting 50 a second; with one, that reaches the client."""
    for setting, rate in (({}, 50.0), ({"vod:requestsPerSecond": "7"}, 7.0)):
        config = {"vod:endpoint": "emulator", "vod:emulatorStore": str(tmp_path / "s"), **setting}
        settings = load_settings(config.get, {}, tmp_path)
        assert client_for(settings, log=print).client.requests_per_second == rate


# -- what is said ------------------------------------------------------------------------------


def chained(outer: Exception, *causes: Exception) -> Exception:
    error: BaseException = outer
    for cause in causes:
        error.__cause__ = cause
        error = cause
    return outer


@pytest.mark.parametrize(
    ("raised", "says", "maybe", "attempts"),
    [
        (chained(httpx.ConnectError("x"), socket.gaierror(-2, "x")), "name is not found", False, 9),
        (chained(httpx.ConnectError("x"), ssl.SSLError("x")), "not valid TLS", False, 1),
        (chained(httpx.ConnectError("x"), ssl.SSLCertVerificationError()), "trusted", False, 1),
        (chained(httpx.ConnectError("x"), ssl.SSLEOFError()), "while TLS began", False, 9),
        (
            chained(
                httpx.ConnectError("x"),
                OSError("all failed"),
                ExceptionGroup("x", [OSError("v6"), ConnectionRefusedError()]),
            ),
            "refused",
            False,
            9,
        ),
        (httpx.ConnectError("x"), "no connection", False, 9),
        (httpx.ConnectTimeout("x"), "no connection in time", False, 9),
        (httpx.PoolTimeout("x"), "in time", True, 9),
        (httpx.ProxyError("407 Proxy Authentication Required"), "HTTP 407", False, 1),
        (httpx.ProxyError("503 x"), "HTTP 503", False, 9),
        (httpx.ProxyError("odd"), "proxy", False, 9),
        (httpx.UnsupportedProtocol("x"), "HTTP", False, 1),
        (httpx.LocalProtocolError("Illegal header value b'hidden-token'"), "HTTP", False, 1),
        (httpx.ReadTimeout("x"), "no answer", True, 9),
        (httpx.WriteTimeout("x"), "no answer", True, 9),
        (httpx.ReadError("x"), "ReadError", True, 9),
        (httpx.WriteError("x"), "WriteError", True, 9),
        (httpx.CloseError("x"), "CloseError", True, 9),
        (httpx.RemoteProtocolError("x"), "RemoteProtocolError", True, 9),
        (httpx.DecodingError("x"), "DecodingError", True, 9),
        (TimeoutError(), "no answer", True, 9),
        (ConnectionResetError("x"), "ConnectionResetError", True, 9),
        (RuntimeError("hidden-secret"), "RuntimeError", True, 9),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_each_way_to_lose_an_answer(
    with_client: WithClient, raised: Exception, says: str, maybe: bool, attempts: int
) -> None:
    """The error names the host and the reason, and whether a run may have started."""
    seen = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        raise raised

    failure = caught_by(with_client, handler, jitter=lambda: 0.0 if len(seen) < 9 else 1e9)
    assert isinstance(failure, TransportError)
    assert says in str(failure)
    assert "vod.example.com" in str(failure)
    assert failure.maybe_accepted is maybe
    assert len(seen) == attempts
    assert failure.__cause__ is failure.__context__ is None
    for secret in ("hidden", "Signature=", "ClientToken=", "HMAC"):
        assert secret not in str(failure)
        assert secret not in repr(failure)


def test_no_exception_of_httpx_is_even_in_the_context(with_client: WithClient) -> None:
    """The engine's host prints chains of exceptions; httpx's quote the signed request."""

    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("x", request=request)

    failure = caught_by(with_client, handler)
    assert failure.__context__ is None
    assert failure.__cause__ is None


def test_the_session_token_is_not_quoted(with_client: WithClient) -> None:
    """A service that echoes what it was sent does not make us print it."""
    quoting = error(401, "InvalidSecretToken", "Invalid secret token, msg: hidden-token.")
    failure = caught_by(with_client, lambda _: quoting)
    assert isinstance(failure, AuthenticationError)
    assert "hidden" not in str(failure)
    page = httpx.Response(400, text="<html>hidden-token</html>")
    assert "hidden" not in str(caught_by(with_client, lambda _: page))


def test_nor_is_it_in_a_result(with_client: WithClient) -> None:
    """What a success tells is recorded in the state."""
    told = {"ResponseMetadata": {}, "Result": {"RunId": "r", "Echo": "of hidden-token"}}
    results = []

    async def use(client: VodClient) -> None:
        results.append((await client.start_workflow(START, "client-token")).result)

    with_client(lambda _: httpx.Response(200, json=told), use)
    assert results == [{"RunId": "r", "Echo": "of (redacted)"}]


def test_a_redirect_is_not_followed(with_client: WithClient) -> None:
    """A signature never goes to another place."""
    seen = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.host)
        return httpx.Response(307, headers={"location": "https://evil.example.com/"})

    failure = caught_by(with_client, handler)
    assert isinstance(failure, MalformedResponseError)
    assert seen == ["vod.example.com"]
    assert "evil" not in str(failure)
    assert "redirect" in str(failure)


def test_a_client_shows_no_secret(with_client: WithClient) -> None:
    """Neither the client nor its parts print a key."""

    async def use(client: VodClient) -> None:
        for shown in (repr(client), repr(vars(client)), repr(vars(client._auth))):
            assert "hidden-secret" not in shown
        await client.get_workflow_template("t")

    with_client(lambda _: ok(), use)


# -- the window of a repeat --------------------------------------------------------------------


@pytest.mark.parametrize("window", [0.5, 4.0, 3600.0])
@pytest.mark.parametrize("earlier", [None, 0.3, 3.5])
def test_no_attempt_begins_after_the_window_of_the_first_send_ever(
    with_client: WithClient, moments: Any, tmp_path: Path, window: float, earlier: float | None
) -> None:
    """It does not matter which operation has sent it first; within one, 4 s are the bound."""
    journal = SqliteJournal(tmp_path / "journal", clock=moments)
    order = StartIntent(START, "token", "r", "k")
    seen = RecordVersion()
    if earlier is not None:
        journal.claim(order, "earlier").result()
        moments.at += earlier
        seen = journal.lookup([order], create=True).versions["k"]
    begins: list[float] = []

    def handler(request: httpx.Request) -> httpx.Response:
        begins.append(moments.at)
        moments.at += 0.05
        raise httpx.ReadError("lost", request=request)

    note = StartRecorder(
        journal, order, "now", seen, resent=earlier is not None, resend_within=window
    )
    began = moments.at
    errors: list[CallError] = []

    async def use(client: VodClient) -> None:
        with pytest.raises(CallError) as caught:
            await client.start_workflow(START, "token", recorder=note)
        errors.append(caught.value)

    with_client(handler, use)
    [failure] = errors
    assert failure.maybe_accepted
    assert all(at <= window for at in begins)
    assert all(at - began <= 4.0 for at in begins)
    bound = min(window, began + 4.0)
    if earlier is not None and earlier > window:
        assert begins == []
        assert isinstance(failure, UnknownStartOutcomeError)
    else:
        assert isinstance(failure, TransportError), "the last attempt's own"
        assert begins[-1] > bound - 1.2, "and it is repeated for as long as it may be"
    assert [entry.run for entry in journal.lookup([order]).records.values()] == [None]


def test_what_another_operation_has_claimed_meanwhile_is_not_repeated(
    with_client: WithClient, moments: Any, tmp_path: Path
) -> None:
    """The first attempt's answer is lost; before the second, another operation sends it."""
    journal = SqliteJournal(tmp_path / "journal", clock=moments)
    order = StartIntent(START, "token", "r", "k")
    attempts = []

    def handler(request: httpx.Request) -> httpx.Response:
        attempts.append(request)
        seen = journal.lookup([order], create=True).versions["k"]
        assert journal.claim(order, "another", seen).result().won
        raise httpx.ReadError("lost", request=request)

    async def use(client: VodClient) -> None:
        with pytest.raises(ClaimLostError) as lost:
            await client.start_workflow(
                START, "token", recorder=StartRecorder(journal, order, "now")
            )
        assert lost.value.record.run is None

    with_client(handler, use)
    assert len(attempts) == 1
