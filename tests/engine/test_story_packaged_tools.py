"""The commands and the policies know the resources of the packaged provider on a real stack."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pulumi_vod_workflow.emulator import VodEmulator
from tests.engine.project import Project
from tests.engine.test_story_policies import at_most, under
from tests.engine.test_story_review import preview, reviewed
from tests.engine.test_story_runs import export, vod

pytestmark = pytest.mark.hosts("plugin")

PROGRAM = """
    WorkflowRun("run", vid="v1", template_id="t1", triggers={"edition": 1})
    items = {"a": {"vid": "v2"}, "b": {"vid": "v3"}}
    WorkflowBatch("batch", items=items, defaults={"template_id": "t2"})
    """


def test_review_policies_and_runs_of_packaged_resources(
    tmp_path: Path, like: Project, emulator: VodEmulator
) -> None:
    """What the review promises is what the policy counts, the ledger gains and `runs` lists."""
    with Project(tmp_path, emulator.url, like=like) as project:

        def promised() -> set[str]:
            review = json.loads(reviewed(preview(project), "--format=json"))
            runs = {
                ".".join(filter(None, (run["resource"], run["item"]))) for run in review["runs"]
            }
            assert review["starts"]["certain"] == review["starts"]["atMost"] == len(runs)
            return runs

        project.program(PROGRAM)
        assert promised() == {"run", "batch.a", "batch.b"}
        passes, text = under(project, at_most(2), "preview")
        assert not passes
        assert "3 in this update so far; the maximum is 2" in text
        project.command("up", "--yes", "--skip-preview")
        assert len(emulator.ledger()) == 3
        rows = json.loads(vod(project, "runs", export(project), "--format=json"))["runs"]
        assert {row["runId"] for row in rows} == {start["runId"] for start in emulator.ledger()}
