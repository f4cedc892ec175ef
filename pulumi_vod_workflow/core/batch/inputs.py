"""The inputs of a batch: items over shared defaults."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from pydantic.alias_generators import to_camel

from pulumi_vod_workflow.core.durations import parse_seconds
from pulumi_vod_workflow.core.inputs.models import (
    MAX_ITEMS,
    ItemInputs,
    SharedInputs,
    unknown_key_reason,
)
from pulumi_vod_workflow.core.inputs.property_names import rename_path, to_property_names
from pulumi_vod_workflow.core.inputs.types import (
    ITEM_KEYS,
    OBJECT_TEXT_REASON,
    is_item_key,
    is_object_text,
)
from pulumi_vod_workflow.core.inputs.validation import (
    RESOURCE_NAME,
    CheckedInputs,
    check_inputs,
    check_partial_inputs,
    find_doubts,
)
from pulumi_vod_workflow.core.state import (
    is_same,
    with_derived_inputs,
)
from pulumi_vod_workflow.core.text import MAX_LISTED, join_path, list_names, property_path
from pulumi_vod_workflow.core.values import UNKNOWN, Properties, as_mapping, normalise
from pulumi_vod_workflow.errors import Problem

BATCH_FIELDS: Final = (
    "items",
    "defaults",
    "maxFailures",
    "clientTokens",
    "scope",
    "secretInputs",
)
"""The inputs of a batch, derived ones included."""
_ALLOWED_KEYS: Final = {"items": "items", "defaults": "defaults", "maxFailures": "max_failures"}
_ITEM_FIELDS: Final = frozenset(map(to_camel, ItemInputs.model_fields))
ITEM_INPUT_REASON: Final = "is an input of the items: set it in the defaults, or in an item"


_ALTERNATIVES: Final = {
    "vid": "directUrl",
    "directUrl": "vid",
    "rerunOn": "rerunOnFailure",
    "rerunOnFailure": "rerunOn",
}
"""Input of an item -> the other input of the defaults that it replaces."""


def items_of(batch: Properties) -> dict[str, Any]:
    """
    Return each item as a run's inputs: defaults, the item's values, scope and token; sorted by key.

    A map is merged key by key. Any other value replaces the default. An item's `vid` or `directUrl`
    replaces both of the defaults, and so does its `rerunOn` or `rerunOnFailure`. An item may be
    unknown as a whole.
    """
    tokens = batch.get("clientTokens") or {}
    items: dict[str, Any] = {}
    for key, item in sorted(as_mapping(batch.get("items")).items()):
        if item is UNKNOWN:
            items[key] = UNKNOWN
            continue
        items[key] = {
            **apply_defaults(batch.get("defaults") or {}, item),
            "scope": {**(batch.get("scope") or {}), "item": key},
        }
        if key in tokens:
            items[key]["clientToken"] = tokens[key]
    return items


def apply_defaults(defaults: object, item: Properties) -> dict[str, Any]:
    """Return an item's inputs, with the shared defaults for absent ones."""
    if not isinstance(defaults, Mapping):  # unknown defaults: each absent input is unknown
        defaults = dict.fromkeys(map(to_camel, SharedInputs.model_fields), UNKNOWN)
    replaced = {other for key, other in _ALTERNATIVES.items() if key in item}
    return _merge({key: value for key, value in defaults.items() if key not in replaced}, item)


def _merge(under: Properties, over: Properties) -> dict[str, Any]:
    result = dict(under)
    for key, value in over.items():
        below = under.get(key)
        if isinstance(value, Mapping) and below is UNKNOWN:
            result[key] = UNKNOWN  # an unknown default may add any key
        elif isinstance(value, Mapping) and isinstance(below, Mapping):
            result[key] = _merge(below, value)
        else:
            result[key] = value
    return result


# -- checking ----------------------------------------------------------------------------------


def normalise_batch(raw: Properties) -> dict[str, Any]:
    """Return a batch's properties in state spelling; the items' keys stay."""
    batch = normalise(raw)
    items, defaults = raw.get("items"), batch.get("defaults")
    if isinstance(items, Mapping):
        batch["items"] = {
            key: to_property_names(item, ItemInputs) if isinstance(item, Mapping) else item
            for key, item in items.items()
        }
    if isinstance(defaults, Mapping):
        batch["defaults"] = to_property_names(defaults, SharedInputs)
    return batch


_ITEM_PATH: Final = re.compile(
    r"""(defaults\.|items(?:\.[^.\[]+|\[\*\]|\["(?:[^"\\]|\\.)*"\])\.)(.+)"""
)


def rename_batch_path(path: str) -> str:
    """Return a property's path in state spelling: `items["my key"].directUrl`; keys stay."""
    found = _ITEM_PATH.fullmatch(path)
    return found[1] + rename_path(found[2], ItemInputs) if found else path


def check_batch(raw: Properties, recorded: Properties | None = None) -> CheckedInputs:
    """
    Return the checked inputs of a batch. Equal problems of many items are one problem.

    Args:
        raw: the batch as declared.
        recorded: the normalised inputs in the state. Equal defaults and items are not checked
            again, see `check_restarted_items`.

    """
    # Recorded items were valid when they started. An upgrade with stricter rules must not fail a
    # stack that changes nothing.
    batch, before = normalise_batch(raw), recorded or {}
    lines = _manifest_lines(batch.pop(MANIFEST_LINES_KEY, None))
    same = "defaults" in batch and is_same(before.get("defaults"), batch["defaults"])
    shared = () if same else _partial_problems(batch.get("defaults"), SharedInputs)
    defaults = (Problem(join_path("defaults", item.path), item.reason) for item in shared)
    items = _item_problems(batch, shared, _unchanged_keys(before, batch), lines)
    return CheckedInputs(batch, (*_form_problems(batch), *defaults, *items))


def _unchanged_keys(recorded: Properties, declared: Properties) -> set[str]:
    """Return the keys of the items whose inputs equal the recorded ones."""
    before, after = as_mapping(recorded.get("items")), as_mapping(declared.get("items"))
    same = (recorded.get("defaults") or {}, declared.get("defaults") or {})
    if is_same(*same):
        return {key for key in before.keys() & after.keys() if is_same(before[key], after[key])}
    return {
        key
        for key in before.keys() & after.keys()
        if isinstance(before[key], Mapping)
        and isinstance(after[key], Mapping)
        and is_same(apply_defaults(same[0], before[key]), apply_defaults(same[1], after[key]))
    }


def check_restarted_items(
    recorded: Properties, declared: Properties, start: Collection[str]
) -> Iterator[Problem]:
    """Yield the problems, by the current rules, of unchanged items that start again."""
    items = items_of(declared)
    return _grouped(
        (key, problem)
        for key in sorted(_unchanged_keys(recorded, declared).intersection(start))
        for problem in check_inputs(inputs_of(items[key]), ItemInputs).problems
    )


def find_item_doubts(declared: Properties, start: Collection[str]) -> Iterator[Problem]:
    """Yield valid inputs of starting items that are probably mistakes."""
    items = items_of(declared)
    return _grouped(
        (key, problem)
        for key in start
        if isinstance(items[key], Mapping)
        for problem in find_doubts(items[key])
    )


def _grouped(
    problems: Iterable[tuple[str, Problem]], lines: ManifestLines | None = None
) -> Iterator[Problem]:
    """Yield the problems of items, given with their keys, each reason once."""
    where: dict[tuple[str, str], list[str]] = defaultdict(list)
    for key, problem in problems:
        where[problem.path, problem.reason].append(key)
    yield from group_problems(where, lines or NO_MANIFEST)


def _partial_problems(value: object, model: type[SharedInputs]) -> tuple[Problem, ...]:
    if value is None or value is UNKNOWN:
        return ()
    if not isinstance(value, Mapping):
        return (Problem("", "must be an object of a run's inputs"),)
    return check_partial_inputs(value, model)


def _form_problems(batch: Properties) -> Iterator[Problem]:
    """Yield the problems of the batch's own properties."""
    items = batch.get("items")
    if items is not UNKNOWN:
        if not isinstance(items, Mapping) or not 0 < len(items) <= MAX_ITEMS:
            found = f", not {len(items):,}" if isinstance(items, Mapping) else ""
            yield Problem("items", f"must be a map of 1 to {MAX_ITEMS:,} items{found}")
        elif any(map(is_object_text, items)):
            yield Problem("items", f"a key {OBJECT_TEXT_REASON}")
        else:
            wrong = [repr(key) for key in items if not is_item_key(key)]
            if wrong:
                yield Problem(
                    "items", f"each key must be {ITEM_KEYS}; wrong keys: {list_names(wrong, 5)}"
                )
    limit = batch.get("maxFailures")
    is_number = isinstance(limit, int) and not isinstance(limit, bool)
    if not (limit in (None, UNKNOWN) or (is_number and 1 <= limit <= MAX_ITEMS)):
        yield Problem("maxFailures", f"must be an integer from 1 to {MAX_ITEMS:,}")
    if is_object_text(str(as_mapping(batch.get("scope")).get("name"))):
        yield Problem(RESOURCE_NAME, OBJECT_TEXT_REASON)
    for name in sorted(set(batch) - set(BATCH_FIELDS)):
        of_items = to_camel(name) in _ITEM_FIELDS
        yield Problem(
            property_path(name),
            ITEM_INPUT_REASON if of_items else unknown_key_reason(name, batch, _ALLOWED_KEYS),
        )


def _item_problems(
    batch: Properties, shared: Collection[Problem], kept: Collection[str], lines: ManifestLines
) -> Iterator[Problem]:
    shared_paths = {problem.path for problem in shared}

    def found() -> Iterator[tuple[str, Problem]]:
        for key, item in sorted(as_mapping(batch.get("items")).items()):
            if item is UNKNOWN or key in kept or is_object_text(key):
                continue
            if not isinstance(item, Mapping):
                yield key, Problem("", "must be an object of a run's inputs")
                continue
            merged = apply_defaults(batch.get("defaults") or {}, item)
            for problem in check_inputs(merged, ItemInputs).problems:
                # A problem of the defaults is reported once, at the defaults.
                if problem.path not in shared_paths or _defines(item, problem.path):
                    yield key, problem

    return _grouped(found(), lines)


# The check removes this property, so no state and no diff depends on a file's lines.
MANIFEST_LINES_KEY: Final = "__lines"
"""
The property with facts about items from a file: `file`, and by key the line of each item, `byKey`,
and the duration of its source in seconds, `secondsByKey`.
"""


@dataclass(frozen=True, slots=True)
class ManifestLines:
    """The lines of a file from which items were read; for messages only."""

    file: str = ""
    by_key: Mapping[str, int] = field(default_factory=dict)

    def line_of(self, key: str) -> str:
        """Return the prefix of an item's path: `file:line: `."""
        return f"{self.file}:{self.by_key[key]}: " if key in self.by_key else ""

    def label_of(self, key: str) -> str:
        """Return a key, with its line if it has one."""
        return f"{key} (line {self.by_key[key]})" if key in self.by_key else key


NO_MANIFEST: Final = ManifestLines()


def _manifest_lines(value: object) -> ManifestLines:
    found = as_mapping(value)
    return ManifestLines(str(found.get("file", "")), as_mapping(found.get("byKey")))


def manifest_seconds(batch: Properties) -> dict[str, Decimal]:
    """Return key -> the duration of an item's source in seconds, where the items' file has it."""
    stated = as_mapping(as_mapping(batch.get(MANIFEST_LINES_KEY)).get("secondsByKey"))
    found = {key: parse_seconds(value) for key, value in stated.items()}
    return {key: seconds for key, seconds in found.items() if seconds is not None}


def group_problems(
    where: Mapping[tuple[str, str], Sequence[str]], lines: ManifestLines = NO_MANIFEST
) -> Iterator[Problem]:
    """
    Yield one problem for each group of items.

    Args:
        where: (path in the item, reason) -> the keys of the items.
        lines: the lines of the items.

    """
    for (path, reason), keys in list(where.items())[:MAX_LISTED]:
        first = lines.line_of(keys[0]) + join_path(property_path("items", keys[0]), path)
        more = list_names([*map(lines.label_of, keys[1:6]), *keys[6:]], 5)
        others = f" (and {len(keys) - 1:,} more: {more})" if len(keys) > 1 else ""
        yield Problem(first, reason + others)
    if len(where) > MAX_LISTED:
        yield Problem("items", f"{len(where) - MAX_LISTED:,} more kinds of problems")


_PATH_PART: Final = re.compile(r"""\[("(?:[^"\\]|\\.)*")\]|([^.\[\], ]+)""")


def _defines(item: Properties, path: str) -> bool:
    """Return whether the item itself, not the defaults, sets the property at a path."""
    value: Any = item
    for quoted, bare in _PATH_PART.findall(path):
        part = bare or json.loads(quoted)
        if not isinstance(value, Mapping):
            return True
        if part not in value:
            return False
        value = value[part]
    return True


def with_derived_batch_inputs(old: Properties, declared: Properties) -> dict[str, Any]:
    """
    Return a valid declaration with its items' tokens; an unchanged start keeps its token.

    `clientTokens` of the declaration have no effect, see `stale_tokens`.
    """
    before = items_of(old)
    completed = {
        key: with_derived_inputs(before.get(key) or {}, item)
        for key, item in items_of({**declared, "clientTokens": {}}).items()
        if item is not UNKNOWN
    }
    tokens = {
        key: run["clientToken"]
        for key, run in completed.items()
        if "clientToken" in run and "existingRunId" not in run
    }
    batch = {**declared, "clientTokens": tokens}
    if old.get("secretInputs") is True:
        batch["secretInputs"] = True
    return batch


def stale_tokens(old: Properties, declared: Properties) -> Iterator[Problem]:
    """Yield a problem if a token stays although its item's start changes."""
    # A batch has no argument for tokens. So `ignore_changes` is the only source: the engine puts
    # recorded tokens in. With one the service may answer with the recorded run (vod-api-facts 4).
    given = as_mapping(declared.get("clientTokens"))
    derived = with_derived_batch_inputs(old, declared)["clientTokens"] if given else {}
    stale = [key for key in derived if key in given and given[key] != derived[key]]
    if stale:
        yield Problem("clientTokens", STALE_REASON.format(list_names(stale, 20)))


STALE_REASON: Final = (
    "must change for {}: with the recorded token the service may return the recorded run and start "
    "no new one. No run was started. Remove clientTokens from ignore_changes"
)

ITEM_FIELDS: Final = tuple(map(to_camel, ItemInputs.model_fields))
"""The inputs of an item."""


def inputs_of(properties: Properties) -> dict[str, Any]:
    """Return the inputs of a run that was, or will be, started or adopted."""
    return {name: properties[name] for name in ITEM_FIELDS if name in properties}
