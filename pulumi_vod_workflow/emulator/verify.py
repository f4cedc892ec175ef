"""
A second reading of the signature rules (facts 5), on its own.

Clients differ in what they sign, so exactly what SignedHeaders lists is verified, as it was sent;
x-date must be among it. `X-Content-Sha256`, if sent, must be the body's hash. The time window is
900 s each way on the real clock: the emulator's own clock may be moved without breaking signers.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import quote

from pulumi_vod_workflow.emulator.errors import Refusal

WINDOW = timedelta(seconds=900)
SERVICE = "vod"


@dataclass(frozen=True, slots=True)
class Keys:
    """The one account that the emulator knows."""

    access_key: str
    secret_key: str
    session_token: str | None = None
    region: str | None = None
    """The only region that signatures may be for; `None` takes any."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What was received: query pairs decoded and in order, header names in lower case."""

    method: str
    path: str
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: bytes


def verify(request: Signed, keys: Keys, now: datetime) -> str:
    """
    Check the signature and return the region it was made for.

    Raises:
        Refusal: with the gateway's code for what is wrong.

    """
    in_query = dict(request.query)
    if "X-Signature" in in_query:
        return _verify_query(request, in_query, keys, now)
    authorization = request.headers.get("authorization")
    if not authorization:
        raise Refusal("MissingAuthenticationToken")
    algorithm, _, rest = authorization.partition(" ")
    parts = {
        name.strip(): value.strip()
        for name, _, value in (part.partition("=") for part in rest.split(","))
    }
    if algorithm != "HMAC-SHA256":
        raise Refusal("InvalidAuthorization", "the algorithm must be HMAC-SHA256")
    if not parts.get("Signature"):
        raise Refusal("MissingSignature")
    names = parts.get("SignedHeaders", "").split(";")
    x_date = request.headers.get("x-date")
    if not x_date or "x-date" not in names:
        raise Refusal("MissingRequestInfo", "X-Date")
    body_hash = hashlib.sha256(request.body).hexdigest()
    if request.headers.get("x-content-sha256", body_hash) != body_hash:
        raise Refusal("SignatureDoesNotMatch")
    scope = _scope(parts.get("Credential", ""), x_date, keys, now)
    _token(request.headers.get("x-security-token"), keys)
    missing = [name for name in names if name not in request.headers]
    if missing:
        raise Refusal("SignatureDoesNotMatch")
    lines = "".join(f"{name}:{request.headers[name].strip()}\n" for name in names)
    canonical = "\n".join(
        (request.method, request.path, _query(request.query), lines, ";".join(names), body_hash)
    )
    _compare(canonical, scope, x_date, keys, parts["Signature"])
    return scope.split("/")[1]


def _verify_query(request: Signed, in_query: Mapping[str, str], keys: Keys, now: datetime) -> str:
    x_date = in_query.get("X-Date")
    if not x_date:
        raise Refusal("MissingRequestInfo", "X-Date")
    scope = _scope(in_query.get("X-Credential", ""), x_date, keys, now)
    _token(in_query.get("X-Security-Token"), keys)
    # Everything is hashed but the signature, so that nothing unsigned is obeyed. The token counts
    # only where X-SignedQueries lists it: official clients disagree (facts 5).
    left_out = {"X-Signature"}
    if "X-Security-Token" not in in_query.get("X-SignedQueries", "").split(";"):
        left_out.add("X-Security-Token")
    signed = [(name, value) for name, value in request.query if name not in left_out]
    headers = [name for name in in_query.get("X-SignedHeaders", "").split(";") if name]
    lines = "".join(f"{name}:{request.headers.get(name, '').strip()}\n" for name in headers)
    empty = hashlib.sha256(b"").hexdigest()
    # With no signed headers, official clients put one more line end than the header form would.
    canonical = "\n".join(
        (request.method, request.path, _query(signed), lines or "\n", ";".join(headers), empty)
    )
    _compare(canonical, scope, x_date, keys, in_query["X-Signature"])
    return scope.split("/")[1]


def _scope(credential: str, x_date: str, keys: Keys, now: datetime) -> str:
    access_key, _, scope = credential.partition("/")
    parts = scope.split("/")
    if len(parts) != 4 or parts[3] != "request":
        raise Refusal("InvalidCredential", "must be AccessKey/date/region/service/request")
    if access_key != keys.access_key:
        raise Refusal("InvalidAccessKey", access_key)
    if parts[2] != SERVICE:
        raise Refusal("ServiceNotFound", parts[2])
    if keys.region not in {None, parts[1]}:
        raise Refusal("InvalidCredential", f"this endpoint is of {keys.region}")
    try:
        moment = datetime.strptime(x_date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise Refusal("InvalidTimestamp") from None
    if abs(now - moment) > WINDOW:
        raise Refusal("InvalidTimestamp")
    if parts[0] != x_date[:8]:
        raise Refusal("InvalidCredential", "its date is not that of X-Date")
    return scope


def _token(sent: str | None, keys: Keys) -> None:
    if sent != keys.session_token:
        raise Refusal("InvalidSecretToken", "the session token is wrong, expired or missing")


def _query(pairs: list[tuple[str, str]]) -> str:
    ordered = sorted(pairs, key=lambda pair: pair[0])
    return "&".join(f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in ordered)


@lru_cache(maxsize=64)
def _key(secret_key: str, scope: str) -> bytes:
    key = secret_key.encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _compare(canonical: str, scope: str, x_date: str, keys: Keys, sent: str) -> None:
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"HMAC-SHA256\n{x_date}\n{scope}\n{hashed}"
    expected = hmac.new(_key(keys.secret_key, scope), text.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), sent.encode()):
        raise Refusal("SignatureDoesNotMatch")
