"""The interface between an operation and its host: the Python dynamic provider, or a plugin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pulumi_vod_workflow.core.progress import ProgressMessage
from pulumi_vod_workflow.errors import VodWorkflowError

Properties = dict[str, Any]
"""Values with `UNKNOWN` for unknown ones. Results may hold a `Secret`."""


class ResourceLogger(Protocol):
    """Lines on the row of one resource. No method raises."""

    def info(self, text: str) -> None:
        """Show a lasting line."""

    def status(self, text: str) -> None:
        """Show a line until the next one; a log without rows omits it."""

    def warning(self, text: str) -> None:
        """Show a lasting line as a warning."""

    def plan(self, text: str, *, lasting: bool) -> None:
        """
        Send a plan message for programs.

        Args:
            text: the message, as `PlanMessage.to_json` returns it.
            lasting: whether every form of a preview must have the message. People then see the
                line, too. Otherwise only the engine's events have it.

        """


@dataclass(frozen=True, slots=True)
class Host:
    """The call of the engine that an operation answers."""

    urn: str
    """URN of the resource; empty when the host cannot see it."""
    logger: ResourceLogger
    is_cancelled: Callable[[], bool]
    """Whether the user has pressed Ctrl-C, or the engine is gone. Any thread may call it."""
    deadline: float | None = None
    """Seconds that the engine allows for the operation; `None` without a limit."""
    preview: bool = False
    """Whether a create or update must start nothing: the engine only plans."""

    def report(self, message: ProgressMessage) -> None:
        """Show the progress of a long operation on the row."""
        (self.logger.status if message.ephemeral else self.logger.info)(message.text)


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of a check."""

    inputs: Properties
    failures: tuple[str, ...] = ()
    """One text for each problem. It begins with the path; see `check` of a run."""


@dataclass(frozen=True, slots=True)
class Diff:
    """The result of a diff."""

    changes: bool
    replaces: tuple[str, ...] = ()
    """Properties that ask for a replacement."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The result of a create or read."""

    id: str
    state: Properties


def has_lost_inputs(inputs: Mapping[str, Any]) -> bool:
    """
    Return whether the engine has removed unknown values from the inputs, outside a preview.

    These values depend on a resource that failed (`up --continue-on-error`) or is not a target
    (`--target`). The engine skips the resource itself, if its check and diff do not fail.
    """
    return inputs.get("unknownInputs") is True


def require_all_inputs(inputs: Mapping[str, Any]) -> None:
    """
    Start and record nothing while inputs are missing.

    Raises:
        VodWorkflowError: when the engine did not skip the resource.

    """
    if has_lost_inputs(inputs):
        raise VodWorkflowError(
            "Inputs depend on a resource that failed or is left out. No run was started."
        )


def has_secret_inputs(inputs: Mapping[str, Any]) -> bool:
    """Return whether messages must not show what the resource declares."""
    return inputs.get("secretInputs") is True
