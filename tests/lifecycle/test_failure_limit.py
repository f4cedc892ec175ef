"""The limit of failures, in simulated time: the number of runs that are paid, and the time."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import anyio
import pytest

from pulumi_vod_workflow.errors import CallError, NotFoundError, StoppedError
from pulumi_vod_workflow.lifecycle import failure_limit
from pulumi_vod_workflow.lifecycle.bulk import for_each
from pulumi_vod_workflow.lifecycle.failure_limit import MAX_TIME_WITHOUT_END, FailureLimit
from pulumi_vod_workflow.lifecycle.reader import RunRead, RunRef
from pulumi_vod_workflow.transport.attempts import CANCEL_CHECK_INTERVAL
from tests.transport.simulation import SimulatedClock, SimulatedLoop

ANSWER = 0.2
"""The time of an answer, in seconds."""
NOT_FOUND = NotFoundError("GetWorkflowExecution", code="x", message="", http_status=404)


@dataclass
class Service:
    """Runs that end after a time, with an outcome for each name."""

    outcomes: Mapping[str, str]
    """Name -> the last phase; `rejected` has no run, and `lost` has one that cannot be read."""
    seconds: float = 60.0
    started: dict[str, float] = field(default_factory=dict)
    most_out: int = 0

    async def start(self, name: str) -> dict[str, Any] | None:
        await asyncio.sleep(ANSWER)
        if self.outcomes[name] == "rejected":
            return None
        self.started[name] = asyncio.get_running_loop().time()
        return {"runId": name, "phase": "submitted"}

    async def read_many(
        self, runs: Mapping[str, Any]
    ) -> tuple[dict[str, RunRead], dict[str, CallError]]:
        await asyncio.sleep(ANSWER)
        self.most_out = max(self.most_out, len(runs))
        now, found = asyncio.get_running_loop().time(), {}
        errors: dict[str, CallError] = {}
        for name in runs:
            if self.outcomes[name] == "lost":
                errors[name] = NOT_FOUND
                continue
            is_over = now - self.started[name] >= self.seconds
            phase = self.outcomes[name] if is_over else "running"
            outputs = {"phase": phase, "statusReason": phase}
            found[name] = RunRead({}, outputs, SimulatedClock().now())
        return found, errors


@dataclass
class Sent:
    """The result of an update."""

    limit: FailureLimit
    not_sent: list[str]
    seconds: float
    cancelled: int = 0


def send(
    monkeypatch: pytest.MonkeyPatch,
    service: Service,
    max_failures: int,
    *,
    deadline: float | None = None,
    cancel_at: float = math.inf,
) -> Sent:
    """Send all starts as `start_many` does."""
    monkeypatch.setattr(failure_limit, "SystemClock", SimulatedClock)
    monkeypatch.setattr(failure_limit, "read_many", service.read_many)
    # By default, each of the 64 waits looks 7,200 times in an hour for a cancellation.
    check_interval = 60.0 if cancel_at == math.inf else CANCEL_CHECK_INTERVAL
    monkeypatch.setattr(failure_limit, "CANCEL_CHECK_INTERVAL", check_interval)

    async def update() -> Sent:
        clock = asyncio.get_running_loop().time
        client: Any = None  # `Service.read_many` needs none
        limit = FailureLimit(max_failures, lambda run: RunRef(client, run["runId"]), deadline)
        done = Sent(limit, [], 0.0)

        async def work(limit: FailureLimit, name: str) -> None:
            try:
                if not await limit.admit(lambda: clock() >= cancel_at):
                    done.not_sent.append(name)
                    return
            except StoppedError:
                done.cancelled += 1
                return
            run = await service.start(name)
            if run is None:
                limit.not_accepted(failed=True)
            else:
                limit.accepted(name, run)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(done.limit.watch)
            await for_each(service.outcomes, partial(work, done.limit))
            tasks.cancel_scope.cancel()
        done.seconds = clock()
        return done

    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        return runner.run(update())


def same(count: int, outcome: str) -> dict[str, str]:
    return {f"k{number:05}": outcome for number in range(count)}


@pytest.mark.parametrize("max_failures", [1, 5, 64, 500])
@pytest.mark.parametrize("outcome", ["failed", "terminated", "rejected", "lost"])
def test_items_that_all_fail_send_exactly_the_limit(
    monkeypatch: pytest.MonkeyPatch, outcome: str, max_failures: int
) -> None:
    """However many are declared, and whatever the way in which they fail."""
    service = Service(same(1000, outcome))
    done = send(monkeypatch, service, max_failures)
    assert len(done.not_sent) == 1000 - max_failures
    assert len(service.started) == (0 if outcome == "rejected" else max_failures)
    assert done.limit.stop_reason == (
        f"after {max_failures} failure{'s' * (max_failures > 1)} (max_failures: {max_failures})"
    )


@pytest.mark.parametrize("seed", range(8))
def test_failures_are_bounded_by_the_limit_and_the_successes(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """What can still fail is never more than the limit, and two for each success."""
    draw = random.Random(seed)
    share = draw.choice([0.02, 0.2, 0.6])
    outcomes = {
        name: draw.choice(["failed", "rejected", "lost"]) if draw.random() < share else "succeeded"
        for name in same(600, "")
    }
    service, max_failures = Service(outcomes), draw.choice([1, 3, 10])
    done = send(monkeypatch, service, max_failures)
    sent = [name for name in outcomes if name not in done.not_sent]
    ended = [name for name, read in done.limit.reads.items() if read["phase"] == "succeeded"]
    assert len(sent) - len(ended) <= max_failures + 2 * len(ended)
    assert bool(done.not_sent) is bool(done.limit.stop_reason)


def test_successes_let_the_batch_grow_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two thousand runs of a minute take six waves from 5, not four hundred."""
    done = send(monkeypatch, Service(same(2_000, "succeeded")), 5)
    assert not done.not_sent
    assert done.seconds < 6 * 70 + 2_000 * ANSWER / 64
    few = send(monkeypatch, Service(same(64, "succeeded")), 64)
    assert few.seconds < 1, "nothing is left to wait for"


def test_a_wait_for_the_end_of_runs_ends_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the operation's time limit, after an hour without an end, and when the user cancels."""
    stuck = Service(same(20, "succeeded"), seconds=math.inf)
    done = send(monkeypatch, stuck, 4)
    assert done.limit.stop_reason == "because no run has ended for 60 min"
    assert (len(done.not_sent), done.seconds < MAX_TIME_WITHOUT_END + 60) == (16, True)
    done = send(monkeypatch, Service(same(20, "succeeded"), seconds=math.inf), 4, deadline=300)
    assert done.limit.stop_reason == "at the time limit of 5 min"
    assert (len(done.not_sent), done.seconds < 360) == (16, True)
    done = send(monkeypatch, Service(same(20, "succeeded"), seconds=math.inf), 4, cancel_at=100)
    assert (done.cancelled, done.not_sent, done.seconds < 102) == (16, [], True)


def test_a_defect_in_a_read_cancels_no_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancelled start loses its RunId. The defect only ends the starts."""

    class Broken(Service):
        async def read_many(self, runs: Mapping[str, Any]) -> Any:
            raise KeyError(*runs)

    service = Broken(same(20, "succeeded"))
    done = send(monkeypatch, service, 4)
    assert (len(service.started), len(done.not_sent)) == (4, 16)
    assert done.limit.stop_reason == (
        "because runs cannot be read: a defect of pulumi_vod_workflow (KeyError)"
    )


def test_runs_of_an_interrupted_update_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failure_limit, "SystemClock", SimulatedClock)

    async def resume() -> None:
        limit = FailureLimit(3, lambda run: run["runId"])
        for name, phase in {"a": "failed", "b": "expired", "c": "succeeded"}.items():
            limit.add(name, {"runId": name, "phase": phase})
        reasons = [limit.stop_reason]
        limit.add("d", {"runId": "d", "phase": "terminated", "statusReason": "x"})
        reasons.append(limit.stop_reason)
        assert reasons == ["", "after 3 failures (max_failures: 3)"]
        assert not await limit.admit(lambda: False)

    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        runner.run(resume())
