"""Whatever is wrong with a declaration, the preview says where, and nothing is sent."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties.breaking import ALL, Broken, breakings, mistakes
from tests.properties.harness import Engine, engine
from tests.properties.model import RUN, Json
from tests.properties.spelling import spelled
from tests.properties.strategies import palettes, spellings
from tests.properties.trying import ENOUGH, LIMIT, exact, tell, tried

pytestmark = pytest.mark.torture
FULL: Final[Json] = {
    "directUrl": {"fileName": "f", "spaceName": "s"},
    "templateId": "t",
    "input": {
        "overrideParams": {
            "logo": [{"templateId": "All", "vars": {"k": "v"}}],
            "snapshot": [
                {"templateId": ["t"], "sampleOffsets": [1.5]},
                {"templateId": ["t"], "offsetTimeList": [1]},
            ],
            "transcodeAudio": [{"templateId": ["t"], "clip": {}}],
            "transcodeVideo": [{"templateId": ["t"], "clip": {}, "outputIndex": [0]}],
            "enhance": {},
        }
    },
    "rerunOn": ["systemError"],
    "scope": {"project": "p", "stack": "s", "name": "n"},
}
"""Has every object of the model, so that each can be broken in each way."""


def refuses(made: Engine, wrong: Broken, bits: int) -> str:
    """Hold that a mistake is refused; return what was declared."""
    declared = spelled(wrong.declared, RUN, bits)
    up = made.up(declared)
    # The only complaint: nothing else was wrong.
    assert len(up.refused) == 1, (up.refused, wrong, declared)
    assert up.refused[0].startswith(f"{wrong.path}: "), (up.refused, wrong)
    return exact(declared)


@pytest.mark.timeout(LIMIT)
def test_every_mistake_is_refused_with_its_path() -> None:
    refused: set[str] = set()
    with engine() as made:

        @tried(240)
        @given(st.data(), palettes, spellings)
        def holds(data: st.DataObject, runs: list[Json], bits: int) -> None:
            if len(refused) >= ENOUGH:
                return
            for run in runs[::4]:
                for wrong in data.draw(mistakes(run, 8)):
                    refused.add(refuses(made, wrong, bits))

        holds()
        assert made.service.counts == {}  # not one request
        assert made.service.store.ledger() == []
    assert len(refused) >= ENOUGH
    tell(f"{len(refused):,} invalid declarations are refused")


def test_each_object_is_broken_in_each_way() -> None:
    used: set[str] = set()
    with engine() as made:

        @tried(5)
        @given(st.data(), spellings)
        def holds(data: st.DataObject, bits: int) -> None:
            for wrong in data.draw(mistakes(FULL, len(breakings(FULL)))):
                refuses(made, wrong, bits)
                used.add(wrong.way)

        holds()
        assert made.service.counts == {}
    assert used == ALL
    assert len(used) > 250
