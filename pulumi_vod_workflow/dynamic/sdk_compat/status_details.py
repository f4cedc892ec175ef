"""
The text of an error, in place of the traceback that the SDK's dynamic provider host sends.

Private part: `grpc-status-details-bin`, gRPC's own rich status, set on the context of a call that
the host does not hand to providers. The engine shows the text of that status, not the host's.
Buys: a failed operation is one message.
Without it: the SDK's traceback comes first and ends with the same message.
Tested on: 3.268.0 and 3.272.0.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import grpc
from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from google.protobuf.proto_builder import MakeSimpleProtoClass

from pulumi_vod_workflow.dynamic.sdk_compat.call_context import current_call

Status: Any = MakeSimpleProtoClass(
    OrderedDict(code=FieldDescriptorProto.TYPE_INT32, message=FieldDescriptorProto.TYPE_STRING),
    "pulumi_vod_workflow.Status",
)
"""
A message with the first two fields of `google.rpc.Status`, and so with the same bytes.

Google's packages and Pulumi's SDK each register that name, and a process can load only one of the
two (plugin-facts 2). This message has another name, so the rest of the process may load either.
"""


def set_status_details(message: str) -> None:
    """Let the engine show `message` for the call that this thread is answering."""
    call = current_call()
    if call is not None:
        status = Status(code=grpc.StatusCode.UNKNOWN.value[0], message=message)
        call.context.set_trailing_metadata(
            (("grpc-status-details-bin", status.SerializeToString()),)
        )
