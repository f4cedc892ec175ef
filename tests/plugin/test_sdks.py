"""The generated SDKs compile, with the programs that the schema shows as examples."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.scale import TORTURE
from tests.sdks import IN_TYPESCRIPT, compiler_options, output_of, write_programs_of_pages
from tools.engine.find_or_install import BUILD_ENV
from tools.plugin.schema import EXAMPLES, LANGUAGES, ROOT, example
from tools.plugin.sdks import GO, JAVA

pytestmark = pytest.mark.package

NAMES: Final = sorted(path.name for path in EXAMPLES.iterdir())
CLASSES: Final = {
    "python": "workflow_*.py",
    "nodejs": "workflow*.ts",
    "go": "workflow*.go",
    "dotnet": "Workflow*.cs",
    "java": "Workflow*.java",
}
"""Language of an SDK -> the files of its resources."""


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
    output_of([sys.executable, "-m", "mypy", "--config-file=mypy.ini", "."], tmp_path)


def test_the_typescript_programs_compile(typescript: Path) -> None:
    for name in IN_TYPESCRIPT:
        assert [*(typescript / "examples" / name).glob("*.js")]


def test_the_projects_in_typescript_are_alike() -> None:
    """One compile with the options of one project stands for all of them."""
    for name in IN_TYPESCRIPT:
        assert compiler_options(name) == compiler_options(IN_TYPESCRIPT[0]), name
        folder = ROOT / "examples" / name / "typescript"
        package = json.loads((folder / "package.json").read_text())
        assert package["dependencies"]["pulumi-vod"] == "file:../../../build/sdks/nodejs"


def test_the_project_in_go_has_the_version_of_pulumi_of_the_sdk() -> None:
    [required] = [
        line
        for line in (ROOT / "examples/quickstart/go/go.mod").read_text().splitlines()
        if line.startswith("\tgithub.com/pulumi/pulumi/sdk/v3 ")
    ]
    assert required in (GO / "go.mod").read_text().splitlines()


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
    output_of(command, tmp_path / "module", **BUILD_ENV)


@pytest.mark.torture
def test_the_java_programs_compile(sdks: Path, tmp_path: Path) -> None:
    if not TORTURE:
        pytest.skip("`make torture` compiles Java: Maven may have to fetch its plugins")
    maven = shutil.which("mvn")
    if maven is None:
        pytest.skip("Maven is not on PATH")
    shutil.copy(JAVA / "pom.xml", tmp_path)
    shutil.copytree(sdks / "java", tmp_path / "sdk")
    (tmp_path / "programs").mkdir()
    write_programs_of_pages("java", "App.java", tmp_path / "programs")
    output_of([maven, "--quiet", "--batch-mode", "compile"], tmp_path)


def test_the_sdks_replace_only_where_the_preview_shows_it(sdks: Path) -> None:
    """
    No class sets `replaceOnChanges` by itself, and each has the alias to its dynamic type.

    With that option the engine replaces a run after each change of the text of an input: it would
    pay where the provider finds nothing that starts a run.
    """
    for language, pattern in CLASSES.items():
        text = "".join(path.read_text() for path in (sdks / language).rglob(pattern))
        assert not re.search("replace_?on_?changes", text, re.IGNORECASE), language
        for name in ("WorkflowRun", "WorkflowBatch", "WorkflowCompletion"):
            assert f"pulumi-python:dynamic/vod:{name}" in text, (language, name)
