"""Totals of runs: by stack, by workflow and by day, each by phase."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from pulumi_vod_workflow.cli.runs.model import ListedRun, counts_by_phase

TotalKind = Literal["all", "stack", "workflow", "day"]
NOT_RECORDED: Final = {
    "all": "",
    "stack": "",
    "workflow": "not recorded",
    "day": "no time recorded",
}
"""Texts for people of an absent value."""


@dataclass(frozen=True, slots=True)
class Total:
    """The runs with one value."""

    by: TotalKind
    value: str
    """The stack, the workflow or the day in UTC; empty for all runs, and for an absent value."""
    runs: tuple[ListedRun, ...]

    @property
    def phases(self) -> Mapping[str, int]:
        """The number of runs in each phase."""
        return counts_by_phase(self.runs)

    @property
    def text(self) -> str:
        """The value for people."""
        return self.value or NOT_RECORDED[self.by]


def totals_of(runs: Sequence[ListedRun]) -> list[Total]:
    """
    Return the totals: of all runs, of each stack, of each workflow, of each day.

    A run that several stacks have is in the total of each of these stacks, and once in every other
    total. Workflows with more runs come first, days in their order.
    """
    workflows = _groups("workflow", runs, lambda run: (run.workflow,))
    days = _groups("day", runs, lambda run: (run.day,))
    return [
        Total("all", "", tuple(runs)),
        *sorted(_groups("stack", runs, lambda run: run.stacks), key=lambda total: total.value),
        *sorted(workflows, key=lambda total: (not total.value, -len(total.runs), total.value)),
        *sorted(days, key=lambda total: (not total.value, total.value)),
    ]


def _groups(
    by: TotalKind, runs: Iterable[ListedRun], values: Callable[[ListedRun], Iterable[str]]
) -> list[Total]:
    found: dict[str, list[ListedRun]] = defaultdict(list)
    for run in runs:
        for value in values(run):
            found[value].append(run)
    return [Total(by, value, tuple(members)) for value, members in found.items()]
