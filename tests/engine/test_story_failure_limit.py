"""Batches that stop in time: the number of runs that are paid before a common failure is known."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from pulumi_vod_workflow import WorkflowBatch
from tests.engine.harness import Program, Story

pytestmark = pytest.mark.hosts("dynamic", "plugin")

FAILS = "emu-fail-1003"


def batch(items: Any, **more: Any) -> Program:
    """Return a program that declares one batch, and depends on its runs."""

    def program() -> None:
        made = WorkflowBatch("batch", items=items, defaults={"template_id": "t1"}, **more)
        pulumi.export("runs", made.runs)

    return program


def failing(count: int) -> dict[str, Any]:
    return {f"k{number:05}": {"vid": f"{FAILS}-{number}"} for number in range(count)}


def test_items_that_all_fail_pay_no_more_than_the_limit(story: Story) -> None:
    story.emulator.settings(pending_seconds=0, running_seconds=0.3)
    program = batch(failing(60), max_failures=5)
    preview = story.preview(program)
    print(preview.text)
    assert "starts 60 of 60 items (paid), stops after 5 failures: new: " in preview.text
    outcome = story.failing_up(program)
    print(outcome.text)
    assert len(story.emulator.ledger()) == 5
    assert len(story.batch["runs"]) == 5
