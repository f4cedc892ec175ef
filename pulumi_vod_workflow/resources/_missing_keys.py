"""
Lists and maps of outputs, with errors that list the existing entries.

Pulumi evaluates `run.transcodes[0]` after the run has started. Python's error, "list index out of
range", names neither the resource nor the line. These errors have one line each: the SDK prints a
`RunError` without a traceback.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, SupportsIndex

import pulumi

from pulumi_vod_workflow.core.text import list_names

MAX_NAMES_SHOWN = 20  # names in one message


class MissingOutputError(pulumi.RunError, AttributeError, KeyError, IndexError):
    """
    An error for an entry that an output does not have.

    The class extends Python's errors for this case, so `hasattr` and `except` of a program work as
    with other objects.
    """

    def __str__(self) -> str:
        return str(self.args[0])


def describe_names(found: Iterable[object]) -> str:
    """Return the names that exist, for a message."""
    listed = [str(name) for name in found]
    return f"it has {list_names(listed, MAX_NAMES_SHOWN)}" if listed else "it is empty"


class ListWithHint(list[Any]):
    """
    A list of an output.

    Args:
        entries: its entries.
        subject: the resource and output, for the message about a missing entry.
        hint: the end of that message.

    """

    def __init__(self, entries: Iterable[Any], subject: str, hint: str) -> None:
        super().__init__(entries)
        self._subject, self._hint = subject, hint

    def __getitem__(self, index: Any) -> Any:
        try:
            return super().__getitem__(index)
        except IndexError:
            count = f"it has {len(self):,}" if self else "it is empty"
            raise MissingOutputError(
                f"{self._subject} has no entry {index}: {count}{self._hint}"
            ) from None

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        """Pickle a plain list, so that no user's pickle depends on this class."""
        return list, ([*self],)


class DictWithHint(dict[str, Any]):
    """A map of an output. The arguments are those of `ListWithHint`."""

    def __init__(self, entries: Mapping[str, Any], subject: str, hint: str) -> None:
        super().__init__(entries)
        self._subject, self._hint = subject, hint

    def __missing__(self, name: object) -> Any:
        found = describe_names(sorted(self))
        raise MissingOutputError(f"{self._subject} has no {name!r}: {found}{self._hint}")

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        """Pickle a plain dictionary, so that no user's pickle depends on this class."""
        return dict, ({**self},)


def with_hint(value: Any, subject: str, hint: str = "") -> Any:
    """Return a list or map of an output as one with a message for missing entries."""
    if isinstance(value, list):
        return ListWithHint(value, subject, hint)
    return DictWithHint(value, subject, hint) if isinstance(value, dict) else value


class OutputType:
    """Base of the output types: the error of a missing attribute lists the existing ones."""

    if not TYPE_CHECKING:  # type checkers know the attributes

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(name)
            kind = type(self)
            found = [key for key in dir(kind) if isinstance(getattr(kind, key), property)]
            raise MissingOutputError(f"{kind.__name__} has no {name!r}: {describe_names(found)}")

        def __getitem__(self, name: object) -> Any:
            kind = type(self).__name__
            raise MissingOutputError(f"{kind} has attributes, not keys: write .{name}")
