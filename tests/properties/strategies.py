"""Declarations that are right, over every field of the model."""

from __future__ import annotations

import json
from functools import cache
from itertools import product
from typing import Any, Final

from hypothesis import strategies as st

from tests.properties.model import (
    DIRECT_URL,
    ID,
    INPUT,
    OURS,
    SETTINGS,
    SYSTEM_TEMPLATES,
    Json,
    Leaf,
    Many,
    Named,
    Node,
    Obj,
    Strategy,
    without_alias,
)
from tests.properties.model import KEYS as USERS_KEYS
from tests.properties.spelling import on_the_wire

EACH: Final = 6
"""Sources, inputs and settings of a palette: so many times as many declarations."""


@cache
def values(node: Node) -> Strategy:
    """Return what a node may hold."""
    if isinstance(node, Leaf):
        return node.valid
    if isinstance(node, Many):
        if node.valid is not None:
            return node.valid
        return st.lists(values(node.item), min_size=node.least, max_size=2)
    if isinstance(node, Named):
        return st.dictionaries(USERS_KEYS, node.item.valid, max_size=2)
    return _objects(node, node.required)


def _objects(node: Obj, required: frozenset[str]) -> Strategy:
    parts = {key: values(part) for key, part in node.fields.items()}
    return st.fixed_dictionaries(
        {key: part for key, part in parts.items() if key in required},
        optional={key: part for key, part in parts.items() if key not in required},
    ).map(node.settle)


SOURCES: Final = st.fixed_dictionaries({"vid": ID.valid}) | st.fixed_dictionaries(
    {"directUrl": values(DIRECT_URL)}
)
OTHERS: Final = _objects(
    Obj(
        {**SETTINGS, **{key: OURS[key] for key in OURS if key != "existingRunId"}},
        settle=without_alias,
    ),
    frozenset({"templateId", "scope"}),
)


def _file(source: Json) -> str:
    url = source.get("directUrl", {})
    return json.dumps([source.get("vid"), url.get("fileName"), url.get("spaceName")])


def _sent(dynamic: Json) -> str:
    return json.dumps(on_the_wire({"input": dynamic}), sort_keys=True)


def _some(of: Strategy, unlike: Any) -> Strategy:
    return st.lists(of, min_size=EACH, max_size=EACH, unique_by=unlike)


def _combined(sources: list[Json], inputs: list[Json], others: list[Json]) -> list[Json]:
    """Return a declaration for each source and input: no two are the same start."""
    runs = []
    for (row, source), (column, dynamic) in product(enumerate(sources), enumerate(inputs)):
        other = others[(row + column) % EACH]
        run = {**source, **other, "input": dynamic}
        if run["templateId"] in SYSTEM_TEMPLATES and "directUrl" in run:
            run["directUrl"] = {"spaceName": "of a built-in", **run["directUrl"]}
        runs.append(run)
    return runs


palettes: Final = st.builds(
    _combined,
    _some(SOURCES, _file),
    _some(values(INPUT), _sent),
    st.lists(OTHERS, min_size=EACH, max_size=EACH),
)
"""Declarations, as in the state, that share their parts: drawing each anew takes far longer."""
spellings: Final = st.integers(0, 2**31 - 1)
"""Bits that choose between `direct_url` and `directUrl`, one for each name."""
