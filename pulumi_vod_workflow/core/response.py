"""
An HTTP answer becomes the result, or the right error.

`ResponseMetadata.Error` decides, whatever the HTTP status (facts 8, D-call). What matters most is
whether a run may have started. A refusal says no: 4xx with 429, and 503. A failure (500, 502, 504)
or an answer that cannot be read does not tell; where code and status disagree, it does not either.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from pulumi_vod_workflow.core.redaction import MAX_SCANNED_CHARS, make_redactor
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

START_WORKFLOW: Final = "StartWorkflow"
MAX_EXCERPT_CHARS: Final = 200
"""Characters of an unreadable body that are shown."""
MAX_MESSAGE_CHARS: Final = 400
"""Characters of the service's own words that are shown."""
MAX_BODY_BYTES: Final = 8 << 20
"""Bytes of an answer: a result of thousands of outputs fits many times over."""

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
            "InvalidActionOrVersion",  # 404, as the two around it: but no run is missing
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
"""The part of a code before its first dot -> its class (facts 5 and 8); others go by status."""

REJECTED_CODES: Final = frozenset({"ServiceUnavailable", "ServiceUnavailableTemp"})
"""Failures that come before a start is accepted (facts 8), unless the status contradicts."""


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """A successful call."""

    result: Mapping[str, Any]
    request_id: str | None
    server_date: str | None
    """The `Date` header, if it is a moment in time: the service's own clock."""


def parse_response(
    operation: str,
    http_status: int,
    headers: Mapping[str, str],
    body: bytes,
    hide: Callable[[str], str] | None = None,
) -> ApiResponse:
    """
    Return what the service answered; header names are lower-case.

    A result without an error is a success whatever the HTTP status: a RunId that was given is
    never thrown away. What is shown of the service's words, in an error or as the RequestId, goes
    through `hide`, by default a redactor that knows no secret.

    Raises:
        ApiError: one of its kinds, when the envelope holds an error.
        MalformedResponseError: when this is no envelope, or lacks what it promises.

    """
    reply = _ResponseParser(operation, http_status, headers, body, hide or make_redactor())
    if len(body) > MAX_BODY_BYTES:
        raise reply.malformed(f"more than {MAX_BODY_BYTES} bytes")
    opened = _opened(body)
    if opened is None:  # here and not where it was found out: a parser's error holds all it read
        raise reply.malformed("an answer that is no envelope")
    said, error, result = opened
    request_id = reply.shown(said, MAX_EXCERPT_CHARS) if isinstance(said, str) and said else None
    if error:  # an empty one says nothing
        raise reply.error(error, request_id)
    if not isinstance(result, Mapping):
        raise reply.malformed("neither a result nor an error")
    if operation == START_WORKFLOW and not (
        isinstance(result.get("RunId"), str) and result["RunId"]
    ):
        raise reply.malformed("a success without a RunId", accepted=True)
    return ApiResponse(result, request_id, _server_date(headers))


def _opened(body: bytes) -> tuple[Any, Any, Any] | None:
    """Return RequestId, error and result, or nothing if this is no envelope."""
    try:
        envelope = json.loads(body)
        metadata = envelope["ResponseMetadata"]
        return metadata.get("RequestId"), metadata.get("Error"), envelope.get("Result")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


@dataclass(frozen=True, slots=True)
class _ResponseParser:
    """What arrived, and the errors that it can mean."""

    operation: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    hide: Callable[[str], str]

    def shown(self, text: str, longest: int) -> str:
        """Return one printable line; nothing is cut before secrets are looked for."""
        text = self.hide(text)
        line = "".join(char if char.isprintable() else " " for char in text[: 2 * longest]).strip()
        return line if len(line) <= longest else f"{line[:longest]}..."

    def malformed(self, what: str, *, accepted: bool = False) -> MalformedResponseError:
        shown = self.shown(
            self.body[: 4 * MAX_SCANNED_CHARS].decode(errors="replace"), MAX_EXCERPT_CHARS
        )
        unclear = accepted or self.status < 300 or (self.status >= 500 and self.status != 503)
        return MalformedResponseError(
            self.operation,
            f"the service gave {what} [HTTP {self.status}]",
            service_message=shown or "(empty)",
            maybe_accepted=self.operation == START_WORKFLOW and unclear,
            retryable=unclear or self.status in {429, 503},
        )

    def error(self, error: Any, request_id: str | None) -> ApiError:
        fields = error if isinstance(error, Mapping) else {}
        code = self.shown(str(fields.get("Code") or "(no code)"), MAX_EXCERPT_CHARS)
        base = code.partition(".")[0]  # InvalidParameter.DomainAlreadyExist is an InvalidParameter
        number = fields.get("CodeN")
        kind = ERROR_CLASS_BY_CODE.get(base) or _kind_by_status(self.status)
        failed = kind is ServiceFailureError
        refused = (
            self.status not in {500, 502, 504}
            if base in REJECTED_CODES
            else (self.status == 503 and base not in ERROR_CLASS_BY_CODE)
        )
        return kind(
            self.operation,
            code=code,
            code_n=number if isinstance(number, int) else None,
            message=self.shown(str(fields.get("Message") or ""), MAX_MESSAGE_CHARS),
            http_status=self.status,
            request_id=request_id,
            retry_after=_retry_after(self.headers),
            server_date=_server_date(self.headers),
            maybe_accepted=self.operation == START_WORKFLOW and failed and not refused,
            retryable=failed or kind is ThrottledError,
        )


def _kind_by_status(status: int) -> type[ApiError]:
    if status >= 500 or status < 400:  # an unknown error under a success says nothing for sure
        return ServiceFailureError
    return {
        401: AuthenticationError,
        403: PermissionDeniedError,
        404: NotFoundError,
        429: ThrottledError,
    }.get(status, InvalidRequestError)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return seconds; a date counts from the answer's own `Date`."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    until, now = _moment(text), _moment(headers.get("date", ""))
    return max(0.0, (until - now).total_seconds()) if until and now else None


def _server_date(headers: Mapping[str, str]) -> str | None:
    text = headers.get("date", "")
    return text if _moment(text) else None


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # both are seen, for instance for the year 99999999999
        return None
    return moment if moment.tzinfo else None
