"""A service that fails often, and one that tells what this version does not know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from pulumi_vod_workflow import WorkflowBatch, WorkflowCompletion, WorkflowRun
from pulumi_vod_workflow.emulator.service import CALLS, Call, Service
from tests import faults
from tests.engine.harness import BATCH_TYPE, Program, Story, run

ITEMS = [f"item{number}" for number in range(150)]
RUNS = [f"run{number}" for number in range(8)]


def many() -> None:
    for name in RUNS:
        WorkflowRun(name, vid=name, template_id="t1")
    items = {key: {"vid": key} for key in ITEMS}
    WorkflowBatch("batch", items=items, defaults={"template_id": "t1"})


def recorded(story: Story) -> dict[str, str]:
    """Return the runs in the state, of resources and items, by name, which is the vid."""
    runs = {name: item["outputs"] for name, item in story.resources.items()}
    for resource in story.of_type(BATCH_TYPE).values():
        runs |= resource["outputs"]["runs"]
    return {name: item["runId"] for name, item in runs.items()}


def is_done(story: Story) -> bool:
    """Tell whether every start has a run; whatever happened, what is known of them is true."""
    ledger = {entry["vid"]: entry["runId"] for entry in story.emulator.ledger()}
    assert len(ledger) == len(story.emulator.ledger()), "no start is paid twice"
    state = recorded(story)
    assert state.items() <= ledger.items()
    return state.keys() == {*RUNS, *ITEMS}


def test_a_failing_service_is_paid_once_in_the_end(story: Story) -> None:
    """Most answers are lost, then three of ten wrong: updates are repeated until all is there."""
    story.write_config(vod_resendWithin="600")
    lost = {"action": "StartWorkflow", "kind": "reset", "when": "after"}
    story.emulator.fault(**lost, chance=0.9, times=10**6)
    outcome = story.try_up(many)
    assert outcome.failed
    assert "A run may exist." in outcome.text
    assert not is_done(story)
    faults.end(story.emulator)
    faults.spread(story.emulator, 0.3, seed=5, hang=0.5)
    for _ in range(10):
        outcome = story.try_up(many)
        if is_done(story) and not outcome.failed:
            break
    assert is_done(story)
    assert len(story.emulator.ledger()) == len(ITEMS) + len(RUNS)
    faults.end(story.emulator)
    assert story.pays(many, 0).changed == []


# -- what this version does not know -----------------------------------------------------------

NEW: Mapping[str, Mapping[str, Any]] = {
    "GetWorkflowExecution": {"NewThing": {"InIt": [1]}},
    "GetWorkflowExecutionResult": {"NewResult": "told"},
}
"""Fields that later versions of the service tell, by the call that does."""


def tell(monkeypatch: pytest.MonkeyPatch, status: str | None) -> None:
    """Have the service tell new fields, and this status of runs if any."""
    for action, fields in NEW.items():
        usual = Service.get_workflow_execution
        if action == "GetWorkflowExecutionResult":
            usual = Service.get_workflow_execution_result

        def call(
            service: Service,
            parameters: dict[str, Any],
            usual: Any = usual,
            fields: Mapping[str, Any] = fields,
        ) -> Call:
            done = usual(service, parameters)
            said = {} if status is None else {"Status": status}
            return Call({**done.result, **said, **fields}, done.run_id)

        monkeypatch.setitem(CALLS, action, call)


@pytest.mark.parametrize("status", ["3007", "Paused", "00"])
def test_an_unknown_status_is_no_end_of_a_run(
    story: Story, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    """It is recorded with all that came with it, asks for no new run, and is asked about again."""
    story.pays(run(rerun_on_failure=True), 1)
    story.emulator.advance(5000)
    tell(monkeypatch, status)
    story.refresh()
    assert (story.run["status"], story.run["phase"]) == (status, "running")
    assert f"{status}: unknown to this version" in story.run["statusReason"]
    assert story.run["extra"] == {"newThing": {"inIt": [1]}}
    assert story.run["transcodes"] == []
    assert story.pays(run(rerun_on_failure=True), 0).changed == []
    asked = story.emulator.requests()["GetWorkflowExecution"]
    tell(monkeypatch, None)
    story.refresh()
    assert story.emulator.requests()["GetWorkflowExecution"] == asked + 1
    assert story.run["phase"] == "succeeded"
    assert story.run["extra"] == {"newThing": {"inIt": [1]}, "newResult": "told"}
    assert story.pays(run(rerun_on_failure=True), 0).changed == []


def batch_of_two() -> None:
    items: Any = {"a": {"vid": "v1"}, "b": {"vid": "v2", "rerun_on_failure": True}}
    WorkflowBatch("batch", items=items, defaults={"template_id": "t1"})


@pytest.mark.parametrize("status", ["3007", "Paused"])
def test_an_unknown_status_is_no_end_of_an_item(
    story: Story, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    story.pays(batch_of_two, 2)
    story.emulator.advance(5000)
    tell(monkeypatch, status)
    story.refresh()
    for item in story.batch["runs"].values():
        assert (item["status"], item["phase"]) == (status, "running")
        assert f"{status}: unknown to this version" in item["statusReason"]
    assert story.pays(batch_of_two, 0).changed == []
    tell(monkeypatch, None)
    story.refresh()
    assert {item["phase"] for item in story.batch["runs"].values()} == {"succeeded"}


def test_a_batch_holds_what_this_version_does_not_know(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.up(batch_of_two)
    tell(monkeypatch, None)
    story.refresh()
    for item in story.batch["runs"].values():
        assert item["extra"] == {"newThing": {"inIt": [1]}}


def awaited(**settings: Any) -> Program:
    def program() -> None:
        made = WorkflowRun("run", vid="v1", template_id="t1")
        WorkflowCompletion("done", runs=made, **settings)

    return program


@pytest.mark.parametrize(("status", "on_failure"), [("3007", "record"), ("Succeeded", "error")])
def test_an_unknown_status_does_not_end_a_wait(
    story: Story, monkeypatch: pytest.MonkeyPatch, status: str, on_failure: str
) -> None:
    """The wait's time passes, and what was last read is told; the next one sees the end."""
    story.up(run())
    story.emulator.advance(5000)
    tell(monkeypatch, status)
    failed = story.failing_up(awaited(timeout=3, on_failure=on_failure))
    assert f"{status}: unknown to this version" in failed.text
    assert "succeeded" not in failed.text
    tell(monkeypatch, None)
    story.pays(awaited(timeout=60, on_failure=on_failure), 0)
    assert story.completion["results"]["run"]["phase"] == "succeeded"


def test_a_wait_holds_what_this_version_does_not_know(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.up(run())
    story.emulator.advance(5000)
    tell(monkeypatch, None)
    story.up(awaited(timeout=60))
    result = story.completion["results"]["run"]
    assert result["extra"] == {"newThing": {"inIt": [1]}, "newResult": "told"}
