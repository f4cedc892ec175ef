"""The SDK's own dynamic provider host, in a process, as an engine starts and calls it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2

from pulumi_vod_workflow.dynamic.sdk_compat.provider_pickle import PICKLES
from tests.hosts.server import Server, serve

KNOWN: Final = ("-m", "pulumi.dynamic")
"""How the SDK's language host starts it."""
UNKNOWN: Final = (str(Path(__file__).with_name("unknown_sdk_host.py")),)
"""A host that does the same, in which nothing has the name that it has in the SDK."""
URN: Final = "urn:pulumi:s::p::pulumi-python:dynamic/vod:WorkflowRun::"


@dataclass
class Host:
    """A host that answers calls."""

    server: Server

    def check(self, name: str, kind: str = "WorkflowRun", **declared: Any) -> dict[str, Any]:
        """Return the inputs that a check makes of a declaration."""
        news = struct(name, kind, declared)
        request = provider_pb2.CheckRequest(urn=URN + name, news=news, olds=Struct())
        answer = self.server.stub.Check(request, timeout=60)
        assert not answer.failures, answer.failures
        return MessageToDict(answer.inputs)

    def create(self, name: str, kind: str = "WorkflowRun", **declared: Any) -> Any:
        """Begin a create, and return its future."""
        properties = struct(name, kind, declared)
        request = provider_pb2.CreateRequest(urn=URN + name, properties=properties)
        return self.server.stub.Create.future(request, timeout=60)


def struct(name: str, kind: str, declared: Mapping[str, Any]) -> Struct:
    made = Struct()
    scope = {"project": "p", "stack": "s", "name": name}
    made.update({"scope": scope, "__provider": PICKLES[kind], **declared})
    return made


@contextmanager
def host(command: tuple[str, ...], config: Mapping[str, str]) -> Iterator[Host]:
    """Start a host and configure it."""
    with serve(*command) as server:
        arguments = Struct()
        arguments.update(config)
        server.stub.Configure(provider_pb2.ConfigureRequest(args=arguments), timeout=60)
        yield Host(server)
