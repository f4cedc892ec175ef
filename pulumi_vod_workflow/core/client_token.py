"""
The ClientToken: what makes a repeated start the same start.

A pure function of who declares the run (project, stack, resource), what is sent, and the triggers;
not of credentials, endpoint, time, or any version. Pinned by golden values in the tests: a release
that changes a token would start, and bill, every run again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from pulumi_vod_workflow.core.canonical import canonical_json
from pulumi_vod_workflow.core.request import request_fields
from pulumi_vod_workflow.core.values import is_known

TOKEN_PREFIX: Final = "pvw1-"  # noqa: S105 - not a password
"""Version of the derivation."""


def client_token(properties: Mapping[str, Any]) -> str | None:
    """
    Derive the ClientToken of spelled `properties`; `None` while anything in it is unknown.

    53 printable ASCII characters of the 64 that the page allows; 192 bits of a SHA-256.
    """
    material = {
        "scope": properties.get("scope") or {},
        "start": request_fields(properties),
        "triggers": properties.get("triggers") or {},
    }
    if not is_known(material):
        return None
    return TOKEN_PREFIX + hashlib.sha256(canonical_json(material)).hexdigest()[:48]
