"""
The base of this package's resources: dynamic resources whose outputs are typed properties.

The SDK makes one output for each property of a resource, and awaits all of them at the end of a
program. That is most of the time that many runs cost a program (docs/upstream). A batch is one
resource.
"""

# ruff: noqa: SLF001 - a property is a part of its class
import inspect
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, get_args, get_origin

import pulumi
from pulumi import Input, Output, ResourceOptions
from pulumi.dynamic import Resource

from pulumi_vod_workflow.dynamic.sdk_compat.provider_pickle import PICKLES, register
from pulumi_vod_workflow.resources._inputs import derived_properties, resource_scope
from pulumi_vod_workflow.resources._journal_setting import warn_of_plain_password
from pulumi_vod_workflow.resources._missing_keys import (
    MissingOutputError,
    describe_names,
    with_hint,
)
from pulumi_vod_workflow.resources._transforms import options_with_last_transform


class VodResource(Resource):
    """
    A resource with one output for each annotation of its class.

    This class turns the annotations into properties, as in the SDK's generated packages. The SDK
    resolves the types of properties once, and the types of annotations again for each resource.
    Pulumi's translation of names would also rename the keys of users' maps, so each output has its
    name of the state.
    """

    _names: ClassVar[Mapping[str, str]]
    """A map from attribute to property."""
    _inputs: ClassVar[Mapping[str, str]]
    """A map from keyword to property, for each keyword whose property is also an output."""
    _kind: ClassVar[str] = "Resource"
    """The name in `PICKLES` and, unless a program's subclass gives another name, in the type."""

    def __init_subclass__(cls, module: str = "", name: str = "", **options: Any) -> None:
        super().__init_subclass__(module or "vod", name or cls._kind, **options)
        if name not in PICKLES:  # a program's subclass has the kind of its base
            return
        cls._kind = name
        annotations = inspect.get_annotations(cls)
        cls.__annotations__ = {}  # otherwise the SDK reads them again for each resource
        cls._names = {attribute: vars(cls)[attribute].name for attribute in annotations}
        keywords = inspect.signature(cls.__init__).parameters
        cls._inputs = {
            attribute: name for attribute, name in cls._names.items() if attribute in keywords
        }
        for attribute, property_name in cls._names.items():
            setattr(cls, attribute, _output(attribute, property_name, annotations[attribute]))

    _CAN_IMPORT: ClassVar[bool] = False
    """Whether the option `import_` works."""
    _HINT: ClassVar[str] = ""
    """The end of the message about a missing entry of an output."""

    if not TYPE_CHECKING:  # type checkers know the outputs

        def __getattr__(self, name: str) -> Any:
            """
            Raise an error with the names of the outputs that exist.

            Raises:
                MissingOutputError: for each name without an output.

            """
            if name.startswith("_"):
                raise AttributeError(name)
            subject = f"{self._kind} {self.pulumi_resource_name!r}"
            found = describe_names(sorted(self._names))
            raise MissingOutputError(f"{subject} has no {name!r}: {found}{self._HINT}")

    def _declaration(
        self, resource_name: str, opts: ResourceOptions | None, inputs: object
    ) -> Mapping[str, Any]:
        """Return the properties that the provider needs beside the inputs of the program."""
        return {"scope": resource_scope(resource_name, opts), **derived_properties(inputs)}

    def _register(
        self, resource_name: str, properties: Mapping[str, Any], opts: ResourceOptions | None
    ) -> None:
        """Register the resource, with an output for each property."""
        warn_of_plain_password()
        unset = dict.fromkeys(self._names.values())
        register(
            self,
            self._kind,
            resource_name,
            {**unset, **properties},
            options_with_last_transform(opts),
        )


class WaitableResource(VodResource):
    """A resource with one run or many, which a `WorkflowCompletion` can wait for."""

    def _named_runs(self, name: str | None) -> Input[Mapping[str, Any]]:
        """
        Return a map from names to the properties that find the runs.

        Args:
            name: the resource's name among others; `None` if a completion waits for it alone.

        """
        raise NotImplementedError

    def _secret_marker(self) -> Output[Any]:
        """Return an output that is secret if the resource has secret inputs."""
        raise NotImplementedError


def _output(attribute: str, name: str, of_type: Any) -> property:
    def get(resource: VodResource) -> Any:
        if not _has_parts(of_type):
            return pulumi.get(resource, name)
        outputs = vars(resource).setdefault("_outputs_with_hint", {})
        if name not in outputs:
            subject = f"{resource._kind} {resource.pulumi_resource_name!r}: {attribute}"
            add_hint = partial(with_hint, subject=subject, hint=resource._HINT)
            outputs[name] = pulumi.get(resource, name).apply(add_hint)
        return outputs[name]

    get.__annotations__ = {"return": of_type}
    return property(pulumi.getter(name=name)(get))


def _has_parts(annotation: Any) -> bool:
    """Return whether an output is a list or a map."""
    if get_origin(annotation) in (Sequence, Mapping):
        return True
    return any(map(_has_parts, get_args(annotation)))
