"""Translation of values between the engine's form and the form of the core."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pulumi
from pulumi.runtime.rpc import wrap_rpc_secret

from pulumi_vod_workflow.core.secrets import Secret
from pulumi_vod_workflow.core.values import UNKNOWN
from pulumi_vod_workflow.dynamic.sdk_compat.provider_pickle import PROVIDER_KEY

PULUMI_UNKNOWN: Final = type(pulumi.UNKNOWN)


def from_engine(properties: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the properties that the engine sent, with the core's `UNKNOWN`, without the provider.

    The provider's pickle is a property of the resource. A user's map may also have its key.
    """
    return {key: _replace_unknowns(item) for key, item in properties.items() if key != PROVIDER_KEY}


def _replace_unknowns(value: Any) -> Any:
    if isinstance(value, PULUMI_UNKNOWN):
        return UNKNOWN
    if isinstance(value, dict):
        return {key: _replace_unknowns(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_replace_unknowns(item) for item in value]
    return value


def to_engine(value: Any) -> Any:
    """Return a value with the SDK's marks for unknown and secret values."""
    if value is UNKNOWN:
        return pulumi.UNKNOWN
    # `pulumi.Output.secret` needs an event loop, and a worker thread has none (pulumi-facts B.6).
    if isinstance(value, Secret):
        return wrap_rpc_secret(to_engine(value.value))
    if isinstance(value, Mapping):
        return {key: to_engine(item) for key, item in value.items()}
    if isinstance(value, list):
        return [to_engine(item) for item in value]
    return value
