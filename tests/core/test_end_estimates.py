"""Estimates of a run's end: durations, progress, and the reads that cost least."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_vod_workflow.core.end_estimates import (
    ASSUMED_ERRORS,
    MAX_RECORDED,
    QUANTILES,
    ProgressErrors,
    Reading,
    RunDurations,
    plan_read,
    reading_of,
    run_durations_by_workflow,
)

READ_AT = datetime(2026, 1, 1, 0, 1, 0, tzinfo=UTC)
RUNNING = {"phase": "running", "startTime": "2026-01-01T00:00:20Z"}
ENDED = {
    "phase": "succeeded",
    "createTime": "2026-01-01T00:00:00Z",
    "endTime": "2026-01-01T08:00:50+08:00",
}


def tasks(*progress: object) -> dict[str, Any]:
    return {"tasks": [{"progress": share} for share in progress]}


@pytest.mark.parametrize(
    ("outputs", "remaining"),
    [
        ({**RUNNING, **tasks(50)}, 40),
        ({**RUNNING, **tasks(20, 60)}, 60),  # 40 s for 40 %
        ({**RUNNING, **tasks(100)}, 0),
        ({**RUNNING, **tasks(1)}, None),  # one percent may be almost two
        ({**RUNNING, **tasks(0)}, None),
        ({**RUNNING, **tasks("half")}, None),
        (RUNNING, None),
        ({"phase": "running", **tasks(50)}, None),
        ({"phase": "running", "startTime": "2026-01-01T00:02:00Z", **tasks(50)}, None),
        ({"phase": "running", "startTime": "now", **tasks(50)}, None),
    ],
)
def test_progress_gives_the_remaining_time(
    outputs: dict[str, Any], remaining: float | None
) -> None:
    found = reading_of(outputs, "w", 60, READ_AT)
    assert (found.age, found.workflow, found.duration) == (60, "w", None)
    assert found.remaining == pytest.approx(remaining)


def test_the_duration_of_a_run_is_from_its_creation_to_its_end() -> None:
    assert reading_of(ENDED, "w", 60, READ_AT) == Reading(60, "w", duration=50)
    without_creation = {name: ENDED[name] for name in ("phase", "endTime")}
    recorded = [
        {**ENDED, "templateId": "t1"},
        {**without_creation, "templateId": "t1", "submittedAt": "2026-01-01T00:00:10Z"},
        {**ENDED, "templateId": "t2", "phase": "failed"},
        {**ENDED, "templateId": "t3", "phase": "running"},
        {**ENDED, "templateId": "t3", "endTime": ""},
        {**without_creation, "templateId": "t3"},
        {"phase": "submitted"},
    ]
    assert run_durations_by_workflow(recorded) == {"t1": [50, 40], "t2": [50]}


def test_durations_without_an_end_say_nothing() -> None:
    durations = RunDurations()
    durations.add_unfinished("a", 10)
    durations.add_ended("b", None)
    assert durations.remaining(10) == [math.inf] * len(QUANTILES)


def test_the_remaining_time_is_that_of_the_runs_that_took_longer() -> None:
    durations = RunDurations([float(number) for number in range(1, 37)])
    assert durations.remaining(0) == [3 * number + 2 for number in range(12)]
    assert durations.remaining(35.5) == [0.5] * 12
    assert durations.remaining(36) == [math.inf] * 12
    assert durations.remaining(18)[0] == 1
    assert durations.remaining(18)[-1] == 18


def test_unfinished_runs_count_as_longer_than_their_age() -> None:
    """Of ten runs five have ended, at 10 s. Four of the others are older, and one is younger."""
    durations = RunDurations()
    for number in range(5):
        durations.add_unfinished(f"ended {number}", 5)
    for number in range(4):
        durations.add_unfinished(f"older {number}", 20)
    durations.add_unfinished("younger", 5)
    for number in range(5):
        durations.add_ended(f"ended {number}", 10)
    assert durations.remaining(5).count(math.inf) == round(12 * 4 / 9)
    assert durations.remaining(5)[0] == 5


def test_recorded_durations_count_less_than_those_of_the_wait() -> None:
    durations = RunDurations([float(number) for number in range(1000)])
    assert len(durations._ended) == MAX_RECORDED
    assert max(abs(a - b) for a, b in zip(durations.remaining(0), QUANTILES, strict=True)) < 1000
    for number in range(20 * MAX_RECORDED):
        durations.add_ended(str(number), 5000.0)
    assert durations.remaining(0)[1:] == [5000.0] * 11


def test_errors_of_progress_are_learned() -> None:
    errors = ProgressErrors()
    assert min(ASSUMED_ERRORS) * 10 <= errors.remaining(10)[0] <= 10 <= errors.remaining(10)[-1]
    for _ in range(200):
        errors.add(10, 30)
    errors.add(0, 30)  # says nothing
    assert errors.remaining(10) == [30] * 12


def test_runs_that_end_together_are_read_then() -> None:
    assert plan_read([60.0] * 12, 5, 20) == (60, 5)


def test_runs_of_two_kinds_are_read_after_each() -> None:
    assert plan_read([20.0, 21.0, 70.0, 72.0], 5, 20)[0] == 21


def test_a_high_price_makes_reads_rare() -> None:
    times = [float(number) for number in range(1, 13)]
    intervals = [plan_read(times, penalty, 20)[0] for penalty in (0.01, 1, 100)]
    assert intervals == sorted(intervals)
    assert (intervals[0], intervals[-1]) == (1, 12)


@given(
    st.lists(st.integers(0, 100), min_size=1, max_size=6).map(sorted),
    st.integers(0, 2),
    st.integers(1, 50),
)
def test_no_other_plan_costs_less(times: list[int], unknown: int, penalty: int) -> None:
    """Every set of reads at these times that ends with the last one."""
    usual = 20

    def cost(reads: tuple[int, ...]) -> float:
        total = 0.0
        for time in times:
            seen = next(index for index, read in enumerate(reads) if times[read] >= time)
            total += times[reads[seen]] - time + penalty * (seen + 1)
        return total + unknown * (penalty * len(reads) + penalty + usual / 2)

    last = len(times) - 1
    plans = [
        (*earlier, last) for size in range(last + 1) for earlier in combinations(range(last), size)
    ]
    remaining = [float(time) for time in times] + [math.inf] * unknown
    interval, found = plan_read(remaining, penalty, usual)
    least = min(cost(plan) for plan in plans) / len(remaining)
    assert found == pytest.approx(least)
    best = {times[plan[0]] for plan in plans if cost(plan) / len(remaining) < least + 1e-9}
    assert interval in best
