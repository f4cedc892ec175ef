"""The cost of an operation's starts by a price file, before the first start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from pulumi_policy import ResourceValidationArgs

from pulumi_vod_workflow.config.price_file import load_prices, price_file_path
from pulumi_vod_workflow.core.durations import SourceDuration
from pulumi_vod_workflow.core.estimates import (
    SECONDS_PER_MINUTE,
    Estimate,
    PricedRun,
    estimate,
    estimate_text,
    total_estimate,
    unpriced_texts,
)
from pulumi_vod_workflow.core.plan_message import DurationBasis
from pulumi_vod_workflow.core.prices import Prices
from pulumi_vod_workflow.errors import ConfigurationError
from vod_policies.starts import LimitPolicy, Properties

COMPLY: Final = (
    "Change or add fewer runs at a time (`--target` selects resources), or raise `max` of "
    "at-most-cost in the policy pack's configuration."
)


class AtMostCost(LimitPolicy):
    """A policy that limits the cost of starts by the user's own prices."""

    def __init__(self) -> None:
        super().__init__(
            "at-most-cost",
            "An update costs at most `max` by the prices of a file: a run cannot be cancelled.",
            {
                "prices": {"type": "string", "minLength": 1},
                "max": {"type": "number", "minimum": 0},
                "assumedMinutes": {"type": "number", "exclusiveMinimum": 0, "maximum": 100_000},
                "allowUnpriced": {"type": "boolean", "default": False},
            },
        )
        self._prices: Prices | None = None
        self._costs: dict[str, Estimate] = {}

    def is_active(self, config: Mapping[str, Any]) -> bool:
        """Return whether the settings have a price file or a maximum."""
        return "prices" in config or "max" in config

    def judge(self, args: ResourceValidationArgs, declared: Properties) -> Iterator[str]:
        """
        Add the cost of a resource's starts; yield a message if the sum exceeds the maximum.

        Raises:
            ConfigurationError: when the price file is wrong, or one of two settings is missing.

        """
        config = args.get_config()
        if not self.is_active(config):
            return
        if "prices" not in config or "max" not in config:
            raise ConfigurationError("set both `prices` and `max`")
        if self._prices is None:
            self._prices = load_prices(price_file_path(config["prices"]))
        prices, duration = self._prices, _assumed_duration(config.get("assumedMinutes"))
        own = total_estimate(
            estimate(_priced_run(start, duration), prices)
            for start in self.starts_of(args, declared)
        )
        self._costs[args.urn] = own
        # Pulumi passes a number of JSON as a float, of which `str` is the shortest decimal form.
        most = Decimal(str(config["max"]))
        total = total_estimate(self._costs.values())
        if (own.high or own.unpriced) and total.exceeds(
            most, allow_unpriced=config["allowUnpriced"]
        ):
            unpriced = "; ".join(unpriced_texts(total))
            yield (
                f"cost here: {estimate_text(own, prices.currency)}, in this update so far: "
                f"{estimate_text(total, prices.currency)}; the maximum is {most:,f} "
                f"{prices.currency}{self.note}. "
                + (f"Without a price: {unpriced}. {_UNPRICED_HINT} " if unpriced else "")
                + COMPLY
            )


_UNPRICED_HINT: Final = (
    "A policy sees no duration of a source: set `assumedMinutes`, or `allowUnpriced`."
)


def _assumed_duration(minutes: float | None) -> SourceDuration | None:
    if minutes is None:
        return None
    return SourceDuration(Fraction(str(minutes)) * SECONDS_PER_MINUTE, DurationBasis.OTHER)


def _priced_run(start: Any, duration: SourceDuration | None) -> PricedRun:
    inputs = start if isinstance(start, Mapping) else {}
    template, low_priority = inputs.get("templateId"), inputs.get("enableLowPriority", False)
    return PricedRun(
        template if isinstance(template, str) else None,
        low_priority if isinstance(low_priority, bool) else None,
        duration,
    )
