"""`vod-workflow runs` over the stacks of a real project."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.cli.exports import at, export, run
from tests.engine.project import Project


def imported(project: Project, stack: str, *runs: dict[str, Any]) -> None:
    """Give a stack the state of an export."""
    text = json.dumps(export(*runs)).replace(
        "urn:pulumi:dev::shop::", f"urn:pulumi:{stack}::project::"
    )
    file = project.folder / f"{stack}.json"
    file.write_text(text)
    project.command("stack", "import", "--stack", stack, "--file", str(file))


def listed(project: Project, *options: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "pulumi_vod_workflow.cli", "runs", "-f", "json", *options]
    done = subprocess.run(
        command, cwd=project.folder, env=project.environ, capture_output=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_stacks_of_a_project_are_one_list(like: Project, tmp_path: Path) -> None:
    """All of them, some of them, or the selected one; a stack without resources is empty."""
    with Project(tmp_path / "project", "emulator", like=like) as project:
        for stack in ("qa", "prod"):
            project.command("stack", "init", stack, "--no-select")
        imported(project, "dev", run("a", "r1", "failed", "1003", createTime=at(9)))
        imported(project, "qa", run("a", "r2", "succeeded", "0", createTime=at(9)))
        every = listed(project, "--all")["totals"]
        assert every["all"] == {"runs": 2, "phases": {"failed": 1, "succeeded": 1}}
        assert every["day"] == {"2026-05-06": every["all"]}
        assert {name: each["runs"] for name, each in every["stack"].items()} == {"dev": 1, "qa": 1}
        assert [*listed(project, "-s", "qa", "-s", "prod")["totals"]["stack"]] == ["qa"]
        assert [*listed(project)["totals"]["stack"]] == ["dev"]
