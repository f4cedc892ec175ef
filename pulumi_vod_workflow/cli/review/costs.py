"""The cost of a review by a price file, its limit, and their texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from pulumi_vod_workflow.cli.review.model import FreeReason, PlannedRun, Review
from pulumi_vod_workflow.core.estimates import (
    Estimate,
    PricedRun,
    PriceReason,
    estimate,
    estimate_text,
    total_estimate,
    unpriced_texts,
)
from pulumi_vod_workflow.core.prices import Prices

DURATION_HINT: Final = (
    "hint: set `vod:preflight` and `vod:prices`, so that the preview has the duration of each Vid "
    "(free)\n"
    "hint: for other sources, add the column source_seconds to the manifest"
)


@dataclass(frozen=True, slots=True)
class CostLimit:
    """The prices of a review, and the limit of its cost."""

    prices: Prices
    max_cost: Decimal | None = None
    """The limit in the currency of the prices; `None` without a limit."""
    allow_unpriced: bool = False
    """Whether parts without a price count as 0. Otherwise they exceed any limit."""

    @property
    def currency(self) -> str:
        """The currency of all amounts."""
        return self.prices.currency

    def estimate(self, starts: Iterable[PlannedRun]) -> Estimate:
        """Return the cost of starts."""
        return total_estimate(estimate(_priced_run(start), self.prices) for start in starts)

    def exceeded_by(self, review: Review) -> bool:
        """Return whether the review may cost more than the limit."""
        found = self.estimate(review.starts)
        return self.max_cost is not None and found.exceeds(
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


def cost_text(starts: Iterable[PlannedRun], limit: CostLimit) -> str:
    """Return the cost of starts for people."""
    return estimate_text(limit.estimate(starts), limit.currency)


def cost_notes(starts: Iterable[PlannedRun], limit: CostLimit) -> Iterator[str]:
    """Yield the parts of starts without a price."""
    yield from (f"unpriced: {text}" for text in unpriced_texts(limit.estimate(starts)))


def cost_lines(review: Review, limit: CostLimit) -> Iterator[str]:
    """Yield the cost of a review, and its parts without a price."""
    found = limit.estimate(review.starts)
    free = {FreeReason.REUSED, FreeReason.ADOPTED}.intersection(part.reason for part in review.free)
    reused = "; reused and adopted runs cost 0" if free else ""
    yield f"estimate: {estimate_text(found, limit.currency)}{reused}"
    yield from cost_notes(review.starts, limit)


def cost_limit_text(review: Review, limit: CostLimit) -> str:
    """Return the text for a higher cost than allowed."""
    found = limit.estimate(review.starts)
    allowed = f"--max-cost {limit.max_cost:,f} {limit.currency} allows"
    if limit.max_cost is not None and found.low > limit.max_cost:
        return f"{cost_text(review.starts, limit)} would be spent, more than {allowed}"
    if found.unpriced and not limit.allow_unpriced:
        reasons = "; ".join(unpriced_texts(found))
        return f"the cost may be more than {allowed}: not all of it has a price ({reasons})"
    return f"{cost_text(review.starts, limit)} may be spent, more than {allowed}"


def cost_hints(review: Review, limit: CostLimit) -> Iterator[str]:
    """Yield the ways to give prices to parts without one."""
    unpriced = limit.estimate(review.starts).unpriced
    if PriceReason.DURATION_UNKNOWN in unpriced:
        yield DURATION_HINT
    if unpriced and limit.max_cost is not None and not limit.allow_unpriced:
        yield "hint: with --allow-unpriced, parts without a price count as 0"
