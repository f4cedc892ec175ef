"""The inputs of a wait: its runs, its timeout, and the effect of a failure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator
from pydantic.alias_generators import to_camel, to_snake
from pydantic_core import PydanticCustomError

from pulumi_vod_workflow.core.execution import RETENTION
from pulumi_vod_workflow.core.inputs.models import Model, unknown_key_reason
from pulumi_vod_workflow.core.inputs.types import OBJECT_TEXT_REASON, Flag, described_as
from pulumi_vod_workflow.core.inputs.validation import (
    CheckedInputs,
    check_inputs,
    object_text_paths,
)
from pulumi_vod_workflow.core.text import list_names, property_path
from pulumi_vod_workflow.core.values import UNKNOWN, Properties, is_known, normalise
from pulumi_vod_workflow.errors import (
    Problem,
)

# A workflow takes minutes, and runs may queue.
DEFAULT_TIMEOUT: Final = 3600
"""The timeout of a wait without one, in seconds."""

_DURATION: Final = re.compile(r"(?:(\d{1,7})h)?(?:(\d{1,7})m)?(?:(\d{1,7})s)?")


def _parse_duration(value: object) -> object:
    """Return the seconds of a text like `1h30m`; any other value unchanged."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) and value else None
    if found is None:
        return value
    hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return int(timedelta(hours=hours, minutes=minutes, seconds=seconds).total_seconds())


def _validate_timeout(value: object) -> object:
    seconds = _parse_duration(value)
    if (
        isinstance(seconds, bool)
        or not isinstance(seconds, (int, float))
        or not 0 < seconds <= RETENTION.total_seconds()
    ):
        raise PydanticCustomError("test", "not allowed")
    return seconds


Timeout = Annotated[
    float,
    BeforeValidator(_validate_timeout),
    described_as("seconds, or text like 90s, 45m, 1h30m; to 30 days"),
]

OnFailure = Annotated[Literal["error", "record"], described_as("error or record")]


class CompletionInputs(Model):
    """The inputs of a WorkflowCompletion beside its runs."""

    timeout: Timeout | None = None
    on_failure: OnFailure | None = None
    fail_fast: Flag | None = None

    @classmethod
    def cross_field_rules(cls, raw: Mapping[str, object]) -> Iterator[Problem]:
        """Yield a problem if no failure can end the wait."""
        if raw.get("failFast") is True and raw.get("onFailure") == "record":
            yield Problem("failFast", "has no effect with on_failure record: remove one of them")


_SETTINGS: Final = tuple(map(to_camel, CompletionInputs.model_fields))
_ALLOWED_KEYS: Final = {name: to_snake(name) for name in ("runs", *_SETTINGS)}

_WITHOUT_RUN: Final = ("rejected", "unclear")
RUN_KEYS: Final = ("runId", "region", "endpoint", "submittedAt", *_WITHOUT_RUN)
"""The properties that find a run, or the reason why there is none."""

COMPLETION_FIELDS: Final = ("runs", *_SETTINGS, "scope", "secretInputs")


def check_completion(raw: Properties) -> CheckedInputs:
    """Return the checked inputs of a wait. Each run is an id, or a mapping with its `RUN_KEYS`."""
    found = normalise(raw)
    if isinstance(found.get("runs"), Mapping):
        found["runs"] = {name: _run_reference(run) for name, run in found["runs"].items()}
    settings: dict[str, object] = {name: found[name] for name in _SETTINGS if name in found}
    problems = [
        *check_inputs(settings, CompletionInputs).problems,
        *_run_problems(found.get("runs")),
    ]
    problems += [
        Problem(property_path(name), unknown_key_reason(name, found, _ALLOWED_KEYS))
        for name in sorted(set(found) - set(COMPLETION_FIELDS))
    ]
    timeout = _parse_duration(found.get("timeout", DEFAULT_TIMEOUT))
    return CheckedInputs({"onFailure": "error", **found, "timeout": timeout}, tuple(problems))


def _run_problems(runs: object) -> Iterator[Problem]:
    if runs is UNKNOWN:
        return
    if not isinstance(runs, Mapping):
        yield Problem(
            "runs", "must be a WorkflowBatch, or a list or map of WorkflowRuns or run ids"
        )
        return
    of_objects = [*object_text_paths(runs, "runs")]
    if of_objects:
        yield from (Problem(path, OBJECT_TEXT_REASON) for path in of_objects)
        return
    wrong = sorted(name for name, run in runs.items() if not _is_run(run))
    if wrong:
        yield Problem(
            "runs", f"must be WorkflowRuns or run ids; wrong ones: {list_names(wrong, 20)}"
        )


def _run_reference(run: object) -> object:
    """Return a run without the properties that do not find it."""
    # A program may pass `runs` of a batch as it is. The status in it changes with each refresh.
    if not isinstance(run, Mapping):
        return run
    return {key: run[key] for key in RUN_KEYS if key in run}


def _is_run(run: object) -> bool:
    if isinstance(run, Mapping):
        return not is_known(run) or any(run.get(key) for key in ("runId", *_WITHOUT_RUN))
    return run is UNKNOWN or (isinstance(run, str) and bool(run) and run == run.strip())


def runs_to_wait_for(declared: Properties) -> dict[str, dict[str, Any]]:
    """Return name -> a run's `runId` and endpoint, or the reason why it has no run."""
    return {
        name: dict(run) if isinstance(run, Mapping) else {"runId": run}
        for name, run in sorted(declared["runs"].items())
    }
