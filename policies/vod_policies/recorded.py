"""
The recorded runs and batches of the stack's state, which a policy does not see.

The engine exports the state before the operation, as `pulumi stack export` does. The export has
secret inputs in plain text, because the rule compares them. They stay in this process, which also
gets the declared secrets in plain text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pulumi import automation as auto

from pulumi_vod_workflow.core.resource_types import BATCH_TYPE, RUN_TYPE, canonical_type

_REPLACED: Final = ("delete", "external", "pendingReplacement", "taint")
"""Marks of resources without a declaration, and of resources that are replaced in any case."""


class RecordError(Exception):
    """An error of a read of the state."""


def recorded(urn: str, organization: str | None = None) -> dict[str, Mapping[str, Any]]:
    """
    Return URN -> outputs of each run and batch in the state of a stack.

    Args:
        urn: the URN of any resource of the stack.
        organization: the stack's organization, if it is not the default one.

    Raises:
        RecordError: the engine does not export the state.

    """
    qualified, project, *_ = urn.split("::")
    stack = qualified.removeprefix("urn:pulumi:")
    # In the project's folder, the engine finds a stack of the default organization by its name.
    # Backends other than Pulumi Cloud have one organization, with the name `organization`.
    names = [f"{organization or 'organization'}/{project}/{stack}"]
    for name in names if organization else [stack, *names]:
        resources = _exported(name)
        if resources is not None and _are_of(resources, f"{qualified}::{project}::"):
            return {
                item["urn"]: revealed(item.get("outputs") or {})
                for item in resources
                if canonical_type(item["type"]) in {RUN_TYPE, BATCH_TYPE}
                and not any(item.get(mark) for mark in _REPLACED)
            }
    raise RecordError(
        f"`pulumi stack export --show-secrets --stack {name}` does not find the stack here, so "
        "every declared run counts; see `organization` in the pack's README.md"
    )


def _exported(name: str) -> list[dict[str, Any]] | None:
    """Return a stack's resources; `None` if the engine does not export them."""
    try:
        exported = auto.LocalWorkspace(work_dir=str(Path.cwd())).export_stack(name)
    except (auto.CommandError, OSError, ValueError):
        return None  # the error's text may have secrets
    return (exported.deployment or {}).get("resources") or []


def _are_of(resources: Sequence[Mapping[str, Any]], prefix: str) -> bool:
    """Return whether the resources are not those of another project's stack with this name."""
    return all(item["urn"].startswith(prefix) for item in resources)


def revealed(value: Any) -> Any:
    """Return a value of an export with its secrets in plain text."""
    if isinstance(value, Mapping):
        if "plaintext" in value and "4dabf18193072939515e22adb298388d" in value:
            return json.loads(value["plaintext"])
        return {key: revealed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [revealed(item) for item in value]
    return value
