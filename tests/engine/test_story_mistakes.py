"""Mistakes that programs make with outputs, file names, units and names of results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pulumi
import pytest

from pulumi_vod_workflow import WorkflowBatch, WorkflowCompletion, WorkflowRun
from pulumi_vod_workflow.emulator import VodEmulator
from tests.engine.harness import Outcome, Program, Story, run
from tests.engine.project import Project
from tests.scale import TORTURE, scaled

pytestmark = pytest.mark.hosts("dynamic", torture="plugin")

TEXT = "contains Python's text of an Output"


@pytest.mark.filterwarnings("ignore")
def test_text_made_of_an_output_is_refused_at_preview_with_its_path(story: Story) -> None:
    """The SDK's warning text would be sent and paid; what says the same by `format` is."""

    def one() -> None:
        first = WorkflowRun("first", vid="v1", template_id="t1")
        WorkflowRun(
            "args", direct_url={"file_name": f"{first.run_id}.mp4"}, template_id="t1",
            callback_args=f"after {first.run_id}", triggers={"edition": [f"{first}"]},
        )  # fmt: skip

    def many() -> None:
        first = WorkflowRun("first", vid="v1", template_id="t1")
        items: Any = {
            "a": {"vid": "v1", "triggers": {"of": str(first.run_id)}},
            f"{[first.run_id]}": {"vid": "v1"},
        }
        WorkflowBatch("batch", items=items, defaults={"template_id": "t1"})

    for program, paths in (
        (one, ("callbackArgs: ", "triggers.edition[0]: ", "directUrl.fileName: ")),
        (many, ("items.a.triggers.of: ", "items: a key ")),
    ):
        preview = story.preview(program)
        assert preview.failed
        for path in paths:
            assert path + TEXT in preview.text
    assert story.emulator.requests() == {}

    def right() -> None:
        first = WorkflowRun("first", vid="v1", template_id="t1")
        args = pulumi.Output.format("after {0}", first.run_id)
        WorkflowRun("args", vid="v1", template_id="t2", callback_args=args)

    story.up(right)
    assert len(story.emulator.ledger()) == 2
    told = story.resources["args"]["outputs"]["callbackArgs"]
    assert told == f"after {story.ledger_of('t1')['runId']}"


@pytest.mark.torture
def test_advice_is_in_the_programs_spelling_and_doubts_are_warnings(story: Story) -> None:
    """All at preview: hints, a URL as a file, integers that are one double, a clip in seconds."""
    refused: dict[Program, Outcome] = {}
    integers: Any = {"a": 2**53, "b": 2**53 + 1}
    short: Any = {
        "override_params": {
            "transcode_video": [{"template_id": ["x"], "clip": {"start_time": 10, "end_time": 20}}]
        }
    }

    def one() -> None:
        mistyped: Any = {"templat_id": "t1", "run_id": "lb:1", "callbackArgs": "a"}
        WorkflowRun("typo", vid="v1", callback_args="b", triggers=integers, **mistyped)

    def many() -> None:
        items: Any = {"a": {"direct_url": {"file_name": "tos://tos-cn-v-1/f.mp4"}}}
        defaults: Any = {"template_id": "t1", "existing_run_id": "lb:1"}
        mistyped: Any = {"item": {}, "priority": 1}
        WorkflowBatch("batch", items=items, defaults=defaults, **mistyped)

    def ends() -> None:
        mistyped: Any = {"onFailure": "error", "run": "lb:1"}
        WorkflowCompletion("ends", runs="lb:1", on_failure="record", **mistyped)

    for program, told in (
        (one, "templat_id: unknown key; did you mean template_id? The keys here are callback_args"),
        (one, "run_id: unknown key; The keys here are callback_args"),
        (one, "callback_args: is given twice, as callback_args and as callbackArgs; keep one"),
        (one, "triggers.a: must be JSON with numbers below 2**53"),
        (one, "triggers.b: must be JSON with numbers below 2**53"),
        (many, "items.a.directUrl.fileName: must be a non-empty path in the space, without"),
        (many, "defaults.existing_run_id: is the run of one item: set existing_run_id in that"),
        (many, "item: unknown key; did you mean items?"),
        (many, "priority: is an input of the items: set it in the defaults, or in an item"),
        (ends, "on_failure: is given twice, as on_failure and as onFailure; keep one"),
        (ends, "run: unknown key; did you mean runs? The keys here are fail_fast, on_failure"),
    ):
        if program is ends and not TORTURE:  # tests/core/test_completion.py has these messages
            continue
        shown = refused.get(program) or refused.setdefault(program, story.preview(program))
        assert shown.failed
        assert told in shown.text

    def doubtful() -> None:
        WorkflowRun("run", vid="v1", template_id="t1", input=short)
        items: Any = {key: {"vid": key} for key in ("a", "b")}
        WorkflowBatch("batch", items=items, defaults={"template_id": "t1", "input": short})

    shown = story.pays(doubtful, 3)
    clip = "input.overrideParams.transcodeVideo[0].clip: the clip is shorter than one second"
    assert any(name == "run" and text.startswith(clip) for name, text in shown.lines)
    [told] = [text for name, text in shown.lines if name == "batch" and clip in text]
    assert told.endswith("(and 1 more: b)")
    assert clip not in story.stays(doubtful).text


def test_the_run_of_another_item_is_not_adopted_with_another_source(story: Story) -> None:
    """The batch's state knows its source, so the preview refuses what the update would."""
    defaults: Any = {"template_id": "t1"}

    def first() -> None:
        WorkflowBatch("batch", items={"a": {"vid": "v1"}}, defaults=defaults)

    story.up(first)
    [start] = story.emulator.ledger()

    def renamed(vid: str) -> Any:
        item = {"vid": vid, "existing_run_id": start["runId"]}
        return lambda: WorkflowBatch("batch", items={"b": item}, defaults=defaults)

    refused = story.preview(renamed("other"))
    assert refused.failed
    assert "existingRunId of items.b: the run was started with another source" in refused.text
    story.pays(renamed("v1"), 0)
    wrong = story.preview(run(name="single", vid="other", existing_run_id=start["runId"]))
    assert not wrong.failed, "nothing in the state of a new resource tells of that run"


WAIT = "; `wait().results` has the results of this update"
BATCH_HAS = (
    "client_tokens, defaults, endpoint, items, max_failures, not_sent, region, rejected, runs, "
    "unclear"
)
PROGRAMS = {
    "run.transcodes[0]": (
        """
        run = WorkflowRun("film", vid="v1", template_id="t1")
        pulumi.export("file", run.transcodes[0].store_uri)
        """,
        f"WorkflowRun 'film': transcodes has no entry 0: it is empty{WAIT}",
    ),
    "results[typo]": (
        """
        done = WorkflowRun("film", vid="v1", template_id="t1").wait()
        source = {"file_name": done.results["flim"].transcodes[0].file_name}
        WorkflowRun("next", direct_url=source, template_id="t1")
        """,
        "WorkflowCompletion 'film-completion': results has no 'flim': it has film",
    ),
    "batch.runs[typo]": (
        """
        items = {"a": {"vid": "v1"}, "b": {"vid": "v2"}}
        batch = WorkflowBatch("films", items=items, defaults={"template_id": "t1"})
        pulumi.export("run", batch.runs["c"].run_id)
        """,
        f"WorkflowBatch 'films': runs has no 'c': it has a, b{WAIT}",
    ),
    "batch.results": (
        """
        items = {"a": {"vid": "v1"}}
        batch = WorkflowBatch("films", items=items, defaults={"template_id": "t1"})
        pulumi.export("run", batch.results["a"])
        """,
        f"WorkflowBatch 'films' has no 'results': it has {BATCH_HAS}{WAIT}",
    ),
}
"""
A wrong value -> the program, and its error.

`make test` has an entry that is not there and a name that is no output. The message about each
other one is in tests/resources/test_args.py, too.
"""


@pytest.mark.torture
@pytest.mark.vod_emulator(rate_limit=0, pending_seconds=0, running_seconds=0.2)
def test_what_an_output_does_not_hold_is_one_line(
    tmp_path: Path, emulator: VodEmulator, like: Project
) -> None:
    """What is empty, or which names exist; no traceback, no warning of Python's."""
    with Project(tmp_path / "project", emulator.url, like=like) as project:
        for name in scaled(["run.transcodes[0]", "batch.results"], [*PROGRAMS]):
            program, told = PROGRAMS[name]
            project.program(program)
            up = project.up()
            assert up.wait() != 0
            assert f"error: {told}" in up.said
            for noise in ("Traceback", "never awaited", "Error:"):
                assert noise not in up.said
