"""
A second, independent reading of the signature rules (facts 5).

Clients sign different headers, so the emulator verifies exactly the headers in SignedHeaders, which
must list x-date. A sent `X-Content-Sha256` must be the hash of the body. A signature is valid for
900 s, or for its X-Expires, and may be 900 s early. In a presigned request (X-SignedQueries) the
signature must cover every parameter that has an effect. Such a request must not have a body.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import quote

from pulumi_vod_workflow.emulator.errors import ServiceError

MAX_CLOCK_SKEW = timedelta(seconds=900)
MAX_EXPIRES_SECONDS = 7 * 86400
"""The highest X-Expires, in seconds."""
SERVICE = "vod"


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of the emulator's only account."""

    access_key: str
    secret_key: str
    session_token: str | None = None
    region: str | None = None
    """The only region that signatures may have; `None` accepts any."""


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A received request: query pairs decoded and in order, header names in lower case."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes


def verify_signature(request: SignedRequest, keys: Keys, moments: Sequence[datetime]) -> str:
    """
    Check the signature by any of the given times, and return its region.

    Raises:
        ServiceError: the signature is invalid; the code is that of the gateway.

    """
    in_query = dict(request.query)
    if "X-Signature" in in_query:
        return _verify_presigned(request, in_query, keys, moments)
    authorization = request.headers.get("authorization")
    if not authorization:
        raise ServiceError("MissingAuthenticationToken")
    algorithm, _, fields = authorization.partition(" ")
    parts = {
        name.strip(): value.strip()
        for name, _, value in (part.partition("=") for part in fields.split(","))
    }
    if algorithm != "HMAC-SHA256":
        raise ServiceError("InvalidAuthorization", "the algorithm must be HMAC-SHA256")
    if not parts.get("Signature"):
        raise ServiceError("MissingSignature")
    names = parts.get("SignedHeaders", "").split(";")
    x_date = request.headers.get("x-date")
    if not x_date or "x-date" not in names:
        raise ServiceError("MissingRequestInfo", "X-Date")
    body_hash = hashlib.sha256(request.body).hexdigest()
    if request.headers.get("x-content-sha256", body_hash) != body_hash:
        raise ServiceError("SignatureDoesNotMatch")
    scope = _check_credential(parts.get("Credential", ""), keys)
    expires = request.headers.get("x-expires") if "x-expires" in names else None
    _check_time(x_date, expires or in_query.get("X-Expires"), scope, moments)
    _check_session_token(request.headers.get("x-security-token"), keys)
    if names != sorted(names) or any(name not in request.headers for name in names):
        raise ServiceError("SignatureDoesNotMatch")
    lines = "".join(f"{name}:{request.headers[name].strip()}\n" for name in names)
    canonical = "\n".join(
        (
            request.method,
            request.path,
            _canonical_query(request.query),
            lines,
            ";".join(names),
            body_hash,
        )
    )
    _check_signature([canonical], scope, x_date, keys, parts["Signature"])
    return scope.split("/")[1]


def _verify_presigned(
    request: SignedRequest, in_query: Mapping[str, str], keys: Keys, moments: Sequence[datetime]
) -> str:
    x_date = in_query.get("X-Date")
    if not x_date:
        raise ServiceError("MissingRequestInfo", "X-Date")
    scope = _check_credential(in_query.get("X-Credential", ""), keys)
    _check_time(x_date, in_query.get("X-Expires"), scope, moments)
    _check_session_token(in_query.get("X-Security-Token"), keys)
    listed = set(filter(None, in_query.get("X-SignedQueries", "").split(";")))
    sent = {name for name, _ in request.query} - {"X-Signature"}
    # Official clients disagree whether a signature covers these two (facts 5), so both are valid.
    loose = {"X-Security-Token", "X-SignedQueries"}
    if request.body or not (sent - loose <= (listed or sent)):
        raise ServiceError("SignatureDoesNotMatch")
    headers = [name for name in in_query.get("X-SignedHeaders", "").split(";") if name]
    lines = "".join(f"{name}:{request.headers.get(name, '').strip()}\n" for name in headers)
    empty = hashlib.sha256(b"").hexdigest()
    canonicals = []
    for more in (set(), {"X-Security-Token"}, {"X-SignedQueries"}, loose):
        covered = (listed | more) if listed else sent - more
        query = _canonical_query(
            [pair for pair in request.query if pair[0] in covered - {"X-Signature"}]
        )
        # With no signed headers, official clients put one more line end than the header form would.
        parts = (request.method, request.path, query, lines or "\n", ";".join(headers), empty)
        canonicals.append("\n".join(parts))
    _check_signature(canonicals, scope, x_date, keys, in_query["X-Signature"])
    return scope.split("/")[1]


def _check_credential(credential: str, keys: Keys) -> str:
    access_key, _, scope = credential.partition("/")
    parts = scope.split("/")
    if len(parts) != 4 or parts[3] != "request":
        raise ServiceError("InvalidCredential", "must be AccessKey/date/region/service/request")
    if access_key != keys.access_key:
        raise ServiceError("InvalidAccessKey", access_key)
    if parts[2] != SERVICE:
        raise ServiceError("ServiceNotFound", parts[2])
    if keys.region not in {None, parts[1]}:
        raise ServiceError("InvalidCredential", f"this endpoint is of {keys.region}")
    return scope


def _check_time(x_date: str, expires: str | None, scope: str, moments: Sequence[datetime]) -> None:
    try:
        signed = datetime.strptime(x_date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise ServiceError("InvalidTimestamp") from None
    good_for = MAX_CLOCK_SKEW
    if expires:
        if not re.fullmatch("[0-9]{1,6}", expires) or not 0 < int(expires) <= MAX_EXPIRES_SECONDS:
            raise ServiceError("InvalidTimestamp")
        good_for = timedelta(seconds=int(expires))
    if not any(-MAX_CLOCK_SKEW <= now - signed <= good_for for now in moments):
        raise ServiceError("InvalidTimestamp")
    if scope.partition("/")[0] != x_date[:8]:
        raise ServiceError("InvalidCredential", "its date is not that of X-Date")


def _check_session_token(sent: str | None, keys: Keys) -> None:
    if (sent or None) != keys.session_token:  # the Go SDK sends an empty token for none
        raise ServiceError("InvalidSecretToken", "the session token is wrong, expired or missing")


def _canonical_query(pairs: list[tuple[str, str]]) -> str:
    ordered = sorted(pairs, key=lambda pair: pair[0])
    return "&".join(f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in ordered)


@lru_cache(maxsize=64)
def _signing_key(secret_key: str, scope: str) -> bytes:
    key = secret_key.encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _check_signature(
    canonicals: Sequence[str], scope: str, x_date: str, keys: Keys, sent: str
) -> None:
    key = _signing_key(keys.secret_key, scope)
    for canonical in canonicals:
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"HMAC-SHA256\n{x_date}\n{scope}\n{hashed}"
        expected = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        if hmac.compare_digest(expected.encode(), sent.encode()):
            return
    raise ServiceError("SignatureDoesNotMatch")
