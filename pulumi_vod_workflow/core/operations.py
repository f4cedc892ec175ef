"""
The requests of the service's five calls, with every outgoing wire name.

Sources: the page (StartWorkflow), vod-api-facts 1 to 3 (reads), docs/4/65603 (GetMediaInfos).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from pulumi_vod_workflow.core.canonical import canonical_json

Operation = Literal[
    "StartWorkflow",
    "GetWorkflowExecution",
    "GetWorkflowExecutionResult",
    "GetWorkflowTemplate",
    "GetMediaInfos",
]

START_WORKFLOW: Final = "StartWorkflow"
"""The only paid operation."""

# vod-api-facts 1 to 3: each call has its own version.
VERSIONS: Final[Mapping[Operation, str]] = {
    "StartWorkflow": "2020-08-01",
    "GetWorkflowExecution": "2020-08-01",
    "GetWorkflowExecutionResult": "2022-12-01",
    "GetWorkflowTemplate": "2023-07-01",
    "GetMediaInfos": "2022-12-01",
}

# vod-api-facts 7: the service recommends GET, and POST for long parameters.
MAX_GET_QUERY_BYTES: Final = 2048
"""The largest size of a start's parameters in a GET request, in bytes."""


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request without host and signature. A retry sends the same bytes."""

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
    Return the request of a start; paid: starts one run.

    Args:
        start: the fields that `request_fields` returns.
        client_token: the run's token.

    """
    # A process that only reads runs, as in a refresh, needs no model (0.07 s of processor time).
    from pydantic.alias_generators import to_pascal  # noqa: PLC0415 - see above

    from pulumi_vod_workflow.core.inputs.models import StartRequestModel  # noqa: PLC0415
    from pulumi_vod_workflow.core.inputs.property_names import rename_keys  # noqa: PLC0415

    wire = rename_keys(start, StartRequestModel, to_pascal)
    parameters: dict[str, object] = {**wire, "ClientToken": client_token}
    # Both are strings of JSON in GET (official SDK) and in POST (the page's example).
    for name in ("DirectUrl", "Input"):
        if name in parameters:
            parameters[name] = canonical_json(parameters[name]).decode()
    texts = {name: _wire_text(value) for name, value in parameters.items()}
    if sum(len(name) + len(text.encode()) for name, text in texts.items()) <= MAX_GET_QUERY_BYTES:
        return _request("StartWorkflow", **texts)
    envelope = _request("StartWorkflow")
    return ApiRequest(
        "StartWorkflow", "POST", envelope.query, canonical_json(parameters), "application/json"
    )


def _wire_text(value: object) -> str:
    return value if isinstance(value, str) else canonical_json(value).decode()


def get_workflow_execution(run_id: str) -> ApiRequest:
    """Return the request for a run's status and tasks; free."""
    # vod-api-facts 1: NeedTasksDetail is a string.
    return _request("GetWorkflowExecution", RunId=run_id, NeedTasksDetail="true")


def get_workflow_execution_result(run_id: str) -> ApiRequest:
    """Return the request for a run's results; free."""
    return _request("GetWorkflowExecutionResult", RunId=run_id)


def get_workflow_template(template_id: str) -> ApiRequest:
    """Return the request for a workflow's definition; free."""
    return _request("GetWorkflowTemplate", TemplateId=template_id)


MAX_VIDS_PER_CALL: Final = 20
"""The number of videos in one GetMediaInfos request (docs/4/65603)."""


def get_media_infos(vids: Iterable[str]) -> ApiRequest:
    """Return the request for the data of at most `MAX_VIDS_PER_CALL` videos; free."""
    return _request("GetMediaInfos", Vids=",".join(vids))
