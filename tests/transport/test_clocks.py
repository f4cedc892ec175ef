"""Clocks that are wrong, stand still, jump or disagree: what is started, and what waits see."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from pulumi_vod_workflow.config.clock import SystemClock
from pulumi_vod_workflow.core.polling import PollPolicy
from pulumi_vod_workflow.core.signing import Credentials
from pulumi_vod_workflow.emulator import VodEmulator
from pulumi_vod_workflow.errors import ClockSkewError, NotFoundError
from pulumi_vod_workflow.journal.sqlite import SqliteJournal
from pulumi_vod_workflow.lifecycle import reader, starter, waiter
from pulumi_vod_workflow.lifecycle.reader import RunRef, read_run
from pulumi_vod_workflow.lifecycle.starter import start_many
from pulumi_vod_workflow.lifecycle.waiter import WaitResult, wait_for_runs
from pulumi_vod_workflow.transport.client import VodClient
from tests.transport.conftest import notes

KEYS = Credentials("AKLTEMULATOR", "emulator-secret-key")
START = {"vid": "v", "templateId": "t"}
OK = {"ResponseMetadata": {"RequestId": "r"}, "Result": {"RunId": "lb:1"}}
STALE = {"ResponseMetadata": {"Error": {"Code": "InvalidTimestamp", "Message": "expired"}}}


class Wrong(SystemClock):
    """The machine's clock, off by so much."""

    def __init__(self, off: timedelta) -> None:
        self.off = off

    def now(self) -> datetime:
        return super().now() + self.off


@pytest.mark.parametrize(
    "off",
    [
        timedelta(hours=5),
        timedelta(hours=-5),
        timedelta(days=-400),
        timedelta(days=20 * 365),
        timedelta(seconds=905),
    ],
    ids=str,
)
@pytest.mark.vod_emulator(rate_limit=0, pending_seconds=1000)
def test_a_machine_whose_clock_is_wrong(
    vod_emulator: VodEmulator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, off: timedelta
) -> None:
    """Every start is paid once, and dated by the service; its time is asked for only once."""
    monkeypatch.setattr(starter, "SystemClock", lambda: Wrong(off))
    starts = notes(20, SqliteJournal(tmp_path / "journal", clock=Wrong(off)))

    async def go() -> starter.StartResults:
        clock = Wrong(off)
        client = VodClient(vod_emulator.url, "cn-north-1", KEYS, clock=clock)
        try:
            await client.start_workflow({**START, "vid": "first"}, "first")
            return await start_many(
                client, starts, on_progress=lambda _: None, is_cancelled=lambda: False
            )
        finally:
            await client.aclose()

    done = anyio.run(go)
    assert {run["runId"] for run in done.accepted.values()} == {
        entry["runId"] for entry in vod_emulator.ledger()[1:]
    }
    assert len(vod_emulator.ledger()) == 21
    assert vod_emulator.requests()["StartWorkflow"] == 22
    for run in done.accepted.values():
        moment = datetime.fromisoformat(run["submittedAt"])
        assert abs(moment - datetime.now(UTC)) < timedelta(minutes=5)


class Service:
    """Takes signatures of its own time only, as each of its servers has it."""

    def __init__(self, moments: Any, *servers: Callable[[int], timedelta]) -> None:
        self.moments = moments
        self.servers = servers
        self.count = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        server = self.servers[self.count % len(self.servers)]
        now = self.moments.now() + server(self.count)
        self.count += 1
        date = {"date": format_datetime(now, usegmt=True)}
        signed = datetime.strptime(request.headers["x-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs(signed - now) > timedelta(seconds=900):
            return httpx.Response(403, json=STALE, headers=date)
        return httpx.Response(200, json=OK, headers=date)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


@pytest.mark.parametrize(
    "service",
    [lambda n: minutes(10 * n), lambda n: minutes(-10 * n), lambda n: minutes(90 - 15 * (n % 12))],
    ids=["this machine's stands still", "goes too fast", "the service's drifts"],
)
def test_clocks_that_part_are_set_again_and_again(
    with_client: Callable[..., None], moments: Any, service: Callable[[int], timedelta]
) -> None:
    """However often they have parted since, each start costs one more request at most."""
    told = Service(moments, service)

    async def use(client: VodClient) -> None:
        for number in range(30):
            await client.start_workflow(START, str(number))

    with_client(told, use)
    assert 33 < told.count <= 60


def test_servers_whose_clocks_disagree(with_client: Callable[..., None], moments: Any) -> None:
    """A start that no two of them take alike is given up, as refused, and the clock is named."""
    told = Service(moments, lambda _: minutes(0), lambda _: minutes(60))
    refused: list[ClockSkewError] = []

    async def use(client: VodClient) -> None:
        for number in range(20):
            before = told.count
            try:
                await client.start_workflow(START, str(number))
            except ClockSkewError as error:
                refused.append(error)
            assert told.count - before <= 2

    with_client(told, use)
    assert 0 < len(refused) < 20
    for error in refused:
        assert not error.maybe_accepted
        assert "this machine's clock is " in str(error)


def waited(
    emulator: VodEmulator, monkeypatch: pytest.MonkeyPatch, clock: type[SystemClock]
) -> WaitResult:
    """Wait for a run that takes two seconds."""
    for module in (reader, waiter):
        monkeypatch.setattr(module, "SystemClock", clock)

    async def go() -> WaitResult:
        client = VodClient(emulator.url, "cn-north-1", KEYS)
        run_id = (await client.start_workflow(START, "token")).result["RunId"]
        try:
            return await wait_for_runs(
                {"run": RunRef(client, run_id)},
                timeout=60,
                on_progress=lambda _: None,
                is_cancelled=lambda: False,
                policy=PollPolicy(max_interval=2),
            )
        finally:
            await client.aclose()

    return anyio.run(go)


@pytest.mark.parametrize("days", [-1, -4000, 4000])
@pytest.mark.vod_emulator(rate_limit=0, pending_seconds=1, running_seconds=1)
def test_a_clock_that_jumps_during_a_wait(
    vod_emulator: VodEmulator, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """The wait goes on by what has passed, asks no faster, and sees the end."""
    asked = []

    class Jumping(SystemClock):
        def now(self) -> datetime:
            asked.append(1)
            return super().now() + timedelta(days=days if len(asked) > 1 else 0)

    result = waited(vod_emulator, monkeypatch, Jumping)
    assert result.ended["run"]["phase"] == "succeeded"
    assert len(asked) > 1
    assert vod_emulator.requests()["GetWorkflowExecution"] < 8


@pytest.mark.vod_emulator(rate_limit=0, pending_seconds=1, running_seconds=1)
def test_a_clock_that_stands_still_during_a_wait(
    vod_emulator: VodEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped_at = datetime.now(UTC)

    class Still(SystemClock):
        def now(self) -> datetime:
            return stopped_at

    result = waited(vod_emulator, monkeypatch, Still)
    assert result.ended["run"]["phase"] == "succeeded"
    assert vod_emulator.requests()["GetWorkflowExecution"] < 8


@pytest.mark.vod_emulator(rate_limit=0)
def test_a_fast_clock_lets_no_run_expire(
    vod_emulator: VodEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run is too old to be found by the service's time, whatever this machine's says."""
    monkeypatch.setattr(reader, "SystemClock", lambda: Wrong(timedelta(days=60)))
    yesterday = datetime.now(UTC) - timedelta(days=1)

    async def go() -> None:
        client = VodClient(vod_emulator.url, "cn-north-1", KEYS)
        try:
            await read_run(RunRef(client, "emu:none", yesterday.isoformat()))
        finally:
            await client.aclose()

    with pytest.raises(NotFoundError):
        anyio.run(go)
