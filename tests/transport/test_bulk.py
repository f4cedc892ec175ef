"""Many runs at once, on the emulator: nothing that was accepted is given up."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from pulumi_vod_workflow.core import recovery
from pulumi_vod_workflow.core.operations import START_WORKFLOW
from pulumi_vod_workflow.core.progress import ProgressMessage
from pulumi_vod_workflow.core.rate import MAX_IN_FLIGHT
from pulumi_vod_workflow.core.response import ApiResponse
from pulumi_vod_workflow.core.retry import RetryPolicy
from pulumi_vod_workflow.core.signing import Credentials
from pulumi_vod_workflow.emulator import EmulatorSettings, VodEmulator, create_app, store
from pulumi_vod_workflow.errors import JournalError, StartInProgressError
from pulumi_vod_workflow.journal import object_store, recorder
from pulumi_vod_workflow.journal.recorder import StartRecorder
from pulumi_vod_workflow.journal.sqlite import SqliteJournal
from pulumi_vod_workflow.journal.store_clock import CLOCK_TOLERANCE
from pulumi_vod_workflow.lifecycle import reader, starter, waiter
from pulumi_vod_workflow.lifecycle.bulk import for_each
from pulumi_vod_workflow.lifecycle.reader import RunRef
from pulumi_vod_workflow.lifecycle.starter import StartResults, start_many
from pulumi_vod_workflow.lifecycle.waiter import WaitResult, wait_for_runs
from pulumi_vod_workflow.transport.client import Timeouts, VodClient
from pulumi_vod_workflow.transport.rate_limiter import MAX_PREPARATION_TIME, rate_limiter
from tests.scale import scaled
from tests.transport.conftest import notes
from tests.transport.simulation import SimulatedClock, SimulatedLoop

KEYS = Credentials("AKLTEMULATOR", "emulator-secret-key")


def started(emulator: VodEmulator, count: int, **options: Any) -> StartResults:
    async def go(journal: SqliteJournal) -> StartResults:
        client = VodClient(emulator.url, "cn-north-1", KEYS)
        defaults: dict[str, Any] = {"on_progress": lambda _: None, "is_cancelled": lambda: False}
        try:
            return await start_many(client, notes(count, journal), **{**defaults, **options})
        finally:
            await client.aclose()

    with TemporaryDirectory() as folder:
        return anyio.run(go, SqliteJournal(Path(folder) / "journal"))


@pytest.mark.vod_emulator(rate_limit=0)
def test_a_defect_in_one_start_does_not_cancel_the_others(
    vod_emulator: VodEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been accepted, and so it says; the others are all known."""
    right = VodClient.start_workflow

    async def wrong(self: VodClient, start: dict[str, Any], token: str, *more: Any) -> ApiResponse:
        answer = await right(self, start, token, *more)
        if token == "token-7":
            raise KeyError("a defect")
        return answer

    monkeypatch.setattr(VodClient, "start_workflow", wrong)
    done = started(vod_emulator, 40)
    assert len(vod_emulator.ledger()) == 40
    assert len(done.accepted) == 39
    assert done.failed["k7"].maybe_accepted
    assert "a defect of pulumi_vod_workflow (KeyError)" in str(done.failed["k7"])


@pytest.mark.parametrize(("claim", "starts"), [(0.0, 64), (0.03, 67), (0.1, 74), (0.5, 114)])
def test_a_far_journal_has_more_starts_in_flight(claim: float, starts: int) -> None:
    """50 a second times two round trips; 0.5 s is the most that the limiter measures."""

    async def use() -> None:
        async with AsyncExitStack() as stack:
            client = VodClient("https://vod.example.com", "cn-north-1", KEYS)
            stack.push_async_callback(client.aclose)
            rate_limiter().operation(START_WORKFLOW, 50).preparation_time = claim
            assert starter._concurrent_starts(client) == starts
            assert starts <= MAX_IN_FLIGHT

    assert MAX_PREPARATION_TIME == 0.5
    anyio.run(use)


def test_the_number_at_a_time_can_grow() -> None:
    """It is read again after each work."""
    running, most = 0, [0]

    async def work(name: str) -> None:
        nonlocal running
        running += 1
        most.append(max(most[-1], running))
        await anyio.lowlevel.checkpoint()
        running -= 1

    async def use() -> None:
        await for_each(map(str, range(30)), work, lambda: 2 if len(most) < 10 else 5)

    anyio.run(use)
    assert most[9] == 2
    assert most[-1] == 5
    assert len(most) == 31


@pytest.mark.vod_emulator(rate_limit=0, latency_seconds=0.8)
def test_lines_that_cannot_be_shown_lose_nothing(vod_emulator: VodEmulator) -> None:
    def say(_: ProgressMessage) -> None:
        raise RuntimeError("no one there")

    done = started(vod_emulator, 200, on_progress=say)
    assert len(done.accepted) == len(vod_emulator.ledger()) == 200


@pytest.mark.vod_emulator(rate_limit=0, latency_seconds=0.3)
def test_what_is_on_its_way_is_awaited_when_stopped(vod_emulator: VodEmulator) -> None:
    """What was sent has its run, what was not has not."""
    said: list[str] = []
    done = started(
        vod_emulator,
        150,
        is_cancelled=lambda: len(vod_emulator.ledger()) >= 10,
        on_progress=lambda line: said.append(line.text),
    )
    assert set(ids_of(done).values()) == {entry["runId"] for entry in vod_emulator.ledger()}
    assert len(done.skipped) == 150 - len(done.accepted) > 50


@pytest.mark.vod_emulator(rate_limit=0)
def test_the_message_of_a_started_run_never_says_that_it_was_not_sent(
    vod_emulator: VodEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal that fails after the answer changes no outcome, and the text says so."""

    async def fail(*_: object) -> None:
        raise JournalError("journal.sqlite3", "it is not usable (disk full)")

    monkeypatch.setattr(StartRecorder, "record_accepted", fail)
    said: list[str] = []
    done = started(vod_emulator, 1, on_progress=lambda line: said.append(line.text))
    [run_id] = ids_of(done).values()
    cause = "the journal journal.sqlite3 cannot be read or written: it is not usable (disk full)"
    assert said == [f"run {run_id} started, but {cause}"]


@pytest.mark.vod_emulator(rate_limit=0)
def test_the_message_of_a_started_run_names_a_journal_without_an_answer(
    vod_emulator: VodEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal is slow, and the provider has no defect."""
    monkeypatch.setattr(recorder, "ACCEPTED_TIMEOUT", 0)
    monkeypatch.setattr(SqliteJournal, "record_accepted", lambda *_: Future())
    said: list[str] = []
    done = started(vod_emulator, 1, on_progress=lambda line: said.append(line.text))
    [run_id] = ids_of(done).values()
    [line] = said
    assert line.startswith(f"run {run_id} started, but the journal ")
    assert line.endswith(" cannot be read or written: no answer within 0 s")


@pytest.mark.vod_emulator(rate_limit=0)
def test_starts_after_a_failed_journal_name_the_cause_once(
    vod_emulator: VodEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise JournalError("journal.sqlite3", "it is not usable (disk full)")

    monkeypatch.setattr(StartRecorder, "claim", fail)
    done = started(vod_emulator, 200)
    assert len(vod_emulator.ledger()) == 0
    assert len(done.failed) + len(done.skipped) == 200
    assert {text.count("not sent") for text in done.skipped.values()} == {1}


# -- another operation that sends the same starts ----------------------------------------------


def both_started(
    emulator: VodEmulator, count: int, **second: Any
) -> tuple[StartResults, StartResults, list[str]]:
    """Start the same runs by two operations on one journal, neither of which has seen the other."""
    said: list[str] = []

    async def go(folder: Path) -> list[StartResults]:
        client = VodClient(emulator.url, "cn-north-1", KEYS)
        done: dict[str, StartResults] = {}

        async def start(owner: str, **options: Any) -> None:
            journal = SqliteJournal(folder / "journal")
            asked = {
                name: replace(note, owner=owner) for name, note in notes(count, journal).items()
            }
            defaults: dict[str, Any] = {
                "on_progress": lambda line: said.append(line.text),
                "is_cancelled": lambda: False,
            }
            done[owner] = await start_many(client, asked, **{**defaults, **options})

        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(partial(start, "first"))
                await anyio.sleep(second.pop("after", 0))
                tasks.start_soon(partial(start, "second", **second))
        finally:
            await client.aclose()
        return [done["first"], done["second"]]

    with TemporaryDirectory() as folder:
        first, other = anyio.run(go, Path(folder))
    return first, other, said


@pytest.mark.vod_emulator(
    rate_limit=0, latency_seconds=0.3, dedup="unfinished", pending_seconds=0, running_seconds=0
)
def test_two_operations_share_the_starts_and_all_of_the_runs(vod_emulator: VodEmulator) -> None:
    """Each start is sent by one of them; the other waits for its run, and says that it is free."""
    first, second, said = both_started(vod_emulator, 100)
    assert len(vod_emulator.ledger()) == 100
    assert ids_of(first) == ids_of(second)
    assert len(first.reused) + len(second.reused) == 100
    for done in (first, second):
        if done.reused:
            assert f"reuses {len(done.reused)} of 100 runs, which is free" in "\n".join(said)


@pytest.mark.vod_emulator(rate_limit=0, latency_seconds=0.5)
def test_a_start_that_another_operation_has_had_refused_is_sent(vod_emulator: VodEmulator) -> None:
    """A refusal is surely no run: the operation that waits for it may send then."""
    vod_emulator.fault(
        action="StartWorkflow", kind="http", code="InvalidParameter", status=400, times=1
    )
    first, second, _ = both_started(vod_emulator, 1, after=0.1)
    assert (len(first.failed), len(second.accepted), second.reused) == (1, 1, [])
    assert len(vod_emulator.ledger()) == 1


def test_no_update_gives_up_an_answer_that_may_still_come() -> None:
    """The sum of the longest times of another update's retry, and of the clocks' difference."""
    limits = Timeouts()
    answer = float(str(object_store.CLIENT_OPTIONS["timeout"]).removesuffix("s"))
    claim = object_store.RETRIES["retry_timeout"] + timedelta(seconds=answer)
    longest = (
        claim.total_seconds()
        + RetryPolicy().ambiguous_start_budget
        + MAX_PREPARATION_TIME
        + limits.connect
        + limits.start
        + CLOCK_TOLERANCE.total_seconds()
    )
    assert longest < recovery.ANSWER_TIMEOUT


@pytest.mark.parametrize("ends", ["stopped", "in time"])
@pytest.mark.vod_emulator(rate_limit=0, latency_seconds=1.5)
def test_a_start_that_another_operation_never_hears_of_is_asked_about(
    vod_emulator: VodEmulator, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    """The wait for the other's run has an end, and a Ctrl-C ends it at once."""
    monkeypatch.setattr(recovery, "ANSWER_TIMEOUT", 60.0 if ends == "stopped" else 0.9)
    waits = threading.Event()

    def stopped() -> bool:
        return ends == "stopped" and waits.is_set()

    def say(line: ProgressMessage) -> None:
        if line.text == starter.WAITING_FOR_OTHER_UPDATE:
            waits.set()

    first, second, _ = both_started(
        vod_emulator, 1, after=0.3, is_cancelled=stopped, on_progress=say
    )
    assert len(first.accepted) == len(vod_emulator.ledger()) == 1
    [error] = second.failed.values()
    assert isinstance(error, StartInProgressError)
    assert "another update is starting this run" in str(error)
    assert waits.is_set()


def waited(
    emulator: VodEmulator, ids: dict[str, str], timeout: float, **options: Any
) -> tuple[WaitResult, list[ProgressMessage]]:
    said: list[ProgressMessage] = []

    async def go() -> WaitResult:
        client = VodClient(emulator.url, "cn-north-1", KEYS)
        targets = {name: RunRef(client, run_id) for name, run_id in ids.items()}
        settings: dict[str, Any] = {
            "on_progress": said.append,
            "is_cancelled": lambda: False,
            **options,
        }
        try:
            return await wait_for_runs(targets, timeout=timeout, **settings)
        finally:
            await client.aclose()

    return anyio.run(go), said


def ids_of(done: StartResults) -> dict[str, str]:
    return {name: run["runId"] for name, run in done.accepted.items()}


@dataclass
class SimulatedWait:
    """A wait of runs at an emulator, in simulated time."""

    ends: dict[str, float]
    """RunId -> the time of the run's end."""
    result: WaitResult
    said: list[ProgressMessage] = field(default_factory=list)
    seen: dict[str, float] = field(default_factory=dict)
    """RunId -> the time at which the wait had the run's end and results."""
    statuses: Counter[int] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)


def simulated_wait(
    monkeypatch: pytest.MonkeyPatch, count: int, settings: EmulatorSettings
) -> SimulatedWait:
    """Start runs at the permitted rate, then wait for them."""
    # In simulated time: a busy machine delivers requests late, and the emulator counts arrivals.
    clock = SimulatedClock()
    for module in (reader, waiter):
        monkeypatch.setattr(module, "SystemClock", SimulatedClock)
    monkeypatch.setattr(store, "time", SimpleNamespace(time=lambda: clock.now().timestamp()))
    app = create_app(settings)
    wait = SimulatedWait({}, WaitResult())

    async def note_status(response: httpx.Response) -> None:
        wait.statuses[response.status_code] += 1

    def note_end(name: str, outputs: Mapping[str, Any]) -> None:
        if outputs["phase"] == "succeeded":
            wait.seen[name] = clock.now().timestamp()

    async def go() -> None:
        client = VodClient(
            "https://vod.example.com",
            "cn-north-1",
            KEYS,
            clock=clock,
            transport=httpx.ASGITransport(app=app),
            requests_per_second=settings.rate_limit,
        )
        client._http.event_hooks["response"].append(note_status)
        starts = ({"vid": f"v{number}", "templateId": "t"} for number in range(count))
        try:
            answers = await asyncio.gather(
                *(client.start_workflow(start, f"token-{start['vid']}") for start in starts)
            )
            runs = [answer.result["RunId"] for answer in answers]
            wait.result = await wait_for_runs(
                {run: RunRef(client, run) for run in runs},
                timeout=600,
                on_progress=wait.said.append,
                is_cancelled=lambda: False,
                on_read=note_end,
            )
        finally:
            await client.aclose()

    with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
        runner.run(go())
    wait.asked.update(app.service.counts)
    wait.ends = {run.run_id: run.ended for run in app.service.store.runs(count)}
    return wait


def test_many_waits_stay_within_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """120 runs on one limiter: none is refused, and few lines are said."""
    wait = simulated_wait(
        monkeypatch,
        120,
        EmulatorSettings(pending_seconds=0.5, running_seconds=1, latency_seconds=0.1),
    )
    assert len(wait.ends) == 120
    assert {*wait.result.ended} == {*wait.ends}
    assert {outputs["phase"] for outputs in wait.result.ended.values()} == {"succeeded"}
    assert all(outputs["transcodes"] for outputs in wait.result.ended.values())
    assert len(wait.said) < 12
    assert set(wait.statuses) == {200}
    assert wait.asked["GetWorkflowExecutionResult"] == 120
    assert sum(wait.statuses.values()) == sum(wait.asked.values())


@pytest.mark.torture
@pytest.mark.parametrize("seed", scaled([1], [1, 2, 3]))
def test_a_wait_that_learns_is_soon_and_asks_little(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Runs that end over a minute, with a sweep of 20 s, as in `make bench`; none is refused."""
    count, rate = scaled((200, 10), (1000, 50))
    sweep = count / rate
    wait = simulated_wait(
        monkeypatch,
        count,
        EmulatorSettings(
            pending_seconds=0,
            running_seconds=(35, 75),
            latency_seconds=0.1,
            rate_limit=rate,
            seed=seed,
        ),
    )
    assert set(wait.statuses) == {200}
    delays = sorted(wait.seen[run] - ended for run, ended in wait.ends.items())
    assert len(delays) == count
    assert quantiles(delays, n=20)[-1] <= sweep / 2
    assert delays[-1] <= sweep
    reads = wait.asked["GetWorkflowExecution"] + wait.asked["GetWorkflowExecutionResult"]
    assert reads <= 4 * count


@pytest.mark.waits
@pytest.mark.vod_emulator(pending_seconds=100)
def test_a_run_that_is_not_there_is_told_at_once(vod_emulator: VodEmulator) -> None:
    """It may be too new to be seen, so it is looked for three times; the others go on."""
    runs = {**ids_of(started(vod_emulator, 1)), "typo": "lb:none", "gone": "emu:none"}
    before = vod_emulator.requests().get("GetWorkflowExecution", 0)
    gone, _ = waited(vod_emulator, {"gone": "emu:none"}, 5)
    assert vod_emulator.requests()["GetWorkflowExecution"] - before == 1, (
        "an emulator has it, or not"
    )
    assert "the configured emulator does not know this run" in str(gone.unreadable["gone"])
    result, said = waited(vod_emulator, runs, 5)
    assert {*result.unreadable} == {"typo", "gone"}
    assert "check the account of the credentials" in str(result.unreadable["typo"])
    assert [*result.unfinished] == ["k0"]
    assert any(line.text.startswith("typo: cannot be read: ") for line in said)
    assert 5 <= result.duration < 7


@pytest.mark.vod_emulator(pending_seconds=100)
def test_a_wait_ends_early_when_stopped_or_when_no_question_can_succeed(
    vod_emulator: VodEmulator,
) -> None:
    runs = ids_of(started(vod_emulator, 1))
    result, _ = waited(vod_emulator, runs, 60, is_cancelled=lambda: True)
    assert result.cancelled
    assert result.duration < 2
    vod_emulator.fault(
        action="GetWorkflowExecution", kind="http", status=401, code="SignatureDoesNotMatch"
    )
    result, _ = waited(vod_emulator, runs, 60)
    assert [*result.unreadable] == ["k0"]
    assert result.duration < 5
