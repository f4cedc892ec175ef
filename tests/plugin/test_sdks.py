"""The generated SDKs compile, with the programs that the schema shows as examples."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.engine.pages import blocks, pages
from tests.once import made_once
from tests.scale import TORTURE
from tools.engine.find_or_install import BUILD_ENV, EngineError
from tools.plugin.schema import EXAMPLES, LANGUAGES, example
from tools.plugin.sdks import generate, node_packages

pytestmark = pytest.mark.package

NAMES: Final = sorted(path.name for path in EXAMPLES.iterdir())
COMPILER_OPTIONS: Final = {
    "strict": True,
    "noEmit": True,
    "skipLibCheck": True,  # of Pulumi's own SDK
    "module": "commonjs",
    "moduleResolution": "node",
    "target": "es2022",
    "types": ["node"],
    "paths": {"pulumi-vod": ["./sdk/index.ts"]},
}


@pytest.fixture(scope="session")
def sdks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an SDK for each language."""
    try:
        return made_once(tmp_path_factory, "sdks", lambda folder: generate(folder, os.environ))
    except EngineError as error:
        pytest.skip(f"no generator of SDKs: {error}")


def compiled(command: Sequence[str], folder: Path, **env: str) -> None:
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def write_programs_of_pages(language: str, name: str, folder: Path) -> None:
    """Write the programs of the documentation, each into a folder of its page."""
    for page in pages():
        for block in blocks(page):
            if block.language == language:
                path = folder / page.stem.lower() / name
                path.parent.mkdir()
                path.write_text(block.text)


def test_the_schema_has_each_example_in_each_language() -> None:
    for name in ("WorkflowRun", "WorkflowBatch", "WorkflowCompletion", "getRun"):
        text = example(name)
        for language in LANGUAGES.values():
            assert f"```{language}\n" in text, (name, language)


def test_the_python_programs_pass_mypy(sdks: Path, tmp_path: Path) -> None:
    for name in NAMES:  # mypy takes one __main__.py only
        source = EXAMPLES / name / "__main__.py"
        shutil.copy2(source, tmp_path / f"{name.replace('-', '_')}.py")
    (tmp_path / "mypy.ini").write_text(
        f"[mypy]\nstrict = True\nmypy_path = {sdks / 'python'}\n"
        # The generator's own code is not strict: secret and number settings (plugin-facts 4).
        "[mypy-pulumi_vod.*]\nfollow_imports = silent\n"
    )
    compiled([sys.executable, "-m", "mypy", "--config-file=mypy.ini", "."], tmp_path)


def test_the_typescript_programs_compile(sdks: Path, tmp_path: Path) -> None:
    try:
        packages = node_packages(os.environ)
    except EngineError as error:
        pytest.skip(f"no compiler of TypeScript: {error}")
    (tmp_path / "node_modules").symlink_to(packages / "node_modules")
    shutil.copytree(sdks / "nodejs", tmp_path / "sdk")
    shutil.copytree(EXAMPLES, tmp_path / "programs")
    write_programs_of_pages("typescript", "index.ts", tmp_path / "programs")
    config = {"compilerOptions": COMPILER_OPTIONS, "include": ["programs/**/*.ts", "sdk/**/*.ts"]}
    (tmp_path / "tsconfig.json").write_text(json.dumps(config))
    compiled([str(tmp_path / "node_modules" / ".bin" / "tsc"), "--project", "."], tmp_path)


@pytest.mark.torture
def test_the_go_programs_compile(sdks: Path, tmp_path: Path) -> None:
    if not TORTURE:
        pytest.skip("`make torture` compiles Go: Pulumi's SDK takes a minute of two processors")
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not on PATH")
    shutil.copytree(sdks / "go", tmp_path / "module")
    shutil.copytree(EXAMPLES, tmp_path / "module" / "programs")
    write_programs_of_pages("go", "main.go", tmp_path / "module" / "programs")
    command = [go, "build", "-trimpath", "-mod=readonly", "./..."]
    compiled(command, tmp_path / "module", **BUILD_ENV)
