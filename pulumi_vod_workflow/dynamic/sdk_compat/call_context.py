"""
The gRPC call that the SDK's dynamic provider host is answering on this thread.

Private part: the local variables `context` and `request` in the frames of the host's methods. The
host calls a provider's method without them.
Buys: the URN of the resource, so that a message appears on the resource's row; the call's context,
which carries the text of an error, and the end of a call whose engine was killed.
Without it: messages appear on standard error with no row; an error ends a traceback of the SDK; a
wait does not notice that the engine is gone.
Tested on: 3.268.0 and 3.272.0.
"""

from __future__ import annotations

import inspect
import sys
from dataclasses import dataclass
from typing import Any, Final

import grpc

SERVICER: Final = "DynamicResourceProviderServicer"
"""The class that only the main module of the SDK's dynamic provider host has."""


@dataclass(frozen=True, slots=True)
class ProviderCall:
    """The call that this thread is answering."""

    context: grpc.ServicerContext
    urn: str
    """The resource's URN; empty if the request has none."""
    timeout: float | None = None
    """Seconds that the engine allows for the operation, if it names a limit."""
    preview: bool = False
    """Whether the engine only plans."""


def current_call() -> ProviderCall | None:
    """Return the call that this thread is answering, if the frames above have one."""
    frame = inspect.currentframe()
    while frame is not None:
        context, request = frame.f_locals.get("context"), frame.f_locals.get("request")
        if isinstance(context, grpc.ServicerContext):
            return ProviderCall(
                context,
                urn=str(getattr(request, "urn", "")),
                timeout=getattr(request, "timeout", 0) or None,
                preview=bool(getattr(request, "preview", False)),
            )
        frame = frame.f_back
    return None


def host_servicer() -> Any:
    """Return the class that answers the engine's calls, if this process is the SDK's host."""
    return getattr(sys.modules.get("__main__"), SERVICER, None)
