"""The same of a batch: items over shared defaults."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_vod_workflow.dynamic.batch import WorkflowBatchProvider
from tests.properties.breaking import mistakes
from tests.properties.harness import engine
from tests.properties.model import ID, RUN, Json
from tests.properties.spelling import on_the_wire, path_of, spelled
from tests.properties.strategies import palettes, spellings
from tests.properties.trying import exact, tried

pytestmark = pytest.mark.torture
NOT_OF_ITEMS: Final = ("clientToken", "secretInputs", "scope")
SCOPE: Final = {"project": "p", "stack": "s", "name": "batch"}
keys: Final = st.lists(
    ID.valid.filter(lambda key: not key.startswith("__")), min_size=6, max_size=6, unique=True
)


def as_items(runs: list[Json], names: list[str]) -> dict[str, Json]:
    """Return runs as items: what a batch has for all of them is not theirs."""
    items = [{key: run[key] for key in run if key not in NOT_OF_ITEMS} for run in runs]
    return dict(zip(names, items, strict=False))


def over(defaults: Any, item: Any) -> Any:
    """Return what an item means: maps are merged, all else replaces."""
    if not (isinstance(defaults, dict) and isinstance(item, dict)):
        return item
    both = {key: over(defaults[key], item[key]) for key in defaults if key in item}
    return {**defaults, **item, **both}


def test_the_service_is_told_each_item_over_the_defaults() -> None:
    with engine(WorkflowBatchProvider) as made:

        @tried(50)
        @given(palettes, keys, spellings)
        def holds(runs: list[Json], names: list[str], bits: int) -> None:
            made.start_over()
            common = {key: runs[-1][key] for key in runs[-1] if key not in {"vid", "directUrl"}}
            defaults = next(iter(as_items([common], ["defaults"]).values()))
            # With the first source alone, and with each dynamic input.
            items = as_items(runs[:6], names)
            batch = {
                "items": {key: spelled(item, RUN, bits) for key, item in items.items()},
                "defaults": spelled(defaults, RUN, ~bits),
                "scope": SCOPE,
            }
            up = made.up(made.named(batch))
            assert up.refused == []
            assert set(up.state["runs"]) == set(items)
            for key, item in items.items():
                started = made.service.store.find_recent_run(up.state["runs"][key]["runId"])
                assert started
                token = up.state["clientTokens"][key]
                told = {**on_the_wire(over(defaults, item)), "ClientToken": token}
                assert exact(started.start) == exact(told)
            assert len(made.service.store.ledger()) == len(items)

        holds()


def test_a_mistake_in_an_item_is_refused_with_its_path() -> None:
    with engine(WorkflowBatchProvider) as made:

        @tried(60)
        @given(st.data(), palettes, keys, spellings)
        def holds(data: st.DataObject, runs: list[Json], names: list[str], bits: int) -> None:
            items = as_items(runs[:6], names)
            key = names[bits % 6]
            for wrong in data.draw(mistakes(items[key], 8)):
                if wrong.way.startswith(tuple(f"run {name}" for name in NOT_OF_ITEMS)):
                    continue
                broken = spelled(wrong.declared, RUN, bits)
                up = made.up({"items": {**items, key: broken}, "scope": SCOPE})
                path = path_of("items", key) + ("" if wrong.path.startswith("[") else ".")
                assert len(up.refused) == 1, (up.refused, wrong)
                assert up.refused[0].startswith(f"{path}{wrong.path}: "), (up.refused, wrong)

        holds()
        assert made.service.counts == {}
