"""A provider's server in a process, as an engine starts and calls it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import engine_pb2_grpc, provider_pb2_grpc
from pulumi.runtime.proto.engine_pb2 import LogSeverity

from pulumi_vod_workflow.core.plan_message import PlanMessage, parse_plan_message
from pulumi_vod_workflow.dynamic.sdk_compat.status_details import Status

OPTIONS: Final = (
    ("grpc.max_receive_message_length", 400 << 20),
    ("grpc.max_send_message_length", 400 << 20),
)
"""The engine's limits of messages, in bytes."""


class Engine(engine_pb2_grpc.EngineServicer):
    """Keeps the lines that a provider logs."""

    def __init__(self) -> None:
        self.logged: list[Any] = []

    def Log(self, request: Any, context: Any) -> Empty:  # noqa: N802 - gRPC's name
        self.logged.append(request)
        return Empty()

    def of(self, name: str) -> list[str]:
        """Return the lines on the row of a resource."""
        return [line.message for line in self._of(name) if line.severity != LogSeverity.DEBUG]

    def plans_of(self, name: str) -> list[PlanMessage]:
        """Return the plan messages of a resource."""
        found = (parse_plan_message(line.message) for line in self._of(name))
        return [plan for plan in found if plan]

    def _of(self, name: str) -> Iterator[Any]:
        return (line for line in self.logged if line.urn.endswith(f"::{name}"))


@dataclass
class Server:
    """A provider that answers calls."""

    stub: Any
    engine: Engine
    process: subprocess.Popen[str]
    engine_server: grpc.Server
    engine_address: str
    port: int
    said: list[str] = field(default_factory=list)
    """Lines on its standard error."""

    def close_pipe(self) -> None:
        """Close the engine's end of the standard input."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def answers(self) -> bool:
        """Return whether it still serves calls."""
        try:
            self.stub.GetPluginInfo(Empty(), timeout=5)
        except grpc.RpcError:
            return False
        return True

    def cancel(self) -> None:
        """Do what the engine does at a Ctrl-C."""
        self.stub.Cancel(Empty(), timeout=5)


@contextmanager
def connect(port: int) -> Iterator[Any]:
    """Connect to a provider, as an engine does for each provider resource."""
    # Otherwise all channels share one connection.
    options: Any = (*OPTIONS, ("grpc.use_local_subchannel_pool", 1))
    with grpc.insecure_channel(f"127.0.0.1:{port}", options) as channel:
        yield provider_pb2_grpc.ResourceProviderStub(channel)


@contextmanager
def serve(*command: str, attached: bool = False) -> Iterator[Server]:
    """
    Start a provider.

    Args:
        command: the arguments of Python before the address of the engine.
        attached: whether engines attach to the provider, which then gets no address.

    """
    engine_server = grpc.server(futures.ThreadPoolExecutor(4))
    engine = Engine()
    engine_pb2_grpc.add_EngineServicer_to_server(engine, engine_server)
    engine_address = f"127.0.0.1:{engine_server.add_insecure_port('127.0.0.1:0')}"
    engine_server.start()
    environ = {key: text for key, text in os.environ.items() if not key.startswith("VOLC")}
    if (
        "pulumi.dynamic" in command
    ):  # the engine gives the project's name to dynamic providers alone
        environ["PULUMI_PROJECT"] = "p"
    process = subprocess.Popen(
        [sys.executable, "-u", *command, *([] if attached else [engine_address])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    said: list[str] = []
    reader = threading.Thread(target=said.extend, args=[process.stderr])
    reader.start()
    try:
        port = int(process.stdout.readline())
        with connect(port) as stub:
            yield Server(stub, engine, process, engine_server, engine_address, port, said)
    finally:
        process.terminate()
        process.wait(30)
        reader.join(30)
        process.stdin.close()
        process.stdout.close()
        process.stderr.close()
        engine_server.stop(0).wait()


def shown(error: Any) -> str:
    """Return the text of an error that the engine, a program in Go, shows."""
    rich = dict(error.trailing_metadata()).get("grpc-status-details-bin")
    return str(Status.FromString(rich).message if rich else error.details())
