"""`up --continue-on-error`: what depends on a failed resource is skipped, all else goes on."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from pulumi_vod_workflow import WorkflowBatch, WorkflowRun
from pulumi_vod_workflow.core.resource_types import (
    BATCH_TYPE,
    COMPLETION_TYPE,
    PACKAGED_TYPES,
    RUN_TYPE,
)
from tests.engine.harness import Program, Story
from tests.scale import only_in_torture

pytestmark = pytest.mark.hosts("dynamic", torture="plugin")


def program(vid: str, edition: int = 1) -> Program:
    """Return a program of a run that may fail, what depends on it, and what does not."""

    def declare() -> None:
        bad = WorkflowRun("bad", vid=vid, template_id="t1", triggers={"edition": edition})
        WorkflowRun("vid", vid=bad.run_id, template_id="t2")
        WorkflowRun("optional", vid="v2", template_id="t2", triggers={"a": {"b": [bad.run_id]}})
        bad.wait()
        items: Any = {"a": {"vid": bad.run_id}, "b": {"vid": "v3"}}
        WorkflowBatch("batch", items=items, defaults={"template_id": "t3"})
        named = bad.run_id.apply(lambda run_id: {"key": {"vid": run_id}})
        WorkflowBatch("unknown-items", items=named, defaults={"template_id": "t4"})
        WorkflowRun("free", vid="v5", template_id="t5", triggers={"edition": edition})
        WorkflowRun("ordered", pulumi.ResourceOptions(parent=bad), vid="v6", template_id="t6")

    return declare


def added(vid: str, *, by_transform: bool) -> Program:
    """Return a program of a run that may fail, and others that get its id in other ways."""

    def declare() -> None:
        bad = WorkflowRun("bad", vid=vid, template_id="t1")

        def with_more(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult:
            item = {"vid": "v3", "callbackArgs": bad.run_id}
            more = {"items": {"a": item}} if "items" in args.props else {"callbackArgs": bad.run_id}
            return pulumi.ResourceTransformResult({**args.props, **more}, args.opts)

        opts = pulumi.ResourceOptions(transforms=[with_more] if by_transform else [])
        WorkflowRun("run", opts, vid="v2", template_id="t2")
        items: Any = {"a": {"vid": "v3"}}
        WorkflowBatch("batch", opts, items=items, defaults={"template_id": "t3"})

    return declare


def test_a_lost_value_that_a_transform_adds_starts_and_replaces_nothing(story: Story) -> None:
    """The engine does not skip the resource, as no dependency is declared: the provider refuses."""
    failed = story.failing_up(added("emu-missing", by_transform=True), continue_on_error=True)
    assert story.emulator.ledger() == []
    assert "Inputs depend on a resource that failed" in failed.text
    story.up(added("v1", by_transform=False))
    assert len(story.emulator.ledger()) == 3
    story.failing_up(added("emu-missing", by_transform=True), continue_on_error=True)
    assert len(story.emulator.ledger()) == 3, "what is recorded stays"
    story.pays(added("v1", by_transform=True), 2)


@only_in_torture("it holds a limit that docs/safety.md states, and no promise")
@pytest.mark.hosts("plugin")
def test_a_generated_class_needs_the_dependency_of_what_a_transform_adds(story: Story) -> None:
    """
    Only the classes of this package mark a lost value, and the engine removes it before `Check`.

    A dependency in the transform's options lets the engine skip the resource.
    """
    run_type = PACKAGED_TYPES[RUN_TYPE]

    def declare() -> None:
        bad = WorkflowRun("bad", vid="emu-missing", template_id="t1")

        def with_more(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult:
            opts = args.opts
            if args.name == "skipped":
                depends = pulumi.ResourceOptions(depends_on=[bad])
                opts = pulumi.ResourceOptions.merge(opts, depends)
            return pulumi.ResourceTransformResult({**args.props, "callbackArgs": bad.run_id}, opts)

        opts = pulumi.ResourceOptions(transforms=[with_more])
        for name in ("skipped", "started"):
            pulumi.CustomResource(run_type, name, {"vid": name, "templateId": "t2"}, opts)

    assert story.preview(declare).starts == 3
    story.failing_up(declare, continue_on_error=True)
    [start] = story.emulator.ledger()
    assert start["vid"] == "started"
    assert "callbackArgs" not in story.resources["started"]["outputs"], "docs/safety.md"


def test_what_depends_on_a_failed_resource_is_skipped_and_all_else_goes_on(story: Story) -> None:
    """Nothing is started with values missing, and the rest is started once."""
    failed = story.failing_up(program("emu-missing"), continue_on_error=True)
    errors = [text for name, text in failed.lines if text.startswith("StartWorkflow: ") and name]
    assert len(errors) == 1
    for wrong in ("has a problem", "has check errors", "Inputs depend on", "never awaited"):
        assert wrong not in failed.text
    assert [start["templateId"] for start in story.emulator.ledger()] == ["t5"]
    assert set(story.resources) == {"free"}
    assert story.of_type(BATCH_TYPE) == story.of_type(COMPLETION_TYPE) == {}

    refreshed = story.refresh_with(program("emu-missing"))
    assert not refreshed.failed, refreshed.text
    story.emulator.settings(pending_seconds=0, running_seconds=0)
    assert len(story.emulator.ledger()) == 1
    story.pays_for(
        program("v1"), promised=6, paid=7
    )  # how many unknown items are, no preview knows
    assert set(story.resources) == {"bad", "free", "vid", "optional", "ordered"}
    story.stays(program("v1"))

    again = story.failing_up(program("emu-missing", 2), continue_on_error=True)
    assert "has a problem" not in again.text
    ledger = [start["templateId"] for start in story.emulator.ledger()]
    assert ledger[8:] == ["t5"], "the dependents keep the runs that they have"
    assert "unknownInputs" not in story.raw_state
    assert {name: run["outputs"]["vid"] for name, run in story.resources.items()}["bad"] == "v1"
