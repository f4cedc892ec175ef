"""One engine and one emulator for each test process; a stack for each test."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from pulumi import automation as auto

from pulumi_vod_workflow.emulator import VodEmulator
from tests.engine.harness import Story, new_stack
from tests.engine.hosts import HostName, declare_packaged, install_plugin, use_plugin
from tests.engine.project import PYTHON_START, Project, no_process_left
from tests.engine.vault import Vault
from tests.scale import TORTURE


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """
    Run a story on the hosts of its marker `hosts`; in `make torture` on that of `torture`, too.

    With STORY_HOST in the environment, each story runs on that host alone, if it is one of these.
    """
    marker = metafunc.definition.get_closest_marker("hosts")
    if marker is None or "host" not in metafunc.fixturenames:
        return
    names: list[Any] = [*marker.args]
    torture, chosen = marker.kwargs.get("torture"), os.environ.get("STORY_HOST")
    if chosen:
        names = [name for name in [*names, torture] if name == chosen]
    elif TORTURE and torture:
        names.append(pytest.param(torture, marks=pytest.mark.torture))
    metafunc.parametrize("host", names, indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "engine" in Path(item.path).parts:
            item.add_marker(pytest.mark.engine)
            # Runs move only when a test says so.
            item.add_marker(
                pytest.mark.vod_emulator(rate_limit=0, pending_seconds=1000, running_seconds=1000)
            )
            # The Automation API leaves its inline programs' event loops to the collector.
            unraisable = "ignore::pytest.PytestUnraisableExceptionWarning"
            item.add_marker(pytest.mark.filterwarnings(unraisable))


@pytest.fixture(scope="session", autouse=True)
def all_processes_ended() -> Iterator[None]:
    """What the tests kill, leaves nothing behind."""
    with no_process_left():
        yield


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Have the event loops that the Automation API leaves behind collected here, not by others."""
    yield
    gc.collect()


def pytest_sessionfinish() -> None:
    """Have those collected that the last test's failed updates have left, before pytest looks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="session")
def command() -> auto.PulumiCommand:
    """The engine, found once."""
    pulumi = shutil.which("pulumi")
    assert pulumi, "no pulumi on PATH: run the tests with `make test`"
    for name in [
        key
        for key in os.environ
        if key.startswith(("VOLC", "PULUMI_")) and key != "PULUMI_PYTHON_CMD"
    ]:
        del os.environ[name]
    # The engine's collector of garbage takes a twentieth of each command's processor time. Its
    # threads take a fiftieth to wait for each other, and other tests have the other processor.
    os.environ |= {"GOGC": "off", "GOMEMLIMIT": "1GiB", "GOMAXPROCS": "1"}
    # Python's collector takes another twentieth.
    found = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([PYTHON_START, *([found] if found else [])])
    return auto.PulumiCommand(root=str(Path(pulumi).parent.parent), skip_version_check=True)


@pytest.fixture(scope="session")
def vault() -> Iterator[Vault]:
    """The keeper of the key of the stacks' secrets."""
    with Vault() as vault:
        yield vault


@pytest.fixture(scope="session")
def like_of(
    tmp_path_factory: pytest.TempPathFactory, command: object, vault: Vault
) -> Callable[[HostName], Project]:
    """Stacks of each host that others are made after."""

    @cache
    def like_of(host: HostName) -> Project:
        folder = tmp_path_factory.mktemp(f"like-{host}") / "project"
        return Project(folder, "http://127.0.0.1:1", vault=vault, host=host)

    return like_of


@pytest.fixture
def like(like_of: Callable[[HostName], Project], host: HostName) -> Project:
    """A stack of the test's host that others are made after."""
    return like_of(host)


@pytest.fixture(scope="session")
def new(
    tmp_path_factory: pytest.TempPathFactory, command: auto.PulumiCommand, vault: Vault
) -> Path:
    """The folder of an empty stack, which stories begin with."""
    return new_stack(tmp_path_factory.mktemp("new"), command, vault)


@pytest.fixture
def emulator(vod_emulator: VodEmulator) -> VodEmulator:
    return vod_emulator


@pytest.fixture(scope="session")
def plugin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the executable of the packaged provider."""
    return install_plugin(tmp_path_factory.mktemp("plugin") / "bin")


@pytest.fixture(scope="session")
def yaml_host() -> Path:
    """The folder with Pulumi's YAML language host; `make test` builds it."""
    tool = Path(__file__).resolve().parents[2] / "tools" / "engine" / "find_or_install.py"
    environ = {"PATH": os.environ["PATH"], "HOME": str(Path.home())}
    command = [sys.executable, str(tool), "yaml"]
    found = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    if found.returncode:
        pytest.skip(found.stderr.strip().splitlines()[-1])
    return Path(found.stdout.strip())


@pytest.fixture
def yaml_project(
    tmp_path: Path, like: Project, emulator: VodEmulator, yaml_host: Path
) -> Iterator[Project]:
    """A project whose programs may be in YAML."""
    with Project(tmp_path / "project", emulator.url, like=like) as project:
        project.environ["PATH"] = f"{yaml_host}{os.pathsep}{os.environ['PATH']}"
        yield project


@pytest.fixture
def host(request: pytest.FixtureRequest) -> HostName:
    """The host of a story: that of its marker `hosts`, or the dynamic one."""
    found: HostName = getattr(request, "param", "dynamic")
    return found


@pytest.fixture
def story(
    *,
    request: pytest.FixtureRequest,
    host: HostName,
    monkeypatch: pytest.MonkeyPatch,
    emulator: VodEmulator,
    tmp_path: Path,
    command: auto.PulumiCommand,
    new: Path,
    vault: Vault,
) -> Story:
    story = Story(emulator, tmp_path, command, new, vault)
    if host == "plugin":
        use_plugin(tmp_path / "Pulumi.yaml", request.getfixturevalue("plugin_folder"))
        declare_packaged(monkeypatch)
    return story
