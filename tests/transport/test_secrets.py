"""
What must not get out of the client: keys, tokens and signatures, by any error, place or proxy.

Whatever is quoted is quoted in many spellings, because services and proxies escape differently.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import traceback
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import anyio
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulumi_vod_workflow.config.endpoint import is_loopback
from pulumi_vod_workflow.config.settings import load_settings
from pulumi_vod_workflow.core.retry import RetryPolicy
from pulumi_vod_workflow.core.signing import Credentials
from pulumi_vod_workflow.emulator import EmulatorSettings, VodEmulator
from pulumi_vod_workflow.errors import (
    ConfigurationError,
    MalformedResponseError,
    TransportError,
    VodWorkflowError,
)
from pulumi_vod_workflow.transport.client import VodClient

ACCESS_KEY = "AKLT-of-who-asks"  # long: two letters may come by chance among encrypted bytes
KEY, TOKEN = "s3cr3t-k3y", "s3cr3t/T0k3n+w1th=escapes&=="
ARGS = "s3cr3t-args"
START = {"vid": "v", "templateId": "t", "callbackArgs": ARGS}


def secrets_of(request: httpx.Request) -> tuple[str, ...]:
    """What the service knows of a request's sender, and nobody else may."""
    return KEY, TOKEN, request.headers["authorization"].rpartition("Signature=")[2]


SPELLINGS: Mapping[str, Callable[[str], str]] = {
    "as it is": str,
    "in JSON, slashes escaped": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "in JSON, all escaped": lambda text: "".join(
        char if char.isalnum() else f"\\u{ord(char):04x}" for char in text
    ),
    "in a URL": lambda text: quote(text, safe=""),
    "in HTML": lambda text: "".join(char if char.isalnum() else f"&#{ord(char)};" for char in text),
}


def envelope(words: str, code: str = "SignatureDoesNotMatch") -> str:
    """Spelled by hand: how it is escaped is what is tried."""
    return (
        '{"ResponseMetadata": {"RequestId": "r", "Error": '
        f'{{"Code": "{code}", "Message": "{words}"}}}}}}'
    )


ANSWERS: Mapping[str, Callable[[str], httpx.Response]] = {
    "400": lambda words: httpx.Response(400, text=envelope(words, "InvalidParameter")),
    "401": lambda words: httpx.Response(401, text=envelope(words)),
    "403": lambda words: httpx.Response(403, text=envelope(words, "AccessDenied")),
    "429": lambda words: httpx.Response(429, text=envelope(words, "RequestLimitExceeded")),
    "500": lambda words: httpx.Response(500, text=envelope(words, "InternalError")),
    "HTML": lambda words: httpx.Response(502, text=f"<html>{words}</html>"),
    "truncated": lambda words: httpx.Response(200, text=envelope(words)[:-3]),
    "redirect": lambda words: httpx.Response(302, headers={"location": f"/{words}"}),
    "no RunId": lambda words: httpx.Response(
        200, text=f'{{"ResponseMetadata": {{}}, "Result": {{"Told": "{words}"}}}}'
    ),
}


async def failure_of(client: VodClient) -> VodWorkflowError:
    with pytest.raises(VodWorkflowError) as caught:
        await client.start_workflow(START, "client-token")
    return caught.value


def everything_about(error: BaseException) -> str:
    """All that anybody could print of an error, a debugger's view of its attributes included."""
    shown = []
    chain: BaseException | None = error
    while chain is not None:
        shown += [str(chain), repr(chain), repr(vars(chain)), repr(chain.args)]
        shown += traceback.format_exception(chain)
        chain = chain.__cause__ or chain.__context__
    state = (error.args, vars(error))
    return "\n".join(shown) + pickle.dumps(state).decode("latin-1")


@pytest.mark.parametrize(
    ("answer", "spelling"),
    [
        (answer, spelling)
        for answer in ANSWERS
        for spelling in (SPELLINGS if answer in {"401", "HTML"} else ["as it is"])
    ],
)
def test_what_signs_a_request_is_in_no_error_however_it_is_quoted(
    with_client: Callable[..., None], answer: str, spelling: str
) -> None:
    """A service, or a proxy's page, may repeat the whole request: the rest of it is shown."""
    seen: list[httpx.Request] = []
    told: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        quoted = "; ".join(map(SPELLINGS[spelling], secrets_of(request)))
        return ANSWERS[answer](quoted)

    async def use(client: VodClient) -> None:
        told.append(everything_about(await failure_of(client)))

    with_client(handler, use, credentials=Credentials("AK", KEY, TOKEN))
    for request in seen:
        for secret in secrets_of(request):
            assert SPELLINGS[spelling](secret) not in told[0]
            assert secret not in told[0]


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("x"),
        httpx.ConnectTimeout("x"),
        httpx.ReadTimeout("x"),
        httpx.RemoteProtocolError("x"),
        httpx.ProxyError("407 x"),
        httpx.UnsupportedProtocol("x"),
        RuntimeError("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_error_leads_back_to_the_signed_request(
    with_client: Callable[..., None], error: Exception
) -> None:
    """Its text, its parts, its pickle and all that it came of; httpx's hold the request."""
    seen: list[httpx.Request] = []
    told: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        error.args = (f"{request.url} {request.headers.multi_items()}",)
        if isinstance(error, httpx.RequestError):
            error.request = request
        raise error

    async def use(client: VodClient) -> None:
        told.append(everything_about(await failure_of(client)))

    with_client(handler, use, credentials=Credentials("AK", KEY, TOKEN))
    for secret in (ARGS, *secrets_of(seen[-1])):
        assert secret not in told[0]


# -- plain HTTP --------------------------------------------------------------------------------

ELSEWHERE = (
    "http://vod.example.com",
    "HTTP://VOD.EXAMPLE.COM",
    "http://vod.example.com.",
    "http://localhost.example.com",
    "http://127.0.0.1.example.com",
    "http://127.0.0.1@example.com",
    "http://localhost:80@example.com",
    "http://user:word@localhost",
    "http://example.com#@127.0.0.1",
    "http://example.com?@127.0.0.1",
    "http://example.com/@127.0.0.1",
    "http://example.com\\@127.0.0.1",
    "http://localhost,example.com",
    "http://localhost example.com",
    "http://localhost%2eexample.com",
    "http://localhost%00.example.com",
    "http://lo\ncalhost.example.com",
    "http://example.com:80\\.localhost",
    "http://128.0.0.1",
    "http://10.0.0.1",
    "http://169.254.169.254",
    "http://0.0.0.0",
    "http://134744072",
    "http://0x08080808",
    "http://010.8.8.8",
    "http://8.8",
    "http://[::]",
    "http://[2001:db8::1]",
    "http://[::ffff:8.8.8.8]",
    "http://[::ffff:0808:0808]",
    "http:/example.com",
    "http:example.com",
    "http:///example.com",
    "//example.com",
    "ws://localhost",
    "file://localhost/",
    "http+unix://localhost",
)
"""Spellings that are, or that one parser or another takes for, a place beyond this machine."""


@pytest.mark.parametrize("endpoint", ELSEWHERE)
def test_no_spelling_leads_plain_http_off_this_machine(tmp_path: Path, endpoint: str) -> None:
    """Settings and client, which parse for themselves, each refuse it, without a secret."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings({"vod:endpoint": endpoint}.get, {}, tmp_path)
    assert "word" not in str(caught.value)
    with pytest.raises(ConfigurationError) as caught:
        VodClient(endpoint, "cn-north-1", Credentials("AK", KEY, TOKEN))
    assert "word" not in str(caught.value)


HERE = (
    "http://localhost",
    "http://LOCALHOST:8080",
    "http://127.0.0.1:80",
    "http://127.255.255.254",
    "http://[::1]",
    "http://[0:0:0:0:0:0:0:1]:8080",
)


@pytest.mark.parametrize("endpoint", HERE)
def test_this_machine_may_be_spoken_to_in_the_clear(tmp_path: Path, endpoint: str) -> None:
    """The other side of the rule: what settings make of it the client takes."""
    site = load_settings({"vod:endpoint": endpoint}.get, {}, tmp_path).site
    VodClient(site.endpoint, site.region, Credentials("AK", KEY))


PIECES = ("localhost", "127.0.0.1", "[::1]", "a.example", *".:@/\\#?%0[]\t ")


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=6).map("".join))
def test_whatever_is_taken_is_https_or_this_machine(rest: str) -> None:
    """Two parsers read an endpoint, one after the other: they may not disagree about where."""
    with suppress(ConfigurationError):
        site = load_settings({"vod:endpoint": f"http://{rest}"}.get, {}, Path("none")).site
        assert is_loopback(httpx.URL(site.endpoint).host)
    with suppress(ConfigurationError):
        client = VodClient(f"http://{rest}", "cn-north-1", Credentials("AK", KEY))
        assert is_loopback(client._url.host)


# -- real connections --------------------------------------------------------------------------


class Listener:
    """A server that keeps what it is sent, and answers each connection once, or not at all."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = answers
        self.connections: list[bytes] = []

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            host, port = server.sockets[0].getsockname()
            yield f"{host}:{port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(self.connections)
        self.connections.append(b"")
        for answer in self.answers:
            self.connections[number] += await reader.read(1 << 16)
            writer.write(answer)
            await writer.drain()
        writer.close()


def client_of(endpoint: str) -> VodClient:
    policy = RetryPolicy(ambiguous_start_budget=0, unreachable_budget=0)
    keys = Credentials(ACCESS_KEY, KEY, TOKEN)
    return VodClient(endpoint, "cn-north-1", keys, policy=policy)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 305, 307, 308])
@pytest.mark.parametrize("to", ["the same place", "another port", "plain http", "another scheme"])
def test_no_redirect_is_followed(status: int, to: str) -> None:
    """Signature and token are sent once, whatever the answer points to."""

    async def go() -> None:
        other = Listener(b"HTTP/1.1 500 x\r\n\r\n")
        async with other.listening() as elsewhere:
            target = {
                "the same place": "/",
                "another port": f"http://{elsewhere}/",
                "plain http": "http://vod.example.com/",
                "another scheme": f"ftp://{elsewhere}/",
            }[to]
            headers = f"location: {target}?hidden\r\ncontent-length: 0\r\n"
            first = Listener(f"HTTP/1.1 {status} x\r\n{headers}\r\n".encode())
            async with first.listening() as here:
                client = client_of(f"http://{here}")
                failure = await failure_of(client)
                await client.aclose()
        assert isinstance(failure, MalformedResponseError)
        assert "redirect" in str(failure)
        assert "hidden" not in everything_about(failure)
        [sent] = first.connections
        assert sent.count(b"Signature=") == sent.count(TOKEN.encode()) == 1
        assert other.connections == []

    anyio.run(go)


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("opens", [True, False])
def test_a_proxy_sees_a_name_and_no_more(
    monkeypatch: pytest.MonkeyPatch, variable: str, opens: bool
) -> None:
    """It is asked for a tunnel, and what goes through it is TLS."""

    async def go() -> None:
        accepted = (b"HTTP/1.1 200 x\r\n\r\n", b"not TLS")
        proxy = Listener(*(accepted if opens else (b"HTTP/1.1 403 x\r\n\r\n",)))
        async with proxy.listening() as address:
            monkeypatch.setenv(variable, f"http://user:pr0xy-w0rd@{address}")
            client = client_of("https://vod.example.com")
            failure = await failure_of(client)
            await client.aclose()
        assert isinstance(failure, TransportError)
        assert not failure.sent
        assert "pr0xy-w0rd" not in everything_about(failure)
        [seen] = proxy.connections
        asked, _, tunnelled = seen.partition(b"\r\n\r\n")
        assert asked.startswith(b"CONNECT vod.example.com:443 HTTP/1.1\r\n")
        assert tunnelled[:2] == (b"\x16\x03" if opens else b""), "a TLS handshake, or nothing"
        keys = (ACCESS_KEY.encode(), TOKEN.encode())
        for secret in (*keys, b"Signature", b"x-security", b"callback"):
            assert secret.lower() not in seen.lower()

    anyio.run(go)


def test_no_proxy_stands_between_this_machine_and_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain HTTP through one would show it the signature, and lead off this machine."""

    async def go() -> None:
        proxy = Listener(b"HTTP/1.1 500 x\r\n\r\n")
        async with proxy.listening() as address:
            for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
                for variable in (name, name.lower()):
                    monkeypatch.setenv(variable, f"http://{address}")
            behaviour = EmulatorSettings(rate_limit=0, secret_key=KEY, session_token=TOKEN)
            with VodEmulator(behaviour) as emulator:
                keys = Credentials("AKLTEMULATOR", KEY, TOKEN)
                client = VodClient(emulator.url, "cn-north-1", keys)
                assert (await client.start_workflow(START, "token")).result["RunId"]
                await client.aclose()
        assert proxy.connections == []

    anyio.run(go)
