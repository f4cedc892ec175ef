"""Times, ages and lengths of text, as the commands show them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from pulumi_vod_workflow.core.progress import format_duration

MAX_VALUE_CHARS: Final = 80
"""Length of a shown value, in characters."""


def shorten(text: str, longest: int = MAX_VALUE_CHARS) -> str:
    """Return a text, cut to a length in characters."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def format_moment(value: Any) -> datetime | None:
    """Return a recorded time in UTC, or None if the value is no time."""
    try:
        found = datetime.fromisoformat(str(value))
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None


def format_clock_time(value: datetime) -> str:
    """Return a time in UTC, to the second."""
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def format_age(seconds: float | None) -> str:
    """Return an age: a duration below two days, otherwise a count of days."""
    if seconds is None:
        return "-"
    if seconds < 48 * 3600:
        return format_duration(max(0.0, seconds))
    return f"{seconds // 86400:.0f} days"
