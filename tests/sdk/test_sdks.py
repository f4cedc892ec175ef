"""Official SDKs, unmodified but for host and key: they work, and are refused as by the service."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import http.server
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pulumi_vod_workflow.emulator import EmulatorSettings, VodEmulator

HERE = Path(__file__).parent
GO_SDK = "github.com/volcengine/volc-sdk-golang@v1.0.180"
NODE_SDK = "@volcengine/openapi@1.36.2"
Keys = tuple[str, str]
KEYS: Keys = ("AKLTEMULATOR", "emulator-secret-key")
Use = Callable[..., list[dict[str, Any]]]
"""Returns the SDK's answer of each target, which is a host with keys, or its error."""


@contextmanager
def cached(name: str) -> Iterator[Path]:
    """A folder that later runs find filled; one process at a time fills it."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "pulumi-vod-workflow" / "sdk" / name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def go_program() -> list[str]:
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not on PATH")
    source = (HERE / "program.go").read_text()
    with cached(GO_SDK.rpartition("@")[2]) as folder:
        program = folder / f"program-{hashlib.sha256(source.encode()).hexdigest()[:12]}"
        if not program.exists():
            (folder / "main.go").write_text(source)
            (folder / "go.mod").unlink(missing_ok=True)
            commands = [["mod", "init", "program"], ["get", GO_SDK], ["mod", "tidy"]]
            for command in [*commands, ["build", "-o", str(program), "."]]:
                subprocess.run([go, *command], cwd=folder, check=True, timeout=280)
        return [str(program)]


def node_program() -> list[str]:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("Node.js with npm is not on PATH")
    with cached(NODE_SDK.replace("/", "-")) as folder:
        if not (folder / "node_modules").exists():
            quiet = ["--no-save", "--no-package-lock", "--no-audit", "--no-fund"]
            install = [npm, "install", *quiet, NODE_SDK]
            subprocess.run(install, cwd=folder, check=True, timeout=280)
        shutil.copy2(HERE / "program.js", folder / "program.js")
        return [node, str(folder / "program.js")]


PROGRAMS = {
    "python": lambda: [sys.executable, str(HERE / "program.py")],
    "go": go_program,
    "node": node_program,
}


@pytest.fixture(params=PROGRAMS)
def sdk(request: pytest.FixtureRequest) -> Use:
    program = PROGRAMS[request.param]()

    def use(*targets: tuple[str, Keys]) -> list[dict[str, Any]]:
        given = ["=".join((host, *keys)) for host, keys in targets]
        done = subprocess.run(
            [*program, *given], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    return use


@pytest.fixture(scope="module")
def emulator() -> Iterator[VodEmulator]:
    """Runs end at once, so that a program sees results."""
    quick = EmulatorSettings(
        rate_limit=0, pending_seconds=0, running_seconds=0, low_priority_seconds=0
    )
    with VodEmulator(quick) as running:
        yield running


@pytest.fixture(autouse=True)
def _empty(emulator: VodEmulator) -> None:
    emulator.reset()


def host_of(emulator: VodEmulator) -> str:
    return emulator.url.removeprefix("http://")


@dataclass
class Sent:
    """A request on its way, to be spoiled."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Meddler:
    """A proxy that spoils what it passes on, and notes what is answered."""

    upstream: str
    spoil: Callable[[Sent], Any]
    answers: list[tuple[int, str | None, int | None]] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[str]:
        meddler = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                sent = Sent(self.path, dict(self.headers.items()), self.whole_body())
                meddler.spoil(sent)
                connection = http.client.HTTPConnection(meddler.upstream, timeout=20)
                connection.putrequest(
                    self.command, sent.path, skip_host=True, skip_accept_encoding=True
                )
                for name, value in sent.headers.items():
                    if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                        connection.putheader(name, value)
                connection.putheader("content-length", str(len(sent.body)))
                connection.endheaders(sent.body)
                answer = connection.getresponse()
                body = answer.read()
                error = json.loads(body)["ResponseMetadata"].get("Error") or {}
                meddler.answers.append((answer.status, error.get("Code"), error.get("CodeN")))
                self.send_response(answer.status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                connection.close()

            do_POST = do_GET  # noqa: N815 - http.server's name

            def whole_body(self) -> bytes:
                if self.headers.get("transfer-encoding") != "chunked":  # as Go sends even nothing
                    return self.rfile.read(int(self.headers.get("content-length") or 0))
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def log_message(self, *_: object) -> None:
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            yield f"127.0.0.1:{server.server_port}"
            server.shutdown()
            thread.join()


def set_header(name: str, value: str | None) -> Callable[[Sent], None]:
    def spoil(sent: Sent) -> None:
        for spelled in [key for key in sent.headers if key.lower() == name]:
            del sent.headers[spelled]
        if value is not None:
            sent.headers[name] = value

    return spoil


def other_query(sent: Sent) -> None:
    sent.path = sent.path.replace("TemplateId=t", "TemplateId=u")


def other_body(sent: Sent) -> None:
    sent.body += b"not even JSON"


def test_an_official_sdk_works_unmodified(sdk: Use, emulator: VodEmulator) -> None:
    """Its typed answers have what was started, in all six calls, and through an honest proxy."""
    host = host_of(emulator)
    honest = Meddler(host, lambda _: None)
    with honest.running() as proxy:
        answers = sdk((host, KEYS), (proxy, KEYS))
    starts = {start["runId"]: start["vid"] for start in emulator.ledger()}
    assert starts == {answer.pop("runId"): "v 1+中" for answer in answers}
    answer = {
        "status": "0",
        "callbackArgs": "a b&c",
        "tasks": 2,
        "ended": "0",
        "videos": 1,
        "codec": "h264",
        "snapshots": ["Sample"],
        "template": "t",
        "total": 4,
        "listed": 2,
        "video": "v",
        "missing": ["emu-missing"],
    }
    assert answers == [answer, answer]
    assert [status for status, _, _ in honest.answers] == [200] * 6


Refusal = tuple[int, str, int]
SPOILED: dict[str, tuple[Callable[[Sent], Any], Refusal]] = {
    "query": (other_query, (401, "SignatureDoesNotMatch", 100010)),
    "body": (other_body, (401, "SignatureDoesNotMatch", 100010)),
    "no date": (set_header("x-date", None), (400, "MissingRequestInfo", 100004)),
    "no key": (
        set_header("authorization", None),
        (401, "MissingAuthenticationToken", 100003),
    ),
    "old date": (set_header("x-date", "20200101T000000Z"), (403, "InvalidTimestamp", 100006)),
}
"""What a proxy spoils of each request -> how it does, and the answer."""
WRONG_KEYS: dict[Keys, Refusal] = {
    ("AKLTOTHER", "emulator-secret-key"): (401, "InvalidAccessKey", 100009),
    ("AKLTEMULATOR", "other"): (401, "SignatureDoesNotMatch", 100010),
}


def test_what_was_tampered_with_is_refused(sdk: Use, emulator: VodEmulator) -> None:
    """Whatever an SDK signs of its request, a change on the way is noticed."""
    meddlers = {name: Meddler(host_of(emulator), spoil) for name, (spoil, _) in SPOILED.items()}
    with ExitStack() as running:
        hosts = [running.enter_context(meddler.running()) for meddler in meddlers.values()]
        answers = sdk(*((host, KEYS) for host in hosts))
    assert [[*answer] for answer in answers] == [["error"]] * len(SPOILED)
    first = {name: meddler.answers[0] for name, meddler in meddlers.items()}
    assert first == {name: answer for name, (_, answer) in SPOILED.items()}
    assert emulator.ledger() == []


def test_a_wrong_key_is_refused(sdk: Use, emulator: VodEmulator) -> None:
    """And the SDK's own error has the code."""
    honest = Meddler(host_of(emulator), lambda _: None)
    with honest.running() as host:
        answers = sdk(*((host, keys) for keys in WRONG_KEYS))
    for (_, code, _), answer in zip(WRONG_KEYS.values(), answers, strict=True):
        assert code in answer["error"]
    assert [*dict.fromkeys(honest.answers)] == [*WRONG_KEYS.values()]
    assert emulator.ledger() == []
