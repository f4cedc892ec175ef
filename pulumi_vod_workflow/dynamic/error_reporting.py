"""
How an operation's failure reaches the person: one clear message, no traceback.

The SDK's dynamic provider host turns any exception into its whole traceback (pulumi-facts B.3).
gRPC's rich status, `grpc-status-details-bin`, overrides that text; it is set on the call's
context, which the host does not hand to providers (`_host` finds it). Where it is not found, for
instance under another SDK version, the traceback comes as before and ends with the same message.
`tests/provider` holds this against the SDK in use.
"""

from __future__ import annotations

import traceback
from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import grpc
from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from google.protobuf.proto_builder import MakeSimpleProtoClass

from pulumi_vod_workflow.dynamic.sdk_compat.host import host_call
from pulumi_vod_workflow.errors import VodWorkflowError, start_hint

P = ParamSpec("P")
R = TypeVar("R")

Status: Any = MakeSimpleProtoClass(
    OrderedDict(code=FieldDescriptorProto.TYPE_INT32, message=FieldDescriptorProto.TYPE_STRING),
    "pulumi_vod_workflow.Status",
)
"""
A message with the first two fields of `google.rpc.Status`, and so with the same bytes.

Google's packages and Pulumi's SDK each register that name, and a process can load only one of the
two (plugin-facts 2). This message has another name, so the rest of the process may load either.
"""


class OperationFailedError(Exception):
    """What the host is given: the message alone, without causes or secrets."""


def reported(operation: Callable[P, R], *, pays: bool = False) -> Callable[P, R]:
    """
    Make `operation` fail with its error's message alone.

    Args:
        operation: a provider's method.
        pays: whether it starts runs, so that a defect in it may have.

    """

    @wraps(operation)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return operation(*args, **kwargs)
        except VodWorkflowError as error:
            message = str(error)
        except Exception as error:  # noqa: BLE001 - its text may hold a secret, its traceback too
            message = _defect(operation.__name__, error, pays=pays)
        _say_plainly(message)
        raise OperationFailedError(message)

    return wrapper


def _defect(operation: str, error: Exception, *, pays: bool) -> str:
    """Say where something went wrong that should not; a maintainer needs no more."""
    trace = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in trace[:-6:-1])
    started = start_hint(maybe_accepted=True, retryable=True) if pays else "Nothing was started."
    return (
        f"{operation} failed by a defect of pulumi_vod_workflow, not of your program. {started}\n"
        f"Please report it with this line: {type(error).__name__} at {places}"
    )


def _say_plainly(message: str) -> None:
    call = host_call()
    if call is not None:
        status = Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message)
        call.context.set_trailing_metadata(
            (("grpc-status-details-bin", status.SerializeToString()),)
        )
