"""
The engine's own records of a stack, read with its command line; free.

The journal alone does not know whether a state has a run, or whether a stack has another name now.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pulumi_vod_workflow.core.exported_state import StateRuns, masked
from pulumi_vod_workflow.core.recovery import StartRecord

# journal-facts 6: the export takes 0.25 to 0.4 s, and needs no lock.
COMMAND_TIMEOUT: Final = 60.0
"""The longest wait for one command of the engine, in seconds."""


@dataclass(frozen=True, slots=True)
class StackEvidence:
    """The runs of a stack's state, and the stacks of its project."""

    stack: str
    runs: StateRuns = field(default_factory=StateRuns)
    """Empty if the state cannot be read."""
    other_stacks: frozenset[str] | None = None
    """The names of the project's other stacks; `None` if they cannot be read."""

    def is_lost(self, record: StartRecord) -> bool:
        """Return whether no state has the run of a start, and no other stack can claim it."""
        if self.runs.run_of(record) is not None:
            return False
        stack = json.loads(record.resource_key).get("stack")
        if stack == self.stack or stack in self.runs.stacks or self.other_stacks is None:
            return True
        return stack not in self.other_stacks


def read_stack_evidence(project: str, stack: str) -> StackEvidence:
    """
    Return the engine's records of a stack; never raises.

    Args:
        project: the project's name.
        stack: the stack's name, without organization.

    """
    # Neither the provider's folder nor its environment tells the organization of a stack.
    listed = _run("stack", "ls", "--project", project, "--json")
    if not isinstance(listed, list):
        return StackEvidence(stack)
    names = {str(item.get("name")).rpartition("/")[2]: str(item.get("name")) for item in listed}
    exported = _run("stack", "export", "--stack", names[stack]) if stack in names else None
    return StackEvidence(
        stack, _state_runs(exported or {}), frozenset(name for name in names if name != stack)
    )


def _state_runs(exported: Mapping[str, Any]) -> StateRuns:
    deployment = masked(exported).get("deployment") or {}
    resources = deployment.get("resources") or ()
    pending = [found["resource"] for found in deployment.get("pending_operations") or ()]
    return StateRuns.of(
        [(item["type"], item.get("outputs") or {}) for item in resources if not item.get("delete")],
        [(item["type"], item.get("inputs") or {}) for item in pending],
    )


def _run(*arguments: str) -> Any:
    """Return the JSON that a command of the engine prints; `None` after an error."""
    command = ["pulumi", *arguments, "--non-interactive", "--color=never"]
    try:
        done = subprocess.run(  # noqa: S603
            command,
            capture_output=True,
            check=True,
            stdin=subprocess.DEVNULL,
            timeout=COMMAND_TIMEOUT,
        )
        return json.loads(done.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
