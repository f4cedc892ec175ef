"""
The engine's own records of a stack, read with its command line; free.

The journal alone does not know whether a state has a run, or whether a stack has another name now.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from pulumi_vod_workflow.config.engine_command import (
    EngineCommandError,
    export_stack,
    list_stacks,
)
from pulumi_vod_workflow.core.exported_stack import ExportedStack
from pulumi_vod_workflow.core.exported_state import StateRuns
from pulumi_vod_workflow.core.recovery import StartRecord


@dataclass(frozen=True, slots=True)
class StackEvidence:
    """The runs of a stack's state, and the stacks of its project."""

    stack: str
    runs: StateRuns = field(default_factory=StateRuns)
    """Empty if the state cannot be read."""
    other_stacks: frozenset[str] | None = None
    """The names of the project's other stacks; `None` if they cannot be read."""
    problem: str = ""
    """The reason why the other stacks cannot be read; empty if they can."""

    def is_lost(self, record: StartRecord) -> bool | None:
        """
        Return whether no state has the run of a start, and no other stack can claim it.

        `None` if the start's stack is another one that may exist: the stacks cannot be read.
        """
        if self.runs.run_of(record) is not None:
            return False
        stack = json.loads(record.resource_key).get("stack")
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
    # Neither the provider's folder nor its environment tells the organization of a stack.
    try:
        names = {name.rpartition("/")[2]: name for name in list_stacks(project)}
    except EngineCommandError as error:
        return StackEvidence(stack, problem=str(error))
    found = StackEvidence(stack, other_stacks=frozenset({*names} - {stack}))
    if stack not in names:
        return found
    try:
        exported = ExportedStack.parse(export_stack(names[stack]))
    except (EngineCommandError, ValueError):
        return found
    return StackEvidence(stack, exported.runs, found.other_stacks)
