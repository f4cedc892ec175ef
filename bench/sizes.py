"""
The cost of large batches: state, memory, processor time and time, and the growth of each.

The service's rate of 50 starts a second is not part of the processor time, nor of a preview. An
item between 3,000 and 10,000 items may cost little more than an item below 3,000.
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
"""The batch that shows the fixed cost."""
SIZES: Final = (1000, 3000, 10_000)
REFRESHED: Final = SIZES[0]
"""The size of the refreshed batch; a refresh takes as long as the starts."""
PREVIEWS: Final = 4
"""Number of rounds of previews; the shortest time counts."""
MOST_BYTES: Final = {"checkpoint": 600, "export": 900, "checkpoint, refreshed": 600}
"""Form of the state -> its size for an item, in bytes. The engine indents what it exports."""
MOST_MEMORY: Final = 250
"""Peak memory of the provider's process, in MiB."""
STRAIGHT: Final = 1.25
"""The ratio of an item's cost in large batches to that in small batches."""


@dataclass(frozen=True, slots=True)
class Size:
    """The cost of a batch of one size."""

    count: int
    preview: float
    """Time of a preview, in milliseconds."""
    cpu: float
    """Processor time of the update in all processes, in milliseconds."""
    provider: float
    """Processor time of the provider, in milliseconds."""
    memory: float
    """Peak memory of the provider, in MiB."""
    state: dict[str, int]
    """Sizes of the state in bytes, by its form."""


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
            f"{name}: {form}",
            bytes_ / size.count,
            "B/item",
            MOST_BYTES[form],
            "B, the most",
            at_most=1,
        )
        for form, bytes_ in size.state.items()
    ]
    return [memory, *states]


def _in_line(sizes: Sequence[Size], what: str, unit: str, of: Callable[[Size], float]) -> Figure:
    one, _, middle, large = sizes

    def added(smaller: Size, larger: Size) -> float:
        """Return the cost of a thousand further items."""
        return 1000 * (of(larger) - of(smaller)) / (larger.count - smaller.count)

    return Figure(
        f"1,000 items more at {large.count:,}: {what}",
        added(middle, large),
        unit,
        added(one, middle),
        f"{unit} at {middle.count:,}",
        at_most=STRAIGHT,
    )
