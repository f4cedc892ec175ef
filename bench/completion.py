"""
The delay with which a WorkflowCompletion sees the ends of its runs, beside one sweep.

A sweep is one read of each run, at the permitted rate. The first response after the end of a run
shows the end. The emulator's store has the ends, and its log the responses.

All runs start together, so their ages do not differ, and the wait estimates each end from the
progress of the run's tasks.

For comparison only: a completion for each of a few runs; the engine runs four operations for each
core.
"""

from __future__ import annotations

import asyncio
import json
import statistics
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from bench.load import load, requests
from bench.report import Figure, Measured, refused, say
from bench.servers import Emulator, configuration, emulator
from bench.stacks import Stack

RUNS: Final = 1000
FEW: Final = 40
RATE: Final = 50
"""Permitted reads in a second."""
ENDS: Final = (15.0, 75.0)
"""The earliest and the latest end of a run, in seconds after its start."""
SHORT_ENDS: Final = (15.0, 20.0)
"""The same for one short run; the wait begins some seconds after the start."""
MAX_REQUESTS: Final = 4.0
"""The permitted requests of a wait for each run: reads, and one for the results."""
MAX_SHORT_DELAY: Final = 2.0
"""The permitted delay for one short run, in seconds."""

SHARP: Final = 0.001
"""Resolution of the times in the emulator's log, in seconds."""


def measure(folder: Path) -> Measured:
    """Wait for many runs together and for a few one by one, both at once: neither computes much."""
    say(f"completion: one for {RUNS} runs, and one for each of {FEW}, which end within a minute")
    with ThreadPoolExecutor() as threads:
        together = threads.submit(_waited, folder / "together", RUNS, ENDS, each=False)
        apart = threads.submit(_waited, folder / "apart", FEW, ENDS, each=True)
        one = threads.submit(_waited, folder / "one", 1, SHORT_ENDS, each=False)
    return Measured(
        [
            *_figures(together.result(), has_bars=True),
            *_figures(apart.result(), has_bars=False),
            Figure(
                "a wait for one short run: end seen after",
                one.result().last,
                "s",
                MAX_SHORT_DELAY,
                "s, at most",
                at_most=1.0,
            ),
        ]
    )


class _Waited:
    """The responses of a wait in the emulator's log."""

    def __init__(self, name: str, service: Emulator, ends: Mapping[str, float]) -> None:
        self.name = name
        self.count = len(ends)
        self.answers = [item.status for item in service.asked() if item.action != "StartWorkflow"]
        lags: dict[str, float] = {}
        for item in service.asked("GetWorkflowExecution"):
            if item.run_id is None:  # a rejected read
                continue
            lag = item.at - ends[item.run_id]
            if lag > -SHARP:
                lags.setdefault(item.run_id, lag)
        unseen = {run_id: ends[run_id] for run_id in ends.keys() - lags.keys()}
        assert not unseen, f"{len(unseen)} ends were not seen: {unseen}"
        self.lags = sorted(lags.values())
        last = max(ends, key=lambda run_id: ends[run_id])
        self.last = lags[last]


def _waited(folder: Path, count: int, ends_within: tuple[float, float], *, each: bool) -> _Waited:
    settings = {"pendingSeconds": 0, "runningSeconds": [*ends_within], "seed": 1}
    with emulator(folder / "emulator", rateLimit=0, **settings) as service:
        asyncio.run(load(service.host, requests(service.host, count), ends_within[1]))
        service.post("settings", rateLimit=RATE)
        ends = {run_id: ended for run_id, (_, ended) in service.runs().items()}
        assert len(ends) == count
        ids = folder / "ids.json"
        ids.write_text(json.dumps([*ends]))
        Stack(folder / "stack", "completion", configuration(service), ids=ids, each=each).up()
        return _Waited(f"{'a wait each for' if each else 'a wait for'} {count}", service, ends)


def _figures(waited: _Waited, *, has_bars: bool) -> Sequence[Figure]:
    sweep = RUNS / RATE
    name, lags = waited.name, waited.lags
    whole, half = (1.0, 0.5) if has_bars else (None, None)
    return [
        Figure(
            f"{name}: last end seen after", waited.last, "s", sweep, "s, a sweep", at_most=whole
        ),
        Figure(f"{name}: latest seen after", lags[-1], "s", sweep, "s, a sweep"),
        Figure(f"{name}: 95th percentile", _p95(lags), "s", sweep, "s, a sweep", at_most=half),
        Figure(
            f"{name}: questions a run",
            len(waited.answers) / waited.count,
            "",
            MAX_REQUESTS,
            "at most",
            at_most=whole,
        ),
        refused(waited.answers, name),
    ]


def _p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]
