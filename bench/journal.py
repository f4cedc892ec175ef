"""
Starts with each store of the journal, beside the same starts without a journal.

A proxy adds the round trip between the journal and its server. The emulator has the account's rate
and answers as late as the service does.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

import pytest

from bench.processes import served
from bench.report import Figure, Measured, refused, say
from bench.servers import KEYS, Emulator, emulator
from pulumi_vod_workflow.core.recovery import StartIntent, StartRecord, start_intent
from pulumi_vod_workflow.journal.objects import ObjectJournal
from pulumi_vod_workflow.journal.postgres import PostgresJournal
from pulumi_vod_workflow.journal.recorder import StartRecorder
from pulumi_vod_workflow.journal.sqlite import SqliteJournal
from pulumi_vod_workflow.journal.store import ClaimResult, Journal
from pulumi_vod_workflow.lifecycle.starter import start_many, start_run
from pulumi_vod_workflow.transport.client import VodClient
from tests.servers.s3 import S3Server
from tools.engine.find_or_install import EngineError
from tools.object_servers import S3, find_or_install

STARTS: Final = 400
RATE: Final = 50
"""Permitted starts in a second."""
ANSWER: Final = 0.3
"""Delay of each of the emulator's responses, in seconds."""
ROUND_TRIPS: Final = (0.001, 0.03, 0.1)
"""Added round trips between the journal and its server, in seconds."""
FAR: Final = ROUND_TRIPS[-1]
BAR, BAR_FAR = 1.05, 1.08
FEW: Final = 15
"""Number of starts whose time is measured one by one; the median counts."""
ROUNDS: Final = 2
"""Number of bulk starts with each store: one answer 429 by chance takes a fifth of the time."""
MOST_ROUND_TRIPS: Final = 2.0
"""The round trips to the store in a start with an object journal."""
EXACTNESS: Final = 1.05
"""The part above them that the timers of the proxy may take."""


class NoJournal:
    """A journal that keeps nothing, and wins each claim at once."""

    def now(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC)

    def claim(self, intent: StartIntent, *_: object) -> Future[ClaimResult]:
        """Win a claim."""
        record = StartRecord(self.now(), None, intent.record_key)
        return _done(ClaimResult(won=True, record=record))

    def record_accepted(self, *_: object) -> Future[None]:
        """Keep nothing."""
        return _done(None)


def _done(result: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(result)
    return future


@dataclass(frozen=True, slots=True)
class Store:
    """A journal under measurement."""

    name: str
    journal: Journal
    round_trip: float = 0.0
    """The added round trip to its server, in seconds."""

    def __str__(self) -> str:
        far = f", {self.round_trip * 1000:.0f} ms away" if self.round_trip else ""
        return f"{self.name}{far}"


def measure(folder: Path) -> Measured:
    """Start with each store."""
    settings = {"rateLimit": RATE, "latencySeconds": ANSWER, "runningSeconds": 3600}
    with ExitStack() as stack:
        service = stack.enter_context(emulator(folder / "emulator", **settings))
        without = cast("Journal", NoJournal())
        figures = []
        say(f"journal: {STARTS} starts without a journal, {ROUNDS} times, then {FEW} one by one")
        pace = _least(service, without, "pace")
        alone = _start_each(service, without, "alone")
        added: dict[str, dict[float, float]] = defaultdict(dict)
        for store in _stores(folder, stack):
            say(f"journal: the same with {store}")
            took = _least(service, store.journal, f"{store}-all")
            bar = BAR_FAR if store.round_trip == FAR else BAR
            name = f"{STARTS} starts, {store}"
            figures.append(Figure(name, took, "s", pace, "s, no journal", at_most=bar))
            more = _start_each(service, store.journal, f"{store}-each") - alone
            added[store.name][store.round_trip] = more
            name = f"added to a start, {store}"
            figures.append(Figure(name, more * 1000, "ms", alone * 1000, "ms, no journal"))
        figures += [
            _round_trips(name, by_round_trip)
            for name, by_round_trip in added.items()
            if FAR in by_round_trip
        ]
        figures.append(refused(service.answers(), "journal"))
    return Measured(figures)


def _round_trips(name: str, added: Mapping[float, float]) -> Figure:
    """
    Return the time that a longer round trip adds to a start, beside this round trip.

    The difference has no computation of the store and of this machine.
    """
    near = min(added)
    return Figure(
        f"round trips in a start, {name}",
        (added[FAR] - added[near]) * 1000,
        "ms",
        (FAR - near) * 1000,
        "ms, a round trip",
        at_most=MOST_ROUND_TRIPS * EXACTNESS if name == "objects" else None,
    )


def _intents(count: int, name: str) -> list[StartIntent]:
    return [
        start_intent(
            {
                "vid": f"v0d399g10001csunlgaljhtdd{number:07}",
                "templateId": "06853553c4d3402698a17ff5dff87fd7",
                "clientToken": f"{name}-{number}"[-64:],
                "scope": {"project": "bench", "stack": "bench", "name": name, "item": str(number)},
            },
            endpoint="https://bench.example.com",
            region="cn-north-1",
        )
        for number in range(count)
    ]


@contextmanager
def _recorders(journal: Journal, count: int, name: str) -> Iterator[dict[str, StartRecorder]]:
    """Give recorders as an update has them, and check that the journal has each run afterwards."""
    intents = _intents(count, name)
    versions: Mapping[str, Any] = {}
    keeps = not isinstance(journal, NoJournal)
    if keeps:
        versions = journal.lookup(intents, create=True).versions
    yield {
        intent.client_token: StartRecorder(
            journal,
            intent,
            "bench",
            *([versions[intent.record_key]] if intent.record_key in versions else []),
        )
        for intent in intents
    }
    if keeps:
        records = journal.lookup(intents).records.values()
        runs = sum(record.run is not None for record in records)
        assert runs == count, f"{name}: the journal has {runs} of {count} runs"


def _client(service: Emulator) -> VodClient:
    return VodClient(f"http://{service.host}", "cn-north-1", KEYS)


def _least(service: Emulator, journal: Journal, name: str) -> float:
    """Return the shortest time of a bulk start, in seconds."""
    return min(_start_all(service, journal, f"{name}-{number}") for number in range(ROUNDS))


def _start_all(service: Emulator, journal: Journal, name: str) -> float:
    """Return the time of a bulk start, in seconds."""
    with _recorders(journal, STARTS, name) as recorders:
        time.sleep(1)  # the account's last second has no starts
        earlier = service.answers().count(429)

        async def start() -> float:
            client = _client(service)
            begun = time.monotonic()
            results = await start_many(
                client, recorders, on_progress=lambda _: None, is_cancelled=lambda: False
            )
            took = time.monotonic() - begun
            await client.aclose()
            assert len(results.accepted) == STARTS, (results.failed, results.skipped)
            return took

        took = asyncio.run(start())
        if throttled := service.answers().count(429) - earlier:
            say(f"journal: {name}: {throttled} answers 429")
        return took


def _start_each(service: Emulator, journal: Journal, name: str) -> float:
    """Return the median time of a start, in seconds."""
    with _recorders(journal, FEW + 1, name) as recorders:
        time.sleep(1)

        async def start() -> float:
            client = _client(service)
            times = []
            for recorder in recorders.values():
                begun = time.monotonic()
                await start_run(
                    client, recorder, on_progress=lambda _: None, is_cancelled=lambda: False
                )
                times.append(time.monotonic() - begun)
            await client.aclose()
            return statistics.median(times[1:])  # the first one connects

        return asyncio.run(start())


def _stores(folder: Path, stack: ExitStack) -> Iterator[Store]:
    """Yield each store, with its server at each round trip."""
    yield Store("SQLite", SqliteJournal(folder / "journal.sqlite3"))
    for name, stores in (("objects", _objects), ("PostgreSQL", _postgres)):
        try:
            yield from stores(folder, stack)
        except pytest.skip.Exception as reason:
            say(f"journal: {name} is not measured: {reason}")


def _objects(folder: Path, stack: ExitStack) -> Iterator[Store]:
    data = folder / "s3"
    data.mkdir()
    try:
        executable = find_or_install(S3, os.environ)
    except EngineError as error:
        pytest.skip(str(error))
    server = stack.enter_context(S3Server(executable, data))
    os.environ |= server.environ()
    for round_trip in ROUND_TRIPS:
        host = stack.enter_context(_delayed(f"127.0.0.1:{server.port}", round_trip))
        url = server.url(server.bucket(), endpoint=f"http://{host}")
        yield Store("objects", ObjectJournal(url), round_trip)


def _postgres(_: Path, stack: ExitStack) -> Iterator[Store]:
    from tests.servers.postgres import PostgresServer  # noqa: PLC0415 - skips without psycopg

    server = stack.enter_context(PostgresServer())
    for round_trip in ROUND_TRIPS:
        place = f"127.0.0.1:{server.port}"
        host = stack.enter_context(_delayed(place, round_trip))
        url = server.url(server.new_database()).replace(place, host)
        yield Store("PostgreSQL", PostgresJournal(url), round_trip)


@contextmanager
def _delayed(address: str, round_trip: float) -> Iterator[str]:
    """Run the proxy before a server, and give its address."""
    with served("-m", "bench.delay", address, str(round_trip)) as (host, _):
        yield host
