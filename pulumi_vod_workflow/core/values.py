"""
Values as the engine carries them, made normal: no `None`, integral floats as ints.

No pydantic here and in what is built on it: whoever finds everything as it was recorded needs none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final


class Unknown:
    """A value that exists only after another resource has been created."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


PLAIN: Final = (str, int, float, type(None))
"""Values without parts: most of them, so that they are looked at first."""


def is_known(value: object) -> bool:
    """Tell whether no part of `value` is unknown."""
    if isinstance(value, PLAIN):
        return True
    if isinstance(value, Mapping):
        return all(is_known(item) for item in value.values())
    if isinstance(value, list):
        return all(is_known(item) for item in value)
    return value is not UNKNOWN


def normalise(raw: Mapping[str, object]) -> dict[str, Any]:
    """Return `raw` without what is `None`, and with integral floats as ints; keys stay."""
    return {key: _normal(item) for key, item in raw.items() if item is not None}


def _normal(value: object) -> object:
    if isinstance(value, PLAIN):  # the engine sends 0 as 0.0
        return int(value) if isinstance(value, float) and value.is_integer() else value
    if isinstance(value, Mapping):
        return normalise(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_normal(item) for item in value]
    return value
