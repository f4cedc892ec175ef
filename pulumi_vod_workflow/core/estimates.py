"""
Estimates: the cost of runs by the user's prices, with the parts that have no price.

An estimate assumes that each run succeeds with all its outputs. Amounts are exact fractions of
decimal prices; only `format_amount` rounds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal, localcontext
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from pulumi_vod_workflow.core.request import SYSTEM_TEMPLATES
from pulumi_vod_workflow.core.text import pluralise

if TYPE_CHECKING:
    from pulumi_vod_workflow.core.durations import SourceDuration
    from pulumi_vod_workflow.core.prices import Prices

SECONDS_PER_MINUTE: Final = 60


class UnpricedReason(Enum):
    """The reason why a part of an estimate has no price. The values are part of JSON outputs."""

    NO_PRICE = "noPrice"
    """The file has no prices for the workflow."""
    WORKFLOW_UNKNOWN = "workflowUnknown"
    """The workflow is secret, or not known before `up`."""
    DURATION_UNKNOWN = "durationUnknown"
    """The price is per minute, and the duration of the source is not known."""
    OUTPUTS_UNKNOWN = "outputsUnknown"
    """The price is per output, and the number of outputs is not known."""
    COUNT_UNKNOWN = "countUnknown"
    """The number of runs is not known before `up`."""


class EstimateKind(Enum):
    """The kind of an estimate. The values are part of JSON outputs."""

    EXACT = "exact"
    """Each part has a price, and each run starts in any case."""
    RANGE = "range"
    """Each part has a price; some runs may not start, or may have a discount."""
    AT_LEAST = "atLeast"
    """Some parts have no price, so the amount is the least."""
    UNKNOWN = "unknown"
    """Some parts have no price, and no other part costs anything for certain."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The cost of some runs. The default is that of no run: 0."""

    low: Fraction = Fraction(0)
    """The least amount, in units of the currency."""
    high: Fraction = Fraction(0)
    """The greatest amount of the parts with a price."""
    unpriced: Mapping[UnpricedReason, int] = field(default_factory=dict)
    """Reason -> the number of runs with a part that has no price; an unknown number counts as 1."""

    @property
    def kind(self) -> EstimateKind:
        """The kind of the estimate."""
        if self.unpriced:
            return EstimateKind.AT_LEAST if self.low else EstimateKind.UNKNOWN
        return EstimateKind.EXACT if self.low == self.high else EstimateKind.RANGE

    @property
    def at_most(self) -> Fraction | None:
        """The greatest amount; `None` while a part has no price."""
        return None if self.unpriced else self.high

    def __add__(self, other: Estimate) -> Estimate:
        """Return the estimate of both."""
        return total_estimate((self, other))

    def exceeds(self, max_cost: Decimal, *, allow_unpriced: bool) -> bool:
        """
        Return whether the cost may be more than a limit.

        Args:
            max_cost: the limit, in units of the currency.
            allow_unpriced: whether parts without a price count as 0. Otherwise they exceed any
                limit.

        """
        if self.unpriced and not allow_unpriced:
            return True
        return self.high > Fraction(max_cost)


def total_estimate(estimates: Iterable[Estimate]) -> Estimate:
    """Return the estimate of all runs; their prices must be of one file."""
    low, high, unpriced = Fraction(0), Fraction(0), Counter[UnpricedReason]()
    for each in estimates:
        low, high = low + each.low, high + each.high
        unpriced.update(each.unpriced)
    return Estimate(
        low, high, {reason: unpriced[reason] for reason in UnpricedReason if unpriced[reason]}
    )


@dataclass(frozen=True, slots=True)
class PricedRun:
    """The facts about a run, or about equal runs, that decide its cost."""

    template: str | None
    """The workflow; `None` if it is secret, or not known yet."""
    low_priority: bool | None = False
    """Whether `enableLowPriority` is set; `None` if that is secret, or not known yet."""
    duration: SourceDuration | None = None
    """The duration of the source; `None` if it is not known."""
    outputs: int | None = None
    """The number of outputs, where it is known; else that of the file or the built-in workflow."""
    count: int | None = 1
    """The number of runs; `None` if it is not known yet."""
    certain: bool = True
    """Whether the runs start in any case."""


def estimate(run: PricedRun, prices: Prices) -> Estimate:
    """Return the cost of a run, or of equal runs."""
    each = _estimate_one(run, prices)
    if run.count is None:
        return Estimate(unpriced={**each.unpriced, UnpricedReason.COUNT_UNKNOWN: 1})
    return Estimate(
        each.low * run.count if run.certain else Fraction(0),
        each.high * run.count,
        dict.fromkeys(each.unpriced, run.count) if run.count else {},
    )


def _estimate_one(run: PricedRun, prices: Prices) -> Estimate:
    if run.template is None:
        return Estimate(unpriced={UnpricedReason.WORKFLOW_UNKNOWN: 1})
    rate = prices.rate(run.template)
    if rate is None:
        return Estimate(unpriced={UnpricedReason.NO_PRICE: 1})
    amount = Fraction(rate.per_run or 0)
    unpriced: dict[UnpricedReason, int] = {}
    if rate.per_output:
        outputs = run.outputs
        if outputs is None:
            outputs = SYSTEM_TEMPLATES.get(run.template) if rate.outputs is None else rate.outputs
        if outputs is None:
            unpriced[UnpricedReason.OUTPUTS_UNKNOWN] = 1
        amount += Fraction(rate.per_output) * (outputs or 0)
    if rate.per_minute:
        if run.duration is not None:
            amount += Fraction(rate.per_minute) * run.duration.seconds / SECONDS_PER_MINUTE
        if run.duration is None or run.duration.is_minimum:
            unpriced[UnpricedReason.DURATION_UNKNOWN] = 1
    reduced = amount * (1 - Fraction(rate.low_priority_discount))
    low = amount if run.low_priority is False else reduced
    high = reduced if run.low_priority else amount
    return Estimate(low, high, unpriced)


# -- text --------------------------------------------------------------------------------------

DECIMALS: Final = 2
"""The digits of a shown amount after its point; a smaller amount has two significant digits."""
EXACT_DECIMALS: Final = 12
"""The most digits after the point of an amount in JSON."""
REASON_TEXTS: Final[Mapping[UnpricedReason, str]] = {
    UnpricedReason.NO_PRICE: "the price file has no price for the workflow",
    UnpricedReason.WORKFLOW_UNKNOWN: "the workflow is not known yet, or secret",
    UnpricedReason.DURATION_UNKNOWN: "the duration of the source is not known",
    UnpricedReason.OUTPUTS_UNKNOWN: "the number of outputs is not known",
    UnpricedReason.COUNT_UNKNOWN: "the number of runs is not known yet",
}


def estimate_text(found: Estimate, currency: str) -> str:
    """Return an estimate for people: `12.30 CNY`, `0 to 12.30 CNY`, `at least 4.10 CNY`."""
    kind = found.kind
    if kind is EstimateKind.EXACT:
        return f"{format_amount(found.low)} {currency}"
    if kind is EstimateKind.UNKNOWN:
        return "not known"
    low = format_amount(found.low, ROUND_FLOOR)
    if kind is EstimateKind.AT_LEAST:
        return f"at least {low} {currency}"
    high = format_amount(found.high, ROUND_CEILING)
    return f"{low} to {high} {currency}" if found.low else f"up to {high} {currency}"


def unpriced_texts(found: Estimate) -> list[str]:
    """Return the reasons of parts without a price, each with its number of runs."""
    return [
        REASON_TEXTS[reason]
        if reason is UnpricedReason.COUNT_UNKNOWN
        else f"{pluralise(count, 'run')}: {REASON_TEXTS[reason]}"
        for reason, count in found.unpriced.items()
    ]


def estimate_data(found: Estimate) -> dict[str, Any]:
    """Return an estimate for JSON: kind, least and greatest amount, and parts without a price."""
    return {
        "kind": found.kind.value,
        "low": exact_amount(found.low),
        "high": None if found.at_most is None else exact_amount(found.at_most),
        "unpriced": [
            {"reason": reason.value, "runs": count} for reason, count in found.unpriced.items()
        ],
    }


def format_amount(amount: Fraction, rounding: str = ROUND_HALF_EVEN) -> str:
    """Return an amount with thousands separators; a positive amount is never shown as 0."""
    if not amount:
        return "0"
    with localcontext(Context(prec=60)):
        exact = Decimal(amount.numerator) / amount.denominator
        places = max(DECIMALS, 1 - exact.adjusted()) if exact < Decimal("0.01") else DECIMALS
        return f"{exact.quantize(Decimal(1).scaleb(-places), rounding):,f}"


def exact_amount(amount: Fraction) -> str:
    """Return an amount for programs: exact, up to `EXACT_DECIMALS` digits after the point."""
    with localcontext(Context(prec=60)):
        exact = Decimal(amount.numerator) / amount.denominator
        rounded = exact.quantize(Decimal(1).scaleb(-EXACT_DECIMALS)).normalize()
    return f"{rounded:f}"
