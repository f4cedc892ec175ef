"""Signatures: the golden vectors, and a row of the error table for each way to be wrong."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import pytest
from volcengine.auth.SignerV4 import SignerV4
from volcengine.base.Request import Request
from volcengine.Credentials import Credentials as OfficialCredentials

from pulumi_vod_workflow.emulator import EmulatorSettings, VodEmulator
from pulumi_vod_workflow.emulator.errors import ServiceError
from pulumi_vod_workflow.emulator.signature import Keys, SignedRequest, verify_signature

Call = Callable[..., httpx.Response]
KEYS = Keys("AKLTEXAMPLE", "c2VjcmV0")
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
START = [("Action", "StartWorkflow"), ("Version", "2020-08-01")]
VECTORS: dict[str, tuple[str, list[tuple[str, str]], str, bytes, str, str | None]] = {
    "A": (
        "GET",
        [*START, ("Vid", "v0d399g10001"), ("TemplateId", "c3841b3122fd460db2bc99a6ec131cb8")],
        "host;x-content-sha256;x-date",
        b"",
        "2cbe353f051884f8f33c942c14d6da3c85873a900ca080fc969f05a8e766aeef",
        None,
    ),
    "B": (
        "GET",
        [*START, ("Vid", "v 1+中*~(')!"), ("TemplateId", "t")],
        "host;x-content-sha256;x-date;x-security-token",
        b"",
        "ac2e99207f0666b105fb9220a158618ebc693f6b1b2a260fc222cb536eda3089",
        "STS2abc==",
    ),
    "C": (
        "POST",
        START,
        "content-type;host;x-content-sha256;x-date",
        b'{"Vid":"v1","TemplateId":"t"}',
        "a2a550b3abde00d0b5683b997b9c14e29ce452cd0bd0fc533dfe7c5ed1523db4",
        None,
    ),
    "D": (
        "GET",
        [("Action", "GetWorkflowExecution"), ("Version", "2020-08-01"), ("RunId", "lb:1")],
        "x-date",
        b"",
        "3a685ebd53909c30fd1c584214f8717970dadae24f00ab144e96ebde49b76588",
        None,
    ),
}


def vector(name: str, signature: str | None = None) -> tuple[SignedRequest, Keys]:
    method, query, names, body, expected, token = VECTORS[name]
    headers = {
        "x-date": "20260101T000000Z",
        "authorization": "HMAC-SHA256 Credential=AKLTEXAMPLE/20260101/cn-north-1/vod/request, "
        f"SignedHeaders={names}, Signature={signature or expected}",
        "host": "vod.volcengineapi.com",
    }
    if "x-content-sha256" in names:
        headers["x-content-sha256"] = hashlib.sha256(body).hexdigest()
    if body:
        headers["content-type"] = "application/json"
    if token:
        headers["x-security-token"] = token
    return SignedRequest(method, "/", query, headers, body), Keys("AKLTEXAMPLE", "c2VjcmV0", token)


@pytest.mark.parametrize("name", VECTORS)
def test_golden_vectors_verify(name: str) -> None:
    assert verify_signature(*vector(name), [MOMENT]) == "cn-north-1"


@pytest.mark.parametrize("name", VECTORS)
def test_golden_vectors_do_not_verify_with_another_signature(name: str) -> None:
    with pytest.raises(ServiceError, match="SignatureDoesNotMatch"):
        verify_signature(*vector(name, "0" * 64), [MOMENT])


@pytest.mark.parametrize(
    ("seconds", "good"), [(900, True), (-900, True), (901, False), (-901, False)]
)
def test_the_window_is_900_seconds_each_way(seconds: int, good: bool) -> None:
    now = MOMENT + timedelta(seconds=seconds)
    if good:
        assert verify_signature(*vector("D"), [now])
    else:
        with pytest.raises(ServiceError, match="InvalidTimestamp"):
            verify_signature(*vector("D"), [now])


def _without(name: str) -> Callable[[dict[str, str]], Any]:
    return lambda headers: headers.pop(name)


def _replaced(old: str, new: str) -> Callable[[dict[str, str]], Any]:
    def change(headers: dict[str, str]) -> None:
        headers["authorization"] = headers["authorization"].replace(old, new)

    return change


def _other_body(headers: dict[str, str]) -> None:
    headers["x-content-sha256"] = "0" * 64


ROWS: list[tuple[dict[str, Any], str, int | None, int]] = [
    ({"change": _without("authorization")}, "MissingAuthenticationToken", 100003, 401),
    ({"change": _without("x-date")}, "MissingRequestInfo", 100004, 400),
    ({"change": _replaced("x-date", "host")}, "MissingRequestInfo", 100004, 400),
    ({"change": _replaced("Signature=", "Other=")}, "MissingSignature", 100005, 401),
    ({"moment": "20200101T000000Z"}, "InvalidTimestamp", 100006, 403),
    ({"moment": "29990101T000000Z"}, "InvalidTimestamp", 100006, 403),
    ({"service": "imp"}, "ServiceNotFound", 100007, 404),
    ({"version": "2021-01-01"}, "InvalidActionOrVersion", 100008, 404),
    ({"access_key": "AKLTOTHER"}, "InvalidAccessKey", 100009, 401),
    ({"secret_key": "wrong"}, "SignatureDoesNotMatch", 100010, 401),
    ({"change": _other_body}, "SignatureDoesNotMatch", 100010, 401),
    ({"change": _replaced("Signature=", "Signature=é")}, "SignatureDoesNotMatch", 100010, 401),
    ({"change": _replaced("HMAC-SHA256", "HMAC-MD5")}, "InvalidAuthorization", None, 400),
    ({"change": _replaced("/request", "/other")}, "InvalidCredential", None, 400),
    ({"token": "STS"}, "InvalidSecretToken", None, 401),
    ({"method": "PUT"}, "MethodNotAllowed", None, 405),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "code", "number", "status"), ROWS)
def test_each_error_has_its_code_and_status(
    call: Call, spoil: dict[str, Any], code: str, number: int | None, status: int
) -> None:
    answer = call("StartWorkflow", {"Vid": "v", "TemplateId": "t"}, **spoil)
    error = answer.json()["ResponseMetadata"]["Error"]
    assert (answer.status_code, error["Code"], error.get("CodeN")) == (status, code, number)
    assert error["Message"]
    assert "Result" not in answer.json()


def test_an_unknown_action_is_refused(call: Call) -> None:
    assert call("StopWorkflow").json()["ResponseMetadata"]["Error"]["CodeN"] == 100008


def test_a_configured_session_token_must_be_sent(call: Call) -> None:
    with VodEmulator(EmulatorSettings(session_token="STS")) as emulator:
        query = {"TemplateId": "t"}
        for token, status in (("STS", 200), ("other", 401), (None, 401)):
            sent = call("GetWorkflowTemplate", query, url=emulator.url, token=token)
            assert sent.status_code == status


def test_either_clock_is_good_for_a_signature(call: Call, emulator: VodEmulator) -> None:
    """Moving the clock breaks no signer, and taking over the answer's Date does not either."""
    emulator.advance(86400)
    answer = call("GetWorkflowTemplate", {"TemplateId": "t"})
    assert answer.status_code == 200
    date = datetime.strptime(answer.headers["date"], "%a, %d %b %Y %H:%M:%S GMT")  # noqa: DTZ007
    told = date.replace(tzinfo=UTC)
    assert timedelta(hours=23) < told - datetime.now(UTC) < timedelta(hours=25)
    assert len(answer.headers.get_list("date")) == 1
    for moment, status in ((told, 200), (told - timedelta(hours=12), 403)):
        sent = call("GetWorkflowTemplate", {"TemplateId": "t"}, moment=f"{moment:%Y%m%dT%H%M%SZ}")
        assert sent.status_code == status


@pytest.mark.parametrize(
    ("expires", "age", "status"),
    [("60", 30, 200), ("60", 300, 403), ("3600", 1000, 200), ("x", 0, 403), ("9999999", 0, 403)],
)
def test_a_signature_is_good_for_as_long_as_it_says(
    call: Call, expires: str, age: int, status: int
) -> None:
    moment = datetime.now(UTC) - timedelta(seconds=age)
    query = {"TemplateId": "t", "X-Expires": expires}
    sent = call("GetWorkflowTemplate", query, moment=f"{moment:%Y%m%dT%H%M%SZ}")
    assert sent.status_code == status


def signed_query(
    listed: Callable[[set[str]], set[str]], *, token: str | None = None, **parameters: str
) -> str:
    """Sign in the query form, as far as `listed` says."""
    now = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    scope = f"{now[:8]}/cn-north-1/vod/request"
    query = {
        "Action": "StartWorkflow",
        "Version": "2020-08-01",
        "X-Date": now,
        "X-NotSignBody": "",
        "X-Credential": f"AKLTEMULATOR/{scope}",
        "X-Algorithm": "HMAC-SHA256",
        "X-SignedHeaders": "",
        **parameters,
    }
    if token is not None:
        query["X-Security-Token"] = token
    names = listed({*query, "X-SignedQueries"})
    query["X-SignedQueries"] = ";".join(sorted(names))
    text = "&".join(
        f"{quote(name, safe='-_.~')}={quote(query[name], safe='-_.~')}" for name in sorted(names)
    )
    canonical = f"GET\n/\n{text}\n\n\n\n{hashlib.sha256(b'').hexdigest()}"
    key = b"emulator-secret-key"
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    to_sign = f"HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    query["X-Signature"] = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    return urlencode(query)


QUERY_FORMS: list[tuple[Callable[[set[str]], set[str]], str | None, bool]] = [
    (lambda names: names, None, True),  # as Python lists
    (lambda names: names - {"X-SignedQueries"}, None, True),  # as PHP
    (lambda names: names, "", True),  # as Go, without STS
    (lambda names: names - {"Vid"}, None, False),  # a parameter that nobody signed
]


@pytest.mark.parametrize(("listed", "token", "good"), QUERY_FORMS)
def test_the_query_form_covers_what_is_obeyed(
    emulator: VodEmulator, listed: Callable[[set[str]], set[str]], token: str | None, good: bool
) -> None:
    query = signed_query(listed, token=token, Vid="v", TemplateId="t")
    answer = httpx.get(f"{emulator.url}/?{query}")
    assert (answer.status_code, len(emulator.ledger())) == ((200, 1) if good else (401, 0))
    tampered = httpx.get(f"{emulator.url}/?{query.replace('Vid=v', 'Vid=w')}")
    assert tampered.status_code == 401


def test_the_query_form_covers_no_body(emulator: VodEmulator) -> None:
    query = signed_query(lambda names: names)
    evil = httpx.post(f"{emulator.url}/?{query}", json={"Vid": "evil", "TemplateId": "t"})
    assert evil.status_code == 401
    assert emulator.ledger() == []


def test_the_official_sdk_signs_a_url(emulator: VodEmulator) -> None:
    request = Request()
    request.method, request.path = "GET", "/"
    request.query = {
        "Action": "StartWorkflow",
        "Version": "2020-08-01",
        "Vid": "v 中+1",
        "TemplateId": "t",
    }
    keys = OfficialCredentials("AKLTEMULATOR", "emulator-secret-key", "vod", "cn-north-1")
    query = SignerV4.sign_url(request, keys)
    assert httpx.get(f"{emulator.url}/?{query}").status_code == 200
    assert emulator.ledger()[0]["vid"] == "v 中+1"


def test_only_the_root_is_served(call: Call, emulator: VodEmulator) -> None:
    answer = call("StartWorkflow", {"Vid": "v", "TemplateId": "t"}, url=f"{emulator.url}/foo")
    assert answer.status_code == 404
