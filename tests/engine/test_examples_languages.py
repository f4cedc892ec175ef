"""The examples in other languages start what their pages say, each as it stands."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from pulumi_vod_workflow.emulator import VodEmulator
from pulumi_vod_workflow.emulator.store import Store
from tests.engine.checkout import ROOT, blocks
from tests.engine.hosts import EXECUTABLE, use_plugin
from tests.engine.programs import Host, go_program, node_program, serving
from tests.engine.project import Project
from tests.scale import TORTURE, scaled
from tests.sdks import MADE, built_go, output_of

EXAMPLES: Final = ROOT / "examples"
FILES: Final = {
    "YAML": ["yaml/Pulumi.yaml"],
    "TypeScript": ["typescript/index.ts", "typescript/deploy.ts"],
    "Go": ["go/main.go"],
}
"""Language -> the files that pages link to."""
STARTS: Final = {
    "adopt": 0,
    "quickstart": 3,
    "ci": 2,
    "overrides": 1,
    "component": 4,
    "template_version": 2,
    "dev_prod": 1,
    "folder_of_videos": 3,
    "results_feed": 2,
}
"""Example -> its starts. Neighbours have no name of a resource in common."""


def in_language(language: str) -> list[str]:
    return [name for name in STARTS if (EXAMPLES / name / language).is_dir()]


@pytest.fixture
def project(tmp_path: Path, like: Project, emulator: VodEmulator) -> Iterator[Project]:
    emulator.clock(step_seconds=3600)  # so that a run has ended when it is looked at
    with Project(tmp_path / "project", emulator.url, like=like) as project:
        yield project


def test_each_page_links_to_its_programs() -> None:
    table = (EXAMPLES / "README.md").read_text()
    for page in EXAMPLES.glob("*/README.md"):
        folder = page.parent
        links = {
            language: path
            for language, paths in FILES.items()
            for path in paths
            if (folder / path).exists()
        }
        told = ", ".join(f"[{language}]({path})" for language, path in links.items())
        assert f"The same program for the packaged provider: {told}.\n" in page.read_text(), page
        told = ", ".join(f"[{language}]({folder.name}/{path})" for language, path in links.items())
        row = rf"^\| \[{folder.name}\]\(.*\| {re.escape(told)} \|$"
        assert re.search(row, table, re.MULTILINE), row


@pytest.mark.torture
@pytest.mark.parametrize("example", scaled(["quickstart"], in_language("typescript")))
def test_a_program_in_typescript(
    project: Project, emulator: VodEmulator, plugin_folder: Path, typescript: Path, example: str
) -> None:
    take_over(project, example, "typescript", emulator)
    use_plugin(project.folder / "Pulumi.yaml", plugin_folder)
    modules = typescript / "node_modules"
    (project.folder / "node_modules").symlink_to(modules)
    # Pulumi's own installation has the plugin of the dynamic resources of Node on PATH.
    add_to_path(project, modules / "@pulumi" / "pulumi")
    with serving(Host(project.folder, node_program)) as client:
        if example == "quickstart":
            assert project.command("preview", client).count(": [unknown]") == 3
        outputs = outputs_of(project, emulator, example, client)
        assert outputs | shown_outputs(example) == outputs
        if TORTURE:
            project.command("preview", "--expect-no-changes", client)


def test_the_programs_in_yaml(
    yaml_project: Project, emulator: VodEmulator, plugin_folder: Path
) -> None:
    """On one stack, with one process of the plugin: its start takes most of an update's time."""
    emulator.clock(step_seconds=3600)
    with attached(plugin_folder, yaml_project):
        for example in in_language("yaml"):
            take_over(yaml_project, example, "yaml", emulator)
            assert None not in outputs_of(yaml_project, emulator, example).values()


@pytest.mark.torture
@pytest.mark.skipif(not TORTURE, reason="`make torture` compiles Go")
def test_the_program_in_go(
    project: Project, emulator: VodEmulator, plugin_folder: Path, sdks: Path
) -> None:
    [example] = in_language("go")
    take_over(project, example, "go", emulator)
    use_plugin(project.folder / "Pulumi.yaml", plugin_folder)
    built_go(sdks, project.folder / "main.go", project.folder / "program")
    with serving(Host(project.folder, go_program)) as client:
        assert project.command("preview", client).count(": [unknown]") == 3
        assert None not in outputs_of(project, emulator, example, client).values()
        project.command("preview", "--expect-no-changes", client)


@contextmanager
def attached(plugin_folder: Path, project: Project) -> Iterator[None]:
    """Have one process of the plugin serve all commands on a project."""
    command = [plugin_folder / EXECUTABLE]
    with subprocess.Popen(
        command, env=project.environ, stdout=subprocess.PIPE, text=True
    ) as plugin:
        try:
            assert plugin.stdout is not None
            project.environ["PULUMI_DEBUG_PROVIDERS"] = f"vod:{plugin.stdout.readline().strip()}"
            yield
        finally:
            plugin.terminate()


def add_to_path(project: Project, folder: Path) -> None:
    project.environ["PATH"] = f"{folder}{os.pathsep}{project.environ['PATH']}"


def take_over(project: Project, example: str, language: str, emulator: VodEmulator) -> None:
    """Take the files of an example into a project, which keeps the settings of its stack."""
    folder = EXAMPLES / example / language
    left_out = shutil.ignore_patterns("Pulumi.*.yaml", *MADE)
    shutil.copytree(folder, project.folder, ignore=left_out, dirs_exist_ok=True)
    settings = project.folder / "Pulumi.yaml"
    settings.write_text(re.sub(r"^name: .*", "name: project", settings.read_text()))
    project.configure(**configuration(example, folder, emulator))


def outputs_of(
    project: Project, emulator: VodEmulator, example: str, *options: str
) -> dict[str, Any]:
    """Bring the program up, check its starts, and return the stack's outputs."""
    before = len(emulator.ledger())
    update = project.up("--skip-preview", *options)
    assert update.wait() == 0, update.said
    assert len(emulator.ledger()) - before == STARTS[example]
    outputs = project.outputs
    assert outputs
    return outputs


def configuration(example: str, folder: Path, emulator: VodEmulator) -> dict[str, Any]:
    """Return the configuration of an example that its program has no default for."""
    if example == "adopt":
        return {"project_existingRunId": started(emulator)}
    if example == "dev_prod":
        config = yaml.safe_load((folder / "Pulumi.dev.yaml").read_text())["config"]
        del config["vod:endpoint"]
        return {f"project_{key.split(':')[1]}": value for key, value in config.items()}
    if example == "template_version":
        return {"project_templateVersion": "2"}
    return {}


def shown_outputs(example: str) -> dict[str, Any]:
    """Return the outputs in JSON that the page of an example shows."""
    found = [json.loads(text) for text in blocks(EXAMPLES / example / "README.md", "json")]
    if example == "results_feed":  # its page shows the catalogue
        [catalogue] = found
        return {"catalogue": catalogue}
    return {key: value for outputs in found for key, value in outputs.items()}


def started(emulator: VodEmulator) -> str:
    """Start a run by hand, and return its id."""
    import anyio

    from pulumi_vod_workflow.core.signing import Credentials
    from pulumi_vod_workflow.transport.client import VodClient

    async def start() -> str:
        keys = Credentials("AKLTEMULATOR", "emulator-secret-key")
        client = VodClient(emulator.url, "cn-north-1", keys)
        request = {
            "Vid": "v0d399g10001csunlgaljhtddi6hgvn0",
            "TemplateId": "0f3a1c5e7b9d4f6082a4c6e8091b3d5f",
        }
        answer = await client.start_workflow(request, "by-hand")
        await client.aclose()
        return str(answer.result["RunId"])

    return anyio.run(start)


@pytest.mark.torture
@pytest.mark.skipif(not TORTURE, reason="`make torture` runs it: it previews and updates twice")
def test_the_deployment_in_typescript(
    tmp_path: Path, command: object, plugin_folder: Path, typescript: Path
) -> None:
    environ = {
        "PATH": f"{plugin_folder}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_BACKEND_URL": f"file://{tmp_path}",
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_CONFIG_PASSPHRASE": "",
    }
    (tmp_path / ".pulumi").mkdir()
    with closing(Store(tmp_path / ".pulumi" / "vod-emulator.sqlite3")) as store:
        store.change_settings({"pendingSeconds": 0, "runningSeconds": 0})
        page = EXAMPLES / "automation" / "README.md"
        [commands] = blocks(page, "sh")
        script = commands.replace("python deploy.py", "node examples/automation/deploy.js")
        said = output_of(["sh", "-euc", f"exec 2>&1\n{script}"], typescript, **environ)
        assert said == "".join(blocks(page, "text"))
        assert len(store.ledger()) == 2
