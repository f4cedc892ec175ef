"""The inputs of a wait: which runs, how long, and what a failure does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator
from pydantic.alias_generators import to_camel, to_snake
from pydantic_core import PydanticCustomError

from pulumi_vod_workflow.core.batch.inputs import Properties
from pulumi_vod_workflow.core.execution import RETENTION
from pulumi_vod_workflow.core.inputs.models import Model, unknown_key
from pulumi_vod_workflow.core.inputs.types import TEXT_OF_AN_OBJECT, described_as
from pulumi_vod_workflow.core.inputs.validation import CheckedInputs, check_inputs, texts_of_objects
from pulumi_vod_workflow.core.text import list_names, property_path
from pulumi_vod_workflow.core.values import UNKNOWN, is_known, normalise
from pulumi_vod_workflow.errors import (
    Problem,
)

DEFAULT_TIMEOUT: Final = 3600
"""Seconds, an hour: workflows take minutes, and many of them queue."""

_DURATION: Final = re.compile(r"(?:(\d{1,7})h)?(?:(\d{1,7})m)?(?:(\d{1,7})s)?")


def _seconds(value: object) -> object:
    """Turn `1h30m` into seconds; what is no such text is judged as it is."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if found is None:
        return value
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return int(timedelta(hours=hours, minutes=minutes, seconds=seconds).total_seconds())


def _is_wait(value: object) -> object:
    seconds = _seconds(value)
    if (
        isinstance(seconds, bool)
        or not isinstance(seconds, (int, float))
        or not 0 < seconds <= RETENTION.total_seconds()
    ):
        raise PydanticCustomError("test", "not allowed")
    return seconds


Timeout = Annotated[
    float,
    BeforeValidator(_is_wait),
    described_as("seconds, or text like 90s, 45m, 1h30m; to 30 days"),
]

OnFailure = Annotated[Literal["error", "record"], described_as("error or record")]


class CompletionInputs(Model):
    """What a WorkflowCompletion is declared with, beside its runs."""

    timeout: Timeout | None = None
    on_failure: OnFailure | None = None


_SETTINGS: Final = tuple(map(to_camel, CompletionInputs.model_fields))
_OFFERED: Final = {name: to_snake(name) for name in ("runs", *_SETTINGS)}

COMPLETION_FIELDS: Final = ("runs", *_SETTINGS, "scope", "secretInputs")


def check_completion(raw: Properties) -> CheckedInputs:
    """Normalise and check a wait: its runs by name, each an id or what is known of a run."""
    found = normalise(raw)
    settings: dict[str, object] = {name: found[name] for name in _SETTINGS if name in found}
    problems = [
        *check_inputs(settings, CompletionInputs).problems,
        *_run_problems(found.get("runs")),
    ]
    problems += [
        Problem(property_path(name), unknown_key(name, found, _OFFERED))
        for name in sorted(set(found) - set(COMPLETION_FIELDS))
    ]
    timeout = _seconds(found.get("timeout", DEFAULT_TIMEOUT))
    return CheckedInputs({"onFailure": "error", **found, "timeout": timeout}, tuple(problems))


def _run_problems(runs: object) -> Iterator[Problem]:
    if runs is UNKNOWN:
        return
    if not isinstance(runs, Mapping):
        yield Problem(
            "runs", "must be a WorkflowBatch, or a list or map of WorkflowRuns or run ids"
        )
        return
    of_objects = [*texts_of_objects(runs, "runs")]
    if of_objects:
        yield from (Problem(path, TEXT_OF_AN_OBJECT) for path in of_objects)
        return
    wrong = sorted(name for name, run in runs.items() if not _is_run(run))
    if wrong:
        yield Problem(
            "runs", f"must be WorkflowRuns or run ids, these are not: {list_names(wrong, 20)}"
        )


def _is_run(run: object) -> bool:
    if isinstance(run, Mapping):
        return not is_known(run) or any(run.get(key) for key in ("runId", "rejected", "unclear"))
    return run is UNKNOWN or (isinstance(run, str) and bool(run) and run == run.strip())


def runs_to_wait_for(declared: Properties) -> dict[str, dict[str, Any]]:
    """Return name -> what is known of the run: `runId` and where it is, or why it has none."""
    return {
        name: dict(run) if isinstance(run, Mapping) else {"runId": run}
        for name, run in sorted(declared["runs"].items())
    }
