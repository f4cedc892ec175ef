"""The part of a suite that `make test` runs."""

from __future__ import annotations

import pytest

from tests.scale import TORTURE


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave to `make torture` the tests of a class that its attribute `part` does not name."""

    def is_left(item: pytest.Item) -> bool:
        part = getattr(getattr(item, "cls", None), "part", None)
        return part is not None and getattr(item, "originalname", "") not in part

    left = [] if TORTURE else [item for item in items if is_left(item)]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]
