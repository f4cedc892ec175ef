"""
The starts of a WorkflowBatch, beside the rate limit of an account.

For comparison only: sequential starts with the official SDK, and a resource for each run.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from volcengine.vod.models.request import request_vod_pb2
from volcengine.vod.VodService import VodService

from bench.report import Figure, Measured, refused, say
from bench.servers import KEYS, Emulator, configuration, emulator
from bench.stacks import Stack

ITEMS: Final = 1000
FEW: Final = 250
"""Number of starts of the comparisons: enough for their rate."""
RATE: Final = 50
"""Permitted starts in a second."""
LATENCY: Final = 0.05
"""Delay of each of the emulator's responses, in seconds."""
BAR: Final = 1.05


def measure(folder: Path) -> Measured:
    """Start a batch, then the comparisons."""
    settings = {"rateLimit": RATE, "latencySeconds": LATENCY, "runningSeconds": 3600}
    with emulator(folder / "emulator", **settings) as service:
        config = configuration(service)
        say(f"batch: {ITEMS} starts of one batch, {ITEMS // RATE} s at {RATE} a second")
        Stack(folder / "batch", "batch", config, count=ITEMS).up()
        accepted = service.accepted(ITEMS)
        batch = accepted[-1] - accepted[0]
        service.post("reset")
        say(f"batch: {FEW} starts by the official SDK")
        _with_official_sdk(service)
        official = _pace(service.accepted(FEW))
        service.post("reset")
        say(f"batch: {FEW} WorkflowRuns")
        Stack(folder / "runs", "runs", config, count=FEW).up()
        runs = _pace(service.accepted(FEW))
        answers = service.answers()
    name = f"first to last of {ITEMS} starts"
    allowed = ITEMS / RATE
    return Measured(
        [
            Figure(f"{name}: WorkflowBatch", batch, "s", allowed, "s, the rate", at_most=BAR),
            Figure("a start: official SDK", official, "s", 1 / RATE, "s, the rate"),
            Figure("a start: WorkflowRuns", runs, "s", 1 / RATE, "s, the rate"),
            refused(answers, "batch"),
        ]
    )


def _pace(accepted: Sequence[float]) -> float:
    """Return the seconds for a start, without the burst of the first second."""
    return (accepted[-1] - accepted[RATE]) / (len(accepted) - 1 - RATE)


def _with_official_sdk(service: Emulator) -> None:
    requests: Any = request_vod_pb2
    sdk = VodService()
    sdk.set_scheme("http")
    sdk.set_host(service.host)
    sdk.set_ak(KEYS.access_key)
    sdk.set_sk(KEYS.secret_key)
    for number in range(FEW):
        sdk.start_workflow(requests.VodStartWorkflowRequest(Vid=f"v{number}", TemplateId="t"))
