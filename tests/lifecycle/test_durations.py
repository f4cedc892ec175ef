"""The durations of sources in plan messages: from the preflight's answers and from a manifest."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from pulumi_vod_workflow.core.batch.inputs import with_derived_batch_inputs
from pulumi_vod_workflow.core.plan_message import DurationBasis, PlanMessage, parse_plan_message
from pulumi_vod_workflow.emulator import VodEmulator
from pulumi_vod_workflow.lifecycle import batch, run
from pulumi_vod_workflow.lifecycle.announcements import MAX_RESOURCES_COUNTED_AT_ONCE
from pulumi_vod_workflow.lifecycle.session import Lifecycle
from tests.lifecycle.async_host import Lines, host, plain, scope, session_at

pytestmark = pytest.mark.vod_emulator(rate_limit=0)
RUN: dict[str, Any] = {"vid": "emu-seconds-90.5", "templateId": "t", "scope": scope("run")}
ITEMS: dict[str, dict[str, Any]] = {
    "a": {"vid": "emu-seconds-30"},
    "b": {"directUrl": {"fileName": "f"}},
    "c": {"directUrl": {"fileName": "g"}},
}
BATCH: dict[str, Any] = {
    "items": ITEMS,
    "defaults": {"templateId": "t"},
    "scope": scope("batch"),
    "__lines": {"file": "a.csv", "byKey": {}, "secondsByKey": {"a": "999", "b": "45.5"}},
}


@pytest.fixture
def planned(vod_emulator: VodEmulator, tmp_path: Path) -> Any:
    """Plan resources in one preview, and return their messages."""

    def plan(
        *resources: tuple[Lifecycle, dict[str, Any]], recorded: Any = None, **config: str
    ) -> list[tuple[PlanMessage, bool]]:
        lines = Lines()

        async def go() -> None:
            more = {key.replace("_", ":"): value for key, value in config.items()}
            async with session_at(vod_emulator.url, tmp_path, environ={}, **more) as (session, _):
                for lifecycle, news in resources:
                    here = host(logger=lines)
                    found = await lifecycle.check(session, here, recorded or {}, news)
                    assert found.failures == ()
                    if recorded:
                        await lifecycle.diff(session, here, "id", recorded, plain(found.inputs))

        asyncio.run(go())
        messages = [parse_plan_message(text) for text in lines.plans]
        return [(each, kept) for each, kept in zip(messages, lines.lasting, strict=True) if each]

    return plan


def known(message: PlanMessage) -> dict[str, tuple[str, str]]:
    """Key of an item -> its duration and the origin of that."""
    return {
        "".join(group.items.keys): (group.seconds, group.basis.value) for group in message.durations
    }


def test_durations_are_those_of_the_preflight_and_of_the_file(planned: Any) -> None:
    """The service's word comes first; without preflight, the file's is all there is."""
    both = [(run, RUN), (batch, BATCH)]
    messages = [message for message, _ in planned(*both, vod_preflight="warn")]
    assert [known(message) for message in messages] == [
        {"": ("90.5", "service")},
        {"a": ("30.0", "service"), "b": ("45.5", "manifest")},
    ]
    messages = [message for message, _ in planned(*both)]
    assert [known(message) for message in messages] == [
        {},
        {"a": ("999", "manifest"), "b": ("45.5", "manifest")},
    ]


@pytest.mark.parametrize(
    ("config", "lasting"),
    [
        ({}, False),
        ({"vod_preflight": "warn"}, False),
        ({"vod_prices": "prices.toml", "vod_preflight": "warn"}, True),
    ],
)
def test_with_prices_each_form_of_a_preview_has_the_durations(
    planned: Any, config: dict[str, str], lasting: bool
) -> None:
    """Without `vod:prices`, people see no line for programs."""
    assert [kept for _, kept in planned((run, RUN), (batch, BATCH), **config)] == [lasting] * 2
    unknown = {**BATCH, "items": {"c": ITEMS["c"]}}
    assert [kept for _, kept in planned((batch, unknown), **config)] == [False]


def test_only_items_that_start_have_durations(planned: Any) -> None:
    """A change of the file's column alone starts nothing, and changes nothing."""
    runs = {key: {"runId": f"emu:{key}", "phase": "succeeded", "status": "0"} for key in ITEMS}
    config = {"vod_prices": "prices.toml", "vod_preflight": "warn"}
    declared = {key: value for key, value in BATCH.items() if key != "__lines"}
    site = {"region": "cn-north-1", "endpoint": "emulator"}
    recorded = {**with_derived_batch_inputs({}, declared), "runs": runs, **site}
    assert planned((batch, BATCH), recorded=recorded, **config) == []
    changed = {**BATCH, "items": {**ITEMS, "b": {**ITEMS["b"], "priority": 1}}}
    [(message, lasting)] = planned((batch, changed), recorded=recorded, **config)
    assert (known(message), lasting) == ({"b": ("45.5", "manifest")}, True)
    assert message.durations[0].basis is DurationBasis.MANIFEST


def test_a_secret_source_has_no_duration(planned: Any) -> None:
    """It would be a fact about the video."""
    config = {"vod_prices": "prices.toml", "vod_preflight": "warn"}
    secret_run = {**RUN, "secretInputs": True}
    secret_batch = {**BATCH, "secretInputs": True}
    messages = [
        message for message, _ in planned((run, secret_run), (batch, secret_batch), **config)
    ]
    assert [message.durations for message in messages] == [(), ()]


def test_every_run_of_many_has_its_duration(planned: Any) -> None:
    """Although a plain start of many has no message: its step is enough only without prices."""
    count = MAX_RESOURCES_COUNTED_AT_ONCE + 5
    many = [
        (run, {**RUN, "vid": f"emu-seconds-{n + 1}", "scope": scope(f"r{n}")}) for n in range(count)
    ]
    found = planned(*many, vod_preflight="warn")
    assert [message.durations[0].seconds for message, _ in found] == [
        f"{n + 1}.0" for n in range(count)
    ]
    assert len(planned(*many)) == MAX_RESOURCES_COUNTED_AT_ONCE
