"""
The examples of the schema run as YAML programs, by what `vod-workflow plugin install` installed.

Several run as one program, whose project is that of the first. No executable of the package is on
PATH: Pulumi finds the installed plugin alone.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from pulumi_vod_workflow.emulator import VodEmulator
from pulumi_vod_workflow.emulator.settings import EmulatorSettings
from pulumi_vod_workflow.plugin.discovery import MISSING_PLUGIN
from tests.engine.hosts import use_plugin
from tests.engine.project import Project
from tests.engine.vault import Vault
from tests.once import made_once
from tools.plugin.schema import EXAMPLES

TEMPLATE: Final = Path(__file__).resolve().parents[2] / "templates" / "vod-workflow-yaml"
PACKAGE: Final = EXAMPLES.parent / "package"
"""The plugin as a download: `PulumiPlugin.yaml` and a program."""
Pulumi = Callable[..., str]
KEYS: Final = EmulatorSettings()
AT_ONCE: Final = pytest.mark.vod_emulator(pending_seconds=0, running_seconds=0)
"""Runs end as soon as they start."""


def path_without_the_plugin() -> str:
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(
        folder for folder in folders if not Path(folder, "pulumi-resource-vod").exists()
    )


def write_python(path: Path, before: str = "") -> None:
    """Write an executable that runs a command of the shell, then the Python of the tests."""
    path.parent.mkdir(parents=True)
    path.write_text(f'#!/bin/sh\n{before}\nexec "{sys.executable}" "$@"\n')
    path.chmod(0o755)


@pytest.fixture(scope="module")
def environ(
    tmp_path_factory: pytest.TempPathFactory, vault: Vault, yaml_host: Path
) -> dict[str, str]:
    """The environment of a user without the package's folder on PATH."""
    found = {
        **os.environ,
        **vault.for_new_stacks,
        "PATH": os.pathsep.join([path_without_the_plugin(), str(yaml_host)]),
        "PULUMI_BACKEND_URL": f"file://{tmp_path_factory.mktemp('state')}",
    }

    def install(home: Path) -> None:
        environ = {**found, "PULUMI_HOME": str(home)}
        command = [sys.executable, "-m", "pulumi_vod_workflow.cli", "plugin", "install"]
        for _ in range(2):  # again, as after an upgrade
            done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
            told = f"installed the plugin vod {version('pulumi-vod-workflow')}; it starts "
            assert done.stdout == f"{told}{sys.executable}\n"

    return {**found, "PULUMI_HOME": str(made_once(tmp_path_factory, "plugin-user", install))}


@pytest.fixture
def pulumi(environ: dict[str, str]) -> Pulumi:
    def run(folder: Path, *arguments: str) -> str:
        done = subprocess.run(
            ["pulumi", *arguments, "--non-interactive", "--color=never"],
            cwd=folder,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def merged(*examples: str) -> str:
    """Return the program of all these examples; its outputs are those of each one by its folder."""
    program: dict[str, Any] = {"outputs": {}}
    for example in examples:
        parts = yaml.safe_load((EXAMPLES / example / "Pulumi.yaml").read_text())
        project, runtime = parts.pop("name"), parts.pop("runtime")
        program = {"name": project, "runtime": runtime, **program}
        program["outputs"][example] = parts.pop("outputs")
        for section, of_example in parts.items():
            of_all = program.setdefault(section, {})
            assert of_all.keys().isdisjoint(of_example), "only one of them would run"
            of_all |= of_example
    text: str = yaml.safe_dump(program)
    return text


@pytest.fixture
def up(pulumi: Pulumi, emulator: VodEmulator, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Return a function that runs `pulumi up` on examples, and returns the outputs of each one."""

    def run(*examples: str, **config: str) -> dict[str, Any]:
        folder = tmp_path / examples[0]
        folder.mkdir()
        (folder / "Pulumi.yaml").write_text(merged(*examples))
        pulumi(folder, "stack", "init", "dev")
        settings = {
            "vod:endpoint": emulator.url,
            "vod:accessKey": KEYS.access_key,
            "vod:secretKey": KEYS.secret_key,
            **config,
        }
        lines = [f"  {key}: {value}\n" for key, value in settings.items()]
        file = folder / "Pulumi.dev.yaml"
        file.write_text("".join([file.read_text(), "config:\n", *lines]))
        pulumi(folder, "up", "--yes", "--skip-preview", "--stack", "dev")
        found: dict[str, Any] = json.loads(pulumi(folder, "stack", "output", "--json"))
        return found

    return run


@AT_ONCE
def test_each_example_of_the_schema(
    up: Callable[..., dict[str, Any]], emulator: VodEmulator
) -> None:
    """On two stacks, as the examples of a run and of a wait have a resource of the same name."""
    first = up("workflow-run", "workflow-batch", "get-built-in-workflows")
    run, batch = first["workflow-run"], first["workflow-batch"]
    assert run["phase"] == "submitted"
    assert {*batch["runs"]} == {"e01", "e02"}
    assert batch["rejected"] == {}
    assert len(first["get-built-in-workflows"]["workflows"]) == 4
    paid = emulator.ledger()
    [start] = [start for start in paid if start["runId"] == run["runId"]]
    assert start["directUrl"]["SpaceName"] == "videos"
    assert sorted(start["directUrl"]["FileName"] for start in paid) == [
        "season-1/e01.mp4",
        "season-1/e02.mp4",
        "talks/opening.mp4",
    ]

    second = up("get-run", "workflow-completion", **{"a-run-elsewhere:runId": run["runId"]})
    ended, found = second["workflow-completion"], second["get-run"]
    assert ended["failed"] == []
    assert ended["files"][0]["format"] == "mp4"
    assert found["phase"] == "succeeded"
    assert found["files"][0]["format"] == "mp4"
    assert len(emulator.ledger()) == 4
    assert {"workflow-run", "workflow-batch", "get-built-in-workflows", *second} == {
        folder.name for folder in EXAMPLES.iterdir() if folder.is_dir()
    }


@AT_ONCE
def test_a_project_of_the_template_in_yaml(
    pulumi: Pulumi, emulator: VodEmulator, tmp_path: Path
) -> None:
    """It runs as it is: one start and the wait for it."""
    folder = tmp_path / "films"
    folder.mkdir()
    answers = {
        "vod:endpoint": emulator.url,
        "vod:accessKey": KEYS.access_key,
        "vod:secretKey": KEYS.secret_key,
    }
    options = ("--name=films", "--description=My films", "--stack=dev", "--yes", "--offline")
    config = [f"--config={name}={value}" for name, value in answers.items()]
    pulumi(folder, "new", str(TEMPLATE), *options, *config)
    assert {path.name for path in folder.iterdir()} == {
        *(path.name for path in TEMPLATE.iterdir()),
        "Pulumi.dev.yaml",
    }
    assert (folder / "README.md").read_text().startswith("# films\n\nMy films\n")
    pulumi(folder, "up", "--yes", "--skip-preview", "--stack", "dev")
    outputs = json.loads(pulumi(folder, "stack", "output", "--json"))
    assert outputs["phase"] == "succeeded"
    assert outputs["files"]
    [start] = emulator.ledger()
    assert start["runId"] == outputs["runId"]


def test_the_folder_of_the_package_runs_by_its_language_host(
    yaml_project: Project, yaml_host: Path, emulator: VodEmulator, tmp_path: Path
) -> None:
    """`PulumiPlugin.yaml` names the environment of the plugin; PATH has no part of it."""
    folder = tmp_path / "package"
    shutil.copytree(PACKAGE, folder)
    write_python(folder / "venv" / "bin" / "python", f"touch '{tmp_path}/used'")
    write_python(tmp_path / "bin" / "python3")
    path = [str(tmp_path / "bin"), str(yaml_host), path_without_the_plugin()]
    yaml_project.environ["PATH"] = os.pathsep.join(path)
    file = yaml_project.folder / "Pulumi.yaml"
    program = (EXAMPLES / "workflow-run" / "Pulumi.yaml").read_text()
    file.write_text(re.sub("^name: .+", "name: project", program))
    use_plugin(file, folder)
    assert yaml_project.up().wait() == 0
    assert len(emulator.ledger()) == 1
    assert (tmp_path / "used").exists()


@pytest.mark.hosts("dynamic")  # whose project has no plugin
def test_a_program_without_the_plugin_ends_with_advice(
    like: Project, emulator: VodEmulator, tmp_path: Path
) -> None:
    """And not with a traceback, after an attempt to download what no server has."""
    write_python(tmp_path / "bin" / "python3")
    with Project(tmp_path / "project", emulator.url, like=like) as project:
        project.environ["PATH"] = f"{tmp_path / 'bin'}{os.pathsep}{path_without_the_plugin()}"
        project.program("from pulumi_vod_workflow.plugin import WorkflowRun\nWorkflowRun('run')")
        command = project.start("preview")
        assert command.wait() != 0
        assert f"error: {MISSING_PLUGIN.replace(chr(10), chr(10) + '    ')}\n" in command.said
        assert "Traceback" not in command.said
