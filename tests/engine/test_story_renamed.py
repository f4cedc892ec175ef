"""An interrupted update, and then another name: each start is found again by its request."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable
from typing import Any

import anyio
import pulumi
import pytest
from pulumi.automation._stack import StackInitMode

from pulumi_vod_workflow import WorkflowBatch, WorkflowRun
from pulumi_vod_workflow.core.request import request_fields
from pulumi_vod_workflow.core.resource_types import BATCH_TYPE
from pulumi_vod_workflow.core.signing import Credentials
from pulumi_vod_workflow.errors import RENAMED_START_OPTIONS
from pulumi_vod_workflow.transport.client import VodClient
from tests.engine.harness import Outcome, Program, Stack, Story, run
from tests.engine.test_story_batch import together
from tests.engine.test_story_journal import asks, lose_the_answers
from tests.scale import scaled

pytestmark = pytest.mark.hosts("dynamic", torture="plugin")

Declare = Callable[[str, pulumi.ResourceOptions | None], None]


def one(name: str, opts: pulumi.ResourceOptions | None = None, vid: str = "v1") -> None:
    WorkflowRun(name, opts, vid=vid, template_id="t1")


def many(name: str, opts: pulumi.ResourceOptions | None = None, vid: str = "v1") -> None:
    items = {key: {"vid": f"{vid}-{key}"} for key in "abc"}
    WorkflowBatch(name, items=items, defaults={"template_id": "t1"}, opts=opts)


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


def aliased(name: str) -> tuple[str, pulumi.ResourceOptions]:
    """Give a resource another name, with an alias."""
    return f"new-{name}", pulumi.ResourceOptions(aliases=[pulumi.Alias(name=name)])


def moved(name: str) -> tuple[str, pulumi.ResourceOptions]:
    """Move a resource into a component, with an alias."""
    alias = pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)
    return name, pulumi.ResourceOptions(parent=Component(f"of-{name}"), aliases=[alias])


def kept(name: str) -> tuple[str, None]:
    """Leave a resource as it is."""
    return name, None


Renamed = Callable[[str], tuple[str, pulumi.ResourceOptions | None]]
ROWS: dict[str, tuple[Any, Renamed]] = {
    "run-alias": (one, aliased),
    "run-component": (one, moved),
    "run-stack": (one, kept),
    "batch-alias": (many, aliased),
    "batch-component": (many, moved),
    "batch-stack": (many, kept),
}
"""A run and a batch, each renamed in each way. Each has a name and a request of its own."""
OF_THE_STACK = [row for row in ROWS if row.endswith("stack")]
"""The rows whose only change is the name of the stack."""
OTHERS = [row for row in ROWS if row not in OF_THE_STACK]


def before(rows: Iterable[str] = ROWS) -> Program:
    """Return a program of rows with their first names."""

    def program() -> None:
        for row in rows:
            ROWS[row][0](row, vid=row)

    return program


def after(rows: Iterable[str] = ROWS) -> Program:
    """Return a program of rows with their last names."""

    def program() -> None:
        for row in rows:
            declare, rename = ROWS[row]
            declare(*rename(row), vid=row)

    return program


def rename_the_stack(story: Story) -> None:
    """Run `pulumi stack rename`."""
    story.stack._run_pulumi_cmd_sync(["stack", "rename", "renamed"])
    story.stack = Stack("renamed", story.stack.workspace, StackInitMode.SELECT)


def lose_the_state(story: Story, program: Program) -> None:
    """Have starts accepted whose runs the state has not, as after a kill."""
    empty = story.stack.state_file.read_text()
    story.up(program)
    story.emulator.advance(5000)  # the service does not join a start to a run that has ended
    story.stack.state_file.write_text(empty)


def started_by_hand(story: Story, **fields: str) -> str:
    """Start a run in the console of the service, and return its id."""

    async def start() -> str:
        keys = Credentials("AKLTEMULATOR", "emulator-secret-key")
        client = VodClient(story.emulator.url, "cn-north-1", keys)
        answer = await client.start_workflow(request_fields(fields), "by hand")
        await client.aclose()
        return str(answer.result["RunId"])

    return anyio.run(start)


def run_ids(story: Story) -> list[str]:
    """Return the ids of all recorded runs."""
    singles = [item["outputs"]["runId"] for item in story.resources.values()]
    batches = story.of_type(BATCH_TYPE).values()
    items = [run["runId"] for found in batches for run in found["outputs"]["runs"].values()]
    return sorted([*singles, *items])


def started(story: Story) -> list[str]:
    return sorted(start["runId"] for start in story.emulator.ledger())


def free(outcome: Outcome) -> set[str]:
    """Return the rows that are said to be free."""
    return {name.removeprefix("new-") for name, text in outcome.lines if "(free)" in text}


def pair(first: str) -> Program:
    """Return a program of `a` and `b`, of which one is checked after the other has its run."""

    def program() -> None:
        [second] = {"a", "b"} - {first}
        made = WorkflowRun(first, vid="pair", template_id="t1")
        opts = pulumi.ResourceOptions(depends_on=[made])
        WorkflowRun(second, opts, vid="pair", template_id="t1")

    return program


@pytest.mark.torture
@pytest.mark.parametrize("first", scaled(["b"], ["a", "b"]))
def test_an_accepted_start_is_reused_under_the_new_name(story: Story, first: str) -> None:
    """
    First the resources are renamed, then the stack, each time before the runs are recorded.

    Each lost run serves one resource: of three resources with the same request as two lost runs,
    one is paid. Of two resources with the same request as one lost run, one is paid, whichever is
    checked first; the other one may get its run, and then it starts another.
    """

    def one_of_a_pair() -> None:
        one("a", vid="pair")

    lose_the_state(story, together(before(), declared((one, "x"), (one, "y")), one_of_a_pair))
    assert len(started(story)) == 3 * 1 + 3 * 3 + 2 + 1
    others = together(declared((one, "c"), (one, "d"), (one, "e")), pair(first))
    outcome = story.pays(together(after(OTHERS), others), 1 + 1)
    assert free(outcome) & {*ROWS} == {*OTHERS}, outcome.lines
    assert "started it for run-alias, and" in outcome.text
    assert "started it for run-component (without parent), and" in outcome.text
    doubts = [name for name, text in story.shown.lines if "may have been started before" in text]
    assert bool({"a", "b"} & {*doubts}) is (first == "b")
    rename_the_stack(story)
    outcome = story.pays(together(after(), others), 0)
    assert free(outcome) & {*ROWS} == {*OF_THE_STACK}, outcome.lines
    assert "started it for run-stack (stack test), and" in outcome.text
    assert run_ids(story) == started(story)


@pytest.mark.torture
def test_an_unanswered_start_is_asked_about_under_the_new_name(story: Story) -> None:
    """A preview of each row asks; so does an update, which starts nothing."""

    def asks_about(outcome: Outcome, row: str, former: str = "") -> None:
        assert outcome.failed
        sent = rf"sent (at|between) .* for {row}.*, got no response \(journal: "
        assert re.search(sent, outcome.text), outcome.text
        assert all(hint in outcome.text for hint in RENAMED_START_OPTIONS.splitlines())
        assert f"`vod-workflow recover{former} --forget-all`" in outcome.text

    lose_the_answers(story, before())
    story.emulator.advance(5000)
    paid = started(story)
    assert len(paid) == 3 * 1 + 3 * 3
    for row in scaled(["batch-alias"], OTHERS):
        asks_about(story.preview(after([row])), row)
    asks_about(story.failing_up(after(["run-component"])), "run-component")
    rename_the_stack(story)
    asks_about(story.preview(after(["batch-stack"])), "batch-stack", " --former-stack test")
    asks_about(story.failing_up(after(["run-stack"])), "run-stack", " --former-stack test")
    assert started(story) == paid


def test_an_adopted_run_answers_the_question_about_its_own_start_only(story: Story) -> None:
    """
    The run that was started for another name is adopted: the journal needs its start no longer.

    A line names an adopted run that is not the lost one. The start of the resource stays in the
    journal, because its run is paid, and still not found.
    """

    def declared_as(*, new: str, run_id: str) -> Program:
        return together(run("new", vid="v2", existing_run_id=new), run(existing_run_id=run_id))

    empty = story.stack.state_file.read_text()
    lose_the_answers(story, together(run("old", vid="v2"), run()))
    story.emulator.advance(5000)
    ids = {start["vid"]: start["runId"] for start in story.emulator.ledger()}
    of_old, lost = ids["v2"], ids["v1"]
    earlier = started_by_hand(story, vid="v1", templateId="t1")
    assert len({earlier, of_old, lost}) == 3
    outcome = story.up(declared_as(new=of_old, run_id=earlier))
    [told] = [text for _, text in outcome.lines if " is not the run of the start that was " in text]
    assert told.startswith(f"{earlier} is not the run of the start that was sent at ")
    hint = "hint: compare another run of the VOD console: `vod-workflow recover --run"
    assert hint in outcome.text
    story.stack.state_file.write_text(empty)
    assert asks(story.preview(run())), "the journal has kept it"
    # Nothing is left to ask about `old`: a further run of its request is a new one.
    third = run("third", vid="v2")
    outcome = story.up(together(declared_as(new=of_old, run_id=lost), third))
    assert "is not the run" not in outcome.text
    assert len(story.emulator.ledger()) == 4


def test_runs_of_one_request_are_all_paid_if_nothing_was_interrupted(story: Story) -> None:
    """
    Their records stay until the next update; the state has their runs, so none is lost.

    A renamed resource without an alias is a new run: the engine removes the old one.
    """
    story.up(declared((one, "a"), (one, "b")))
    assert len(started(story)) == 2
    story.pays(declared((one, "c"), (one, "a"), (one, "renamed-b")), 2)


def test_a_run_of_another_stack_that_exists_is_its_own(story: Story) -> None:
    """Two stacks of a program: each starts its runs, whatever the journal has of the other."""
    lose_the_state(story, declared((one, "run")))
    story.stack.workspace.create_stack("second")
    settings = story.folder / "Pulumi.test.yaml"
    shutil.copy(settings, story.folder / "Pulumi.second.yaml")
    first, story.stack = story.stack, Stack("second", story.stack.workspace, StackInitMode.SELECT)
    story.up(declared((one, "run")))
    assert len(started(story)) == 2
    story.stack = first
    story.up(declared((one, "run")))
    assert len(started(story)) == 2
