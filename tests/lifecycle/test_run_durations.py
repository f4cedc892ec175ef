"""The durations of recorded runs, from which a wait estimates the ends of its runs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from pulumi_vod_workflow.emulator import VodEmulator
from pulumi_vod_workflow.lifecycle import batch, completion, run, waiter
from tests.lifecycle.async_host import checked, host, plain, scope, session_at

TIME = 3
"""The duration of each run, in seconds."""


def batch_of(*keys: str) -> dict[str, Any]:
    items = {key: {"vid": f"v-{key}"} for key in keys}
    return {"items": items, "defaults": {"templateId": "t1"}, "scope": scope("batch")}


def wait_of(state: dict[str, Any]) -> dict[str, Any]:
    runs = {key: found["runId"] for key, found in state["runs"].items()}
    return {"runs": runs, "scope": scope("wait")}


@pytest.mark.vod_emulator(rate_limit=0, pending_seconds=0, running_seconds=TIME)
def test_a_wait_for_added_items_knows_the_durations_of_the_earlier_items(
    vod_emulator: VodEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch in the state has the workflow of each run, and the earlier wait has the end."""
    known: list[Any] = []
    usual = waiter.wait_for_runs

    async def noting(*args: Any, **settings: Any) -> waiter.WaitResult:
        known.append(settings["durations"])
        return await usual(*args, **settings)

    monkeypatch.setattr(completion, "wait_for_runs", noting)

    async def first_update() -> tuple[dict[str, Any], dict[str, Any]]:
        async with session_at(vod_emulator.url, tmp_path) as (session, _):
            inputs = await checked(batch, session, {}, batch_of("a", "b"))
            items = plain((await batch.create(session, host(), inputs)).state)
            vod_emulator.advance(TIME)
            inputs = await checked(completion, session, {}, wait_of(items))
            return items, plain((await completion.create(session, host(), inputs)).state)

    async def second_update(items: dict[str, Any], waited: dict[str, Any]) -> None:
        async with session_at(vod_emulator.url, tmp_path) as (session, _):
            inputs = await checked(batch, session, items, batch_of("a", "b", "c"))
            await batch.diff(session, host(), "batch", items, inputs)
            changed = plain(await batch.update(session, host(), "batch", items, inputs))
            vod_emulator.advance(TIME)
            inputs = await checked(completion, session, waited, wait_of(changed))
            await completion.update(session, host(), "wait", waited, inputs)

    asyncio.run(second_update(*asyncio.run(first_update())))
    [at_first, later] = known
    assert at_first == {}
    assert {*later} == {"t1"}
    assert later["t1"] == pytest.approx([TIME, TIME], abs=1)


def test_a_refreshed_run_of_the_state_has_its_duration(
    vod_emulator: VodEmulator, tmp_path: Path
) -> None:
    state = {
        "vid": "v1",
        "templateId": "t1",
        "scope": scope("run"),
        "runId": "lb:1",
        "phase": "succeeded",
        "createTime": "2026-01-01T00:00:00Z",
        "endTime": "2026-01-01T00:00:40Z",
    }

    async def compare() -> dict[str, list[float]]:
        async with session_at(vod_emulator.url, tmp_path) as (session, _):
            news = {name: state[name] for name in ("vid", "templateId", "scope")}
            await run.diff(session, host(), "lb:1", state, await checked(run, session, state, news))
            return session.recorded_run_durations([])

    assert asyncio.run(compare()) == {"t1": [40]}
