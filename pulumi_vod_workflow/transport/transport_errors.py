"""The classification of httpx's errors: whether the request may have been sent."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Final

import httpx

from pulumi_vod_workflow.errors import (
    CallError,
)


def with_outcome(error: CallError, *, maybe_accepted: bool) -> CallError:
    """Return a call's last error with the outcome of all its attempts."""
    error.maybe_accepted = maybe_accepted
    return error


def classify_transport_error(error: Exception) -> tuple[str, bool, bool]:
    """Return the cause, whether the request may have been sent, and whether a retry can help."""
    if isinstance(error, httpx.ProxyError):
        status = str(error)[:3]  # httpx puts the proxy's HTTP status first
        if status.isdigit():
            return f"the proxy refused (HTTP {status})", False, status.startswith("5")
        return "the proxy refused", False, True
    found = tuple(causes(error)) if isinstance(error, httpx.ConnectError) else (error,)
    for kind, (what, retryable) in _NOT_SENT.items():
        if any(isinstance(cause, kind) for cause in found):
            return what, False, retryable
    if isinstance(error, (httpx.TimeoutException, TimeoutError)):
        return "no answer in time", True, True
    return f"the connection broke before an answer ({type(error).__name__})", True, True


_NOT_SENT: Final[Mapping[type[Exception], tuple[str, bool]]] = {
    socket.gaierror: ("the name is not found (DNS): check {check}", True),
    ssl.SSLCertVerificationError: (
        "TLS failed: the certificate is not trusted (add its issuer to SSL_CERT_FILE)",
        False,
    ),
    ssl.SSLEOFError: ("the connection was closed while TLS began", True),
    ssl.SSLZeroReturnError: ("the connection was closed while TLS began", True),
    ssl.SSLError: ("TLS failed: the answer is not valid TLS; check {check}", False),
    ConnectionRefusedError: ("connection refused: no server at this address; check {check}", True),
    httpx.ConnectTimeout: ("no connection in time; check {check}", True),
    httpx.ConnectError: ("no connection: the host or the network cannot be reached", True),
    httpx.UnsupportedProtocol: ("not an HTTP endpoint: check {check}", False),
    httpx.LocalProtocolError: ("the request breaks HTTP: check the credentials", False),
    UnicodeEncodeError: ("a header is not encodable: check the credentials", False),
}
"""Error before the send -> its cause, and whether a retry can help. The closest cause is first."""


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and all its causes."""
    # anyio raises a group if the connections to several addresses fail.
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for part in error.exceptions:
                yield from causes(part)
        error = error.__cause__ or error.__context__
