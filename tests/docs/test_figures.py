"""The figures that docs/many-videos.md tells are the code's."""

from __future__ import annotations

from pulumi_vod_workflow.core.polling import PollPolicy
from pulumi_vod_workflow.core.progress import (
    FIRST_HEARTBEAT,
    MAX_RUNS_LISTED_INDIVIDUALLY,
    SLOWEST_HEARTBEAT,
)


def test_the_figures_are_the_codes() -> None:
    assert (MAX_RUNS_LISTED_INDIVIDUALLY, FIRST_HEARTBEAT, SLOWEST_HEARTBEAT) == (10, 30, 600)
    assert PollPolicy() == PollPolicy(min_interval=1, max_interval=30, age_fraction=0.1)
