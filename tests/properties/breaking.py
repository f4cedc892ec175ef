"""Each way to break a declaration that is right, and the path of what is then wrong."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from hypothesis import strategies as st

from tests.properties.model import (
    ABSENT,
    KEYS,
    NO_LIST,
    NO_MAP,
    RUN,
    TEXTS,
    Json,
    Leaf,
    Many,
    Named,
    Node,
    Obj,
    Rule,
    Strategy,
)
from tests.properties.spelling import path_of, snake

Parts = list[str | int]


@dataclass(frozen=True, eq=False)
class Way:
    """A way to break an object."""

    name: str
    wrong: Strategy
    broken: Callable[[Json, Any], tuple[Json, Parts | str]]
    """The object's fields to set, `ABSENT` ones to be removed, and the path of what is wrong."""
    holds_with: Callable[[Json], bool] = lambda _: True
    """Whether an object can be broken so."""


@cache
def _kinds(node: Node) -> dict[str, Strategy]:
    """Return way -> values that a node as a whole must not have."""
    if isinstance(node, Leaf):
        return dict(node.wrong)
    if isinstance(node, Many):
        few: dict[str, Strategy] = {"too few": st.just([])} if node.least else {}
        return {"type": NO_LIST, **few, **node.wrong}
    return {"type": NO_MAP}


@cache
def ways(obj: Obj) -> tuple[Way, ...]:
    """Return each way to break an object itself; those of objects in it are theirs."""
    return (*_unknown(obj), *_rules(obj), *(way for key in obj.fields for way in _field(obj, key)))


def _field(obj: Obj, key: str) -> Iterator[Way]:
    node, rivals = obj.fields[key], dict.fromkeys(obj.rivals.get(key, ()), ABSENT)

    def set_to(_: Json, wrong: Any) -> tuple[Json, Parts | str]:
        return {**rivals, key: wrong}, [key]

    for way, wrong in _kinds(node).items():
        yield Way(f"{key}: {way}", wrong, set_to)
    if key in obj.required:
        yield Way(f"{key}: missing", st.just(ABSENT), set_to)
        yield Way(f"{key}: null", st.none(), set_to)
    if isinstance(node, Many):
        yield from _items(node, key, rivals)
    if isinstance(node, Named):
        yield from _entries(node, key)
    if snake(key) != key:
        yield _twice(node, key, rivals)


def _items(node: Many, key: str, rivals: Json) -> Iterator[Way]:
    def appended(old: Json, wrong: Any) -> tuple[Json, Parts | str]:
        items = old.get(key, [])
        return {**rivals, key: [*items, wrong]}, [key, len(items)]

    for way, wrong in {**_kinds(node.item), "null": st.none()}.items():
        yield Way(f"{key}[]: {way}", wrong, appended)


def _entries(node: Named, key: str) -> Iterator[Way]:
    def put(old: Json, wrong: Any) -> tuple[Json, Parts | str]:
        return {key: {**old.get(key, {}), wrong[0]: wrong[1]}}, [key, wrong[0]]

    for way, wrong in _kinds(node.item).items():
        yield Way(f"{key}.*: {way}", st.tuples(KEYS, wrong), put)


def _twice(node: Node, key: str, rivals: Json) -> Way:
    def twice(old: Json, other: Any) -> tuple[Json, Parts | str]:
        value = old.get(key, other)
        return {**rivals, key: value, snake(key): value}, [snake(key)]

    if isinstance(node, Leaf):
        return Way(f"{key}: in both spellings", node.valid, twice)
    return Way(f"{key}: in both spellings", st.none(), twice, lambda old: key in old)


def _unknown(obj: Obj) -> Iterator[Way]:
    known = {spelling for key in obj.fields for spelling in (key, snake(key))}
    slips = [f"{key}s" for key in obj.fields] + [key.capitalize() for key in obj.fields]
    elsewhere = ["clip", "clientTokens", "items", "logoTemplateId", "templateID", "__provider", ""]

    def put(_: Json, wrong: Any) -> tuple[Json, Parts | str]:
        return {wrong[0]: wrong[1]}, [wrong[0]]

    for way, keys in (
        ("misspelled", st.sampled_from(sorted({*slips} - known))),
        ("unknown", st.sampled_from(sorted({*elsewhere} - known)) | TEXTS),
    ):
        strange = st.tuples(keys.filter(lambda key: key not in known), st.booleans() | TEXTS)
        # At the top the key of the SDK is the SDK's.
        named = strange.filter(lambda drawn: obj is not RUN or drawn[0] != "__provider")
        yield Way(f"a key: {way}", named, put)


def _rules(obj: Obj) -> Iterator[Way]:
    for name, rule in obj.rules.items():
        yield _rule(name, rule)


def _rule(name: str, rule: Rule) -> Way:
    return Way(name, rule.breaks, lambda _, wrong: (wrong, rule.path))


def _objects(node: Node, value: Any, where: Parts, name: str) -> Iterator[tuple[Obj, Parts, str]]:
    """Go through all objects of a value, with where they are and what the model calls that."""
    if isinstance(node, Obj):
        yield node, where, name
        for key, part in value.items():
            yield from _objects(node.fields[key], part, [*where, key], f"{name}.{key}")
    elif isinstance(node, Many):
        for index, part in enumerate(value):
            yield from _objects(node.item, part, [*where, index], f"{name}[]")


def _all_objects(node: Node, name: str) -> Iterator[tuple[Obj, str]]:
    if isinstance(node, Obj):
        yield node, name
        for key, part in node.fields.items():
            yield from _all_objects(part, f"{name}.{key}")
    elif isinstance(node, Many):
        yield from _all_objects(node.item, f"{name}[]")


ALL: Final = frozenset(
    f"{name} {way.name}" for obj, name in _all_objects(RUN, "run") for way in ways(obj)
)
"""Each way to break each object of the model."""


@dataclass(frozen=True)
class Broken:
    """A declaration with one mistake."""

    declared: Json
    path: str
    way: str


def breakings(run: Json) -> list[tuple[str, Parts, Way]]:
    """Return each way to break a declaration: its name, and the object in question."""
    return [
        (f"{name} {way.name}", where, way)
        for obj, where, name in _objects(RUN, run, [], "run")
        for way in ways(obj)
        if way.holds_with(_at(run, where))
    ]


def _at(value: Any, where: Parts) -> Any:
    for part in where:
        value = value[part]
    return value


def broken(run: Json, where: Parts, way: Way, wrong: Any, name: str) -> Broken:
    """Make one mistake."""
    run = copy.deepcopy(run)
    target = _at(run, where)
    changes, wrongly = way.broken(target, wrong)
    target.update(changes)
    for key in [key for key, value in target.items() if value is ABSENT]:
        del target[key]
    path = path_of("", *where)
    if isinstance(wrongly, str):  # of a rule
        path += f".{wrongly}" if path and wrongly else wrongly
    else:
        path = path_of(path, *wrongly)
    return Broken(run, path, name)


@st.composite
def mistakes(draw: st.DrawFn, run: Json, number: int) -> list[Broken]:
    """Return a declaration with so many mistakes, one at a time, of all parts of it."""
    possible = breakings(run)
    first = draw(st.integers(0, len(possible) - 1))
    spread = [(first + len(possible) * i // number) % len(possible) for i in range(number)]
    chosen = [possible[index] for index in spread]
    return [broken(run, where, way, draw(way.wrong), name) for name, where, way in chosen]
