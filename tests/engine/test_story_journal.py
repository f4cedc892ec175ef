"""Starts that were sent and never answered: the next preview asks, and each answer works."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pulumi
import pytest

from pulumi_vod_workflow.config.settings import DEFAULT_RESEND_WITHIN
from tests.engine.harness import WAYS, Outcome, Program, Story, run
from tests.engine.test_story_batch import batch, items


def asks(outcome: Outcome) -> bool:
    """Whether the command has stopped, said why, and named the ways on."""
    told = "and never answered, says the journal" in outcome.text
    return outcome.failed and told and all(way in outcome.text for way in WAYS)


def lose_the_answers(story: Story, program: Program) -> None:
    """Have starts accepted whose answers never come."""
    story.emulator.fault(action="StartWorkflow", kind="reset", when="after", times=999)
    story.stack.workspace.program = program
    outcome = story._run(story.stack.up)
    assert "A run may exist." in outcome.text or "MAY HAVE BEEN STARTED" in outcome.text
    story.emulator.fault(action="StartWorkflow", kind="reset", times=0)
    accepted = datetime.fromisoformat(story.emulator.ledger()[-1]["acceptedAt"])
    # The ledger's times have whole seconds.
    early = accepted.timestamp() + DEFAULT_RESEND_WITHIN + 1 - time.time()
    # Until then the provider sends the start again automatically.
    time.sleep(min(max(early, 0.0), DEFAULT_RESEND_WITHIN + 1))


def declared(kind: str) -> Callable[..., Program]:
    """A run, or a batch with an item beside it, that can be declared with more."""
    if kind == "run":
        return run

    def program(**more: Any) -> Program:
        return batch({"beside": {"vid": "v0"}, "run": {"vid": "v1", **more}})

    return program


@pytest.fixture(params=["run", "batch"])
def lost(request: pytest.FixtureRequest, story: Story) -> Callable[..., Program]:
    """A declaration whose start was accepted, unanswered, and whose run has ended since."""
    declare = declared(request.param)
    if request.param == "batch":
        story.pays(batch({"beside": {"vid": "v0"}}), 1)
    lose_the_answers(story, declare())
    assert [start["vid"] for start in story.emulator.ledger()][-1] == "v1"
    story.emulator.advance(5000)
    for command in (story.preview, story.failing_up):
        assert asks(command(declare()))
    return declare


def only(story: Story) -> dict[str, Any]:
    """The run that the question was about, as the ledger has it."""
    found: dict[str, Any] = [start for start in story.emulator.ledger() if start["vid"] == "v1"][-1]
    return found


def holds(story: Story, run_id: str) -> bool:
    return f'"{run_id}"' in story.raw_state


def test_it_is_adopted(story: Story, lost: Callable[..., Program]) -> None:
    """The run that a person has found is taken, for free, and the question is answered."""
    run_id = only(story)["runId"]
    story.pays(lost(existing_run_id=run_id), 0)
    assert holds(story, run_id)
    story.pays(lost(), 0)


def test_it_is_started_again_by_a_trigger(story: Story, lost: Callable[..., Program]) -> None:
    """A new start, shown and paid as one; the question is answered by it."""
    first = only(story)["runId"]
    story.pays(lost(triggers={"again": 1}), 1)
    assert only(story)["runId"] != first
    assert holds(story, only(story)["runId"])
    story.destroy()
    story.pays(lost(triggers={"again": 2}), 2 if len(story.emulator.ledger()) == 3 else 1)


def test_it_is_started_again_as_the_same(story: Story, lost: Callable[..., Program]) -> None:
    """Within `vod:resendWithin` it is sent again, as the preview says; the service decides."""
    story.write_config(vod_resendWithin="3600")
    outcome = story.pays(lost(), 1)
    assert "sent before and never answered" in outcome.text or "paid again" in outcome.text


def test_it_is_forgotten(story: Story, lost: Callable[..., Program]) -> None:
    """Without it everything goes on; declared once more, it is asked about once more."""
    rest = batch({"beside": {"vid": "v0"}}) if len(story.emulator.ledger()) == 2 else lambda: None
    story.pays(rest, 0)
    assert asks(story.preview(lost()))
    assert not holds(story, only(story)["runId"])


def test_what_was_accepted_by_a_lost_state_is_taken_over(story: Story) -> None:
    """As after a kill: the journal has the runs, the state has not."""
    program = batch(items("a", "b", "c"))
    empty = story.stack.export_stack()
    story.pays(program, 3)
    story.emulator.advance(5000)
    story.stack.import_stack(empty)
    outcome = story.pays(program, 0)
    assert "takes over, which is free" in outcome.text
    assert {item["runId"] for item in story.emulator.ledger()} == {
        item["runId"] for item in story.batch["runs"].values()
    }
    story.pays(program, 0)
    story.stack.import_stack(empty)
    story.pays(program, 3)


def test_what_a_state_has_held_is_not_taken_over(story: Story) -> None:
    """Destroyed and declared again it is a new run, shown and paid, as ever."""
    story.pays(run(), 1)
    story.destroy()
    story.emulator.advance(5000)
    story.pays(run(), 1)


def test_one_run_is_taken_over_too(story: Story) -> None:
    empty = story.stack.export_stack()
    story.pays(run(), 1)
    story.emulator.advance(5000)
    story.stack.import_stack(empty)
    outcome = story.pays(run(), 0)
    [start] = story.emulator.ledger()
    assert f"takes {start['runId']} over, which is free" in outcome.text
    assert story.run["runId"] == start["runId"]
    story.refresh()
    assert story.run["phase"] == "succeeded"


def test_what_is_said_to_be_free_stays_free(story: Story) -> None:
    """A forced replacement straight after the first update, the old run being deleted first."""
    made = run(opts=pulumi.ResourceOptions(delete_before_replace=True))
    story.pays(made, 1)
    story.emulator.advance(5000)
    [resource] = story.resources.values()
    outcome = story.pays(made, 0, replace=[resource["urn"]])
    assert "no state is known to hold it" in outcome.text
    story.refresh()
    story.pays(made, 1, replace=[resource["urn"]])


def test_a_batch_that_asks_can_be_refreshed_and_answered(story: Story) -> None:
    """A refresh compares the state with itself and asks nothing; `up --refresh` takes answers."""
    story.pays(batch(items("a")), 1)
    lose_the_answers(story, batch(items("a", "b")))
    story.emulator.advance(5000)
    story.write_config(vod_resendWithin="0")
    story.refresh()
    assert asks(story.failing_up(batch(items("a", "b")), refresh=True))
    run_id = story.emulator.ledger()[-1]["runId"]
    adopted = {**items("a"), "b": {"vid": "v-b", "existing_run_id": run_id}}
    story.up(batch(adopted), refresh=True)
    assert len(story.emulator.ledger()) == 2
    assert story.batch["runs"]["b"]["runId"] == run_id


def test_a_question_names_what_to_look_for_and_all_others(story: Story) -> None:
    """The engine stops at the first resource: its message leads to the others."""

    def hidden() -> None:
        run("hidden", callback_args=pulumi.Output.secret("x"), vid="s3cret")()

    def four() -> None:
        run()()
        hidden()
        batch(items("a", "b"))()

    lose_the_answers(story, four)
    asked = story.preview(four)
    assert asks(asked)
    others = 2 if "of 2 items 2" in asked.text else 3  # whichever the engine comes to first
    told = f"The journal has {others} other starts of this stack without an answer."
    assert told in asked.text
    assert "it (vid v1, workflow t1) was sent" in story.preview(run()).text
    alone = story.preview(hidden)
    assert "it was sent" in alone.text
    assert "s3cret" not in alone.text
    of_batch = story.preview(batch(items("a", "b")))
    assert "of 2 items 2 (a: vid v-a, workflow t1, b: vid v-b, workf" in of_batch.text


def test_another_start_of_it_is_mentioned(story: Story) -> None:
    """A changed declaration is a new start; that the old one was never answered is said."""
    lose_the_answers(story, run())
    outcome = story.pays(run(vid="v2"), 1)
    assert "an earlier update has sent once what was never answered" in outcome.text
    assert "never answered" not in story.pays(run(vid="v2"), 0).text


def test_a_run_of_another_account_is_not_taken_over(story: Story) -> None:
    """It is read first; one that is not there is a question, never a start."""
    empty = story.stack.export_stack()
    story.pays(run(), 1)
    journal = next(story.state.rglob("vod-journal.sqlite3"))
    with sqlite3.connect(journal) as connection:
        connection.execute("UPDATE starts SET run_id = 'lb:of-somebody-else'")
    story.stack.import_stack(empty)
    failed = story.failing_up(run())
    assert "says that this run was started for it" in failed.text
    assert all(way in failed.text for way in WAYS)
    assert len(story.emulator.ledger()) == 1


def test_an_emulator_that_was_reset_starts_anew(story: Story) -> None:
    """Nothing real is lost with it."""
    for program, count in ((run(), 1), (batch(items("a", "b")), 2)):
        empty = story.stack.export_stack()
        story.pays(program, count)
        story.emulator.reset()
        story.stack.import_stack(empty)
        story.up(program)
        assert len(story.emulator.ledger()) == count
        story.destroy()
        story.emulator.reset()
