"""
What the SDK's dynamic provider host knows and does not hand on to providers.

That is the call it is answering (its context, and the resource's URN), the engine's address, that
the person has pressed Ctrl-C, and the slot that a long operation holds. They are looked for in the
calling frames and in the host's own module; where they are not found, for instance under another
SDK version, there is nothing of them and everything else works as before. The tests of the engine
hold this against the SDK in use.
"""

from __future__ import annotations

# ruff: noqa: SLF001 - the host and its pool have no other way in
import gc
import inspect
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from types import CodeType, FunctionType
from typing import Any, Final

import grpc
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto.engine_pb2 import LogRequest, LogSeverity
from pulumi.runtime.proto.engine_pb2_grpc import EngineStub

HOST: Final = "DynamicResourceProviderServicer"
"""What the host's own module, and no other that is run, has."""
PATIENCE: Final = 2.0
"""Seconds for the engine to take a line."""

_cancelled = threading.Event()
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class HostCall:
    """The call that this thread is answering."""

    context: grpc.ServicerContext
    urn: str
    """The resource's; empty if the request has none."""


def host_call() -> HostCall | None:
    """Return the call that this thread is answering, if the host can be seen."""
    frame = inspect.currentframe()
    while frame is not None:
        context, request = frame.f_locals.get("context"), frame.f_locals.get("request")
        if isinstance(context, grpc.ServicerContext):
            return HostCall(context, str(getattr(request, "urn", "")))
        frame = frame.f_back
    return None


def when_to_stop() -> Callable[[], bool]:
    """
    Return what tells, on any thread, whether this call's operation is to stop.

    That is, the person has asked the engine to (one Ctrl-C), or the engine is gone: killed, it
    leaves this process behind, which would go on for nobody.
    """
    call = host_call()

    def stop() -> bool:
        return _cancelled.is_set() or (call is not None and not call.context.is_active())

    return stop


def notice_cancellation() -> None:
    """
    From now on, let `when_to_stop` tell of a Ctrl-C.

    The engine calls the host's Cancel at the first Ctrl-C and then waits for the operations that
    go on. The host's own does nothing; it is replaced in place, for it is already registered.
    """
    hosts = getattr(getattr(_main(), HOST, None), "Cancel", None)
    if isinstance(hosts, FunctionType) and _is_alike(hosts.__code__):
        hosts.__code__ = _cancel.__code__


def settle_in() -> None:
    """
    Let the collector of garbage pass over what the host has loaded: it stays.

    Otherwise it goes through all of that again while the models and httpx are loaded.
    """
    if hasattr(_main(), HOST):
        gc.freeze()


def _is_alike(code: CodeType) -> bool:
    """Tell whether the host's method can be replaced: as many arguments, no closure, no async."""
    kind = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
    return code.co_argcount == 3 and not code.co_freevars and not code.co_flags & kind


def _cancel(_self: Any, _request: Any, _context: Any) -> Empty:
    # Runs as the host's method, among the host's names: it can use none of this module's.
    from pulumi_vod_workflow.dynamic.sdk_compat import host as _host  # noqa: PLC0415, PLW0406

    return _host.cancel()


def cancel() -> Empty:
    """Take note that the person has asked to stop."""
    _cancelled.set()
    return Empty()


@contextmanager
def without_a_slot() -> Iterator[None]:
    """
    Wait without holding one of the host's four slots.

    They are the threads of one pool, in which the engine's Cancel queues, too: four waits would
    make Ctrl-C dead, and hold up every other resource. So the service's answers are waited for
    without: as many operations go on as the engine is told to let (`--parallel`). While this thread
    waits the pool may have one more.
    """
    pool = _pool()
    if pool is None:
        yield
        return
    with _lock:
        if not isinstance(pool._idle_semaphore, _NobodyIdle):
            pool._idle_semaphore = _NobodyIdle()
        pool._max_workers += 1
        while not pool._work_queue.empty() and len(pool._threads) < pool._max_workers:
            pool._adjust_thread_count()
    try:
        yield
    finally:
        with _lock:
            pool._max_workers -= 1


class _NobodyIdle:
    """
    What a pool counts its idle threads with: none, so that new work gets a thread while it may.

    A thread of the pool that goes from one piece of work to the next is counted as idle by Python
    3.11, for good: the next that comes would get no thread, and wait for a wait to end.
    """

    def acquire(self, *_args: object, **_kwargs: object) -> bool:
        return False

    def release(self, *_args: object, **_kwargs: object) -> None:
        pass


def _pool() -> Any:
    """Return the pool that this thread is of, if it has what is needed of it."""
    frame = inspect.currentframe()
    while frame is not None:
        reference = frame.f_locals.get("executor_reference")
        pool = reference() if callable(reference) else None
        if isinstance(pool, ThreadPoolExecutor):
            needed = (
                "_adjust_thread_count",
                "_idle_semaphore",
                "_max_workers",
                "_threads",
                "_work_queue",
            )
            return pool if all(hasattr(pool, name) for name in needed) else None
        frame = frame.f_back
    return None


def _main() -> Any:
    return sys.modules.get("__main__")


@cache
def _engine() -> EngineStub | None:
    """Return the engine that has started this process, if this is the host's."""
    if not hasattr(_main(), HOST) or len(sys.argv) < 2:
        return None
    return EngineStub(grpc.insecure_channel(sys.argv[1]))


def say_of_stack(text: str) -> None:
    """Show a passing line on the stack's row, if there are rows; never raises."""
    engine = _engine()
    if engine is not None:
        request = LogRequest(severity=LogSeverity.INFO, message=text, ephemeral=True)
        with suppress(grpc.RpcError):
            engine.Log(request, timeout=PATIENCE)


def tell(line: str) -> None:
    """Show the person who runs the operation a line."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - the host shows it to the person


class Row:
    """Where the person sees the resource that the current call is about."""

    def __init__(self) -> None:
        call = host_call()
        self._urn = call.urn if call else ""

    def say(self, text: str, *, passing: bool = False, warning: bool = False) -> None:
        """
        Show a line on the resource's row, or plainly where that cannot be done; never raises.

        Args:
            text: what to say.
            passing: only until the next one; not shown at all where there are no rows.
            warning: as a warning.

        """
        engine = _engine() if self._urn else None
        if engine is not None:
            request = LogRequest(
                severity=LogSeverity.WARNING if warning else LogSeverity.INFO,
                message=text,
                urn=self._urn,
                ephemeral=passing,
            )
            with suppress(grpc.RpcError):
                engine.Log(request, timeout=PATIENCE)
                return
        if not passing:
            name = self._urn.rpartition("::")[2]
            with suppress(OSError, ValueError):  # nobody listens any more
                tell(f"vod: {name}: {text}" if name else f"vod: {text}")
