"""The signature, held to published vectors and to the official SDK."""

from __future__ import annotations

import copy
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from volcengine.auth.SignerV4 import SignerV4
from volcengine.base.Request import Request
from volcengine.Credentials import Credentials as OfficialCredentials

from pulumi_vod_workflow.core import signing

AT = datetime(2026, 1, 1, tzinfo=UTC)
HOST = "vod.volcengineapi.com"
KEYS = signing.Credentials("AKLTEXAMPLE", "c2VjcmV0")
STARTS = (("Action", "StartWorkflow"), ("Version", "2020-08-01"))


def signed(
    query: tuple[tuple[str, str], ...], *, method: str = "GET", body: bytes = b"", token: str = ""
) -> signing.Signature:
    return signing.sign(
        method,
        host=HOST,
        path="/",
        query=signing.canonical_query(query),
        body=body,
        content_type="application/json" if body else None,
        credentials=signing.Credentials(KEYS.access_key, KEYS.secret_key, token or None),
        region="cn-north-1",
        at=AT,
    )


def value(signature: signing.Signature) -> str:
    return signature.headers["authorization"].rpartition("Signature=")[2]


def test_golden_a_get() -> None:
    """Facts 5, vector A, with the stages before it."""
    template = "c3841b3122fd460db2bc99a6ec131cb8"
    made = signed((*STARTS, ("Vid", "v0d399g10001"), ("TemplateId", template)))
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert made.canonical_request.split("\n") == [
        "GET",
        "/",
        f"Action=StartWorkflow&TemplateId={template}&Version=2020-08-01&Vid=v0d399g10001",
        f"host:{HOST}",
        f"x-content-sha256:{empty}",
        "x-date:20260101T000000Z",
        "",
        "host;x-content-sha256;x-date",
        empty,
    ]
    assert made.string_to_sign.split("\n")[:3] == [
        "HMAC-SHA256",
        "20260101T000000Z",
        "20260101/cn-north-1/vod/request",
    ]
    assert value(made) == "2cbe353f051884f8f33c942c14d6da3c85873a900ca080fc969f05a8e766aeef"


def test_golden_b_characters_and_session_token() -> None:
    """Facts 5, vector B: Chinese, plus, star, tilde, quotes; an STS token."""
    query = (*STARTS, ("Vid", "v 1+中*~(')!"), ("TemplateId", "t"))
    made = signed(query, token="STS2abc==")
    assert made.canonical_request.split("\n")[2] == (
        "Action=StartWorkflow&TemplateId=t&Version=2020-08-01&Vid=v%201%2B%E4%B8%AD%2A~%28%27%29%21"
    )
    assert value(made) == "ac2e99207f0666b105fb9220a158618ebc693f6b1b2a260fc222cb536eda3089"


def test_golden_c_post() -> None:
    """Facts 5, vector C: a JSON body."""
    made = signed(STARTS, method="POST", body=b'{"Vid":"v1","TemplateId":"t"}')
    assert value(made) == "a2a550b3abde00d0b5683b997b9c14e29ce452cd0bd0fc533dfe7c5ed1523db4"


def test_golden_d_only_the_date_is_signed() -> None:
    """Facts 5, vector D: what another client signs verifies by the same stages."""
    query = signing.canonical_query(
        (("Action", "GetWorkflowExecution"), ("Version", "2020-08-01"), ("RunId", "lb:1"))
    )
    body_hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    x_date, scope = "20260101T000000Z", "20260101/cn-north-1/vod/request"
    request = signing.canonical_request("GET", "/", query, {"X-Date": x_date}, body_hash)
    text = signing.string_to_sign(request, scope, x_date)
    expected = "3a685ebd53909c30fd1c584214f8717970dadae24f00ab144e96ebde49b76588"
    assert signing.signature(text, KEYS.secret_key, scope) == expected


TEXT = st.text(
    st.sampled_from("aZ09-_.~ +*/&=%?'()!中文é\U0001f3ac") | st.characters(codec="utf-8"),
    max_size=20,
)


@given(
    query=st.dictionaries(TEXT.filter(bool), TEXT | st.lists(TEXT, min_size=1, max_size=3)),
    body=st.binary(max_size=50),
    host=st.sampled_from(["vod.volcengineapi.com", "127.0.0.1:8080", "[::1]:9", "localhost"]),
    token=st.none() | st.from_regex(r"[A-Za-z0-9+/=]{1,40}", fullmatch=True),
    region=st.sampled_from(["cn-north-1", "ap-southeast-1"]),
)
def test_the_official_signer_agrees(
    query: dict[str, str | list[str]], body: bytes, host: str, token: str | None, region: str
) -> None:
    """Whatever is sent, the official SDK would have signed it the same."""
    official = Request()
    official.method = "POST" if body else "GET"
    official.path = "/"
    official.host = host
    official.headers = {"Host": host}
    official.query = copy.deepcopy(query)
    official.body = body
    if body:
        official.headers["Content-Type"] = "application/json"
    keys = OfficialCredentials("AK", "SK", "vod", region, token or "")
    SignerV4.sign(official, keys)
    at = datetime.strptime(official.headers["X-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    pairs = [
        (name, item)
        for name, items in query.items()
        for item in (items if isinstance(items, list) else [items])
    ]
    ours = signing.sign(
        official.method,
        host=host,
        path="/",
        query=signing.canonical_query(pairs),
        body=body,
        content_type="application/json" if body else None,
        credentials=signing.Credentials("AK", "SK", token),
        region=region,
        at=at,
    )
    assert ours.headers["authorization"] == official.headers["Authorization"]


def test_no_secret_in_a_repr() -> None:
    """Credentials and signatures can be logged by mistake without harm."""
    keys = signing.Credentials("AK", "hidden-secret", "hidden-token")
    assert "hidden" not in repr(keys)
    made = signed(STARTS, token="hidden-token")
    assert "Authorization" not in repr(made)


@pytest.mark.parametrize("zone", ["+08:00", "-05:00"])
def test_any_zone_signs_the_same_moment(zone: str) -> None:
    """Times are spelled in UTC."""
    moment = datetime.fromisoformat(f"2026-01-01T00:00:00{zone}")
    made = signing.sign(
        "GET", host=HOST, path="/", query="", body=b"", content_type=None, credentials=KEYS,
        region="cn-north-1", at=moment,
    )  # fmt: skip
    assert made.headers["x-date"] == moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
