"""The costs of recorded runs: as a review has estimated them, and as their results give them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from pulumi_vod_workflow.cli.runs.model import (
    ListedRun,
    has_secret_output_files,
    item_name,
    output_files,
)
from pulumi_vod_workflow.core.durations import SourceDuration, parse_seconds
from pulumi_vod_workflow.core.estimates import (
    Estimate,
    PricedRun,
    UnpricedReason,
    estimate,
    estimate_data,
    estimate_text,
    total_estimate,
    unpriced_texts,
)
from pulumi_vod_workflow.core.plan_message import DurationBasis
from pulumi_vod_workflow.core.prices import Prices
from pulumi_vod_workflow.core.text import pluralise
from pulumi_vod_workflow.errors import ConfigurationError

if TYPE_CHECKING:
    from pulumi_vod_workflow.cli.review.document import EstimateDocument

REVIEW_HINT: Final = (
    "hint: give the output of `vod-workflow review --format json --prices FILE` before the update"
)


@dataclass(frozen=True, slots=True)
class RunCosts:
    """The costs of runs by a price file."""

    prices: Prices
    reviewed: Mapping[str, tuple[Estimate, str | None]] = field(default_factory=dict)
    """Name of a run -> its estimate in the review, and the id of the run that it replaces."""

    def estimate(self, run: ListedRun) -> Estimate:
        """Return the estimate before the start: of the review, else of what the state has."""
        for name in run.names:
            found, replaced = self.reviewed.get(name, (None, None))
            if found is not None and replaced != run.run_id:
                return found
        return Estimate() if run.phase == "rejected" else estimate(_declared(run), self.prices)

    def cost(self, run: ListedRun) -> Estimate | None:
        """Return the cost by the results of a run; `None` while it has not ended."""
        if run.phase == "rejected":  # the service has started no run
            return Estimate()
        if not run.is_terminal or not run.run_id:
            return None
        return estimate(_ended(run), self.prices)


def _declared(run: ListedRun) -> PricedRun:
    template, low_priority = (run.outputs.get(name) for name in ("templateId", "enableLowPriority"))
    is_known = isinstance(low_priority, bool) or not (low_priority or run.has_secret_inputs)
    return PricedRun(
        template if isinstance(template, str) else None,
        bool(low_priority) if is_known else None,
        # A lost start may exist.
        certain=run.phase != "unclear",
    )


def _ended(run: ListedRun) -> PricedRun:
    declared = _declared(run)
    has_results = isinstance(run.outputs.get("transcodes"), list)
    if run.phase == "expired" or not has_results or has_secret_output_files(run):
        return PricedRun(declared.template, declared.low_priority, certain=run.phase == "succeeded")
    lists = (run.outputs.get(name) for name in ("transcodes", "snapshots"))
    return PricedRun(
        declared.template,
        declared.low_priority,
        _longest_output(run),
        outputs=sum(len(items) for items in lists if isinstance(items, list)),
        # No document has the price of a run that failed.
        certain=run.phase == "succeeded",
    )


def _longest_output(run: ListedRun) -> SourceDuration | None:
    """Return the duration of the longest output: that of the source, unless all are clips."""
    seconds = [parse_seconds(file.seconds) for file in output_files(run)]
    longest = max((each for each in seconds if each is not None), default=None)
    if longest is None:
        return None
    clipped = _has_key(run.outputs.get("input"), "clip")
    return SourceDuration(Fraction(longest), DurationBasis.SERVICE, is_minimum=clipped)


def _has_key(value: Any, name: str) -> bool:
    if isinstance(value, Mapping):
        return name in value or any(_has_key(item, name) for item in value.values())
    return isinstance(value, list) and any(_has_key(item, name) for item in value)


# -- the review --------------------------------------------------------------------------------


def read_review(path: Path, prices: Prices) -> RunCosts:
    """
    Return the costs with the estimates of a review in JSON.

    Raises:
        ConfigurationError: when the file has no such review, or one in another currency.

    """
    # The models of the document take a sixth of each command's processor time.
    from pulumi_vod_workflow.cli.review.document import ReviewDocument  # noqa: PLC0415

    try:
        review = ReviewDocument.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror}\n{REVIEW_HINT}"
        ) from None
    except ValidationError:  # its text would quote values
        raise ConfigurationError(f"{path} is no review in JSON\n{REVIEW_HINT}") from None
    if review.cost is None:
        raise ConfigurationError(f"the review {path} has no prices\n{REVIEW_HINT}")
    if review.cost.currency != prices.currency:
        raise ConfigurationError(
            f"the review {path} is in {review.cost.currency}, the price file in {prices.currency}"
            "\nhint: use the price file of the review"
        )
    names = [
        run.resource if run.item is None else item_name(run.resource, run.item)
        for run in review.runs
    ]
    unique = {name for name, count in Counter(names).items() if count == 1}
    try:
        reviewed = {
            name: (_parse_estimate(run.estimate), run.replaces)
            for name, run in zip(names, review.runs, strict=True)
            if name in unique and run.estimate is not None and run.count == 1
        }
    except ValueError:  # an amount, or a reason of a newer version
        raise ConfigurationError(f"{path} is no review in JSON\n{REVIEW_HINT}") from None
    return RunCosts(prices, reviewed)


def _parse_estimate(document: EstimateDocument) -> Estimate:
    low = _amount(document.low)
    return Estimate(
        low,
        low if document.high is None else _amount(document.high),
        {UnpricedReason(part.reason): part.runs for part in document.unpriced},
    )


def _amount(text: str) -> Fraction:
    """
    Return an amount of a review.

    Raises:
        ValueError: when the text is none.

    """
    if not _AMOUNT.fullmatch(text):
        raise ValueError(text)
    return Fraction(text)


_AMOUNT: Final = re.compile(r"[0-9]{1,30}(\.[0-9]{1,20})?")


# -- output ------------------------------------------------------------------------------------


def cost_cells(run: ListedRun, costs: RunCosts) -> tuple[str, str]:
    """Return the estimate and the cost of a run for a table."""
    currency, cost = costs.prices.currency, costs.cost(run)
    return (
        estimate_text(costs.estimate(run), currency),
        "-" if cost is None else estimate_text(cost, currency),
    )


def cost_summary(runs: Iterable[ListedRun], costs: RunCosts) -> Iterator[str]:
    """Yield the totals: the estimate of all runs, and estimate and cost of those that ended."""
    # Rejected items have no run, and cost nothing.
    found = [(costs.estimate(run), costs.cost(run)) for run in runs if run.phase != "rejected"]
    ended = [(before, after) for before, after in found if after is not None]
    currency = costs.prices.currency
    yield f"estimate: {estimate_text(total_estimate(before for before, _ in found), currency)}"
    cost = total_estimate(after for _, after in ended)
    estimated = estimate_text(total_estimate(before for before, _ in ended), currency)
    yield (
        f"cost of {pluralise(len(ended), 'run')} that ended, by their results: "
        f"{estimate_text(cost, currency)} (estimate: {estimated})"
    )
    yield from (f"unpriced: {text}" for text in unpriced_texts(cost))


def _total_cost(runs: Iterable[ListedRun], costs: RunCosts) -> Estimate:
    found = (costs.cost(run) for run in runs)
    return total_estimate(cost for cost in found if cost is not None)


def total_cost_text(runs: Iterable[ListedRun], costs: RunCosts) -> str:
    """Return the cost of the runs that ended for a table."""
    return estimate_text(_total_cost(runs, costs), costs.prices.currency)


def total_cost_data(runs: Iterable[ListedRun], costs: RunCosts) -> dict[str, Any]:
    """Return the cost of the runs that ended for JSON."""
    return {
        "currency": costs.prices.currency,
        "cost": estimate_data(_total_cost(runs, costs)),
    }


def cost_data(run: ListedRun, costs: RunCosts) -> dict[str, Any]:
    """Return the estimate and the cost of a run for JSON."""
    cost = costs.cost(run)
    return {
        "currency": costs.prices.currency,
        "estimate": estimate_data(costs.estimate(run)),
        "cost": None if cost is None else estimate_data(cost),
    }
