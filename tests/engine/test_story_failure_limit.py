"""Batches and waits that stop in time: what is paid before a common failure is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pulumi import Output

from pulumi_vod_workflow import WorkflowBatch, WorkflowRun
from pulumi_vod_workflow.core.resource_types import RUN_TYPE
from pulumi_vod_workflow.emulator import VodEmulator
from tests.engine.harness import Program, Story
from tests.engine.project import Project, until
from tests.engine.vault import Vault
from tests.scale import only_in_torture, scaled

pytestmark = pytest.mark.hosts("dynamic", torture="plugin")


def keys(count: int) -> list[str]:
    return [f"k{number:05}" for number in range(count)]


def items(names: list[str], vid: str = "v") -> dict[str, Any]:
    return {name: {"vid": f"{vid}-{name}"} for name in names}


def batch(items: Any, **more: Any) -> Program:
    """Return a program that declares one batch."""

    def program() -> None:
        WorkflowBatch("batch", items=items, defaults={"template_id": "t1"}, **more)

    return program


def quick(story: Story) -> None:
    """Let runs end soon after their start."""
    story.emulator.settings(pending_seconds=0, running_seconds=0.3)


@pytest.mark.torture
def test_items_that_all_fail_pay_the_limit_and_no_more(story: Story) -> None:
    """
    The batch keeps the runs that were paid. The next `up` shows and sends the others.

    Its state comes from an error, and keeps the secrets of another batch that has stopped.
    """
    count = scaled(60, 10_000)
    names = keys(count)
    quick(story)

    def program(of_batch: Any, end_of_others: str) -> Program:
        def declare() -> None:
            batch(of_batch, max_failures=5)()
            ends = dict.fromkeys(keys(6), end_of_others) | dict.fromkeys(keys(2), "emu-fail-1003")
            hidden: Any = {
                name: {"vid": Output.secret(f"{end}-s3cr3t-{name}")} for name, end in ends.items()
            }
            defaults: Any = {"template_id": "t1"}
            WorkflowBatch("hidden", items=hidden, defaults=defaults, max_failures=2)

        return declare

    failing = program(items(names, "emu-fail-1003"), "emu-fail-1003")
    preview = story.preview(failing)
    assert f"starts {count:,} of {count:,} items (paid), stops after 5 failures: " in preview.text
    outcome = story.failing_up(failing, continue_on_error=True)
    assert len(story.emulator.ledger()) == 5 + 2
    for says in (
        "stopped after 5 failures (max_failures: 5): this update started 5 items and did not",
        f" send {count - 5:,} items: k00005, ",
        "k00000, k00001, k00002, k00003, k00004: failed: 1003: the source could not be downloaded",
        "hint: correct the cause, then run `pulumi up` again",
        "stopped after 2 failures (max_failures: 2): this update started 2 items and did not",
    ):
        assert says in outcome.text
    assert "s3cr3t" not in outcome.text
    assert "s3cr3t" not in story.stack.state_file.read_text()
    paid = story.batches["batch"]["runs"]
    assert {run["phase"] for run in paid.values()} == {"failed"}
    assert story.batches["batch"]["notSent"] == names[5:]

    # The limit is that of one update. A batch keeps the runs of an update that stops, too.
    story.failing_up(failing, continue_on_error=True)
    assert len(story.emulator.ledger()) == 2 * (5 + 2)
    assert [len(story.batches[name]["runs"]) for name in ("batch", "hidden")] == [10, 4]
    assert "s3cr3t" not in story.stack.state_file.read_text()

    # Sixty are enough to continue with: the removal of the others is free.
    corrected = items(names[:10], "emu-fail-1003") | items(names[10:60])
    outcome = story.pays(program(corrected, "v"), 50 + 4)
    assert "stops after 5 failures: not sent before: k00010, " in story.shown.text
    runs = story.batches["batch"]["runs"]
    assert {key: run["runId"] for key, run in runs.items() if key in paid} == {
        key: run["runId"] for key, run in paid.items()
    }
    assert story.batches["batch"]["notSent"] == []
    assert len(story.batches["hidden"]["runs"]) == 6
    story.refresh()
    for text in (story.shown.text, outcome.text, story.stack.state_file.read_text()):
        assert "s3cr3t" not in text


@only_in_torture("tests/lifecycle/test_failure_limit.py has the limit in simulated time")
def test_a_limit_counts_the_failures_of_one_update(story: Story) -> None:
    """A change of the limit alone starts nothing."""
    quick(story)
    corrected = items(keys(60))
    refused = story.preview(batch(corrected, max_failures=0))
    assert "maxFailures: must be an integer from 1 to 10,000" in refused.text
    story.pays(batch(corrected, max_failures=5), 60)
    more = corrected | {f"x{number}": {"vid": "emu-fail-2003"} for number in range(9)}
    outcome = story.failing_up(batch(more, max_failures=2))
    assert "this update started 2 items and did not send 7 items: x2, x3, " in outcome.text
    assert len(story.emulator.ledger()) == 60 + 2
    assert len(story.batch["runs"]) == 60 + 2
    story.pays(batch(corrected), 0)
    for limit in ({"max_failures": 7}, {}):
        outcome = story.pays(batch(corrected, **limit), 0)
        assert outcome.changed == [("update", "batch")]
        story.stays(batch(corrected, **limit))


@only_in_torture("tests/lifecycle/test_failure_limit.py has rejected starts in simulated time")
def test_rejected_starts_count(story: Story) -> None:
    """Nothing is paid for them. With a run of the same update the batch is kept, else it is not."""
    missing = {name: {"vid": "emu-missing"} for name in keys(300)}
    outcome = story.failing_up(batch(missing, max_failures=3))
    assert "this update started 0 items and did not send 297 items" in outcome.text
    assert story.batches == {}
    quick(story)
    outcome = story.failing_up(batch({"a": {"vid": "v-a"}, **missing}, max_failures=3))
    assert "this update started 1 item and" in outcome.text
    assert [*story.batch["runs"]] == ["a"]
    assert 3 <= len(story.batch["rejected"]) <= 3 + 2, "a success lets two more follow"
    asked = len(story.emulator.ledger())
    assert asked == 1
    story.pays(batch({"a": {"vid": "v-a"}, **items(keys(2))}), 2)
    assert "not started before: k00000, k00001" in story.shown.text


@only_in_torture("tests/lifecycle/test_failure_limit.py counts runs of an interrupted update")
def test_a_killed_update_has_the_same_limit(
    tmp_path: Path, emulator: VodEmulator, vault: Vault
) -> None:
    """The next update reuses the runs, counts those that have failed, and pays no other."""
    declared = items(keys(30), "emu-fail-1003")
    with Project(tmp_path / "project", emulator.url, vault=vault) as project:
        project.program(
            f'WorkflowBatch("batch", items={declared!r}, defaults={{"template_id": "t1"}}, '
            "max_failures=4)"
        )
        killed = project.up()
        until(lambda: len(emulator.ledger()) == 4 and "waits for the end of runs" in killed.said)
        killed.kill()
        emulator.advance(5000)
        project.repair()
        resumed = project.up()
        assert resumed.wait() != 0
        assert "this update started 0 items and did not send 26 items" in resumed.said
        [resource] = [item for item in project.resources if "Batch" in item["type"]]
        assert len(resource["outputs"]["runs"]) == 4
    assert len(emulator.ledger()) == 4


@only_in_torture("test_story_review.py has reruns by class in the stack of all changes")
def test_each_class_of_ends_starts_again_by_its_name(story: Story) -> None:
    """
    In a batch for each item, and of a run. An end that has no name stays, and is free.

    The service joins equal starts also after a user error: a rerun still is a new run.
    """
    story.emulator.settings(dedup="finished")
    ends = {"system": "emu-fail-2003", "user": "emu-fail-1003", "stopped": "emu-terminated"}

    def program(shared: Any, of_run: Any, **own: Any) -> Program:
        made = {
            key: {"vid": vid, **({"rerun_on": own[key]} if key in own else {})}
            for key, vid in ends.items()
        }
        defaults: Any = {"template_id": "t1", "rerun_on": shared}

        def declare() -> None:
            WorkflowBatch("batch", items=made, defaults=defaults)
            WorkflowRun("run", vid="emu-fail-1003", template_id="t2", rerun_on=of_run)

        return declare

    def ended(declared: Program) -> Program:
        story.emulator.advance(5000)
        story.refresh()
        return declared

    story.pays(program(None, None), 4)
    story.pays(ended(program([], ["systemError"])), 0)
    runs = story.batch["runs"]

    wanted = program(["systemError", "userError"], ["userError"], system=[])
    story.pays(wanted, 2)
    assert "starts 1 of 3 items (paid): rerunOn after 1003: user" in story.shown.text
    assert "failed with 1003: rerun_on starts a new run (paid)" in story.shown.text
    new = story.batch["runs"]
    assert [key for key in runs if runs[key]["runId"] != new[key]["runId"]] == ["user"]
    assert new["user"]["rerunOf"] == runs["user"]["runId"]
    story.stays(wanted)
    story.pays(ended(wanted), 2)
    assert len({start["runId"] for start in story.emulator.ledger()}) == 4 + 2 + 2

    all_of_batch = program(["systemError", "terminated"], [], user=[])
    story.pays(all_of_batch, 2)
    assert "rerunOn after 2003: system; rerunOn after Terminated: stopped" in story.shown.text


@only_in_torture("tests/core/test_changes.py has the token of a rerun")
def test_an_interrupted_rerun_is_found_again(story: Story) -> None:
    """
    The token of a rerun after a user error follows from the state.

    So the journal has its run, and without the journal's record the service joins the start to it.
    """
    story.emulator.settings(dedup="finished")
    failing: Any = {"vid": "emu-fail-1003", "rerun_on": ["userError"]}

    def program() -> None:
        WorkflowBatch("batch", items={"a": failing}, defaults={"template_id": "t1"})
        WorkflowRun("run", template_id="t2", **failing)

    def run_ids() -> list[str]:
        [run] = story.of_type(RUN_TYPE).values()
        return [story.batch["runs"]["a"]["runId"], run["outputs"]["runId"]]

    story.up(program)
    story.emulator.advance(5000)
    story.refresh()
    before = story.stack.state_file.read_text()
    story.pays(program, 2)
    reruns = run_ids()
    story.stack.state_file.write_text(before)  # as after a crash before the engine saved it
    outcome = story.pays(program, 0)
    assert "reuses runs that an earlier update started (free): a" in outcome.text
    assert run_ids() == reruns
    story.stays(program)  # the journal has no record of the runs any more
    story.stack.state_file.write_text(before)  # as of an old copy
    story.up(program)
    assert run_ids() == reruns
    assert len({start["runId"] for start in story.emulator.ledger()}) == 4


@only_in_torture("tests/core/test_completion.py has the end of a wait by fail_fast")
def test_a_wait_can_end_at_the_first_failure(story: Story) -> None:
    """Others may run for hours. The wait continues after a change."""
    made: Any = {"bad": {"vid": "emu-fail-1003"}, "long": {"vid": "v-long"}}

    def program(**settings: Any) -> Program:
        def declare() -> None:
            many = WorkflowBatch("batch", items=made, defaults={"template_id": "t1"})
            many.wait(**settings)

        return declare

    story.emulator.settings(
        pending_seconds=0,
        running_seconds=0.3,
        rules=[{"source": "v-long", "runningSeconds": 1000}],
    )
    refused = story.preview(program(fail_fast=True, on_failure="record"))
    assert "failFast: has no effect with on_failure record" in refused.text
    outcome = story.failing_up(program(fail_fast=True))
    assert "fails at the first run that does not succeed (fail_fast)" in outcome.text
    assert "1 of 2 runs did not succeed:" in outcome.text
    assert "fail_fast: the wait ended before 1 runs" in outcome.text
    story.emulator.advance(5000)
    outcome = story.pays(program(on_failure="record"), 0)
    assert story.completion["failed"] == ["bad"]
    assert json.dumps(story.completion["results"]).count('"succeeded"') == 1
