"""The check of a declaration: properties in state spelling, and all problems at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import (
    ValidationError,
)

from pulumi_vod_workflow.core.inputs.models import REQUIRED, Model, RunInputs
from pulumi_vod_workflow.core.inputs.property_names import to_property_names
from pulumi_vod_workflow.core.inputs.types import OBJECT_TEXT_REASON, is_object_text
from pulumi_vod_workflow.core.text import property_path
from pulumi_vod_workflow.errors import Problem

# The page's clips are in milliseconds. A shorter clip is probably in seconds.
MIN_PLAUSIBLE_CLIP: Final = 1000
"""The shortest clip without a warning, in milliseconds."""


@dataclass(frozen=True, slots=True)
class CheckedInputs:
    """A declaration in state spelling, with all its problems."""

    values: dict[str, Any]
    problems: tuple[Problem, ...]


def check_partial_inputs(raw: Mapping[str, object], model: type[Model]) -> tuple[Problem, ...]:
    """Return the problems of a part of a declaration; other parts may add required inputs."""
    return tuple(item for item in check_inputs(raw, model).problems if item.reason != REQUIRED)


def check_inputs(raw: Mapping[str, object], model: type[Model] = RunInputs) -> CheckedInputs:
    """Return `raw` in state spelling with the problems found by `model`; offline."""
    properties = to_property_names(raw, model)
    texts = {path: Problem(path, OBJECT_TEXT_REASON) for path in object_text_paths(properties)}
    problems: dict[Problem, None] = dict.fromkeys(texts.values())
    try:
        model.model_validate(properties)
    except ValidationError as error:
        found = (Problem(property_path(*item["loc"]), item["msg"]) for item in error.errors())
        problems |= dict.fromkeys(problem for problem in found if problem.path not in texts)
    return CheckedInputs(properties, tuple(sorted(problems, key=lambda item: item.path)))


RESOURCE_NAME: Final = "the resource's name"
"""The path of a problem of the name, which is not a property."""


def object_text_paths(value: object, *path: int | str) -> Iterator[str]:
    """Yield the path of each text, and of each map with a key, that contains an object's text."""
    if isinstance(value, str):
        if is_object_text(value):
            yield RESOURCE_NAME if path == ("scope", "name") else property_path(*path)
    elif isinstance(value, Mapping):
        if any(isinstance(key, str) and is_object_text(key) for key in value):
            yield property_path(*path)
        for key, item in value.items():
            if not is_object_text(str(key)):  # such a key would make the path unreadable
                yield from object_text_paths(item, *path, str(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from object_text_paths(item, *path, index)


SHORT_CLIP: Final = (
    "the clip is shorter than one second; start_time and end_time are in milliseconds"
)


def find_doubts(properties: Mapping[str, object]) -> Iterator[Problem]:
    """Yield valid inputs that are probably mistakes."""
    kinds: Any = properties
    for key in ("input", "overrideParams"):
        kinds = kinds.get(key) if isinstance(kinds, Mapping) else None
    if not isinstance(kinds, Mapping):
        return
    for kind in ("transcodeAudio", "transcodeVideo"):
        overrides = kinds.get(kind)
        for index, override in enumerate(overrides if isinstance(overrides, list) else ()):
            clip = override.get("clip") if isinstance(override, Mapping) else None
            if isinstance(clip, Mapping) and _is_short(
                clip.get("startTime", 0), clip.get("endTime")
            ):
                yield Problem(
                    property_path("input", "overrideParams", kind, index, "clip"), SHORT_CLIP
                )


def _is_short(start: object, end: object) -> bool:
    return isinstance(start, int) and isinstance(end, int) and 0 < end - start < MIN_PLAUSIBLE_CLIP
