"""An interrupted update, and then another name: each start is found again by its request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from pulumi.automation._stack import StackInitMode

from pulumi_vod_workflow import WorkflowBatch, WorkflowRun
from tests.engine.harness import Program, Stack, Story
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
    preview = story.preview(program(declare))
    assert asks(preview), preview.text
    assert "sent for old" in preview.text
    assert asks(story.failing_up(program(declare)))
    assert len(story.emulator.ledger()) == before == COUNT[declare]
