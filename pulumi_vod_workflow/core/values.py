"""Property values in one spelling: without `None`, integral floats as ints."""

# This module and `core.changes` import no pydantic: a preview of unchanged runs needs no models.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

Properties = Mapping[str, Any]
"""The inputs or outputs of a resource or item, by name."""


class Unknown:
    """A value that exists only after another resource has been created."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()
"""The only instance of `Unknown`; compare with `is`."""

PLAIN: Final = (str, int, float, type(None))
"""The types of values without parts."""


def as_mapping(value: object) -> Mapping[str, Any]:
    """Return `value` if it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def as_list(value: object) -> list[Any]:
    """Return `value` if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def as_text(value: object) -> str:
    """Return `value` if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def is_known(value: object) -> bool:
    """Return whether no part of `value` is unknown."""
    # Most values are plain, so their check is first.
    if isinstance(value, PLAIN):
        return True
    if isinstance(value, Mapping):
        return all(is_known(item) for item in value.values())
    if isinstance(value, list):
        return all(is_known(item) for item in value)
    return value is not UNKNOWN


def normalise(raw: Mapping[str, object]) -> dict[str, Any]:
    """Return `raw` without `None` values, and with integral floats as ints; keys stay."""
    return {key: _normal(item) for key, item in raw.items() if item is not None}


def _normal(value: object) -> object:
    # Numbers travel as protobuf doubles, so the engine sends 0 as 0.0.
    if isinstance(value, PLAIN):
        return int(value) if isinstance(value, float) and value.is_integer() else value
    if isinstance(value, Mapping):
        return normalise(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_normal(item) for item in value]
    return value
