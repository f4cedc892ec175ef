"""The check for tracebacks lets only the SDK's own debug message pass."""

from __future__ import annotations

import pytest
from pulumi import automation as auto

from tests.engine.harness import MONITOR_ENDED, PACKAGE, is_noise_of_the_sdk

TRACE = (
    f'Traceback (most recent call last):\n  File "pulumi/runtime/resource.py"\n{MONITOR_ENDED}\n'
)


@pytest.mark.parametrize(
    ("severity", "message", "noise"),
    [
        ("debug", TRACE, True),
        ("debug", f"RPC failed: {TRACE}\n\n", True),
        ("error", TRACE, False),
        ("info#err", TRACE, False),
        ("debug", TRACE.replace(MONITOR_ENDED, "ValueError: v"), False),
        ("debug", f"{TRACE}and then\n", False),
        ("debug", TRACE.replace("pulumi/runtime", f"{PACKAGE}/resources"), False),
    ],
)
def test_a_traceback_is_noise_only_if_it_is_the_sdks(
    severity: str, message: str, noise: bool
) -> None:
    event = auto.DiagnosticEvent(message=message, color="never", severity=severity)
    assert is_noise_of_the_sdk(event) is noise
