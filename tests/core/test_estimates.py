"""Estimates: exact where each part has a price, else the least, with the reasons."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_vod_workflow.core.durations import SourceDuration
from pulumi_vod_workflow.core.estimates import (
    Estimate,
    EstimateKind,
    PricedRun,
    UnpricedReason,
    estimate,
    estimate_text,
    exact_amount,
    format_amount,
    total_estimate,
    unpriced_texts,
)
from pulumi_vod_workflow.core.plan_message import DurationBasis
from pulumi_vod_workflow.core.prices import Prices, parse_prices

BUILT_IN = "06853553c4d3402698a17ff5dff87fd7"
PRICES = parse_prices(
    f"""
    currency = "CNY"
    [workflows.minutes]
    per_minute = 0.03
    low_priority_discount = 0.25
    [workflows.outputs]
    per_output = 0.2
    [workflows.counted]
    per_output = 0.2
    outputs = 4
    [workflows.{BUILT_IN}]
    per_output = 0.2
    [workflows.all]
    per_minute = 0.06
    per_output = 0.2
    per_run = 1
    outputs = 2
    low_priority_discount = 1
    [workflows.free]
    per_minute = 0
    per_output = 0
    """
)


def lasting(seconds: str, **more: bool) -> SourceDuration:
    return SourceDuration(Fraction(seconds), DurationBasis.SERVICE, **more)


def cost(template: str | None, **facts: Any) -> tuple[str, str | None, list[str]]:
    """Return the least and greatest cost, and the reasons of what has no price."""
    found = estimate(PricedRun(template, **facts), PRICES)
    high = found.at_most
    reasons = [reason.value for reason in found.unpriced]
    return exact_amount(found.low), None if high is None else exact_amount(high), reasons


@pytest.mark.parametrize(
    ("template", "facts", "expected"),
    [
        ("minutes", {"duration": lasting("90.5")}, ("0.04525", "0.04525", [])),
        ("minutes", {}, ("0", None, ["durationUnknown"])),
        # of an average that counts unknown durations as 0
        ("minutes", {"duration": lasting("60", is_average=True)}, ("0.03", "0.03", [])),
        ("minutes", {"duration": lasting("60", is_average=True, is_minimum=True)},
         ("0.03", None, ["durationUnknown"])),
        # the discount
        ("minutes", {"duration": lasting("60"), "low_priority": True}, ("0.0225", "0.0225", [])),
        ("minutes", {"duration": lasting("60"), "low_priority": None}, ("0.0225", "0.03", [])),
        ("all", {"duration": lasting("60"), "low_priority": True}, ("0", "0", [])),
        # outputs: those of the run, of the file, of the built-in workflow
        ("outputs", {}, ("0", None, ["outputsUnknown"])),
        ("outputs", {"outputs": 0}, ("0", "0", [])),
        ("counted", {}, ("0.8", "0.8", [])),
        ("counted", {"outputs": 1}, ("0.2", "0.2", [])),
        (BUILT_IN, {}, ("1.2", "1.2", [])),
        # all parts
        ("all", {"duration": lasting("60")}, ("1.46", "1.46", [])),
        ("all", {}, ("1.4", None, ["durationUnknown"])),
        ("free", {}, ("0", "0", [])),
        # no price
        ("another", {"duration": lasting("60")}, ("0", None, ["noPrice"])),
        (None, {"duration": lasting("60")}, ("0", None, ["workflowUnknown"])),
        # several runs, and runs that may not start
        ("counted", {"count": 3}, ("2.4", "2.4", [])),
        ("counted", {"count": 3, "certain": False}, ("0", "2.4", [])),
        ("counted", {"count": 0}, ("0", "0", [])),
        ("another", {"count": 0}, ("0", "0", [])),
        ("counted", {"count": None}, ("0", None, ["countUnknown"])),
        ("minutes", {"count": None}, ("0", None, ["durationUnknown", "countUnknown"])),
    ],
)  # fmt: skip
def test_the_cost_of_runs(
    template: str | None, facts: dict[str, Any], expected: tuple[str, str | None, list[str]]
) -> None:
    assert cost(template, **facts) == expected


def test_a_total_has_the_number_of_runs_without_a_price() -> None:
    runs = [
        PricedRun("counted", certain=False),
        PricedRun("counted", count=2),
        PricedRun("another", count=5),
        PricedRun("another"),
        PricedRun("counted", count=None),
    ]
    found = total_estimate(estimate(run, PRICES) for run in runs)
    assert (found.low, found.high, found.at_most) == (Fraction("1.6"), Fraction("2.4"), None)
    assert found.unpriced == {UnpricedReason.NO_PRICE: 6, UnpricedReason.COUNT_UNKNOWN: 1}
    assert unpriced_texts(found) == [
        "6 runs: the price file has no price for the workflow",
        "the number of runs is not known yet",
    ]
    assert total_estimate([]) == Estimate()
    assert found + Estimate() == found


@given(st.lists(st.tuples(st.decimals(0, 100, places=4), st.integers(1, 10**7)), max_size=50))
def test_no_sum_is_rounded(parts: list[tuple[Decimal, int]]) -> None:
    """Sixtieths have no finite decimal form, so a sum of rounded parts would be another one."""
    total, exact = Estimate(), Fraction()
    for price, seconds in parts:
        prices = parse_prices(f'currency = "CNY"\ndefault.per_minute = {price:f}')
        total += estimate(PricedRun("t", duration=lasting(str(seconds))), prices)
        exact += Fraction(price) * seconds / 60
    assert total.low == total.high == exact


@pytest.mark.parametrize(
    ("found", "kind", "text"),
    [
        (Estimate(), EstimateKind.EXACT, "0 CNY"),
        (Estimate(Fraction(1, 3), Fraction(1, 3)), EstimateKind.EXACT, "0.33 CNY"),
        (Estimate(Fraction(1), Fraction("2.001")), EstimateKind.RANGE, "1.00 to 2.01 CNY"),
        (Estimate(Fraction(0), Fraction(2)), EstimateKind.RANGE, "up to 2.00 CNY"),
        (
            Estimate(Fraction("1.239"), Fraction(2), {UnpricedReason.NO_PRICE: 1}),
            EstimateKind.AT_LEAST,
            "at least 1.23 CNY",
        ),
        (
            Estimate(Fraction(0), Fraction(2), {UnpricedReason.NO_PRICE: 1}),
            EstimateKind.UNKNOWN,
            "not known",
        ),
    ],
)
def test_the_kinds_of_an_estimate(found: Estimate, kind: EstimateKind, text: str) -> None:
    """A bound is rounded outwards."""
    assert (found.kind, estimate_text(found, "CNY")) == (kind, text)


@pytest.mark.parametrize(
    ("amount", "shown", "exact"),
    [
        ("0", "0", "0"),
        ("1", "1.00", "1"),
        ("1234567.891", "1,234,567.89", "1234567.891"),
        ("12.305", "12.30", "12.305"),  # half to even
        ("0.01", "0.01", "0.01"),
        ("0.0049", "0.0049", "0.0049"),
        ("0.00001234", "0.000012", "0.00001234"),
        ("2/3", "0.67", "0.666666666667"),
    ],
)
def test_an_amount_is_rounded_only_when_it_is_shown(amount: str, shown: str, exact: str) -> None:
    """A small price is never shown as 0."""
    assert (format_amount(Fraction(amount)), exact_amount(Fraction(amount))) == (shown, exact)


@pytest.mark.parametrize(
    ("found", "max_cost", "exceeds", "exceeds_if_allowed"),
    [
        (Estimate(), "0", False, False),
        (Estimate(Fraction(2), Fraction(2)), "2", False, False),
        (Estimate(Fraction(2), Fraction(2)), "1.99", True, True),
        (Estimate(Fraction(0), Fraction(2)), "1.99", True, True),  # the greatest amount counts
        (Estimate(unpriced={UnpricedReason.NO_PRICE: 1}), "1000000", True, False),
        (Estimate(Fraction(2), Fraction(2), {UnpricedReason.NO_PRICE: 1}), "1", True, True),
    ],
)
def test_a_limit_fails_closed(
    found: Estimate, max_cost: str, exceeds: bool, exceeds_if_allowed: bool
) -> None:
    limit = Decimal(max_cost)
    assert found.exceeds(limit, allow_unpriced=False) is exceeds
    assert found.exceeds(limit, allow_unpriced=True) is exceeds_if_allowed


def test_three_times_twenty_seconds_are_a_minute() -> None:
    """Not a minute less a hair, as with rounded thirds."""
    prices = Prices.model_validate({"currency": "CNY", "default": {"per_minute": Decimal(1)}})
    found = estimate(PricedRun("t", duration=lasting("20"), count=3), prices)
    assert not found.exceeds(Decimal(1), allow_unpriced=False)
