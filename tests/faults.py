"""A service that answers three starts of ten as it should not, drawn by the emulator's seed."""

from __future__ import annotations

from typing import Any, Final

from pulumi_vod_workflow.emulator import VodEmulator

REFUSALS: Final[tuple[dict[str, Any], ...]] = (
    {"kind": "http", "code": "RequestLimitExceeded"},
    {"kind": "http", "code": "ServiceUnavailable"},
    {"kind": "html", "status": 429},
    {"kind": "html", "status": 503},
    {"kind": "garbage", "status": 503},
)
"""What says that a start was not accepted; it comes before it would have been."""

LOSSES: Final[tuple[dict[str, Any], ...]] = (
    {"kind": "http", "code": "InternalError"},
    {"kind": "http", "code": "InternalServiceError"},
    {"kind": "http", "code": "InternalServiceTimeout"},
    {"kind": "reset"},
    {"kind": "hang"},
    {"kind": "truncated"},
    {"kind": "garbage"},
    {"kind": "html"},
    {"kind": "html", "status": 502},
)
"""What does not say whether a start was accepted; it comes before that, or after."""

ALL: Final = (
    *({**fault, "when": "before"} for fault in (*REFUSALS, *LOSSES)),
    *({**fault, "when": "after"} for fault in LOSSES),
)


def spread(emulator: VodEmulator, share: float, *, seed: int, hang: float = 60) -> None:
    """
    Let each of these happen equally often, and any of them to this share of the starts.

    Args:
        emulator: the service.
        share: of the starts.
        seed: decides which.
        hang: seconds after which an answer comes that was held up.

    """
    emulator.settings(seed=seed)
    chance = 1 - (1 - share) ** (1 / len(ALL))
    for fault in ALL:
        emulator.fault(action="StartWorkflow", times=10**6, chance=chance, seconds=hang, **fault)


def end(emulator: VodEmulator) -> None:
    """Let the service be well again."""
    emulator.fault(action="StartWorkflow", kind="http", times=0)
