"""The type tokens of this package's resources and providers, of both hosts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

RUN_TYPE: Final = "pulumi-python:dynamic/vod:WorkflowRun"
BATCH_TYPE: Final = "pulumi-python:dynamic/vod:WorkflowBatch"
COMPLETION_TYPE: Final = "pulumi-python:dynamic/vod:WorkflowCompletion"

PACKAGED_TYPES: Final[Mapping[str, str]] = {
    RUN_TYPE: "vod:index:WorkflowRun",
    BATCH_TYPE: "vod:index:WorkflowBatch",
    COMPLETION_TYPE: "vod:index:WorkflowCompletion",
}
"""Type of a dynamic resource -> type of the same resource of the packaged provider."""

DYNAMIC_PROVIDER_KEY: Final = "__provider"
"""The property with the provider of a dynamic resource: a pickle."""

DYNAMIC_PROVIDER_TYPE: Final = "pulumi:providers:pulumi-python"
PACKAGED_PROVIDER_TYPE: Final = "pulumi:providers:vod"

_DYNAMIC_TYPES: Final = {packaged: dynamic for dynamic, packaged in PACKAGED_TYPES.items()}


def canonical_type(qualified_type: str) -> str:
    """
    Return a type of a URN with the dynamic tokens in place of the packaged tokens.

    A resource has one identity under both hosts, or a migration would start each run again (paid).
    The dynamic tokens are canonical because they are in the tokens of the first release.

    Args:
        qualified_type: the type of a resource, alone or behind the types of its parents and `$`.

    """
    types = qualified_type.split("$")
    return "$".join(_DYNAMIC_TYPES.get(one, one) for one in types)


def type_of_urn(urn: str) -> str:
    """Return the canonical type in a URN, without the types of parents; empty if it has none."""
    parts = urn.split("::", 3)
    return canonical_type(parts[2].rpartition("$")[2]) if len(parts) == 4 else ""


def is_packaged(urn: str) -> bool:
    """Return whether the resource of a URN has the packaged provider."""
    parts = urn.split("::", 3)
    return len(parts) == 4 and parts[2].rpartition("$")[2] in _DYNAMIC_TYPES


def provider_configuration(provider_type: str, inputs: Mapping[str, Any]) -> dict[str, Any] | None:
    """
    Return the configuration that a provider has in a state or a policy, by its full keys.

    The engine gives the whole configuration of the stack to the dynamic provider. The packaged
    provider has the keys of `vod:` alone, without that prefix.

    Returns:
        `None` for the provider of another package.

    """
    if provider_type == PACKAGED_PROVIDER_TYPE:
        return {f"vod:{key}": value for key, value in inputs.items()}
    return dict(inputs) if provider_type == DYNAMIC_PROVIDER_TYPE else None
