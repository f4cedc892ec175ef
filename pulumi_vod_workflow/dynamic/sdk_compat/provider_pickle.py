"""
The provider of a resource, as the SDK's dynamic provider host loads it: a pickle in each state.

Private part: the property `__provider` and the type that `pulumi.dynamic.Resource` gives to its
base class. Both are written here, past the constructor of that class, which pickles a provider.
Buys: the same text in every state, whatever the versions of Python and of the SDK's pickling;
and a program that loads and pickles no provider.
Without it: the SDK pickles the provider. A program starts later, and another text shows as an
update, which is free.
Tested on: 3.268.0 and 3.272.0.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

from pulumi import CustomResource, ResourceOptions, dynamic
from pulumi.dynamic import Resource

PROVIDER_KEY: Final = "__provider"
"""The property of a dynamic resource that has its provider."""
PICKLES: Final[Mapping[str, str]] = {
    "WorkflowRun": (
        "gASVPAAAAAAAAACMHXB1bHVtaV92b2Rfd29ya2Zsb3cuX3Byb3ZpZGVylIwTV29ya2Zsb3dSdW5Qcm92aWRlcp"
        "STlCmBlC4="
    ),
    "WorkflowBatch": (
        "gASVRAAAAAAAAACMI3B1bHVtaV92b2Rfd29ya2Zsb3cuX2JhdGNoX3Byb3ZpZGVylIwVV29ya2Zsb3dCYXRjaF"
        "Byb3ZpZGVylJOUKYGULg=="
    ),
    "WorkflowCompletion": (
        "gASVTgAAAAAAAACMKHB1bHVtaV92b2Rfd29ya2Zsb3cuX2NvbXBsZXRpb25fcHJvdmlkZXKUjBpXb3JrZmxvd0"
        "NvbXBsZXRpb25Qcm92aWRlcpSTlCmBlC4="
    ),
}
"""
Resource -> its provider as the SDK pickles it: a reference to the class, by name.

FROZEN: the same text is in every state.
"""
CLASSES: Final[Mapping[str, tuple[str, str]]] = {
    "WorkflowRun": ("pulumi_vod_workflow._provider", "WorkflowRunProvider"),
    "WorkflowBatch": ("pulumi_vod_workflow._batch_provider", "WorkflowBatchProvider"),
    "WorkflowCompletion": (
        "pulumi_vod_workflow._completion_provider",
        "WorkflowCompletionProvider",
    ),
}
"""Resource -> its provider's module and class. FROZEN: these names are in the pickles."""


def register(
    resource: Resource,
    kind: str,
    name: str,
    properties: Mapping[str, Any],
    opts: ResourceOptions | None,
) -> None:
    """
    Register a dynamic resource with the engine.

    Args:
        resource: the resource, whose constructor this call takes the place of.
        kind: which of `PICKLES` is its provider.
        name: its name in the stack.
        properties: its inputs, and `None` for each output that it is to have.
        opts: Pulumi's options.

    """
    resource_type = dynamic_type(resource)
    key = getattr(getattr(dynamic, "dynamic", None), "PROVIDER_KEY", None)
    if resource_type is not None and key == PROVIDER_KEY:
        pickled = {**properties, PROVIDER_KEY: PICKLES[kind]}
        CustomResource.__init__(resource, resource_type, name, pickled, opts)
        return
    module, provider = CLASSES[kind]
    Resource.__init__(
        resource, getattr(import_module(module), provider)(), name, dict(properties), opts
    )


def dynamic_type(resource: Resource) -> str | None:
    """Return the type of a dynamic resource; `None` if the SDK names its type elsewhere."""
    name = getattr(resource, "_resource_type_name", None)
    return None if name is None else f"pulumi-python:{name}"


def is_ours(properties: Mapping[str, Any]) -> bool:
    """Return whether the provider of a registered resource is one of this package."""
    text = properties.get(PROVIDER_KEY)
    if not isinstance(text, str):
        return False
    pickle = base64.b64decode(text)
    return any(name.encode() in pickle for _, name in CLASSES.values())
