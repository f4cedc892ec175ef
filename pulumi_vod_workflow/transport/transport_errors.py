"""httpx's errors: could the service have received the request?"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Final

from pulumi_vod_workflow._httpx import httpx
from pulumi_vod_workflow.errors import (
    CallError,
)


def with_outcome(error: CallError, *, maybe_accepted: bool) -> CallError:
    """Return a call's last error, which tells of all its attempts."""
    error.maybe_accepted = maybe_accepted
    return error


def classify_transport_error(error: Exception) -> tuple[str, bool, bool]:
    """Say what happened, whether the request may have been sent, and whether a repeat can help."""
    if isinstance(error, httpx.ProxyError):
        status = str(error)[:3]  # of an HTTP proxy's answer
        if status.isdigit():
            return f"the proxy refused (HTTP {status})", False, status.startswith("5")
        return "the proxy refused", False, True
    causes = tuple(_causes(error)) if isinstance(error, httpx.ConnectError) else (error,)
    for kind, (what, retryable) in _NOT_SENT.items():
        if any(isinstance(cause, kind) for cause in causes):
            return what, False, retryable
    if isinstance(error, (httpx.TimeoutException, TimeoutError)):
        return "no answer in time", True, True
    return f"the connection broke before an answer came ({type(error).__name__})", True, True


_NOT_SENT: Final[Mapping[type[Exception], tuple[str, bool]]] = {
    socket.gaierror: ("its name is not found (DNS): check {check}", True),
    ssl.SSLCertVerificationError: (
        "TLS failed: its certificate is not trusted (SSL_CERT_FILE names what is)",
        False,
    ),
    ssl.SSLEOFError: ("the connection was closed while TLS began", True),
    ssl.SSLZeroReturnError: ("the connection was closed while TLS began", True),
    ssl.SSLError: ("TLS failed: it does not speak TLS as it should; check {check}", False),
    ConnectionRefusedError: ("connection refused: nothing listens there; check {check}", True),
    httpx.ConnectTimeout: ("no connection in time; check {check}", True),
    httpx.ConnectError: ("no connection: the host or the network cannot be reached", True),
    httpx.UnsupportedProtocol: ("it is no HTTP endpoint: check {check}", False),
    httpx.LocalProtocolError: ("the request breaks HTTP: check the credentials", False),
    UnicodeEncodeError: ("the request cannot be spelled: check the credentials", False),
}
"""What kept a request from being sent, the closest cause first, and whether it may pass."""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and all that led to it: connecting to several addresses fails as a group."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for part in error.exceptions:
                yield from _causes(part)
        error = error.__cause__ or error.__context__
