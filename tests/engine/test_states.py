"""The state of every release: a new version costs nothing, reads it, and can destroy it."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import pytest
from pulumi import automation as auto

from pulumi_vod_workflow import WorkflowRun
from pulumi_vod_workflow.client import VodClient
from pulumi_vod_workflow.core.inputs import start_of
from pulumi_vod_workflow.core.signing import Credentials
from tests.engine.harness import RUN_TYPE, Story

STATES = sorted((Path(__file__).parent / "states").glob("*.json"))


def program() -> None:
    """What every recorded state was made by. It does not change."""
    WorkflowRun("by-vid", vid="v1", template_id="t1", triggers={"edition": 1})
    WorkflowRun(
        "by-file",
        direct_url={"file_name": "文件.mp4", "space_name": "s"},
        template_id="06853553c4d3402698a17ff5dff87fd7",
        input={"override_params": {"logo": [{"template_id": "All", "vars": {"k": "水印"}}]}},
        priority=2,
    )
    WorkflowRun("adopted", existing_run_id="emu:00000001000000000000000000000001")


@pytest.mark.parametrize("path", STATES, ids=lambda path: path.stem)
def test_an_upgrade_costs_nothing(story: Story, path: Path) -> None:
    """No create, replace or update; unfinished runs are read on; `destroy` works."""
    document = json.loads(path.read_text().replace('"EMULATOR"', json.dumps(story.emulator.url)))
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
            answer = await client.start_workflow(start_of(outputs), outputs["clientToken"])
            assert answer.result["RunId"] == outputs["runId"]
        await client.aclose()

    anyio.run(replay)
    story.stack.import_stack(auto.Deployment(document["version"], document["deployment"]))
    assert story.pays(program, 0).changed == []
    story.emulator.advance(5000)
    story.refresh()
    assert {name: item["outputs"]["phase"] for name, item in story.resources.items()} == {
        "by-vid": "succeeded",
        "by-file": "succeeded",
        "adopted": "succeeded",
    }
    assert story.pays(program, 0).changed == []
    story.destroy()
    assert story.resources == {}
