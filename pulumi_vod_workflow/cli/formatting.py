"""How the commands spell what they show, and what their end is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import typer

from pulumi_vod_workflow.core.progress import format_duration
from pulumi_vod_workflow.core.secrets import Secret
from pulumi_vod_workflow.errors import VodWorkflowError

EXIT_UNUSABLE: Final = 2
"""Exit code when the command cannot do its work, as of a mistyped option."""
EXIT_CANCELLED: Final = 130
"""Exit code after Ctrl-C."""


@contextmanager
def exit_on_error() -> Iterator[None]:
    """End the command with a message instead of a traceback."""
    try:
        yield
    except VodWorkflowError as error:
        typer.echo(f"error: {escape_controls(error)}", err=True)
        raise typer.Exit(EXIT_UNUSABLE) from None


@contextmanager
def as_unreadable_file(kind: type[VodWorkflowError]) -> Iterator[None]:
    """
    Read what only our own provider writes.

    Raises:
        VodWorkflowError: of that kind, when it is not as our provider writes it.

    """
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        raise kind(
            "Resources of this package are in it in a form that this version does not know: was it "
            "edited, or made by another version? Use the version that the program uses."
        ) from None


def escape_controls(value: Any) -> str:
    """Return a text that moves no cursor, hides nothing, and tells no secret."""
    if isinstance(value, Secret):
        return "[secret]"
    text = str(value)
    if text.isprintable():  # as nearly all are
        return text
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode()
        for char in text.encode(errors="backslashreplace").decode()
    )


def escape_line(value: Any) -> str:
    """Return the same on one line."""
    return escape_controls(value).replace("\n", "\\n")


def format_moment(value: Any) -> datetime | None:
    """Return a recorded time, if it is one, in UTC."""
    try:
        found = datetime.fromisoformat(str(value))
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None


def format_clock_time(value: datetime) -> str:
    """Return a time for a person, to the second."""
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def format_age(seconds: float | None) -> str:
    """Return an age for a person."""
    if seconds is None:
        return "-"
    if seconds < 48 * 3600:
        return format_duration(max(0.0, seconds))
    return f"{seconds // 86400:.0f} days"
