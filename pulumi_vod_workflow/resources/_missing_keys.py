"""
Lists and maps that name what they hold when a program looks for something else.

Pulumi evaluates `run.transcodes[0]` after the run has started. Python's own error, "list index out
of range", names neither the resource nor the line. These errors are one line each: the SDK prints
a `RunError` without a traceback.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, SupportsIndex

import pulumi

from pulumi_vod_workflow.core.text import list_names

SHOWN = 20
"""Names in one message."""


class MissingError(pulumi.RunError, AttributeError, KeyError, IndexError):
    """
    An output has no such entry.

    It is also what Python raises there, so that `hasattr` and a program's `except` work as ever.
    """

    def __str__(self) -> str:
        return str(self.args[0])


def names(found: Iterable[object]) -> str:
    """Return the names that exist, for a message."""
    listed = [str(name) for name in found]
    return f"it has {list_names(listed, SHOWN)}" if listed else "it is empty"


class Entries(list[Any]):
    """A list of an output. `hint` says what to do about a missing entry."""

    def __init__(self, entries: Iterable[Any], what: str, hint: str) -> None:
        super().__init__(entries)
        self._what, self._hint = what, hint

    def __getitem__(self, index: Any) -> Any:
        try:
            return super().__getitem__(index)
        except IndexError:
            count = f"it has {len(self):,}" if self else "it is empty"
            raise MissingError(f"{self._what} has no entry {index}: {count}{self._hint}") from None

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        """Let nobody's pickle hold this class."""
        return list, ([*self],)


class Named(dict[str, Any]):
    """A map of an output. `hint` says what to do about a missing name."""

    def __init__(self, entries: Mapping[str, Any], what: str, hint: str) -> None:
        super().__init__(entries)
        self._what, self._hint = what, hint

    def __missing__(self, name: object) -> Any:
        raise MissingError(f"{self._what} has no {name!r}: {names(sorted(self))}{self._hint}")

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        """Let nobody's pickle hold this class."""
        return dict, ({**self},)


def explained(value: Any, what: str, hint: str = "") -> Any:
    """Return a list or map of an output as one that explains what is not in it."""
    if isinstance(value, list):
        return Entries(value, what, hint)
    return Named(value, what, hint) if isinstance(value, dict) else value


class Explained:
    """Base of the output types: a missing attribute is one line with the names that exist."""

    if not TYPE_CHECKING:  # type checkers know which attributes there are

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(name)
            kind = type(self)
            found = [key for key in dir(kind) if isinstance(getattr(kind, key), property)]
            raise MissingError(f"{kind.__name__} has no {name!r}: {names(found)}")

        def __getitem__(self, name: object) -> Any:
            raise MissingError(f"{type(self).__name__} has attributes, not keys: write .{name}")
