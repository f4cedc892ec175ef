"""
The parser of HTTP answers: a result, or an error of the right class.

`ResponseMetadata.Error` decides, not the HTTP status (vod-api-facts 8, D-call). A rejection (4xx,
503) means that no run was started. After a failure (500, 502, 504), an unreadable answer, or a
code that contradicts the status, a run may exist.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from pulumi_vod_workflow.core.operations import START_WORKFLOW
from pulumi_vod_workflow.core.redaction import MAX_SCANNED_CHARS, make_redactor
from pulumi_vod_workflow.core.values import as_text
from pulumi_vod_workflow.errors import (
    ApiError,
    AuthenticationError,
    ClockSkewError,
    InvalidRequestError,
    MalformedResponseError,
    NotFoundError,
    PermissionDeniedError,
    ServiceFailureError,
    ThrottledError,
)

MAX_EXCERPT_CHARS: Final = 200
"""The length of an unreadable body in a message, in characters."""
MAX_MESSAGE_CHARS: Final = 400
"""The length of the service's message in an error, in characters."""
# The result of a run with thousands of outputs has less than 2 MiB.
MAX_BODY_BYTES: Final = 8 << 20
"""The largest accepted answer, in bytes."""

ERROR_CLASS_BY_CODE: Final[Mapping[str, type[ApiError]]] = {
    **dict.fromkeys(
        (
            "MissingAuthenticationToken",
            "MissingSignature",
            "InvalidAccessKey",
            "InvalidClientTokenId",
            "SignatureDoesNotMatch",
            "InvalidAuthorization",
            "InvalidCredential",
            "InvalidSecretToken",
            "Unauthorized",
        ),
        AuthenticationError,
    ),
    "InvalidTimestamp": ClockSkewError,
    **dict.fromkeys(
        (
            "InvalidParameter",
            "MissingParameter",
            "MissingRequestInfo",
            "InvalidAction",
            "InvalidVersion",
            "InvalidActionOrVersion",  # 404, but not a missing run
            "ServiceNotFound",
            "InvalidDomain",
            "MethodNotAllowed",
            "UnsupportedOperation",
            "UnsupportedProtocol",
            "UnsupportedRegion",
            "ResourceInUse",
            "ResourceInsufficient",
            "QuotaInsufficient",
        ),
        InvalidRequestError,
    ),
    **dict.fromkeys(
        ("LackPolicy", "AccessDenied", "LackProjectPolicy", "RequestForbidden", "OperationDenied"),
        PermissionDeniedError,
    ),
    "ResourceNotFound": NotFoundError,
    **dict.fromkeys(
        ("RequestLimitExceeded", "FlowLimitExceeded", "AccountFlowLimitExceeded"), ThrottledError
    ),
    **dict.fromkeys(
        (
            "InternalError",
            "InternalServiceError",
            "InternalServiceTimeout",
            "ServiceUnavailable",
            "ServiceUnavailableTemp",
            "ServiceTimeout",
            "FailToConnect",
            "UndefinedError",
            "FailedOperation",
            "ResourceUnavailable",
            "Busy",
        ),
        ServiceFailureError,
    ),
}
"""The part of a code before its first dot -> its class (vod-api-facts 5 and 8)."""

REJECTED_CODES: Final = frozenset({"ServiceUnavailable", "ServiceUnavailableTemp"})
"""The failures before a start is accepted (vod-api-facts 8), unless the status contradicts."""


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """The answer to a successful call."""

    result: Mapping[str, Any]
    request_id: str | None
    server_date: str | None
    """The `Date` header, if it is a valid time: the service's clock."""


def parse_response(
    operation: str,
    http_status: int,
    headers: Mapping[str, str],
    body: bytes,
    redact: Callable[[str], str] | None = None,
) -> ApiResponse:
    """
    Return the service's answer.

    Args:
        operation: the API's Action.
        http_status: the status of the answer.
        headers: the headers of the answer; their names are lower-case.
        body: the body of the answer.
        redact: removes secrets from the texts of errors and from the RequestId. By default it
            removes only signatures.

    Raises:
        ApiError: a subclass for the error of the envelope.
        MalformedResponseError: when the body is not an envelope, or has no result.

    """
    reply = _ResponseParser(operation, http_status, headers, body, redact or make_redactor())
    if len(body) > MAX_BODY_BYTES:
        raise reply.malformed(f"more than {MAX_BODY_BYTES} bytes")
    opened = _parse_envelope(body)
    # Raised here, outside of the handler: the parser's error contains the whole body.
    if opened is None:
        raise reply.malformed("an answer without the service's envelope")
    raw_request_id, error, result = opened
    request_id = reply.to_line(as_text(raw_request_id), MAX_EXCERPT_CHARS) or None
    if error:  # an empty error object is no error
        raise reply.error(error, request_id)
    # A result under any HTTP status is a success: a RunId is never dropped, because it is paid.
    if not isinstance(result, Mapping):
        raise reply.malformed("neither a result nor an error")
    if operation == START_WORKFLOW and not (
        isinstance(result.get("RunId"), str) and result["RunId"]
    ):
        raise reply.malformed("a success without a RunId", accepted=True)
    return ApiResponse(result, request_id, _server_date(headers))


def _parse_envelope(body: bytes) -> tuple[Any, Any, Any] | None:
    """Return RequestId, error and result; `None` without an envelope."""
    try:
        envelope = json.loads(body)
        metadata = envelope["ResponseMetadata"]
        return metadata.get("RequestId"), metadata.get("Error"), envelope.get("Result")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


@dataclass(frozen=True, slots=True)
class _ResponseParser:
    """An HTTP answer, and the errors made of it."""

    operation: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    redact: Callable[[str], str]

    def to_line(self, text: str, longest: int) -> str:
        """Return a text as one printable line without secrets."""
        # Redaction comes before the cut: a cut secret would not be found.
        text = self.redact(text)
        line = "".join(char if char.isprintable() else " " for char in text[: 2 * longest]).strip()
        return line if len(line) <= longest else f"{line[:longest]}..."

    def malformed(self, problem: str, *, accepted: bool = False) -> MalformedResponseError:
        excerpt = self.to_line(
            self.body[: 4 * MAX_SCANNED_CHARS].decode(errors="replace"), MAX_EXCERPT_CHARS
        )
        # A proxy or gateway may have lost the answer of an accepted start, except under 3xx, 4xx
        # and 503 (vod-api-facts 8).
        ambiguous = accepted or self.status < 300 or (self.status >= 500 and self.status != 503)
        return MalformedResponseError(
            self.operation,
            f"the service sent {problem} [HTTP {self.status}]",
            service_message=excerpt or "(empty)",
            maybe_accepted=self.operation == START_WORKFLOW and ambiguous,
            retryable=ambiguous or self.status in {429, 503},
        )

    def error(self, error: Any, request_id: str | None) -> ApiError:
        fields = error if isinstance(error, Mapping) else {}
        code = self.to_line(str(fields.get("Code") or "(no code)"), MAX_EXCERPT_CHARS)
        # vod-api-facts 8: InvalidParameter.DomainAlreadyExist is an InvalidParameter.
        base = code.partition(".")[0]
        number = fields.get("CodeN")
        kind = ERROR_CLASS_BY_CODE.get(base) or _class_for_status(self.status)
        failed = kind is ServiceFailureError
        rejected = (
            self.status not in {500, 502, 504}
            if base in REJECTED_CODES
            else (self.status == 503 and base not in ERROR_CLASS_BY_CODE)
        )
        return kind(
            self.operation,
            code=code,
            code_n=number if isinstance(number, int) else None,
            message=self.to_line(str(fields.get("Message") or ""), MAX_MESSAGE_CHARS),
            http_status=self.status,
            request_id=request_id,
            retry_after=_retry_after(self.headers),
            server_date=_server_date(self.headers),
            maybe_accepted=self.operation == START_WORKFLOW and failed and not rejected,
            retryable=failed or kind is ThrottledError,
        )


def _class_for_status(status: int) -> type[ApiError]:
    # An unknown error under 2xx is a failure: a run may exist.
    if status >= 500 or status < 400:
        return ServiceFailureError
    return {
        401: AuthenticationError,
        403: PermissionDeniedError,
        404: NotFoundError,
        429: ThrottledError,
    }.get(status, InvalidRequestError)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return `Retry-After` in seconds."""
    # A date is compared with the answer's `Date`: this machine's clock may be wrong.
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    until, now = _parse_http_date(text), _parse_http_date(headers.get("date", ""))
    return max(0.0, (until - now).total_seconds()) if until and now else None


def _server_date(headers: Mapping[str, str]) -> str | None:
    text = headers.get("date", "")
    return text if _parse_http_date(text) else None


def _parse_http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # OverflowError: the year 99999999999
        return None
    return moment if moment.tzinfo else None
