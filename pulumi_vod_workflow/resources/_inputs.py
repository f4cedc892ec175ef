"""The properties that a declaration sends to the provider: names, secrets, declaring resource."""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, ParamSpec

import pulumi
from pulumi import Input, Output, ResourceOptions

from pulumi_vod_workflow.core.resource_types import canonical_type
from pulumi_vod_workflow.core.text import property_path
from pulumi_vod_workflow.resources._outputs import is_known, value_of, without_dependencies
from pulumi_vod_workflow.resources._transforms import register_last_transform
from pulumi_vod_workflow.resources.args import ARGS

P = ParamSpec("P")

_DERIVED: Final = frozenset(
    {
        "scope",
        "secret_inputs",
        "secretInputs",
        "unknown_inputs",
        "unknownInputs",
        "client_tokens",
        "clientTokens",
        "__lines",
        "__provider",
    }
)
"""Keywords that no program may pass: this package adds the properties of these names."""

_ARGS: Final = tuple(ARGS)
_PLAIN: Final = (str, int, float, Output)


def accepts_any_keyword(init: Callable[P, None]) -> Callable[P, None]:
    """
    Return a constructor that has the signature of `init` and passes all keywords to `_declare`.

    Type checkers, `help` and the reference read the signature. The body of `init` never runs.
    The provider reports mistyped and missing keywords with all other problems, at preview.

    Raises:
        TypeError: for a keyword whose property the class itself adds. Its value would be lost.

    """

    # The SDK finds the program's line as the caller of the third `__init__` on the stack.
    @functools.wraps(init)
    def __init__(  # noqa: N807
        self: Any, resource_name: str, opts: ResourceOptions | None = None, **keywords: object
    ) -> None:
        for name in keywords:
            if name in _DERIVED:
                raise TypeError(f"{self._kind} has no argument {name!r}")
        self._declare(resource_name, opts, keywords)

    return __init__  # type: ignore[return-value]  # accepts each call of `init`


def to_plain(value: object) -> object:
    """Return an argument class as a mapping, and an awaitable as an output."""
    if inspect.isawaitable(value):
        return Output.from_input(value)  # a coroutine allows one await, and two readers follow
    if isinstance(value, _ARGS):
        value = vars(value)
    if isinstance(value, Mapping):
        return {key: item for key, item in value.items() if item is not None}
    return value


def to_property_names(declared: object, model: str, names: Mapping[str, str] | None = None) -> Any:
    """
    Return a declaration with the names that the state has.

    Args:
        declared: inputs of a run, of an item, or of all items.
        model: name of the core's model of these inputs. Nested inputs, other than triggers,
            load the models and pydantic. Without them, a program with a few plain runs starts in
            two thirds of the time.
        names: keyword -> property of the outermost keys, if the caller knows them.

    """
    declared = to_plain(declared)
    if declared is None:
        return None
    if names and isinstance(declared, Mapping) and _is_plain(declared, names):
        return {
            names[key]: dict(item) if isinstance(item, Mapping) else item
            for key, item in declared.items()
        }
    from pydantic.alias_generators import to_camel  # noqa: PLC0415 - see above

    from pulumi_vod_workflow.core.inputs import models  # noqa: PLC0415
    from pulumi_vod_workflow.core.inputs.property_names import rename_keys  # noqa: PLC0415

    return rename_keys(declared, getattr(models, model), to_camel, to_plain)


def _is_plain(declared: Mapping[str, object], names: Mapping[str, str]) -> bool:
    return all(
        key in names and (isinstance(item, _PLAIN) or (key == "triggers" and _is_flat(item)))
        for key, item in declared.items()
    )


def _is_flat(triggers: object) -> bool:
    """Return whether triggers, whose names are the user's, have plain values only."""
    return isinstance(triggers, Mapping) and all(
        isinstance(item, _PLAIN) for item in triggers.values()
    )


def rename_arguments(declared: Mapping[str, object], names: Mapping[str, str]) -> dict[str, object]:
    """Return a declaration under the names of the state; a key that is given twice stays."""
    return {
        key if names.get(key) in declared else names.get(key, key): item
        for key, item in declared.items()
    }


def validate_keys(kind: str, declared: Mapping[str, object]) -> None:
    """
    Reject maps with keys that are no strings: the SDK would fail with a traceback.

    The keys are not converted to text. The number of a row would be a name that moves from one
    video to another.

    Raises:
        pulumi.RunError: with the path of each such map, at most 10.

    """
    problems = [
        f"{path}: keys must be strings, not {types}"
        for path, types in _non_string_keys(declared, ())
    ]
    if not problems:
        return
    if any(line.startswith("items: ") for line in problems):
        problems.append(
            "hint: use an id that stays with the video as the key of its item "
            '(pandas: `df.set_index("vid", drop=False).to_dict("index")`)'
        )
    raise pulumi.RunError(f"{kind}: " + "\n".join(problems[:11]))


def _non_string_keys(value: object, path: tuple[int | str, ...]) -> Iterator[tuple[str, str]]:
    """Yield the path of each map with other keys than strings, and the types of these keys."""
    if isinstance(value, _ARGS):
        value = vars(value)
    if isinstance(value, Mapping):
        types = sorted({type(key).__name__ for key in value if not isinstance(key, str)})
        if types:
            yield property_path(*path), " or ".join(types)
        for key, item in value.items():
            if not isinstance(item, _PLAIN):
                yield from _non_string_keys(item, (*path, str(key)))
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from _non_string_keys(item, (*path, number))


def validate_options(kind: str, opts: object, *import_hints: str, can_import: bool = False) -> None:
    """
    Reject options that cannot work, before the SDK fails with a traceback.

    Args:
        kind: name of the class.
        opts: the second argument of its constructor.
        import_hints: replacements for `import_`, each an imperative sentence.
        can_import: whether `import_` works.

    Raises:
        TypeError: when the second argument is not the options.
        pulumi.RunError: for `import_`, unless it works.

    """
    if opts is not None and not isinstance(opts, ResourceOptions):
        raise TypeError(
            f"{kind}: the second argument must be ResourceOptions; pass all others by name"
        )
    # The SDK fails with `KeyError: '__provider'` (pulumi-facts B.6).
    if opts is not None and opts.import_ and not can_import:
        hints = [f"hint: {hint}" for hint in import_hints]
        raise pulumi.RunError("\n".join([f"{kind} cannot be imported", *hints]))


def _has_outputs(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_outputs, value.values()))
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return any(map(_has_outputs, value))
    if isinstance(value, Output):
        return True
    # An input class of the program or of another package.
    return any(map(_has_outputs, getattr(value, "__dict__", {}).values()))


def derived_properties(value: object) -> dict[str, Any]:
    """
    Return the properties that inform the provider about secret and lost inputs.

    The engine removes the marks of secrets. Outside a preview the engine also removes unknown
    values: those of a failed resource, with `--continue-on-error`.

    Args:
        value: all inputs of the resource.

    """
    if not _has_outputs(value):
        return {"secretInputs": None}
    whole = Output.from_input(value)

    async def is_secret() -> bool | None:
        return await whole.is_secret() or None

    async def is_lost() -> bool | None:
        return (not pulumi.runtime.is_dry_run() and not await is_known(whole)) or None

    return {
        "secretInputs": without_dependencies(is_secret),
        "unknownInputs": without_dependencies(is_lost),
    }


def resource_scope(name: str, opts: ResourceOptions | None) -> dict[str, Input[str]]:
    """Return the identity of a resource: project, stack, name, and the types of its parents."""
    identity: dict[str, Input[str]] = {
        "project": pulumi.get_project(),
        "stack": pulumi.get_stack(),
        "name": name,
    }
    parent = opts.parent if opts else None
    if parent is not None:

        async def types_of_parent() -> str:
            urn = await value_of(parent.urn)
            register_last_transform()  # after the transforms of the parent
            return canonical_type(str(urn.split("::")[2]))

        # A dependency on a component waits for its children, and this resource is one of them.
        identity["parent"] = without_dependencies(types_of_parent)
    return identity


def options_with_property_names(
    opts: ResourceOptions | None, names: Mapping[str, str], rename_path: Callable[[str], str]
) -> ResourceOptions | None:
    """Return options whose paths have the names of the state."""
    if opts is None:
        return None
    opts = ResourceOptions.merge(opts, None)
    for option in ("ignore_changes", "additional_secret_outputs"):
        paths = getattr(opts, option) or []
        setattr(opts, option, [names.get(path) or rename_path(path) for path in paths])
    return opts
