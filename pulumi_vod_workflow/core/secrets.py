"""Values that the state keeps encrypted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that is to be recorded as a secret; the engine itself keeps secret inputs so."""

    value: Any
