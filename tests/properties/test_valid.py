"""What is right is accepted, and the service is told all of it, as it was declared."""

from __future__ import annotations

from copy import deepcopy
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi.output import Unknown

from pulumi_vod_workflow.core.inputs import validation
from tests.properties.harness import UNKNOWN, engine
from tests.properties.model import RUN, Json
from tests.properties.spelling import START, names, on_the_wire, places, spelled
from tests.properties.strategies import palettes, spellings
from tests.properties.trying import ENOUGH, LIMIT, exact, tell, tried

pytestmark = pytest.mark.torture


@pytest.mark.timeout(LIMIT)
def test_what_is_declared_is_what_the_service_is_told() -> None:
    accepted: set[str] = set()
    fields: set[str] = set()
    with engine() as made:

        @tried(400)
        @given(palettes, spellings)
        def holds(runs: list[Json], bits: int) -> None:
            if len(accepted) >= ENOUGH:
                return
            made.start_over()
            new = [run for run in runs if exact(run) not in accepted]
            named = [made.named(run) for run in new]
            ups = made.all_up(spelled(run, RUN, bits) for run in named)
            for run, up in zip(named, ups, strict=True):
                assert up.refused == [], run
                started = made.service.store.find_recent_run(up.run_id)
                assert started
                token = run.get("clientToken") or up.inputs["clientToken"]
                assert exact(started.start) == exact({**on_the_wire(run), "ClientToken": token})
                for recorded in (up.inputs, up.state):
                    assert exact({key: recorded[key] for key in run}) == exact(run)
                fields.update(name for _, _, name in places(run))
            assert made.service.counts.get("StartWorkflow", 0) == len(new)
            assert len(made.service.store.ledger()) == len(new)
            accepted.update(map(exact, new))

        holds()
    assert len(accepted) >= ENOUGH
    assert fields == {*names(RUN)} - {"existingRunId"}  # which starts nothing: below
    tell(f"{len(accepted):,} valid declarations are accepted and echoed")


def test_what_the_service_answers_is_what_was_declared() -> None:
    """Its answers say the same; adopting the run, or spelling it in another way, is free."""
    with engine() as made:

        @tried(60)
        @given(palettes, spellings)
        def holds(runs: list[Json], bits: int) -> None:
            made.start_over()
            for run in map(made.named, runs[::9]):
                up = made.up(spelled(run, RUN, bits))
                told = made.looked_up(up.run_id)
                assert exact(on_the_wire(told)) == exact(on_the_wire(run))
                assert not made.changes(up, spelled(run, RUN, ~bits))
                with patch.object(
                    validation, "check_inputs", side_effect=AssertionError("as recorded")
                ):
                    assert exact(made.check(run, olds=up.inputs).inputs) == exact(up.inputs)
                theirs = {key: run[key] for key in run if key != "clientToken"}
                adopted = made.up(spelled({**theirs, "existingRunId": up.run_id}, RUN, bits))
                assert (adopted.refused, adopted.run_id) == ([], up.run_id)
                assert exact(on_the_wire(adopted.state)) == exact(on_the_wire(run))
            assert len(made.service.store.ledger()) == len(runs[::9])

        holds()


def test_what_is_unknown_is_never_refused() -> None:
    """Wherever it is; and what depends on it is left open."""
    with engine() as made:

        @tried(100)
        @given(palettes, spellings, st.integers(0, 2**31 - 1))
        def holds(runs: list[Json], bits: int, chosen: int) -> None:
            for run in map(deepcopy, runs[::6]):
                spots = [*places(run)]
                container, key, name = spots[chosen % len(spots)]
                container[key] = UNKNOWN
                found = made.check(spelled(run, RUN, bits))
                assert found.refused == [], name
                if name.partition(".")[0] in {*START, "triggers", "scope"}:
                    # Open, not absent: the engine would show it as removed.
                    token, own = found.inputs.get("clientToken"), run.get("clientToken")
                    assert token == own if own else isinstance(token, Unknown), name

        holds()
        assert made.service.counts == {}
