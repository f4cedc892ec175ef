"""The interface between an operation and its host, such as the Python dynamic provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pulumi_vod_workflow.core.progress import ProgressMessage
from pulumi_vod_workflow.errors import VodWorkflowError

Properties = dict[str, Any]
"""Properties of a resource, with `UNKNOWN` for unknown values. Results may contain a `Secret`."""


class ResourceLogger(Protocol):
    """A logger for the row of one resource. No method raises."""

    def info(self, text: str) -> None:
        """Show a line that stays."""

    def status(self, text: str) -> None:
        """Show a line until the next line. A log without rows omits the line."""

    def warning(self, text: str) -> None:
        """Show a warning that stays."""

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
    """A call of the engine: the context of one operation."""

    urn: str
    """The URN of the resource; empty if the host does not know it."""
    logger: ResourceLogger
    is_cancelled: Callable[[], bool]
    """A function of any thread: whether the user has pressed Ctrl-C, or the engine has ended."""
    deadline: float | None = None
    """The time limit of the operation in seconds; `None` without a limit."""
    preview: bool = False
    """Whether the engine only plans, so that a create or update must start no run."""
    reads_first: bool = False
    """Whether the engine reads unfinished runs before previews, updates and destroys."""

    def report(self, message: ProgressMessage) -> None:
        """Show the progress of a long operation on the row."""
        (self.logger.status if message.ephemeral else self.logger.info)(message.text)


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of a check."""

    inputs: Properties
    failures: tuple[str, ...] = ()
    """One text for each problem. The text begins with the path: see `Session.failures`."""


@dataclass(frozen=True, slots=True)
class Diff:
    """The result of a diff."""

    changes: bool
    replaces: tuple[str, ...] = ()
    """Names of the properties whose change requires a replacement."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """The result of a create or read."""

    id: str
    state: Properties


@dataclass(frozen=True, slots=True)
class Imported:
    """The result of an import."""

    inputs: Properties
    """The declaration of the imported resource."""
    state: Properties


def has_lost_inputs(inputs: Mapping[str, Any]) -> bool:
    """
    Return whether the engine has removed unknown values from the inputs, outside a preview.

    These values depend on a resource that failed (`up --continue-on-error`) or is not a target
    (`--target`). The engine skips the resource itself, unless its check or diff fails.
    """
    return inputs.get("unknownInputs") is True


def require_all_inputs(inputs: Mapping[str, Any]) -> None:
    """
    Reject inputs without the values of a failed resource.

    Raises:
        VodWorkflowError: when values are missing, and the engine did not skip the resource.

    """
    if has_lost_inputs(inputs):
        raise VodWorkflowError(
            "Inputs depend on a resource that failed or is not a target. No run was started.\n"
            "hint: run `pulumi up` without `--target`, after the other resource has succeeded"
        )


def has_secret_inputs(inputs: Mapping[str, Any]) -> bool:
    """Return whether messages must not contain the declared values."""
    # The engine removes the marks of secrets before it calls a provider (pulumi-facts B.6).
    return inputs.get("secretInputs") is True
