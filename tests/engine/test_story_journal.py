"""Starts that were sent and never answered: the next preview asks, and each answer works."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pulumi
import pytest

from pulumi_vod_workflow.config.settings import DEFAULT_RESEND_WITHIN
from tests.engine.harness import WAYS, Outcome, Program, Story, run
from tests.engine.test_story_batch import batch, items, together

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


Each = Callable[[str], dict[str, Any] | None]
KINDS = ("run", "item")
"""What the questions are about: a run, and an item of a batch that has another beside it."""


def lost(**stories: Each) -> Program:
    """Return a program of both for each name, which are declared with more, or not at all."""

    def program() -> None:
        for name, each in stories.items():
            found = {kind: each(kind) for kind in KINDS}
            if found["run"] is not None:
                run(f"{name}-run", vid=f"{name}-run", **found["run"])()
            declared = {"beside": {"vid": f"{name}-beside"}}
            if found["item"] is not None:
                declared["item"] = {"vid": f"{name}-item", **found["item"]}
            batch(declared, name)()

    return program


def both(_: str) -> dict[str, Any]:
    return {}


def neither(_: str) -> None:
    return None


def only(kind: str) -> Each:
    return lambda of: {} if of == kind else None


def triggered(number: int) -> Each:
    return lambda _: {"triggers": {"again": number}}


def lose(story: Story, *names: str) -> None:
    """Have starts accepted, unanswered, whose runs end then: no start joins them any more."""
    story.up(lost(**dict.fromkeys(names, neither)))
    lose_the_answers(story, lost(**dict.fromkeys(names, both)))
    vids = [f"{name}-{part}" for name in names for part in ("beside", *KINDS)]
    assert sorted(start["vid"] for start in story.emulator.ledger()) == sorted(vids)
    story.emulator.advance(5000)


def ids(story: Story, name: str) -> dict[str, str]:
    """The runs that the questions are about, as the ledger has them: the last of each."""
    found = {start["vid"]: start["runId"] for start in story.emulator.ledger()}
    return {kind: found[f"{name}-{kind}"] for kind in KINDS}


def held(story: Story, name: str) -> set[str]:
    """The kinds whose run is in the state."""
    state = story.raw_state
    return {kind for kind, run_id in ids(story, name).items() if f'"{run_id}"' in state}


def test_it_is_forgotten_adopted_or_started_again(story: Story) -> None:
    """
    Without it the update succeeds; declared once more, the preview asks once more.

    The run that a person has found is taken, for free, and the question is answered. A trigger asks
    for a new start, which is shown and paid as one, and answers the question, too. Within
    `vod:resendWithin` the same start is sent again, as the preview says; the service decides.
    """
    lose(story, "found", "again", "same")
    assert asks(story.preview(lost(found=only("run"))))
    assert asks(story.failing_up(lost(found=only("item"))))
    first = ids(story, "again")

    def others(found: Each) -> Program:
        return lost(found=found, again=triggered(1), same=neither)

    story.pays(others(neither), 2)
    assert not {*ids(story, "again").values()} & {*first.values()}
    assert held(story, "again") == {*KINDS}
    for kind in KINDS:
        assert asks(story.preview(others(only(kind))))
    assert held(story, "found") == set()

    runs = ids(story, "found")
    story.pays(others(lambda kind: {"existing_run_id": runs[kind]}), 0)
    assert held(story, "found") == {*KINDS}
    story.emulator.advance(5000)
    story.write_config(vod_resendWithin="3600")
    outcome = story.pays(lost(found=both, again=triggered(2), same=both), 2 + 2)
    assert ids(story, "found") == runs
    assert "sends the start again" in outcome.of("same-run").text
    assert "paid again" in outcome.of("same").text


def test_what_was_accepted_by_a_lost_state_is_taken_over(story: Story) -> None:
    """
    As after a kill: the journal has the runs, the state has not.

    Meanwhile the user has changed `vod:journal`: a preview copies the records of the former file,
    and the update moves them. What a state has held is not taken over: lost again, or destroyed, it
    is a new run, shown and paid.
    """
    program = together(
        *(
            together(run(f"{fate}-run", template_id=fate), batch(three, fate, template_id=fate))
            for fate, three in (("lost", items("a", "b", "c")), ("destroyed", items("a", "b")))
        )
    )
    empty = story.stack.state_file.read_text()
    story.up(program)
    story.emulator.advance(5000)
    story.stack.state_file.write_text(empty)
    # Not in the state's folder: a file there has the same owner, whatever its path.
    story.write_config(vod_journal=str(story.folder / "other" / "journal.sqlite3"))
    outcome = story.pays(program, 0)
    assert "copied the records of 7 starts from " in story.shown.text
    assert "moved the records of 7 starts from " in outcome.text
    assert "reuses runs that an earlier update started (free)" in outcome.text
    of_runs = {resource["outputs"]["runId"] for resource in story.resources.values()}
    assert all(f"reuses {run_id} (free)" in outcome.text for run_id in of_runs)
    of_items = [item["runId"] for made in story.batches.values() for item in made["runs"].values()]
    assert {start["runId"] for start in story.emulator.ledger()} == {*of_runs, *of_items}
    assert "moved the records" not in story.stays(program).text
    story.refresh()
    assert {resource["outputs"]["phase"] for resource in story.resources.values()} == {"succeeded"}

    state = json.loads(story.stack.state_file.read_text())
    latest = state["checkpoint"]["latest"]
    latest["resources"] = [item for item in latest["resources"] if "::lost" not in item["urn"]]
    story.stack.state_file.write_text(json.dumps(state))
    story.destroy()
    story.pays(program, 7)


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


def test_a_question_names_what_to_look_for_and_all_others(story: Story) -> None:
    """
    The engine stops at the first resource: its message leads to the others.

    A refresh compares the state with itself and asks nothing; `up --refresh` asks, and takes
    answers. A changed declaration is a new start; that the old one was never answered is said.
    """

    def hidden() -> None:
        run("hidden", callback_args=pulumi.Output.secret("x"), vid="s3cret")()

    three = batch(items("a", "b", "old"))
    story.up(batch(items("old")))
    all_of_them = together(run(), hidden, three)
    lose_the_answers(story, together(all_of_them, run("changed")))
    starts = {start["vid"]: start["runId"] for start in story.emulator.ledger()}
    story.emulator.advance(5000)
    story.refresh()
    asked = story.preview(all_of_them)
    assert asks(asked)
    others = 3 if "of 2 of 3 items" in asked.text else 4  # whichever the engine comes to first
    told = f"The journal has {others} other starts of this stack without an answer."
    assert told in asked.text
    assert "hint: run `vod-workflow recover` to list all starts" in asked.text
    assert "the start (vid v1, workflow t1), sent or possibly sent at " in story.preview(run()).text
    alone = story.preview(hidden)
    assert "the start, sent or possibly sent at " in alone.text
    assert "s3cret" not in alone.text
    of_batch = story.failing_up(three, refresh=True)
    assert asks(of_batch)
    assert "the start of 2 of 3 items, sent or possibly sent " in of_batch.text
    assert "): a: vid v-a, workflow t1, b: vid v-b, workf" in of_batch.text
    adopted = {key: {"vid": f"v-{key}", "existing_run_id": starts[f"v-{key}"]} for key in "ab"}
    answered = together(run("changed", vid="v2"), batch({**adopted, **items("old")}))
    outcome = story.pays(answered, 1, refresh=True)
    assert {key: item["runId"] for key, item in story.batch["runs"].items()} == {
        key: starts[f"v-{key}"] for key in ("a", "b", "old")
    }
    assert "an earlier update sent 1 start for this resource and got no response" in outcome.text
    assert "no response" not in story.stays(answered).text


def test_a_run_that_is_not_there_is_not_taken_over(story: Story) -> None:
    """
    The provider reads it first. After a reset of the emulator, it starts a run: the lost one was
    free.

    Each record with the same work could give its run to another resource, and none has one. A run
    of another account is a question, never a start.
    """
    program = together(run(), batch(items("a", "b")))
    alike = together(*(run(f"alike-{number}", template_id="t2") for number in range(3)))
    empty = story.stack.state_file.read_text()
    story.up(together(program, alike))
    story.emulator.reset()
    story.stack.state_file.write_text(empty)
    story.up(together(program, batch({"x": {"vid": "v1"}}, "other", template_id="t2")))
    assert len(story.emulator.ledger()) == 3 + 1
    assert [*story.batches["other"]["runs"]] == ["x"]
    journal = next(story.state.rglob("vod-journal.sqlite3"))
    with sqlite3.connect(journal) as connection:
        connection.execute("UPDATE starts SET run_id = 'lb:of-somebody-else'")
    story.stack.state_file.write_text(empty)
    failed = story.failing_up(run())
    [question] = [text for name, text in failed.lines if name == "run" and WAYS[0] in text]
    assert question.startswith("GetWorkflowExecution: the service answered ResourceNotFound")
    assert all(way in question for way in WAYS)
    assert "hint: if this run of the journal " in failed.text
    assert len(story.emulator.ledger()) == 3 + 1
