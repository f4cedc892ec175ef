"""A service that fails often, and one that tells what this version does not know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pytest

from pulumi_vod_workflow import WorkflowBatch, WorkflowCompletion, WorkflowRun
from pulumi_vod_workflow.core.resource_types import BATCH_TYPE, COMPLETION_TYPE
from pulumi_vod_workflow.emulator.service import CALL_BY_ACTION, CallResult, Service
from tests import faults
from tests.engine.harness import Program, Story, run
from tests.engine.hosts import HostName

pytestmark = pytest.mark.hosts("dynamic", torture="plugin")

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
    story.stays(many)


# -- what this version does not know -----------------------------------------------------------

NEW: Mapping[str, Mapping[str, Any]] = {
    "GetWorkflowExecution": {"NewThing": {"InIt": [1]}},
    "GetWorkflowExecutionResult": {"NewResult": "told"},
}
"""Fields that later versions of the service tell, by the call that does."""


def tell(monkeypatch: pytest.MonkeyPatch, statuses: Mapping[str, str]) -> None:
    """Have the service tell new fields, and of some runs, by their ids, a status."""
    for action, fields in NEW.items():
        usual = Service.get_workflow_execution
        if action == "GetWorkflowExecutionResult":
            usual = Service.get_workflow_execution_result

        def call(
            service: Service,
            parameters: dict[str, Any],
            usual: Any = usual,
            fields: Mapping[str, Any] = fields,
        ) -> CallResult:
            done = usual(service, parameters)
            status = statuses.get(parameters["RunId"])
            said = {} if status is None else {"Status": status}
            return CallResult({**done.result, **said, **fields}, done.run_id)

        monkeypatch.setitem(CALL_BY_ACTION, action, call)


UNKNOWN = ("3007", "Paused", "00")
WAITS: Mapping[str, Literal["error", "record"]] = {"3007": "record", "Succeeded": "error"}
"""An unknown status -> what a wait does about a failure."""


def all_kinds(timeout: int | None = None) -> Program:
    """
    Return a program of a run and two items for each status, and of runs to wait for.

    Args:
        timeout: that of a wait for each of these runs; without it none is waited for.

    """

    def program() -> None:
        items: Any = {}
        for status in UNKNOWN:
            run(status, vid=status, rerun_on_failure=True)()
            items[f"{status}-a"] = {"vid": f"{status}-a"}
            items[f"{status}-b"] = {"vid": f"{status}-b", "rerun_on_failure": True}
        WorkflowBatch("batch", items=items, defaults={"template_id": "t1"})
        for status, on_failure in WAITS.items():
            name = f"awaited-{status}"
            made = WorkflowRun(name, vid=f"{status}-awaited", template_id="t1")
            if timeout is not None:
                WorkflowCompletion(
                    f"{name}-done", runs=made, timeout=timeout, on_failure=on_failure
                )

    return program


def test_an_unknown_status_is_no_end_of_a_run(
    story: Story, host: HostName, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    It is recorded with all that came with it, asks for no new run, and is asked about again.

    Of an item, too. It does not end a wait: the wait's time passes, and the message has what was
    last read; the next one sees the end.
    """
    story.up(all_kinds())
    assert len(story.emulator.ledger()) == 11
    story.emulator.advance(5000)
    statuses = {start["runId"]: start["vid"].partition("-")[0] for start in story.emulator.ledger()}
    tell(monkeypatch, statuses)
    story.refresh()
    told = [*(item["outputs"] for item in story.resources.values()), *story.batch["runs"].values()]
    assert {said["runId"]: said["status"] for said in told} == statuses
    for said in told:
        assert said["phase"] == "running"
        assert f"{said['status']}: unknown to this version" in said["statusReason"]
        assert said["extra"] == {"newThing": {"inIt": [1]}}
    for item in story.resources.values():
        assert item["outputs"]["transcodes"] == []

    failed = story.failing_up(all_kinds(3), continue_on_error=True)
    assert {op for op, _ in failed.changed} == {"create"}
    assert {name for _, name in failed.changed} == {f"awaited-{status}-done" for status in WAITS}
    for status in WAITS:
        assert f"{status}: unknown to this version" in failed.text
    assert "succeeded" not in failed.text

    tell(monkeypatch, {})
    story.pays(all_kinds(60), 0)
    for status in WAITS:
        outputs = story.of_type(COMPLETION_TYPE)[f"awaited-{status}-done"]["outputs"]
        [result] = outputs["results"].values()
        assert result["phase"] == "succeeded"
        assert result["extra"] == {"newThing": {"inIt": [1]}, "newResult": "told"}
    asked = story.emulator.requests()["GetWorkflowExecution"]
    story.refresh()
    unread = 0 if host == "plugin" else 11  # it has read the runs before the update
    assert story.emulator.requests()["GetWorkflowExecution"] == asked + unread
    for item in story.resources.values():
        assert item["outputs"]["phase"] == "succeeded"
        assert item["outputs"]["extra"] == {"newThing": {"inIt": [1]}, "newResult": "told"}
    for item in story.batch["runs"].values():
        assert item["phase"] == "succeeded"
        assert item["extra"] == {"newThing": {"inIt": [1]}}
    story.stays(all_kinds(60))
