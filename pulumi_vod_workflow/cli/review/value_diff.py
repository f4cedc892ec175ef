"""Differences between recorded and declared values; they decide nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pulumi_vod_workflow.cli.pulumi_files.preview import HIDDEN_SECRET
from pulumi_vod_workflow.core.request import request_value
from pulumi_vod_workflow.core.text import join_path, property_path
from pulumi_vod_workflow.core.values import UNKNOWN


class NotSet:
    """A value that is not set."""

    def __repr__(self) -> str:
        return "NOT_SET"


NOT_SET: Final = NotSet()


@dataclass(frozen=True, slots=True)
class Change:
    """A changed value; any side may be `NOT_SET`, `HIDDEN_SECRET`, or `UNKNOWN`."""

    path: str
    before: Any
    after: Any


def changes_of(
    field: str, recorded: Mapping[str, Any], declared: Mapping[str, Any]
) -> Iterator[Change]:
    """Yield the visible differences within one field."""
    before, after = request_value(recorded, field), request_value(declared, field)
    if field == "triggers":
        yield from _triggers(before or {}, after or {})
        return
    found = [*_leaves(field, _or_absent(before), _or_absent(after))]
    # The field asks for a run. So a value that is hidden on both sides has changed.
    yield from found or [Change(field, _or_absent(before), _or_absent(after))]


def _or_absent(value: object) -> object:
    return NOT_SET if value is None else value


def _triggers(before: Any, after: Any) -> Iterator[Change]:
    """Yield added and changed triggers; a removed trigger starts nothing."""
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        yield Change("triggers", before or NOT_SET, after)
        return
    hidden = []
    for name, value in sorted(after.items()):
        change = Change(_under("triggers", name), before.get(name, NOT_SET), value)
        if value is HIDDEN_SECRET and change.before is HIDDEN_SECRET:
            hidden.append(change)
        elif value is UNKNOWN or value != change.before:
            yield change
    yield from hidden


def _leaves(path: str, before: Any, after: Any) -> Iterator[Change]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            yield from _leaves(_under(path, key), before.get(key, NOT_SET), after.get(key, NOT_SET))
    elif _alike(before, after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _leaves(f"{path}[{index}]", one, other)
    elif after is UNKNOWN or after is HIDDEN_SECRET or before != after:
        yield Change(path, before, after)


def _under(path: str, key: str) -> str:
    return join_path(path, property_path(key))


def unknown_paths(declared: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the paths of values that are not known yet."""
    return tuple(path for key in sorted(declared) for path in _unknown(key, declared[key]))


def _unknown(path: str, value: Any) -> Iterator[str]:
    if value is UNKNOWN:
        yield path
    elif isinstance(value, Mapping):
        for key in sorted(value):
            yield from _unknown(_under(path, key), value[key])
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown(f"{path}[{index}]", item)


def without_hidden(recorded: Any, declared: Any) -> tuple[Any, Any]:
    """
    Return both without values that are hidden on either side, so that the core can compare them.

    A hidden `existingRunId` stays as a placeholder: the declaration adopts a run in any case.
    """
    old, new = _or_empty(recorded), _or_empty(declared)
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        pairs = {key: without_hidden(old.get(key), new.get(key)) for key in {*old, *new}}
        hidden = {
            key for key in pairs if old.get(key) is HIDDEN_SECRET or new.get(key) is HIDDEN_SECRET
        }
        kept = [
            {key: pair[side] for key, pair in pairs.items() if key in whole and key not in hidden}
            for side, whole in enumerate((old, new))
        ]
        for whole, part in zip((old, new), kept, strict=True):
            if "existingRunId" in whole:
                part["existingRunId"] = _named_run(whole["existingRunId"])
        return kept[0], kept[1]
    if _alike(recorded, declared):
        both = [without_hidden(*pair) for pair in zip(recorded, declared, strict=True)]
        seen = [pair for pair in both if HIDDEN_SECRET not in pair]
        return [one for one, _ in seen], [other for _, other in seen]
    return _seen(recorded), _seen(declared)


def _or_empty(value: object) -> object:
    return {} if value is None else value


def _named_run(value: object) -> object:
    return "a run" if value is HIDDEN_SECRET else value


def _seen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _seen(item) for key, item in value.items() if item is not HIDDEN_SECRET}
    if isinstance(value, list):
        return [_seen(item) for item in value if item is not HIDDEN_SECRET]
    return value


def assume_unknowns_unchanged(recorded: Any, declared: Any) -> Any:
    """Return the declaration with the recorded values in the place of unknown ones."""
    if declared is UNKNOWN:
        return recorded
    if isinstance(declared, Mapping):
        known = recorded if isinstance(recorded, Mapping) else {}
        whole = {
            key: assume_unknowns_unchanged(known.get(key), item) for key, item in declared.items()
        }
        return {key: item for key, item in whole.items() if item is not None}
    if _alike(recorded, declared):
        return [assume_unknowns_unchanged(*pair) for pair in zip(recorded, declared, strict=True)]
    return declared


def _alike(one: Any, other: Any) -> bool:
    return isinstance(one, list) and isinstance(other, list) and len(one) == len(other)
