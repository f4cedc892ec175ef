"""The package is built once for each test process, each kind of environment made once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.package.building import ROOT, Built, build
from tests.package.environments import KINDS, RUNNING, Environment, install


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "package" in Path(item.path).relative_to(ROOT).parts:
            given = getattr(item, "callspec", None)
            kind = given.params.get("environment", RUNNING) if given else RUNNING
            item.add_marker(pytest.mark.xdist_group(f"package-{kind}"))


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The source distribution and the wheel."""
    return build(ROOT, tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="session")
def made(built: Built) -> Iterator[Callable[[str], Environment]]:
    """Environments with the wheel and its extras, by kind; they are large, so none is kept."""
    with TemporaryDirectory() as folder:

        @cache
        def make(kind: str) -> Environment:
            (Path(folder) / kind).mkdir()
            return install(kind, built, Path(folder) / kind)

        yield make


@pytest.fixture(scope="session", params=KINDS)
def environment(request: pytest.FixtureRequest, made: Callable[[str], Environment]) -> Environment:
    """Each kind: the lowest versions, every supported Python."""
    return made(request.param)


@pytest.fixture(scope="session")
def installed(made: Callable[[str], Environment]) -> Environment:
    """What pip installs for the running Python."""
    return made(RUNNING)
