"""
Ctrl-C: a call of the engine that the SDK's dynamic provider host answers and does not hand on.

Private part: the code of the host's `Cancel` method. It is replaced in place, because gRPC has the
method already.
Buys: the first Ctrl-C ends waits and retries at once; what was started is recorded.
Without it: a wait ends at its own timeout; a second Ctrl-C kills the process, and the journal keeps
what was sent.
Tested on: 3.268.0 and 3.272.0.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

from google.protobuf.empty_pb2 import Empty

from pulumi_vod_workflow.dynamic.sdk_compat.call_context import ProviderCall, host_servicer

_cancelled = threading.Event()


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
