"""
Durations of sources, as a plan message has them.

A message has the duration of each of the first `MAX_KEYS` starting items. For more items it has
sums, each over items with one workflow and priority class: equal prices are enough for a total.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any, Final

from pulumi_vod_workflow.core.plan_message import (
    MAX_GROUPS,
    MAX_KEYS,
    DurationBasis,
    DurationGroup,
    Items,
)
from pulumi_vod_workflow.core.values import is_known

MAX_SOURCE_SECONDS: Final = 10**7
"""The longest duration, in seconds: a longer one is a mistake."""
MAX_SECONDS_DECIMALS: Final = 20
"""The most digits after the point of seconds in a plan message; a reader refuses more."""


@dataclass(frozen=True, slots=True)
class SourceDuration:
    """The duration of the source of a start."""

    seconds: Fraction
    """The duration in seconds, above 0."""
    basis: DurationBasis
    """Its origin."""
    is_average: bool = False
    """Whether it is the average of several items, of which only the sum is known."""
    is_minimum: bool = False
    """Whether the average counts other items of unknown duration as 0."""


def parse_seconds(value: object) -> Decimal | None:
    """Return a duration in seconds; `None` unless the value is a plausible one."""
    if not isinstance(value, (int, float, str)) or isinstance(value, bool):
        return None
    try:
        seconds = Decimal(str(value))  # of a float its shortest decimal form
    except InvalidOperation:
        return None
    # A source of 0 seconds is one that the service has not examined yet.
    if not (seconds.is_finite() and 0 < seconds <= MAX_SOURCE_SECONDS):
        return None
    exponent = seconds.as_tuple().exponent
    return seconds if isinstance(exponent, int) and -exponent <= MAX_SECONDS_DECIMALS else None


Durations = Mapping[str, tuple[Decimal, DurationBasis]]
"""Key of an item -> the duration of its source, and its origin."""


def duration_groups(starts: Mapping[str, Any], durations: Durations) -> tuple[DurationGroup, ...]:
    """
    Return the durations of the starting items of a batch for a message.

    Args:
        starts: key -> the declared inputs of a starting item.
        durations: the known durations.

    """
    known = {key: durations[key] for key in starts if key in durations}
    if len(starts) <= MAX_KEYS:
        return tuple(
            DurationGroup(basis, Items.of([key]), f"{seconds:f}")
            for key, (seconds, basis) in known.items()
        )
    groups: defaultdict[tuple[object, ...], list[str]] = defaultdict(list)
    for key, (_, basis) in known.items():
        rate = _rate_class(starts[key])
        if is_known(list(rate)):
            groups[*rate, basis].append(key)
    largest = sorted(groups.items(), key=lambda group: -len(group[1]))[:MAX_GROUPS]
    return tuple(
        DurationGroup(basis, Items.of(keys), f"{sum(known[key][0] for key in keys):f}")
        for (*_, basis), keys in largest
        if isinstance(basis, DurationBasis)
    )


def source_duration(groups: Iterable[DurationGroup]) -> SourceDuration | None:
    """Return the duration of a run's source from its message; `None` if it is not known."""
    for group in groups:
        return SourceDuration(Fraction(group.seconds), group.basis)
    return None


def average_duration(groups: Iterable[DurationGroup], count: int) -> SourceDuration | None:
    """Return the average of so many starts that a preview does not name; `None` if unknown."""
    parts = [*groups]
    known = sum(part.items.count for part in parts)
    if not 0 < known <= count:
        return None
    return SourceDuration(
        sum((Fraction(part.seconds) for part in parts), Fraction()) / count,
        parts[0].basis,
        is_average=True,
        is_minimum=known < count,
    )


def spread_durations(
    groups: Iterable[DurationGroup], starts: Mapping[str, Any]
) -> dict[str, SourceDuration]:
    """
    Return the duration of each starting item from a message.

    Args:
        groups: the groups of the message.
        starts: key -> the declared inputs of a starting item.

    """
    members: defaultdict[tuple[object, ...], list[str]] = defaultdict(list)
    for key, item in starts.items():
        members[_rate_class(item)].append(key)
    found: dict[str, SourceDuration] = {}
    sums: defaultdict[tuple[object, ...], list[DurationGroup]] = defaultdict(list)
    for group in groups:
        [first, *_] = group.items.keys
        if group.items.count > 1:
            sums[_rate_class(starts[first])].append(group)
        else:
            found[first] = SourceDuration(Fraction(group.seconds), group.basis)
    for rate, parts in sums.items():
        others = [key for key in members[rate] if key not in found]
        each = average_duration(parts, len(others))
        found |= dict.fromkeys(others, each) if each else {}
    return found


def _rate_class(item: Any) -> tuple[object, object]:
    """Return the inputs of an item that decide its prices."""
    if not isinstance(item, Mapping):
        return (None, None)
    return item.get("templateId"), item.get("enableLowPriority") or False
