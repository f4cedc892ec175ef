"""
Which moments a text or number may tell, and whether one of them is now.

A moment is a span: a date is a whole day, and what names no time zone may be in any.
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
"""ISO 8601, basic and extended, and what is like it: 2026-11-26T08:00:00Z, 20261126, 2026/11/26."""
_EPOCH: Final = re.compile(r"(?<!\d)\d{10}(?:\d{3}|\d{6}|\d{9})?(?!\d)")
"""Seconds since 1970, or milli-, micro- or nanoseconds."""
_UUID: Final = re.compile(
    r"(?<![0-9a-f])[0-9a-f]{8}-[0-9a-f]{4}-[17][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}",
    re.IGNORECASE,
)
"""Those of version 1 and 7, which are made of the time."""
_ZONES: Final = timedelta(hours=14)
_YEARS: Final = range(2000, 2100)
_SINCE_1970: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SINCE_1582: Final = datetime(1582, 10, 15, tzinfo=UTC)


def tells_now(value: str | float, now: datetime, within: timedelta) -> bool:
    """Tell whether a value names a moment that is no further than `within` from `now`."""
    return any(first - within <= now <= last + within for first, last in _moments(str(value)))


def _moments(text: str) -> Iterator[Span]:
    for date in _DATE.finditer(text):
        yield from _of_date(date)
    for digits in _EPOCH.findall(text):
        moment = _SINCE_1970 + timedelta(seconds=int(digits[:10]))
        yield moment, moment
    for found in _UUID.findall(text):
        uuid = UUID(found)
        made = (
            _SINCE_1582 + timedelta(microseconds=uuid.time // 10)
            if uuid.version == 1
            else _SINCE_1970 + timedelta(milliseconds=min(uuid.int >> 80, 2**47))
        )
        yield made, made
    try:  # as HTTP, e-mail and ctime write it
        told = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return
    if told.year in _YEARS:
        yield _anywhere(told)


def _of_date(found: re.Match[str]) -> Iterator[Span]:
    year, _, month, day, hour, minute, second, zone = found.groups()
    time = f"T{hour}:{minute}:{second or '00'}{zone or ''}" if hour else ""
    try:
        moment = datetime.fromisoformat(f"{year}-{month}-{day}{time}")
    except ValueError:
        return
    first, last = _anywhere(moment)
    yield first, last if hour else last + timedelta(days=1)


def _anywhere(moment: datetime) -> Span:
    """Return when it is, wherever on earth that may be told."""
    if moment.tzinfo is not None:
        return moment, moment
    told = moment.replace(tzinfo=UTC)
    return told - _ZONES, told + _ZONES
