"""
The gRPC service of the packaged provider: sessions, cancellations and errors.

Once a provider answers `Handshake`, the engine calls Create and Update in previews, too. The
lifecycle starts no run in a preview (plugin-facts 0.3).
"""

# ruff: noqa: N802 - the methods have the names of Pulumi's protocol

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import grpc
from anyio import CapacityLimiter, to_thread
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import plugin_pb2, status_pb2
from pulumi.runtime.proto import provider_pb2 as proto
from pulumi.runtime.proto.provider_pb2_grpc import ResourceProviderServicer

from pulumi_vod_workflow.config.settings import Settings
from pulumi_vod_workflow.core.values import is_known
from pulumi_vod_workflow.hosting.engine_log import EngineLog
from pulumi_vod_workflow.hosting.error_text import error_message
from pulumi_vod_workflow.hosting.operations import BlockingService, run_operation
from pulumi_vod_workflow.lifecycle.announcements import Announcements
from pulumi_vod_workflow.lifecycle.host import Host
from pulumi_vod_workflow.lifecycle.session import Session
from pulumi_vod_workflow.plugin import operations
from pulumi_vod_workflow.plugin.engine_process import command_age
from pulumi_vod_workflow.plugin.host import (
    Cancellation,
    host_of,
    own_provider_of,
    project_of,
    type_of,
)
from pulumi_vod_workflow.plugin.operations import Call, InitFailedError
from pulumi_vod_workflow.plugin.provider_config import (
    has_unknown_keys,
    problems_of,
    settings_of,
    with_known_keys,
    with_secret_keys,
)
from pulumi_vod_workflow.plugin.wire import decode, encode

T = TypeVar("T")

LIFECYCLES: Final = {
    "vod:index:WorkflowRun": "run",
    "vod:index:WorkflowBatch": "batch",
    "vod:index:WorkflowCompletion": "completion",
}
"""Type token of a resource -> its module of `lifecycle`."""
NOT_CONFIGURED: Final = (
    "the engine has not configured the provider on this connection. No run was started.\n"
    "hint: run the command again"
)
# The engine then calls nothing else of the provider in this preview, and shows each change of a
# resource as an update.
UNKNOWN_CONFIGURATION: Final = (
    "vod: this preview may show a new run, or new items of a batch, as an update, because another "
    "resource determines these settings of the provider: {}. The update itself may start them "
    "(paid).\n"
    "hint: change runs in an update of their own, after the one that changes these settings"
)
SCHEMA: Final = Path(__file__).with_name("schema.json")


@dataclass(frozen=True, slots=True, repr=False)  # asyncio's debug mode logs the results of tasks
class OperationOutcome:
    """The answer of an operation, or its error."""

    answer: Any = None
    error: Exception | None = None


@dataclass(slots=True)
class EngineConnection:
    """The connection of one provider resource of one operation of an engine."""

    log: EngineLog
    cancelled: threading.Event = field(default_factory=threading.Event)
    """Whether the engine has called `Cancel`: at a Ctrl-C, and at the end of each operation."""
    session: Session | None = None
    """The configured session; `None` before `Configure`."""
    project: str = ""
    """The project's name, as soon as a request has it."""
    has_unknown_keys: bool = False
    """As in `provider_config.has_unknown_keys`."""

    def print_line(self, line: str) -> None:
        """Show a lasting line of the whole operation."""
        self.log.info(line)


class VodServicer(ResourceProviderServicer):
    """
    The packaged provider.

    The engine starts a process for each provider resource of each operation. But several engines
    may attach to one process, also at the same time. Each provider resource then has one
    connection, which begins with `Handshake`, `Attach` and `Configure`.

    Each operation has its own thread. The gRPC library cancels a handler when the engine is gone,
    and the provider may not abandon a start that was sent (plugin-facts 2).

    Args:
        engine_address: the address of the engine that has started the process; else empty.

    """

    def __init__(self, engine_address: str = "") -> None:
        self._engine_address = engine_address
        self._connections: dict[str, EngineConnection] = {}
        self._folder = Path()
        self._running: set[asyncio.Task[Any]] = set()
        # A wait blocks its thread, and the engine limits the number of operations.
        self._threads = CapacityLimiter(math.inf)

    # -- the engine's operation ----------------------------------------------------------------

    async def Handshake(
        self, request: proto.ProviderHandshakeRequest, context: Any
    ) -> proto.ProviderHandshakeResponse:
        """Begin an operation of the engine."""
        # The engine calls `Cancel` at the end of each operation, also of a successful one.
        self._connections = {
            key: each for key, each in self._connections.items() if not each.cancelled.is_set()
        }
        self._connections[self._key(context)] = EngineConnection(EngineLog(request.engine_address))
        return proto.ProviderHandshakeResponse(accept_secrets=True)

    async def Attach(self, _request: plugin_pb2.PluginAttach, _context: Any) -> Empty:
        """Accept an engine that has not started this process, after its `Handshake`."""
        return Empty()

    def _key(self, context: Any) -> str:
        """Return what separates connections; the engine of this process has a single one."""
        # A request names neither its engine nor its provider resource. Without the address of its
        # sender, a run could start at the endpoint of another stack (paid). The engine that has
        # started this process may connect again from another address, after 30 minutes without a
        # call.
        return "" if self._engine_address else str(context.peer())

    def _connection(self, context: Any) -> EngineConnection:
        """Return the connection of a call; a new one has no configuration."""
        key = self._key(context)
        if key not in self._connections:
            self._connections[key] = EngineConnection(EngineLog(self._engine_address))
        return self._connections[key]

    async def CheckConfig(self, request: proto.CheckRequest, context: Any) -> proto.CheckResponse:
        """Validate the configuration; free."""
        news = with_known_keys(decode(request.news).values)
        text = problems_of(news, request.urn, self._folder)
        unknown = sorted(name for name, value in news.items() if not is_known(value))
        if unknown:
            log = self._connection(context).log
            log.warning(UNKNOWN_CONFIGURATION.format(", ".join(unknown)))
        # The engine sends no marks of secrets here, and adds those of the program to the answer.
        return proto.CheckResponse(
            inputs=encode(with_secret_keys(news)),
            failures=[proto.CheckFailure(property="", reason=text)] if text else [],
        )

    async def DiffConfig(self, request: proto.DiffRequest, _context: Any) -> proto.DiffResponse:
        """Report a changed configuration, which never replaces a resource: that would be paid."""
        olds, news = decode(request.olds).values, decode(request.news).values
        changes = proto.DiffResponse.DIFF_NONE if olds == news else proto.DiffResponse.DIFF_SOME
        return proto.DiffResponse(changes=changes)

    async def Configure(
        self, request: proto.ConfigureRequest, context: Any
    ) -> proto.ConfigureResponse:
        """Store the configuration, which the first operation that needs it validates."""
        arguments = decode(request.args).values
        connection = self._connection(context)
        connection.project = project_of(request.urn)
        connection.has_unknown_keys = has_unknown_keys(arguments)
        provider = own_provider_of(request.urn)

        def load() -> Settings:
            project = connection.project
            return settings_of(arguments, self._folder, project=project, provider=provider)

        # The engine calls `Cancel` at the end of each operation, also of a successful one.
        connection.cancelled = threading.Event()
        log = connection.log
        announcements = Announcements(connection.print_line, log.warning, log.stack_status)
        service = BlockingService(connection.print_line)
        connection.session = Session(load, service, announcements, command_age=command_age)
        return proto.ConfigureResponse()  # the answer to `Handshake` decides

    async def Cancel(self, _request: Empty, context: Any) -> Empty:
        """End the engine's waits and retries; each start that was sent is recorded first."""
        self._connection(context).cancelled.set()
        return Empty()

    async def wait_for_operations(self) -> None:
        """Wait until no operation runs any more."""
        while self._running:
            await asyncio.wait(self._running)

    # -- the package ---------------------------------------------------------------------------

    async def GetPluginInfo(self, _request: Empty, _context: Any) -> plugin_pb2.PluginInfo:
        """Return the version of the package."""
        return plugin_pb2.PluginInfo(version=version("pulumi-vod-workflow"))

    async def GetSchema(
        self, _request: proto.GetSchemaRequest, _context: Any
    ) -> proto.GetSchemaResponse:
        """Return the schema of the package."""
        return proto.GetSchemaResponse(schema=SCHEMA.read_text("utf-8"))

    # -- resources -----------------------------------------------------------------------------

    async def Check(self, request: proto.CheckRequest, context: Any) -> proto.CheckResponse:
        """Validate a declaration; free."""
        return await self._answer(operations.check, request, context)

    async def Diff(self, request: proto.DiffRequest, context: Any) -> proto.DiffResponse:
        """Decide what a change does; free."""
        return await self._answer(operations.diff, request, context)

    async def Create(self, request: proto.CreateRequest, context: Any) -> proto.CreateResponse:
        """Create a resource. A run and a batch start runs (paid), but not in a preview."""
        return await self._answer(operations.create, request, context)

    async def Read(self, request: proto.ReadRequest, context: Any) -> proto.ReadResponse:
        """Read the current outputs of a resource; free."""
        if self._connection(context).has_unknown_keys:
            # The engine answers so itself while it does not know another setting.
            return proto.ReadResponse(
                id=request.id, properties=request.properties, inputs=request.inputs
            )
        return await self._answer(operations.read, request, context)

    async def Update(self, request: proto.UpdateRequest, context: Any) -> proto.UpdateResponse:
        """Update a resource. A batch starts new and changed items (paid), but not in a preview."""
        return await self._answer(operations.update, request, context)

    async def Delete(self, request: proto.DeleteRequest, context: Any) -> Empty:
        """Remove a resource from the state; free."""
        return await self._answer(operations.delete, request, context)

    async def Invoke(self, request: proto.InvokeRequest, context: Any) -> proto.InvokeResponse:
        """Call a function of the package; free."""
        if request.tok not in operations.FUNCTIONS:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"unknown function {request.tok}")
        if self._connection(context).has_unknown_keys:  # as in `Read`
            return proto.InvokeResponse()
        arguments = decode(request.args).values

        async def call(session: Session, host: Host) -> proto.InvokeResponse:
            function = operations.FUNCTIONS[request.tok]
            found: Any = {"return": encode(await function(session, host, arguments))}
            return proto.InvokeResponse(**found)  # `return` is a word of Python

        return await self._run(call, request, context, request.tok, may_start_runs=False)

    async def _answer(
        self, operation: Callable[[Call], Coroutine[Any, Any, T]], request: Any, context: Any
    ) -> T:
        """Run an operation of a resource, and return its answer."""
        # Without the project's name, the journal may be that of another project. Older engines do
        # not name the provider resource in `Configure`.
        connection = self._connection(context)
        connection.project = connection.project or project_of(request.urn)
        name = operation.__name__
        kind = LIFECYCLES.get(type_of(request.urn))
        if kind is None:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"unknown resource {request.urn}")

        async def call(session: Session, host: Host) -> T:
            lifecycle: Any = import_module(f"pulumi_vod_workflow.lifecycle.{kind}")
            return await operation(Call(lifecycle, session, host, request))

        may_start_runs = name in {"create", "update"}
        return await self._run(call, request, context, name, may_start_runs=may_start_runs)

    async def _run(
        self,
        operation: Callable[[Session, Host], Coroutine[Any, Any, T]],
        request: Any,
        context: Any,
        name: str,
        *,
        may_start_runs: bool,
    ) -> T:
        connection = self._connection(context)
        session = connection.session
        if session is None:
            await _abort(context, NOT_CONFIGURED)
        cancellation = Cancellation(connection.cancelled)
        host = host_of(request, connection.log, cancellation)
        task = asyncio.ensure_future(self._on_thread(lambda: _outcome_of(operation(session, host))))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            outcome = await asyncio.shield(task)
        except asyncio.CancelledError:
            cancellation.call.set()
            raise
        if isinstance(outcome.error, InitFailedError):
            await _abort(context, str(outcome.error), outcome.error.details)
        if outcome.error is not None:  # its text and traceback may contain a secret
            text = error_message(name, outcome.error, may_start_runs=may_start_runs)
            await _abort(context, text)
        answer: T = outcome.answer
        return answer

    async def _on_thread(self, function: Callable[[], OperationOutcome]) -> OperationOutcome:
        return await to_thread.run_sync(function, limiter=self._threads)


def _outcome_of(operation: Coroutine[Any, Any, Any]) -> OperationOutcome:
    """Run an operation on this thread, and return its outcome."""
    # The error of a task would be in the logs of asyncio's debug mode, with its secrets.
    try:
        return OperationOutcome(answer=run_operation(operation))
    except Exception as error:  # noqa: BLE001 - see above
        return OperationOutcome(error=error)


async def _abort(
    context: Any, text: str, details: proto.ErrorResourceInitFailed | None = None
) -> NoReturn:
    """End a call with an error, of which the engine shows the text alone."""
    metadata: tuple[tuple[str, bytes], ...] = ()
    if details is not None:
        status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=text)
        any_message = AnyMessage()
        any_message.Pack(details)
        status.details.append(any_message)
        metadata = (("grpc-status-details-bin", status.SerializeToString()),)
    await context.abort(grpc.StatusCode.UNKNOWN, text, metadata)
    raise AssertionError
