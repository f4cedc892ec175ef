"""
The text of an error, in place of the traceback that the SDK's dynamic provider host sends.

Private part: `grpc-status-details-bin`, gRPC's own rich status, set on the context of a call that
the host does not hand to providers. The engine shows the text of that status, not the host's, and
keeps the resource that is in the details.
Buys: a failed operation is one message, and a batch that stopped keeps its runs in the state.
Without it: the SDK's traceback comes first and ends with the same message. The state does not get
the runs of a batch that stopped, and the next update reuses them from the journal.
Tested on: 3.268.0 and 3.272.0.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from google.protobuf.proto_builder import MakeSimpleProtoClass
from pulumi.runtime.proto.provider_pb2 import ErrorResourceInitFailed
from pulumi.runtime.rpc import serialize_properties

from pulumi_vod_workflow.dynamic.sdk_compat.call_context import current_call

Status: Any = MakeSimpleProtoClass(
    OrderedDict(
        code=FieldDescriptorProto.TYPE_INT32,
        message=FieldDescriptorProto.TYPE_STRING,
        details=FieldDescriptorProto.TYPE_BYTES,
    ),
    "pulumi_vod_workflow.Status",
)
"""
A message with the fields of `google.rpc.Status`, and so with the same bytes.

The field of the details repeats: this message has one at most, as its bytes.
Google's packages and Pulumi's SDK each register that name, and a process can load only one of the
two (plugin-facts 2). This message has another name, so the rest of the process may load either.
"""


def kept_resource(id_: str, properties: dict[str, Any], reason: str) -> bytes:
    """
    Return the details of an error that make the engine keep a resource.

    Args:
        id_: the id of the resource.
        properties: its state, with the SDK's marks for secret values.
        reason: the text of the error.

    """
    loop = asyncio.new_event_loop()
    try:
        state = loop.run_until_complete(serialize_properties(properties, {}))
    finally:
        loop.close()
    failed = ErrorResourceInitFailed(id=id_, properties=state, reasons=[reason])
    details = AnyMessage()
    details.Pack(failed)
    return details.SerializeToString()


def set_status_details(message: str, details: bytes | None = None) -> None:
    """
    Let the engine show `message` for the call that this thread is answering.

    Args:
        message: the text of the error.
        details: what `kept_resource` returns; `None` for an error that changes no resource.

    """
    call = current_call()
    if call is not None:
        status = Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message, details=details)
        call.context.set_trailing_metadata(
            (("grpc-status-details-bin", status.SerializeToString()),)
        )
