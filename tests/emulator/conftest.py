"""A signer of the tests' own, so that the emulator's is not tested with itself."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from pulumi_vod_workflow.emulator import VodEmulator

VERSIONS = {
    "StartWorkflow": "2020-08-01",
    "GetWorkflowExecution": "2020-08-01",
    "GetWorkflowExecutionResult": "2022-12-01",
    "GetWorkflowTemplate": "2023-07-01",
    "ListWorkflowTemplate": "2023-07-01",
    "GetMediaInfos": "2022-12-01",
}
Call = Callable[..., httpx.Response]


def send(
    url: str,
    action: str,
    query: dict[str, str] | None = None,
    *,
    document: dict[str, Any] | None = None,
    raw: bytes = b"",
    content_type: str = "application/json",
    access_key: str = "AKLTEMULATOR",
    secret_key: str = "emulator-secret-key",
    token: str | None = None,
    moment: str | None = None,
    service: str = "vod",
    version: str | None = None,
    method: str | None = None,
    plus: bool = False,
    change: Callable[[dict[str, str]], Any] = lambda _: None,
) -> httpx.Response:
    """Sign as the documents say, let `change` spoil the headers, and send."""
    body = json.dumps(document).encode() if document is not None else raw
    method = method or ("POST" if body else "GET")
    pairs = {"Action": action, "Version": version or VERSIONS.get(action, "2020-08-01")}
    pairs |= query or {}
    text = "&".join(
        f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in sorted(pairs.items())
    )
    x_date = moment or datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{x_date[:8]}/cn-north-1/{service}/request"
    headers = {
        "host": url.removeprefix("http://"),
        "x-content-sha256": hashlib.sha256(body).hexdigest(),
        "x-date": x_date,
    }
    if token:
        headers["x-security-token"] = token
    names = sorted(headers)
    lines = "".join(f"{name}:{headers[name]}\n" for name in names)
    canonical = "\n".join((method, "/", text, lines, ";".join(names), headers["x-content-sha256"]))
    key = secret_key.encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    to_sign = f"HMAC-SHA256\n{x_date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (
        f"HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={';'.join(names)}, "
        f"Signature={signature}"
    )
    if body:
        headers["content-type"] = content_type
    change(headers)
    sent = text.replace("%20", "+") if plus else text
    coded = {name.encode(): value.encode() for name, value in headers.items()}
    where = f"{url}/?{sent}"
    # No TLS here, and to load the certificates of all authorities takes 25 ms.
    return httpx.request(method, where, content=body, headers=coded, timeout=20, verify=False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(item.path).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.vod_emulator(rate_limit=0))


@pytest.fixture
def emulator(vod_emulator: VodEmulator) -> VodEmulator:
    return vod_emulator


@pytest.fixture
def call(emulator: VodEmulator) -> Call:
    return lambda *args, **kw: send(kw.pop("url", emulator.url), *args, **kw)
