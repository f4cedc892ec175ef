"""
What the resources of this package are: dynamic ones whose outputs are typed properties.

The SDK makes an output for each property of a resource, and waits for all of them at the program's
end: that is most of what many runs cost a program (docs/upstream). A batch is one resource.
"""

# ruff: noqa: SLF001 - a property is a part of its class
import inspect
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, get_args, get_origin

import pulumi
from pulumi import ResourceOptions
from pulumi.dynamic import Resource

from pulumi_vod_workflow.dynamic.sdk_compat.provider_pickle import PICKLES, register
from pulumi_vod_workflow.resources._missing_keys import MissingError, explained, names
from pulumi_vod_workflow.resources._transforms import followed


class VodResource(Resource):
    """
    A resource whose annotations are its outputs.

    They become properties, as in the SDK's own generated packages: it works out the types of
    properties once, those of annotations again for each resource. Pulumi's own translation of names
    would also reach the keys of users' maps, so an output is under its name in the state.
    """

    _names: ClassVar[Mapping[str, str]]
    """Attribute -> property."""
    _inputs: ClassVar[Mapping[str, str]]
    """Keyword -> property, of each keyword whose property is an output, too."""
    _kind: ClassVar[str] = "Resource"
    """Its name in `PICKLES`, and in its type unless a program gives its own class another."""

    def __init_subclass__(cls, module: str = "", name: str = "", **options: Any) -> None:
        super().__init_subclass__(module or "vod", name or cls._kind, **options)
        if name not in PICKLES:  # a program's own: of the same kind
            return
        cls._kind = name
        annotations = inspect.get_annotations(cls)
        cls.__annotations__ = {}  # else the SDK reads them again for each resource
        cls._names = {attribute: vars(cls)[attribute].name for attribute in annotations}
        given = inspect.signature(cls.__init__).parameters
        cls._inputs = {name: spelled for name, spelled in cls._names.items() if name in given}
        for attribute, spelled_name in cls._names.items():
            setattr(cls, attribute, _output(attribute, spelled_name, annotations[attribute]))

    _HINT: ClassVar[str] = ""
    """Follows what a missing entry of an output says."""

    if not TYPE_CHECKING:  # type checkers know which outputs there are

        def __getattr__(self, name: str) -> Any:
            """Name the outputs that exist, for there is none of this name."""
            if name.startswith("_"):
                raise AttributeError(name)
            what = f"{self._kind} {self.pulumi_resource_name!r}"
            raise MissingError(f"{what} has no {name!r}: {names(sorted(self._names))}{self._HINT}")

    def _register(
        self, resource_name: str, properties: Mapping[str, Any], opts: ResourceOptions | None
    ) -> None:
        """Register it, with an output for each property; what the engine answers fills them in."""
        unset = dict.fromkeys(self._names.values())
        register(self, self._kind, resource_name, {**unset, **properties}, followed(opts))


def _output(attribute: str, name: str, of_type: Any) -> property:
    def get(resource: VodResource) -> Any:
        if not _has_parts(of_type):
            return pulumi.get(resource, name)
        looked_at = vars(resource).setdefault("_looked_at", {})
        if name not in looked_at:
            what = f"{resource._kind} {resource.pulumi_resource_name!r}: {attribute}"
            told = partial(explained, what=what, hint=resource._HINT)
            looked_at[name] = pulumi.get(resource, name).apply(told)
        return looked_at[name]

    get.__annotations__ = {"return": of_type}
    return property(pulumi.getter(name=name)(get))


def _has_parts(annotation: Any) -> bool:
    """Tell whether an output is a list or a map."""
    if get_origin(annotation) in (Sequence, Mapping):
        return True
    return any(map(_has_parts, get_args(annotation)))
