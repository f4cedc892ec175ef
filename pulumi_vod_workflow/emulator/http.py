"""
HTTP requests and responses: from received bytes to the parameters of a call.

Clients send parameters in the query, in a JSON body or in a form body (facts 5). Action and Version
are in the query (facts 3, D-call). A name that is sent twice must have one value.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

from pulumi_vod_workflow.emulator.errors import ServiceError
from pulumi_vod_workflow.emulator.signature import SignedRequest

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

VERSIONS: Final = {
    "StartWorkflow": "2020-08-01",
    "GetWorkflowExecution": "2020-08-01",
    "GetWorkflowExecutionResult": "2022-12-01",
    "GetWorkflowTemplate": "2023-07-01",
    "ListWorkflowTemplate": "2023-07-01",
    "GetMediaInfos": "2022-12-01",
}
"""The Action and the Version of each call (the page; facts 1 to 3)."""
MAX_BODY_BYTES: Final = 1 << 20
"""Size of a body, in bytes."""
MAX_QUERY_BYTES: Final = 60_000
"""Size of a query, in bytes; the HTTP parser itself rejects more than 64 KiB."""
COMMON_PARAMETERS: Final = frozenset(
    {
        "Action",
        "Version",
        "X-Algorithm",
        "X-Content-Sha256",
        "X-Credential",
        "X-Date",
        "X-Expires",
        "X-NotSignBody",
        "X-Security-Token",
        "X-Signature",
        "X-SignedHeaders",
        "X-SignedQueries",
    }
)
"""The common parameters of all calls (facts 5)."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response: a JSON document, or plain bytes; header names in lower case."""

    status: int
    content: Mapping[str, Any] | bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    missing_bytes: int = 0
    """Bytes of Content-Length that the emulator does not send."""

    @property
    def body(self) -> bytes:
        """The bytes of the content."""
        if isinstance(self.content, bytes):
            return self.content
        # "replace": a message may quote a text that UTF-8 cannot encode.
        return json.dumps(self.content, ensure_ascii=False).encode(errors="replace")


async def receive_body(receive: Receive) -> bytes | None:
    """Return the whole body; `None` if it is larger than `MAX_BODY_BYTES`."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        part = message.get("body", b"")
        size += len(part)
        if size <= MAX_BODY_BYTES:
            parts.append(part)
        if not message.get("more_body"):
            break
    return b"".join(parts) if size <= MAX_BODY_BYTES else None


def read_request(scope: Scope, body: bytes | None) -> SignedRequest:
    """
    Return the request in the form that its signature covers.

    Raises:
        ServiceError: the request is none of this API.

    """
    method = scope["method"]
    if method not in {"GET", "POST"}:
        raise ServiceError("MethodNotAllowed", method)
    if scope["path"] not in {"", "/"}:
        raise ServiceError("InvalidActionOrVersion", scope["path"], "")
    raw = scope.get("query_string", b"")
    if len(raw) > MAX_QUERY_BYTES:
        raise ServiceError("InvalidParameter", f"the query is longer than {MAX_QUERY_BYTES} bytes")
    if body is None:
        raise ServiceError("InvalidParameter", f"the body is longer than {MAX_BODY_BYTES} bytes")
    try:
        query = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict")
        headers = {name.decode("ascii").lower(): value.decode() for name, value in scope["headers"]}
    except ValueError:
        raise ServiceError(
            "InvalidParameter", "the query or a header has an invalid encoding"
        ) from None
    return SignedRequest(method, "/", query, headers, body)


def request_parameters(request: SignedRequest) -> dict[str, Any]:
    """
    Return a call's own parameters, from the query and the body.

    Raises:
        ServiceError: the body is invalid, or a name has two values.

    """
    pairs: list[tuple[str, Any]] = [
        (name, value) for name, value in request.query if name not in COMMON_PARAMETERS
    ]
    if request.body:
        pairs += _body_parameters(request.body, request.headers.get("content-type", ""))
    return _reject_conflicts(pairs)


def _body_parameters(body: bytes, content_type: str) -> list[tuple[str, Any]]:
    try:
        text = body.decode()
        if "form" in content_type:
            return list(parse_qsl(text, keep_blank_values=True, errors="strict"))
        document = parse_json(text)
    except ValueError:
        raise ServiceError("InvalidParameter", "the body is not JSON") from None
    if not isinstance(document, Mapping):
        raise ServiceError("InvalidParameter", "the body is not a JSON object")
    return list(document.items())


def parse_json(text: str) -> Any:
    """
    Return the value of a JSON text.

    Raises:
        ValueError: the text is not JSON, is nested too deep, or has no UTF-8 encoding.
        ServiceError: a name has two values.

    """
    try:
        document = json.loads(text, object_pairs_hook=_reject_conflicts)
        json.dumps(document, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deep") from None
    return document


def _reject_conflicts(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if found.setdefault(name, value) != value:
            raise ServiceError("InvalidParameter", f"{name} has two different values")
    return found
