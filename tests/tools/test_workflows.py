"""The workflows of GitHub are well-formed: nothing here can run them."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tools.actionlint import find_or_build
from tools.engine.find_or_install import EngineError

ROOT: Final = Path(__file__).resolve().parents[2]
WORKFLOWS: Final = ROOT / ".github" / "workflows"
FILES: Final = [
    *sorted(WORKFLOWS.glob("*.yml")),
    *sorted((ROOT / "examples").glob("*/.github/workflows/*.yml")),
]


def test_actionlint_finds_no_fault() -> None:
    try:
        command = find_or_build(os.environ)
    except EngineError as error:
        pytest.skip(f"no actionlint: {error}")
    assert len(FILES) == 3
    done = subprocess.run([command, *FILES], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_each_supported_python_is_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    supported = re.findall(r"Python :: (3\.\d+)\b", " ".join(project["classifiers"]))
    workflow: dict[str, Any] = yaml.safe_load((WORKFLOWS / "test.yml").read_text())
    assert workflow["jobs"]["pythons"]["strategy"]["matrix"]["python"] == supported


@pytest.mark.parametrize("path", sorted(WORKFLOWS.glob("*.yml")), ids=lambda path: path.name)
def test_a_workflow_that_never_ran_says_so(path: Path) -> None:
    assert "has never run this file" in " ".join(path.read_text().replace("#", "").split())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_actions_are_pinned_to_a_version(path: Path) -> None:
    used = re.findall(r"uses: (\S+)", path.read_text())
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|release/v\d+)", action) for action in used)
