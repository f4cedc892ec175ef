"""
Secrets that a transform adds to a resource.

The engine runs transforms after the resource class has seen its inputs, and removes the marks of
secrets before it calls a dynamic provider. So only a transform that runs after all others can see
whether anything is secret: `mark_secrets`. The engine runs the transforms of the resource first,
then those of its components, then those of the stack in the order of their registration.

Programs without transforms pay nothing: `mark_secrets` is not registered there.

Private parts of the SDK: the callback servers of a program and their transforms, the inherited
transformations of a parent (3.268 to 3.272). Where they are missing, a secret that a component's or
the stack's transform adds is encrypted as an input only, not in what is made of it.
"""

from __future__ import annotations

# ruff: noqa: SLF001 - see above
import asyncio
from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

from pulumi import Output, ResourceOptions, ResourceTransformArgs, ResourceTransformResult
from pulumi.runtime import _callbacks, get_root_resource, settings
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.rpc import is_rpc_secret

_followed: WeakKeyDictionary[asyncio.AbstractEventLoop, int] = WeakKeyDictionary()
"""The event loop of a program -> how many transforms `mark_secrets_last` follows there."""


async def mark_secrets(args: ResourceTransformArgs) -> ResourceTransformResult | None:
    """Add to a resource of this package that some of its inputs are secret, if they are."""
    from pulumi_vod_workflow.resources.vod_resource import PICKLES  # noqa: PLC0415 - a cycle

    props = args.props
    ours = props.get("__provider") in PICKLES.values()
    if not ours or props.get("secretInputs") is True or not await _is_secret(props):
        return None
    return ResourceTransformResult({**props, "secretInputs": True}, args.opts)


async def _is_secret(value: object) -> bool:
    if is_rpc_secret(value):  # what another transform has added
        return True
    if isinstance(value, Output):  # what the program has declared
        return await value.is_secret() or await _is_secret(await value.future())
    if isinstance(value, Mapping):
        value = [*value.values()]
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        for item in value:
            if await _is_secret(item):
                return True
    return False


async def mark_secrets_last(args: ResourceTransformArgs) -> ResourceTransformResult | None:
    """Do the same as a transform of the stack."""
    return await mark_secrets(args)


def follow() -> None:
    """Have the engine run `mark_secrets_last` after every transform that is registered by now."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # no program
        return
    # The SDK has a callback server for each context that registers a transform.
    servers = getattr(_callbacks._CallbackServicer, "_servicers", ())
    found = [
        (server, transforms)
        for server in servers
        if getattr(server, "_loop", None) is loop
        and (transforms := getattr(server, "_transforms", None))
        and mark_secrets not in transforms  # else those of a resource's own options
    ]
    count = sum(len(transforms.keys() - {mark_secrets_last}) for _, transforms in found)
    if count and _followed.get(loop) != count:
        found[-1][0].register_stack_transform(mark_secrets_last)
        _followed[loop] = count


def followed(opts: ResourceOptions | None) -> ResourceOptions | None:
    """Return options with which the engine sees the secrets that transforms add."""
    follow()
    parent = (opts.parent if opts else None) or get_root_resource()
    local = (opts.transformations if opts else None) or getattr(parent, "_transformations", None)
    own = opts.transforms if opts else None
    feature = resource_pb2.RESOURCE_MONITOR_FEATURE_TRANSFORMS
    if not (local or own) or not settings.monitor_supports_feature(feature):
        return opts
    return ResourceOptions.merge(opts, ResourceOptions(transforms=[mark_secrets]))
