"""Names, TLS and proxies that fail, over real sockets: was a start sent, and what was shown."""

from __future__ import annotations

import asyncio
import gc
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest

from pulumi_vod_workflow.core.recovery import StartIntent
from pulumi_vod_workflow.core.response import ApiResponse
from pulumi_vod_workflow.core.retry import RetryPolicy
from pulumi_vod_workflow.core.signing import Credentials
from pulumi_vod_workflow.emulator import VodEmulator
from pulumi_vod_workflow.errors import TransportError
from pulumi_vod_workflow.journal.recorder import StartRecorder
from pulumi_vod_workflow.journal.sqlite import SqliteJournal
from pulumi_vod_workflow.transport.client import Timeouts, VodClient

HOST = "vod.example.com"
KEYS = Credentials("AKLTEMULATOR", "emulator-secret-key")
HIDDEN = Credentials("AK-hidden", "hidden-secret", "hidden-token")
START = {"vid": "v", "templateId": "t"}
ONCE = RetryPolicy(rejected_start_budget=0, ambiguous_start_budget=0, unreachable_budget=0)
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

pytestmark = pytest.mark.vod_emulator(rate_limit=0, pending_seconds=1000)


@asynccontextmanager
async def serving(handler: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serve on loopback; yield the port."""

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await handler(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(served, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
    finally:
        writer.close()


def passing_to(port: int) -> Handler:
    """Return a handler that joins its connection to a port of this machine."""

    async def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pass_on(reader, back), pass_on(there, writer))

    return join


async def start(endpoint: str, keys: Credentials = HIDDEN, **options: Any) -> ApiResponse:
    settings = {"policy": ONCE, "timeouts": Timeouts(connect=2, start=2), **options}
    client = VodClient(endpoint, "cn-north-1", keys, **settings)
    try:
        return await client.start_workflow(START, "token")
    finally:
        await client.aclose()


async def failed(endpoint: str, **options: Any) -> TransportError:
    """Return why a start fails; it shows no key, nor anything of the signed request."""
    with pytest.raises(TransportError) as caught:
        await start(endpoint, **options)
    error = caught.value
    for text in (str(error), repr(error)):
        for secret in ("hidden", "Signature=", "HMAC-SHA256", "X-Date"):
            assert secret not in text
    assert error.__cause__ is error.__context__ is None
    return error


# -- names -------------------------------------------------------------------------------------


def test_a_name_that_nobody_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may come, as when a laptop wakes up: it is asked for again, for a while."""
    asked = []

    def unknown(host: str, *_: Any, **__: Any) -> None:
        asked.append(host)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    repeating = RetryPolicy(unreachable_budget=0.5, initial_backoff=0.05)
    error = anyio.run(lambda: failed("https://nowhere.invalid", policy=repeating))
    assert "nowhere.invalid: the name is not found (DNS)" in str(error)
    assert (error.maybe_accepted, error.retryable, error.sent) == (False, True, False)
    assert len(asked) > 2


def test_a_name_that_nobody_answers_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that hangs is bounded as a connection is."""
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(60))

    async def go() -> TransportError:
        try:
            return await failed("https://nowhere.invalid", timeouts=Timeouts(connect=0.2))
        finally:
            over.set()

    error = anyio.run(go)
    assert "no connection in time" in str(error)
    assert (error.maybe_accepted, error.retryable, error.sent) == (False, True, False)


def test_the_machines_own_resolver() -> None:
    """Whether it says no or nothing, nothing was sent."""
    error = anyio.run(lambda: failed("https://nowhere.invalid"))
    assert (error.maybe_accepted, error.sent) == (False, False)


# -- TLS ---------------------------------------------------------------------------------------

CONFIGURATION = """
[ca]
default_ca = own
[own]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = names
unique_subject = no
x509_extensions = of_{host}
[names]
commonName = supplied
[req]
distinguished_name = names
[of_{host}]
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always
basicConstraints = critical, CA:true
keyUsage = critical, digitalSignature, keyCertSign
subjectAltName = DNS:{host}
"""


def certified(folder: Path, host: str, until: str = "20491231235959Z") -> Path:
    """Make a certificate that vouches for itself, with its key."""
    folder.mkdir()
    (folder / "index.txt").touch()
    made = folder / "made.cnf"
    made.write_text(CONFIGURATION.format(folder=folder, host=host))
    key, request, certificate = (folder / name for name in ("key.pem", "csr.pem", "cert.pem"))
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl, which makes certificates")
    lines: list[list[str | Path]] = [
        ["req", "-new", *curve, "-subj", f"/CN={host}", "-keyout", key, "-out", request],
        ["ca", "-batch", "-notext", "-selfsign", "-keyfile", key, "-in", request,
         "-startdate", "20200101000000Z", "-enddate", until, "-out", certificate],
    ]  # fmt: skip
    for line in lines:
        command = [openssl, line[0], "-config", made, *line[1:]]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    certificate.write_text(certificate.read_text() + key.read_text())
    return certificate


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("certificates")
    return {
        "good": certified(folder / "good", HOST),
        "expired": certified(folder / "expired", HOST, until="20200102000000Z"),
        "of another host": certified(folder / "other", "other.example.com"),
        "of nobody": certified(folder / "nobody", HOST),
    }


@pytest.fixture
def trusted(certificates: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The name is this machine's; SSL_CERT_FILE vouches for all certificates but one."""
    bundle = tmp_path / "bundle.pem"
    known = [path for name, path in certificates.items() if name != "of nobody"]
    bundle.write_text("".join(path.read_text() for path in known))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    real = socket.getaddrinfo

    def here(host: str | bytes, *args: Any, **more: Any) -> Any:
        return real("127.0.0.1" if host in {HOST, HOST.encode()} else host, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", here)


def tls_with(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_a_certificate_of_ones_own_is_taken_if_named(
    vod_emulator: VodEmulator, certificates: dict[str, Path], trusted: None
) -> None:
    """What the failures below are compared with: the start arrives."""

    async def go() -> ApiResponse:
        emulator = passing_to(port_of(vod_emulator))
        async with serving(emulator, tls_with(certificates["good"])) as port:
            return await start(f"https://{HOST}:{port}", KEYS)

    assert anyio.run(go).result["RunId"] == vod_emulator.ledger()[0]["runId"]


def port_of(emulator: VodEmulator) -> int:
    port = urlsplit(emulator.url).port
    assert port is not None
    return port


@pytest.mark.parametrize("which", ["expired", "of another host", "of nobody"])
def test_a_certificate_that_does_not_vouch(
    certificates: dict[str, Path], trusted: None, which: str
) -> None:
    """Nothing is sent to who cannot say who it is, and it is not tried again."""
    seen: list[bytes] = []
    connections = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        seen.append(await reader.read())

    async def go() -> TransportError:
        async with serving(note, tls_with(certificates[which])) as port:
            return await failed(f"https://{HOST}:{port}", policy=RetryPolicy())

    error = anyio.run(go)
    assert "TLS failed: the certificate is not trusted" in str(error)
    assert (error.maybe_accepted, error.retryable, error.sent) == (False, False, False)
    assert b"".join(seen) == b""


async def speak_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
    await reader.read()


async def close(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read(1)


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(1)
    writer.transport.abort()


async def close_at_once(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    pass


async def reset_at_once(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def hang(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("handler", "says", "retryable"),
    [
        (speak_plainly, "the answer is not valid TLS", False),
        (close, "the connection was closed while TLS began", True),
        (reset, "while TLS began|no connection", True),
        (hang, "no connection in time", True),
    ],
)
def test_who_does_not_speak_tls(
    trusted: None, handler: Handler, says: str, retryable: bool
) -> None:
    """What breaks or hangs before TLS is spoken was not sent, and shows no key to who listens."""
    seen = bytearray()

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        copy = asyncio.StreamReader()

        async def read() -> None:
            while data := await reader.read(65536):
                seen.extend(data)
                copy.feed_data(data)
            copy.feed_eof()

        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(read())
            await handler(copy, writer)
            reading.cancel()

    async def go() -> TransportError:
        async with serving(note) as port:
            timeouts = Timeouts(connect=0.5, start=5)
            return await failed(f"https://{HOST}:{port}", timeouts=timeouts)

    error = anyio.run(go)
    assert any(part in str(error) for part in says.split("|"))
    assert (error.maybe_accepted, error.retryable, error.sent) == (False, retryable, False)
    assert seen.startswith(b"\x16\x03"), "the client's hello"
    for secret in (b"hidden", b"HMAC-SHA256", b"StartWorkflow"):
        assert secret not in seen


# -- proxies -----------------------------------------------------------------------------------


class Proxy:
    """A proxy on loopback that does with CONNECT what it is told, and notes what it is asked."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n", then: Handler = hang) -> None:
        self.answer = answer
        self.then = then
        self.heads: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self.answer)
        await self.then(reader, writer)


@pytest.fixture
def through(trusted: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Set the proxy of the environment, with a password of its own."""

    def use(port: int) -> None:
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:hidden-password@127.0.0.1:{port}")

    return use


def started_through(
    proxy: Proxy,
    emulator: VodEmulator,
    certificates: dict[str, Path],
    through: Callable[[int], None],
    **settings: Any,
) -> ApiResponse:
    """Start a run at the emulator, over TLS, by way of a proxy."""

    async def go() -> ApiResponse:
        behind = passing_to(port_of(emulator))
        async with serving(behind, tls_with(certificates["good"])) as port, serving(proxy) as at:
            proxy.then = passing_to(port)
            through(at)
            return await start(f"https://{HOST}", KEYS, **settings)

    return anyio.run(go)


def test_a_proxy_in_between(
    vod_emulator: VodEmulator, certificates: dict[str, Path], through: Callable[[int], None]
) -> None:
    """It learns where to connect, and nothing of what is sent."""
    proxy = Proxy()
    answer = started_through(proxy, vod_emulator, certificates, through)
    assert answer.result["RunId"] == vod_emulator.ledger()[0]["runId"]
    [head] = proxy.heads
    assert head.startswith(b"CONNECT vod.example.com:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic " in head
    for secret in (b"AKLTEMULATOR", b"Signature", b"StartWorkflow"):
        assert secret not in head


def test_an_answer_lost_in_the_proxy_is_found_again(
    vod_emulator: VodEmulator, certificates: dict[str, Path], through: Callable[[int], None]
) -> None:
    """The start arrives, the tunnel breaks: the repeat, through a new one, joins the run."""
    vod_emulator.fault(action="StartWorkflow", kind="reset", when="after")
    proxy = Proxy()
    answer = started_through(proxy, vod_emulator, certificates, through, policy=RetryPolicy())
    assert answer.result["RunId"] == vod_emulator.ledger()[0]["runId"]
    assert len(proxy.heads) == 2
    assert vod_emulator.requests()["StartWorkflow"] == 2
    assert len(vod_emulator.ledger()) == 1


REFUSED = b"HTTP/1.1 %d No\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("proxy", "says", "retryable"),
    [
        (Proxy(REFUSED % 407), "): the proxy refused (HTTP 407)", False),
        (Proxy(REFUSED % 403), "): the proxy refused (HTTP 403)", False),
        (Proxy(REFUSED % 502), "): the proxy refused (HTTP 502)", True),
        (Proxy(REFUSED % 503), "): the proxy refused (HTTP 503)", True),
        (Proxy(then=close), "the connection was closed while TLS began", True),
        (Proxy(then=reset), "TLS began|no connection", True),
        (Proxy(then=hang), "no connection in time", True),
    ],
    ids=["407", "403", "502", "503", "drops the tunnel", "resets the tunnel", "hangs in it"],
)
def test_a_proxy_that_does_not_get_through(
    through: Callable[[int], None], proxy: Proxy, says: str, retryable: bool
) -> None:
    """No start was sent, and the proxy's own password is not shown either."""
    error = behind(proxy, through)
    assert any(part in str(error) for part in says.split("|"))
    assert (error.maybe_accepted, error.retryable, error.sent) == (False, retryable, False)
    assert [head.split()[:2] for head in proxy.heads] == [[b"CONNECT", b"vod.example.com:443"]]


def behind(proxy: Proxy, through: Callable[[int], None]) -> TransportError:
    async def go() -> TransportError:
        async with serving(proxy) as at:
            through(at)
            return await failed(f"https://{HOST}", timeouts=Timeouts(connect=0.5, start=0.5))

    return anyio.run(go)


@pytest.mark.parametrize("then", [close_at_once, reset_at_once, hang])
def test_a_proxy_that_does_not_answer(through: Callable[[int], None], then: Handler) -> None:
    """CONNECT is asked for, and no tunnel comes of it: nothing was sent."""
    proxy = Proxy(answer=b"", then=then)
    error = behind(proxy, through)
    assert error.retryable
    assert (error.maybe_accepted, error.sent) == (False, False)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


def test_a_proxy_that_is_not_there(through: Callable[[int], None]) -> None:
    """It, and not the endpoint, is what refuses; so its variable is what to check."""
    port = free_port()
    through(port)
    error = anyio.run(lambda: failed(f"https://{HOST}"))
    assert error.summary == (
        f"{HOST}: through the proxy of HTTPS_PROXY (http://127.0.0.1:{port}): connection refused: "
        "no server at this address; check HTTPS_PROXY"
    )
    assert (error.maybe_accepted, error.retryable, error.sent) == (False, True, False)


def test_a_proxy_that_nobody_knows(trusted: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is looked up here, the endpoint's is not."""
    monkeypatch.setenv("HTTPS_PROXY", "proxy.invalid:3128")
    error = anyio.run(lambda: failed(f"https://{HOST}"))
    told = f"{HOST}: through the proxy of HTTPS_PROXY (http://proxy.invalid:3128): "
    assert error.summary.startswith(told)
    assert (error.maybe_accepted, error.sent) == (False, False)


@pytest.mark.waits
@pytest.mark.parametrize(
    ("named_by", "check"),
    [
        ("vod:endpoint", "the network and vod:endpoint"),
        ("VOLCENGINE_REGION", "the network and VOLCENGINE_REGION"),
        ("", "the network"),
    ],
)
def test_an_endpoint_where_nothing_listens(trusted: None, named_by: str, check: str) -> None:
    """The advice names only what is set; it comes after a few attempts."""
    port = free_port()

    async def go() -> tuple[TransportError, float]:
        began = anyio.current_time()
        error = await failed(f"https://{HOST}:{port}", policy=RetryPolicy(), setting_name=named_by)
        return error, anyio.current_time() - began

    error, took = anyio.run(go)
    assert error.summary == (
        f"{HOST}:{port}: connection refused: no server at this address; check {check}"
    )
    assert took < 20  # 5 s on an idle machine; `vod:timeout` would be a minute and more


class Socks:
    """A SOCKS5 proxy on loopback (RFC 1928, 1929) that leads to a port, or refuses by a code."""

    def __init__(self, then: Handler = hang, code: int = 0) -> None:
        self.then = then
        self.code = code
        self.asked: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, methods = await reader.readexactly(2)
        await reader.readexactly(methods)
        writer.write(b"\x05\x02")  # user and password
        _, length = await reader.readexactly(2)
        user = await reader.readexactly(length)
        [length] = await reader.readexactly(1)
        writer.write(b"\x01\x00")
        password = await reader.readexactly(length)
        *_, length = await reader.readexactly(5)
        name = await reader.readexactly(length)
        await reader.readexactly(2)
        self.asked.append(b" ".join((user, password, name)))
        writer.write(bytes((5, self.code, 0, 1, 127, 0, 0, 1, 0, 1)))
        if not self.code:
            await self.then(reader, writer)


@pytest.mark.parametrize("which", ["good", "of nobody"])
def test_a_proxy_that_speaks_tls(
    vod_emulator: VodEmulator,
    certificates: dict[str, Path],
    trusted: None,
    monkeypatch: pytest.MonkeyPatch,
    which: str,
) -> None:
    """Its certificate is one to trust as the endpoint's is: TLS through TLS."""
    proxy = Proxy()

    async def go() -> ApiResponse:
        behind, tls = passing_to(port_of(vod_emulator)), tls_with(certificates[which])
        async with (
            serving(behind, tls_with(certificates["good"])) as port,
            serving(proxy, tls) as at,
        ):
            proxy.then = passing_to(port)
            monkeypatch.setenv("HTTPS_PROXY", f"https://user:hidden-password@{HOST}:{at}")
            return await start(f"https://{HOST}", KEYS)

    if which == "good":
        assert anyio.run(go).result["RunId"] == vod_emulator.ledger()[0]["runId"]
        return
    with pytest.raises(TransportError, match=r"proxy of HTTPS_PROXY .* is not trusted") as caught:
        anyio.run(go)
    assert "hidden" not in str(caught.value)
    assert not caught.value.sent
    assert vod_emulator.ledger() == []


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_a_socks_proxy_in_between(
    vod_emulator: VodEmulator,
    certificates: dict[str, Path],
    trusted: None,
    monkeypatch: pytest.MonkeyPatch,
    scheme: str,
) -> None:
    """With the extra `socks`; the proxy looks the name up."""
    proxy = Socks()

    async def go() -> ApiResponse:
        behind = passing_to(port_of(vod_emulator))
        async with serving(behind, tls_with(certificates["good"])) as port, serving(proxy) as at:
            proxy.then = passing_to(port)
            monkeypatch.setenv("all_proxy", f"{scheme}://user:p%40ss@127.0.0.1:{at}")
            return await start(f"https://{HOST}", KEYS)

    assert anyio.run(go).result["RunId"] == vod_emulator.ledger()[0]["runId"]
    assert proxy.asked == [b"user p@ss vod.example.com"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("proxy", "says"),
    [
        (Socks(code=5), "the proxy refused"),
        (Socks(then=close), "the connection was closed while TLS began"),
        (close_at_once, "the connection broke"),
        (speak_plainly, "the connection broke"),
        (hang, "no answer in time"),
    ],
)
def test_a_socks_proxy_that_does_not_get_through(
    trusted: None, monkeypatch: pytest.MonkeyPatch, proxy: Handler, says: str
) -> None:
    """Nothing was sent, whatever it answers, and its password is not shown."""

    async def go() -> TransportError:
        async with serving(proxy) as at:
            monkeypatch.setenv("ALL_PROXY", f"socks5://user:hidden-password@127.0.0.1:{at}")
            return await failed(f"https://{HOST}", timeouts=Timeouts(connect=0.5, start=0.5))

    error = anyio.run(go)
    gc.collect()  # httpcore leaves the connection to it
    assert says in str(error)
    assert (error.maybe_accepted, error.retryable, error.sent) == (False, True, False)


# -- the window of a repeat --------------------------------------------------------------------


def test_a_repeat_whose_connection_takes_longer_than_the_window_is_not_sent(
    vod_emulator: VodEmulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A connection that broke is made anew for the repeat, and that may take seconds."""
    vod_emulator.settings(pending_seconds=0, running_seconds=0)
    vod_emulator.fault(action="StartWorkflow", kind="reset", when="after", times=9)
    connect, made = anyio.connect_tcp, []

    async def slow(*args: Any, **options: Any) -> Any:
        made.append(args)
        if len(made) > 1:
            await anyio.sleep(1.5)
        return await connect(*args, **options)

    monkeypatch.setattr(anyio, "connect_tcp", slow)
    note = StartRecorder(
        SqliteJournal(tmp_path / "j"),
        StartIntent(START, "token", "r", "k"),
        "me",
        resend_within=1.2,
    )

    async def go() -> None:
        client = VodClient(vod_emulator.url, "cn-north-1", KEYS)
        try:
            with pytest.raises(TransportError) as caught:
                await client.start_workflow(START, "token", recorder=note)
        finally:
            await client.aclose()
        assert caught.value.maybe_accepted

    anyio.run(go)
    assert len(made) == 2, "or this shows nothing"
    assert len(vod_emulator.ledger()) == 1
