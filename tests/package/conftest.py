"""The package and each kind of environment are made once for all processes of a test run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.once import made_once
from tests.package.building import ROOT, Built, build
from tests.package.environments import TRIED, Environment, install


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(item.path).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.package)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The source distribution and the wheel."""
    return Built(made_once(tmp_path_factory, "built", lambda folder: build(ROOT, folder)))


@pytest.fixture(scope="session", params=TRIED)
def environment(
    request: pytest.FixtureRequest, built: Built, tmp_path_factory: pytest.TempPathFactory
) -> Environment:
    """One with the wheel and its extras, of each kind."""
    folder = made_once(
        tmp_path_factory, request.param, lambda folder: install(request.param, built, folder)
    )
    return Environment(folder / "venv")
