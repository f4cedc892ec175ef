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
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import CodeType, FunctionType
from typing import Any, Final

from google.protobuf.empty_pb2 import Empty

from pulumi_vod_workflow.dynamic.sdk_compat.call_context import ProviderCall, host_servicer
from pulumi_vod_workflow.dynamic.sdk_compat.engine_log import engine_address

ENGINE_CHECK_INTERVAL: Final = 0.5
"""The interval of the checks of the engine's address after the end of its pipe, in seconds."""
REFUSALS: Final = 3
"""The number of refused checks in a row after which the engine is gone."""

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

    Operations end early then, as after a Ctrl-C. The process of a living engine never ends: both
    the pipe must be closed, and the address must refuse connections.
    """
    address = engine_address()
    if address and not any(thread.name == WATCH for thread in threading.enumerate()):
        threading.Thread(target=_end_after, args=[address], name=WATCH, daemon=True).start()


WATCH: Final = "vod-engine-watch"
"""The name of the thread that waits for the end of the engine."""


def _end_after(address: str) -> None:
    _wait_for_end_of_pipe()
    # The pipe may be closed while the engine lives: another program may start the host.
    refusals = 0
    while refusals < REFUSALS:
        time.sleep(ENGINE_CHECK_INTERVAL)
        refusals = refusals + 1 if _refuses_connections(address) else 0
    # A start that already has its permit is still sent, and the operation records its answer.
    _cancelled.set()
    with _operations:
        _operations.wait_for(lambda: not _running)
    _end_host()


def _wait_for_end_of_pipe() -> None:
    """Wait until the engine, which writes nothing, closes its end of the standard input."""
    with suppress(OSError, ValueError):
        # A daemon thread must not hold the lock of `sys.stdin.buffer` when the process ends.
        while sys.stdin is not None and os.read(sys.stdin.fileno(), 1 << 12):
            pass


def _refuses_connections(address: str) -> bool:
    """Return whether nothing listens at an address any more."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=2).close()
    except ConnectionRefusedError:
        return True
    except (OSError, ValueError):  # this tells nothing about the engine
        return False
    return False


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
