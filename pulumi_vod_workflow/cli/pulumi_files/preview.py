"""
The output of `pulumi preview` in each of its forms for programs, in the core's terms.

The forms are the digest of `--json`, the engine's events (`--json` that streams, `--event-log`),
and the summary of `--output json`, which has no inputs. The engine writes a secret as `[secret]`
or as an object with a signature, and an unknown value as one fixed UUID. A file may show the values
of a resource with secret inputs in plain text; this module hides them, too.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)
from pydantic.alias_generators import to_camel

from pulumi_vod_workflow.core.property_marks import SIGNATURE, UNKNOWN_TEXT
from pulumi_vod_workflow.core.resource_types import type_of_urn
from pulumi_vod_workflow.core.values import UNKNOWN
from pulumi_vod_workflow.errors import VodWorkflowError

SECRET_TEXT: Final = "[secret]"  # noqa: S105 - the engine's text for a secret
FAILED_PROGRAM: Final = "error: python inline source runtime error"
"""The Automation API's line for a failed program; it has the severity of the program's output."""

CREATES: Final = ("replace", "create-replacement", "create")
"""In the order of their weight: only a `replace` step has the reasons of the engine."""
UPDATES: Final = ("update",)
DELETES: Final = ("delete", "delete-replaced", "discard", "discard-replaced")
READS: Final = ("read", "read-replacement")
WITHOUT_START: Final = (
    "same", "refresh", "diff", "import", "import-replacement", "remove-pending-replace"
)  # fmt: skip
"""Further operations; none of them starts a run."""

PREVIEW_HINT: Final = (
    "hint: Run `pulumi preview --json > preview.json`, and give this command the file."
)


class PreviewError(VodWorkflowError):
    """The input cannot be reviewed; the text has the cause and a hint."""


class HiddenSecret:
    """A value that is a secret."""

    def __repr__(self) -> str:
        return "HIDDEN"


HIDDEN_SECRET: Final = HiddenSecret()


def contains_marker(value: object, mark: object) -> bool:
    """Return whether any part of `value` is the marker: `HIDDEN_SECRET` or `UNKNOWN`."""
    if isinstance(value, Mapping):
        return any(contains_marker(item, mark) for item in value.values())
    if isinstance(value, list):
        return any(contains_marker(item, mark) for item in value)
    return value is mark


def _marked(value: Any) -> Any:
    """Return a value of the file with the markers for secrets and unknowns."""
    if isinstance(value, dict):
        if SIGNATURE in value:
            return HIDDEN_SECRET
        return {key: _marked(item) for key, item in value.items() if key != "__provider"}
    if isinstance(value, list):
        return [_marked(item) for item in value]
    if isinstance(value, str):
        return {UNKNOWN_TEXT: UNKNOWN, SECRET_TEXT: HIDDEN_SECRET}.get(value, value)
    return value


_NEVER_SECRET: Final = frozenset(
    {"scope", "secretInputs", "runId", "runs", "phase", "status", "emulated"}
)
"""Properties that stay visible in a resource with secret inputs; its results are never shown."""


def _hidden(properties: dict[str, Any]) -> dict[str, Any]:
    """Hide the properties of a resource with secret inputs if the file shows them."""
    if properties.get("secretInputs") is not True or contains_marker(properties, HIDDEN_SECRET):
        return properties
    return {
        key: item if key in _NEVER_SECRET else HIDDEN_SECRET for key, item in properties.items()
    }


def _properties(value: object) -> object:
    return _hidden(_marked(value)) if isinstance(value, dict) else value or {}


Properties = Annotated[dict[str, Any], BeforeValidator(_properties)]


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True
    )


class State(_Part):
    """A resource before or after a step."""

    inputs: Properties = Field(default_factory=dict)
    outputs: Properties = Field(default_factory=dict)


class Step(_Part):
    """The engine's step on a resource, with the names of the digest or of events."""

    op: str
    urn: str
    old_state: State | None = Field(default=None, validation_alias=AliasChoices("oldState", "old"))
    new_state: State | None = Field(default=None, validation_alias=AliasChoices("newState", "new"))
    replace_reasons: Annotated[tuple[str, ...], BeforeValidator(lambda value: value or ())] = Field(
        default=(), validation_alias=AliasChoices("replaceReasons", "keys")
    )
    """The properties that the provider gives as reasons of a replacement."""

    @property
    def type(self) -> str:
        """The resource's own canonical type, without its parents'."""
        return type_of_urn(self.urn)

    @property
    def recorded(self) -> dict[str, Any]:
        """The outputs in the state; empty if there is none."""
        return self.old_state.outputs if self.old_state else {}

    @property
    def declared(self) -> dict[str, Any]:
        """The checked inputs; empty if it is no longer declared."""
        return self.new_state.inputs if self.new_state else {}


_COLOUR: Final = re.compile(r"<\{%.*?%\}>")
"""The engine's mark for a colour in events."""


class Diagnostic(_Part):
    """A line of the engine, a provider or the program."""

    prefix: str = ""
    message: str = ""
    severity: str = "info"
    urn: str = ""
    ephemeral: bool = False

    @property
    def text(self) -> str:
        """The line, without colours."""
        return _COLOUR.sub("", self.prefix + self.message).strip()

    @property
    def is_shown(self) -> bool:
        """Whether the engine's digest has it."""
        return not self.ephemeral and self.severity != "debug"

    @property
    def is_error(self) -> bool:
        """Whether the preview failed for it."""
        return self.is_shown and (self.severity == "error" or self.text.startswith(FAILED_PROGRAM))


Counts = Annotated[dict[str, int], BeforeValidator(lambda value: value or {})]
"""Operation -> the number of its steps."""


class Preview(_Part):
    """A preview that did not fail."""

    config: dict[str, Any] = Field(default_factory=dict)
    """The stack's configuration, with keys and secrets; never shown."""
    steps: tuple[Step, ...] = ()
    change_summary: Counts = Field(default_factory=dict)
    """The engine's own count of the steps."""
    diagnostics: tuple[Diagnostic, ...] = ()
    has_inputs: bool = True
    """Whether the form has the inputs of steps, and the providers' lines."""

    @property
    def stack(self) -> tuple[str, str]:
        """Project and stack; empty if no step names them."""
        for step in self.steps:
            parts = step.urn.removeprefix("urn:pulumi:").split("::", 3)
            if len(parts) == 4:
                return parts[1], parts[0]
        return "", ""


class _Prelude(_Part):
    config: dict[str, Any] = Field(default_factory=dict)


class _Resource(_Part):
    metadata: Step


class _Result(_Part):
    """The end of a preview, as an event or as the summary of `--output json`."""

    result: str = ""
    is_preview: bool = True
    resource_changes: Counts = Field(default_factory=dict)


class _Event(_Part):
    prelude_event: _Prelude | None = None
    resource_pre_event: _Resource | None = None
    diagnostic_event: Diagnostic | None = None
    stdout_event: Diagnostic | None = None
    summary_event: _Result | None = None


class _Summary(_Result):
    summary: Counts = Field(default_factory=dict)
    resources: tuple[Step, ...] = ()


def read_preview(data: bytes) -> Preview:
    """
    Read the output of `pulumi preview`, in any form for programs.

    Raises:
        PreviewError: when the input is something else, or the preview failed.

    """
    if not data.strip():
        raise PreviewError(
            "There is nothing to read: the preview wrote no output, or failed before it did.\n"
            + PREVIEW_HINT
        )
    found = _values(data)
    try:
        preview = _preview(found)
    except (ValidationError, RecursionError):  # its text would quote values
        raise PreviewError(
            "This looks like a preview, but its steps are not as Pulumi writes them: was it "
            f"edited, or cut?\n{PREVIEW_HINT}"
        ) from None
    errors = [item.text for item in preview.diagnostics if item.is_error]
    if errors:
        raise _failed("\n".join(["Its errors:", *(f"  - {text}" for text in errors)]))
    _refuse_missing_steps(preview)
    return preview


def _refuse_missing_steps(preview: Preview) -> None:
    """
    Raise an error if the preview has fewer steps than the engine has counted.

    Raises:
        PreviewError: when steps are missing: each may be a paid start.

    """
    found = Counter(step.op for step in preview.steps)
    if "refresh" in found:  # the count has the results of a refresh, which the steps do not show
        return
    for op in ("create", "replace", "update"):
        counted = preview.change_summary.get(op, 0)
        if counted > found[op]:
            raise PreviewError(
                f"The engine counted {counted:,} steps `{op}`, and this preview has "
                f"{found[op]:,}: was it edited, or cut?\n{PREVIEW_HINT}"
            )


def _failed(why: str) -> PreviewError:
    return PreviewError(
        f"The preview failed, so the number of starts is not known. {why}\n"
        "No run was started.\nhint: Correct the error, and preview again."
    )


def _preview(found: list[Any]) -> Preview:
    """
    Return the preview of any form.

    Raises:
        PreviewError: when the documents have none of the forms, or the preview failed.
        ValidationError: when the documents are incomplete.

    """
    first = found[0]
    if not isinstance(first, dict):
        raise PreviewError(f"This is JSON, but not that of a preview.\n{PREVIEW_HINT}")
    if "sequence" in first:
        return _of_events(map(_Event.model_validate, found))
    if len(found) > 1:
        raise PreviewError(f"There is more than one JSON document in it.\n{PREVIEW_HINT}")
    if "changeSummary" in first or "steps" in first:
        return Preview.model_validate(first)
    if "result" in first and "duration" in first:
        summary = _Summary.model_validate(first)
        _refuse_failed(summary)
        counts = summary.summary
        return Preview(steps=summary.resources, change_summary=counts, has_inputs=False)
    raise PreviewError(f"This is JSON, but not that of a preview.\n{PREVIEW_HINT}")


def _of_events(events: Iterable[_Event]) -> Preview:
    """
    Return the preview of the engine's events.

    Raises:
        PreviewError: when they are not the events of one whole preview.

    """
    config: dict[str, Any] = {}
    steps: list[Step] = []
    lines: list[Diagnostic] = []
    ends: list[_Result] = []
    for event in events:
        if event.prelude_event:
            config = event.prelude_event.config
        if event.resource_pre_event:
            steps.append(event.resource_pre_event.metadata)
        lines += [item for item in (event.diagnostic_event, event.stdout_event) if item]
        ends += [event.summary_event] if event.summary_event else []
    if not any(item.is_error for item in lines):  # the lines have the cause
        if len(ends) != 1 or not ends[0].is_preview:
            raise PreviewError(
                "These are events, but not those of one preview to its end: was it cut, or is it "
                f"of an update?\n{PREVIEW_HINT}"
            )
        _refuse_failed(ends[0])
    counts = ends[0].resource_changes if ends else {}
    return Preview(
        config=config, steps=tuple(steps), change_summary=counts, diagnostics=tuple(lines)
    )


def _refuse_failed(end: _Result) -> None:
    """
    Raise an error unless the preview succeeded.

    Raises:
        PreviewError: when the preview failed.

    """
    if end.result not in ("", "succeeded"):
        raise _failed("The cause is on its standard error.")


def _values(data: bytes) -> list[Any]:
    """
    Return the JSON documents of the input: one, or one on each line.

    Raises:
        PreviewError: when the input has anything else.

    """
    try:
        return [json.loads(data)]
    except (ValueError, RecursionError):
        pass
    try:
        # PowerShell writes UTF-16.
        text = data.decode("utf-16" if data[:1] in (b"\xff", b"\xfe") else "utf-8-sig")
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    except (ValueError, RecursionError):
        raise PreviewError(_not_json(data)) from None


def _not_json(data: bytes) -> str:
    start = data.lstrip()
    if start.startswith(b"Previewing"):
        return f"This is a preview for people: --json is missing.\n{PREVIEW_HINT}"
    return (
        f"This is not JSON, or not all of it. Is anything else in it, as by 2>&1?\n{PREVIEW_HINT}"
    )
