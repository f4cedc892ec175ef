"""
The time of the packaged provider, beside the dynamic one and beside resources that do nothing.

The bars are against the dynamic provider with as many runs, in the same order of operations.
Resources that do nothing have the shape of a run, and the service's pace: see `bench.engine`.

Each round has a new stack of each kind. It previews one run first, because the first operation of a
stack costs a `pulumi stack export` more.

The packaged provider reads an unfinished run before each plan. So, as long as runs are unfinished,
the others have the option `--refresh`, which does the same. The runs have ended in the rows after
that: no provider reads them again.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from bench.processes import FailedError, Took, least, shortest
from bench.report import Figure, Measured, refused, say
from bench.servers import Emulator, configuration, emulator
from bench.stacks import ROOT, Stack
from tests.engine.hosts import PACKAGES, install_plugin, use_plugin

MANY: Final = 300
"""Number of runs."""
ROUNDS: Final = 3
BAR: Final = 1.15
PACKAGED: Final = "packaged"
PROGRAMS: Final = (PACKAGED, "runs", "alike")
RUNNING_SECONDS: Final = 3600

STARTS: Final = 15
"""Times that the process of each provider is started."""
START_BAR: Final = 1.2
HOSTS: Final = (PACKAGES["plugin"], "pulumi.dynamic")
"""The modules of the two processes."""
NO_ENGINE: Final = "127.0.0.1:1"
"""An engine's address. Both processes listen before they connect to the engine."""


def measure(folder: Path) -> Measured:
    """Measure the start of the processes, and the operations; all stacks are in `folder`."""
    say(f"plugin: the process of each provider started, {STARTS} times each")
    listening = least(*(partial(_listen, module) for module in HOSTS), rounds=STARTS)
    with emulator(folder / "emulator", rateLimit=0, runningSeconds=RUNNING_SECONDS) as service:
        plugin = install_plugin(folder / "plugin")
        rounds = []
        for number in range(ROUNDS):
            say(f"plugin: {MANY} of each kind, round {number + 1} of {ROUNDS}")
            rounds.append(_round(folder / str(number), plugin, service))
        answers = service.answers()
    figures = [
        Figure(
            f"process start to port: {word}",
            getattr(listening[0], what) * 1000,
            "ms",
            getattr(listening[1], what) * 1000,
            "ms, dynamic",
            at_most=bar,
        )
        for what, word, bar in (("wall", "wall", START_BAR), ("cpu", "processor", None))
    ]
    for name in rounds[0]:
        took = [shortest(kind) for kind in zip(*(each[name] for each in rounds), strict=True)]
        figures.extend(_figures(name, took))
    return Measured([*figures, refused(answers, "plugin")])


def _round(folder: Path, plugin: Path, service: Emulator) -> dict[str, list[Took]]:
    """Return the times of each operation, in the order of the programs."""
    service.post("reset")  # a run that is still there would be joined, not started
    config = configuration(service)
    stacks = {}
    for program in PROGRAMS:
        stack = Stack(folder / program, program, config, count=MANY)
        if program == PACKAGED:
            use_plugin(stack.folder / "Pulumi.yaml", plugin)
        stack.preview(count=1)
        stacks[program] = stack

    def took(operation: Callable[..., Took], *of_others: str) -> list[Took]:
        return [
            operation(stack, *(() if program == PACKAGED else of_others))
            for program, stack in stacks.items()
        ]

    found = {
        f"preview, {MANY} new runs": took(Stack.preview),
        f"up, {MANY} new runs": took(Stack.up),
        f"preview, {MANY} unfinished runs, read": took(Stack.preview, "--refresh"),
        f"up, {MANY} unfinished runs, read": took(Stack.up, "--refresh"),
    }
    service.accepted(2 * MANY)
    service.post("clock", advanceSeconds=RUNNING_SECONDS + 1)
    return found | {
        f"refresh, {MANY} runs that have ended": took(Stack.refresh),
        f"preview, {MANY} unchanged runs": took(Stack.preview),
        f"up, {MANY} unchanged runs": took(Stack.up),
        f"destroy, {MANY} runs": took(Stack.destroy),
    }


def _figures(name: str, took: Sequence[Took]) -> list[Figure]:
    packaged, dynamic, alike = took
    return [
        Figure(name, packaged.wall, "s", dynamic.wall, "s, dynamic", at_most=BAR),
        Figure(f"{name}: processor", packaged.cpu, "s", dynamic.cpu, "s, dynamic"),
        Figure(f"{name}: beside none", packaged.wall, "s", alike.wall, "s, no-op, as large"),
    ]


def _listen(module: str) -> Took:
    """Start a provider's process as the engine does, and return the times until its port."""
    begun = time.monotonic()
    with subprocess.Popen(
        [sys.executable, "-u", "-m", module, NO_ENGINE],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        port = process.stdout.readline()
        wall = time.monotonic() - begun
        process.kill()
        failure = process.stderr.read().decode()
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = -9
    if not port.strip().isdigit():
        raise FailedError(f"{module} shows no port:\n{failure[-3000:]}")
    return Took(wall, usage.ru_utime + usage.ru_stime)
