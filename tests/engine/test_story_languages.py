"""Inline programs of the Automation API in other languages, with the generated SDKs."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from pulumi_vod_workflow.emulator import VodEmulator
from tests.scale import TORTURE
from tests.sdks import PROGRAMS, built_go, output_of
from tools.plugin.sdks import JAVA

pytestmark = [
    pytest.mark.torture,
    pytest.mark.skipif(not TORTURE, reason="`make torture` runs programs in other languages"),
]


@pytest.fixture
def environ(
    tmp_path: Path, command: object, plugin_folder: Path, emulator: VodEmulator
) -> dict[str, str]:
    """The environment of a program: the engine and the plugin on PATH, and its configuration."""
    for name in ("state", "home"):
        (tmp_path / name).mkdir()
    return {
        **os.environ,
        "PATH": f"{plugin_folder}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "STORY_CONFIG": json.dumps(emulator.config),
    }


def check_story(said: str, emulator: VodEmulator, state: Path) -> None:
    """Each start is paid once, and the second update changes nothing."""
    told = json.loads(said.splitlines()[-1])
    assert len(emulator.ledger()) == 3
    [start] = [start for start in emulator.ledger() if start["templateId"] == "t1"]
    assert told["outputs"] == {
        "runId": start["runId"],
        "endpoint": emulator.url,
        "phases": ["succeeded", "succeeded"],
        "templateId": "t2",
    }
    assert told["changes"][0]["create"] == 4
    assert told["changes"][1] == {"same": 4}
    written = (path for path in state.rglob("*") if path.is_file())
    assert b"s3cr3t-vid" not in b"".join(path.read_bytes() for path in written)


def test_a_program_in_typescript(
    tmp_path: Path, environ: dict[str, str], typescript: Path, emulator: VodEmulator
) -> None:
    emulator.clock(step_seconds=3600)  # so that a run has ended when it is looked at
    said = output_of(["node", "stories/story.js"], typescript, **environ)
    check_story(said, emulator, tmp_path / "state")


def test_a_program_in_go(
    tmp_path: Path, environ: dict[str, str], sdks: Path, emulator: VodEmulator
) -> None:
    emulator.clock(step_seconds=3600)  # so that a run has ended when it is looked at
    built_go(sdks, PROGRAMS / "story.go", tmp_path / "story")
    said = output_of([str(tmp_path / "story")], tmp_path, **environ)
    check_story(said, emulator, tmp_path / "state")


def test_a_program_in_java(
    tmp_path: Path, environ: dict[str, str], sdks: Path, emulator: VodEmulator
) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        pytest.skip("Maven is not on PATH")
    emulator.clock(step_seconds=3600)  # so that a run has ended when it is looked at
    project = tmp_path / "project"
    (project / "programs").mkdir(parents=True)
    shutil.copy(JAVA / "pom.xml", project)
    shutil.copytree(sdks / "java", project / "sdk")
    shutil.copy(PROGRAMS / "Story.java", project / "programs")
    # The second goal writes the libraries beside the classes.
    build = [maven, "--quiet", "--batch-mode", "compile", "dependency:copy-dependencies"]
    output_of(build, project)
    target = project / "target"
    path = f"{target / 'classes'}{os.pathsep}{target / 'dependency' / '*'}"
    said = output_of(["java", "-classpath", path, "Story"], project, **environ)
    check_story(said, emulator, tmp_path / "state")
