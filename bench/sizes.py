"""
What large batches take: bytes of state, memory, processor and time, and whether they grow in line.

The pace of 50 starts a second is the service's; it is not part of processor time, nor of a preview,
which starts nothing. "In line" is what an item adds: from 3,000 to 10,000 items it may cost little
more than from one to 3,000.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.processes import Watch, least
from bench.report import Figure, Measured, refused, say
from bench.servers import Emulator, configuration, emulator
from bench.stacks import Stack

ONE: Final = 1
"""Shows what is fixed."""
SIZES: Final = (1000, 3000, 10_000)
REFRESHED: Final = SIZES[0]
"""Reading takes as long as starting: one size is enough."""
PREVIEWS: Final = 4
"""In turns, so that what disturbs them falls on all sizes; the quickest counts."""
MOST_BYTES: Final = 1536
"""Of state, an item."""
MOST_MEMORY: Final = 250
"""MiB of the provider's process at its peak."""
STRAIGHT: Final = 1.25
"""What an item may add at the end of the line, in parts of what it adds at its beginning."""


@dataclass(frozen=True, slots=True)
class Size:
    """What a batch of one size took."""

    count: int
    preview: float
    """Milliseconds."""
    cpu: float
    """Milliseconds of the processor that the update took, in all processes."""
    provider: float
    """Those of them that the provider took."""
    memory: float
    """MiB of the provider at its peak."""
    state: dict[str, int]
    """Bytes of the state by its form."""


CURVES: Final[Sequence[tuple[str, str, Callable[[Size], float]]]] = [
    ("preview time", "ms", lambda size: size.preview),
    ("processor time", "ms", lambda size: size.cpu),
    ("processor time of the provider", "ms", lambda size: size.provider),
    ("memory of the provider", "MiB", lambda size: size.memory),
]


def measure(folder: Path) -> Measured:
    """Preview and create a batch of each size."""
    with emulator(folder / "emulator", rateLimit=0) as service:
        config = configuration(service)
        stacks = {
            count: Stack(folder / f"batch-{count}", "batch", config, count=count)
            for count in (ONE, *SIZES)
        }
        say(f"sizes: batches of {', '.join(map(str, stacks))} previewed, {PREVIEWS} times each")
        previews = least(*(stack.preview for stack in stacks.values()), rounds=PREVIEWS)
        sizes = [
            _sized(service, count, stack, preview.wall)
            for (count, stack), preview in zip(stacks.items(), previews, strict=True)
        ]
        answers = service.answers()
    figures = [figure for size in sizes[1:] for figure in _held(size)]
    figures += [_in_line(sizes, *curve) for curve in CURVES]
    curves = {f"{name}, {unit}": [(s.count, of(s)) for s in sizes] for name, unit, of in CURVES}
    return Measured([*figures, refused(answers, "sizes")], curves)


def _sized(service: Emulator, count: int, stack: Stack, preview: float) -> Size:
    say(f"sizes: a batch of {count} created, about {count // 50} s for its starts")
    service.post("reset")
    with Watch() as provider:
        took = stack.up()
    assert len(service.runs()) == count
    state = {"checkpoint": stack.checkpoint, "export": stack.exported}
    if count == REFRESHED:
        say(f"sizes: {count} runs that have ended are read")
        stack.refresh()
        state["checkpoint, refreshed"] = stack.checkpoint
    ms = 1000.0
    return Size(count, preview * ms, took.cpu * ms, provider.cpu * ms, provider.peak, state)


def _held(size: Size) -> Sequence[Figure]:
    name = f"{size.count:,} items"
    memory = Figure(
        f"{name}: provider", size.memory, "MiB", MOST_MEMORY, "MiB, the most", at_most=1
    )
    states = [
        Figure(
            f"{name}: {form}", bytes_ / size.count, "B/item", MOST_BYTES, "B, the most", at_most=1
        )
        for form, bytes_ in size.state.items()
    ]
    return [memory, *states]


def _in_line(sizes: Sequence[Size], what: str, unit: str, of: Callable[[Size], float]) -> Figure:
    one, _, middle, large = sizes

    def added(smaller: Size, larger: Size) -> float:
        """Return what a thousand items add."""
        return 1000 * (of(larger) - of(smaller)) / (larger.count - smaller.count)

    return Figure(
        f"1,000 items more at {large.count:,}: {what}",
        added(middle, large),
        unit,
        added(one, middle),
        f"{unit} at {middle.count:,}",
        at_most=STRAIGHT,
    )
