"""One engine and one emulator for each test process; a stack for each test."""

from __future__ import annotations

import gc
import os
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from pulumi import automation as auto

from pulumi_vod_workflow.emulator import VodEmulator
from tests.engine.harness import Story, new_stack
from tests.engine.project import Project, no_process_left
from tests.engine.vault import Vault


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
    # The engine's collector of garbage takes a twentieth of each command's processor time.
    os.environ |= {"GOGC": "off", "GOMEMLIMIT": "1GiB"}
    return auto.PulumiCommand(root=str(Path(pulumi).parent.parent), skip_version_check=True)


@pytest.fixture(scope="session")
def vault() -> Iterator[Vault]:
    """The keeper of the key of the stacks' secrets."""
    with Vault() as vault:
        yield vault


@pytest.fixture(scope="session")
def like(tmp_path_factory: pytest.TempPathFactory, command: object, vault: Vault) -> Project:
    """A stack that others are made after."""
    folder = tmp_path_factory.mktemp("like") / "project"
    return Project(folder, "http://127.0.0.1:1", vault=vault)


@pytest.fixture(scope="session")
def new(
    tmp_path_factory: pytest.TempPathFactory, command: auto.PulumiCommand, vault: Vault
) -> Path:
    """The folder of an empty stack, which stories begin with."""
    return new_stack(tmp_path_factory.mktemp("new"), command, vault)


@pytest.fixture
def emulator(vod_emulator: VodEmulator) -> VodEmulator:
    return vod_emulator


@pytest.fixture
def story(
    emulator: VodEmulator, tmp_path: Path, command: auto.PulumiCommand, new: Path, vault: Vault
) -> Story:
    return Story(emulator, tmp_path, command, new, vault)
