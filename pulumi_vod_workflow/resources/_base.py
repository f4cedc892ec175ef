"""
What the resources of this package are: dynamic ones that cost a program as little as can be.

A program loads no provider: it names it (`PICKLES`), and the SDK's host loads it. And the SDK makes
an output for each property of a resource: four futures and a task, which the program waits for at
its end; with the thirty of a run that is more than all else. So outputs are made when something
looks at them (`LateOutput`).
"""

# ruff: noqa: SLF001 - an output's parts are ours here
import inspect
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar, Final, SupportsIndex, get_args, get_origin

import pulumi
from pulumi import CustomResource, Output, ResourceOptions
from pulumi.dynamic import Resource
from pulumi.runtime import resource as runtime_resource
from pulumi.runtime import rpc
from pulumi.runtime.proto import source_pb2

from pulumi_vod_workflow.resources._missing_keys import MissingError, explained, names
from pulumi_vod_workflow.resources._transforms import followed

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

FROZEN, as in every state. Kept as text, it is also the same whatever the versions of Python and of
the SDK's pickling: another one would show as a change of every resource.
"""


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
        cls.__annotations__ = {}
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
        """
        Register it, with an output for each property; what the engine answers fills them in.

        No constructor: where its traces cannot be ours, the SDK takes who calls the third from its
        own for the program.
        """
        unset = dict.fromkeys(self._names.values())
        pickled = {"__provider": PICKLES[self._kind]}
        CustomResource.__init__(
            self,
            f"pulumi-python:{self._resource_type_name}",
            resource_name,
            {**unset, **properties, **pickled},
            followed(opts),
        )
        for output in vars(self).values():
            if isinstance(output, Output) and not isinstance(output, LateOutput):
                _untracked(output)


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


class LateOutput(Output[Any]):
    """
    A property of a resource, which becomes an output of the SDK's when something looks at it.

    What the SDK keeps in an output is private, and differs from version to version: the first time
    that any of it is missed, the SDK makes an output, and this one takes all it has, its class too.
    """

    def __init__(self, resource: Resource, name: str) -> None:
        self._late = (resource, name)
        self._told: tuple[Any, ...] | None = None
        self._resolve: Callable[..., None] | None = None

    def __getattr__(self, item: str) -> Any:
        """Become an output, for one's own is missing."""
        if item.startswith("__"):
            raise AttributeError(item)
        return getattr(_become(self), item)

    def _untrack(self) -> None:  # here and not when it is missed: the SDK holds a lock then
        _become(self)
        Output._untrack(self)

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        """Let nobody's pickle hold this class: a program's own provider may capture an output."""
        return _become(self).__reduce_ex__(protocol)


def _become(output: LateOutput) -> Output[Any]:
    resource, name = output._late
    output._resolve = _SDKS(resource, {name: None}, custom=True)[name]
    made = vars(resource)[name]
    _untracked(made)
    vars(resource)[name] = output
    vars(output).update(vars(made))
    output.__class__ = Output  # type: ignore[assignment]  # as it is from now on
    if output._told is not None:
        output._resolve(*output._told)
    return output


def _settle(output: LateOutput, *told: Any) -> None:
    """Take what the engine has answered, or that it failed: what the SDK calls a resolver."""
    if output._resolve:
        output._resolve(*told)
    else:
        output._told = told


def transfer_properties(
    res: Resource,
    props: Mapping[str, Any],
    custom: bool,  # noqa: FBT001 - the SDK's
) -> dict[str, Any]:
    """Put the outputs of a resource in their places, and return what settles them, by property."""
    if not isinstance(res, VodResource):
        transferred: dict[str, Any] = _SDKS(res, props, custom)
        return transferred
    outputs = {name: LateOutput(res, name) for name in props if name not in {"urn", "id"}}
    vars(res).update(outputs)
    return {name: partial(_settle, output) for name, output in outputs.items()}


def _untracked(output: Any) -> None:
    """
    Spare the SDK waiting for an output for its own sake, where the SDK in use knows how to.

    At a program's end it waits for every output there is, each time all of them. The registration,
    which it waits for as well, settles them; what is made of them (`apply`, exports) is waited for
    as ever.
    """
    untrack = getattr(type(output), "_untrack", None)  # of the class: an output has any attribute
    if untrack is not None:
        untrack(output)


def _get_stack_trace() -> Any:
    """
    Return how the program came to declare a resource: the program's calls, the latest first.

    The SDK has those of this package and of what runs the program, too. The engine writes a trace
    again with each resource that follows: that is more than all else that a run has in a state.
    """
    frame = _above(inspect.currentframe())
    if frame is None or not isinstance(frame.f_locals.get("res"), VodResource):
        return _SDKS_TRACE()
    calls = []
    while _is_of(frame, {"pulumi", "pulumi_vod_workflow"}):
        frame = _above(frame)
    while frame is not None and not _is_of(frame, {"runpy", "pulumi", "asyncio"}):
        calls.append(source_pb2.StackFrame(pc=_position(frame)))
        frame = _above(frame)
    return source_pb2.StackTrace(frames=calls)


def _above(frame: FrameType | None) -> FrameType | None:
    return None if frame is None else frame.f_back


def _is_of(frame: FrameType | None, packages: AbstractSet[str]) -> bool:
    name = "" if frame is None else str(frame.f_globals.get("__name__"))
    return name.partition(".")[0] in packages


def _position(frame: FrameType) -> Any:
    """Return where a call is, if that is a file."""
    path = Path(frame.f_code.co_filename)
    if not path.is_absolute():
        return None
    return source_pb2.SourcePosition(uri=path.as_uri(), line=frame.f_lineno)


# The SDK offers no way in: what it calls for each resource to make its outputs, and its trace, is
# replaced where it is as expected. What was there is kept with it: this module may be loaded again.
def _replaced(module: Any, ours: Callable[..., Any]) -> Any:
    """Put ours in the place of the SDK's function of that name, and return that one."""
    found = getattr(module, ours.__name__, None)
    sdks = getattr(found, "replaced", found)
    if sdks and [*inspect.signature(sdks).parameters] == [*inspect.signature(ours).parameters]:
        vars(ours)["replaced"] = sdks
        setattr(module, ours.__name__, ours)
    return sdks


_SDKS: Final = _replaced(rpc, transfer_properties)
_SDKS_TRACE: Final = _replaced(runtime_resource, _get_stack_trace)
