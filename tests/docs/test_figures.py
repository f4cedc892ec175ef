"""The figures that docs/many-videos.md tells are the code's."""

from __future__ import annotations

from pulumi_vod_workflow.core.polling import PollPolicy
from pulumi_vod_workflow.core.progress import FEW, FIRST_BEAT, SLOWEST_BEAT


def test_the_figures_are_the_codes() -> None:
    assert (FEW, FIRST_BEAT, SLOWEST_BEAT) == (10, 30, 600)
    assert PollPolicy() == PollPolicy(soonest=1, latest=30, share=0.1)
