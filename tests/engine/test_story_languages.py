"""Inline programs of the Automation API in other languages, with the generated SDKs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from pulumi_vod_workflow.emulator import VodEmulator
from tests.plugin.test_sdks import COMPILER_OPTIONS
from tests.scale import TORTURE
from tools.engine.find_or_install import BUILD_ENV, EngineError
from tools.plugin.sdks import generate, node_packages

PROGRAMS: Final = Path(__file__).with_name("languages")

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


@pytest.fixture
def sdks(tmp_path: Path) -> Path:
    folder = tmp_path / "sdks"
    try:
        generate(folder, os.environ)
    except EngineError as error:
        pytest.skip(f"no generator of SDKs: {error}")
    return folder


def output_of(command: Sequence[str], folder: Path, environ: dict[str, str]) -> str:
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


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
    tmp_path: Path, environ: dict[str, str], sdks: Path, emulator: VodEmulator
) -> None:
    try:
        packages = node_packages(os.environ)
    except EngineError as error:
        pytest.skip(f"no compiler of TypeScript: {error}")
    emulator.clock(step_seconds=3600)  # so that a run has ended when it is looked at
    (tmp_path / "node_modules").symlink_to(packages / "node_modules")
    shutil.copytree(sdks / "nodejs", tmp_path / "sdk")
    shutil.copy(PROGRAMS / "story.ts", tmp_path)
    options = {**COMPILER_OPTIONS, "noEmit": False, "outDir": "out", "rootDir": "."}
    config = {"compilerOptions": options, "include": ["story.ts", "sdk/**/*.ts"]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(config))
    output_of(["node_modules/.bin/tsc", "--project", "."], tmp_path, environ)
    shutil.copy(sdks / "nodejs" / "package.json", tmp_path / "out" / "sdk")
    script = (tmp_path / "out" / "story.js").read_text()
    (tmp_path / "out" / "story.js").write_text(script.replace('"pulumi-vod"', '"./sdk"'))
    said = output_of(["node", "out/story.js"], tmp_path, environ)
    check_story(said, emulator, tmp_path / "state")


def test_a_program_in_go(
    tmp_path: Path, environ: dict[str, str], sdks: Path, emulator: VodEmulator
) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not on PATH")
    emulator.clock(step_seconds=3600)  # so that a run has ended when it is looked at
    module = sdks / "go"
    (module / "story").mkdir()
    shutil.copy(PROGRAMS / "story.go", module / "story")
    build = [go, "build", "-trimpath", "-mod=readonly", "-o", str(tmp_path / "story"), "./story"]
    output_of(build, module, {**os.environ, **BUILD_ENV})
    said = output_of([str(tmp_path / "story")], tmp_path, environ)
    check_story(said, emulator, tmp_path / "state")
