"""
Operations on threads: an operation of the lifecycle blocks one thread until it has ended.

An operation reads and writes the journal on its own thread. Its calls of the service run in the
event loop of the process, which all threads share.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from pulumi_vod_workflow.config.endpoint import ServiceEndpoint
    from pulumi_vod_workflow.config.settings import Settings
    from pulumi_vod_workflow.transport.client import VodClient

P = ParamSpec("P")
T = TypeVar("T")


class BlockingService:
    """
    Calls of the service that block the thread of their operation.

    Args:
        log: receives a line while calls fail for some time.
        waiting: surrounds each wait of a thread.

    """

    # A preview calls the service only for preflight. So the first call loads `transport` and httpx,
    # which a preview does not need.

    def __init__(
        self,
        log: Callable[[str], None],
        waiting: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self._log = log
        self._waiting = waiting

    def client(self, settings: Settings, endpoint: ServiceEndpoint) -> VodClient:
        """Return the client of an endpoint."""
        from pulumi_vod_workflow.transport.event_loop import client_for  # noqa: PLC0415 - see above

        return client_for(settings, endpoint, log=self._log).client

    async def call(
        self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run an asynchronous function of clients in the process's event loop."""
        from pulumi_vod_workflow.transport.event_loop import run_in_loop  # noqa: PLC0415 - see above

        with self._waiting():
            return run_in_loop(function, *args, **kwargs)


def run_operation(operation: Coroutine[Any, Any, T]) -> T:
    """
    Run an operation on this thread, and return its result.

    An event loop is not necessary: an operation awaits only `BlockingService`, which blocks.
    """
    try:
        operation.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    operation.close()
    raise RuntimeError("an operation awaited something other than the service")
