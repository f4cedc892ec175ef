"""
The engine's own records of a stack, read with its command line; free.

The journal alone does not know whether a state has a run, or whether a stack has another name now.
"""

from __future__ import annotations

from dataclasses import dataclass

from pulumi_vod_workflow.config.engine_command import (
    EngineCommandError,
    list_stacks,
    load_stack,
)
from pulumi_vod_workflow.core.exported_state import StateRuns
from pulumi_vod_workflow.core.recovery import StartRecord
from pulumi_vod_workflow.journal.store import stack_of


@dataclass(frozen=True, slots=True)
class StackEvidence:
    """The runs of a stack's state, and the stacks of its project."""

    stack: str
    runs: StateRuns | None = None
    """`None` if the state cannot be read."""
    other_stacks: frozenset[str] | None = None
    """The names of the project's other stacks; `None` if they cannot be read."""
    problem: str = ""
    """The reason why the state or the other stacks cannot be read; empty if they can."""

    def is_lost(self, record: StartRecord) -> bool | None:
        """
        Return whether no state has the run of a start, and no other stack can claim it.

        `None` if that is unknown: the state cannot be read, or another stack that may exist has the
        start.
        """
        stack = stack_of(record.resource_key)[1]
        if self.runs is None:
            return False if stack in (self.other_stacks or ()) else None
        if self.runs.run_of(record) is not None:
            return False
        if stack == self.stack or stack in self.runs.stacks:
            return True
        return None if self.other_stacks is None else stack not in self.other_stacks


def read_stack_evidence(project: str, stack: str) -> StackEvidence:
    """
    Return the engine's records of a stack, as far as its commands succeed; never raises.

    Args:
        project: the project's name.
        stack: the stack's name, without organization.

    """
    other_stacks: frozenset[str] | None = None
    try:
        # Neither the provider's folder nor its environment has the organization of a stack.
        names = {name.rpartition("/")[2]: name for name in list_stacks(project)}
        other_stacks = frozenset({*names} - {stack})
        if stack in names:
            return StackEvidence(stack, load_stack(names[stack]).runs, other_stacks)
        problem = f"`pulumi stack ls` does not list the stack {stack}"
    except EngineCommandError as error:
        problem = str(error)
    return StackEvidence(stack, other_stacks=other_stacks, problem=problem)
