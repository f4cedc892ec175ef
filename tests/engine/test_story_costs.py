"""The estimate of a real preview is what the ledger's starts cost by the same prices."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from pulumi_vod_workflow.cli.__main__ import app
from pulumi_vod_workflow.emulator import VodEmulator
from tests.engine.project import Project
from tests.engine.test_story_review import preview

PRICES = """
currency = "CNY"
[default]
per_minute = 0.06
low_priority_discount = 0.5
[workflows.06853553c4d3402698a17ff5dff87fd7]
per_output = 0.5
"""
MANIFEST = """key,vid,direct_url.file_name,source_seconds,enable_low_priority
measured,emu-seconds-30,,999,
stated,,emu-seconds-45.5,45.5,
idle,idle.emu-seconds-60,,,true
"""
PROGRAM = """
    from pulumi_vod_workflow import load_manifest
    WorkflowRun("film", vid="emu-seconds-90", template_id="t", triggers={"edition": EDITION})
    WorkflowRun("trailer", vid="v", template_id="06853553c4d3402698a17ff5dff87fd7")
    WorkflowBatch("season", items=load_manifest("season.csv"), defaults={"template_id": "t"})
"""
FILE = '    WorkflowRun("file", direct_url={"file_name": "f"}, template_id="t")\n'


def ledger_cost(starts: list[dict[str, Any]]) -> Fraction:
    """What starts cost by PRICES, from the durations in the names of their sources."""
    total = Fraction()
    for start in starts:
        if start["templateId"] == "t":
            source = start.get("vid") or start["directUrl"]["FileName"]
            name, _, seconds = source.partition("emu-seconds-")
            part = Fraction("0.5") if name else 1  # of the idle queue
            total += Fraction("0.06") * Fraction(seconds) / 60 * part
        else:
            total += 6 * Fraction("0.5")
    return total


@pytest.mark.hosts("dynamic", torture="plugin")
def test_an_estimate_is_what_the_ledger_costs(
    like: Project,
    emulator: VodEmulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of new runs and items; then of changed ones only, without a look at what is unchanged."""
    folder = tmp_path / "project"
    config = {"vod:preflight": "error", "vod:prices": "prices.toml"}
    with Project(folder, emulator.url, like=like, config=config) as project:
        monkeypatch.chdir(folder)  # `vod:prices` starts there
        (folder / "prices.toml").write_text(PRICES)
        (folder / "season.csv").write_text(MANIFEST)

        def declare(edition: int, more: str = "") -> None:
            project.program(PROGRAM.replace("EDITION", str(edition)) + more)

        def vod(*arguments: str, code: int = 0, data: bytes | None = None) -> Result:
            result = CliRunner().invoke(app, arguments, input=data)
            assert result.exit_code == code, result.output
            return result

        def reviewed(data: bytes, *options: str, code: int = 0) -> dict[str, Any]:
            text = vod("review", "--format=json", *options, data=data, code=code).stdout
            found: dict[str, Any] = json.loads(text)
            return found

        declare(1)
        data = preview(project)
        found = reviewed(data, "--max-cost=3.1955")
        (folder / "review.json").write_text(json.dumps(found))
        durations = {
            run["item"] or run["resource"]: run["sourceDuration"] and (
                run["sourceDuration"]["seconds"], run["sourceDuration"]["basis"]
            )
            for run in found["runs"]
        }  # fmt: skip
        assert durations == {
            "film": ("90", "service"),
            "trailer": ("60", "service"),
            "measured": ("30", "service"),  # the service's word comes before the file's
            "stated": ("45.5", "manifest"),
            "idle": ("60", "service"),
        }
        project.command("up", "--yes", "--skip-preview")
        cost = ledger_cost(emulator.ledger())
        assert found["cost"]["low"] == found["cost"]["high"] == "3.1955"
        assert cost == Fraction("3.1955")

        emulator.advance(100_000)
        declare(2, FILE)
        (folder / "season.csv").write_text(
            MANIFEST.replace("999,", "1,").replace("45.5,", "46,").replace("stated,,", "other,,")
        )
        before, paid = emulator.requests(), len(emulator.ledger())
        data = preview(project, "--refresh", "--run-program")
        found = reviewed(data, "--max-cost=1000", code=3)
        assert emulator.requests()["GetMediaInfos"] == before["GetMediaInfos"] + 1
        assert len(emulator.ledger()) == paid
        assert [run["item"] or run["resource"] for run in found["runs"]] == [
            "file",
            "film",
            "other",
        ]
        assert found["cost"] | {"maxCost": None} == {
            "kind": "atLeast", "currency": "CNY", "low": "0.136", "high": None,
            "pricedHigh": "0.136", "unpriced": [{"reason": "durationUnknown", "runs": 1}],
            "maxCost": None, "allowUnpriced": False, "exceeded": True,
        }  # fmt: skip

        project.command("refresh", "--yes", "--skip-preview")
        (folder / "stack.json").write_text(project.command("stack", "export"))
        text = vod("runs", "stack.json", "--review=review.json", "--format=json").stdout
        runs = {run["names"][0]: run for run in json.loads(text)["runs"]}
        film, trailer = runs["film"], runs["trailer"]
        assert film["estimate"]["low"] == film["cost"]["low"] == film["cost"]["high"] == "0.09"
        assert trailer["estimate"]["low"] == "3"
        outputs = trailer["transcodes"] + trailer["snapshots"]
        assert Fraction(trailer["cost"]["low"]) == Fraction("0.5") * len(outputs)
        assert runs["season[stated]"]["estimate"]["low"] == "0.0455"
        assert runs["season[stated]"]["cost"]["kind"] == "unknown"  # its results are in no wait
