"""What the pages tell row by row is what the code does; in both languages."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

import pytest
import typer

from pulumi_vod_workflow import errors
from pulumi_vod_workflow.cli.__main__ import app
from pulumi_vod_workflow.cli.runs.model import PHASE_ORDER
from pulumi_vod_workflow.cli.runs.render_table import CSV_COLUMNS
from pulumi_vod_workflow.config import settings as config
from pulumi_vod_workflow.config.settings import load_settings
from pulumi_vod_workflow.core.changes import RERUN_ON_FAILURE
from pulumi_vod_workflow.core.execution import FAILURE_REASONS, status_class
from pulumi_vod_workflow.core.request import SYSTEM_TEMPLATES
from pulumi_vod_workflow.core.response import ERROR_CLASS_BY_CODE, parse_response
from pulumi_vod_workflow.emulator.errors import TABLE

DOCS = Path(__file__).resolve().parents[2] / "docs"
ERRORS = ("errors.md", "errors.zh.md")
ANSWER = {"yes": True, "no": False, "是": True, "否": False, "depends": None, "视情况": None}
BASES = {"VodWorkflowError", "CallError", "ApiError", "WaitError"}
"""Classes that are only raised as one of their kinds."""


def table(page: str, name: str) -> dict[str, list[str]]:
    """The rows of the table after a comment of that name, by their first cell."""
    text = (DOCS / page).read_text().partition(f"<!-- {name} -->\n")[2]
    rows = [line for line in text.partition("\n\n")[0].splitlines()[2:] if line.startswith("|")]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    found = {first.strip("`"): rest for first, *rest in cells}
    assert len(found) == len(rows)
    return found


@pytest.mark.parametrize("page", ERRORS)
def test_every_code_of_the_service_is_told(page: str) -> None:
    """Its status, whether a repeat helps, and whether a run may have started."""
    rows = table(page, "codes")
    assert set(rows) == set(ERROR_CLASS_BY_CODE) >= set(TABLE)
    for code, (status, cause, remedy, repeat, run) in rows.items():
        assert cause
        assert remedy
        body = json.dumps({"ResponseMetadata": {"Error": {"Code": code}}}).encode()
        with pytest.raises(errors.ApiError) as raised:
            parse_response("StartWorkflow", 500 if status == "-" else int(status), {}, body)
        told = (ANSWER[repeat], ANSWER[run])
        assert told == (raised.value.retryable, raised.value.maybe_accepted), code


@pytest.mark.parametrize("page", ERRORS)
def test_every_failure_of_a_run_is_told(page: str) -> None:
    rows = table(page, "statuses")
    assert list(rows) == list(FAILURE_REASONS)
    for status, (cause, remedy, repeat) in rows.items():
        assert cause
        assert remedy
        recorded = {"phase": "failed", "status": status}
        assert ANSWER[repeat] is (status_class(recorded) in RERUN_ON_FAILURE), status


@pytest.mark.parametrize("page", ERRORS)
def test_every_error_of_the_package_is_told(page: str) -> None:
    """An answer that the class decides is the class's."""
    rows = table(page, "classes")
    classes = {
        name: item
        for name, item in inspect.getmembers(errors, inspect.isclass)
        if issubclass(item, errors.VodWorkflowError)
    }
    assert set(rows) == set(classes) - BASES
    for name, (_, remedy, repeat, run) in rows.items():
        assert remedy
        if not issubclass(classes[name], errors.CallError):
            told = (ANSWER[repeat], ANSWER[run])
            assert told == (classes[name].retryable, classes[name].maybe_accepted), name


def test_the_answers_of_calls_that_failed() -> None:
    """Of the classes that are told so when they are made."""
    rows = table("errors.md", "classes")
    for error in (
        errors.StoppedError("StartWorkflow"),
        errors.JournalError("file", "why"),
        errors.UnknownStartOutcomeError("what"),
        errors.StartInProgressError("what"),
    ):
        *_, repeat, run = rows[type(error).__name__]
        assert (ANSWER[repeat], ANSWER[run]) == (error.retryable, error.maybe_accepted)
    told: dict[str, set[tuple[bool | None, bool | None]]] = {}
    for code, (*_, repeat, run) in table("errors.md", "codes").items():
        told.setdefault(ERROR_CLASS_BY_CODE[code].__name__, set()).add(
            (ANSWER[repeat], ANSWER[run])
        )
    for name, answers in told.items():
        *_, repeat, run = rows[name]
        repeats, runs = ({answer[index] for answer in answers} for index in (0, 1))
        assert ANSWER[repeat] == (repeats.pop() if len(repeats) == 1 else None), name
        assert ANSWER[run] == (runs.pop() if len(runs) == 1 else None), name


def test_every_setting_is_told() -> None:
    """With its default, and its limits."""
    rows = table("configuration.md", "keys")
    assert set(rows) == set(config.KEYS)
    settings = load_settings(lambda _: None, {}, Path("/home/of"))
    assert rows["vod:region"][2] == f"`{settings.site.region}`"
    assert rows["vod:requestsPerSecond"][2] == f"`{settings.requests_per_second:.0f}`"
    assert rows["vod:resendWithin"][2] == f"`{settings.resend_within:.0f}`"
    assert rows["vod:requestsPerSecond"][1] == f"above 0, to {config.MAX_RATE:.0f}"
    assert rows["vod:resendWithin"][1] == f"0 to {config.MAX_RESEND_WITHIN:.0f}"


def test_credentials_are_looked_for_in_the_order_that_is_told() -> None:
    """By what a machine without any is told."""
    page = (DOCS / "configuration.md").read_text()
    told = page.partition("| place | names |\n")[2].partition("\n\n")[0].splitlines()[1:]
    settings = load_settings(lambda _: None, {}, Path("/home/of"))
    assert len(told) == len(settings.searched)
    for row, place in zip(told, settings.searched, strict=True):
        names = re.findall(r"[A-Za-z]+:accessKey|[A-Z_]{8,}KEY|/home/of\S+", place)
        assert names[0].replace("/home/of", "~") in row


@pytest.mark.parametrize("name", ["runs.md", "runs.zh.md"])
def test_every_option_phase_and_column_of_runs_is_told(name: str) -> None:
    """In the part of the page that is about this command."""
    page = (DOCS / name).read_text().partition("## `vod-workflow recover`")[0]
    command = typer.main.get_command(app).commands["runs"]  # type: ignore[attr-defined]
    options = {option for each in command.params for option in each.opts if option[:2] == "--"}
    assert {"--phase", "--html", "--format"} <= options
    for option in options:
        assert option in page, option
    for word in (*PHASE_ORDER, *CSV_COLUMNS):
        assert f"`{word}`" in page, word


@pytest.mark.parametrize("page", ["README.md", "README.zh.md"])
def test_the_readme_is_short_and_has_every_built_in_workflow(page: str) -> None:
    """With its number of paid outputs, as the review counts them."""
    text = (DOCS.parent / page).read_text()
    assert len(text.splitlines()) <= 100
    rows = re.findall(r"^- `([0-9a-f]{32})`.*?(\d+)[^\d]*$", text, re.MULTILINE)
    assert {name: int(outputs) for name, outputs in rows} == SYSTEM_TEMPLATES
    glossary = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", text, re.MULTILINE)[1:]
    words = ["Vid", "space", "workflow", "template", "run", "RunId", "ClientToken", "trigger"]
    assert [row for row, word in zip(glossary, words, strict=True) if word not in row] == []
