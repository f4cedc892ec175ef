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
from torture.declared import PROGRAM
from torture.questions import rightly
from torture.stand import Inputs, Stand

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


HIDDEN = """
from pathlib import Path
hidden = Path("hidden.txt").read_text()
if "run" in hidden:
    WorkflowRun(
        "hidden-run", vid="v-hidden", template_id="t",
        callback_args=pulumi.Output.secret("hush-hush-4711"),
        existing_run_id=hidden.partition("adopts ")[2] or None,
    )
if "batch" in hidden:
    items = pulumi.Output.secret({"a": {"vid": "hush-a"}, "b": {"vid": "hush-b"}})
    WorkflowBatch("hidden-batch", items=items, defaults={"template_id": "t"})
"""
"""
A run and a batch of which the export has only ciphertext: of its token, or of all items.

A changed configuration would update the engine's provider first. That write of the state drops the
pending update of the other batch.
"""


def lose(stand: Stand, accepted: int, unsent: list[str]) -> None:
    """Kill an update when the service has all its starts but some, and no answer has come back."""
    traps = [stand.gate.trap("accepted", number) for number in range(1, accepted + 1)]
    traps += [stand.gate.trap("sent", text=vid) for vid in unsent]
    command, before = stand.begin(), len(stand.ledger)
    assert first(command, lambda: all(trap.reached.is_set() for trap in traps)), command.said
    command.kill()
    for trap in traps:
        trap.release(lost=True)
    end(stand, command, patient=False)
    assert len(stand.ledger) == before + accepted


def declare(stand: Stand, *keys: str, lost: Inputs | None = None, hidden: str = "") -> None:
    """Declare a batch of new items and items that adopt their run, and further resources."""
    stand.declared.runs = {} if lost is None else {"lost": {"template_id": "t", **lost}}
    stand.declared.items = {"old": {"vid": "old"}, **{key: {"vid": key} for key in keys}}
    (stand.folder / "hidden.txt").write_text(hidden)


def test_each_start_without_a_run_is_asked_about(stand: Stand) -> None:
    """
    Some were sent, and the state has no run of them; some were not. Each answer works.

    What the console shows is adopted, the rest is forgotten; then each declared run is paid once.
    A job may skip the preview. The pending creates outlive `pulumi cancel` and an update without
    the resources. The first batch is updated, the hidden one is created: their pending operations
    are of different kinds.
    """
    keys = [f"k{number:02}" for number in range(11)]
    run = {"vid": "lost"}
    stand.project.program(PROGRAM + HIDDEN)
    declare(stand)
    assert stand.end(stand.begin()).code == 0
    declare(stand, *keys, lost=run, hidden="run batch")
    sent, unsent = keys[:8], keys[8:]
    lose(stand, accepted=8 + 4, unsent=unsent)

    move(stand)
    paid = stand.ids
    declare(stand, *keys)
    command = stand.begin()
    assert command.wait() != 0
    assert "got no response (journal: " in command.said
    assert "11 of 12 items" in command.said
    assert stand.ids == paid
    for key in sent:
        [stand.declared.items[key]["existing_run_id"]] = stand.runs_of(key)
    forget(stand, *(f"batch[{key}]" for key in unsent), code=1)  # the others wait for the adoption
    said = stand.end(stand.begin())
    assert said.code == 0, said.text
    assert {*stand.recorded} == {"old", *keys}
    assert {stand.paid[key] for key in ("old", *keys)} == {1}

    paid = stand.ids
    move(stand)
    declare(stand, *keys, lost=run)
    assert stand.preview().questions == {"lost"}
    assert asked(stand) == {"lost"}, "the preview has made no journal that hides the start"
    for hidden in ("run", "batch"):
        declare(stand, *keys, hidden=hidden)
        preview = stand.preview()
        assert preview.code, preview.text
        assert "got no response (journal: " in preview.text
        assert "hush" not in preview.text
    assert stand.ids == paid

    move(stand)  # a question is no answer, so another machine still has to adopt them
    adopted = {"lost": stand.runs_of("lost")[0], "hidden-run": stand.runs_of("v-hidden")[0]}
    forget(stand, "hidden-batch", code=1)
    run["existing_run_id"] = adopted["lost"]
    declare(stand, *keys, lost=run, hidden=f"run batch adopts {adopted['hidden-run']}")
    said = stand.up()
    # The hidden batch was forgotten, and its runs have ended.
    assert (said.code, said.promised, said.paid) == (0, 2, 2), said.text
    assert {name: stand.recorded[name] for name in adopted} == adopted
    assert {vid for vid, times in stand.paid.items() if times > 1} == {"hush-a", "hush-b"}


def test_an_interrupted_replacement_is_asked_about(stand: Stand) -> None:
    """`up --replace` keeps the token, so the state has a run of it. Each payment is a decision."""
    stand.declared.runs = {"run": {"vid": "v", "template_id": "t"}}
    assert stand.end(stand.begin()).code == 0
    stand.emulator.advance(5000)
    stand.project.command("refresh", "--yes", "--skip-preview", "-s", "dev")
    trap = stand.gate.trap("accepted", 1)
    command = stand.project.up("--skip-preview", "--replace", "**run")
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
    assert stand.end(stand.project.up("--replace", "**run")).code == 0
    assert stand.paid == {"v": 3}
    move(stand)  # the pending create stays, and another machine does not ask about it
    stand.project.command("refresh", "--yes", "--skip-preview", "-s", "dev")
    assert stand.end(stand.project.up("--skip-preview", "--replace", "**run")).code == 0
    assert stand.paid == {"v": 4}


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
