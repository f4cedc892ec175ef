"""
The rules: each one reads a run's inputs and yields the violations.

No problem contains a value, because policies get secret values in plain text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from pulumi_vod_workflow.core.text import join_path, property_path
from pulumi_vod_workflow.core.values import UNKNOWN
from pulumi_vod_workflow.errors import Problem
from vod_policies.moments import has_present_time
from vod_policies.personal import Pattern, found_in

Inputs = Mapping[str, Any]


def allowed_templates(inputs: Inputs, templates: Collection[str]) -> Iterator[Problem]:
    """Yield a problem for a workflow that is not allowed."""
    template = inputs.get("templateId", UNKNOWN)
    if template is not UNKNOWN and template not in templates:
        yield Problem("templateId", f"must be an allowed workflow: {_listed(templates)}")


def allowed_spaces(
    inputs: Inputs, spaces: Collection[str], *, allow_vid: bool
) -> Iterator[Problem]:
    """Yield a problem for a source in a space that is not allowed, or not visible."""
    source = inputs.get("directUrl")
    if isinstance(source, Mapping):
        space = source.get("spaceName")
        if space is None:
            yield Problem(
                "directUrl.spaceName", f"must be set to an allowed space: {_listed(spaces)}"
            )
        elif space is not UNKNOWN and space not in spaces:
            yield Problem("directUrl.spaceName", f"must be an allowed space: {_listed(spaces)}")
    if not allow_vid and inputs.get("vid", UNKNOWN) is not UNKNOWN:
        yield Problem("vid", "has no visible space")


def no_high_priority(
    inputs: Inputs, stack: str, production: Iterable[str], most: int
) -> Iterator[Problem]:
    """
    Yield a problem for a high priority outside of production's stacks.

    A larger priority is earlier by the service's page of 2025-12-12. Its copy of 2025-02-13 and
    BytePlus document the opposite.
    """
    priority = inputs.get("priority", UNKNOWN)
    if priority is UNKNOWN or priority <= most:
        return
    if not any(fnmatchcase(stack, pattern) for pattern in production):
        yield Problem(
            "priority", f"must be at most {most} on {stack}, because it is not a production stack"
        )


def no_time_based_triggers(inputs: Inputs, now: datetime, within: timedelta) -> Iterator[Problem]:
    """Yield a problem for a trigger with the present time: each update would pay again."""
    for path, value in _leaves("triggers", inputs.get("triggers")):
        if has_present_time(value, now, within):
            yield Problem(path, "has the present time, so every update pays for a new run")


def no_personal_data(inputs: Inputs, patterns: Iterable[Pattern]) -> Iterator[Problem]:
    """Yield a problem for callback args with apparent personal data."""
    args = inputs.get("callbackArgs", UNKNOWN)
    if args is not UNKNOWN:
        for name in found_in(args, patterns):
            yield Problem("callbackArgs", f"must not contain {name}")


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _leaves(path: str, value: Any) -> Iterator[tuple[str, str | float]]:
    """Yield each text and number of a JSON value, with its path."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _leaves(join_path(path, property_path(key)), item)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(f"{path}[{index}]", item)
    elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
        yield path, value
