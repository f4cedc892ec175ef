"""
The time of the engine with many WorkflowRuns, beside as many resources that do nothing.

The bar is against resources of the same shape: as many inputs and outputs, as large a state, and
where runs are started, the service's pace. Of `FEW` starts `RATE` may go at once, and the others no
sooner than a second after them. Beside them stand the least resources at that pace, without a bar.

The emulator answers at once, so that what is compared is our own work: the program's, in its
process, and the provider's, in its own.

The first operation of a stack costs a `pulumi stack export` more: the journal meets the stack. A
row of its own has an update that pays it. The other updates follow a preview of one resource, as an
update of a stack that the user has had for some time.
"""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path
from typing import Final

from pydantic.alias_generators import to_camel

from bench.nothing import DECLARED, RATE
from bench.processes import Took, least
from bench.report import Figure, Measured, refused, say
from bench.servers import configuration, emulator
from bench.stacks import Stack
from pulumi_vod_workflow import WorkflowRun

FEW: Final = 100
"""Of them are created."""
MANY: Final = 500
"""Of them are previewed."""
CREATED: Final = 9
"""Times that they are: it takes the least time, so that what disturbs it counts the most."""
PREVIEWS: Final = 7
"""Times that many are previewed: one took from 7 to 10 s on an idle machine of 2 cores."""
ROUNDS: Final = 3
BAR: Final = 1.15
PROGRAMS: Final = ("runs", "alike")
PACED: Final = ("runs", "alike", "paced")


def measure(folder: Path) -> Measured:
    """Measure creating, previewing and leaving alone; all stacks are in `folder`."""
    outputs = {to_camel(name) for name, of in vars(WorkflowRun).items() if isinstance(of, property)}
    assert outputs == {*DECLARED}, "Alike has what a run has"
    with emulator(folder / "emulator", rateLimit=0, runningSeconds=3600) as service:
        config = configuration(service)
        numbers = itertools.count()
        spans = []

        def made(program: str, count: int) -> Stack:
            return Stack(folder / f"{program}-{next(numbers)}", program, config, count=count)

        def create(program: str, *, first_sight: bool = False) -> Took:
            service.post("reset")  # a run that is still there would be joined, not started
            stack = made(program, FEW)
            if not first_sight:
                stack.preview(count=1)
            took = stack.up()
            if program == "runs" and not first_sight:
                accepted = service.accepted(FEW)
                spans.append(accepted[-1] - accepted[0])
            return took

        say(f"engine: {FEW} created, {CREATED} times each")
        creating = [partial(create, program) for program in PACED]
        creating.append(partial(create, "runs", first_sight=True))
        ours, alike, paced, unmet = least(*creating, rounds=CREATED)
        service.post("reset")
        stacks = [made(program, MANY) for program in PROGRAMS]
        say(f"engine: {MANY} previewed for the first time, {PREVIEWS} times each")
        first = least(*(stack.preview for stack in stacks), rounds=PREVIEWS)
        say(f"engine: {MANY} created, once each")
        filling = least(*(stack.up for stack in stacks), rounds=1)
        say(f"engine: {MANY} left as they are, {ROUNDS} times each")
        again = least(*(stack.up for stack in stacks), rounds=ROUNDS)
        answers = service.answers()
    return Measured(
        [
            *_figures(f"up, {FEW} new runs", [ours, alike], BAR),
            *_figures(f"up, {FEW} new runs, first sight of the stack", [unmet, alike], None),
            Figure(
                "first sight of a stack",
                unmet.wall - ours.wall,
                "s longer",
                ours.wall,
                f"s, up, {FEW} new runs",
            ),
            Figure(
                f"up, {FEW} new runs: beside the least",
                ours.wall,
                "s",
                paced.wall,
                f"s, no-op, {RATE} a second, two inputs",
            ),
            Figure(
                f"up, {FEW} new runs: first to last start",
                min(spans),
                "s",
                FEW / RATE - 1,
                "s, the least at that pace",
            ),
            *_figures(f"preview, {MANY} new runs", first, BAR),
            *_figures(f"up, {MANY} new runs", filling, None),
            *_figures(f"up, {MANY} unchanged runs", again, BAR),
            refused(answers, "engine"),
        ]
    )


def _figures(name: str, took: list[Took], bar: float | None) -> list[Figure]:
    ours, alike = took
    return [
        Figure(name, ours.wall, "s", alike.wall, "s, no-op, as large", at_most=bar),
        Figure(f"{name}: processor", ours.cpu, "s", alike.cpu, "s, no-op, as large"),
    ]
