"""An interrupted update, and then another name: each start is found again by its request."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from pulumi.automation._stack import StackInitMode

from pulumi_vod_workflow import WorkflowBatch, WorkflowRun
from pulumi_vod_workflow.errors import RENAMED_START_OPTIONS
from tests.engine.harness import Program, Stack, Story, run
from tests.engine.test_story_journal import asks, lose_the_answers

Declare = Callable[[str, pulumi.ResourceOptions | None], None]


def one(name: str, opts: pulumi.ResourceOptions | None = None) -> None:
    WorkflowRun(name, opts, vid="v1", template_id="t1")


def many(name: str, opts: pulumi.ResourceOptions | None = None) -> None:
    items = {key: {"vid": f"v-{key}"} for key in "abc"}
    WorkflowBatch(name, items=items, defaults={"template_id": "t1"}, opts=opts)


COUNT = {one: 1, many: 3}


class Component(pulumi.ComponentResource):
    """A component without anything else."""

    def __init__(self, name: str) -> None:
        super().__init__("my:module:Component", name)


def declared(*made: tuple[Declare, str]) -> Program:
    """Return a program of resources, in this order."""

    def program() -> None:
        for declare, name in made:
            declare(name, None)

    return program


def renamed_with_alias(declare: Declare) -> Program:
    return lambda: declare("new", pulumi.ResourceOptions(aliases=[pulumi.Alias(name="old")]))


def moved_into_a_component(declare: Declare) -> Program:
    def program() -> None:
        parent = Component("parent")
        alias = pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)
        declare("old", pulumi.ResourceOptions(parent=parent, aliases=[alias]))

    return program


def unchanged(declare: Declare) -> Program:
    return declared((declare, "old"))


def rename_the_stack(story: Story) -> None:
    """Run `pulumi stack rename`."""
    story.stack._run_pulumi_cmd_sync(["stack", "rename", "renamed"])
    story.stack = Stack("renamed", story.stack.workspace, StackInitMode.SELECT)


def no_more(_: Story) -> None:
    """Rename nothing else."""


WAYS_OF_RENAMING: dict[str, tuple[Callable[[Story], None], Callable[[Declare], Program]]] = {
    "stack": (rename_the_stack, unchanged),
    "alias": (no_more, renamed_with_alias),
    "component": (no_more, moved_into_a_component),
}


def lose_the_state(story: Story, program: Program) -> None:
    """Have starts accepted whose runs the state has not, as after a kill."""
    empty = story.stack.export_stack()
    story.up(program)
    story.emulator.advance(5000)  # the service does not join a start to a run that has ended
    story.stack.import_stack(empty)


def run_ids(story: Story) -> list[str]:
    """Return the ids of all recorded runs."""
    singles = [item["outputs"]["runId"] for item in story.resources.values()]
    batches = story.of_type("pulumi-python:dynamic/vod:WorkflowBatch").values()
    items = [run["runId"] for found in batches for run in found["outputs"]["runs"].values()]
    return sorted([*singles, *items])


def started(story: Story) -> list[str]:
    return sorted(start["runId"] for start in story.emulator.ledger())


@pytest.mark.parametrize("declare", [one, many])
@pytest.mark.parametrize("way", WAYS_OF_RENAMING)
def test_an_accepted_start_is_reused_under_the_new_name(
    story: Story, way: str, declare: Any
) -> None:
    rename, program = WAYS_OF_RENAMING[way]
    lose_the_state(story, unchanged(declare))
    rename(story)
    outcome = story.pays(program(declare), 0)
    assert run_ids(story) == started(story)
    assert "(free)" in outcome.text
    assert "old" in outcome.text
    story.stays(program(declare))


@pytest.mark.parametrize("declare", [one, many])
@pytest.mark.parametrize("way", WAYS_OF_RENAMING)
def test_an_unanswered_start_is_asked_about_under_the_new_name(
    story: Story, way: str, declare: Any
) -> None:
    rename, program = WAYS_OF_RENAMING[way]
    story.up(declared())
    lose_the_answers(story, unchanged(declare))
    story.emulator.advance(5000)
    rename(story)
    before = len(story.emulator.ledger())
    for outcome in (story.preview(program(declare)), story.failing_up(program(declare))):
        assert outcome.failed
        assert re.search(
            r"sent (at|between) .* for old.*, got no response \(journal: ", outcome.text
        )
        assert all(hint in outcome.text for hint in RENAMED_START_OPTIONS.splitlines())
        former = " --former-stack test" if way == "stack" else ""
        assert f"`vod-workflow recover{former} --forget-all`" in outcome.text
    assert len(story.emulator.ledger()) == before == COUNT[declare]


def test_the_run_of_the_other_name_is_adopted_and_the_question_is_answered(story: Story) -> None:
    """The adopted run has the token of the lost start, so the journal needs the start no longer."""
    story.up(declared())
    lose_the_answers(story, declared((one, "old")))
    [lost] = story.emulator.ledger()
    story.pays(run("new", existing_run_id=lost["runId"]), 0)
    # Nothing is left to ask about: a further run of the same request is a new one.
    story.pays(declared((one, "third")), 1)


def test_an_adopted_run_that_is_not_the_lost_one_is_told(story: Story) -> None:
    """The start of the resource stays in the journal: its run is paid, and still not found."""
    story.up(run("earlier"))
    [earlier] = story.emulator.ledger()
    story.up(declared())
    lose_the_answers(story, run())
    story.emulator.advance(5000)
    outcome = story.pays(run(existing_run_id=earlier["runId"]), 0)
    assert f"{earlier['runId']} is not the run of the start that was sent at " in outcome.text
    assert (
        "hint: compare another run of the VOD console: `vod-workflow recover --run" in outcome.text
    )
    story.destroy()
    assert asks(story.preview(run())), "the journal has kept it"
    lost = story.emulator.ledger()[-1]["runId"]
    outcome = story.pays(run(existing_run_id=lost), 0)
    assert "is not the run" not in outcome.text
    story.destroy()
    story.pays(run(), 1)


def test_runs_of_one_request_are_all_paid_if_nothing_was_interrupted(story: Story) -> None:
    """Their records stay until the next update; the state has their runs, so none is lost."""
    story.pays(declared((one, "a"), (one, "b")), 2)
    story.pays(declared((one, "c"), (one, "a"), (one, "b")), 1)
    story.pays(declared((one, "d")), 1)


def test_a_renamed_resource_whose_state_was_written_is_a_new_run(story: Story) -> None:
    """Without an alias the engine removes the old one, as its preview shows."""
    story.pays(declared((one, "old")), 1)
    story.pays(declared((one, "new")), 1)


def test_each_lost_run_serves_one_resource(story: Story) -> None:
    lose_the_state(story, declared((one, "a"), (one, "b")))
    lost = started(story)
    story.pays(declared((one, "c"), (one, "d"), (one, "e")), 1)
    assert {*lost} < {*run_ids(story)}
    assert run_ids(story) == started(story)


@pytest.mark.parametrize("first", ["a", "b"])
def test_whichever_is_checked_first_two_runs_are_paid_for_two_resources(
    story: Story, first: str
) -> None:
    """One was started and lost; the other one may get its run, and then it starts another."""
    lose_the_state(story, declared((one, "a")))

    def program() -> None:
        [second] = {"a", "b"} - {first}
        made = WorkflowRun(first, vid="v1", template_id="t1")
        WorkflowRun(second, pulumi.ResourceOptions(depends_on=[made]), vid="v1", template_id="t1")

    story.pays(program, 1)
    assert run_ids(story) == started(story)
    assert ("may have been started before" in story.shown.text) is (first == "b")
    story.stays(program)


def test_a_run_of_another_stack_that_exists_is_its_own(story: Story) -> None:
    """Two stacks of a program: each starts its runs, whatever the journal has of the other."""
    lose_the_state(story, declared((one, "run")))
    story.stack.workspace.create_stack("second")
    settings = story.folder / "Pulumi.test.yaml"
    shutil.copy(settings, story.folder / "Pulumi.second.yaml")
    first, story.stack = story.stack, Stack("second", story.stack.workspace, StackInitMode.SELECT)
    story.pays(declared((one, "run")), 1)
    story.stack = first
    story.pays(declared((one, "run")), 0)
