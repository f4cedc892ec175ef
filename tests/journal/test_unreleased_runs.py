"""The runs in a journal that no state is known to have."""

from __future__ import annotations

import pytest

from pulumi_vod_workflow.errors import JournalError
from pulumi_vod_workflow.journal.unreleased_runs import UnreleasedRuns


class Source:
    """A journal whose runs are read."""

    def __init__(self, *run_ids: str) -> None:
        self.run_ids = run_ids
        self.reads = 0
        self.error: JournalError | None = None

    def read(self) -> tuple[str, ...]:
        self.reads += 1
        if self.error:
            raise self.error
        return self.run_ids


@pytest.fixture
def source() -> Source:
    return Source("lb:1", "lb:2")


@pytest.fixture
def runs(source: Source) -> UnreleasedRuns:
    return UnreleasedRuns(source.read)


def test_a_run_is_released_once(runs: UnreleasedRuns, source: Source) -> None:
    assert runs.release(["lb:1", "lb:of-no-record"]) == {"lb:1"}
    assert runs.release(["lb:1"]) == set()
    assert [run_id for run_id in ("lb:1", "lb:2", None) if runs.is_released(run_id)] == ["lb:1"]
    assert source.reads == 1


def test_an_accepted_run_is_released_again(runs: UnreleasedRuns) -> None:
    runs.release(["lb:1"])
    runs.add("lb:1")
    assert not runs.is_released("lb:1")
    assert runs.release(["lb:1"]) == {"lb:1"}


def test_the_runs_of_another_journal_are_read(runs: UnreleasedRuns, source: Source) -> None:
    runs.load()
    source.run_ids += ("lb:3",)
    assert runs.release(["lb:3"]) == set()
    runs.forget()
    assert runs.release(["lb:3"]) == {"lb:3"}


def test_a_journal_that_cannot_be_read_has_no_run(runs: UnreleasedRuns, source: Source) -> None:
    source.error = JournalError("the journal", "it is not usable")
    assert runs.release(["lb:1"]) == set()
    assert source.reads == 1, "each resource would wait for it"
