"""The schedule of a wait's reads beside fixed intervals, in simulated time."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_vod_workflow.core.end_estimates import Reading
from pulumi_vod_workflow.core.polling import PollPolicy
from pulumi_vod_workflow.core.read_schedule import MAX_SWEEPS, ReadSchedule
from tests.core.simulated_wait import ANSWER_TIME, RATE, Outcome, Progress, Run, fixed, learning

COUNT = 1000
NOISE = ANSWER_TIME + 2 / RATE
"""The seconds of an answer, and of a permit that another read has."""

Draw = Callable[[random.Random], float]


def drawn(duration: Draw, *, started: float = 0.0, seed: int = 1) -> dict[str, Run]:
    """Return runs that start evenly within `started` seconds."""
    chance = random.Random(seed)
    return {
        f"r{number:04}": Run(started * number / COUNT, max(1.0, duration(chance)))
        for number in range(COUNT)
    }


def uniform(low: float, high: float) -> Draw:
    return lambda chance: chance.uniform(low, high)


def normal(mean: float, deviation: float) -> Draw:
    return lambda chance: chance.gauss(mean, deviation)


def either(first: Draw, second: Draw) -> Draw:
    return lambda chance: first(chance) if chance.random() < 0.5 else second(chance)


def sample(duration: Draw) -> list[float]:
    """Return the durations of a hundred earlier runs."""
    chance = random.Random(99)
    return [duration(chance) for _ in range(100)]


WITHIN_A_MINUTE = uniform(15, 75)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("begin", [5, 10])
def test_progress_tells_when_runs_end(seed: int, begin: float) -> None:
    """1,000 runs that start together and end over a minute, as in `make bench`."""
    runs = drawn(WITHIN_A_MINUTE, seed=seed)
    learned, before = (
        learning(runs, begin=begin, progress=lambda part: part),
        fixed(runs, begin=begin),
    )
    assert learned.p95 <= 0.5
    assert before.p95 >= 0.75
    assert learned.questions <= 4 < before.questions
    assert learned.longest <= 1


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("duration", "started"),
    [
        pytest.param(normal(70, 3), 55, id="alike"),
        pytest.param(either(normal(65, 2), normal(100, 3)), 55, id="of two kinds"),
    ],
)
def test_durations_in_the_state_tell_when_runs_end(
    duration: Draw, started: float, seed: int
) -> None:
    """Runs that start over a minute and report no progress."""
    runs = drawn(duration, started=started, seed=seed)
    learned = learning(runs, begin=started + 1, recorded={"w": sample(duration)})
    before = fixed(runs, begin=started + 1)
    assert learned.p95 <= 0.5 < before.p95
    assert learned.questions < before.questions


def test_durations_of_another_workflow_do_not_count() -> None:
    runs = drawn(normal(70, 3), started=55)
    other = learning(runs, begin=56, recorded={"other": sample(normal(70, 3))})
    assert other == learning(runs, begin=56)


LINEAR: Progress = lambda part: part  # noqa: E731 - a name for a parameter


@pytest.mark.parametrize(
    ("duration", "started", "progress", "recorded"),
    [
        pytest.param(WITHIN_A_MINUTE, 0, None, None, id="no information"),
        pytest.param(WITHIN_A_MINUTE, 0, None, uniform(15, 75), id="durations that say little"),
        pytest.param(
            WITHIN_A_MINUTE, 0, None, uniform(600, 700), id="all shorter than in the state"
        ),
        pytest.param(WITHIN_A_MINUTE, 0, None, uniform(5, 7), id="all longer than in the state"),
        pytest.param(normal(60, 5), 20, None, uniform(600, 700), id="alike, and shorter"),
        pytest.param(normal(60, 5), 20, None, None, id="alike"),
        pytest.param(normal(70, 8), 55, None, None, id="alike, over a minute"),
        pytest.param(either(normal(20, 1), normal(70, 2)), 20, None, normal(20, 1), id="two kinds"),
        pytest.param(
            WITHIN_A_MINUTE, 0, lambda part: part**0.3, None, id="progress that is fast at first"
        ),
        pytest.param(
            WITHIN_A_MINUTE, 0, lambda part: part**3, None, id="progress that is slow at first"
        ),
        pytest.param(
            WITHIN_A_MINUTE,
            0,
            lambda part: min(0.99, 3 * part),
            None,
            id="progress that stays at 99",
        ),
        pytest.param(WITHIN_A_MINUTE, 0, lambda _: 0.1, None, id="progress that stays at 10"),
        pytest.param(
            WITHIN_A_MINUTE, 0, lambda part: math.floor(3 * part) / 3, None, id="progress in steps"
        ),
        pytest.param(WITHIN_A_MINUTE, 0, lambda _: 0.99, normal(10, 1), id="all wrong"),
    ],
)
def test_a_wrong_estimate_is_never_much_worse_than_none(
    duration: Draw, started: float, progress: Progress | None, recorded: Draw | None
) -> None:
    """
    Half a sweep more at most for the last end, a quarter for the 95th percentile; few more reads.

    If nothing tells one run from another, no order of reads at this rate is below 0.7 of a sweep:
    while U runs are left, 50 x reads in x seconds see at most 50 x / U of the ends in time.
    """
    runs, begin = drawn(duration, started=started), max(7.0, started + 1)
    known = {"w": sample(recorded)} if recorded else None
    learned, before = (
        learning(runs, begin=begin, progress=progress, recorded=known),
        fixed(runs, begin=begin),
    )
    assert learned.p95 <= 1.25 * before.p95
    assert learned.longest <= before.longest + 0.5
    assert learned.questions <= 1.05 * before.questions


@pytest.mark.parametrize("progress", [None, LINEAR, lambda _: 0.99], ids=["none", "linear", "99"])
def test_a_run_that_takes_ten_times_as_long_is_seen(progress: Progress | None) -> None:
    """Few runs are left, so the sweep is short: the interval by age is the longer one."""
    runs = drawn(uniform(35, 45), started=20)
    long = [*runs][::100]
    runs |= {name: Run(runs[name].started, 400) for name in long}
    seen = learning(runs, begin=21, progress=progress, recorded={"w": sample(uniform(35, 45))})
    last_reads = {name: moment for moment, name in seen.reads}
    for name in long:
        by_age = PollPolicy().interval(400)
        assert last_reads[name] + ANSWER_TIME - runs[name].ended <= by_age + NOISE


@pytest.mark.parametrize("progress", [None, LINEAR, lambda _: 0.99], ids=["none", "linear", "99"])
def test_each_run_is_read_again_within_a_bound(progress: Progress | None) -> None:
    seen = learning(drawn(WITHIN_A_MINUTE), begin=7, progress=progress)
    assert max(seen.intervals()) <= MAX_SWEEPS + 1
    assert all(later - earlier >= 1 / RATE - 1e-9 for earlier, later in pairwise(times(seen)))


def times(seen: Outcome) -> list[float]:
    return [moment for moment, _ in seen.reads]


def test_the_order_of_runs_does_not_depend_on_their_declaration() -> None:
    runs = drawn(WITHIN_A_MINUTE)
    names = [*runs]
    random.Random(3).shuffle(names)
    shuffled = {name: runs[name] for name in names}
    assert learning(shuffled, begin=7, progress=LINEAR) == learning(runs, begin=7, progress=LINEAR)


def test_the_oldest_run_is_read_first() -> None:
    schedule = ReadSchedule({"new": 1.0, "unknown": None, "old": 9.0}, rate=10, now=0)
    assert [schedule.take() for _ in range(3)] == ["old", "new", "unknown"]
    assert schedule.next_at == math.inf


def test_a_run_that_cannot_be_read_has_the_usual_interval() -> None:
    schedule = ReadSchedule({"a": None}, rate=50, now=0)
    schedule.take()
    schedule.add_failed("a", 100, now=3)
    assert schedule.next_at == 3 + PollPolicy().interval(100)
    schedule.take()
    schedule.remove("a")
    assert schedule.is_over


@given(
    st.lists(
        st.tuples(
            st.floats(0, 10_000),
            st.none() | st.floats(0, 100_000),
            st.none() | st.floats(0, 10_000),
        ),
        max_size=60,
    ),
    st.lists(st.floats(0, 10_000), max_size=20),
)
def test_intervals_have_bounds_whatever_the_service_says(
    said: list[tuple[float, float | None, float | None]], recorded: list[float]
) -> None:
    """From the policy's shortest interval to two sweeps, or to the interval by age."""
    names = [f"r{number}" for number in range(100)]
    schedule = ReadSchedule(
        dict.fromkeys(names), rate=RATE, now=0, recorded={"w": recorded}, policy=PollPolicy()
    )
    now, left = 0.0, len(names)
    for age, remaining, duration in said:
        now, name = max(now, schedule.next_at), schedule.take()
        if duration is not None:
            schedule.add_ended(name, Reading(age, "w", duration=duration), now)
            left -= 1
            continue
        schedule.add_unfinished(name, Reading(age, "w", remaining), now)
        dues = {run: at for at, run in schedule._due}
        by_age = PollPolicy().interval(age)
        longest = max(by_age, MAX_SWEEPS * left / RATE)
        assert PollPolicy().min_interval <= dues[name] - now + 1e-6 <= longest + 2e-6


@pytest.mark.parametrize("duration", [3.0, 8.0, 12.0, 19.0])
@pytest.mark.parametrize("progress", [None, LINEAR], ids=["no progress", "progress"])
@pytest.mark.parametrize("recorded", [[], [20.0], [5.0] * 9, [300.0] * 9], ids=str)
def test_the_end_of_one_short_run_is_seen_within_two_seconds(
    duration: float, progress: Progress | None, recorded: list[float]
) -> None:
    for begin in (0.1, 0.7, 2.5):
        runs = {"one": Run(0, duration)}
        seen = learning(runs, begin=begin, progress=progress, recorded={"w": recorded})
        assert seen.delays[0] <= 2 + ANSWER_TIME
