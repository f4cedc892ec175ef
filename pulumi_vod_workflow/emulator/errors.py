"""The service's errors: Code, CodeN, HTTP status and message (facts 5 and 8; the page's table)."""

from __future__ import annotations

from typing import Final

TABLE: Final[dict[str, tuple[int | None, int, str]]] = {
    "MissingParameter": (100002, 400, "The request is missing {} parameter."),
    "MissingAuthenticationToken": (
        100003,
        401,
        "Request is missing Authentication Token.",
    ),
    "MissingRequestInfo": (100004, 400, "The request is missing {} information."),
    "MissingSignature": (100005, 401, "The request is missing signature."),
    "InvalidTimestamp": (100006, 403, "The Signature of the request is expired."),
    "ServiceNotFound": (100007, 404, "This service[{}] not found."),
    "InvalidActionOrVersion": (100008, 404, "Could not find operation {} for version {}."),
    "InvalidAccessKey": (
        100009,
        401,
        "The accesskey [{}] included in the request is invalid.",
    ),
    "InvalidClientTokenId": (
        None,
        401,
        "The accesskey [{}] included in the request is invalid.",
    ),
    "SignatureDoesNotMatch": (
        100010,
        401,
        (
            "The request signature we calculated does not match the signature you provided. "
            "Check your Secret Access Key and signing method. "
            "Consult the service documentation for details."
        ),
    ),
    "LackProjectPolicy": (None, 403, "Request was rejected because of lack of project policy."),
    "LackPolicy": (100012, 403, "Request was rejected because of lack of policy."),
    "AccessDenied": (
        100013,
        403,
        "User is not authorized to perform: {} on resource: {}.",
    ),
    "InternalError": (100014, 500, "Service has some internal Error. Pls Contact With Admin."),
    "FailToConnect": (100015, 502, "Top Fail to Connect to Internal Service."),
    "InternalServiceTimeout": (
        100016,
        504,
        "Internal Service is timeout. Pls Contact With Admin.",
    ),
    "InvalidAuthorization": (None, 400, "Invalid authorization: {}."),
    "InvalidCredential": (None, 400, "Invalid credential: {}."),
    "InvalidSecretToken": (None, 401, "Invalid secret token, msg: {}."),
    "MethodNotAllowed": (None, 405, "Method {} is not allowed."),
    "InvalidParameter": (None, 400, "Invalid parameter: {}"),
    "ResourceNotFound": (None, 404, "ID 找不到: {}"),
    "RequestLimitExceeded": (None, 429, "请求超过上限: {} requests per second."),
    "InvalidAction": (None, 404, "Invalid action: {}"),
    "InvalidVersion": (None, 404, "Invalid version: {}"),
    "InvalidDomain": (None, 400, "Invalid domain: {}"),
    "UnsupportedProtocol": (None, 400, "Unsupported protocol: {}"),
    "UnsupportedRegion": (None, 400, "Unsupported region: {}"),
    "Unauthorized": (None, 401, "Unauthorized: {}"),
    "FlowLimitExceeded": (None, 429, "Flow limit exceeded."),
    "AccountFlowLimitExceeded": (None, 429, "Account flow limit exceeded."),
    "UndefinedError": (None, 500, "Undefined error."),
    "InternalServiceError": (None, 502, "Internal service error."),
    "ServiceUnavailableTemp": (None, 503, "Service is unavailable for a while."),
    "RequestForbidden": (None, 403, "请求被禁止"),
    "ResourceInUse": (None, 409, "ID 正在被使用"),
    "ServiceUnavailable": (None, 503, "服务不可用"),
}


class ServiceError(Exception):
    """An error response of the service."""

    def __init__(
        self,
        code: str,
        *details: str,
        status: int | None = None,
        message: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        # InvalidParameter.DomainAlreadyExist is an InvalidParameter (facts 8)
        number, default_status, text = TABLE.get(code.partition(".")[0], (None, 500, "{}"))
        super().__init__(code)
        self.code = code
        self.number = number
        self.status = status or default_status
        # A fault has no details, so the code fills the places of the message.
        self.message = message if message is not None else text.format(*details, code, code)
        self.headers = headers or {}
