"""
The size of a test: in `make test` a part of a matrix, in `make torture` (TORTURE=1) the whole.

A test whose size differs has the marker `torture`: `make torture` runs these tests.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final, TypeVar

import pytest

TORTURE: Final = os.environ.get("TORTURE", "") not in {"", "0"}
Size = TypeVar("Size")
Test = TypeVar("Test", bound=Callable[..., object])


def scaled(part: Size, whole: Size) -> Size:
    """Return `part`, or `whole` in `make torture`."""
    return whole if TORTURE else part


def only_in_torture(reason: str) -> Callable[[Test], Test]:
    """Return the marks of a test that `make test` skips."""

    def mark(test: Test) -> Test:
        return pytest.mark.torture(pytest.mark.skipif(not TORTURE, reason=reason)(test))

    return mark
