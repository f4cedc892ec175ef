"""The order of the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

FIRST = ("engine", "package", "sdk")
"""Folders of tests that mostly wait and last long; thousands of quick tests fill the run's end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest, so that no process ends long after the others."""
    here = Path(__file__).parent
    items.sort(key=lambda item: item.path.relative_to(here).parts[0] not in FIRST)
