"""Durations of sources: what a value means, and what a message with many of them keeps."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_vod_workflow.core.durations import (
    SourceDuration,
    average_duration,
    duration_groups,
    parse_seconds,
    source_duration,
    spread_durations,
)
from pulumi_vod_workflow.core.plan_message import (
    MAX_GROUPS,
    MAX_KEYS,
    DurationBasis,
    DurationGroup,
    Items,
)
from pulumi_vod_workflow.core.values import UNKNOWN

SERVICE, MANIFEST = DurationBasis.SERVICE, DurationBasis.MANIFEST


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (60, "60"),
        (0.1, "0.1"),  # not the binary float's 0.1000000000000000055...
        (1320.5, "1320.5"),
        ("90.25", "90.25"),
        (0, None),  # the service has not examined the file yet
        (0.0, None),
        (-1, None),
        (10**8, None),
        (True, None),
        ("1e-999999999", None),
        (5e-324, None),
        (float("nan"), None),
        (float("inf"), None),
        ("", None),
        ("1m", None),
        (None, None),
        ([60], None),
        (UNKNOWN, None),
    ],
)
def test_a_duration_is_seconds_above_0(value: object, seconds: str | None) -> None:
    assert parse_seconds(value) == (None if seconds is None else Decimal(seconds))


def item(template: object = "t", **more: Any) -> dict[str, Any]:
    return {"vid": "v", "templateId": template, **more}


def test_a_message_has_each_duration_of_few_items() -> None:
    starts = {"a": item(), "b": item("u"), "c": item(), "d": UNKNOWN}
    known = {
        "a": (Decimal("60.5"), SERVICE),
        "b": (Decimal(7), MANIFEST),
        "x": (Decimal(1), SERVICE),
    }
    groups = duration_groups(starts, known)
    assert groups == (
        DurationGroup(SERVICE, Items.of(["a"]), "60.5"),
        DurationGroup(MANIFEST, Items.of(["b"]), "7"),
    )
    assert spread_durations(groups, starts) == {
        "a": SourceDuration(Fraction("60.5"), SERVICE),
        "b": SourceDuration(Fraction(7), MANIFEST),
    }


def many(count: int = 3 * MAX_KEYS) -> dict[str, dict[str, Any]]:
    """Items of three workflows, of which one is idle in each tenth item."""
    return {
        f"k{number:05}": item(
            f"t{number % 3}", **({"enableLowPriority": True} if number % 10 == 0 else {})
        )
        for number in range(count)
    }


@given(st.lists(st.none() | st.integers(1, 10**9), min_size=MAX_KEYS + 1, max_size=2 * MAX_KEYS))
def test_a_message_has_the_sum_of_many_items_with_equal_prices(
    milliseconds: list[int | None],
) -> None:
    """The sum of each class is exact, and a class with an unknown duration is a minimum."""
    starts = many(len(milliseconds))
    known = {
        key: (Decimal(each) / 1000, SERVICE)
        for key, each in zip(starts, milliseconds, strict=True)
        if each is not None
    }
    groups = duration_groups(starts, known)
    found = spread_durations(groups, starts)
    for rate in {(each["templateId"], "enableLowPriority" in each) for each in starts.values()}:
        keys = [
            key
            for key, each in starts.items()
            if (each["templateId"], "enableLowPriority" in each) == rate
        ]
        has_all = all(key in known for key in keys)
        assert sum((found[key].seconds for key in keys if key in found), Fraction()) == sum(
            (Fraction(known[key][0]) for key in keys if key in known), Fraction()
        )
        each_is_known = all(key in found and not found[key].is_minimum for key in keys)
        assert each_is_known == has_all


def test_ten_thousand_durations_are_one_short_message() -> None:
    starts = {f"k{number:05}": item(f"t{number % 50}") for number in range(10_000)}
    known = {key: (Decimal("1320.125"), SERVICE) for key in starts}
    groups = duration_groups(starts, known)
    assert len(groups) == MAX_GROUPS  # of 50 workflows; the others have no duration
    found = spread_durations(groups, starts)
    assert len(found) == 10_000 * MAX_GROUPS // 50
    assert set(found.values()) == {SourceDuration(Fraction("1320.125"), SERVICE, is_average=True)}


def test_many_items_of_an_unknown_workflow_have_no_sum() -> None:
    starts = {f"k{number}": item(UNKNOWN) for number in range(MAX_KEYS + 1)}
    assert duration_groups(starts, {key: (Decimal(1), SERVICE) for key in starts}) == ()


def test_the_average_of_unnamed_starts() -> None:
    group = DurationGroup(SERVICE, Items(3, ("a",)), "90")
    assert average_duration([group], 3) == SourceDuration(Fraction(30), SERVICE, is_average=True)
    least = SourceDuration(Fraction(10), SERVICE, is_average=True, is_minimum=True)
    assert average_duration([group], 9) == least
    assert average_duration([group], 2) is None
    assert average_duration([], 2) is None


def test_the_duration_of_a_run() -> None:
    assert source_duration([]) is None
    found = source_duration([DurationGroup(SERVICE, Items(1), "60.25")])
    assert found == SourceDuration(Fraction("60.25"), SERVICE)
