"""`pulumi state rename` and `pulumi state move` keep the recorded runs, and nothing is paid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pulumi_vod_workflow.emulator import VodEmulator
from tests.engine.project import STACK, Project
from tests.engine.vault import PROVIDER
from tests.scale import TORTURE

pytestmark = [pytest.mark.hosts("plugin", torture="dynamic"), pytest.mark.torture]

OTHER = "other"
PROGRAM = """
    run = WorkflowRun("{run}", vid="v1", template_id="t1", triggers={{"half": 0.5}})
    batch = WorkflowBatch(
        "{batch}", items={{"a": {{"vid": run.vid}}}}, defaults={{"template_id": "t2"}}
    )
    batch.wait(resource_name="done", timeout="2h")
    """


@pytest.fixture
def project(tmp_path: Path, emulator: VodEmulator, like: Project) -> Iterator[Project]:
    with Project(tmp_path, emulator.url, like=like) as project:
        yield project


def urns(resources: list[dict[str, Any]]) -> dict[str, str]:
    """Return the URNs of a stack by the names of its resources."""
    return {item["urn"].rpartition("::")[2]: item["urn"] for item in resources}


@pytest.mark.vod_emulator(pending_seconds=0, running_seconds=0)
def test_a_resource_with_another_name_or_stack_starts_nothing(
    project: Project, emulator: VodEmulator
) -> None:
    """A renamed run and batch, then both in another stack. The wait for them stays, too."""

    def stays(stack: str) -> None:
        shown = project.command("preview", "--stack", stack)
        assert "paid" not in shown
        assert "to create" not in shown, shown
        assert "to replace" not in shown, shown
        project.command("up", "--yes", "--skip-preview", "--stack", stack)
        assert emulator.ledger() == paid

    project.program(PROGRAM.format(run="film", batch="season"))
    assert project.up().wait() == 0
    paid = emulator.ledger()
    assert len(paid) == 2
    for old, new in (("film", "new-film"), ("season", "new-season")):
        urn = urns(project.resources)[old]
        project.command("state", "rename", urn, new, "--yes", "--stack", STACK)
    project.program(PROGRAM.format(run="new-film", batch="new-season"))
    if TORTURE:
        stays(STACK)

    project.command("stack", "init", OTHER, "--secrets-provider", PROVIDER)
    project.command("config", "cp", "--stack", STACK, "--dest", OTHER)
    names = ("new-film", "new-season", "done")
    moved = [urns(project.resources)[name] for name in names]
    stacks = ("--source", STACK, "--dest", OTHER)
    project.command("state", "move", *stacks, "--yes", *moved)
    assert not {*names} & {*urns(project.resources)}
    stays(OTHER)
