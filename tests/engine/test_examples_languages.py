"""The examples in other languages start what their pages say, each as it stands."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from pulumi_vod_workflow.emulator import VodEmulator
from pulumi_vod_workflow.emulator.store import Store
from tests.engine.checkout import ROOT, blocks
from tests.engine.hosts import use_plugin
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
    "ci": 2,
    "component": 4,
    "dev_prod": 1,
    "folder_of_videos": 3,
    "overrides": 1,
    "quickstart": 3,
    "results_feed": 2,
    "template_version": 2,
}


@pytest.fixture
def project(
    tmp_path: Path, like: Project, emulator: VodEmulator, plugin_folder: Path
) -> Iterator[Project]:
    with Project(tmp_path / "project", emulator.url, like=like) as project:
        yield project


@contextmanager
def in_yaml(project: Project, example: str, request: pytest.FixtureRequest) -> Iterator[list[str]]:
    add_to_path(project, request.getfixturevalue("yaml_host"))
    yield []


@contextmanager
def in_typescript(
    project: Project, example: str, request: pytest.FixtureRequest
) -> Iterator[list[str]]:
    compiled: Path = request.getfixturevalue("typescript")
    (project.folder / "node_modules").symlink_to(compiled / "node_modules")
    # Pulumi's own installation has the plugin of the dynamic resources of Node on PATH.
    add_to_path(project, compiled / "node_modules" / "@pulumi" / "pulumi")
    with serving(Host(project.folder, node_program)) as client:
        yield [client]


@contextmanager
def in_go(project: Project, example: str, request: pytest.FixtureRequest) -> Iterator[list[str]]:
    program = EXAMPLES / example / "go" / "main.go"
    built_go(request.getfixturevalue("sdks"), program, project.folder / "program")
    with serving(Host(project.folder, go_program)) as client:
        yield [client]


HOSTS: Final[dict[str, Callable[..., Any]]] = {
    "yaml": in_yaml,
    "typescript": in_typescript,
    "go": in_go,
}

PROGRAMS: Final = [
    f"{example}/{language}"
    for example in STARTS
    for language in HOSTS
    if (EXAMPLES / example / language).is_dir()
]


def add_to_path(project: Project, folder: Path) -> None:
    project.environ["PATH"] = f"{folder}{os.pathsep}{project.environ['PATH']}"


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
@pytest.mark.parametrize("name", scaled(["quickstart/typescript", "quickstart/yaml"], PROGRAMS))
def test_it_starts_what_its_page_says(
    request: pytest.FixtureRequest,
    project: Project,
    emulator: VodEmulator,
    plugin_folder: Path,
    name: str,
) -> None:
    emulator.clock(step_seconds=3600)  # so that a run has ended when it is looked at
    example, language = name.split("/")
    folder = EXAMPLES / example / language
    # `project` has the settings of its stack.
    left_out = shutil.ignore_patterns("Pulumi.*.yaml", *MADE)
    shutil.copytree(folder, project.folder, ignore=left_out, dirs_exist_ok=True)
    settings = project.folder / "Pulumi.yaml"
    settings.write_text(re.sub(r"^name: .*", "name: project", settings.read_text()))
    use_plugin(settings, plugin_folder)
    project.configure(**configuration(example, folder, emulator))
    before = len(emulator.ledger())
    with HOSTS[language](project, example, request) as options:
        update = project.up("--skip-preview", *options)
        assert update.wait() == 0, update.said
        assert len(emulator.ledger()) - before == STARTS[example]
        outputs = json.loads(project.command("stack", "output", "--json"))
        assert outputs
        assert None not in outputs.values()
        if language == "typescript":  # YAML and Go export the results whole
            assert outputs | shown_outputs(example) == outputs
        if TORTURE:
            project.command("preview", "--expect-no-changes", *options)
    assert len(emulator.ledger()) - before == STARTS[example]


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
