"""The generated SDKs with the programs that use them: made once for all processes of a test run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from tests.engine.pages import blocks, pages
from tests.once import made_once
from tools.engine.find_or_install import BUILD_ENV, EngineError
from tools.plugin.schema import EXAMPLES, ROOT
from tools.plugin.sdks import generate, node_packages

IN_TYPESCRIPT: Final = sorted(path.parent.name for path in ROOT.glob("examples/*/typescript"))
"""The examples with a program in TypeScript."""
PROGRAMS: Final = ROOT / "tests" / "engine" / "languages"
"""Programs of the Automation API, which tests run."""
MADE: Final = ("node_modules", "bin")
"""The folders in an example that its users make."""


def output_of(command: Sequence[str], folder: Path, **env: str) -> str:
    """Run a command to its end, which is good, and return its output."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def write_programs_of_pages(language: str, name: str, folder: Path) -> None:
    """Write the programs of the documentation, each into a folder of its page."""
    for page in pages():
        for block in blocks(page):
            if block.language == language:
                path = folder / page.stem.lower() / name
                path.parent.mkdir()
                path.write_text(block.text)


def generated_sdks(factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an SDK for each language; skip the test without the generator."""
    try:
        return made_once(factory, "sdks", lambda folder: generate(folder, os.environ))
    except EngineError as error:
        pytest.skip(f"no generator of SDKs: {error}")


def compiled_typescript(factory: pytest.TempPathFactory, sdks: Path) -> Path:
    """
    Return a folder in which one `tsc` has compiled the SDK and all programs in TypeScript.

    `programs` has those of the schema and of the pages, `examples` the examples, `stories` those of
    tests/engine. `node_modules` has what their imports name. Skips the test without the compiler.
    """
    try:
        packages = node_packages(os.environ) / "node_modules"
    except EngineError as error:
        pytest.skip(f"no compiler of TypeScript: {error}")

    def compile_all(folder: Path) -> None:
        modules = folder / "node_modules"
        modules.mkdir()
        for package in packages.iterdir():
            (modules / package.name).symlink_to(package)
        shutil.copytree(sdks / "nodejs", folder / "sdk")
        # The package's `main` is bin/index.js. Here the compiler writes beside the sources.
        (folder / "sdk" / "bin").symlink_to(".")
        (modules / "pulumi-vod").symlink_to(folder / "sdk")
        shutil.copytree(EXAMPLES, folder / "programs")
        write_programs_of_pages("typescript", "index.ts", folder / "programs")
        shutil.copytree(PROGRAMS, folder / "stories")
        made = shutil.ignore_patterns(*MADE)
        for name in IN_TYPESCRIPT:
            source = ROOT / "examples" / name / "typescript"
            shutil.copytree(source, folder / "examples" / name, ignore=made)
        options = compiler_options(IN_TYPESCRIPT[0])
        del options["outDir"]
        options |= {"types": ["node"], "paths": {"pulumi-vod": ["./sdk/index.ts"]}}
        sources = ["sdk", "programs", "stories", "examples"]
        config = {"compilerOptions": options, "include": [f"{name}/**/*.ts" for name in sources]}
        (folder / "tsconfig.json").write_text(json.dumps(config))
        output_of(["node_modules/.bin/tsc", "--project", "."], folder)

    return made_once(factory, "typescript", compile_all)


def compiler_options(example: str) -> dict[str, object]:
    """Return the compiler's options in the project of an example."""
    config = json.loads((ROOT / "examples" / example / "typescript" / "tsconfig.json").read_text())
    options: dict[str, object] = config["compilerOptions"]
    return options


def built_go(sdks: Path, program: Path, target: Path) -> None:
    """Build a program in Go within the module of the SDK; skip the test without Go."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not on PATH")
    folder = target.parent / "module"
    shutil.copytree(sdks / "go", folder)
    (folder / "program").mkdir()
    shutil.copy(program, folder / "program")
    command = [go, "build", "-trimpath", "-mod=readonly", "-o", str(target), "./program"]
    output_of(command, folder, **BUILD_ENV)
