"""Signatures: the golden vectors, and a row of the error table for each way to be wrong."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from pulumi_vod_workflow.emulator import EmulatorSettings, VodEmulator
from pulumi_vod_workflow.emulator.errors import Refusal
from pulumi_vod_workflow.emulator.verify import Keys, Signed, verify

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


def vector(name: str, signature: str | None = None) -> tuple[Signed, Keys]:
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
    return Signed(method, "/", query, headers, body), Keys("AKLTEXAMPLE", "c2VjcmV0", token)


@pytest.mark.parametrize("name", VECTORS)
def test_golden_vectors_verify(name: str) -> None:
    assert verify(*vector(name), MOMENT) == "cn-north-1"


@pytest.mark.parametrize("name", VECTORS)
def test_golden_vectors_do_not_verify_with_another_signature(name: str) -> None:
    with pytest.raises(Refusal, match="SignatureDoesNotMatch"):
        verify(*vector(name, "0" * 64), MOMENT)


@pytest.mark.parametrize(
    ("seconds", "good"), [(900, True), (-900, True), (901, False), (-901, False)]
)
def test_the_window_is_900_seconds_each_way(seconds: int, good: bool) -> None:
    now = MOMENT + timedelta(seconds=seconds)
    if good:
        assert verify(*vector("D"), now)
    else:
        with pytest.raises(Refusal, match="InvalidTimestamp"):
            verify(*vector("D"), now)


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


def test_the_signature_window_does_not_follow_the_virtual_clock(
    call: Call, emulator: VodEmulator
) -> None:
    emulator.advance(86400)
    answer = call("GetWorkflowTemplate", {"TemplateId": "t"})
    assert answer.status_code == 200
    date = datetime.strptime(answer.headers["date"], "%a, %d %b %Y %H:%M:%S GMT")  # noqa: DTZ007
    assert timedelta(hours=23) < date.replace(tzinfo=UTC) - datetime.now(UTC) < timedelta(hours=25)
    assert len(answer.headers.get_list("date")) == 1
