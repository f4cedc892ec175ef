"""The order of the tests, and what each process does before them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import settings

from tests.cli.browser import Tab, browsing

# An example waits while other processes have the processor.
settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")

gc.disable()  # until all is loaded: a tenth of the time of that is collection of no garbage

FIRST = ("engine", "package", "sdk", "properties", "transport", "emulator", "docs", "cli")
"""Folders whose tests last long or wait, the longest first; quick tests fill the run's end."""
BEFORE_WAITS = "package"
"""The folder after whose tests those begin that wait for seconds, or that others wait for."""


ONE_PROCESS: Final = {
    "tests/cli/test_runs_page_in_browser.py": "browser",
    "tests/docs/test_site.py": "site",
    "tests/dynamic/test_preflight.py": "forks",
    "tests/dynamic/test_report.py": "forks",
    "tests/emulator/test_page_in_browser.py": "browser",
    "tests/hosts/test_conformance.py": "hosts",
    "tests/journal/test_objects.py": "object stores",
    "tests/journal/test_other_clouds.py": "object stores",
    "tests/journal/test_postgres.py": "postgres",
    "tests/plugin/test_discovery.py": "forks",
    "tests/plugin/test_plugin_resources.py": "forks",
    "tests/plugin/test_provider.py": "plugin",
    "tests/resources/test_vod_resource.py": "forks",
    "tests/test_layers.py": "forks",
}
"""Module -> the costly server of its tests: one process runs all tests that share a server."""
QUICK: Final = ("tests/config/", "tests/core/", "tests/test_")
"""Begin of the names of quick tests: one process runs a function with all its parameters."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Start each costly server once; in each process of pytest, all took 30 s of processor time."""
    from xdist.scheduler import LoadScopeScheduling

    class OneProcessForEachServer(LoadScopeScheduling):  # type: ignore[misc]
        # `xdist_group` does the same, but pytest-xdist 3.8 cannot read it with pytest 9.2.
        def _split_scope(self, nodeid: str) -> str:
            # The scheduler counts all scopes again for each that it sends.
            scope = nodeid.partition("[")[0] if nodeid.startswith(QUICK) else nodeid
            return ONE_PROCESS.get(nodeid.partition("::")[0], scope)

    return OneProcessForEachServer(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest, so that no process ends long after the others."""
    rank = {folder: number for number, folder in enumerate(FIRST)}

    def place(item: pytest.Item) -> int:
        if item.get_closest_marker("waits"):
            return rank[BEFORE_WAITS]
        return rank.get(item.nodeid.split("/")[1], len(FIRST))

    items.sort(key=place)


@pytest.fixture(scope="session", autouse=True)
def pulumi_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Leave the user's folder of Pulumi alone: by default, a provider keeps its journal there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PULUMI_HOME", str(tmp_path_factory.mktemp("pulumi") / "home"))
        yield


@pytest.fixture(scope="session")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    """A page of a real browser; each of its tests has the group `browser`, so one is started."""
    with browsing(tmp_path_factory.mktemp("browser")) as tab:
        yield tab


def pytest_collection_finish() -> None:
    """Take what is loaded out of each later collection of garbage: that is a tenth of a second."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def sdks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a generated SDK for each language."""
    from tests.sdks import generated_sdks

    return generated_sdks(tmp_path_factory)


@pytest.fixture(scope="session")
def typescript(tmp_path_factory: pytest.TempPathFactory, sdks: Path) -> Path:
    """A folder with all programs in TypeScript, compiled."""
    from tests.sdks import compiled_typescript

    return compiled_typescript(tmp_path_factory, sdks)
