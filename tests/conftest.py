"""The order of the tests, and what each process does before them."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from hypothesis import settings

# An example waits while other processes have the processor.
settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")

gc.disable()  # until all is loaded: a tenth of the time of that is collection of no garbage

FIRST = ("engine", "package", "sdk", "properties", "transport", "emulator", "docs", "cli")
"""Folders whose tests last long or wait, the longest first; quick tests fill the run's end."""
BEFORE_WAITS = "package"
"""The folder after whose tests those begin that wait for seconds, or that others wait for."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest, so that no process ends long after the others."""
    rank = {folder: number for number, folder in enumerate(FIRST)}

    def place(item: pytest.Item) -> int:
        if item.get_closest_marker("waits"):
            return rank[BEFORE_WAITS]
        return rank.get(item.nodeid.split("/")[1], len(FIRST))

    items.sort(key=place)


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
