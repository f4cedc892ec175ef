"""
The size of a test: in `make test` a part of a matrix, in `make torture` (TORTURE=1) the whole.

A test whose size differs has the marker `torture`: `make torture` runs these tests.
"""

from __future__ import annotations

import os
from typing import Final, TypeVar

TORTURE: Final = os.environ.get("TORTURE", "") not in {"", "0"}
Size = TypeVar("Size")


def scaled(part: Size, whole: Size) -> Size:
    """Return `part`, or `whole` in `make torture`."""
    return whole if TORTURE else part
