"""
A killed update, then another machine without its journal: the state's own evidence.

The state is in a shared folder. Each machine has a `PULUMI_HOME` and a journal of its own, as with
Pulumi Cloud.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.project import Project
from tests.engine.test_story_runs import vod
from tests.scale import scaled
from torture.crash import crash, end, first
from torture.questions import rightly
from torture.stand import Stand

pytestmark = pytest.mark.hosts("dynamic", torture="plugin")
CHANCE = random.Random(1)


@pytest.fixture
def stand(tmp_path: Path, like: Project) -> Iterator[Stand]:
    journal = tmp_path / "stand" / "machine" / "journal.sqlite3"
    with Stand(tmp_path / "stand", like, {"vod:journal": str(journal)}) as stand:
        move(stand)
        yield stand


def move(stand: Stand) -> None:
    """Go on at a fresh machine, after the service's runs have ended."""
    machine = stand.folder / "machine"
    if machine.exists():
        machine.rename(stand.folder / f"machine-{len([*stand.folder.glob('machine-*')])}")
    machine.mkdir()
    stand.project.environ["PULUMI_HOME"] = str(machine / "home")
    stand.project.install_plugin()
    stand.emulator.advance(5000)


def asked(stand: Stand) -> frozenset[str]:
    """Update, whose preview asks; nothing is paid. Return what it asks about."""
    before = stand.ids
    said = stand.up()
    rightly(said)
    assert stand.ids == before
    return said.questions


def forget(stand: Stand, *names: str, code: int = 0) -> None:
    options = [option for name in names for option in ("--forget", name)]
    vod(stand.project, "recover", "--stack", "dev", *options, code=code)


def test_a_run_that_was_sent_is_asked_about(stand: Stand) -> None:
    """
    It was paid, and the state has no run of it. What the console shows is adopted.

    The pending operation outlives `pulumi cancel` and updates without the resource.
    """
    stand.declared.runs = {"lost": {"vid": "lost", "template_id": "t"}}
    assert crash(stand, "group", "accepted", 1, CHANCE)
    [paid] = stand.runs_of("lost")
    stand.declared.runs = {"other": {"vid": "other", "template_id": "t"}}
    move(stand)
    assert stand.end(stand.begin()).code == 0
    stand.declared.runs["lost"] = {"vid": "lost", "template_id": "t"}
    move(stand)
    assert stand.preview().questions == {"lost"}
    assert asked(stand) == {"lost"}, "the preview has made no journal that hides the start"
    move(stand)  # a question is no answer, so another machine still has to adopt it
    stand.declared.runs["lost"]["existing_run_id"] = paid
    said = stand.up()
    assert (said.code, said.promised, said.paid) == (0, 0, 0), said.text
    assert stand.paid == {"lost": 1, "other": 1}
    assert stand.recorded["lost"] == paid


def test_of_a_batch_each_start_without_a_run_is_asked_about(stand: Stand) -> None:
    """
    Some were sent, some were not; once each is answered, each declared run is paid once.

    A job may skip the preview. An updated batch leaves a pending operation of another kind than
    the secret batch below, which is created.
    """
    stand.declared.items = {"old": {"vid": "old"}}
    assert stand.end(stand.begin()).code == 0
    keys = [f"k{number:02}" for number in range(11)]
    stand.declared.items |= {key: {"vid": key} for key in keys}
    assert crash(stand, "group", "accepted", 6, CHANCE)
    paid = stand.ids
    started = {key: runs[0] for key in keys if (runs := stand.runs_of(key))}
    assert started
    move(stand)
    command = stand.begin()
    assert command.wait() != 0
    assert "got no response (journal: " in command.said
    assert "11 of 12 items" in command.said
    assert stand.ids == paid
    for key, run_id in started.items():
        stand.declared.items[key] = {"vid": key, "existing_run_id": run_id}
    lost = [f"batch[{key}]" for key in keys if key not in started]
    forget(stand, *lost, code=1)  # the others wait for the adoption
    said = stand.end(stand.begin())
    assert said.code == 0, said.text
    assert {*stand.recorded} == {"old", *keys}
    assert {*stand.paid.values()} == {1}


def test_an_interrupted_replacement_is_asked_about(stand: Stand) -> None:
    """`up --replace` keeps the token, so the state has a run of it. Each payment is a decision."""
    stand.declared.runs = {"run": {"vid": "v", "template_id": "t"}}
    assert stand.end(stand.begin()).code == 0
    stand.emulator.advance(5000)
    stand.project.command("refresh", "--yes", "--skip-preview", "-s", "dev")
    trap = stand.gate.trap("accepted", 1)
    command = stand.project.up("--replace", "**run")
    assert first(command, trap.reached.is_set), command.said
    command.kill()
    trap.release(lost=True)
    end(stand, command, patient=False)
    assert stand.paid == {"v": 2}
    move(stand)
    assert stand.end(stand.begin()).code == 0, "nothing starts, so nothing is asked"
    refused = stand.project.up("--replace", "**run")
    assert refused.wait() != 0
    assert "A run may exist." in refused.said
    assert "A RUN MAY EXIST" in vod(stand.project, "recover", "--stack", "dev", code=1)
    assert stand.paid == {"v": 2}
    forget(stand, "run")
    for paid in (3, 4):  # the pending create stays, and another machine does not ask about it
        assert stand.end(stand.project.up("--replace", "**run")).code == 0
        assert stand.paid == {"v": paid}
        move(stand)
        stand.project.command("refresh", "--yes", "--skip-preview", "-s", "dev")


@pytest.mark.torture
@pytest.mark.parametrize("way", scaled(["again"], ["again", "forget"]))
def test_a_false_alarm_costs_one_look(stand: Stand, way: str) -> None:
    """Killed before anything was sent: the answer starts the run, once."""
    stand.declared.runs = {"run": {"vid": "v", "template_id": "t"}}
    assert crash(stand, "group", "connect", 1, CHANCE)
    assert not stand.ledger
    move(stand)
    assert asked(stand) == {"run"}
    if way == "again":
        stand.declared.runs["run"]["triggers"] = {"again": "1"}
    else:
        forget(stand, "run")
    said = stand.up()
    assert (said.code, said.promised, said.paid) == (0, 1, 1), said.text


def test_what_a_state_has_is_never_asked_about(stand: Stand) -> None:
    """The engine keeps the pending operation of a start that a later update has completed."""
    stand.declared.runs = {"run": {"vid": "v", "template_id": "t"}}
    stand.declared.items = {"a": {"vid": "a"}}
    assert crash(stand, "group", "returned", 1, CHANCE)
    assert stand.end(stand.begin()).code == 0, "the journal of this machine has the run"
    assert stand.paid == {"v": 1, "a": 1}
    assert '"creating"' in stand.project.command("stack", "export")
    move(stand)
    stand.declared.runs["new"] = {"vid": "new", "template_id": "t"}
    stand.declared.items["b"] = {"vid": "b"}
    stand.declared.runs["run"]["triggers"] = {"again": "1"}
    said = stand.end(stand.begin())
    assert said.code == 0, said.text
    assert stand.paid == {"v": 2, "a": 1, "new": 1, "b": 1}


SECRETS = {
    "run": """
        adopted = pulumi.Config().get("adopt")
        hidden = pulumi.Output.secret("hush-hush-4711")
        WorkflowRun(
            "run", vid="v", template_id="t", callback_args=hidden, existing_run_id=adopted
        )
        """,
    "batch": """
        items = pulumi.Output.secret({"a": {"vid": "hush-a"}, "b": {"vid": "hush-b"}})
        WorkflowBatch("batch", items=items, defaults={"template_id": "t"})
        """,
}


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_start_is_found_by_its_resource(stand: Stand, kind: str) -> None:
    """The export has only the ciphertext of its token, or of all items of a batch."""
    stand.project.program(SECRETS[kind])
    assert crash(stand, "group", "accepted", 1, CHANCE)
    paid = stand.ids
    move(stand)
    preview = stand.preview()
    assert preview.code, preview.text
    assert "got no response (journal: " in preview.text
    assert "hush" not in preview.text
    assert stand.ids == paid
    if kind == "run":
        stand.project.configure(project_adopt=min(paid))
    else:
        forget(stand, "batch")
    said = stand.end(stand.begin())
    assert said.code == 0, said.text
    assert len(stand.ids - paid) == {"run": 0, "batch": 2}[kind]
