"""The signing hook, used with any httpx client, held to the official SDK."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from urllib.parse import quote

import httpx
from hypothesis import given
from hypothesis import strategies as st
from volcengine.auth.SignerV4 import SignerV4
from volcengine.base.Request import Request
from volcengine.Credentials import Credentials as OfficialCredentials

from pulumi_vod_workflow.core.signing import Credentials
from pulumi_vod_workflow.transport.auth import VolcengineAuth

TEXT = st.text(
    st.sampled_from("aZ09-_.~ +*/&=%?'()!;中文é\U0001f3ac") | st.characters(codec="utf-8"),
    max_size=12,
)


class At:
    """A clock that stands still."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("signing does not wait")


def signed(request: httpx.Request, keys: Credentials, region: str, at: datetime) -> httpx.Request:
    flow = VolcengineAuth(keys, region, clock=At(at)).sync_auth_flow(request)
    return next(flow)


@given(
    query=st.dictionaries(TEXT.filter(bool), TEXT | st.lists(TEXT, min_size=1, max_size=3)),
    body=st.binary(max_size=30),
    url=st.sampled_from(
        [
            "https://vod.volcengineapi.com/",
            "https://vod.volcengineapi.com:443/",
            "http://127.0.0.1:8080/",
            "http://[::1]:9/",
            "http://localhost:80/",
        ]
    ),
    token=st.none() | st.from_regex(r"[A-Za-z0-9+/=]{1,40}", fullmatch=True),
    region=st.sampled_from(["cn-north-1", "ap-southeast-1"]),
)
def test_what_is_sent_is_what_the_official_sdk_would_have_signed(
    query: dict[str, str | list[str]], body: bytes, url: str, token: str | None, region: str
) -> None:
    """Any text, repeated keys, any port, a session token: one signature, over what is sent."""
    headers = {"Content-Type": "application/json"} if body else {}
    request = httpx.Request(
        "POST" if body else "GET", url, params=query, content=body or None, headers=headers
    )
    official = Request()
    official.method, official.path, official.body = request.method, "/", body
    official.host = request.headers["host"].removesuffix(":443").removesuffix(":80")
    official.headers = {"Host": official.host, **headers}
    official.query = copy.deepcopy(query)
    SignerV4.sign(official, OfficialCredentials("AK", "SK", "vod", region, token or ""))
    at = datetime.strptime(official.headers["X-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)

    sent = signed(request, Credentials("AK", "SK", token), region, at)

    assert sent.headers["authorization"] == official.headers["Authorization"]
    assert sent.headers["host"] == official.host
    pairs = sorted(
        (
            (name, text)
            for name, texts in query.items()
            for text in (texts if isinstance(texts, list) else [texts])
        ),
        key=lambda pair: pair[0],
    )
    spelled = "&".join(f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in pairs)
    assert sent.url.query.decode() == spelled, "and the query travels as it was signed"


def test_every_send_is_signed_anew() -> None:
    """The same request, sent later, carries the later time and another signature."""
    keys = Credentials("AK", "SK", "token")
    request = httpx.Request("GET", "https://vod.volcengineapi.com/", params={"Vid": "v 1+"})
    first = dict(signed(request, keys, "cn-north-1", datetime(2026, 1, 1, tzinfo=UTC)).headers)
    second = dict(signed(request, keys, "cn-north-1", datetime(2026, 1, 2, tzinfo=UTC)).headers)
    assert (first["x-date"], second["x-date"]) == ("20260101T000000Z", "20260102T000000Z")
    assert first["authorization"] != second["authorization"]
