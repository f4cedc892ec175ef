"""
How an operation's failure reaches the person: one clear message, no traceback.

The SDK's dynamic provider host turns any exception into its whole traceback (pulumi-facts B.3).
gRPC's rich status, `grpc-status-details-bin`, overrides that text; it is set on the call's
context, which the host does not hand to providers, so it is looked for in the calling frames.
Where it is not found, for instance under another SDK version, the traceback comes as before and
ends with the same message. `tests/provider` holds this against the SDK in use.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import grpc
from google.rpc.status_pb2 import Status

from pulumi_vod_workflow.errors import VodWorkflowError

P = ParamSpec("P")
R = TypeVar("R")


class OperationFailedError(Exception):
    """What the host is given: the message alone, without causes or secrets."""


def reported(operation: Callable[P, R]) -> Callable[P, R]:
    """Make `operation` fail with its error's message alone."""

    @wraps(operation)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return operation(*args, **kwargs)
        except VodWorkflowError as error:
            message = str(error)
            _say_plainly(message)
        raise OperationFailedError(message)

    return wrapper


def _say_plainly(message: str) -> None:
    context = _context()
    if context is not None:
        status = Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message)
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))


def _context() -> grpc.ServicerContext | None:
    frame = inspect.currentframe()
    while frame is not None:
        candidate = frame.f_locals.get("context")
        if isinstance(candidate, grpc.ServicerContext):
            return candidate
        frame = frame.f_back
    return None
