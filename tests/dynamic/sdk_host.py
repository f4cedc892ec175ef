"""The SDK's own dynamic provider host, in a process, as an engine starts and calls it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2, provider_pb2_grpc
from pulumi.runtime.proto.engine_pb2 import LogSeverity

from pulumi_vod_workflow.core.plan_message import PlanMessage, parse_plan_message
from pulumi_vod_workflow.dynamic.sdk_compat.provider_pickle import PICKLES
from pulumi_vod_workflow.dynamic.sdk_compat.status_details import Status

KNOWN: Final = ("-m", "pulumi.dynamic")
"""How the SDK's language host starts it."""
UNKNOWN: Final = (str(Path(__file__).with_name("unknown_sdk_host.py")),)
"""A host that does the same, in which nothing has the name that it has in the SDK."""
URN: Final = "urn:pulumi:s::p::pulumi-python:dynamic/vod:WorkflowRun::"


class Engine(engine_pb2_grpc.EngineServicer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.logged: list[Any] = []

    def Log(self, request: Any, context: Any) -> Empty:  # noqa: N802 - gRPC's name
        self.logged.append(request)
        return Empty()

    def of(self, name: str) -> list[str]:
        """Return the lines on the row of a resource."""
        lines = (line for line in self.logged if line.severity != LogSeverity.DEBUG)
        return [line.message for line in lines if line.urn == URN + name]

    def plans_of(self, name: str) -> list[PlanMessage]:
        """Return the plan messages of a resource."""
        found = (parse_plan_message(line.message) for line in self.logged if line.urn == URN + name)
        return [plan for plan in found if plan]


@dataclass
class Host:
    """A host that answers calls."""

    stub: Any
    engine: Engine
    process: subprocess.Popen[str]
    server: grpc.Server
    """The engine's."""
    said: list[str] = field(default_factory=list)
    """Lines on its standard error."""

    def check(self, name: str, kind: str = "WorkflowRun", **declared: Any) -> dict[str, Any]:
        """Return the inputs that a check makes of a declaration."""
        news = struct(name, kind, declared)
        request = provider_pb2.CheckRequest(urn=URN + name, news=news, olds=Struct())
        answer = self.stub.Check(request, timeout=60)
        assert not answer.failures, answer.failures
        return MessageToDict(answer.inputs)

    def create(self, name: str, kind: str = "WorkflowRun", **declared: Any) -> Any:
        """Begin a create, and return its future."""
        properties = struct(name, kind, declared)
        request = provider_pb2.CreateRequest(urn=URN + name, properties=properties)
        return self.stub.Create.future(request, timeout=60)

    def close_pipe(self) -> None:
        """Close the engine's end of the standard input."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def cancel(self) -> None:
        """Do what the engine does at a Ctrl-C."""
        self.stub.Cancel(Empty(), timeout=5)


def shown(error: Any) -> str:
    """Return the text of an error that the engine, a program in Go, shows."""
    rich = dict(error.trailing_metadata()).get("grpc-status-details-bin")
    return str(Status.FromString(rich).message if rich else error.details())


def struct(name: str, kind: str, declared: Mapping[str, Any]) -> Struct:
    made = Struct()
    scope = {"project": "p", "stack": "s", "name": name}
    made.update({"scope": scope, "__provider": PICKLES[kind], **declared})
    return made


@contextmanager
def host(command: tuple[str, ...], config: Mapping[str, str]) -> Iterator[Host]:
    """Start a host and configure it."""
    server = grpc.server(futures.ThreadPoolExecutor(4))
    engine = Engine()
    engine_pb2_grpc.add_EngineServicer_to_server(engine, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    environ = {key: text for key, text in os.environ.items() if not key.startswith("VOLC")}
    process = subprocess.Popen(
        [sys.executable, "-u", *command, address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environ, "PULUMI_PROJECT": "p"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    said: list[str] = []
    reader = threading.Thread(target=said.extend, args=[process.stderr])
    reader.start()
    try:
        with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}") as channel:
            stub: Any = provider_pb2_grpc.ResourceProviderStub(channel)
            arguments = Struct()
            arguments.update(config)
            stub.Configure(provider_pb2.ConfigureRequest(args=arguments), timeout=60)
            yield Host(stub, engine, process, server, said)
    finally:
        process.terminate()
        process.wait(30)
        reader.join(30)
        process.stdin.close()
        process.stdout.close()
        process.stderr.close()
        server.stop(0).wait()
