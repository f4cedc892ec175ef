"""
A start, or the id of a run, template or video, becomes one request: every outgoing wire name.

Sources: the page (StartWorkflow), facts 1 to 3 (the reads), docs/4/65603 (GetMediaInfos), facts 7
(GET is recommended, POST for long parameters).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic.alias_generators import to_pascal

from pulumi_vod_workflow.core.canonical import canonical_json
from pulumi_vod_workflow.core.inputs.models import StartRequestModel
from pulumi_vod_workflow.core.inputs.property_names import rename_keys

Operation = Literal[
    "StartWorkflow",
    "GetWorkflowExecution",
    "GetWorkflowExecutionResult",
    "GetWorkflowTemplate",
    "GetMediaInfos",
]

VERSIONS: Final[Mapping[Operation, str]] = {
    "StartWorkflow": "2020-08-01",
    "GetWorkflowExecution": "2020-08-01",
    "GetWorkflowExecutionResult": "2022-12-01",
    "GetWorkflowTemplate": "2023-07-01",
    "GetMediaInfos": "2022-12-01",
}

MAX_GET_QUERY_BYTES: Final = 2048
"""Bytes of parameters up to which a start is sent as GET."""


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One call, complete but for the host and the signature. A resend is byte-identical."""

    operation: Operation
    method: Literal["GET", "POST"]
    query: tuple[tuple[str, str], ...]
    body: bytes = b""
    content_type: str | None = None


def _request(operation: Operation, **parameters: str) -> ApiRequest:
    query = {"Action": operation, "Version": VERSIONS[operation], **parameters}
    return ApiRequest(operation, "GET", tuple(query.items()))


def start_workflow(start: Mapping[str, Any], client_token: str) -> ApiRequest:
    """
    Build the call that starts, and bills, a run: `start` as `start.start_of` returns it.

    `DirectUrl` and `Input` are strings holding JSON in both forms, as the page's POST example and
    the official SDK's GET have them.
    """
    wire = rename_keys(start, StartRequestModel, to_pascal)
    parameters: dict[str, object] = {**wire, "ClientToken": client_token}
    for name in ("DirectUrl", "Input"):
        if name in parameters:
            parameters[name] = canonical_json(parameters[name]).decode()
    texts = {name: _text(value) for name, value in parameters.items()}
    if sum(len(name) + len(text.encode()) for name, text in texts.items()) <= MAX_GET_QUERY_BYTES:
        return _request("StartWorkflow", **texts)
    envelope = _request("StartWorkflow")
    return ApiRequest(
        "StartWorkflow", "POST", envelope.query, canonical_json(parameters), "application/json"
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else canonical_json(value).decode()


def get_workflow_execution(run_id: str) -> ApiRequest:
    """Build the free read of a run's status, with its tasks."""
    return _request("GetWorkflowExecution", RunId=run_id, NeedTasksDetail="true")


def get_workflow_execution_result(run_id: str) -> ApiRequest:
    """Build the free read of what a run has produced."""
    return _request("GetWorkflowExecutionResult", RunId=run_id)


def get_workflow_template(template_id: str) -> ApiRequest:
    """Build the free read of a workflow's definition."""
    return _request("GetWorkflowTemplate", TemplateId=template_id)


MAX_VIDS_PER_CALL: Final = 20
"""Videos of one question."""


def get_media_infos(vids: Iterable[str]) -> ApiRequest:
    """Build the free question which of at most `MOST_VIDS` videos there are."""
    return _request("GetMediaInfos", Vids=",".join(vids))
