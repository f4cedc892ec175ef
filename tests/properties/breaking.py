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
    Strategy,
    path_of,
    snake,
)

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
        few = {"too few": st.just([])} if node.least else {}
        return {"type": NO_LIST, **few, **node.wrong}
    return {"type": NO_MAP}


@cache
def ways(obj: Obj) -> tuple[Way, ...]:
    """Return each way to break an object itself; those of objects in it are theirs."""
    return (*_unknown(obj), *_rules(obj), *(way for key in obj.fields for way in _field(obj, key)))


def _field(obj: Obj, key: str) -> Iterator[Way]:
    node, rivals = obj.fields[key], dict.fromkeys(obj.rivals.get(key, ()), ABSENT)

    def may_be(old: Json) -> bool:
        return key in old or isinstance(node, Leaf)

    def set_to(_: Json, wrong: Any) -> tuple[Json, Parts | str]:
        return {**rivals, key: wrong}, [key]

    def appended(old: Json, wrong: Any) -> tuple[Json, Parts | str]:
        items = old.get(key, [])
        return {**rivals, key: [*items, wrong]}, [key, len(items)]

    def put(old: Json, wrong: Any) -> tuple[Json, Parts | str]:
        return {key: {**old.get(key, {}), wrong[0]: wrong[1]}}, [key, wrong[0]]

    def twice(old: Json, other: Any) -> tuple[Json, Parts | str]:
        value = old.get(key, other)
        return {**rivals, key: value, snake(key): value}, [snake(key)]

    for way, wrong in _kinds(node).items():
        yield Way(f"{key}: {way}", wrong, set_to)
    if key in obj.required:
        for way, nothing in (("missing", ABSENT), ("null", None)):
            yield Way(f"{key}: {way}", st.just(nothing), set_to)
    if isinstance(node, Many):
        for way, wrong in {**_kinds(node.item), "null": st.none()}.items():
            yield Way(f"{key}[]: {way}", wrong, appended)
    if isinstance(node, Named):
        for way, wrong in _kinds(node.item).items():
            yield Way(f"{key}.*: {way}", st.tuples(KEYS, wrong), put)
    if snake(key) != key:
        other = node.valid if isinstance(node, Leaf) else st.none()
        yield Way(f"{key}: in both spellings", other, twice, may_be)


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
        yield Way(name, rule.breaks, lambda _, wrong, path=rule.path: (wrong, path))


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
    chosen = [possible[(first + len(possible) * i // number) % len(possible)] for i in range(number)]
    return [broken(run, where, way, draw(way.wrong), name) for name, where, way in chosen]
