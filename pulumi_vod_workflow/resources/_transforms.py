"""
Secrets, and values of failed resources, that a transform adds to a resource.

The engine runs transforms after the resource class has seen its inputs. Before it calls a dynamic
provider it removes the marks of secrets, and outside a preview unknown values. So only a transform
that runs after all others can see them: `mark_inputs`. The engine runs the transforms of the
resource first, then those of its components, then those of the stack in the order of their
registration.

Programs without transforms pay nothing: `mark_inputs` is not registered there.

Private parts of the SDK: the callback servers of a program and their transforms, the inherited
transformations of a parent (3.268 to 3.272). Where they are missing, a secret that a component's or
the stack's transform adds is encrypted as an input only, not in what is made of it, and a lost
value that such a transform adds is not noticed.
"""

from __future__ import annotations

# ruff: noqa: SLF001 - see above
import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from weakref import WeakKeyDictionary

from pulumi import Output, ResourceOptions, ResourceTransformArgs, ResourceTransformResult
from pulumi.runtime import _callbacks, get_root_resource, is_dry_run, settings
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.rpc import UNKNOWN, is_rpc_secret

_followed: WeakKeyDictionary[asyncio.AbstractEventLoop, int] = WeakKeyDictionary()
"""The event loop of a program -> how many transforms `mark_inputs_last` follows there."""


async def mark_inputs(args: ResourceTransformArgs) -> ResourceTransformResult | None:
    """Add to a resource of this package whether some of its inputs are secret, or lost."""
    from pulumi_vod_workflow.resources._base import PICKLES  # noqa: PLC0415 - a cycle

    props = args.props
    if props.get("__provider") not in PICKLES.values():
        return None
    found = {}
    if props.get("secretInputs") is not True and await _any(props, _is_secret):
        found["secretInputs"] = True
    # A preview sends unknown values to the provider as such.
    if not is_dry_run() and await _any(props, _is_unknown):
        found["unknownInputs"] = True
    return ResourceTransformResult({**props, **found}, args.opts) if found else None


async def _is_secret(value: object) -> bool:
    # What another transform has added, or what the program has declared.
    return is_rpc_secret(value) or (isinstance(value, Output) and await value.is_secret())


async def _is_unknown(value: object) -> bool:
    return value == UNKNOWN or (isinstance(value, Output) and not await value.is_known())


async def _any(value: object, test: Callable[[object], Awaitable[bool]]) -> bool:
    """Tell whether the test holds for a value or any of its parts."""
    if await test(value):
        return True
    if isinstance(value, Output):
        return await _any(await value.future(), test)
    if isinstance(value, Mapping):
        value = [*value.values()]
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        for item in value:
            if await _any(item, test):
                return True
    return False


async def mark_inputs_last(args: ResourceTransformArgs) -> ResourceTransformResult | None:
    """Do the same as a transform of the stack."""
    return await mark_inputs(args)


def follow() -> None:
    """Have the engine run `mark_inputs_last` after every transform that is registered by now."""
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
        and mark_inputs not in transforms  # else those of a resource's own options
    ]
    count = sum(len(transforms.keys() - {mark_inputs_last}) for _, transforms in found)
    if count and _followed.get(loop) != count:
        found[-1][0].register_stack_transform(mark_inputs_last)
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
    return ResourceOptions.merge(opts, ResourceOptions(transforms=[mark_inputs]))
