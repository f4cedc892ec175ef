"""The examples in YAML start what their page says, by Pulumi's own language host for YAML."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pulumi_vod_workflow.emulator import VodEmulator
from tests.engine.checkout import ROOT
from tests.engine.hosts import use_plugin
from tests.engine.project import Project
from tests.scale import scaled

IN_YAML = sorted(path.parents[1].name for path in ROOT.glob("examples/*/yaml/Pulumi.yaml"))
ALSO_IN_YAML = (
    "The same program in YAML, on the packaged provider: [yaml/Pulumi.yaml](yaml/Pulumi.yaml)."
)
STARTS = {
    "adopt": 0,
    "ci": 2,
    "overrides": 1,
    "quickstart": 3,
    "template_version": 2,
}


@pytest.mark.torture
@pytest.mark.parametrize("example", scaled(["quickstart"], IN_YAML))
def test_it_starts_what_its_page_says(
    yaml_project: Project, emulator: VodEmulator, plugin_folder: Path, example: str
) -> None:
    emulator.clock(step_seconds=3600)  # so that a run has ended when it is looked at
    text = (ROOT / "examples" / example / "yaml" / "Pulumi.yaml").read_text()
    file = yaml_project.folder / "Pulumi.yaml"
    file.write_text(re.sub(r"^name: .*", "name: project", text))
    use_plugin(file, plugin_folder)
    if example == "adopt":
        yaml_project.configure(project_existingRunId=started(emulator))
    before = len(emulator.ledger())
    update = yaml_project.up()
    assert update.wait() == 0, update.said
    assert len(emulator.ledger()) - before == STARTS[example]
    outputs = json.loads(yaml_project.command("stack", "output", "--json", "--stack", "dev"))
    assert outputs
    assert None not in outputs.values()


def started(emulator: VodEmulator) -> str:
    """Start a run by hand, and return its id."""
    import anyio

    from pulumi_vod_workflow.core.signing import Credentials
    from pulumi_vod_workflow.transport.client import VodClient

    async def start() -> str:
        keys = Credentials("AKLTEMULATOR", "emulator-secret-key")
        client = VodClient(emulator.url, "cn-north-1", keys)
        request = {
            "Vid": "v0d399g10001csunlgaljhtddi6hgvn0",
            "TemplateId": "0f3a1c5e7b9d4f6082a4c6e8091b3d5f",
        }
        answer = await client.start_workflow(request, "by-hand")
        await client.aclose()
        return str(answer.result["RunId"])

    return anyio.run(start)


def test_each_page_names_its_program_in_yaml() -> None:
    assert [*STARTS] == IN_YAML
    for example in IN_YAML:
        assert ALSO_IN_YAML in (ROOT / "examples" / example / "README.md").read_text()
