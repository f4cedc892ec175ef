"""
What may be asked of the service: each rule takes a run's inputs and yields what breaks it.

No problem contains a value, because it may be a secret: policies get secrets in the clear.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

from pulumi_vod_workflow.core.text import join_path, property_path
from pulumi_vod_workflow.core.values import UNKNOWN
from pulumi_vod_workflow.errors import Problem
from vod_policies.moments import tells_now
from vod_policies.personal import Pattern, found_in

Inputs = Mapping[str, Any]


def allowed_templates(inputs: Inputs, templates: Collection[str]) -> Iterator[Problem]:
    """Let only these workflows run."""
    template = inputs.get("templateId", UNKNOWN)
    if template is not UNKNOWN and template not in templates:
        yield Problem("templateId", f"is not one of the allowed: {_listed(templates)}")


def allowed_spaces(
    inputs: Inputs, spaces: Collection[str], *, allow_vid: bool
) -> Iterator[Problem]:
    """Let only sources of these spaces be used, as far as a declaration tells the space."""
    source = inputs.get("directUrl")
    if isinstance(source, Mapping):
        space = source.get("spaceName")
        if space is None:
            yield Problem("directUrl.spaceName", f"must be given, as one of {_listed(spaces)}")
        elif space is not UNKNOWN and space not in spaces:
            yield Problem("directUrl.spaceName", f"is not one of the allowed: {_listed(spaces)}")
    if not allow_vid and inputs.get("vid", UNKNOWN) is not UNKNOWN:
        yield Problem("vid", "does not tell its space")


def no_high_priority(
    inputs: Inputs, stack: str, production: Iterable[str], most: int
) -> Iterator[Problem]:
    """
    Keep the front of the queue for production's stacks.

    A larger priority is served earlier by the service's page of 2025-12-12. Its copy of 2025-02-13
    and BytePlus document the opposite.
    """
    priority = inputs.get("priority", UNKNOWN)
    if priority is UNKNOWN or priority <= most:
        return
    if not any(fnmatchcase(stack, pattern) for pattern in production):
        yield Problem("priority", f"is above {most} on {stack}, which is not a production stack")


def no_time_based_triggers(inputs: Inputs, now: datetime, within: timedelta) -> Iterator[Problem]:
    """Refuse triggers that tell the time of this very update: each update would pay again."""
    for path, value in _leaves("triggers", inputs.get("triggers")):
        if tells_now(value, now, within):
            yield Problem(path, "tells the present time, so that every update pays for a new run")


def no_personal_data(inputs: Inputs, patterns: Iterable[Pattern]) -> Iterator[Problem]:
    """Refuse callback args with what looks like a person's data."""
    args = inputs.get("callbackArgs", UNKNOWN)
    if args is not UNKNOWN:
        for name in found_in(args, patterns):
            yield Problem("callbackArgs", f"contains what looks like {name}")


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
