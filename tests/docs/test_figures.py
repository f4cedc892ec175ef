"""The figures in docs/many-videos.md and docs/how-to/share-the-account.md are the code's."""

from __future__ import annotations

from pulumi_vod_workflow.core.polling import PollPolicy
from pulumi_vod_workflow.core.progress import (
    FIRST_HEARTBEAT,
    MAX_RUNS_LISTED_INDIVIDUALLY,
    SLOWEST_HEARTBEAT,
)
from pulumi_vod_workflow.core.rate import AdaptiveRate
from pulumi_vod_workflow.core.read_schedule import ENDS_PER_CHECK, MAX_SWEEPS
from pulumi_vod_workflow.core.retry import RetryPolicy


def test_the_figures_are_the_codes() -> None:
    assert (MAX_RUNS_LISTED_INDIVIDUALLY, FIRST_HEARTBEAT, SLOWEST_HEARTBEAT) == (10, 30, 600)
    assert PollPolicy() == PollPolicy(min_interval=1, max_interval=30, age_fraction=0.1)
    assert (MAX_SWEEPS, ENDS_PER_CHECK) == (2, 20)
    rate = AdaptiveRate
    assert (rate.FIRST_FACTOR, rate.FURTHER_FACTOR, rate.MIN_FRACTION) == (3 / 4, 1 / 2, 1 / 16)
    assert (1 - rate.MIN_FRACTION) / rate.RECOVERY <= rate.QUIET_TIME == 60
    assert RetryPolicy().rejected_start_budget == 10 * 60
