"""
Detection of secret and lost inputs that a transform adds to a resource.

The engine runs transforms after the resource class has read its inputs. Before the engine calls a
provider, it removes unknown values outside a preview, and the marks of secrets for a dynamic
provider. So only a transform that runs after all other transforms can detect these values:
`mark_inputs`. The engine runs the transforms of the resource first, then those of its components.
Those of the stack follow, in the order of their registration.

A program without transforms does not register `mark_inputs`, which saves its time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from pulumi import Output, ResourceOptions, ResourceTransformArgs, ResourceTransformResult
from pulumi.runtime import is_dry_run
from pulumi.runtime.rpc import UNKNOWN, is_rpc_secret

from pulumi_vod_workflow.core.resource_types import PACKAGED_TYPES
from pulumi_vod_workflow.dynamic.sdk_compat.program_transforms import may_be_transformed, run_last
from pulumi_vod_workflow.dynamic.sdk_compat.provider_pickle import is_ours
from pulumi_vod_workflow.resources._outputs import is_known, value_of


async def mark_inputs(args: ResourceTransformArgs) -> ResourceTransformResult | None:
    """Mark a resource of this package whose inputs are secret or lost."""
    props = args.props
    if not is_ours(props) and args.type_ not in PACKAGED_TYPES.values():
        return None
    found = {}
    if props.get("secretInputs") is not True and await _any_part(props, _is_secret):
        found["secretInputs"] = True
    # A preview sends unknown values to the provider as such.
    if not is_dry_run() and await _any_part(props, _is_unknown):
        found["unknownInputs"] = True
    return ResourceTransformResult({**props, **found}, args.opts) if found else None


async def _is_secret(value: object) -> bool:
    # The mark of the wire format comes from another transform, an output from the program.
    return is_rpc_secret(value) or (isinstance(value, Output) and await value.is_secret())


async def _is_unknown(value: object) -> bool:
    return value == UNKNOWN or (isinstance(value, Output) and not await is_known(value))


async def _any_part(value: object, test: Callable[[object], Awaitable[bool]]) -> bool:
    """Return whether a value or any of its parts passes the test."""
    if await test(value):
        return True
    if isinstance(value, Output):
        return await _any_part(await value_of(value), test)
    if isinstance(value, Mapping):
        value = [*value.values()]
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        for item in value:
            if await _any_part(item, test):
                return True
    return False


async def mark_inputs_last(args: ResourceTransformArgs) -> ResourceTransformResult | None:
    """Run `mark_inputs` as a transform of the stack."""
    return await mark_inputs(args)


def register_last_transform() -> None:
    """Register `mark_inputs_last` after all transforms that are already registered."""
    run_last(mark_inputs_last, mark_inputs)


def options_with_last_transform(opts: ResourceOptions | None) -> ResourceOptions | None:
    """Return options with a transform that detects the secrets of other transforms."""
    register_last_transform()
    if not may_be_transformed(opts):
        return opts
    return ResourceOptions.merge(opts, ResourceOptions(transforms=[mark_inputs]))
