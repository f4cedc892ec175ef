"""What is said of an operation as a whole."""

from __future__ import annotations

import time
from pathlib import Path

from pulumi_vod_workflow.config.settings import load_settings
from pulumi_vod_workflow.lifecycle import announcements
from pulumi_vod_workflow.lifecycle.announcements import (
    MAX_RESOURCES_COUNTED_AT_ONCE,
    Announcements,
    a_run,
)
from pulumi_vod_workflow.lifecycle.start_records import wait_text


def test_the_total_is_told_at_once_for_few_and_now_and_then_for_many(tmp_path: Path) -> None:
    """Each of a few starts is a line; of many the last line has all, and there are few lines."""
    settings = load_settings({"vod:endpoint": "https://vod.example.com"}.get, {}, tmp_path)
    said: list[str] = []
    counted = Announcements(print, print, said.append)
    counted.count_starts("one", 1, settings)
    counted.count_starts("one", 1, settings)  # a replacement is planned twice
    counted.count_starts("batch", 10, settings)
    assert said == ["1 paid run so far", "1 paid run so far", "11 paid runs so far"]
    for number in range(1000):
        counted.count_starts(f"run-{number}", 1, settings)
    end = time.monotonic() + 100 * announcements.COUNT_INTERVAL
    while said[-1] != "1,011 paid runs so far" and time.monotonic() < end:
        time.sleep(0.01)
    assert said[-1] == "1,011 paid runs so far"
    assert len(said) < MAX_RESOURCES_COUNTED_AT_ONCE + 30


def test_what_costs_nothing_is_not_called_paid(tmp_path: Path) -> None:
    settings = load_settings({"vod:endpoint": "emulator"}.get, {}, tmp_path)
    said: list[str] = []
    Announcements(print, print, said.append).count_starts("one", 2, settings)
    assert said == ["2 emulated runs so far"]
    assert a_run(settings) == "an emulated run"


def test_the_line_about_starts_in_flight_counts_them() -> None:
    assert wait_text(1).startswith("another update is starting this run. ")
    assert wait_text(2).startswith("another update is starting these runs. ")
