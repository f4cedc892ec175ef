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

pytestmark = pytest.mark.hosts("dynamic", torture="plugin")


def asks(outcome: Outcome) -> bool:
    """Whether the command has stopped, said why, and named the ways on, in prose only."""
    assert '"vod.plan"' not in outcome.text
    told = "got no response (journal: " in outcome.text
    return outcome.failed and told and all(way in outcome.text for way in WAYS)


def lose_the_answers(story: Story, program: Program) -> None:
    """Have starts accepted whose answers never come."""
    story.emulator.fault(action="StartWorkflow", kind="reset", when="after", times=999)
    outcome = story.try_up(program, continue_on_error=True)
    assert "a run may exist" in outcome.text.lower()
    story.emulator.fault(action="StartWorkflow", kind="reset", times=0)
    accepted = datetime.fromisoformat(story.emulator.ledger()[-1]["acceptedAt"])
    # The ledger's times have whole seconds.
    early = accepted.timestamp() + DEFAULT_RESEND_WITHIN + 1 - time.time()
    # Until then the provider sends the start again automatically.
    time.sleep(min(max(early, 0.0), DEFAULT_RESEND_WITHIN + 1))


VIDS = {"run": "v1", "item": "v2"}
"""What the questions are about: a run, and an item of a batch that has another beside it."""


def lost(
    each: Callable[[str], dict[str, Any] | None] = lambda _: {},
    **more: Any,
) -> Program:
    """Return a program of both, which are declared with more, or not at all."""

    def program() -> None:
        found = {kind: each(kind) for kind in VIDS}
        if found["run"] is not None:
            run(**more, **found["run"])()
        declared = {"beside": {"vid": "v0"}}
        if found["item"] is not None:
            declared["item"] = {"vid": VIDS["item"], **more, **found["item"]}
        batch(declared)()

    return program


def only(kind: str) -> Program:
    """Return a program of one of both."""
    return lost(lambda of: {} if of == kind else None)


NEITHER = lost(lambda _: None)


@pytest.fixture
def asking(story: Story) -> Story:
    """A stack whose starts were accepted, unanswered, and whose runs have ended since."""
    story.up(NEITHER)
    lose_the_answers(story, lost())
    assert sorted(start["vid"] for start in story.emulator.ledger()) == ["v0", "v1", "v2"]
    story.emulator.advance(5000)
    assert asks(story.preview(only("run")))
    assert asks(story.failing_up(only("item")))
    return story


def ids(story: Story) -> dict[str, str]:
    """The runs that the questions are about, as the ledger has them: the last of each."""
    found = {start["vid"]: start["runId"] for start in story.emulator.ledger()}
    return {kind: found[vid] for kind, vid in VIDS.items()}


def held(story: Story) -> set[str]:
    """The kinds whose run is in the state."""
    return {kind for kind, run_id in ids(story).items() if f'"{run_id}"' in story.raw_state}


def test_it_is_forgotten_and_adopted(asking: Story) -> None:
    """
    Without it everything goes on; declared once more, it is asked about once more.

    The run that a person has found is taken, for free, and the question is answered.
    """
    asking.pays(NEITHER, 0)
    for kind in VIDS:
        assert asks(asking.preview(only(kind)))
    assert held(asking) == set()
    found = ids(asking)
    asking.pays(lost(lambda kind: {"existing_run_id": found[kind]}), 0)
    assert held(asking) == {*VIDS}
    asking.pays(lost(), 0)


def test_it_is_started_again_by_a_trigger(asking: Story) -> None:
    """A new start, shown and paid as one; the question is answered by it."""
    first = ids(asking)
    asking.pays(lost(triggers={"again": 1}), 2)
    assert not {*ids(asking).values()} & {*first.values()}
    assert held(asking) == {*VIDS}
    asking.emulator.advance(5000)
    asking.destroy()
    asking.pays(lost(triggers={"again": 2}), 3)


def test_it_is_started_again_as_the_same(asking: Story) -> None:
    """Within `vod:resendWithin` it is sent again, as the preview says; the service decides."""
    asking.write_config(vod_resendWithin="3600")
    outcome = asking.pays(lost(), 2)
    assert "sends the start again" in outcome.text
    assert "paid again" in outcome.text


def test_what_was_accepted_by_a_lost_state_is_taken_over(story: Story) -> None:
    """
    As after a kill: the journal has the runs, the state has not.

    Meanwhile the user has changed `vod:journal`: the records move from the former file.
    """
    program = batch(items("a", "b", "c"))
    empty = story.stack.export_stack()
    story.up(program)
    story.emulator.advance(5000)
    story.stack.import_stack(empty)
    # Not in the state's folder: a file there has the same owner, whatever its path.
    story.write_config(vod_journal=str(story.folder / "other" / "journal.sqlite3"))
    outcome = story.pays(program, 0)
    assert "moved the records of 3 starts from " in story.shown.text
    assert "reuses runs that an earlier update started (free)" in outcome.text
    assert {item["runId"] for item in story.emulator.ledger()} == {
        item["runId"] for item in story.batch["runs"].values()
    }
    assert "moved the records" not in story.stays(program).text
    story.stack.import_stack(empty)
    story.pays(program, 3)


def test_what_a_state_has_held_is_not_taken_over(story: Story) -> None:
    """Destroyed and declared again it is a new run, shown and paid, as ever."""
    story.up(run())
    story.destroy()
    story.emulator.advance(5000)
    story.pays(run(), 1)


def test_one_run_is_taken_over_too(story: Story) -> None:
    empty = story.stack.export_stack()
    story.up(run())
    story.emulator.advance(5000)
    story.stack.import_stack(empty)
    outcome = story.pays(run(), 0)
    [start] = story.emulator.ledger()
    assert f"reuses {start['runId']} (free)" in outcome.text
    assert story.run["runId"] == start["runId"]
    story.refresh()
    assert story.run["phase"] == "succeeded"


@pytest.mark.hosts("dynamic")  # the packaged provider reads unfinished runs before each preview
def test_what_is_said_to_be_free_stays_free(story: Story) -> None:
    """A forced replacement straight after the first update, the old run being deleted first."""
    made = run(opts=pulumi.ResourceOptions(delete_before_replace=True))
    story.up(made)
    story.emulator.advance(5000)
    [resource] = story.resources.values()
    outcome = story.pays(made, 0, replace=[resource["urn"]])
    assert "no known state has it (journal: " in outcome.text
    story.refresh()
    story.pays(made, 1, replace=[resource["urn"]])


def test_a_batch_that_asks_can_be_refreshed_and_answered(story: Story) -> None:
    """A refresh compares the state with itself and asks nothing; `up --refresh` takes answers."""
    story.up(batch(items("a")))
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
    others = 2 if "of 2 of 2 items" in asked.text else 3  # whichever the engine comes to first
    told = f"The journal has {others} other starts of this stack without an answer."
    assert told in asked.text
    assert "hint: run `vod-workflow recover` to list all starts" in asked.text
    assert "the start (vid v1, workflow t1), sent or possibly sent at " in story.preview(run()).text
    alone = story.preview(hidden)
    assert "the start, sent or possibly sent at " in alone.text
    assert "s3cret" not in alone.text
    of_batch = story.preview(batch(items("a", "b")))
    assert "the start of 2 of 2 items, sent or possibly sent " in of_batch.text
    assert "): a: vid v-a, workflow t1, b: vid v-b, workf" in of_batch.text


def test_another_start_of_it_is_mentioned(story: Story) -> None:
    """A changed declaration is a new start; that the old one was never answered is said."""
    lose_the_answers(story, run())
    outcome = story.pays(run(vid="v2"), 1)
    assert "an earlier update sent 1 start for this resource and got no response" in outcome.text
    assert "no response" not in story.stays(run(vid="v2")).text


def test_a_run_of_another_account_is_not_taken_over(story: Story) -> None:
    """It is read first; one that is not there is a question, never a start."""
    empty = story.stack.export_stack()
    story.up(run())
    journal = next(story.state.rglob("vod-journal.sqlite3"))
    with sqlite3.connect(journal) as connection:
        connection.execute("UPDATE starts SET run_id = 'lb:of-somebody-else'")
    story.stack.import_stack(empty)
    failed = story.failing_up(run())
    [question] = [text for name, text in failed.lines if name == "run" and WAYS[0] in text]
    assert question.startswith("GetWorkflowExecution: the service answered ResourceNotFound")
    assert all(way in question for way in WAYS)
    assert "hint: if this run of the journal " in failed.text
    assert len(story.emulator.ledger()) == 1


def test_an_emulator_that_was_reset_starts_anew(story: Story) -> None:
    """Nothing real is lost with it."""

    def both() -> None:
        run()()
        batch(items("a", "b"))()

    empty = story.stack.export_stack()
    story.up(both)
    story.emulator.reset()
    story.stack.import_stack(empty)
    story.up(both)
    assert len(story.emulator.ledger()) == 3
