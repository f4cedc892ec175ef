"""The built wheel, where nothing of this checkout is: its commands, types, plugin, and a stack."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from threading import Thread

import pytest
from packaging.version import Version

from pulumi_vod_workflow.emulator.store import Store
from tests.engine.project import Project
from tests.engine.test_plugin_examples import PACKAGE, path_without_the_plugin, write_python
from tests.package.building import PROJECT, Built
from tests.package.environments import (
    EXTRAS,
    LOWEST,
    NEWEST,
    RUNNING,
    UV,
    WHOLE,
    Environment,
    add_tools,
    bounds,
    call,
    find_python,
    only_in,
    only_lowest,
    pins,
)
from tools.plugin.sdks import generate

USER = """
from pulumi_vod_workflow import WorkflowBatch, WorkflowRun

run = WorkflowRun("run", vid="v1", template_id="t1")
reveal_type(run.phase)
reveal_type(WorkflowBatch("batch", items={"a": {"vid": "v1"}}).wait().results)
WorkflowRun("wrong", vid=1, template_id="t1")
"""

USERS_TEST = """
import asyncio

import anyio
import pytest

from pulumi_vod_workflow.transport.client import VodClient
from pulumi_vod_workflow.core.signing import Credentials


@pytest.mark.vod_emulator(seed=7)
def test_a_start_is_on_the_ledger(vod_emulator):
    async def start():
        # The emulator in this process leaves the loops of others as they are.
        assert type(asyncio.get_running_loop()).__module__.startswith("asyncio")
        keys = Credentials("AKLTEMULATOR", "emulator-secret-key")
        client = VodClient(vod_emulator.url, "cn-north-1", keys)
        answer = await client.start_workflow({"vid": "v1", "templateId": "t1"}, "token")
        await client.aclose()
        return answer.result["RunId"]

    assert [start["runId"] for start in vod_emulator.ledger()] == []
    assert [anyio.run(start)] == [start["runId"] for start in vod_emulator.ledger()]
"""

SERVE = """
from importlib.util import find_spec
from pulumi_vod_workflow import WorkflowRun
from pulumi_vod_workflow.emulator import VodEmulator

with VodEmulator() as emulator:
    print(find_spec("uvloop"), find_spec("httptools"), find_spec("pytest"), emulator.ledger())
"""

FEW = """
from hypothesis import settings

settings.register_profile("few", max_examples=10)
settings.load_profile("few")
"""

ALWAYS = (
    "tests/core/test_client_token.py",
    "tests/dynamic/test_provider.py",
    "tests/dynamic/test_sdk_compat.py",
)

STACK = """
def secretly(args):
    added = {"callbackArgs": pulumi.Output.secret("hush")} if "templateId" in args.props else {}
    return pulumi.ResourceTransformResult({**args.props, **added}, args.opts)

pulumi.runtime.register_resource_transform(secretly)
pulumi.export("package", __import__("pulumi_vod_workflow").__file__)
run = WorkflowRun("run", vid="v1", template_id="t1")
batch = WorkflowBatch("batch", items={"a": {"vid": "v1"}}, defaults={"template_id": "t1"})
pulumi.export("phases", batch.wait().results.apply(lambda of: {k: v.phase for k, v in of.items()}))
"""


@only_lowest()
def test_its_commands_are_there(environment: Environment) -> None:
    """In every environment, and from the environment itself."""
    where = environment.run("python", "-c", "import pulumi_vod_workflow as p; print(p.__file__)")
    assert Path(where).is_relative_to(environment.folder)
    assert environment.run("vod-workflow", "--version").strip() == PROJECT["version"]
    said = environment.run("vod-workflow", "--help")
    assert "paid workflow runs of a Pulumi stack" in said
    said = environment.run("python", "-m", "pulumi_vod_workflow.emulator", "--help")
    assert "--store" in said


@only_lowest()
def test_its_fixture_is_there(environment: Environment, tmp_path: Path) -> None:
    """The plugin of the extra `pytest`, the emulator's server and the client."""
    (tmp_path / "test_user.py").write_text(USERS_TEST)
    said = environment.run("python", "-m", "pytest", "-q", "--strict-markers", cwd=tmp_path)
    assert "1 passed" in said


@only_lowest()
def test_its_own_tests_pass(environment: Environment, built: Built, tmp_path: Path) -> None:
    """Those of the source distribution; always those of what is frozen, and of the SDK's parts."""
    add_tools(environment)
    folder = built.unpack(tmp_path)
    shutil.rmtree(folder / "pulumi_vod_workflow")
    (folder / "conftest.py").write_text(FEW)
    tests = ("tests",) if WHOLE else ALWAYS
    said = environment.run("python", "-m", "pytest", "-q", *tests, cwd=folder)
    assert re.search(r"^\d{2,} passed in ", said, re.MULTILINE), said[-1000:]


@pytest.mark.engine
def test_a_stack_of_it_goes_up(environment: Environment, tmp_path: Path) -> None:
    """Program, provider and embedded emulator are the installed ones, the engine is the real."""
    with Project(tmp_path, "emulator") as project:
        project.environ = {
            **{key: text for key, text in project.environ.items() if key.startswith("PULUMI_")},
            **environment.environ,
        }
        project.program(STACK)
        said = project.command("up", "--yes", "--skip-preview", "--stack", project.stack)
        assert str(environment.folder) in said
        assert '"succeeded"' in said
        again = project.command("preview", "--stack", project.stack)
        assert "create" not in again
        # What `program_transforms` buys: the secret of a transform is known to be one.
        [run] = [one for one in project.resources if one["type"].endswith(":WorkflowRun")]
        assert run["inputs"]["secretInputs"] is True
        assert "hush" not in json.dumps(project.resources)
    store = Store(tmp_path / "state" / ".pulumi" / "vod-emulator.sqlite3")
    assert len(store.ledger()) == 2
    store.close()


@contextmanager
def downloads(archive: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve the plugin's archive, and yield the server's URL and the names of the requests."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(PurePosixPath(self.path).name)
            content = archive.read_bytes()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.engine
@pytest.mark.skipif(not WHOLE, reason="`make package` lets pip install the plugin's archive")
@pytest.mark.timeout(900)
def test_a_released_sdk_brings_its_plugin(built: Built, tmp_path: Path) -> None:
    """
    The SDK's place of downloads has the plugin's archive, which makes its own environment.

    PATH has no part of the plugin, and no command installs it before the program runs.
    """
    archive = tmp_path / "vod.tar.gz"
    (tmp_path / "requirements.txt").write_text(f"{built.wheel}\n")
    (tmp_path / "pins.txt").write_text("\n".join(pins()))
    with tarfile.open(archive, "w:gz") as file:
        for path in (*PACKAGE.iterdir(), tmp_path / "requirements.txt"):
            file.add(path, path.name)
    write_python(tmp_path / "bin" / "python3")
    (tmp_path / "sdks").mkdir()
    with downloads(archive) as (url, asked), Project(tmp_path / "project", "emulator") as project:
        generate(tmp_path / "sdks", os.environ, url)
        package = json.loads((tmp_path / "sdks" / "nodejs" / "package.json").read_text())
        assert package["pulumi"]["server"] == url
        source = tmp_path / "sdks" / "python"
        sdk = tmp_path / "installed"
        call(*UV, "pip", "install", "--no-deps", "--target", sdk, source, cwd=tmp_path)
        folders = f"{tmp_path / 'bin'}{os.pathsep}{path_without_the_plugin()}"
        project.environ |= {"PATH": folders, "PIP_CONSTRAINT": str(tmp_path / "pins.txt")}
        project.program(f"""
            import sys; sys.path.insert(0, {str(sdk)!r})
            from pulumi_vod import WorkflowRun as Run

            Run("run", vid="v1", template_id="t1")
        """)
        project.command("up", "--yes", "--skip-preview", "--stack", project.stack)
        assert "vod:index:WorkflowRun" in {one["type"] for one in project.resources}
        version = PROJECT["version"]
        plugins = project.home / "plugins" / f"resource-vod-v{version}"
        assert [*plugins.glob("venv/lib/python*/site-packages/pulumi_vod_workflow/plugin")]
    # The workflow of the release names its archives in this form.
    assert len(asked) == 1
    assert re.fullmatch(rf"pulumi-resource-vod-v{version}-[a-z]+-\w+\.tar\.gz", asked[0])
    store = Store(tmp_path / "project" / "state" / ".pulumi" / "vod-emulator.sqlite3")
    assert len(store.ledger()) == 1
    store.close()


def test_a_python_that_is_not_found_is_told() -> None:
    with pytest.raises(pytest.skip.Exception, match=r"Python 3\.99 is not tested: .*No interp"):
        find_python("3.99")


@only_in(LOWEST)
def test_the_lowest_versions_are_what_was_tested(environment: Environment) -> None:
    installed = environment.versions
    for bound in bounds():
        [lowest] = bound.specifier
        assert lowest.operator == ">="  # a library must not stop its users from upgrading
        assert Version(installed[bound.name]) == Version(lowest.version), bound


@only_in(RUNNING if WHOLE else NEWEST)
def test_the_pinned_versions_have_no_conflict(environment: Environment) -> None:
    """And what is installed is the extras, too."""
    environment.check()
    assert set(EXTRAS.split(",")) == {*PROJECT["optional-dependencies"]}
    assert {bound.name for bound in bounds()} <= set(environment.versions)


def test_it_works_without_its_extras(built: Built, tmp_path: Path) -> None:
    bare = Environment(tmp_path / "venv")
    call(*UV, "venv", "--python", sys.executable, bare.folder, cwd=tmp_path)
    bare.uv("--constraint", Path(__file__).parents[2] / "requirements.txt", built.wheel)
    (tmp_path / "serve.py").write_text(SERVE)
    assert bare.run("python", tmp_path / "serve.py").split() == ["None", "None", "None", "[]"]


@only_in(RUNNING if WHOLE else NEWEST)
def test_its_types_are_seen(environment: Environment, tmp_path: Path) -> None:
    """By mypy in its strict mode, as the package has its marker."""
    (tmp_path / "user.py").write_text(USER)
    python = environment.bin / "python"
    command = (sys.executable, "-m", "mypy", "--strict", "--python-executable", python, "user.py")
    with pytest.raises(AssertionError) as caught:
        call(*command, cwd=tmp_path)
    said = dict(re.findall(r"^user\.py:(\d+): (.*)$", str(caught.value), re.MULTILINE))
    assert said.keys() == {"5", "6", "7"}
    assert said["5"] == 'note: Revealed type is "pulumi.output.Output[str]"'
    assert "Output[typing.Mapping[str, pulumi_vod_workflow.resources.outputs.Work" in said["6"]
    assert said["7"].startswith('error: Argument "vid" to "WorkflowRun" has incompatible type')
