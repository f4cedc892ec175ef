"""The paths of changed inputs, as the engine shows them below the properties of a resource."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from pulumi.runtime.proto import provider_pb2 as proto

from pulumi_vod_workflow.core.changes import values_differ
from pulumi_vod_workflow.core.text import property_path
from pulumi_vod_workflow.plugin.wire import Decoded, SecretParts

_REPLACES: Final = {
    proto.PropertyDiff.ADD: proto.PropertyDiff.ADD_REPLACE,
    proto.PropertyDiff.DELETE: proto.PropertyDiff.DELETE_REPLACE,
    proto.PropertyDiff.UPDATE: proto.PropertyDiff.UPDATE_REPLACE,
}


def detailed_diff(
    recorded: Decoded, declared: Decoded, replaces: Collection[str]
) -> dict[str, proto.PropertyDiff]:
    """
    Return the difference of each changed input, by its path, which ends at a secret.

    Args:
        recorded: the recorded inputs.
        declared: the checked inputs.
        replaces: the properties whose change replaces the resource. One without a changed input is
            in the result, too: an output is the reason.

    """
    found: dict[str, proto.PropertyDiff] = {}
    changed: set[str] = set()
    before, after = recorded.values, declared.values
    for name in sorted({*before, *after}):
        secrets = [each.secrets.get(name, False) for each in (recorded, declared)]
        for path, kind in _changes(before.get(name), after.get(name), (name,), secrets):
            changed.add(name)
            found[property_path(*path)] = proto.PropertyDiff(
                kind=_REPLACES[kind] if name in replaces else kind, inputDiff=True
            )
    for name in {*replaces} - changed:
        found[name] = proto.PropertyDiff(kind=proto.PropertyDiff.UPDATE_REPLACE)
    return found


def _changes(
    before: Any, after: Any, path: tuple[int | str, ...], secrets: list[SecretParts]
) -> Iterator[tuple[tuple[int | str, ...], proto.PropertyDiff.Kind.ValueType]]:
    """Yield the path and the kind of each smallest change that is not inside of a secret."""
    if before is None and after is not None:
        yield path, proto.PropertyDiff.ADD
    elif after is None and before is not None:
        yield path, proto.PropertyDiff.DELETE
    # A preview shows the paths, and the keys of a secret map are secret.
    elif True not in secrets and (parts := _parts(before, after)) is not None:
        for key, old, new in parts:
            inner = [marks.get(key, False) for marks in secrets if isinstance(marks, Mapping)]
            yield from _changes(old, new, (*path, key), inner)
    elif values_differ(before, after):
        yield path, proto.PropertyDiff.UPDATE


def _parts(before: Any, after: Any) -> list[tuple[int | str, Any, Any]] | None:
    """Return the parts of two values by key; `None` if only the whole values can be compared."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        return [(key, before.get(key), after.get(key)) for key in sorted({*before, *after})]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [(index, *pair) for index, pair in enumerate(zip(before, after, strict=True))]
    return None
