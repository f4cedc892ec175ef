"""Whatever is wrong with a declaration, the preview says where, and nothing is sent."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties.breaking import ALL, mistakes
from tests.properties.harness import engine
from tests.properties.model import RUN, Json
from tests.properties.spelling import spelled
from tests.properties.strategies import palettes, spellings
from tests.properties.trying import ENOUGH, TIMES, exact, tell, tried


@pytest.mark.timeout(900 * TIMES)
def test_every_mistake_is_refused_with_its_path() -> None:
    refused: set[str] = set()
    used: Counter[str] = Counter()
    with engine() as made:

        @tried(200)
        @given(st.data(), palettes, spellings)
        def holds(data: st.DataObject, runs: list[Json], bits: int) -> None:
            for run in runs[::4]:
                for wrong in data.draw(mistakes(run, 8)):
                    declared = spelled(wrong.declared, RUN, bits)
                    up = made.up(declared)
                    # The only complaint: nothing else was wrong.
                    assert len(up.refused) == 1, (up.refused, wrong, declared)
                    assert up.refused[0].startswith(f"{wrong.path}: "), (up.refused, wrong)
                    refused.add(exact(declared))
                    used[wrong.way] += 1

        holds()
        assert made.service.counts == {}  # not one request
        assert made.service.store.ledger() == []
    assert len(refused) >= ENOUGH
    assert set(used) == ALL
    tell(f"{len(refused):,} invalid declarations, broken in {len(ALL)} ways, are refused")
