"""
What `pulumi preview --json` says, in the core's terms; nothing here decides anything.

The engine writes a secret as `[secret]` and an unknown value as one fixed UUID. What a state has
marked as made of secrets is hidden here too where a file shows it all the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from pulumi_vod_workflow.cli.stack import SIGNATURE
from pulumi_vod_workflow.core.values import UNKNOWN
from pulumi_vod_workflow.errors import VodWorkflowError

UNKNOWN_TEXT: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
"""How the engine writes any value that is not known yet."""
SECRET_TEXT: Final = "[secret]"  # noqa: S105 - how the engine writes one
FAILED_PROGRAM: Final = "error: python inline source runtime error"
"""How the Automation API's language host says that a program failed: as if the program said it."""

CREATES: Final = ("replace", "create-replacement", "create")
"""The first that a resource has counts: only it tells what the engine itself replaces."""
UPDATES: Final = ("update",)
DELETES: Final = ("delete", "delete-replaced", "discard", "discard-replaced")
READS: Final = ("read", "read-replacement")

HOW: Final = "Make it by `pulumi preview --json > preview.json`, and give this command that file."


class PreviewError(VodWorkflowError):
    """What was given cannot be reviewed; the text says why, and what to do."""


class Hidden:
    """A value that is a secret."""

    def __repr__(self) -> str:
        return "HIDDEN"


HIDDEN: Final = Hidden()


def holds(value: object, mark: object) -> bool:
    """Tell whether any part of `value` is the mark: `HIDDEN`, or `UNKNOWN`."""
    if isinstance(value, Mapping):
        return any(holds(item, mark) for item in value.values())
    if isinstance(value, list):
        return any(holds(item, mark) for item in value)
    return value is mark


def _marked(value: Any) -> Any:
    """Return what the file has of a value with the marks for secrets and unknowns."""
    if isinstance(value, dict):
        if SIGNATURE in value:
            return HIDDEN
        return {key: _marked(item) for key, item in value.items() if key != "__provider"}
    if isinstance(value, list):
        return [_marked(item) for item in value]
    if isinstance(value, str):
        return {UNKNOWN_TEXT: UNKNOWN, SECRET_TEXT: HIDDEN}.get(value, value)
    return value


_OURS: Final = frozenset({"scope", "secretInputs", "runId", "runs", "phase", "status", "emulated"})
"""What is no secret of a resource that is made of secrets; its results are not shown anyhow."""


def _hidden(properties: dict[str, Any]) -> dict[str, Any]:
    """Hide all of a resource that has secrets, if none is hidden: then the file shows them."""
    if properties.get("secretInputs") is not True or holds(properties, HIDDEN):
        return properties
    return {key: item if key in _OURS else HIDDEN for key, item in properties.items()}


def _properties(value: object) -> object:
    return _hidden(_marked(value)) if isinstance(value, dict) else value or {}


Properties = Annotated[dict[str, Any], BeforeValidator(_properties)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel)


class State(_Part):
    """A resource before or after a step."""

    inputs: Properties = Field(default_factory=dict)
    outputs: Properties = Field(default_factory=dict)


class Step(_Part):
    """What the engine would do with a resource."""

    op: str
    urn: str
    old_state: State | None = None
    new_state: State | None = None
    replace_reasons: Annotated[tuple[str, ...], BeforeValidator(lambda value: value or ())] = ()
    """The properties for which the provider asks for a replacement."""

    @property
    def type(self) -> str:
        """The resource's own type, without its parents'."""
        parts = self.urn.split("::", 3)
        return parts[2].rpartition("$")[2] if len(parts) == 4 else ""

    @property
    def recorded(self) -> dict[str, Any]:
        """The outputs in the state; empty if there is none."""
        return self.old_state.outputs if self.old_state else {}

    @property
    def declared(self) -> dict[str, Any]:
        """The checked inputs; empty if it is no longer declared."""
        return self.new_state.inputs if self.new_state else {}


class Diagnostic(_Part):
    """A line that the engine, a provider or the program has said."""

    message: str = ""
    severity: str = "info"
    urn: str = ""

    @property
    def is_error(self) -> bool:
        """Whether the preview failed for it."""
        return self.severity == "error" or self.message.startswith(FAILED_PROGRAM)


class Preview(_Part):
    """A preview that did not fail."""

    config: dict[str, Any] = Field(default_factory=dict)
    """The stack's configuration, keys and secrets included: never to be shown."""
    steps: tuple[Step, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def stack(self) -> tuple[str, str]:
        """Project and stack, as far as any step names them."""
        for step in self.steps:
            parts = step.urn.removeprefix("urn:pulumi:").split("::", 3)
            if len(parts) == 4:
                return parts[1], parts[0]
        return "", ""


def read_preview(data: bytes) -> Preview:
    """
    Read what `pulumi preview --json` has written.

    Raises:
        PreviewError: when it is something else, or the preview failed.

    """
    if not data.strip():
        raise PreviewError(
            "There is nothing to read: the preview wrote no output, or failed before it did. " + HOW
        )
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise PreviewError(_not_json(data)) from None
    if not isinstance(found, dict) or not ("changeSummary" in found or "steps" in found):
        raise PreviewError(f"This is JSON, but not that of a preview. {HOW}")
    try:
        preview = Preview.model_validate(found)
    except (ValidationError, RecursionError):  # its text would quote values
        raise PreviewError(
            "This looks like a preview, but its steps are not as Pulumi writes them: was it "
            f"edited, or cut? {HOW}"
        ) from None
    errors = [item.message.strip() for item in preview.diagnostics if item.is_error]
    if errors:
        lines = "\n".join(f"  - {text}" for text in errors)
        raise PreviewError(
            f"The preview failed, so it cannot tell what would be started. It says:\n{lines}\n"
            "Nothing was started. Correct that, and preview again."
        )
    return preview


def _not_json(data: bytes) -> str:
    start = data.lstrip()
    if start.startswith(b"Previewing"):
        return f"This is a preview for people: --json is missing. {HOW}"
    if start.startswith(b'{"sequence"'):
        return f"This is a stream of events: unset PULUMI_ENABLE_STREAMING_JSON_PREVIEW. {HOW}"
    return f"This is not JSON, or not all of it. Is anything else in it, as by 2>&1? {HOW}"
