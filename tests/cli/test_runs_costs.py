"""`vod-workflow runs --prices`: the estimate of each run, and its cost by its results."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from pulumi_vod_workflow.core.plan_message import (
    ONE_RUN,
    DurationBasis,
    DurationGroup,
    StartGroup,
)
from pulumi_vod_workflow.core.start_reason import NEW
from tests.cli.conftest import Vod
from tests.cli.exports import SECRET, batch, completion, provider, run, sample, transcode, written
from tests.cli.test_review import declared, line_of, review

PRICES = """
currency = "CNY"
[default]
per_minute = 0.06
per_output = 0.1
outputs = 3
"""
RESULTS: dict[str, Any] = {"transcodes": [transcode("tos://b/1")], "snapshots": [sample(3)]}
"""Two outputs, of which the longest has 1432.5 seconds: 1.4325 CNY, and 0.20 CNY."""


@pytest.fixture
def prices(tmp_path: Path) -> str:
    path = tmp_path / "prices.toml"
    path.write_text(PRICES)
    return str(path)


def costs(vod: Vod, source: str, *options: str) -> dict[str, tuple[Any, Any]]:
    """Return the least and greatest of estimate and cost, by the run's name."""
    told = json.loads(vod("runs", source, "-f", "json", *options).stdout)["runs"]
    found = {}
    for each in told:
        assert each["currency"] == "CNY"
        cost = each["cost"]
        found[each["names"][0]] = (
            (each["estimate"]["low"], each["estimate"]["high"]),
            None if cost is None else (cost["low"], cost["high"]),
        )
    return found


def test_the_cost_is_what_the_results_give(vod: Vod, prices: str, tmp_path: Path) -> None:
    """Without results, as of an item before its wait, and with clips, it is the least."""
    clip = {"overrideParams": {"transcodeVideo": [{"clip": {"endTime": 1000}}]}}
    source = written(
        tmp_path / "x.json",
        run("done", "r1", "succeeded", "0", templateId="t", **RESULTS),
        run("idle", "r2", "succeeded", "0", templateId="t", enableLowPriority=True, **RESULTS),
        run("clipped", "r3", "succeeded", "0", templateId="t", input=clip, **RESULTS),
        run("empty", "r4", "succeeded", "0", templateId="t", transcodes=[], snapshots=[]),
        run("secret", "r5", "succeeded", "0", templateId=SECRET, transcodes=SECRET),
        run("failed", "r6", "failed", "2003", templateId="t", **RESULTS),
        run("gone", "r7", "expired", templateId="t"),
        run("running", "r8", "running", "Running", templateId="t"),
        batch(
            "season",
            {"a": {"runId": "r9", "phase": "succeeded", "status": "0"},
             "b": {"runId": "r10", "phase": "succeeded", "status": "0"}},
            defaults={"templateId": "t"},
            items={"a": {}, "b": {}, "c": {}, "d": {}},
            rejected={"c": "no"},
            unclear={"d": "lost"},
        ),
        completion("wait", {"a": {"runId": "r9", "phase": "succeeded", "status": "0", **RESULTS}}),
    )  # fmt: skip
    before = ("0.3", None)
    assert costs(vod, source, "--prices", prices) == {
        "done": (before, ("1.6325", "1.6325")),
        "idle": (before, ("1.6325", "1.6325")),
        "clipped": (before, ("1.6325", None)),
        "empty": (before, ("0", None)),
        "secret": (("0", None), ("0", None)),
        "failed": (before, ("0", "1.6325")),  # whether it is billed, no document says
        "gone": (before, ("0", None)),
        "running": (before, None),
        "season[a]": (before, ("1.6325", "1.6325")),
        "season[b]": (before, ("0.3", None)),
        "season[c]": (("0", "0"), ("0", "0")),
        "season[d]": (("0", None), None),
    }
    text = vod("runs", source, "--prices", prices).stdout
    assert "ESTIMATE" in text
    assert "cost of 9 runs that ended, by their results: at least 6.83 CNY" in text
    assert "unpriced: 4 runs: the duration of the source is not known" in text
    plain = vod("runs", source).stdout
    assert "ESTIMATE" not in plain
    assert "CNY" not in plain


def test_the_estimate_is_that_of_the_review(vod: Vod, prices: str, tmp_path: Path) -> None:
    """Of the review of the update that started the run, and of no run that it replaces."""
    preview = declared("run", templateId="t")
    [step] = preview["steps"]
    durations = (DurationGroup(DurationBasis.SERVICE, ONE_RUN, "1440"),)
    starts = (StartGroup(NEW.causes, items=ONE_RUN),)
    preview["diagnostics"] = [line_of(step, starts=starts, durations=durations)]
    file = tmp_path / "review.json"
    file.write_text(review(preview, "--format=json", f"--prices={prices}").stdout)
    source = written(
        tmp_path / "x.json",
        run("run", "r1", "succeeded", "0", templateId="t", **RESULTS),
        run("other", "r2", "running", "Running", templateId="t"),
        provider(vod_prices=prices),
    )
    options = ("--review", str(file))
    assert costs(vod, source, *options) == {
        "run": (("1.74", "1.74"), ("1.6325", "1.6325")),
        "other": (("0.3", None), None),
    }
    line = "cost of 1 run that ended, by their results: 1.63 CNY (estimate: 1.74 CNY)"
    assert line in vod("runs", source, *options).stdout
    rows = list(csv.DictReader(io.StringIO(vod("runs", source, *options, "-f", "csv").stdout)))
    columns = ("currency", "estimateLow", "estimateHigh", "costLow", "costHigh")
    assert [[row[name] for name in columns] for row in rows] == [
        ["CNY", "0.3", "", "", ""],
        ["CNY", "1.74", "1.74", "1.6325", "1.6325"],
    ]
    replaced = json.loads(file.read_text())
    replaced["runs"][0]["replaces"] = "r1"  # the update has not started the new run
    file.write_text(json.dumps(replaced))
    assert costs(vod, source, *options)["run"][0] == ("0.3", None)


def test_bad_prices_and_reviews(vod: Vod, prices: str, tmp_path: Path) -> None:
    source = written(tmp_path / "x.json", run("run", "r1", "running", templateId="t"))
    reviews = {
        "none": review(declared(), "--format=json").stdout,
        "euro": "",
        "text": "no JSON",
    }
    known = review(declared(), "--format=json", f"--prices={prices}").stdout
    for name, low in (("huge", "1e999999999"), ("word", "free")):
        edited = json.loads(known)
        edited["runs"][0]["estimate"]["low"] = low
        reviews[name] = json.dumps(edited)
    other = tmp_path / "euro.toml"
    other.write_text('currency = "EUR"\ndefault.per_run = 1\n')
    reviews["euro"] = review(declared(), "--format=json", f"--prices={other}").stdout
    for name, text in reviews.items():
        (tmp_path / f"{name}.json").write_text(text)
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("x = 1")
    for options, says in (
        (["--review", str(tmp_path / "none.json")], "--review needs prices"),
        (["--prices", str(wrong)], "line 1: currency: is required"),
        (["--prices", prices, "--review", str(tmp_path / "absent.json")], "cannot be read"),
        *(
            (
                ["--prices", prices, "--review", str(tmp_path / f"{name}.json")],
                "is no review in JSON",
            )
            for name in ("text", "huge", "word")
        ),
        (["--prices", prices, "--review", str(tmp_path / "none.json")], "has no prices"),
        (["--prices", prices, "--review", str(tmp_path / "euro.json")], "is in EUR, the price"),
    ):
        result = vod("runs", source, *options, code=2)
        assert says in result.stderr
