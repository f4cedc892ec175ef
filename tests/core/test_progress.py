"""What a person is told while many runs go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, Final

import pytest

from pulumi_vod_workflow.core.execution import classify_status
from pulumi_vod_workflow.core.progress import ProgressMessage, ProgressTracker, format_duration

HOUR: Final = 3600.0
BEGAN: Final = 1000.0
"""The caller's clock has begun at some time or other."""


def run(status: str, *progress: float | None) -> dict[str, Any]:
    where = classify_status(status)
    tasks = [{"progress": part} for part in progress]
    return {"status": status, "phase": where.phase, "statusReason": where.reason, "tasks": tasks}


def names(count: int) -> list[str]:
    return [f"k{number}" for number in range(count)]


def watched(
    progress: ProgressTracker,
    seconds: float,
    news: Callable[[int], Iterator[ProgressMessage]] | None = None,
) -> list[tuple[float, ProgressMessage]]:
    """Tick each half second, with what is seen at each tick, and return when was said what."""
    told = []
    for tick in range(1, int(seconds * 2) + 1):
        now = BEGAN + tick / 2
        lines = [*(news(tick) if news else ()), *progress.on_timer(now)]
        told += [(tick / 2, line) for line in lines]
    return told


# -- lines -------------------------------------------------------------------------------------


def test_each_change_of_a_few_runs_is_a_line() -> None:
    """And nothing is when only the tasks go on."""
    progress = ProgressTracker(names(10), BEGAN)
    told = []
    for status in ("PendingStart", "PendingStart", "Running", "Running", "2003", "2003"):
        told += [*progress.update("k1", run(status, 10), BEGAN)]
    assert told == [
        ProgressMessage("k1: pending (PendingStart: queued)"),
        ProgressMessage("k1: running (Running: being processed)"),
        ProgressMessage(f"k1: failed ({classify_status('2003').reason})"),
    ]
    assert [*progress.update("k2", run("0"), BEGAN)] == [
        ProgressMessage(f"k2: succeeded ({classify_status('0').reason})")
    ]


def test_of_many_runs_only_failures_are_lines() -> None:
    """Of whatever kind, but for those after the twentieth: they are counted."""
    progress = ProgressTracker(names(11), BEGAN)
    for name in names(11):
        assert [*progress.update(name, run("Running"), BEGAN)] == []
    assert [*progress.update("k0", run("0"), BEGAN)] == []
    for name, status in (("k1", "1001"), ("k2", "Terminated")):
        assert [line.ephemeral for line in progress.update(name, run(status), BEGAN)] == [False]
    many = ProgressTracker(names(100), BEGAN)
    told = [line for name in names(30) for line in many.update(name, run("1001"), BEGAN)]
    assert len(told) == 20
    assert many.summary(BEGAN) == "30 of 100 ended, 30 failed"


def test_the_summary_counts() -> None:
    """All ends together, then each other phase that there is."""
    progress = ProgressTracker(names(2_000), BEGAN)
    assert progress.summary(BEGAN) == "0 of 2,000 ended"
    told = {"0": 5, "1001": 2, "Terminated": 1, "Running": 3, "PendingStart": 4, "Paused": 1}
    rest = iter(names(2_000))
    for status, count in told.items():
        for _ in range(count):
            assert isinstance([*progress.update(next(rest), run(status), BEGAN)], list)
    assert [*progress.update(next(rest), {"phase": "expired", "statusReason": "x"}, BEGAN)]
    assert progress.summary(BEGAN) == (
        "9 of 2,000 ended, 2 failed, 1 terminated, 1 expired, 4 running, 4 pending"
    )


# -- how many lines ----------------------------------------------------------------------------


def test_heartbeats_get_rarer() -> None:
    """After half a minute, then after twice as long each time, ten minutes at most."""
    told = watched(ProgressTracker(names(5), BEGAN), HOUR)
    beats = [second for second, line in told if not line.ephemeral]
    assert beats == [30, 90, 210, 450, 930, 1530, 2130, 2730, 3330]


def test_while_nothing_happens_only_the_heart_beats() -> None:
    """A passing line that says the same again is none."""
    told = watched(ProgressTracker(names(5), BEGAN), HOUR)
    assert [line.text for _, line in told if line.ephemeral] == ["0 of 5 ended"]
    beats = [second for second, line in told if not line.ephemeral]
    assert len(beats) <= 12
    gaps = [late - early for early, late in pairwise(beats)]
    assert gaps == sorted(gaps)
    assert gaps[-1] == 600


def test_what_the_heart_said_is_not_said_again_in_passing() -> None:
    """The row shows it already."""
    progress = ProgressTracker(names(5), BEGAN)
    assert isinstance([*progress.update("k0", run("Running"), BEGAN)], list)
    first = [*progress.on_timer(BEGAN + 1)]
    assert [line.ephemeral for line in first] == [True]
    assert isinstance([*progress.update("k1", run("Running"), BEGAN + 30)], list)
    (beat,) = progress.on_timer(BEGAN + 30)
    assert beat == ProgressMessage("0 of 5 ended, 2 running")
    for second in range(31, 90):
        assert [*progress.on_timer(BEGAN + second)] == []


@pytest.mark.parametrize("count", [5, 200, 10_000])
def test_an_hour_is_few_lines(count: int) -> None:
    """However many runs there are, and though the counts change all the time."""
    progress = ProgressTracker(names(count), BEGAN)
    for name in names(count):
        assert len([*progress.update(name, run("PendingStart"), BEGAN)]) <= 1
    share = count / 7200

    def news(tick: int) -> Iterator[ProgressMessage]:
        now = BEGAN + tick / 2
        for number in range(int((tick - 1) * share), int(tick * share)):
            yield from progress.update(f"k{number}", run("0"), now)

    told = watched(progress, HOUR, news)
    changes = count if count <= 10 else 0
    assert len([line for _, line in told if not line.ephemeral]) <= 12 + changes
    passing = [second for second, line in told if line.ephemeral]
    assert len(passing) <= 80
    assert len([second for second in passing if second >= 60]) <= 50
    gaps = [late - early for early, late in pairwise(passing)]
    assert min(gaps) >= 2
    assert max(gaps) >= 300, "they get rarer"


def test_failures_do_not_flood_the_hour() -> None:
    """A thousand that fail are twenty lines and the counts."""
    progress = ProgressTracker(names(1_000), BEGAN)

    def news(tick: int) -> Iterator[ProgressMessage]:
        if tick <= 1_000:
            yield from progress.update(f"k{tick - 1}", run("1001"), BEGAN + tick / 2)

    told = watched(progress, HOUR, news)
    assert len([line for _, line in told if not line.ephemeral]) <= 12 + 20
    assert told[-1][1].text.startswith("1,000 of 1,000 ended, 1,000 failed")


# -- when it will be over ----------------------------------------------------------------------


@pytest.mark.parametrize("second", [21, 100, 250, 500, 900, 999])
def test_the_end_of_steady_progress_is_told(second: int) -> None:
    """A run a second, seen from the first on."""
    progress = ProgressTracker(names(1_000), BEGAN)
    for name in names(1_000):
        assert [*progress.update(name, run("PendingStart"), BEGAN)] == []
    for done in range(second):
        assert [*progress.update(f"k{done}", run("0"), BEGAN + done + 1)] == []
    told = progress.summary(BEGAN + second)
    assert told == (
        f"{second} of 1,000 ended, {1_000 - second} pending, about {format_duration(1_000 - second)} left"
    )


def test_the_end_follows_the_tasks_of_a_single_run() -> None:
    """Before the run itself has ended."""
    progress = ProgressTracker(["a"], BEGAN)
    for second in range(31):
        done = 40 + second  # a wait that begins when 40 % are done
        assert isinstance([*progress.update("a", run("Running", done), BEGAN + second)], list)
    assert progress.summary(BEGAN + 30) == "0 of 1 ended, 1 running, about 30 s left"


def test_the_end_is_not_guessed_too_early() -> None:
    """Not before all runs were seen, and a fiftieth of the work was seen done."""
    progress = ProgressTracker(names(100), BEGAN)
    for name in names(99):
        assert [*progress.update(name, run("PendingStart"), BEGAN)] == []
    for name in names(50):
        assert [*progress.update(name, run("0"), BEGAN + 10)] == []
    assert "left" not in progress.summary(BEGAN + 10), "one was not seen yet"
    assert [*progress.update("k99", run("PendingStart"), BEGAN + 10)] == []
    assert "left" not in progress.summary(BEGAN + 60), "nothing was seen done since"
    assert [*progress.update("k50", run("0"), BEGAN + 60)] == []
    assert "left" not in progress.summary(BEGAN + 60), "too little"
    assert [*progress.update("k51", run("0"), BEGAN + 60)] == []
    assert "about 20 min left" in progress.summary(BEGAN + 60), "48 in as many times 25 s"


@pytest.mark.parametrize(
    "progress",
    [
        [],
        [None],
        [None, None],
        [-50.0],
        [150.0, 250.0],
        [float("nan")],
        [float("inf"), float("-inf")],
    ],
)
def test_odd_progress_is_no_trouble(progress: list[float | None]) -> None:
    """The service's numbers are its own; what is no part of the work counts for none of it."""
    watch = ProgressTracker(["a"], BEGAN)
    for second in (0, 10, 20):
        assert isinstance([*watch.update("a", run("Running", *progress), BEGAN + second)], list)
        assert "left" not in watch.summary(BEGAN + second)


def test_a_task_is_done_at_a_hundred_percent() -> None:
    """More than that does not stand for the others."""
    progress = ProgressTracker(["a", "b"], BEGAN)
    for name in ("a", "b"):
        assert [*progress.update(name, run("Running", 0), BEGAN)]
    assert [*progress.update("a", run("Running", 250), BEGAN + 10)] == []
    assert progress.summary(BEGAN + 10) == "0 of 2 ended, 2 running, about 10 s left"


def test_the_end_is_not_expected_once_it_is_there() -> None:
    """All runs have ended: nothing is left."""
    progress = ProgressTracker(["a"], BEGAN)
    assert [*progress.update("a", run("Running", 0), BEGAN)]
    assert [*progress.update("a", run("0"), BEGAN + 10)]
    assert progress.summary(BEGAN + 10) == "1 of 1 ended"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.4, "0 s"),
        (45.6, "46 s"),
        (89, "89 s"),
        (89.4, "89 s"),
        (89.6, "1 min"),
        (90, "2 min"),
        (100, "2 min"),
        (600, "10 min"),
        (3600, "60 min"),
        (149, "2 min"),
        (150, "3 min"),
        (210, "4 min"),
        (5340, "89 min"),
        (5369, "89 min"),
        (5370, "1 h 30 min"),
        (5400, "1 h 30 min"),
        (7200, "2 h 0 min"),
        (2_592_000, "720 h 0 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    """As a person says them."""
    assert format_duration(seconds) == text
