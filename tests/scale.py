"""
The size of a test: in `make test` a part of a matrix, in `make torture` (TORTURE=1) the whole.

A test whose size differs has the marker `torture`, and so has one that `make test` skips.
`make torture` runs these tests.
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
    """Return a decorator: `make test` skips the test with this reason, `make torture` runs it."""

    def mark(test: Test) -> Test:
        marked: Test = pytest.mark.skipif(not TORTURE, reason=reason)(test)
        pytest.mark.torture(marked)
        return marked

    return mark
