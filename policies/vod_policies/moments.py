"""
The times in a text or number, and whether one of them is the present time.

A time is a span: a date is a whole day, and a time without a time zone can be in any zone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final
from uuid import UUID

Span = tuple[datetime, datetime]

_DATE: Final = re.compile(
    r"(?<!\d)(20\d\d)([-/.]?)(\d\d)\2(\d\d)"
    r"(?:[T _-]*(\d\d):?(\d\d)(?::?(\d\d)(?:[.,]\d+)?)? ?(Z|[+-]\d\d(?::?\d\d)?)?)?(?!\d)"
)
"""ISO 8601, basic and extended, and similar: 2026-11-26T08:00:00Z, 20261126, 2026/11/26."""
_EPOCH: Final = re.compile(r"(?<!\d)\d{10}(?:\d{3}|\d{6}|\d{9})?(?!\d)")
"""Seconds since 1970, or milli-, micro- or nanoseconds."""
_UUID: Final = re.compile(
    r"(?<![0-9a-f])[0-9a-f]{8}-[0-9a-f]{4}-[17][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    re.IGNORECASE,
)
"""UUIDs of version 1 and 7, which contain the time."""
_ZONES: Final = timedelta(hours=14)
_YEARS: Final = range(2000, 2100)
_SINCE_1970: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SINCE_1582: Final = datetime(1582, 10, 15, tzinfo=UTC)


def has_present_time(value: str | float, now: datetime, within: timedelta) -> bool:
    """Return whether a value has a time at most `within` before or after `now`."""
    return any(first - within <= now <= last + within for first, last in _moments(str(value)))


def _moments(text: str) -> Iterator[Span]:
    for date in _DATE.finditer(text):
        yield from _date_spans(date)
    for digits in _EPOCH.findall(text):
        moment = _SINCE_1970 + timedelta(seconds=int(digits[:10]))
        yield moment, moment
    for found in _UUID.findall(text):
        uuid = UUID(found)
        time = (
            _SINCE_1582 + timedelta(microseconds=uuid.time // 10)
            if uuid.version == 1
            else _SINCE_1970 + timedelta(milliseconds=min(uuid.int >> 80, 2**47))
        )
        yield time, time
    try:  # the formats of HTTP, e-mail and ctime
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return
    if moment.year in _YEARS:
        yield _in_any_zone(moment)


def _date_spans(found: re.Match[str]) -> Iterator[Span]:
    year, _, month, day, hour, minute, second, zone = found.groups()
    time = f"T{hour}:{minute}:{second or '00'}{zone or ''}" if hour else ""
    try:
        moment = datetime.fromisoformat(f"{year}-{month}-{day}{time}")
    except ValueError:
        return
    first, last = _in_any_zone(moment)
    yield first, last if hour else last + timedelta(days=1)


def _in_any_zone(moment: datetime) -> Span:
    """Return the span of a moment; a moment without a time zone can be in any zone."""
    if moment.tzinfo is not None:
        return moment, moment
    in_utc = moment.replace(tzinfo=UTC)
    return in_utc - _ZONES, in_utc + _ZONES
