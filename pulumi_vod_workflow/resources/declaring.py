"""How a declaration reaches the provider: names, secrets, and who declares it."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import pulumi
from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import Resource
from pydantic.alias_generators import to_camel

from pulumi_vod_workflow.core.inputs import Model, respell
from pulumi_vod_workflow.resources.args import ARGS

_ARGS = tuple(ARGS)


def unwrapped(value: object) -> object:
    """Return an argument class as a mapping, and what can be awaited as an output."""
    if inspect.isawaitable(value):
        return Output.from_input(value)  # can be awaited once only, and is looked at twice
    if isinstance(value, _ARGS):
        value = vars(value)
    if isinstance(value, Mapping):
        return {key: item for key, item in value.items() if item is not None}
    return value


def spelled(declared: object, model: type[Model]) -> Any:
    """Return what a program declares, spelled as in state."""
    return respell(declared, model, to_camel, unwrapped)


def check_options(kind: str, opts: object, instead: str) -> None:
    """
    Refuse what cannot be meant, before it ends in a traceback of somebody else's.

    Raises:
        TypeError: when the second argument is not the options.
        pulumi.RunError: for `import_`, which dynamic resources do not have.

    """
    if opts is not None and not isinstance(opts, ResourceOptions):
        raise TypeError(f"{kind}'s second argument is its opts; all others go by name")
    if opts is not None and opts.import_:
        raise pulumi.RunError(f"{kind} cannot be imported: {instead}")


def _has_outputs(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_outputs, value.values()))
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return any(map(_has_outputs, value))
    return isinstance(value, Output)


def if_secret(value: object) -> Output[bool | None] | None:
    """Tell whether any part of `value` is secret, without becoming secret itself."""
    if not _has_outputs(value):
        return None
    whole = Output.from_input(value)

    async def told() -> bool | None:
        return await whole.is_secret() or None

    async def known() -> bool:
        return True

    return Output(set(), told(), known())


def scope(name: str, opts: ResourceOptions | None) -> dict[str, Input[str]]:
    """Tell resources of one name under different parents apart, as their URNs do."""
    who: dict[str, Input[str]] = {
        "project": pulumi.get_project(),
        "stack": pulumi.get_stack(),
        "name": name,
    }
    parent = opts.parent if opts else None
    if parent is not None:
        # Without its dependency: waiting for a component waits for its children, this one too.
        urn: Any = parent.urn.future()
        alone = Output[str](set(), urn, parent.urn.is_known())
        who["parent"] = alone.apply(lambda urn: urn.split("::")[2])
    return who


def respelled(
    opts: ResourceOptions | None, names: Mapping[str, str], respell_path: Callable[[str], str]
) -> ResourceOptions | None:
    """Return options whose paths are spelled as in state."""
    if opts is None:
        return None
    opts = ResourceOptions.merge(opts, None)
    for option in ("ignore_changes", "additional_secret_outputs"):
        paths = getattr(opts, option) or []
        setattr(opts, option, [names.get(path) or respell_path(path) for path in paths])
    return opts


class VodResource(Resource):
    """
    A resource whose annotations are its outputs.

    They become properties, as in the SDK's own generated packages: it works out the types of
    properties once, those of annotations again for each resource. Pulumi's own translation of names
    would also reach the keys of users' maps, so an output is under its name in the state.
    """

    _names: ClassVar[Mapping[str, str]]
    """Attribute -> property."""

    def __init_subclass__(cls, module: str = "", name: str = "Resource", **options: Any) -> None:
        super().__init_subclass__(module, name, **options)
        annotations = inspect.get_annotations(cls)
        cls.__annotations__ = {}
        cls._names = {attribute: to_camel(attribute) for attribute in annotations}
        for attribute, spelled_name in cls._names.items():
            setattr(cls, attribute, _output(spelled_name, annotations[attribute]))

    def _leave_to_the_registration(self) -> None:
        """See `_untracked`."""
        for spelled_name in self._names.values():
            _untracked(vars(self)[spelled_name])


def _output(name: str, of_type: Any) -> property:
    def get(resource: Resource) -> Any:
        return pulumi.get(resource, name)

    get.__annotations__ = {"return": of_type}
    return property(pulumi.getter(name=name)(get))


def _untracked(output: Any) -> None:
    """
    Spare the SDK waiting for an output for its own sake, where the SDK in use knows how to.

    At a program's end it waits for every output there is, each time all of them: with thirty for a
    resource, five hundred resources take twice the time. The registration, which it waits for as
    well, settles them; what is made of them (`apply`, exports) is waited for as ever.
    """
    untrack = getattr(type(output), "_untrack", None)  # of the class: an output has any attribute
    if untrack is not None:
        untrack(output)
