"""The signature of a request, in three stages. Source: vod-api-facts 5."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from typing import Final
from urllib.parse import quote

ALGORITHM: Final = "HMAC-SHA256"
SERVICE: Final = "vod"
"""The service's name in the scope of a signature."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key, its secret key and an optional session token."""

    access_key: str
    # Promise 3: a repr in a log or traceback must not contain a secret.
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Signature:
    """The stages of a signature, and the headers to send."""

    # A caller compares the stages with the service's after SignatureDoesNotMatch.
    canonical_request: str
    string_to_sign: str
    headers: Mapping[str, str] = field(repr=False)


def canonical_query(parameters: Iterable[tuple[str, str]]) -> str:
    """Return the query, encoded by RFC 3986 and sorted by name; repeated names keep their order."""
    # The client sends this query, too: the service verifies the bytes that it receives.
    ordered = sorted(parameters, key=itemgetter(0))
    return "&".join(f"{_encode_name(name)}={_percent_encode(value)}" for name, value in ordered)


_UNRESERVED: Final = re.compile("[A-Za-z0-9._~-]*")


def _percent_encode(text: str) -> str:
    return text if _UNRESERVED.fullmatch(text) else quote(text, safe="-_.~")


_encode_name = lru_cache(maxsize=64)(_percent_encode)  # the calls have fewer than 64 names


def canonical_request(
    method: str, path: str, query: str, headers: Mapping[str, str], body_hash: str
) -> str:
    """Return the first stage: the request in canonical form. `headers` are the signed headers."""
    ordered = sorted((name.lower(), value.strip()) for name, value in headers.items())
    lines = "".join(f"{name}:{value}\n" for name, value in ordered)
    names = ";".join(name for name, _ in ordered)
    return f"{method}\n{path}\n{query}\n{lines}\n{names}\n{body_hash}"


def string_to_sign(request: str, scope: str, x_date: str) -> str:
    """Return the second stage: the text that the key signs."""
    return "\n".join((ALGORITHM, x_date, scope, _sha256(request.encode())))


def signature(text: str, secret_key: str, scope: str) -> str:
    """Return the third stage: the signature in hexadecimal digits."""
    return _hmac(_signing_key(secret_key, scope), text).hex()


@lru_cache(maxsize=8)
def _signing_key(secret_key: str, scope: str) -> bytes:
    """Return the key of a scope: the same for all requests of a day and region."""
    key = secret_key.encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    return key


def sign(
    method: str,
    *,
    host: str,
    path: str,
    query: str,
    body: bytes,
    content_type: str | None,
    credentials: Credentials,
    region: str,
    at: datetime,
    service: str = SERVICE,
) -> Signature:
    """
    Return the signature of a request.

    Args:
        method: the HTTP method.
        host: the host, with its port unless the port is 80 or 443.
        path: the encoded path.
        query: the canonical query.
        body: the bytes to send.
        content_type: the type of the body, if it has one.
        credentials: the keys.
        region: the region in the scope.
        at: the time of the signature.
        service: the service in the scope.

    Raises:
        ValueError: when `at` has no time zone.

    """
    if at.tzinfo is None:
        raise ValueError("a signature needs an aware time")
    moment = at.astimezone(UTC).isoformat()[:19]  # a third of strftime's time
    x_date = moment.replace("-", "").replace(":", "") + "Z"
    body_hash = _sha256(body)
    # vod-api-facts 5: the service verifies exactly the headers that SignedHeaders lists.
    signed = {"host": host, "x-content-sha256": body_hash, "x-date": x_date}
    if content_type is not None:
        signed["content-type"] = content_type
    if credentials.session_token:
        signed["x-security-token"] = credentials.session_token
    scope = f"{x_date[:8]}/{region}/{service}/request"
    request = canonical_request(method, path or "/", query, signed, body_hash)
    text = string_to_sign(request, scope, x_date)
    names = ";".join(sorted(signed))
    value = signature(text, credentials.secret_key, scope)
    authorization = (
        f"{ALGORITHM} Credential={credentials.access_key}/{scope}, "
        f"SignedHeaders={names}, Signature={value}"
    )
    return Signature(request, text, {**signed, "authorization": authorization})


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
