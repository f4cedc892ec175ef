"""The paths of changed inputs, as the engine shows them below the properties of a resource."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from pulumi.runtime.proto import provider_pb2 as proto

from pulumi_vod_workflow.core.changes import values_differ
from pulumi_vod_workflow.core.text import property_path

_REPLACES: Final = {
    proto.PropertyDiff.ADD: proto.PropertyDiff.ADD_REPLACE,
    proto.PropertyDiff.DELETE: proto.PropertyDiff.DELETE_REPLACE,
    proto.PropertyDiff.UPDATE: proto.PropertyDiff.UPDATE_REPLACE,
}


def detailed_diff(
    recorded: Mapping[str, Any], declared: Mapping[str, Any], replaces: Collection[str]
) -> dict[str, proto.PropertyDiff]:
    """
    Return the difference of each changed input, by its path.

    Args:
        recorded: the recorded inputs.
        declared: the checked inputs.
        replaces: the properties whose change replaces the resource. One without a changed input is
            in the result, too: an output is the reason.

    """
    found: dict[str, proto.PropertyDiff] = {}
    for name in sorted({*recorded, *declared}):
        for path, kind in _changes(recorded.get(name), declared.get(name), (name,)):
            found[property_path(*path)] = proto.PropertyDiff(
                kind=_REPLACES[kind] if name in replaces else kind, inputDiff=True
            )
    changed = {name.partition(".")[0].partition("[")[0] for name in found}
    for name in replaces:
        if name not in changed:
            found[name] = proto.PropertyDiff(kind=proto.PropertyDiff.UPDATE_REPLACE)
    return found


def _changes(
    before: Any, after: Any, path: tuple[int | str, ...]
) -> Iterator[tuple[tuple[int | str, ...], proto.PropertyDiff.Kind.ValueType]]:
    """Yield the path and the kind of each smallest change."""
    if before is None and after is not None:
        yield path, proto.PropertyDiff.ADD
    elif after is None and before is not None:
        yield path, proto.PropertyDiff.DELETE
    elif isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            yield from _changes(before.get(key), after.get(key), (*path, key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _changes(old, new, (*path, index))
    elif values_differ(before, after):
        yield path, proto.PropertyDiff.UPDATE
