"""
The derivation of the ClientToken, which makes a repeated start the same start.

The token is a pure function of the declaring resource, the start inputs and the triggers. It does
not depend on credentials, endpoint, time or any version.
"""

# A release that changes a token would start every run again, paid: golden values in
# tests/core/test_client_token.py never change.

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from pulumi_vod_workflow.core.canonical import canonical_json
from pulumi_vod_workflow.core.request import request_fields
from pulumi_vod_workflow.core.values import is_known

TOKEN_PREFIX: Final = "pvw1-"  # noqa: S105 - not a password
"""The version of the derivation."""


def rerun_token(token: str, run_id: str) -> str:
    """Return the ClientToken of a rerun that has the inputs of a recorded run."""
    material = {"clientToken": token, "rerunOf": run_id}
    return TOKEN_PREFIX + hashlib.sha256(canonical_json(material)).hexdigest()[:48]


def client_token(properties: Mapping[str, Any]) -> str | None:
    """
    Return the ClientToken of `properties` in state spelling; `None` if a part is unknown.

    The token has 53 printable ASCII characters. 192 bits of a SHA-256 are in it.
    """
    # vod-api-facts 4: the page allows 64 characters. Scope is in the hash because two resources
    # with the same inputs are two runs.
    material = {
        "scope": properties.get("scope") or {},
        "start": request_fields(properties),
        "triggers": properties.get("triggers") or {},
    }
    if not is_known(material):
        return None
    return TOKEN_PREFIX + hashlib.sha256(canonical_json(material)).hexdigest()[:48]
