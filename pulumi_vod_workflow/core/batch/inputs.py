"""The inputs of a batch: items over shared defaults."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic.alias_generators import to_camel

from pulumi_vod_workflow.core.inputs.models import MAX_ITEMS, ItemInputs, SharedInputs, unknown_key
from pulumi_vod_workflow.core.inputs.property_names import rename_path, to_property_names
from pulumi_vod_workflow.core.inputs.types import (
    ITEM_KEYS,
    TEXT_OF_AN_OBJECT,
    is_item_key,
    is_text_of_an_object,
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
from pulumi_vod_workflow.core.values import UNKNOWN, normalise
from pulumi_vod_workflow.errors import Problem

BATCH_FIELDS: Final = ("items", "defaults", "clientTokens", "scope", "secretInputs")
"""What a batch is declared with, what is derived of it included."""
_OFFERED: Final = {"items": "items", "defaults": "defaults"}
_ITEM_FIELDS: Final = frozenset(map(to_camel, ItemInputs.model_fields))
OF_ITEMS: Final = "is an input of the items: set it in the defaults, or in an item"

Properties = Mapping[str, Any]


def items_of(batch: Properties) -> dict[str, Any]:
    """
    Return each item as a run's inputs: over the defaults, with scope and token; by sorted keys.

    Maps are merged key by key, anything else replaces; and an item's own source, `vid` or
    `directUrl`, takes the place of the defaults'. An item may be unknown as a whole.
    """
    tokens = batch.get("clientTokens") or {}
    items: dict[str, Any] = {}
    for key, item in sorted(_known_map(batch.get("items")).items()):
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


def _known_map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def apply_defaults(defaults: object, item: Properties) -> dict[str, Any]:
    """Return an item with the shared defaults under its own inputs."""
    if not isinstance(defaults, Mapping):  # unknown: what the item leaves open may be anything
        defaults = dict.fromkeys(map(to_camel, SharedInputs.model_fields), UNKNOWN)
    other = {"vid": "directUrl", "directUrl": "vid"}
    replaced = {other[key] for key in other if key in item}
    return _merged({key: value for key, value in defaults.items() if key not in replaced}, item)


def _merged(under: Properties, over: Properties) -> dict[str, Any]:
    result = dict(under)
    for key, value in over.items():
        below = under.get(key)
        if isinstance(value, Mapping) and below is UNKNOWN:
            result[key] = UNKNOWN  # it may add anything to what the item says
        elif isinstance(value, Mapping) and isinstance(below, Mapping):
            result[key] = _merged(below, value)
        else:
            result[key] = value
    return result


# -- declaring ---------------------------------------------------------------------------------


def normalise_batch(raw: Properties) -> dict[str, Any]:
    """Return a batch's properties in their one spelling; the items' keys are the user's."""
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


_ITEM: Final = re.compile(r"""(defaults\.|items(?:\.[^.\[]+|\[\*\]|\["(?:[^"\\]|\\.)*"\])\.)(.+)""")


def rename_batch_path(path: str) -> str:
    """Return a property's path as in state: `items["my key"].directUrl`; keys stay."""
    found = _ITEM.fullmatch(path)
    return found[1] + rename_path(found[2], ItemInputs) if found else path


def check_batch(raw: Properties, recorded: Properties | None = None) -> CheckedInputs:
    """
    Normalise and check a batch; what is wrong with many items alike is reported once.

    Args:
        raw: the batch as it was declared.
        recorded: the normalised inputs in the state. They were right by the rules of then, and
            stay so: defaults and items that are the same are not checked again. See `recheck`.

    """
    batch, before = normalise_batch(raw), recorded or {}
    lines = _lines(batch.pop(MANIFEST_LINES_KEY, None))
    same = "defaults" in batch and is_same(before.get("defaults"), batch["defaults"])
    shared = () if same else _problems(batch.get("defaults"), SharedInputs)
    defaults = (Problem(join_path("defaults", item.path), item.reason) for item in shared)
    items = _item_problems(batch, shared, _kept(before, batch), lines)
    return CheckedInputs(batch, (*_form_problems(batch), *defaults, *items))


def _kept(recorded: Properties, declared: Properties) -> set[str]:
    """Return the keys of the items that are declared as they are recorded."""
    before, after = _known_map(recorded.get("items")), _known_map(declared.get("items"))
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
    """Yield what is wrong with items that start again as they are recorded, by today's rules."""
    items = items_of(declared)
    return _grouped(
        (key, problem)
        for key in sorted(_kept(recorded, declared).intersection(start))
        for problem in check_inputs(inputs_of(items[key]), ItemInputs).problems
    )


def find_item_doubts(declared: Properties, start: Collection[str]) -> Iterator[Problem]:
    """Yield what is allowed in items that start, and is probably not meant."""
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


def _problems(value: object, model: type[SharedInputs]) -> tuple[Problem, ...]:
    if value is None or value is UNKNOWN:
        return ()
    if not isinstance(value, Mapping):
        return (Problem("", "must be an object of a run's inputs"),)
    return check_partial_inputs(value, model)


def _form_problems(batch: Properties) -> Iterator[Problem]:
    """Check the map itself."""
    items = batch.get("items")
    if items is not UNKNOWN:
        if not isinstance(items, Mapping) or not 0 < len(items) <= MAX_ITEMS:
            found = f", not {len(items):,}" if isinstance(items, Mapping) else ""
            yield Problem("items", f"must be a map of 1 to {MAX_ITEMS:,} items{found}")
        elif any(map(is_text_of_an_object, items)):
            yield Problem("items", f"a key {TEXT_OF_AN_OBJECT}")
        else:
            wrong = [repr(key) for key in items if not is_item_key(key)]
            if wrong:
                yield Problem(
                    "items", f"each key must be {ITEM_KEYS}; not so: {list_names(wrong, 5)}"
                )
    if is_text_of_an_object(str(_known_map(batch.get("scope")).get("name"))):
        yield Problem(RESOURCE_NAME, TEXT_OF_AN_OBJECT)
    for name in sorted(set(batch) - set(BATCH_FIELDS)):
        of_items = to_camel(name) in _ITEM_FIELDS
        yield Problem(
            property_path(name), OF_ITEMS if of_items else unknown_key(name, batch, _OFFERED)
        )


def _item_problems(
    batch: Properties, shared: Collection[Problem], kept: Collection[str], lines: ManifestLines
) -> Iterator[Problem]:
    shared_paths = {problem.path for problem in shared}

    def found() -> Iterator[tuple[str, Problem]]:
        for key, item in sorted(_known_map(batch.get("items")).items()):
            if item is UNKNOWN or key in kept or is_text_of_an_object(key):
                continue
            if not isinstance(item, Mapping):
                yield key, Problem("", "must be an object of a run's inputs")
                continue
            merged = apply_defaults(batch.get("defaults") or {}, item)
            for problem in check_inputs(merged, ItemInputs).problems:
                if problem.path not in shared_paths or _sets(item, problem.path):
                    yield key, problem

    return _grouped(found(), lines)


MANIFEST_LINES_KEY: Final = "__lines"
"""
Property of a batch whose items come from a file: the `file` and each item's line, `byKey`.

For messages only: the check takes it out, so that no state and no diff has it.
"""


@dataclass(frozen=True, slots=True)
class ManifestLines:
    """Where in a file the items were read from."""

    file: str = ""
    by_key: Mapping[str, int] = field(default_factory=dict)

    def line_of(self, key: str) -> str:
        """Return what to put before an item's path."""
        return f"{self.file}:{self.by_key[key]}: " if key in self.by_key else ""

    def beside(self, key: str) -> str:
        """Return a key with its line."""
        return f"{key} (line {self.by_key[key]})" if key in self.by_key else key


NO_MANIFEST: Final = ManifestLines()


def _lines(told: object) -> ManifestLines:
    found = _known_map(told)
    return ManifestLines(str(found.get("file", "")), _known_map(found.get("byKey")))


def group_problems(
    where: Mapping[tuple[str, str], Sequence[str]], lines: ManifestLines = NO_MANIFEST
) -> Iterator[Problem]:
    """Say once what is wrong with many items: (path in the item, reason) -> their keys."""
    for (path, reason), keys in list(where.items())[:MAX_LISTED]:
        first = lines.line_of(keys[0]) + join_path(property_path("items", keys[0]), path)
        more = list_names([*map(lines.beside, keys[1:6]), *keys[6:]], 5)
        others = f" (and so {len(keys) - 1:,} more: {more})" if len(keys) > 1 else ""
        yield Problem(first, reason + others)
    if len(where) > MAX_LISTED:
        yield Problem("items", f"{len(where) - MAX_LISTED:,} more problems of other kinds")


_PART: Final = re.compile(r"""\[("(?:[^"\\]|\\.)*")\]|([^.\[\], ]+)""")


def _sets(item: Properties, path: str) -> bool:
    """Tell whether the item itself, not the defaults, has what is wrong."""
    value: Any = item
    for quoted, bare in _PART.findall(path):
        part = bare or json.loads(quoted)
        if not isinstance(value, Mapping):
            return True
        if part not in value:
            return False
        value = value[part]
    return True


def with_derived_batch_inputs(old: Properties, declared: Properties) -> dict[str, Any]:
    """
    Return a valid declaration with its items' tokens, recorded ones where nothing changed.

    Tokens that arrive with the declaration have no effect: see `stale_tokens`.
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
    """
    Find tokens that stay although their items' starts change.

    A batch has no argument for tokens, so the engine has put recorded ones in, for
    `ignore_changes`. With such a token the service may answer with the recorded run: `would_join`.
    """
    given = _known_map(declared.get("clientTokens"))
    derived = with_derived_batch_inputs(old, declared)["clientTokens"] if given else {}
    stale = [key for key in derived if key in given and given[key] != derived[key]]
    if stale:
        yield Problem("clientTokens", UNCHANGED.format(list_names(stale, 20)))


UNCHANGED: Final = (
    "must change for {}: with the recorded token the service may answer with the recorded run "
    "instead of starting the new one. No run was started. Remove clientTokens from ignore_changes"
)

ITEM_FIELDS: Final = tuple(map(to_camel, ItemInputs.model_fields))
"""What an item is declared with."""


def inputs_of(properties: Properties) -> dict[str, Any]:
    """Return what a run was, or is to be, started or adopted with."""
    return {name: properties[name] for name in ITEM_FIELDS if name in properties}
