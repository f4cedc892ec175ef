"""
The transforms that a program has registered by now.

Private part: the SDK's callback servers with their transforms, and the transformations that a
resource inherits from its parent.
Buys: the last transform of a resource sees what all others have added. A secret that a transform
of a component or of the stack adds is then kept out of messages and state, and a lost value that
such a transform adds is refused.
Without it: a secret that such a transform adds is encrypted as an input only, not in what is made
of it. A lost value that such a transform adds is not noticed.
Tested on: 3.268.0 and 3.272.0.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from pulumi import ResourceOptions
from pulumi.runtime import get_root_resource, settings
from pulumi.runtime.proto import resource_pb2

_followed: WeakKeyDictionary[asyncio.AbstractEventLoop, int] = WeakKeyDictionary()
"""The event loop of a program -> how many transforms of the stack `run_last` has followed there."""


def run_last(transform: Callable[..., Any], own: Callable[..., Any]) -> None:
    """
    Have the engine run `transform` after every transform of the stack that is registered by now.

    Args:
        transform: a transform of resources; the engine gets it again after later transforms.
        own: the transform that marks a server as that of single resources, not of the stack.

    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # no program
        return
    found = [
        (server, transforms)
        for server in _servers()
        if getattr(server, "_loop", None) is loop
        and (transforms := getattr(server, "_transforms", None))
        and own not in transforms
    ]
    count = sum(len(transforms.keys() - {transform}) for _, transforms in found)
    if count and _followed.get(loop) != count:
        found[-1][0].register_stack_transform(transform)
        _followed[loop] = count


def _servers() -> tuple[Any, ...]:
    """Return the callback servers: the SDK has one for each context that registers a transform."""
    try:
        from pulumi.runtime._callbacks import _CallbackServicer  # noqa: PLC0415 - may be missing
    except ImportError:
        return ()
    return tuple(getattr(_CallbackServicer, "_servicers", ()))


def may_be_transformed(opts: ResourceOptions | None) -> bool:
    """Return whether a resource with these options has transforms, its own or its parents'."""
    parent = (opts.parent if opts else None) or get_root_resource()
    local = (opts.transformations if opts else None) or getattr(parent, "_transformations", None)
    own = opts.transforms if opts else None
    feature = resource_pb2.RESOURCE_MONITOR_FEATURE_TRANSFORMS
    supports = getattr(settings, "monitor_supports_feature", lambda _: False)
    return bool((local or own) and supports(feature))
