"""
Request, credentials and time become a signature, in three visible stages.

Source: facts 5. The canonical query is also the query that is sent, so what is signed is what is
sent.
"""

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


@dataclass(frozen=True, slots=True)
class Credentials:
    """One key triple; its secrets are not in its repr."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Signature:
    """The stages, kept so that a mismatch explains itself, and the headers to send."""

    canonical_request: str
    string_to_sign: str
    headers: Mapping[str, str] = field(repr=False)


def canonical_query(parameters: Iterable[tuple[str, str]]) -> str:
    """Encode by RFC 3986 and sort by name; repeated names keep their order."""
    ordered = sorted(parameters, key=itemgetter(0))
    return "&".join(f"{_name(name)}={_encoded(value)}" for name, value in ordered)


_UNRESERVED: Final = re.compile("[A-Za-z0-9._~-]*")


def _encoded(text: str) -> str:
    return text if _UNRESERVED.fullmatch(text) else quote(text, safe="-_.~")


_name = lru_cache(maxsize=64)(_encoded)  # there are few


def canonical_request(
    method: str, path: str, query: str, headers: Mapping[str, str], body_hash: str
) -> str:
    """First stage: the request, spelled one way; `headers` are the signed ones."""
    ordered = sorted((name.lower(), value.strip()) for name, value in headers.items())
    lines = "".join(f"{name}:{value}\n" for name, value in ordered)
    names = ";".join(name for name, _ in ordered)
    return f"{method}\n{path}\n{query}\n{lines}\n{names}\n{body_hash}"


def string_to_sign(request: str, scope: str, x_date: str) -> str:
    """Second stage: what the key signs."""
    return "\n".join((ALGORITHM, x_date, scope, _sha256(request.encode())))


def signature(text: str, secret_key: str, scope: str) -> str:
    """Third stage: the signature in hex."""
    return _hmac(_signing_key(secret_key, scope), text).hex()


@lru_cache(maxsize=8)
def _signing_key(secret_key: str, scope: str) -> bytes:
    """Derive the key of a day and region: the same for all of its requests."""
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
    Sign a request as the official SDK does.

    `host` carries its port unless that is 80 or 443; `path` is encoded, as it is sent; `query` is
    already canonical.

    Raises:
        ValueError: when `at` does not say in which zone it is.

    """
    if at.tzinfo is None:
        raise ValueError("a signature needs an aware time")
    moment = at.astimezone(UTC).isoformat()[:19]  # a third of strftime's time
    x_date = moment.replace("-", "").replace(":", "") + "Z"
    body_hash = _sha256(body)
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
