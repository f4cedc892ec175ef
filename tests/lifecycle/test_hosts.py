"""The contract between operations and their host: preview, deadline, asynchronous service."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pulumi_vod_workflow.emulator import VodEmulator
from pulumi_vod_workflow.errors import (
    BatchError,
    BatchStoppedError,
    TransportError,
    WaitTimeoutError,
)
from pulumi_vod_workflow.lifecycle import batch, completion, run
from pulumi_vod_workflow.lifecycle.session import Lifecycle
from tests.lifecycle.async_host import checked, host, plain, scope, session_at

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.vod_emulator(rate_limit=0, latency_seconds=0.3, pending_seconds=100)
def test_a_host_with_an_event_loop_needs_no_pulumi(
    vod_emulator: VodEmulator, tmp_path: Path
) -> None:
    """Two runs are created, read and deleted at once, in one thread, and each is paid once."""
    command = [sys.executable, "-m", "tests.lifecycle.async_host", vod_emulator.url, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["pulumi"] is False
    assert found["mostAtOnce"] == 2
    assert sorted(found["runs"]) == sorted(start["runId"] for start in vod_emulator.ledger())
    assert len({*found["runs"]}) == 2
    assert (found["phases"], found["changes"]) == (["pending"] * 2, [False] * 2)
    assert len(found["lines"]) == 2
    assert all("removed from state; the run keeps running" in line for line in found["lines"])


RUN = {"vid": "v1", "templateId": "t1", "scope": scope("run")}
ITEMS = {"a": {"vid": "v1", "templateId": "t1"}}
BATCH = {"items": ITEMS, "scope": scope("batch")}
WAIT = {"runs": {"a": "lb:1"}, "scope": scope("wait")}


@pytest.mark.parametrize(
    "case",
    [
        (run, RUN, {**RUN, "rerunOnFailure": True}, "runId"),
        (run, {**RUN, "existingRunId": "lb:1"}, {**RUN, "existingRunId": "lb:2"}, "phase"),
        (batch, BATCH, {**BATCH, "items": {**ITEMS, "b": {**ITEMS["a"], "vid": "v2"}}}, "runs"),
        (completion, WAIT, {**WAIT, "runs": {"a": "lb:1", "b": "lb:2"}}, "results"),
    ],
)
def test_a_preview_starts_adopts_and_awaits_no_run(
    case: tuple[Lifecycle, dict[str, Any], dict[str, Any], str],
    vod_emulator: VodEmulator,
    tmp_path: Path,
) -> None:
    """A host that calls `create` or `update` in a preview gets known outputs, without a call."""
    lifecycle, news, changed, unknown = case

    async def go() -> None:
        async with session_at(vod_emulator.url, tmp_path) as (session, service):
            inputs = await checked(lifecycle, session, {}, news)
            planned = await lifecycle.create(session, host(preview=True), inputs)
            assert unknown not in plain(planned.state)
            recorded = {**inputs, "region": "cn-north-1", "endpoint": vod_emulator.url}
            recorded |= {"runs": {"a": {"runId": "lb:1", "phase": "submitted"}}}
            recorded = {**recorded, **({"runs": news["runs"]} if lifecycle is completion else {})}
            after = await checked(lifecycle, session, inputs, changed)
            await lifecycle.update(session, host(preview=True), "id", recorded, after)
            assert service.calls == []

    asyncio.run(go())
    assert vod_emulator.ledger() == []
    assert vod_emulator.requests() == {}


def test_outside_a_preview_the_same_operations_start_runs(
    vod_emulator: VodEmulator, tmp_path: Path
) -> None:
    """So the ledger of the test above would have shown a start."""

    async def go() -> None:
        async with session_at(vod_emulator.url, tmp_path) as (session, _):
            await run.create(session, host(), await checked(run, session, {}, RUN))
            inputs = await checked(batch, session, {}, BATCH)
            made = await batch.create(session, host(), inputs)
            more = {**BATCH, "items": {**ITEMS, "b": {"vid": "v2", "templateId": "t1"}}}
            state = plain(made.state)
            after = await checked(batch, session, state, more)
            await batch.update(session, host(), made.id, state, after)

    asyncio.run(go())
    assert sorted(start["vid"] for start in vod_emulator.ledger()) == ["v1", "v1", "v2"]


@pytest.mark.parametrize(
    ("timeout", "deadline", "seconds"), [(3600, 1.0, 1), (1, 3600.0, 1), (1, None, 1)]
)
@pytest.mark.vod_emulator(pending_seconds=100)
def test_a_wait_ends_at_the_earlier_of_timeout_and_deadline(
    vod_emulator: VodEmulator,
    tmp_path: Path,
    timeout: float,
    deadline: float | None,
    seconds: float,
) -> None:
    """The engine's time limit ends a wait with its results, before the engine ends the call."""

    async def go() -> float:
        async with session_at(vod_emulator.url, tmp_path) as (session, _):
            made = await run.create(session, host(), await checked(run, session, {}, RUN))
            news = {"runs": {"a": made.id}, "timeout": timeout, "scope": scope("wait")}
            inputs = await checked(completion, session, {}, news)
            began = asyncio.get_running_loop().time()
            with pytest.raises(WaitTimeoutError, match="1 of 1 runs have not ended"):
                await completion.create(session, host(deadline=deadline), inputs)
            return asyncio.get_running_loop().time() - began

    assert seconds <= asyncio.run(go()) < seconds + 5


def test_a_batch_without_a_run_reports_each_hint_on_a_line(
    vod_emulator: VodEmulator, tmp_path: Path
) -> None:
    """The report keeps the form of an error, and the state has each reason in one line."""
    news = {**BATCH, "items": {"a": {**ITEMS["a"], "vid": "emu-missing"}}}

    async def go() -> str:
        async with session_at(vod_emulator.url, tmp_path) as (session, _):
            with pytest.raises(BatchError) as caught:
                await batch.create(session, host(), await checked(batch, session, {}, news))
            return str(caught.value)

    lines = asyncio.run(go()).split("\n")
    assert lines[0] == "not started or adopted: 1 of 1 items:"
    assert lines[1].startswith("  - a: StartWorkflow: the service answered ResourceNotFound")
    assert lines[2].startswith("    hint: check `vid`")
    assert not any(" hint: " in line.strip() for line in lines)
    assert vod_emulator.ledger() == []


@pytest.mark.parametrize("size", [None, 10])
@pytest.mark.vod_emulator(pending_seconds=0, running_seconds=0)
def test_a_stopped_batch_has_its_state_in_its_error_if_that_is_not_too_large(
    vod_emulator: VodEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int | None
) -> None:
    """A larger state is the result, with a warning: an error with it would lose the runs."""
    if size is not None:
        monkeypatch.setattr(batch, "MAX_STATE_OF_ERROR", size)
    items = {name: {"vid": "emu-fail-1003", "templateId": "t1"} for name in "abc"}
    news = {"items": items, "maxFailures": 1, "scope": scope("batch")}
    call = host()

    async def go() -> tuple[dict[str, Any], str]:
        async with session_at(vod_emulator.url, tmp_path) as (session, _):
            inputs = await checked(batch, session, {}, news)
            if size is None:
                with pytest.raises(BatchStoppedError) as caught:
                    await batch.create(session, call, inputs)
                return caught.value.state, str(caught.value)
            made = await batch.create(session, call, inputs)
            logger: Any = call.logger
            return made.state, logger.shown[-1].removeprefix("warning: ")

    state, text = asyncio.run(go())
    assert text.startswith("stopped after 1 failure (max_failures: 1): this update started 1 item")
    assert plain(state)["notSent"] == ["b", "c"]
    assert plain(state)["runs"]["a"]["status"] == "1003"
    assert len(vod_emulator.ledger()) == 1


@pytest.mark.parametrize("ci", ["", "true"])
@pytest.mark.parametrize(("lifecycle", "news"), [(run, RUN), (batch, BATCH)])
def test_a_start_without_an_answer_tells_what_the_next_runner_does(
    vod_emulator: VodEmulator,
    tmp_path: Path,
    lifecycle: Lifecycle,
    news: dict[str, Any],
    ci: str,
) -> None:
    """The engine keeps no pending create of it, so only this runner's journal knows the start."""
    vod_emulator.fault(action="StartWorkflow", kind="reset", when="after", times=9)

    async def go() -> str:
        config = {"vod:resendWithin": "0"}
        async with session_at(vod_emulator.url, tmp_path, environ={"CI": ci}, **config) as at:
            inputs = await checked(lifecycle, at[0], {}, news)
            with pytest.raises((BatchError, TransportError)) as caught:
                await lifecycle.create(at[0], host(), inputs)
            return str(caught.value)

    text = asyncio.run(go())
    assert "run may exist" in text.lower()
    sentences, _, hints = text.partition("\nhint: ")
    told = (
        f"Only this CI runner has the journal {tmp_path / 'journal'}. The next runner does not "
        "have this journal and may pay again."
    )
    assert (told in sentences) is bool(ci)
    assert ("hint: on this machine, run `vod-workflow recover`" in text) is bool(ci)
    assert ("`vod:journal: s3://BUCKET/PREFIX`" in hints) is bool(ci)
    assert len(vod_emulator.ledger()) == 1
