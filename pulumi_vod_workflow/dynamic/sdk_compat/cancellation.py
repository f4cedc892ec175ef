"""
The ends of operations from outside: a Ctrl-C, and the end of the engine.

Private part: the code of the host's `Cancel` method, which is replaced in place, because gRPC has
the method already. The event on which the host's main thread waits; the pipe from the engine, which
is the host's standard input.
Buys: the first Ctrl-C ends waits and retries at once; what was started is recorded. After the end
of the engine, the host records what was sent, and ends.
Without it: a wait ends at its own timeout; a second Ctrl-C kills the process, and the journal keeps
what was sent. A killed engine leaves the host behind, idle.
Tested on: 3.268.0 and 3.272.0.
"""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import Any

from google.protobuf.empty_pb2 import Empty

from pulumi_vod_workflow.dynamic.sdk_compat.call_context import ProviderCall, host_servicer
from pulumi_vod_workflow.dynamic.sdk_compat.engine_log import engine_address
from pulumi_vod_workflow.hosting.engine_watch import watch_engine

_cancelled = threading.Event()
_operations = threading.Condition()
"""The condition of `_running`."""
_running = 0
"""The number of running operations."""


def install_cancel_handler() -> None:
    """From now on, let `cancellation_check` notice a Ctrl-C, in the host's process only."""
    method = getattr(host_servicer(), "Cancel", None)
    if isinstance(method, FunctionType) and _is_replaceable(method.__code__):
        method.__code__ = _cancel.__code__


def cancellation_check(call: ProviderCall | None) -> Callable[[], bool]:
    """
    Return a function that returns, on any thread, whether this call's operation has to stop.

    It has to after a Ctrl-C, and when the engine is gone: a killed engine leaves this process
    behind.
    """

    def is_cancelled() -> bool:
        return _cancelled.is_set() or (call is not None and not call.context.is_active())

    return is_cancelled


def cancel() -> Empty:
    """Record that the user has cancelled the operation."""
    _cancelled.set()
    return Empty()


@contextmanager
def keep_host_alive() -> Iterator[None]:
    """Keep the host's process until this operation has ended, even without an engine."""
    global _running  # noqa: PLW0603 - one process serves one engine operation
    with _operations:
        _running += 1
    try:
        yield
    finally:
        with _operations:
            _running -= 1
            _operations.notify_all()


def end_with_engine() -> None:
    """
    From now on, end the host's process after the end of the engine and of all operations.

    Operations end early then, as after a Ctrl-C.
    """
    watch_engine(engine_address(), _end_after_operations)


def _end_after_operations() -> None:
    # A start that already has its permit is still sent, and the operation records its answer.
    _cancelled.set()
    with _operations:
        _operations.wait_for(lambda: not _running)
    _end_host()


def _end_host() -> None:
    """
    Wake the host's main thread, which then ends the process.

    Python first completes the work of all thread pools: the operations of other providers, and the
    journal's scheduled writes. If the main thread waits for no event, as in an unknown SDK, the
    process stays behind, idle.
    """
    # A signal would not do: SIGINT may be ignored, and SIGTERM discards the scheduled writes.
    frame = sys._current_frames().get(threading.main_thread().ident or 0)  # noqa: SLF001
    while frame is not None:
        event = frame.f_locals.get("self")
        if isinstance(event, threading.Event):
            event.set()
            return
        frame = frame.f_back


def _is_replaceable(code: CodeType) -> bool:
    """Return whether a method has the known form: three arguments, no closure, not async."""
    kind = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
    return code.co_argcount == 3 and not code.co_freevars and not code.co_flags & kind


def _cancel(_self: Any, _request: Any, _context: Any) -> Empty:
    # Runs as the host's method, among the host's global names: it can use none of this module's.
    from pulumi_vod_workflow.dynamic.sdk_compat import (  # noqa: PLC0415
        cancellation,  # noqa: PLW0406
    )

    return cancellation.cancel()
