"""
The engine's calls of a provider, in one form for both hosts.

A `ProviderClient` hides the envelope of its host. Values are plain, with the core's markers
`UNKNOWN` and `Secret`, and states are those that the engine records.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2

from pulumi_vod_workflow.core.property_marks import SECRET_SIGNATURE, SIGNATURE, UNKNOWN_TEXT
from pulumi_vod_workflow.core.resource_types import PACKAGED_TYPES
from pulumi_vod_workflow.core.secrets import Secret
from pulumi_vod_workflow.core.values import UNKNOWN
from pulumi_vod_workflow.dynamic.sdk_compat.provider_pickle import PICKLES
from tests.hosts.server import Server, shown
from tests.lifecycle.async_host import plain

TIMEOUT: Final = 60  # seconds
ENVELOPE: Final = frozenset({"__provider", "scope", "secretInputs", "unknownInputs"})
"""Properties that no program declares."""

Properties = dict[str, Any]


class ProviderError(Exception):
    """An error of a provider, with the text that the engine shows."""

    def __init__(self, error: Any) -> None:
        super().__init__(shown(error))
        self.details = str(error.details())
        self.metadata = dict(error.trailing_metadata())


@dataclass(frozen=True)
class Checked:
    inputs: Properties
    failures: list[str] = field(default_factory=list)
    """The texts. No failure has the name of a property, whose value the engine would print."""


@dataclass(frozen=True)
class Diff:
    changes: bool
    replaces: list[str]


@dataclass
class Resource:
    """A resource of the stack `s` of the project `p`, as the engine records it."""

    kind: str
    name: str
    id: str = ""
    inputs: Properties = field(default_factory=dict)
    outputs: Properties = field(default_factory=dict)


class ProviderClient(ABC):
    """An engine that talks to one provider."""

    preview_calls_create: bool
    """Whether the engine calls Create in previews."""
    records_failed_wait: bool
    """Whether a wait that fails keeps its resource."""

    def __init__(self, server: Server) -> None:
        self.server = server

    @abstractmethod
    def configure(self, config: Mapping[str, str]) -> None:
        """Configure the provider by the stack's configuration."""

    @abstractmethod
    def type_of(self, kind: str) -> str:
        """Return the type token of a resource."""

    @abstractmethod
    def wrap(self, resource: Resource, properties: Properties) -> Struct:
        """Return properties as the engine sends them."""

    @abstractmethod
    def unwrap(self, sent: Properties, answer: Struct) -> Properties:
        """Return an answer as the engine records it."""

    def urn(self, resource: Resource) -> str:
        return f"urn:pulumi:s::p::{self.type_of(resource.kind)}::{resource.name}"

    def check(self, resource: Resource, declared: Properties) -> Checked:
        """Check a declaration against the recorded inputs."""
        answer = self._call(
            self.server.stub.Check,
            provider_pb2.CheckRequest(
                urn=self.urn(resource),
                olds=self.wrap(resource, resource.inputs) if resource.inputs else Struct(),
                news=self.wrap(resource, declared),
                name=resource.name,
                type=self.type_of(resource.kind),
            ),
        )
        assert not any(failure.property for failure in answer.failures)
        texts = [failure.reason for failure in answer.failures]
        return Checked(self.unwrap(declared, answer.inputs), texts)

    def checked(self, resource: Resource, declared: Properties) -> Properties:
        """Return the checked inputs of a valid declaration."""
        found = self.check(resource, declared)
        assert found.failures == []
        return found.inputs

    def diff(self, resource: Resource, news: Properties) -> Diff:
        """Compare the recorded resource with checked inputs."""
        answer = self._call(
            self.server.stub.Diff,
            provider_pb2.DiffRequest(
                urn=self.urn(resource),
                id=resource.id,
                olds=self.wrap(resource, resource.outputs),
                old_inputs=self.wrap(resource, resource.inputs),
                news=self.wrap(resource, news),
                name=resource.name,
                type=self.type_of(resource.kind),
            ),
        )
        changes = answer.changes == provider_pb2.DiffResponse.DIFF_SOME
        replaces = {path.partition(".")[0].partition("[")[0] for path in answer.replaces}
        return Diff(changes, sorted(replaces))

    def begin_create(self, resource: Resource, inputs: Properties, *, preview: bool = False) -> Any:
        """Begin a create, and return its future."""
        return self.server.stub.Create.future(
            provider_pb2.CreateRequest(
                urn=self.urn(resource),
                properties=self.wrap(resource, inputs),
                preview=preview,
                name=resource.name,
                type=self.type_of(resource.kind),
            ),
            timeout=TIMEOUT,
        )

    def end_create(self, resource: Resource, inputs: Properties, future: Any) -> Resource:
        try:
            answer = future.result()
        except grpc.RpcError as error:
            raise ProviderError(error) from None
        resource.id, resource.inputs = answer.id, inputs
        resource.outputs = self.unwrap(inputs, answer.properties)
        return resource

    def create(self, resource: Resource, inputs: Properties) -> Resource:
        """Create a resource, and record it."""
        return self.end_create(resource, inputs, self.begin_create(resource, inputs))

    def up(self, resource: Resource, declared: Properties) -> Resource:
        """Check a declaration, and create the resource."""
        return self.create(resource, self.checked(resource, declared))

    def preview_create(self, resource: Resource, inputs: Properties) -> Properties:
        """Return the properties that a preview of a create has."""
        if not self.preview_calls_create:
            return inputs
        future = self.begin_create(resource, inputs, preview=True)
        return self.unwrap(inputs, future.result().properties)

    def read(self, resource: Resource) -> Resource:
        """Read a resource, and record it; without recorded properties, look its id up."""
        answer = self._call(self.server.stub.Read, self._read_request(resource))
        resource.id = answer.id
        resource.outputs = self.unwrap(resource.inputs, answer.properties)
        return resource

    def begin_read(self, resource: Resource) -> Any:
        """Begin a read, and return its future."""
        return self.server.stub.Read.future(self._read_request(resource), timeout=TIMEOUT)

    def _read_request(self, resource: Resource) -> provider_pb2.ReadRequest:
        is_import = not resource.outputs
        return provider_pb2.ReadRequest(
            urn=self.urn(resource),
            id=resource.id,
            properties=self.wrap(resource, resource.outputs) if not is_import else None,
            inputs=self.wrap(resource, resource.inputs),
            name=resource.name,
            type=self.type_of(resource.kind),
        )

    def update(
        self, resource: Resource, inputs: Properties, *, preview: bool = False
    ) -> Properties:
        """Update a resource; record it unless in a preview."""
        if preview and not self.preview_calls_create:
            return inputs
        answer = self._call(
            self.server.stub.Update,
            provider_pb2.UpdateRequest(
                urn=self.urn(resource),
                id=resource.id,
                olds=self.wrap(resource, resource.outputs),
                old_inputs=self.wrap(resource, resource.inputs),
                news=self.wrap(resource, inputs),
                preview=preview,
                name=resource.name,
                type=self.type_of(resource.kind),
            ),
        )
        outputs = self.unwrap(inputs, answer.properties)
        if not preview:
            resource.inputs, resource.outputs = inputs, outputs
        return outputs

    def delete(self, resource: Resource) -> None:
        """Delete a resource."""
        self._call(
            self.server.stub.Delete,
            provider_pb2.DeleteRequest(
                urn=self.urn(resource),
                id=resource.id,
                properties=self.wrap(resource, resource.outputs),
                old_inputs=self.wrap(resource, resource.inputs),
                name=resource.name,
                type=self.type_of(resource.kind),
            ),
        )

    @staticmethod
    def _call(method: Any, request: Any) -> Any:
        try:
            return method(request, timeout=TIMEOUT)
        except grpc.RpcError as error:
            raise ProviderError(error) from None


class DynamicClient(ProviderClient):
    """An engine that talks to the SDK's dynamic provider host."""

    preview_calls_create = False
    records_failed_wait = False

    def configure(self, config: Mapping[str, str]) -> None:
        args = Struct()
        args.update(config)
        self._call(self.server.stub.Configure, provider_pb2.ConfigureRequest(args=args))

    def type_of(self, kind: str) -> str:
        return f"pulumi-python:dynamic/vod:{kind}"

    def wrap(self, resource: Resource, properties: Properties) -> Struct:
        sent = {key: value for key, value in properties.items() if key not in ENVELOPE}
        struct = Struct()
        struct.update(
            {
                **to_wire(plain(sent)),  # this host accepts no secrets
                "scope": {"project": "p", "stack": "s", "name": resource.name},
                "__provider": PICKLES[resource.kind],
                **({"secretInputs": True} if has_secret(sent) else {}),
            }
        )
        return struct

    def unwrap(self, sent: Properties, answer: Struct) -> Properties:
        found: Properties = from_wire(MessageToDict(answer))
        # The engine marks each answer under the name of a secret input.
        for key, value in sent.items():
            if has_secret(value) and key in found and not isinstance(found[key], Secret):
                found[key] = Secret(found[key])
        return found


class PluginClient(ProviderClient):
    """An engine that talks to the packaged provider."""

    preview_calls_create = True
    records_failed_wait = True
    arguments: Struct
    """The configuration of the last `configure`."""

    def configure(self, config: Mapping[str, str]) -> None:
        self._call(
            self.server.stub.Handshake,
            provider_pb2.ProviderHandshakeRequest(engine_address=self.server.engine_address),
        )
        inputs = Struct()
        inputs.update({key.removeprefix("vod:"): text for key, text in config.items()})
        urn = "urn:pulumi:s::p::pulumi:providers:vod::default"
        checked = self._call(
            self.server.stub.CheckConfig, provider_pb2.CheckRequest(urn=urn, news=inputs)
        )
        self.arguments = checked.inputs
        variables = {key.replace("vod:", "vod:config:"): text for key, text in config.items()}
        self._call(
            self.server.stub.Configure,
            provider_pb2.ConfigureRequest(
                args=checked.inputs,
                variables=variables,
                acceptSecrets=True,
                acceptResources=True,
                sends_old_inputs=True,
                sends_old_inputs_to_delete=True,
            ),
        )

    def type_of(self, kind: str) -> str:
        return PACKAGED_TYPES[f"pulumi-python:dynamic/vod:{kind}"]

    def wrap(self, resource: Resource, properties: Properties) -> Struct:
        struct = Struct()
        struct.update(to_wire(properties))
        return struct

    def unwrap(self, sent: Properties, answer: Struct) -> Properties:
        found: Properties = from_wire(MessageToDict(answer))
        return found


def to_wire(value: Any) -> Any:
    if value is UNKNOWN:
        return UNKNOWN_TEXT
    if isinstance(value, Secret):
        return {SIGNATURE: SECRET_SIGNATURE, "value": to_wire(value.value)}
    if isinstance(value, Mapping):
        return {key: to_wire(item) for key, item in value.items()}
    return [to_wire(item) for item in value] if isinstance(value, list) else value


def from_wire(value: Any) -> Any:
    if value == UNKNOWN_TEXT:
        return UNKNOWN
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET_SIGNATURE:
            return Secret(from_wire(value["value"]))
        return {key: from_wire(item) for key, item in value.items()}
    return [from_wire(item) for item in value] if isinstance(value, list) else value


def unmarked(value: Any) -> Any:
    """Return a value without its secret parts."""
    if isinstance(value, Secret):
        return "[secret]"
    if isinstance(value, Mapping):
        return {key: unmarked(item) for key, item in value.items()}
    return [unmarked(item) for item in value] if isinstance(value, list) else value


def has_secret(value: Any) -> bool:
    """Return whether any part of a value is secret."""
    if isinstance(value, Secret):
        return True
    if isinstance(value, Mapping):
        return any(map(has_secret, value.values()))
    return isinstance(value, list) and any(map(has_secret, value))


def declared(properties: Properties) -> Properties:
    """Return properties without the envelope of a host, and without empty ones."""
    return {
        key: value for key, value in properties.items() if key not in ENVELOPE and value is not None
    }
