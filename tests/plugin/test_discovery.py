"""A program finds out that its engine will not find the plugin."""

from __future__ import annotations

from pathlib import Path

import pytest

from pulumi_vod_workflow.config.backend import ProjectFile, find_project
from pulumi_vod_workflow.plugin.discovery import MISSING_PLUGIN, is_plugin_found
from tests.resources.programs import ran

PLAIN = ProjectFile(Path(), "p", "")


def test_a_plugin_that_is_nowhere(tmp_path: Path) -> None:
    assert not is_plugin_found({"PATH": str(tmp_path)}, tmp_path, PLAIN)
    assert not is_plugin_found({}, tmp_path, PLAIN)


def test_an_executable_on_path(tmp_path: Path) -> None:
    executable = tmp_path / "pulumi-resource-vod"
    executable.touch(mode=0o755)
    assert is_plugin_found({"PATH": str(tmp_path)}, tmp_path, PLAIN)


@pytest.mark.parametrize("home", [".pulumi", "elsewhere"])
def test_an_installed_plugin(tmp_path: Path, home: str) -> None:
    (tmp_path / home / "plugins" / "resource-vod-v0.1.0").mkdir(parents=True)
    environ = {} if home == ".pulumi" else {"PULUMI_HOME": str(tmp_path / home)}
    assert is_plugin_found(environ, tmp_path, PLAIN)


def test_an_attached_plugin(tmp_path: Path) -> None:
    environ = {"PULUMI_DEBUG_PROVIDERS": "aws:1, vod:2"}
    assert is_plugin_found(environ, tmp_path, PLAIN)
    assert not is_plugin_found({"PULUMI_DEBUG_PROVIDERS": "avod:1"}, tmp_path, PLAIN)


def test_a_folder_that_the_project_names(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text(
        "name: p\nplugins:\n  providers:\n    - {name: vod, path: bin}\n"
    )
    project = find_project(tmp_path)
    assert project is not None
    assert is_plugin_found({}, tmp_path, project)


def test_a_test_with_mocks_needs_no_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mocks answer in place of an engine."""
    (tmp_path / "Pulumi.yaml").write_text("name: project\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path))
    told = ran("from pulumi_vod_workflow import plugin\nplugin.WorkflowRun('run', vid='v')")
    assert told["failed"] is None


def test_the_error_has_one_hint() -> None:
    assert MISSING_PLUGIN.count("hint:") == 1
