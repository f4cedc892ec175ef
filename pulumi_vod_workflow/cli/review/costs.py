"""The cost of a review by a price file, its limit, and their texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Final

from pulumi_vod_workflow.cli.review.model import FreeReason, PlannedRun, Review
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
from pulumi_vod_workflow.core.prices import Prices

DURATION_HINT: Final = (
    "hint: set `vod:preflight` and `vod:prices`, so that the preview has the duration of each Vid "
    "(free)\n"
    "hint: for other sources, add the column source_seconds to the manifest"
)


@dataclass(frozen=True)
class ReviewCosts:
    """The costs of a review, and their limit."""

    review: Review
    prices: Prices
    max_cost: Decimal | None = None
    """The limit in the currency of the prices; `None` without a limit."""
    allow_unpriced: bool = False
    """Whether parts without a price count as 0. Otherwise they exceed any limit."""

    @property
    def currency(self) -> str:
        """The currency of all amounts."""
        return self.prices.currency

    @cached_property
    def total(self) -> Estimate:
        """The cost of all starts."""
        return self.of(self.review.starts)

    def of(self, starts: Iterable[PlannedRun]) -> Estimate:
        """Return the cost of some starts."""
        return total_estimate(estimate(_priced_run(start), self.prices) for start in starts)

    @property
    def exceeded(self) -> bool:
        """Whether the update may cost more than the limit."""
        return self.max_cost is not None and self.total.exceeds(
            self.max_cost, allow_unpriced=self.allow_unpriced
        )


def _priced_run(start: PlannedRun) -> PricedRun:
    low_priority = start.low_priority or False
    return PricedRun(
        start.template if isinstance(start.template, str) else None,
        low_priority if isinstance(low_priority, bool) else None,
        start.duration,
        count=start.count,
        certain=start.certain,
    )


# -- texts -------------------------------------------------------------------------------------


def row_cost(starts: Iterable[PlannedRun], costs: ReviewCosts) -> tuple[str, list[str]]:
    """Return the cost of the starts of a row, and its parts without a price."""
    found = costs.of(starts)
    return estimate_text(found, costs.currency), _unpriced_lines(found)


def cost_lines(costs: ReviewCosts) -> Iterator[str]:
    """Yield the cost of the update, and its parts without a price."""
    free = {part.reason for part in costs.review.free}
    reused = "; reused and adopted runs cost 0" if free & _FREE_RUNS else ""
    yield f"estimate: {estimate_text(costs.total, costs.currency)}{reused}"
    yield from _unpriced_lines(costs.total)


_FREE_RUNS: Final = {FreeReason.REUSED, FreeReason.ADOPTED}


def _unpriced_lines(found: Estimate) -> list[str]:
    return [f"unpriced: {text}" for text in unpriced_texts(found)]


def cost_limit_text(costs: ReviewCosts) -> str:
    """Return the text for a higher cost than allowed."""
    found, cost = costs.total, estimate_text(costs.total, costs.currency)
    allowed = f"--max-cost {costs.max_cost:,f} {costs.currency} allows"
    if costs.max_cost is not None and found.low > costs.max_cost:
        if found.kind is EstimateKind.EXACT and format_amount(found.low) == format_amount(
            Fraction(costs.max_cost)
        ):
            cost = f"{exact_amount(found.low)} {costs.currency}"  # rounded, both look the same
        return f"{cost} would be spent, more than {allowed}"
    if found.unpriced and not costs.allow_unpriced:
        reasons = "; ".join(unpriced_texts(found))
        return f"the cost may be more than {allowed}: not all of it has a price ({reasons})"
    return f"{cost} may be spent, more than {allowed}"


def cost_hints(costs: ReviewCosts) -> Iterator[str]:
    """Yield the ways to give prices to parts without one."""
    unpriced = costs.total.unpriced
    if UnpricedReason.DURATION_UNKNOWN in unpriced:
        yield DURATION_HINT
    if unpriced and costs.max_cost is not None and not costs.allow_unpriced:
        yield "hint: with --allow-unpriced, parts without a price count as 0"
