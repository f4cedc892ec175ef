"""What an answer of the service means."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_vod_workflow.core import response as envelope
from pulumi_vod_workflow.core.response import ApiResponse, parse_response
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
    VodWorkflowError,
)

DATE = "Thu, 01 Jan 2026 00:00:00 GMT"
START, READ = "StartWorkflow", "GetWorkflowExecution"


def opened(
    status: int,
    body: object,
    operation: str = START,
    headers: Mapping[str, str] | None = None,
) -> ApiResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse_response(operation, status, headers or {}, raw)


def error_of(
    status: int,
    code: object,
    operation: str = START,
    headers: Mapping[str, str] | None = None,
    **more: object,
) -> ApiError:
    document = {"ResponseMetadata": {"RequestId": "r1", "Error": {"Code": code, **more}}}
    with pytest.raises(ApiError) as caught:
        opened(status, document, operation, headers)
    return caught.value


def malformed(status: int, body: object, operation: str = START) -> MalformedResponseError:
    with pytest.raises(MalformedResponseError) as caught:
        opened(status, body, operation)
    return caught.value


def test_a_success_is_its_result() -> None:
    """The result, the request id and the service's own time come through."""
    document = {"ResponseMetadata": {"RequestId": "r1"}, "Result": {"RunId": "lb:1", "New": [1]}}
    answer = opened(200, document, headers={"date": DATE})
    assert answer == ApiResponse({"RunId": "lb:1", "New": [1]}, "r1", DATE)


# Every code of facts 5 and 8 with the HTTP status its page gives, or the one its name implies.
TABLE: list[tuple[int, str, type[ApiError], bool, bool]] = [
    (400, "MissingParameter", InvalidRequestError, False, False),
    (401, "MissingAuthenticationToken", AuthenticationError, False, False),
    (400, "MissingRequestInfo", InvalidRequestError, False, False),
    (401, "MissingSignature", AuthenticationError, False, False),
    (403, "InvalidTimestamp", ClockSkewError, False, False),
    (400, "InvalidTimestamp", ClockSkewError, False, False),
    (404, "ServiceNotFound", InvalidRequestError, False, False),
    (404, "InvalidActionOrVersion", InvalidRequestError, False, False),
    (401, "InvalidAccessKey", AuthenticationError, False, False),
    (401, "InvalidClientTokenId", AuthenticationError, False, False),
    (401, "SignatureDoesNotMatch", AuthenticationError, False, False),
    (403, "LackPolicy", PermissionDeniedError, False, False),
    (403, "AccessDenied", PermissionDeniedError, False, False),
    (500, "InternalError", ServiceFailureError, True, True),
    (502, "FailToConnect", ServiceFailureError, True, True),
    (504, "InternalServiceTimeout", ServiceFailureError, True, True),
    (400, "InvalidAuthorization", AuthenticationError, False, False),
    (400, "InvalidCredential", AuthenticationError, False, False),
    (401, "InvalidSecretToken", AuthenticationError, False, False),
    (401, "LackProjectPolicy", PermissionDeniedError, False, False),
    (403, "LackProjectPolicy", PermissionDeniedError, False, False),
    (400, "InvalidParameter", InvalidRequestError, False, False),
    (400, "InvalidParameter.DomainAlreadyExist", InvalidRequestError, False, False),
    (403, "RequestForbidden", PermissionDeniedError, False, False),
    (404, "ResourceNotFound", NotFoundError, False, False),
    (404, "ResourceNotFound.Vid", NotFoundError, False, False),
    (409, "ResourceInUse", InvalidRequestError, False, False),
    (429, "RequestLimitExceeded", ThrottledError, False, True),
    (503, "ServiceUnavailable", ServiceFailureError, False, True),
    (500, "UndefinedError", ServiceFailureError, True, True),
    (429, "FlowLimitExceeded", ThrottledError, False, True),
    (429, "AccountFlowLimitExceeded", ThrottledError, False, True),
    (503, "ServiceUnavailableTemp", ServiceFailureError, False, True),
    (405, "MethodNotAllowed", InvalidRequestError, False, False),
    (502, "InternalServiceError", ServiceFailureError, True, True),
    (404, "InvalidAction", InvalidRequestError, False, False),
    (404, "InvalidVersion", InvalidRequestError, False, False),
    (400, "InvalidDomain", InvalidRequestError, False, False),
    (400, "UnsupportedProtocol", InvalidRequestError, False, False),
    (400, "UnsupportedRegion", InvalidRequestError, False, False),
    (400, "UnsupportedOperation", InvalidRequestError, False, False),
    (403, "OperationDenied", PermissionDeniedError, False, False),
    (500, "FailedOperation", ServiceFailureError, True, True),
    (401, "Unauthorized", AuthenticationError, False, False),
    (500, "ResourceUnavailable", ServiceFailureError, True, True),
    (400, "ResourceInsufficient", InvalidRequestError, False, False),
    (400, "QuotaInsufficient", InvalidRequestError, False, False),
    (504, "ServiceTimeout", ServiceFailureError, True, True),
    (500, "Busy", ServiceFailureError, True, True),
    # unknown ones go by the HTTP status
    (401, "New", AuthenticationError, False, False),
    (403, "New", PermissionDeniedError, False, False),
    (404, "New", NotFoundError, False, False),
    (429, "New", ThrottledError, False, True),
    (500, "New", ServiceFailureError, True, True),
    (503, "New", ServiceFailureError, False, True),
    (599, "New", ServiceFailureError, True, True),
    (418, "New", InvalidRequestError, False, False),
    (200, "New", ServiceFailureError, True, True),
    # an error under HTTP 200 is an error, and where code and status disagree nothing is sure
    (200, "InvalidParameter", InvalidRequestError, False, False),
    (200, "InternalError", ServiceFailureError, True, True),
    (200, "ServiceUnavailable", ServiceFailureError, False, True),
    (500, "ServiceUnavailable", ServiceFailureError, True, True),
    (503, "InternalError", ServiceFailureError, True, True),
]


@pytest.mark.parametrize(("status", "code", "kind", "maybe", "repeat"), TABLE)
def test_every_code_has_its_class(
    status: int, code: str, kind: type[ApiError], maybe: bool, repeat: bool
) -> None:
    """A code says what to do, whether a run may exist, and whether a rerun can help."""
    error = error_of(status, code, Message="words", CodeN=100010)
    assert type(error) is kind
    assert (error.maybe_accepted, error.retryable) == (maybe, repeat)
    assert (error.code, error.code_n, error.message) == (code, 100010, "words")
    assert (error.http_status, error.request_id) == (status, "r1")
    assert error_of(status, code, READ).maybe_accepted is False


def test_the_table_is_complete() -> None:
    """No code that we know is left to its status, but for those tested as unknown."""
    tested = {code.partition(".")[0] for _, code, *_ in TABLE} - {"New"}
    assert tested == set(envelope.ERROR_CLASS_BY_CODE)


@pytest.mark.parametrize(
    ("status", "maybe", "repeat"),
    [(200, True, True), (204, True, True), (302, False, False), (400, False, False),
     (404, False, False), (429, False, True), (500, True, True), (502, True, True),
     (503, False, True), (504, True, True)],
)  # fmt: skip
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Bad Gateway</html>",
        b'{"ResponseMetadata": {"Request',
        b"[]",
        b"null",
        b'"text"',
        b'{"x": 1}',
        b'{"ResponseMetadata": null}',
        b'{"ResponseMetadata": []}',
        b'{"ResponseMetadata": {}}',
        b'{"ResponseMetadata": {}, "Result": null}',
        b'{"ResponseMetadata": {}, "Result": [1]}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
    ],
    ids=lambda body: repr(body[:30]),
)
def test_what_is_no_envelope_tells_by_its_status(
    status: int, maybe: bool, repeat: bool, body: bytes
) -> None:
    """An answer that cannot be read leaves a start open unless its status refused it."""
    error = malformed(status, body)
    assert (error.maybe_accepted, error.retryable) == (maybe, repeat)
    assert malformed(status, body, READ).maybe_accepted is False
    assert len(str(error)) < 1000


@pytest.mark.parametrize("run_id", [None, "", 7, ["lb:1"]])
@pytest.mark.parametrize("status", [200, 404, 503])
def test_a_start_without_a_run_id_may_have_been_accepted(run_id: object, status: int) -> None:
    """A success that lacks its RunId is never taken for one, nor for a refusal."""
    document = {"ResponseMetadata": {}, "Result": {"RunId": run_id}}
    error = malformed(status, document)
    assert error.maybe_accepted
    assert error.retryable


@pytest.mark.parametrize("status", [200, 201, 404, 500, 503])
def test_a_run_id_is_never_thrown_away(status: int) -> None:
    """Not the HTTP status but the envelope decides, also for a success."""
    document = {"ResponseMetadata": {}, "Result": {"RunId": "lb:1"}}
    assert opened(status, document).result["RunId"] == "lb:1"


@pytest.mark.parametrize("error", ["text", {"Code": None}, {"Code": ""}, {"Message": "m"}])
def test_an_error_without_a_code_is_still_an_error(error: object) -> None:
    """It goes by its status, and under a success it does not tell what was done."""
    document = {"ResponseMetadata": {"Error": error}, "Result": {"RunId": "lb:1"}}
    with pytest.raises(InvalidRequestError):
        opened(400, document)
    for status in (200, 500):
        with pytest.raises(ServiceFailureError) as caught:
            opened(status, document)
        assert caught.value.maybe_accepted


@pytest.mark.parametrize("error", [None, {}, [], ""])
def test_an_error_that_says_nothing_is_none(error: object) -> None:
    """A run id beside it counts; without one the answer is unreadable."""
    document = {"ResponseMetadata": {"Error": error}, "Result": {"RunId": "lb:1"}}
    assert opened(200, document).result["RunId"] == "lb:1"
    assert malformed(200, {"ResponseMetadata": {"Error": error}}).maybe_accepted


@pytest.mark.parametrize(
    ("header", "date", "seconds"),
    [
        ("7", None, 7.0),
        (" 7 ", None, 7.0),
        ("0", None, 0.0),
        ("Thu, 01 Jan 2026 00:00:30 GMT", DATE, 30.0),
        ("Wed, 31 Dec 2025 00:00:30 GMT", DATE, 0.0),
        ("Thu, 01 Jan 2026 00:00:30 GMT", None, None),
        ("Thu, 01 Jan 2026 00:00:30", DATE, None),
        ("-1", None, None),
        ("soon", DATE, None),
        ("", None, None),
        ("Thu, 01 Jan 99999999999 01:00:00 GMT", DATE, None),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(
    header: str, date: str | None, seconds: float | None
) -> None:
    """A date counts from the answer's own, since only that clock is known to agree."""
    headers = {"retry-after": header} | ({"date": date} if date else {})
    error = error_of(429, "RequestLimitExceeded", headers=headers)
    assert error.retry_after == seconds
    assert ("Retry-After" in str(error)) is (seconds is not None)


@pytest.mark.parametrize(
    "date", ["", "now", "Thu, 01 Jan 2026 00:00:00", "Thu, 01 Jan 2026 01:00:00 +99999999999"]
)
def test_a_date_that_is_none_is_not_passed_on(date: str) -> None:
    """Whoever reads the service's time can rely on its form: it must not fail after a start."""
    assert error_of(500, "InternalError", headers={"date": date}).server_date is None
    document = {"ResponseMetadata": {}, "Result": {"RunId": "lb:1"}}
    assert opened(200, document, headers={"date": date}).server_date is None


def test_little_of_a_body_is_shown() -> None:
    """A page of HTML or a long message is cut and kept printable."""
    page = malformed(502, b"<html>\x1b[31m\r\n" + b"x" * 100_000)
    assert len(page.summary) < 300
    assert page.summary.isprintable()
    words = error_of(400, "C" * 10_000, Message="m\n\x1b" * 10_000)
    assert len(words.summary) < 1000
    assert words.summary.isprintable()


def test_an_endless_body_is_refused() -> None:
    """More than any result can be is not parsed."""
    body = json.dumps({"ResponseMetadata": {}, "Result": {"RunId": "lb:1"}}).encode()
    error = malformed(200, body + b" " * envelope.MAX_BODY_BYTES)
    assert "bytes" in error.summary
    assert error.maybe_accepted


def test_the_advice_follows_the_fate() -> None:
    """The text of an error says first whether a run may have started, then what to do."""
    assert "\nA run may exist." in str(error_of(500, "InternalError"))
    assert "\nNo run was started." in str(error_of(400, "InvalidParameter"))
    assert "A retry alone does not help." in str(error_of(400, "InvalidParameter"))
    assert "\nhint: run the same update again" in str(error_of(503, "ServiceUnavailable"))
    assert "\nNo run was started or lost." in str(error_of(404, "ResourceNotFound", READ))
    assert "vod:requestsPerSecond" in str(error_of(429, "RequestLimitExceeded"))
    assert "clock" in str(error_of(403, "InvalidTimestamp"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["ResponseMetadata", "Error", "Result", "RunId", "Code", "RequestId"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    body=st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()),
    status=st.integers(100, 599),
    operation=st.sampled_from([START, READ]),
    headers=st.dictionaries(st.sampled_from(["date", "retry-after"]), st.text(max_size=40)),
)
def test_anything_is_an_answer_or_one_of_our_errors(
    body: bytes, status: int, operation: str, headers: dict[str, str]
) -> None:
    """Whatever comes, no other exception does, and a start's success has its id."""
    try:
        answer = parse_response(operation, status, headers, body)
    except VodWorkflowError:
        return
    assert operation == READ or answer.result["RunId"]
