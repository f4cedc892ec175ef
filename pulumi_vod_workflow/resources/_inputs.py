"""How a declaration reaches the provider: names, secrets, and who declares it."""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, ParamSpec

import pulumi
from pulumi import Input, Output, ResourceOptions

from pulumi_vod_workflow.core.text import property_path
from pulumi_vod_workflow.resources._outputs import alone, is_known, value_of
from pulumi_vod_workflow.resources._transforms import follow
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
"""Keywords that no program gives: this package adds the properties of these names."""

_ARGS: Final = tuple(ARGS)
_PLAIN: Final = (str, int, float, Output)


def accepts_any_keyword(init: Callable[P, None]) -> Callable[P, None]:
    """
    Return a constructor that has the signature of `init` and hands all keywords to `_declare`.

    Type checkers, `help` and the reference see the signature. The body of `init` never runs: the
    provider checks mistyped and missing keywords with all other problems, at preview.

    Raises:
        TypeError: for a keyword whose property the class itself adds. It would be lost.

    """

    # The SDK takes the caller of the third `__init__` on the stack for the program.
    @functools.wraps(init)
    def __init__(  # noqa: N807
        self: Any, resource_name: str, opts: ResourceOptions | None = None, **given: object
    ) -> None:
        for name in given:
            if name in _DERIVED:
                raise TypeError(f"{self._kind} has no argument {name!r}")
        self._declare(resource_name, opts, given)

    return __init__  # type: ignore[return-value]  # it takes all that `init` takes


def unwrapped(value: object) -> object:
    """Return an argument class as a mapping, and what can be awaited as an output."""
    if inspect.isawaitable(value):
        return Output.from_input(value)  # can be awaited once only, and is looked at twice
    if isinstance(value, _ARGS):
        value = vars(value)
    if isinstance(value, Mapping):
        return {key: item for key, item in value.items() if item is not None}
    return value


def spelled(declared: object, model: str, names: Mapping[str, str] | None = None) -> Any:
    """
    Return what a program declares, spelled as in state.

    Args:
        declared: what it is.
        model: name of the core's model of it. The models, and with them pydantic, are loaded for
            what has parts: without, a program with a few plain runs starts in two thirds the time.
        names: how its own keys are spelled, if they are known without the model.

    """
    declared = unwrapped(declared)
    if names and isinstance(declared, Mapping) and _is_plain(declared, names):
        return {names[key]: item for key, item in declared.items()}
    from pydantic.alias_generators import to_camel  # noqa: PLC0415 - see above

    from pulumi_vod_workflow.core.inputs import models  # noqa: PLC0415
    from pulumi_vod_workflow.core.inputs.property_names import rename_keys  # noqa: PLC0415

    return rename_keys(declared, getattr(models, model), to_camel, unwrapped)


def _is_plain(declared: Mapping[str, object], names: Mapping[str, str]) -> bool:
    return all(key in names and isinstance(item, _PLAIN) for key, item in declared.items())


def respelled_keys(declared: Mapping[str, object], names: Mapping[str, str]) -> dict[str, object]:
    """Return what is declared under the names of the state; a key that is given twice stays."""
    return {
        key if names.get(key) in declared else names.get(key, key): item
        for key, item in declared.items()
    }


def check_keys(kind: str, declared: Mapping[str, object]) -> None:
    """
    Refuse maps with keys that are no strings, which the SDK answers with a traceback.

    They are not converted: a row's number would be a name that moves from video to video.

    Raises:
        pulumi.RunError: with the path of each such map, at most 10.

    """
    wrong = [f"{path}: its keys must be strings, not {of}" for path, of in _misnamed(declared, ())]
    if not wrong:
        return
    if any(line.startswith("items: ") for line in wrong):
        wrong.append(
            "hint: a key names its item for good, so take an id that stays with the video "
            '(pandas: `df.set_index("vid", drop=False).to_dict("index")`)'
        )
    raise pulumi.RunError(f"{kind}: " + "\n".join(wrong[:11]))


def _misnamed(value: object, where: tuple[int | str, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(value, _ARGS):
        value = vars(value)
    if isinstance(value, Mapping):
        kinds = sorted({type(key).__name__ for key in value if not isinstance(key, str)})
        if kinds:
            yield property_path(*where), " or ".join(kinds)
        for key, item in value.items():
            if not isinstance(item, _PLAIN):
                yield from _misnamed(item, (*where, str(key)))
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from _misnamed(item, (*where, number))


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
    if isinstance(value, Output):
        return True
    # An input class of the program's own, or of another package.
    return any(map(_has_outputs, getattr(value, "__dict__", {}).values()))


def derived(value: object) -> dict[str, Any]:
    """
    Return the properties that tell the provider what it cannot see in the others.

    The engine removes the marks of secrets. Outside a preview it also removes unknown values: those
    of a failed resource, with `--continue-on-error`.

    Args:
        value: everything that the resource is declared with.

    """
    if not _has_outputs(value):
        return {"secretInputs": None}
    whole = Output.from_input(value)

    async def is_secret() -> bool | None:
        return await whole.is_secret() or None

    async def is_lost() -> bool | None:
        return (not pulumi.runtime.is_dry_run() and not await is_known(whole)) or None

    return {"secretInputs": alone(is_secret), "unknownInputs": alone(is_lost)}


def scope(name: str, opts: ResourceOptions | None) -> dict[str, Input[str]]:
    """Tell resources of one name under different parents apart, as their URNs do."""
    who: dict[str, Input[str]] = {
        "project": pulumi.get_project(),
        "stack": pulumi.get_stack(),
        "name": name,
    }
    parent = opts.parent if opts else None
    if parent is not None:

        async def types_of_parent() -> str:
            urn = await value_of(parent.urn)
            follow()  # by now its transforms are registered
            return str(urn.split("::")[2])

        # Without its dependency: waiting for a component waits for its children, this one too.
        who["parent"] = alone(types_of_parent)
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
