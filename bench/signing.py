"""The signature of a start, beside the official SDK's signer for the same request."""

from __future__ import annotations

import timeit
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from volcengine.auth.SignerV4 import SignerV4
from volcengine.base.Request import Request
from volcengine.Credentials import Credentials as OfficialCredentials

from bench.report import Figure, Measured, say
from bench.servers import KEYS
from pulumi_vod_workflow.core.operations import start_workflow
from pulumi_vod_workflow.core.signing import canonical_query, sign

HOST: Final = "vod.volcengineapi.com"
REGION: Final = "cn-north-1"
TIMES: Final = 2000
ROUNDS: Final = 15
BAR: Final = 0.5
START: Final[dict[str, Any]] = {
    "vid": "v0d399g10001csunlgaljhtddi6hgvn0",
    "templateId": "a378f66a5bc2495eb55fc14ac109625f",
    "input": {
        "overrideParams": {
            "snapshot": [
                {
                    "templateId": ["94c8d47c4c39440b8e6b4e0ce7a96776"],
                    "fileName": "{{fileTitle}}_{{templateId}}",
                }
            ]
        }
    },
}
"""The third example of the service's page."""


def measure(_: Path) -> Measured:
    """Measure both in alternating rounds; the shortest time of each counts."""
    request = start_workflow(START, f"pvw1-{'0' * 48}")

    official = Request()
    official.set_method("GET")
    official.set_host(HOST)
    official.set_path("/")
    official.set_headers({"Host": HOST})
    official.set_query(dict(request.query))
    keys = OfficialCredentials(KEYS.access_key, KEYS.secret_key, "vod", REGION)

    def ours() -> str:
        signature = sign(
            request.method,
            host=HOST,
            path="/",
            query=canonical_query(request.query),
            body=b"",
            content_type=None,
            credentials=KEYS,
            region=REGION,
            at=datetime.now(UTC),
        )
        return signature.headers["authorization"]

    def theirs() -> str:
        SignerV4.sign(official, keys)
        return str(official.headers["Authorization"])

    say(f"signing: {TIMES} starts, {ROUNDS} times each")
    pairs = [
        (timeit.timeit(ours, number=TIMES), timeit.timeit(theirs, number=TIMES))
        for _ in range(ROUNDS)
    ]
    # A signature has its second: of several tries, one has both in the same second.
    assert any(ours() == theirs() for _ in range(5)), "not the same signature"
    mine, other = (min(column) / TIMES * 1e6 for column in zip(*pairs, strict=True))
    return Measured([Figure("sign a start", mine, "us", other, "us, official SDK", at_most=BAR)])
