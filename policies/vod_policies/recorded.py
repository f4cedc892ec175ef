"""
What the stack's state holds of runs and batches: a policy sees what is declared, not that.

It is asked of the engine, as `pulumi stack export` does, before the operation does anything. Secret
inputs are asked for in the clear, because they are compared; they stay in this process, which gets
those of the declaration in the clear, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pulumi import automation as auto

from vod_policies.declared import BATCH, RUN

_REPLACED: Final = ("delete", "external", "pendingReplacement", "taint")
"""Marks of what does not stand for a declaration, or is to be replaced in any case."""


class RecordError(Exception):
    """The state could not be read, and what to do about it."""


def recorded(urn: str, organization: str | None = None) -> dict[str, Mapping[str, Any]]:
    """
    Return URN -> outputs of each run and batch in the state of the stack that a URN is of.

    Args:
        urn: of any of the stack's resources.
        organization: where it is not the default one.

    Raises:
        RecordError: when the engine does not tell.

    """
    qualified, project, *_ = urn.split("::")
    stack = qualified.removeprefix("urn:pulumi:")
    # By its name alone it is found from the project's folder, in the default organization. Backends
    # other than Pulumi Cloud call their only organization so.
    names = [f"{organization or 'organization'}/{project}/{stack}"]
    for name in names if organization else [stack, *names]:
        resources = _exported(name)
        if resources is not None and _are_of(resources, f"{qualified}::{project}::"):
            return {
                item["urn"]: revealed(item.get("outputs") or {})
                for item in resources
                if item["type"] in {RUN, BATCH} and not any(item.get(mark) for mark in _REPLACED)
            }
    raise RecordError(
        f"`pulumi stack export --show-secrets --stack {name}` does not find it here, so that every "
        "declared run is counted; see `organization` in the pack's README.md"
    )


def _exported(name: str) -> list[dict[str, Any]] | None:
    """Return a stack's resources, `None` if the engine does not."""
    try:
        exported = auto.LocalWorkspace(work_dir=str(Path.cwd())).export_stack(name)
    except (auto.CommandError, OSError, ValueError):
        return None  # the error's text may have anything in it
    return (exported.deployment or {}).get("resources") or []


def _are_of(resources: Sequence[Mapping[str, Any]], prefix: str) -> bool:
    """Tell whether this is not a stack of the same name in another project."""
    return all(item["urn"].startswith(prefix) for item in resources)


def revealed(value: Any) -> Any:
    """Return a value of an export with its secrets as what they are."""
    if isinstance(value, Mapping):
        if "plaintext" in value and "4dabf18193072939515e22adb298388d" in value:
            return json.loads(value["plaintext"])
        return {key: revealed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [revealed(item) for item in value]
    return value
