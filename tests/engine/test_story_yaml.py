"""Programs in YAML on the packaged provider, by Pulumi's own language host for YAML."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path

import pytest

from pulumi_vod_workflow.core.resource_types import PACKAGED_TYPES, RUN_TYPE
from pulumi_vod_workflow.emulator import VodEmulator
from tests.engine.hosts import use_plugin
from tests.engine.project import Project

PROGRAM = """
    name: project
    runtime: yaml
    config:
      vid:
        type: string
        secret: true
    resources:
      trailer:
        type: vod:WorkflowRun
        properties:
          vid: ${vid}
          templateId: t1
          triggers: {edition: 1, half: 0.5}
          input:
            overrideParams:
              logo: [{templateId: All, vars: {Keyword: 水印}}]
      season:
        type: vod:WorkflowBatch
        properties:
          defaults: {templateId: t2}
          items:
            e1: {vid: v1}
            e2: {directUrl: {fileName: e2.mp4, spaceName: s}, priority: 2}
      done:
        type: vod:WorkflowCompletion
        properties:
          runs: ${season.runs}
          timeout: 5m
    variables:
      found:
        fn::invoke:
          function: vod:getRun
          arguments: {runId: "${season.runs.e1.runId}"}
    outputs:
      runId: ${trailer.runId}
      endpoint: ${trailer.endpoint}
      phases: ["${done.results.e1.phase}", "${done.results.e2.phase}"]
      templateId: ${found.templateId}
"""
HUSH = "s3cr3t-vid"


@pytest.fixture
def project(yaml_project: Project, plugin_folder: Path) -> Project:
    file = yaml_project.folder / "Pulumi.yaml"
    file.write_text(textwrap.dedent(PROGRAM))
    use_plugin(file, plugin_folder)
    yaml_project.command("config", "set", "--secret", "vid", HUSH)
    return yaml_project


def test_a_program_in_yaml(project: Project, emulator: VodEmulator) -> None:
    """A run with a secret, a batch, the wait for it, and a function: each start is paid once."""
    emulator.clock(step_seconds=3600)  # so that a run has ended when it is looked at
    said = project.command("preview", "--stack", "dev")
    assert "starts a paid run" in said
    outputs = re.findall(r"^    (\w+) *: (.+)$", said.partition("\nOutputs:\n")[2], re.MULTILINE)
    assert dict(outputs) == {
        "endpoint": f'"{emulator.url}"',
        "phases": "[unknown]",
        "runId": "[unknown]",
        "templateId": "[unknown]",
    }
    assert emulator.ledger() == []
    assert project.up().wait() == 0
    assert len(emulator.ledger()) == 3
    outputs = json.loads(project.command("stack", "output", "--json", "--stack", "dev"))
    [start] = [start for start in emulator.ledger() if start["templateId"] == "t1"]
    assert outputs == {
        "runId": start["runId"],
        "endpoint": emulator.url,
        "phases": ["succeeded", "succeeded"],
        "templateId": "t2",
    }
    [run] = [item for item in project.resources if item["type"] == PACKAGED_TYPES[RUN_TYPE]]
    assert run["outputs"]["triggers"] == {"edition": 1, "half": 0.5}
    assert HUSH not in json.dumps(project.resources)
    again = project.up()
    assert again.wait() == 0
    assert "4 unchanged" in again.said
    assert len(emulator.ledger()) == 3
    project.command("destroy", "--yes", "--skip-preview", "--stack", "dev")
    assert len(emulator.ledger()) == 3
