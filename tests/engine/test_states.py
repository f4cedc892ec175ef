"""
The state of every release: a new version costs nothing, reads it, and can destroy it.

So does the packaged provider, to whose types the recorded resources move.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from pulumi import automation as auto

from pulumi_vod_workflow import WorkflowBatch, WorkflowRun
from pulumi_vod_workflow.core.request import request_fields
from pulumi_vod_workflow.core.resource_types import RUN_TYPE
from pulumi_vod_workflow.core.signing import Credentials
from pulumi_vod_workflow.transport.client import VodClient
from tests.engine.harness import Story

FOLDER = Path(__file__).parent / "states"
STATES = sorted(FOLDER.glob("[0-9.]*.json"))
MANY = sorted(FOLDER.glob("many-*.json"))


def program() -> None:
    """What every recorded state of runs was made by. It does not change."""
    WorkflowRun("by-vid", vid="v1", template_id="t1", triggers={"edition": 1})
    WorkflowRun(
        "by-file",
        direct_url={"file_name": "文件.mp4", "space_name": "s"},
        template_id="06853553c4d3402698a17ff5dff87fd7",
        input={"override_params": {"logo": [{"template_id": "All", "vars": {"k": "水印"}}]}},
        priority=2,
    )
    WorkflowRun("adopted", existing_run_id="emu:00000001000000000000000000000001")


def read_state(story: Story, path: Path) -> Any:
    """Return a recorded state, with the story's emulator in it."""
    return json.loads(path.read_text().replace('"EMULATOR"', json.dumps(story.emulator.url)))


def import_runs(story: Story, path: Path) -> None:
    """Give the stack a recorded state of runs, and the service its runs."""
    document = read_state(story, path)
    recorded = {
        item["urn"].rpartition("::")[2]: item["outputs"]
        for item in document["deployment"]["resources"]
        if item["type"] == RUN_TYPE
    }
    story.emulator.settings(seed=1)  # so that the service has the recorded runs again

    async def replay() -> None:
        keys = Credentials("AKLTEMULATOR", "emulator-secret-key")
        client = VodClient(story.emulator.url, "cn-north-1", keys)
        for name in ("by-vid", "by-file"):
            outputs = recorded[name]
            answer = await client.start_workflow(request_fields(outputs), outputs["clientToken"])
            assert answer.result["RunId"] == outputs["runId"]
        await client.aclose()

    anyio.run(replay)
    story.stack.import_stack(auto.Deployment(document["version"], document["deployment"]))


@pytest.mark.hosts("dynamic", torture="plugin")
@pytest.mark.parametrize("path", STATES, ids=lambda path: path.stem)
def test_an_upgrade_costs_nothing(story: Story, path: Path) -> None:
    """No create, replace or update; unfinished runs are read on; `destroy` works."""
    import_runs(story, path)
    story.stays(program)
    story.emulator.advance(5000)
    story.refresh()
    assert {name: item["outputs"]["phase"] for name, item in story.resources.items()} == {
        "by-vid": "succeeded",
        "by-file": "succeeded",
        "adopted": "succeeded",
    }
    story.stays(program)
    story.destroy()
    assert story.resources == {}


def many() -> None:
    """What every recorded state of a batch and its wait was made by. It does not change."""
    batch = WorkflowBatch(
        "batch",
        items={
            "第一集": {"vid": "v1", "triggers": {"edition": 1}},
            "e 2": {"direct_url": {"file_name": "a.mp4"}, "priority": 2},
            "x": {"vid": "emu-missing"},
        },
        defaults={"template_id": "t1", "direct_url": {"space_name": "s"}},
    )
    batch.wait(on_failure="record")


def import_many(story: Story, path: Path) -> None:
    """Give the stack a recorded state of a batch and its wait."""
    document = read_state(story, path)
    story.stack.import_stack(auto.Deployment(document["version"], document["deployment"]))


@pytest.mark.hosts("dynamic", torture="plugin")
@pytest.mark.parametrize("path", MANY, ids=lambda path: path.stem)
def test_an_upgrade_of_many_costs_nothing(story: Story, path: Path) -> None:
    """Only the item that was rejected is tried again; results stay; `destroy` works."""
    import_many(story, path)
    before = story.batch
    results = story.completion["results"]
    assert {name: item["phase"] for name, item in results.items()} == {
        "第一集": "succeeded",
        "e 2": "succeeded",
        "x": "rejected",
    }
    story.pays_for(many, promised=1, paid=0)
    assert story.batch["runs"] == before["runs"]
    assert story.batch["clientTokens"] == before["clientTokens"]
    for name in before["runs"]:
        assert story.completion["results"][name] == results[name]
    assert story.emulator.requests() == {"StartWorkflow": 1}
    story.destroy()
