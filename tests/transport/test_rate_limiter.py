"""The limiter: never more than the service allows, as fast as it allows, starts first."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import anyio
import httpx
import pytest

from pulumi_vod_workflow.core.operations import START_WORKFLOW
from pulumi_vod_workflow.core.rate import AdaptiveRate
from pulumi_vod_workflow.core.signing import Credentials
from pulumi_vod_workflow.emulator import VodEmulator
from pulumi_vod_workflow.transport.client import VodClient
from pulumi_vod_workflow.transport.rate_limiter import (
    HIGH_PRIORITY,
    MAX_PREPARATION_TIME,
    NORMAL_PRIORITY,
    OperationLimiter,
    RateLimiter,
    rate_limiter,
)
from tests.transport.simulation import SimulatedLoop

READS = "GetWorkflowExecution"
START = {"vid": "v", "templateId": "t"}


def run(use: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run in simulated time, which does not depend on the speed of this machine."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        runner.run(use())


def now() -> float:
    return asyncio.get_running_loop().time()


async def send(paces: RateLimiter, action: str, count: int, rate: float = 50) -> list[float]:
    """Send so many requests at once; return when each was sent."""
    times: list[float] = []

    async def one() -> None:
        turn = await paces.operation(action, rate).acquire(NORMAL_PRIORITY)
        turn.mark_sent()
        times.append(now())

    async with anyio.create_task_group() as tasks:
        for _ in range(count):
            tasks.start_soon(one)
    return times


def most_in_a_second(times: Sequence[float]) -> int:
    times = sorted(times)
    return max(sum(start <= time < start + 1 for time in times) for start in times)


def test_no_second_has_more_than_the_rate_and_none_is_wasted() -> None:
    """A second's worth may go close together, but never one more within any second."""

    async def use() -> None:
        times = await send(RateLimiter(), START_WORKFLOW, 125)
        assert most_in_a_second(times) == 50
        assert times[49] - times[0] < 0.6
        assert times[124] - times[0] < 2.6

    run(use)


@pytest.mark.parametrize(("rate", "least"), [(2.0, 1.0), (12.5, 0.32)])
def test_any_rate(rate: float, least: float) -> None:
    """A rate need not be a whole number."""

    async def use() -> None:
        times = await send(RateLimiter(), START_WORKFLOW, int(rate) + 4, rate)
        whole = int(rate)
        assert times[whole] - times[0] >= whole / rate
        assert times[-1] - times[0] >= least

    run(use)


def test_a_turn_counts_from_when_it_is_sent() -> None:
    """A request that is held up by a new connection arrives later, and counts from then."""

    async def use() -> None:
        pace = RateLimiter().operation(START_WORKFLOW, 2)
        slow = await pace.acquire(NORMAL_PRIORITY)
        await pace.acquire(NORMAL_PRIORITY)
        begun = now()
        await anyio.sleep(0.3)
        slow.mark_sent()
        slow.mark_sent()  # only the first time counts
        pace.release(slow)  # and it stays used
        for turn in pace._permits[1:]:
            pace.release(turn)
        await pace.acquire(NORMAL_PRIORITY)
        await pace.acquire(NORMAL_PRIORITY)
        assert 1.3 <= now() - begun < 1.6

    run(use)


def test_a_turn_that_is_given_back_is_free_again() -> None:
    """No connection, no request: the next one need not wait for it."""

    async def use() -> None:
        pace = RateLimiter().operation(START_WORKFLOW, 1)
        begun = now()
        for _ in range(3):
            pace.release(await pace.acquire(NORMAL_PRIORITY))
        assert now() - begun < 0.8

    run(use)


def test_urgent_repeats_pass_those_who_wait() -> None:
    """A repeat whose run may have started does not queue behind a batch."""

    async def use() -> None:
        pace = RateLimiter().operation(START_WORKFLOW, 5)
        order: list[str] = []

        async def one(name: str, urgency: int) -> None:
            (await pace.acquire(urgency)).mark_sent()
            order.append(name)

        async with anyio.create_task_group() as tasks:
            for number in range(6):
                tasks.start_soon(one, f"usual {number}", NORMAL_PRIORITY)
            await anyio.sleep(0.01)
            tasks.start_soon(one, "urgent", HIGH_PRIORITY)
        assert order == ["usual 0", "urgent", *(f"usual {number}" for number in range(1, 6))]

    run(use)


def test_who_gives_up_does_not_block_the_others() -> None:
    async def use() -> None:
        pace = RateLimiter().operation(START_WORKFLOW, 5)
        await pace.acquire(NORMAL_PRIORITY)
        with anyio.move_on_after(0.01) as gone:
            await pace.acquire(HIGH_PRIORITY)
        assert gone.cancelled_caught
        with anyio.fail_after(1):
            await pace.acquire(NORMAL_PRIORITY)

    run(use)


def test_one_limiter_for_all_clients_of_a_process() -> None:
    """Clients share the account's rate, the lowest that any asks for; an action has its own."""

    async def use() -> None:
        transport = httpx.MockTransport(
            lambda _: httpx.Response(200, json={"ResponseMetadata": {}, "Result": {"RunId": "r"}})
        )
        keys = Credentials("A", "S")
        clients = [
            VodClient(
                "https://vod.example.com", "r", keys, requests_per_second=rate, transport=transport
            )
            for rate in (40, 5, 50)
        ]
        begun = now()
        for client in clients * 2:
            await client.start_workflow(START, "t")
        assert now() - begun >= 1
        assert rate_limiter().operation(START_WORKFLOW, 50).rate.allowed == 5
        assert rate_limiter().operation(READS, 50).rate.allowed == 50
        for client in clients:
            await client.aclose()

    run(use)


def test_after_an_objection_it_goes_slower_evenly_and_recovers() -> None:
    async def use() -> None:
        paces = RateLimiter()
        await send(paces, START_WORKFLOW, 1)
        paces.on_throttled(START_WORKFLOW)
        times = await send(paces, START_WORKFLOW, 15)
        gaps = [later - sooner for sooner, later in itertools.pairwise(times)]
        assert min(gaps[1:]) > 0.025
        assert paces.operation(START_WORKFLOW, 50).rate.at(now() + 60) == 50

    run(use)


def test_an_objection_to_a_start_slows_reads_but_not_the_other_way_round() -> None:
    """What the service objects to may be the account as a whole: starts are what is paid for."""

    async def use() -> None:
        paces = RateLimiter()
        starts, reads = paces.operation(START_WORKFLOW, 50), paces.operation(READS, 50)
        paces.on_throttled(READS)
        assert starts.rate.at(now()) == 50
        assert reads.rate.at(now()) == pytest.approx(37.5, abs=1)
        await anyio.sleep(1.1)
        paces.on_throttled(START_WORKFLOW)
        assert starts.rate.at(now()) == pytest.approx(37.5, abs=1)
        assert reads.rate.at(now()) < 20

    run(use)


def test_while_starts_are_held_up_reads_only_trickle() -> None:
    """Starts go before reads, which never quite stop."""

    async def use() -> None:
        paces = RateLimiter()
        paces.operation(START_WORKFLOW, 50)
        paces.on_throttled(START_WORKFLOW)
        read: list[float] = []

        async def reading() -> None:
            for _ in range(100):
                read.extend(await send(paces, READS, 1))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send, paces, START_WORKFLOW, 40)
            await anyio.sleep(0.05)
            tasks.start_soon(reading)
            await anyio.sleep(1)
            tasks.cancel_scope.cancel()
        assert 1 <= len(read) <= 6

    run(use)


async def start_at_once(emulator: VodEmulator, count: int) -> None:
    """Start runs with one client, all at the same time."""
    client = VodClient(
        emulator.url, "cn-north-1", Credentials("AKLTEMULATOR", "emulator-secret-key")
    )
    async with anyio.create_task_group() as tasks:
        for number in range(count):
            tasks.start_soon(client.start_workflow, {**START, "vid": f"v{number}"}, str(number))
    await client.aclose()


@pytest.mark.vod_emulator(rate_limit=50)
def test_the_service_never_objects(vod_emulator: VodEmulator) -> None:
    """
    The real client against the real limit, from cold connections: none of 160 is refused.

    One is, where this process, which is the service as well, was late to look at an arrival.
    """
    anyio.run(start_at_once, vod_emulator, 160)
    assert len(vod_emulator.ledger()) == 160
    assert 160 <= vod_emulator.requests()[START_WORKFLOW] <= 161


@pytest.mark.waits
@pytest.mark.vod_emulator(rate_limit=20)
def test_it_finds_the_rate_that_is_left(vod_emulator: VodEmulator) -> None:
    """Where other systems take their share, most requests pass and every start is accepted."""
    anyio.run(start_at_once, vod_emulator, 100)
    assert len(vod_emulator.ledger()) == 100
    assert vod_emulator.requests()[START_WORKFLOW] - 100 < 60


@pytest.mark.parametrize("claim_time", [0.001, 0.03, 0.1, 0.4])
def test_a_claim_before_each_start_costs_no_rate(claim_time: float) -> None:
    """No second has more than 50 starts, and 400 starts take one claim longer."""
    times: list[float] = []

    async def one(pace: OperationLimiter) -> None:
        turn = await pace.acquire(NORMAL_PRIORITY)
        await asyncio.sleep(claim_time)
        await pace.wait_until_due(turn)
        turn.mark_sent()
        times.append(now())

    async def use() -> None:
        pace = RateLimiter().operation(START_WORKFLOW, 50)
        await asyncio.gather(*(one(pace) for _ in range(400)))

    run(use)
    assert most_in_a_second(times) == 50
    assert times[-1] == pytest.approx(claim_time + 7 * 1.02 + 49 / 200, abs=0.02)


def test_a_claim_of_uneven_time_never_makes_a_second_of_more_than_the_rate() -> None:
    """A late start counts from its send."""
    generator = random.Random(1)
    times: list[float] = []

    async def one(pace: OperationLimiter) -> None:
        turn = await pace.acquire(NORMAL_PRIORITY)
        await asyncio.sleep(generator.choice([0.0, 0.05, 0.3, 2.0]) * generator.random())
        await pace.wait_until_due(turn)
        turn.mark_sent()
        times.append(now())

    async def use() -> None:
        pace = RateLimiter().operation(START_WORKFLOW, 50)
        await asyncio.gather(*(one(pace) for _ in range(1000)))

    run(use)
    assert most_in_a_second(times) <= 50


def test_a_permit_is_early_by_less_than_a_window() -> None:
    windows = [AdaptiveRate(rate / 100).burst_window(0)[1] for rate in range(1, 5100)]
    assert min(windows) > MAX_PREPARATION_TIME


def test_the_rate_as_a_value() -> None:
    rate = AdaptiveRate(50)
    assert rate.at(0) == 50
    assert rate.burst_window(0) == pytest.approx((50, 1.02))
    cut = rate.on_throttled(100)
    assert cut.at(100) == 37.5
    assert cut.on_throttled(100.5) is cut  # the same objection, told by another answer
    assert cut.on_throttled(102).at(102) == pytest.approx((37.5 + 2) / 2)
    assert cut.on_throttled(159).at(159) == 25
    assert cut.on_throttled(160).at(160) == 37.5  # after a minute it is the first one again
    assert cut.at(110) > cut.at(105) > 37.5
    assert cut.at(200) == 50
    assert cut.min_spacing(200) == pytest.approx(1.02 / 50)
    lowest = cut
    for second in range(10):
        lowest = lowest.on_throttled(102 + second)
    assert lowest.at(111) == pytest.approx(50 / 16)
