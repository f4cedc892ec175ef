"""What docs/many-videos.md shows runs as written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pulumi_vod_workflow.core.policy import PollPolicy
from pulumi_vod_workflow.core.progress import FEW, FIRST_BEAT, SLOWEST_BEAT
from tests.engine.harness import Story

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "many-videos.md").read_text()


@pytest.mark.vod_emulator(rate_limit=0, pending_seconds=0.2, running_seconds=0.3)
def test_the_programs_run_as_written(
    story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    [table] = re.findall(r"```csv\n(.*?)```", PAGE, re.DOTALL)
    outcome = story.pays(lambda: exec(first, {}), 2)
    assert outcome.outputs["failed"] == []
    assert {key: len(files) for key, files in outcome.outputs["files"].items()} == {
        "s01e01": 5,
        "s01e02": 5,
    }
    (tmp_path / "videos.csv").write_text(table)
    monkeypatch.chdir(tmp_path)
    story.pays(lambda: exec(second, {}), 2)
    assert set(story.batch["runs"]) == {"s01e01", "s01e02"}


def test_the_figures_are_the_codes() -> None:
    assert (FEW, FIRST_BEAT, SLOWEST_BEAT) == (10, 30, 600)
    assert PollPolicy() == PollPolicy(soonest=1, latest=30, share=0.1)
