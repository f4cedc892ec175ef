"""
Nothing secret leaves: real stacks, as talkative as they can be made, searched byte by byte.

Every process of Python logs whatever its libraries log, asyncio's debugging included, and the
engine runs with `-v=11 --logflow --debug`. Secrets are looked for in all that the commands say and
leave behind: output, state, history, backups, plans, logs, pickles, the local record.

Two places are the engine's own, hold all properties as they are, and are no provider's to change:
the file of PULUMI_DEBUG_GRPC, and at `-v=11` the lines on what is marshalled and planned (ENGINES).
Secret inputs are there, and the secret key and session token of the stack's configuration. What is
not even there is held, too: keys of the environment or of a file, and signatures.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from pulumi_vod_workflow.emulator import EmulatorSettings, VodEmulator
from tests.engine.project import ROOT, Project

pytestmark = pytest.mark.hosts("dynamic", torture="plugin")
KEY, TOKEN, MARK = "k3yThatSigns", "t0k3nOfSts", "s3cr3t"
"""
Parts of the secret key, of the session token, and of every secret input.

They are spelled alike in JSON, in a URL and in HTML, which what surrounds them is not.
"""
KEYS: Final = (f"{KEY}/+==", f"{TOKEN}+/==")
SIGNED: Final = "https://cdn.example.com/a.mp4?auth_key=s1gn3d"
TRACE: Final = ("--debug", "-v=11", "--logtostderr", "--logflow")
ENGINES: Final = re.compile(
    r'\{"time":"[^"]*","level":"INFO","msg":"'
    r"(?:(?:M|Unm)arshaling property for RPC\[|Planner decided )"
)
"""How the engine's own lines begin that hold properties as they are."""

SITE: Final = """
import asyncio.base_events, logging, socket, sys

logging.basicConfig(level=1, stream=sys.stderr, format="%(name)s %(levelname)s %(message)s")
asyncio.base_events.BaseEventLoop.slow_callback_duration = property(
    lambda loop: 0.0, lambda loop, seconds: None
)
look_up = socket.getaddrinfo

def getaddrinfo(host, *args, **kwargs):
    if host in ("nowhere.example", b"nowhere.example"):
        raise socket.gaierror(-2, "Name or service not known")
    return look_up(host, *args, **kwargs)

socket.getaddrinfo = getaddrinfo

def breaks(module, name):
    works = getattr(module, name)
    def broken(*args, **kwargs):
        if f"defect-{name}" in repr(args):
            raise ValueError(args, kwargs)
        return works(*args, **kwargs)
    setattr(module, name, broken)

if {"pulumi.dynamic", "pulumi_vod_workflow.plugin"} & {*sys.orig_argv}:
    from pulumi_vod_workflow.transport import client
    from pulumi_vod_workflow.core import execution, operations
    client.Timeouts.__init__.__defaults__ = (1.0, 1.0, 1.0)
    client.RetryPolicy.__init__.__defaults__ = (1.0, 0.5, 0.5, 0.5, 0.5, 0.1, 0.1, 0.1)
    breaks(operations, "start_workflow")
    breaks(execution, "execution_outputs")
"""
"""What each process of Python runs first: all is logged, waits are short, some parts broken."""

DECLARE: Final = """
import os

def secret(what):
    return pulumi.Output.secret(f"{os.environ['MARK']}-{what}/ü+&=")

def inputs(name, template, **more):
    logo = {"template_id": "All", "vars": {"text": secret(f"{name}-logo")}}
    return {
        "template_id": template,
        "direct_url": {"file_name": secret(name)},
        "callback_args": secret(f"{name}-args"),
        "triggers": {"version": secret(f"{name}-trigger"), "round": os.environ["ROUND"]},
        "input": {"override_params": {"logo": [logo]}},
        **more,
    }
"""

# -- a service that tells all it was sent ------------------------------------------------------


class Asked(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: Front

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Keep what signs the request; then answer it badly, or let the emulator do so well."""
        self.sent = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.signature = self.headers["authorization"].rpartition("Signature=")[2]
        self.server.signatures.add(self.signature)
        query = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        query |= json.loads(self.sent or "{}")
        way = self.server.ways.get(query.get("TemplateId") or query.get("RunId", ""))
        if way is not None:
            way(self)
            return
        connection = HTTPConnection(urlsplit(self.server.emulator.url).netloc)
        connection.request(self.command, self.path, self.sent, dict(self.headers.items()))
        answer = connection.getresponse()
        body = answer.read()
        if query["Action"] == "GetWorkflowExecutionResult":
            body = body.replace(b'"FileId"', f'"PlayUrl": "{SIGNED}", "FileId"'.encode())
        self.answer(answer.status, body, {"date": answer.headers["date"]})
        connection.close()

    do_POST = do_GET  # noqa: N815 - the server's names

    @property
    def quoted(self) -> str:
        """All that is known of the request and its sender, what is secret first."""
        token = self.headers["x-security-token"]
        secrets = f"{token} {self.signature} {KEY}"
        path = unquote(self.path)
        return f"{path[:150]}; {secrets}; {path}; {self.headers.items()}; {self.sent!r}"

    def answer(self, status: int, body: bytes, headers: Mapping[str, str], more: int = 0) -> None:
        """Answer, and promise `more` bytes than there are."""
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body) + more)}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = bool(more)

    def envelope(self, status: int, code: str, more: int = 0) -> None:
        """Refuse as the service does."""
        error = {"Code": code, "Message": self.quoted}
        body = json.dumps({"ResponseMetadata": {"RequestId": "r", "Error": error}}).encode()
        self.answer(status, body, {}, more)

    def breaks(self, answer: bytes, after: float = 0.0) -> None:
        """Send something, and reset the connection."""
        self.wfile.write(answer)
        time.sleep(after)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True


class Front(ThreadingHTTPServer):
    """What stands before the emulator, and answers badly where its `ways` say so."""

    def __init__(self, emulator: VodEmulator) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.emulator = emulator
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.ways = dict(WAYS)
        """Id of a workflow or a run -> how requests for it are answered."""
        self.signatures: set[str] = set()

    def handle_error(self, *_: object) -> None:
        """Say nothing: connections are meant to break."""


WAYS: Final[Mapping[str, Callable[[Asked], None]]] = {
    "refused": lambda asked: asked.envelope(400, "InvalidParameter"),
    "denied": lambda asked: asked.envelope(401, "SignatureDoesNotMatch"),
    "forbidden": lambda asked: asked.envelope(403, "AccessDenied"),
    "throttled": lambda asked: asked.envelope(429, "RequestLimitExceeded"),
    "failed": lambda asked: asked.envelope(500, "InternalError"),
    "truncated": lambda asked: asked.envelope(200, "InternalError", more=10),
    "page": lambda asked: asked.answer(502, f"<html>{asked.quoted}</html>".encode(), {}),
    "no-run-id": lambda asked: asked.answer(
        200, json.dumps({"ResponseMetadata": {}, "Result": {"Vid": asked.quoted}}).encode(), {}
    ),
    "redirect": lambda asked: asked.answer(
        307, b"", {"location": f"http://nowhere.example{asked.path}"}
    ),
    "garbage": lambda asked: asked.breaks(f"{asked.quoted}\r\n\r\n".encode()),
    "reset": lambda asked: asked.breaks(b""),
    "hang": lambda asked: asked.breaks(b"HTTP/1.1 200 OK\r\n", after=1.5),
}
"""How a service fails; all that has words quotes everything."""


@pytest.fixture
def front() -> Iterator[Front]:
    """A front, and an emulator behind it that takes our keys."""
    key, token = KEYS
    settings = EmulatorSettings(
        rate_limit=0, pending_seconds=0.1, running_seconds=0.1, secret_key=key, session_token=token
    )
    with VodEmulator(settings) as emulator, Front(emulator) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server
        server.shutdown()


# -- what is left ------------------------------------------------------------------------------


class Stack(Project):
    """A project whose processes tell all they can, and what of it is searched."""

    def __init__(self, folder: Path, front: Front, like: Project, **config: str) -> None:
        super().__init__(folder, front.url, like=like, config=config)
        self.front = front
        self.grpc = folder.with_name("grpc.log")
        self.given = {folder / "__main__.py"}
        """Files that hold secrets because they were put there."""
        site = folder.with_name("site")
        site.mkdir()
        (site / "sitecustomize.py").write_text(SITE)
        self.environ |= {
            "PYTHONPATH": f"{site}:{ROOT}",
            "PYTHONASYNCIODEBUG": "1",
            "PULUMI_DEBUG_GRPC": str(self.grpc),
            "HOME": str(folder.with_name("user")),
            "MARK": MARK,
            "ROUND": "1",
        }

    def fails(self, *arguments: str) -> str:
        """Run a command that is to fail, and return what it said."""
        command = self.start(*arguments)
        assert command.wait() != 0, command.said
        return command.said

    def told(self) -> Iterator[tuple[str, str, bool]]:
        """Yield all that was written: where, what, and whether it is the engine's own to tell."""
        for path in self.folder.rglob("*"):
            if not path.is_file() or path in self.given:
                continue
            for line in re.split(r'\n|(?=\{"time":")', path.read_bytes().decode("latin-1")):
                yield path.name, line, ENGINES.match(line) is not None
                for pickled in re.findall('"__provider": ?"([^"]+)"', line):
                    yield path.name, base64.b64decode(pickled).decode("latin-1"), False
        for line in self.grpc.read_text().splitlines():
            yield self.grpc.name, line, True

    def search(self, *, keys_are_the_stacks: bool = False) -> None:
        """Look for everything that is secret, everywhere."""
        signing = {"Signature=", *self.front.signatures}
        keys = {KEY, TOKEN}
        starts = self.front.emulator.ledger()
        tokens = {start["clientToken"] for start in starts if MARK in json.dumps(start)}
        places, engines = set(), 0
        for place, line, engines_own in self.told():
            places.add(place)
            hidden = signing | (set() if engines_own and keys_are_the_stacks else keys)
            if not engines_own:
                hidden |= {MARK, SIGNED.rpartition("=")[2], *tokens}
            found = [text for text in hidden if text in line]
            assert not found, f"{found[0]} in {place}: ...{line[: 1 << 12]}"
            engines += engines_own and MARK in line
        assert engines, "the engine's own lines are known by their form"
        assert {"dev.json", "grpc.log"} < places


WHOLE: Final = (
    DECLARE
    + """
run = WorkflowRun("run", **inputs("run", "t1"))
items = {"a": inputs("a", "t2"), "b": {"vid": "v1", "template_id": "t1"}}
batch = WorkflowBatch("batch", items=items)
done = WorkflowCompletion("done", runs=[run, batch])
pulumi.export("args", run.callback_args)
pulumi.export("results", done.results)

signed = WorkflowRun("signed", vid="v1", template_id="t3")
signed_done = signed.wait(resource_name="signed-done")
opts = pulumi.ResourceOptions(depends_on=[signed_done])
looked_up = WorkflowRun.get("looked-up", signed.run_id, opts)
pulumi.export("signed", signed.transcodes)
pulumi.export("looked-up", looked_up.transcodes)
pulumi.export("signed-done", signed_done.results)
"""
)
FAILING: Final = (
    DECLARE
    + """
ways = os.environ["WAYS"].split()
for way in ways:
    WorkflowRun(way, **inputs(way, way))
ended = WorkflowRun("ends-badly", **inputs("emu-fail-1001", "t1"))
ended.wait()
WorkflowRun("adopting", **inputs("other", "t1", existing_run_id=ended.run_id))
WorkflowRun("defect", **inputs("defect", "defect-start_workflow"))
items = {way: inputs(f"of-{way}", way) for way in [*ways, "defect-start_workflow", "t1"]}
WorkflowBatch("batch", items=items)
WorkflowRun("misread", **inputs("misread", "defect-execution_outputs")).wait()
for way in ways:
    WorkflowCompletion(f"reads-{way}", runs=[way], timeout=1)
"""
)
WRONG: Final = (
    DECLARE
    + """
wrong = {
    "vid": secret("vid\\n"),
    "direct_url": {"file_name": secret("x").apply(lambda text: [text])},
    "template_id": secret("template\\n"),
    "priority": secret("priority"),
    "callback_args": secret("args" * 200),
    "triggers": {"a": secret("trigger").apply(lambda text: [text, 2**60])},
    "existing_run_id": secret("run\\n"),
    "input": {"override_params": {"logo": [{"vars": {"a": secret("x").apply(lambda x: [x])}}]}},
}
declare = {
    "run": lambda: WorkflowRun("run", client_token=secret("é"), **wrong),
    "batch": lambda: WorkflowBatch("batch", items={"a": wrong, "b": {}}, defaults=wrong),
    "completion": lambda: WorkflowCompletion(
        "done", runs={"a": secret("x").apply(list)}, timeout=secret("1h"), on_failure=secret("no")
    ),
}
declare[os.environ["ROUND"]]()
"""
)
REFUSED: Final[Mapping[str, tuple[str, ...]]] = {
    "run": (
        "vid: must be",
        "directUrl.fileName: must be",
        "templateId: must be",
        "priority: must be",
        "callbackArgs: must be",
        "triggers.a: must be",
        "existingRunId: must be",
        "clientToken: must be",
        "input.overrideParams.logo[0].vars.a: must be",
    ),
    "batch": ("defaults.vid: must be", "defaults.triggers.a: must be", "items.a.vid: must be"),
    "completion": ("timeout: must be", "onFailure: must be", "runs: must be"),
}
"""What is declared wrongly -> what is said of it."""
LONE: Final = DECLARE + 'WorkflowRun("run", **inputs("run", "t1"))\n'


NOT_THE_STACKS: Final = {"vod:accessKey": "", "vod:secretKey": ""}
SILENT: Final = ("--yes", "--skip-preview")


def of_environment(stack: Stack) -> None:
    """Give a stack its keys."""
    key, token = KEYS
    stack.environ |= {
        "VOLCENGINE_ACCESS_KEY": "AKLTEMULATOR",
        "VOLCENGINE_SECRET_KEY": key,
        "VOLCENGINE_SESSION_TOKEN": token,
    }


def of_a_file(stack: Stack) -> None:
    """Give a stack its keys."""
    path = Path(stack.environ["HOME"]) / ".volc" / "credentials"
    path.parent.mkdir(parents=True)
    names = ("access_key_id", "secret_access_key", "session_token")
    lines = [f"{name}={value}" for name, value in zip(names, ("AKLTEMULATOR", *KEYS), strict=True)]
    path.write_text("\n".join(["[default]", *lines]))


@pytest.fixture
def stack(tmp_path: Path, like: Project, front: Front) -> Iterator[Stack]:
    with Stack(tmp_path / "project", front, like, **NOT_THE_STACKS) as stack:
        yield stack


OF_SIGNED: Final = ("signed", "looked-up", "signed-done")
"""The resources whose only secret is a signed URL among the results of a run."""


def test_what_goes_well(stack: Stack, front: Front) -> None:
    """
    Plans, previews, updates, replacements and refreshes of all three resources.

    A signed URL among the results is secret: in the states of a run, of one that is looked up and
    of a wait. What has none is not.
    """
    of_environment(stack)
    stack.program(WHOLE)
    stack.command("preview", "--diff", "--save-plan=plan.json", *TRACE)
    stack.command("preview", "--json", *TRACE)
    stack.command("up", "--json", *SILENT, *TRACE)
    assert len(front.emulator.ledger()) == 4
    stack.command("refresh", "--diff", *SILENT, *TRACE)
    shown = json.loads(stack.command("stack", "output", "--json"))
    assert shown["signed"] == [], "it had been started only"
    assert shown["looked-up"] == shown["signed-done"] == "[secret]"
    outputs = {item["urn"].rpartition("::")[2]: item.get("outputs") for item in stack.resources}
    for name in OF_SIGNED:
        assert '"storeUris": ["tos://' in json.dumps(outputs[name])
    stack.environ["ROUND"] = "2"
    stack.command("up", "--diff", *SILENT, *TRACE)
    assert len(front.emulator.ledger()) == 6
    stack.command("stack", "export", "--file", "exported.json")
    stack.command("destroy", *SILENT, *TRACE)
    stack.search()


FAILED: Final = (
    *(f"WorkflowRun {way} **creating failed**" for way in WAYS),
    "InvalidParameter [HTTP 400, RequestId r]",
    "message hidden",
    *(f"WorkflowCompletion reads-{way} **creating failed**" for way in WAYS),
    "was started with another directUrl than declared",
    "create failed by a defect of pulumi_vod_workflow",
    "not started or adopted: 5 of 14 items",
    "A RUN MAY EXIST, but no RunId came back: 8 of 14 items",
    "): failed: 1001: the source is damaged",
    "ExceptionGroup at ",
)


def test_what_fails(stack: Stack, front: Front) -> None:
    """Each way to fail, of starts, items and reads; another run's adoption; our own defects."""
    of_a_file(stack)
    stack.program(FAILING)
    stack.environ["WAYS"] = " ".join(WAYS)
    said = stack.fails("up", "--continue-on-error", *SILENT, *TRACE)
    for reason in FAILED:
        assert reason in said
    for item in stack.resources:
        front.ways[item.get("id", "")] = WAYS["denied"]
    assert "SignatureDoesNotMatch" in stack.fails("refresh", *SILENT, *TRACE)
    stack.search()


def test_what_is_refused_before_it_is_sent(stack: Stack, front: Front) -> None:
    """Wrong values of all fields, an endpoint without TLS, and one without a name."""
    of_environment(stack)
    stack.program(WRONG)
    for kind, reasons in REFUSED.items():
        stack.environ["ROUND"] = kind
        said = stack.fails("preview", "--diff", *TRACE)
        for reason in reasons:
            assert reason in said
    assert front.signatures == set(), "nothing was sent"
    stack.program(LONE)
    no_tls = f"https://{urlsplit(front.url).netloc}"
    for endpoint, why in ((no_tls, "TLS failed"), ("https://nowhere.example", "DNS")):
        stack.configure(vod_endpoint=endpoint)
        assert why in stack.fails("up", *SILENT, *TRACE)
    assert front.signatures == set(), "nothing was sent"
    stack.search()


def test_keys_of_the_stacks_configuration(tmp_path: Path, like: Project, front: Front) -> None:
    """As secrets, as they are to be set; the engine tells them to itself, and nobody else does."""
    key, token = KEYS
    with Stack(tmp_path / "project", front, like) as stack:
        for name, value in (("secretKey", key), ("sessionToken", token)):
            stack.command("config", "set", "--secret", f"vod:{name}", value)
            stack.given |= set(stack.folder.glob("said-*"))
        stack.program(f'{LONE}WorkflowRun("denied", **inputs("denied", "denied"))\n')
        said = stack.fails("up", "--continue-on-error", *SILENT, *TRACE)
        assert "SignatureDoesNotMatch" in said
        assert len(front.emulator.ledger()) == 1
        stack.command("config")
        stack.search(keys_are_the_stacks=True)
        assert KEY in stack.grpc.read_text(), "what the docstring says of PULUMI_DEBUG_GRPC"
