"""`vod-workflow recover`: what a state's notes and a journal together tell."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pulumi_vod_workflow.cli.pulumi_files.stack_export import read_stack
from pulumi_vod_workflow.cli.recover import model
from pulumi_vod_workflow.cli.recover.render_text import RecoveryReport
from pulumi_vod_workflow.config.backend import PULUMI_CLOUD
from pulumi_vod_workflow.config.clock import SystemClock
from pulumi_vod_workflow.core.recovery import RecoveryAction, start_intent
from pulumi_vod_workflow.core.resource_types import BATCH_TYPE, RUN_TYPE
from pulumi_vod_workflow.emulator import VodEmulator
from pulumi_vod_workflow.journal.sqlite import SqliteJournal
from tests.cli.conftest import Vod
from tests.cli.exports import NOW, SECRET, at, batch, creating, provider, run, written
from tests.cli.test_watch import config, started

SITE = {"endpoint": "https://vod.example", "region": "cn-north-1"}
START = {"vid": "v1", "templateId": "t", "clientToken": "pvw1-1"}


class At(SystemClock):
    """It is always so many seconds before NOW."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def now(self) -> datetime:
        return NOW - timedelta(seconds=self._seconds)


def scope(name: str, item: str = "") -> dict[str, str]:
    return {"project": "shop", "stack": "dev", "name": name} | ({"item": item} if item else {})


class Machine:
    """A journal, and the stack whose updates wrote it."""

    def __init__(self, folder: Path, vod: Vod) -> None:
        self.folder, self._vod = folder, vod
        self.journal = folder / "journal.sqlite3"
        self.config: dict[str, Any] = {f"vod_{key}": value for key, value in SITE.items()}

    def sent(
        self,
        inputs: Mapping[str, Any],
        seconds: float,
        run_id: str = "",
        submitted: datetime | None = None,
        site: Mapping[str, str] | None = None,
    ) -> None:
        """Note a start that was sent so long ago, and its run if it was accepted."""
        journal = SqliteJournal(self.journal, PULUMI_CLOUD, At(seconds))
        order = start_intent(inputs, **{**SITE, **(site or {})})
        journal.import_pending("shop", "dev", [])
        journal.claim(order, "an update").result()
        if run_id:
            moment = f"{submitted or At(seconds).now():%Y-%m-%dT%H:%M:%SZ}"
            journal.record_accepted(order, {"runId": run_id, "submittedAt": moment}).result()

    def recover(self, *resources: Any, pending: list[Any], code: int = 0, options: Any = ()) -> Any:
        """Return what became of each start, and what is said about it."""
        source = written(
            self.folder / "x.json", provider(**self.config), *resources, pending=pending
        )
        arguments = ["recover", source, "--journal", str(self.journal), "--offline", *options]
        text = self._vod(*arguments, code=code).stdout
        told = json.loads(self._vod(*arguments, "-f", "json", code=code).stdout)
        assert told["needsADecision"] is (code == 1)
        became = {
            start["name"]: (start["became"], start["runId"])
            for operation in told["operations"]
            for start in operation["starts"]
        }
        return became, text

    def forget(self, *names: str, pending: list[Any], code: int = 0) -> str:
        """Have starts forgotten, and return what is said, or what is wrong."""
        source = written(self.folder / "y.json", provider(**self.config), pending=pending)
        options = [part for name in names for part in ("--forget", name)]
        done = self._vod(
            "recover", source, "--journal", str(self.journal), "--offline", *options, code=code
        )
        return str(done.stderr if code == 2 else done.stdout)


@pytest.fixture
def machine(tmp_path: Path, vod: Vod) -> Machine:
    return Machine(tmp_path, vod)


ONE: dict[str, Any] = {**START, "scope": scope("one")}
PENDING = [creating(RUN_TYPE, "one", START)]


@pytest.mark.parametrize(
    ("seconds", "run_id", "became", "says"),
    [
        (60, "lb:1", "accepted", "one: accepted as lb:1 at 2026-05-06T07:59:00Z"),
        (31 * 86400, "lb:1", "too_old", ", too old: the service no longer finds the run"),
        (61, "", "unclear", "one: sent 2026-05-06 07:58:59 UTC, no response. A RUN MAY EXIST"),
        (3, "", "resent", "within vod:resendWithin (4 s) `pulumi up` sends the same start again"),
    ],
)
def test_what_the_journal_has_is_told(
    machine: Machine, seconds: float, run_id: str, became: str, says: str
) -> None:
    """A person decides about what may be a run, or is too old to be read."""
    code = int(became in {"unclear", "too_old"})
    machine.sent(ONE, seconds, run_id)
    told, text = machine.recover(pending=PENDING, code=code)
    assert told == {"one": (became, run_id or None)}
    assert says in text
    assert "refresh --clear-pending-creates" in text


def test_what_to_look_for_is_named_and_the_end_is_one_command(machine: Machine) -> None:
    """By its source and workflow, unless they are secret or nobody knows them any more."""
    machine.sent(ONE, 61)
    url = {"directUrl": {"fileName": "a.mp4", "spaceName": "s"}, "templateId": "t"}
    two = {**url, "clientToken": "pvw1-2"}
    machine.sent({**two, "scope": scope("two")}, 61)
    hidden = {**START, "vid": SECRET, "clientToken": SECRET, "secretInputs": True}
    machine.sent({**START, "scope": scope("hidden")}, 61)
    machine.sent({**START, "scope": scope("failed")}, 61)
    pending = [*PENDING, creating(RUN_TYPE, "two", two), creating(RUN_TYPE, "hidden", hidden)]
    _, text = machine.recover(pending=pending, code=1)
    assert "  one: sent 2026-05-06 07:58:59 UTC, no response. A RUN MAY EXIST: vid v1, w" in text
    assert "A RUN MAY EXIST: file a.mp4, workflow t\n" in text
    assert "A RUN MAY EXIST: workflow t (found by its name only" in text
    assert "failed (WorkflowRun): sent by an earlier update; no known state has the run" in text
    assert "see the program for its video and workflow" in text
    [*_, last] = text.splitlines()
    assert last == "Then: `pulumi refresh --clear-pending-creates && pulumi up`"
    assert "\nDo not use --import-pending-creates: " in text
    _, text = machine.recover(pending=[], code=1)
    assert text.endswith("\nThen: `pulumi up`\n")


def test_how_to_adopt_is_spelled_out(machine: Machine) -> None:
    """On this machine nothing has to be done; elsewhere the program names the run."""
    machine.sent(ONE, 60, "lb:1")
    _, text = machine.recover(pending=PENDING)
    assert (
        "on this machine, with this journal, `pulumi up` reuses each run whose declaration" in text
    )
    assert 'WorkflowRun("one"): existing_run_id="lb:1"' in text


def test_the_stacks_own_resend_within_counts(machine: Machine) -> None:
    """The export tells how the stack was configured."""
    machine.config["vod_resendWithin"] = "600"
    machine.sent(ONE, 60)
    told, text = machine.recover(pending=PENDING)
    assert told == {"one": ("resent", None)}
    assert "(600 s)" in text


def test_nothing_in_the_journal_means_not_sent_by_it(machine: Machine) -> None:
    machine.sent({**ONE, "scope": scope("other")}, 60, "lb:9")
    told, text = machine.recover(pending=PENDING)
    assert told == {"one": ("unsent", None), "other": ("accepted", "lb:9")}
    assert "`pulumi up` starts each once, as its preview shows: paid" in text


def test_without_a_journal_each_unfinished_operation_may_have_sent_its_starts(
    machine: Machine,
) -> None:
    """As `pulumi up` takes it with the same journal."""
    told, text = machine.recover(pending=PENDING, code=1)
    assert told == {"one": ("unclear", None)}
    assert f"journal: {machine.journal} (--journal; there is none)" in text
    begun = "one: begun by an unfinished operation before 2026-05-06 07:59:00 UTC, "
    assert f"{begun}not in the journal. A RUN MAY EXIST" in text
    assert "run `vod-workflow recover` on the machine of that update, or pass the journal" in text
    assert not machine.journal.exists(), "a look makes no file"
    assert "Do not use --clear-pending-creates before the next update" in text
    assert text.splitlines()[-1] == "Then: `pulumi up`", "only the state has the start"


def test_false_alarms_of_a_fresh_journal_are_answered_at_once(machine: Machine) -> None:
    """The journal remembers the answer: the next update asks about none of them."""
    inputs = {"items": {key: {"vid": key} for key in "abc"}, "defaults": {"templateId": "t"},
              "clientTokens": {key: f"pvw1-{key}" for key in "abc"}}  # fmt: skip
    pending = [creating(BATCH_TYPE, "many", inputs), creating(BATCH_TYPE, "more", inputs)]
    refused = machine.forget("many", pending=pending, code=2)
    assert "hint: all items of the batch: --forget 'many[*]'\n" in refused
    text = machine.forget("many[*]", pending=pending, code=1)
    assert "removed from the journal: many[a], many[b], many[c]\n" in text
    told, _ = machine.recover(pending=pending, code=1)
    assert {*told.values()} == {("unsent", None), ("unclear", None)}
    machine.sent({**ONE, "scope": scope("other")}, 60, "lb:1")
    options = ["--forget-all"]
    told, text = machine.recover(pending=pending, options=options)
    assert {start for name, start in told.items() if name != "other"} == {("unsent", None)}
    assert told["other"] == ("accepted", "lb:1")
    _, text = machine.recover(pending=pending, options=options)
    assert "removed from the journal: nothing, because no listed start is without" in text


def test_the_journals_clock_gives_the_age_of_a_start(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A shared journal has a clock of its own, and this machine's may be wrong."""
    machine.sent(ONE, 3)
    for later, outcome, code in ((0, "resent", 0), (3600, "unclear", 1)):
        monkeypatch.setattr(SqliteJournal, "now", At(-later).now)
        found, _ = machine.recover(pending=PENDING, code=code)
        assert found["one"][0] == outcome


def test_an_imported_start_has_no_time_of_a_send(machine: Machine) -> None:
    """The user would search the console for a run of this time."""
    # The second operation makes the removal of the first import the rest.
    pending = [*PENDING, creating(RUN_TYPE, "two", START)]
    machine.forget("two", pending=pending, code=1)
    told, text = machine.recover(pending=pending, code=1)
    assert told == {"one": ("unclear", None), "two": ("unsent", None)}
    begun = "one: begun by an unfinished operation before 2026-05-06 07:59:00 UTC, no response"
    assert f"  {begun}. A RUN MAY EXIST" in text


def test_forgetting_all_keeps_known_runs(machine: Machine) -> None:
    """A start with a known run is no false alarm: only its name discards it."""
    machine.sent({**ONE, "vid": "v2"}, 60, "lb:1")
    told, _ = machine.recover(pending=PENDING, options=["--forget-all"], code=1)
    assert told == {"one": ("other", "lb:1")}


def test_the_token_of_the_state_counts_first(machine: Machine) -> None:
    """Another machine has joined the start, or the disk was full when the answer came."""
    machine.sent(ONE, 60)
    one: dict[str, Any] = {**ONE}
    joined = run("elsewhere", "lb:1", "running", submittedAt=at(0.9), **one)
    assert machine.recover(joined, pending=PENDING)[0] == {"one": ("recorded", "lb:1")}
    # The journal knows a start only by its hash, and its resource may have another name now.
    moved: dict[str, Any] = {**ONE, "scope": scope("two"), **SITE}
    joined = run("two", "lb:1", "running", submittedAt=at(0.9), **moved)
    assert machine.recover(joined, pending=[])[0] == {}
    recorded: dict[str, Any] = {**ONE, **SITE}
    replaced = run("one", "lb:0", "succeeded", "0", submittedAt=at(30), **recorded)
    told, _ = machine.recover(replaced, pending=PENDING, code=1)
    assert told == {"one": ("unclear", None)}, "`up --replace` keeps the token"


def test_an_item_that_was_joined_elsewhere_needs_nothing(machine: Machine) -> None:
    inputs = {"items": {"a": {"vid": "a"}}, "defaults": {"templateId": "t"}}
    tokens = {"clientTokens": {"a": "pvw1-a"}, "scope": scope("many")}
    item = {"vid": "a", "templateId": "t", "clientToken": "pvw1-a", "scope": scope("many", "a")}
    machine.sent(item, 60)
    made = {"a": {"runId": "lb:a", "phase": "running", "submittedAt": at(0.5)}}
    held = batch("many", made, defaults={"templateId": "t"}, **tokens)
    pending = [creating(BATCH_TYPE, "many", {**inputs, **tokens})]
    for interrupted in (pending, []):
        told, _ = machine.recover(held, pending=interrupted)
        assert told == ({"many[a]": ("recorded", "lb:a")} if interrupted else {})


def test_the_starts_of_a_former_name_are_listed_and_forgotten(machine: Machine) -> None:
    """Its name is in the resources of the state until the next update, or is given."""
    old = {**scope("one"), "stack": "before"}
    machine.sent({**START, "scope": old}, 60)
    assert machine.recover(pending=[])[0] == {}
    told, text = machine.recover(pending=[], options=["--former-stack", "before"], code=1)
    assert told == {"one": ("unclear", None)}
    assert "one (WorkflowRun): sent by an earlier update of the stack before; no known" in text
    held = run("two", "lb:2", "running", scope={**old, "name": "two"})
    assert machine.recover(held, pending=[], code=1)[0] == {"one": ("unclear", None)}
    told, _ = machine.recover(held, pending=[], options=["--forget-all"], code=0)
    assert told == {}


def test_what_the_state_holds_needs_nothing(machine: Machine) -> None:
    """The engine keeps its note after a later update has made the resource."""
    machine.sent(ONE, 60, "lb:1")
    told, text = machine.recover(run("one", "lb:1", "running"), pending=PENDING)
    assert told == {"one": ("recorded", "lb:1")}
    assert "the state has its run; nothing to do" in text
    held = run("two", "lb:2", "running", **START)
    told, _ = machine.recover(held, pending=[creating(RUN_TYPE, "two", START)])
    assert told["two"] == ("recorded", "lb:2"), "the journal has forgotten it since"


def test_a_replacement_is_not_what_it_replaces(machine: Machine) -> None:
    """The state still holds the run that was to be replaced."""
    old = run("one", "lb:old", "succeeded", "0", clientToken="pvw1-0")
    assert machine.recover(old, pending=PENDING, code=1)[0] == {"one": ("unclear", None)}
    machine.sent(ONE, 60, "lb:new")
    assert machine.recover(old, pending=PENDING)[0] == {"one": ("accepted", "lb:new")}
    again = run("one", "lb:old", "succeeded", "0", clientToken="pvw1-1")  # `up --replace`
    assert machine.recover(again, pending=PENDING)[0] == {"one": ("accepted", "lb:new")}


def test_an_interrupted_replacement_is_listed_by_a_fresh_journal(machine: Machine) -> None:
    """Its start has the token of the run that the state has."""
    held = run("one", "lb:1", "succeeded", **START) | {"created": "t0"}
    operation = creating(RUN_TYPE, "one", START)
    operation["resource"]["created"] = "t0"
    for created, became, code in (("t1", ("recorded", "lb:1"), 0), ("t0", ("unclear", None), 1)):
        held["created"] = created
        told, text = machine.recover(held, pending=[operation], code=code)
        assert told["one"] == became
        assert ("A RUN MAY EXIST" in text) is bool(code)


def test_what_was_decided_since_needs_nothing(machine: Machine) -> None:
    """A trigger was changed, or a run adopted: the engine keeps its note, the journal does not."""
    machine.sent({**START, "scope": scope("x")}, 60, "lb:x")
    held = run("one", "lb:5", "running", clientToken="pvw1-another")
    told, text = machine.recover(held, run("x", "lb:x", "running"), pending=PENDING)
    assert told == {"one": ("held", "lb:5")}
    assert "not in the journal; the state has lb:5 of this resource" in text
    assert "`pulumi preview` shows whether a new run starts" in text
    machine.sent({**ONE, "clientToken": "pvw1-2"}, 60)
    told, text = machine.recover(held, run("x", "lb:x", "running"), pending=PENDING, code=1)
    assert "one (WorkflowRun): sent by an earlier update" in text, "that is told all the same"


def test_an_adoption_starts_nothing(machine: Machine) -> None:
    pending = [creating(RUN_TYPE, "one", {"vid": "v1", "existingRunId": "lb:7"})]
    machine.sent({**ONE, "scope": scope("x")}, 1, "lb:x")
    told, text = machine.recover(pending=pending)
    assert told["one"] == ("adopted", "lb:7")
    assert "adopts lb:7; starts no run" in text


@pytest.mark.parametrize("what", ["inputs", "site"])
@pytest.mark.parametrize("run_id", ["lb:1", ""])
def test_another_start_of_it_is_told(machine: Machine, what: str, run_id: str) -> None:
    """The next update would start, and pay for, a second one: a person decides."""
    site = {"region": "ap-southeast-1"} if what == "site" else {}
    machine.sent({**ONE, "vid": "v2"} if what == "inputs" else ONE, 60, run_id, site=site)
    told, text = machine.recover(pending=PENDING, code=1)
    assert told == {"one": ("other", run_id or None)}
    assert "another start of it was sent 2026-05-06 07:59:00 UTC, " in text
    assert "one: `pulumi up` starts a new run: paid" in text


def test_another_start_that_the_state_holds_is_no_matter(machine: Machine) -> None:
    """What is to be replaced was started here, and the journal may not have heard of the state."""
    machine.sent({**ONE, "vid": "v0"}, 600, "lb:old")
    old = run("one", "lb:old", "succeeded", "0", clientToken="pvw1-0")
    assert machine.recover(old, pending=PENDING)[0] == {"one": ("held", "lb:old")}


def test_what_is_secret_is_found_by_its_name_and_says_so(machine: Machine) -> None:
    machine.sent(ONE, 60, "lb:1")
    inputs = {**START, "vid": SECRET, "clientToken": SECRET, "secretInputs": True}
    pending = [creating(RUN_TYPE, "one", inputs)]
    told, text = machine.recover(pending=pending)
    assert told == {"one": ("accepted", "lb:1")}
    assert "found by its name only" in text
    assert "cipher" not in text
    told, text = machine.recover(run("one", "lb:1", "running", clientToken=SECRET), pending=pending)
    assert told == {"one": ("recorded", "lb:1")}


def test_each_item_of_a_batch_is_told(machine: Machine) -> None:
    """Of a create, and of an update that began more."""
    keys = ["a", "b", "c", "d", "e"]
    tokens = {key: f"pvw1-{key}" for key in keys}
    items: dict[str, Any] = {key: {"vid": key} for key in keys}
    items["e"] = {"existingRunId": "lb:e"}
    inputs = {"items": items, "defaults": {"templateId": "t"}, "clientTokens": tokens}
    for key, seconds, run_id in (("a", 60, "lb:a"), ("b", 61, "")):
        item = {"vid": key, "templateId": "t", "clientToken": tokens[key]}
        machine.sent({**item, "scope": scope("many", key)}, seconds, run_id)
    told, text = machine.recover(pending=[creating(BATCH_TYPE, "many", inputs)], code=1)
    expected = {
        "many[a]": ("accepted", "lb:a"), "many[b]": ("unclear", None), "many[c]": ("unsent", None),
        "many[d]": ("unsent", None), "many[e]": ("adopted", "lb:e"),
    }  # fmt: skip
    assert told == expected
    assert 'WorkflowBatch("many"): items["a"]: "existing_run_id": "lb:a"' in text
    assert "  many[c], many[d]: not in the journal\n" in text

    held = batch("many", {"d": {"runId": "lb:d", "phase": "running"}}, clientTokens=tokens)
    updating = [creating(BATCH_TYPE, "many", inputs, doing="updating")]
    told, text = machine.recover(held, pending=updating, code=1)
    assert told == {**expected, "many[d]": ("recorded", "lb:d")}
    assert "many (WorkflowBatch): interrupted while updating" in text
    assert "--clear-pending-creates" not in text, "a refresh clears notes of updates by itself"


def test_a_batch_with_secrets_is_found_by_its_items_names(machine: Machine) -> None:
    item = {"vid": "a", "templateId": "t", "clientToken": "pvw1-a", "scope": scope("many", "a")}
    machine.sent(item, 60, "lb:a")
    inputs = {"items": {"a": {"vid": SECRET}, "b": {"vid": "b"}}, "defaults": {"templateId": "t"},
              "clientTokens": SECRET, "secretInputs": True}  # fmt: skip
    told, _ = machine.recover(pending=[creating(BATCH_TYPE, "many", inputs)])
    assert told == {"many[a]": ("accepted", "lb:a"), "many[b]": ("unsent", None)}


@pytest.mark.parametrize("items", [SECRET, {"a": SECRET, "b": {"vid": SECRET}}])
def test_a_batch_whose_items_are_secret_as_a_whole_is_not_passed_over(
    machine: Machine, items: Any
) -> None:
    """Without a journal any of them may be a run, whether they can be named or not."""
    pending = [creating(BATCH_TYPE, "many", {"items": items, "secretInputs": True})]
    told, text = machine.recover(pending=pending, code=1)
    assert [*told] == (["many"] if items is SECRET else ["many[a]", "many[b]"])
    assert " UTC, not in the journal. A RUN MAY EXIST" in text


def test_an_item_that_is_secret_as_a_whole_is_found_by_its_name(machine: Machine) -> None:
    machine.sent({**START, "scope": scope("many", "a")}, 60, "lb:1")
    pending = [creating(BATCH_TYPE, "many", {"items": {"a": SECRET}, "secretInputs": True})]
    assert machine.recover(pending=pending)[0] == {"many[a]": ("accepted", "lb:1")}


def test_each_run_of_one_resource_is_told(machine: Machine) -> None:
    """Each is paid, whichever the program asks for now, and whoever tells of the other."""
    machine.sent({**ONE, "vid": "v0"}, 600, "lb:0")
    machine.sent(ONE, 60, "lb:1")
    for pending in ([], PENDING):
        text = machine.recover(pending=pending)[1]
        assert "accepted as lb:0 at" in text
        assert "accepted as lb:1 at" in text
    held = machine.recover(run("one", "lb:1", "running"), pending=[])[1]
    assert "accepted as lb:0 at" in held
    assert "lb:1" not in held


def test_notes_of_other_things_are_left_alone(machine: Machine, vod: Vod) -> None:
    """A delete, and what is not ours."""
    deleting = creating(RUN_TYPE, "one", START, doing="deleting")
    pending = [creating("aws:s3:Bucket", "x", {}), deleting]
    told, text = machine.recover(pending=pending)
    assert told == {}
    assert "Nothing to recover" in text


def test_what_a_failed_update_has_sent_is_told(machine: Machine) -> None:
    """The engine has no note of it: the update ended by itself, with an error."""
    lost, item = {**START, "scope": scope("lost")}, {**START, "scope": scope("all", "a")}
    machine.sent(lost, 90)
    machine.sent(item, 90, "lb:2")
    machine.sent({**START, "scope": scope("kept")}, 90, "lb:1")
    machine.sent({**START, "scope": {**scope("other"), "stack": "prod"}}, 90)
    machine.sent({**START, "scope": {**scope("other"), "project": "dev"}}, 90)
    became, text = machine.recover(run("kept", "lb:1", "running"), pending=[], code=1)
    assert became == {"lost": ("unclear", None), "all[a]": ("accepted", "lb:2")}
    assert "lost (WorkflowRun): sent by an earlier update" in text
    assert "all (WorkflowBatch): sent by" in text
    assert 'WorkflowBatch("all"): items["a"]: "existing_run_id": "lb:2"' in text
    assert "clear-pending-creates" not in text, "there is none"


def test_a_journal_that_cannot_be_read_is_told(machine: Machine, vod: Vod) -> None:
    machine.journal.write_bytes(b"no database" * 100)
    source = written(machine.folder / "x.json", provider(**machine.config), pending=PENDING)
    said = vod("recover", source, "--journal", str(machine.journal), code=2).stderr
    assert "it is damaged" in said
    assert str(machine.journal) in said


def test_a_url_with_one_slash_is_no_path(machine: Machine, vod: Vod) -> None:
    source = written(machine.folder / "x.json", provider(**machine.config), pending=PENDING)
    done = vod("recover", source, "--journal", "postgresql:/u:hidden@h/d", "--offline", code=2)
    assert "a URL starts with `postgresql://`: it has two slashes" in done.stderr
    assert "hidden" not in done.stdout + done.stderr


@pytest.mark.vod_emulator(rate_limit=0, pending_seconds=1000)
def test_runs_are_looked_at(machine: Machine, vod: Vod, vod_emulator: VodEmulator) -> None:
    """One is there, one is not; without keys, or offline, none is asked about."""
    there = started(vod_emulator, "v1")["runId"]
    site = {"endpoint": vod_emulator.url}
    machine.sent(ONE, 60, there, site=site)
    now = datetime.now(UTC)  # the emulator's: long after, and it is no older than 30 days
    machine.sent({**START, "scope": scope("two")}, 60, "emu:gone", now, site)
    pending = [*PENDING, creating(RUN_TYPE, "two", START)]

    def said(*options: str, **more: Any) -> str:
        source = written(machine.folder / "x.json", config(vod_emulator, **more), pending=pending)
        return vod("recover", source, "--journal", str(machine.journal), *options).stdout

    text = said()
    assert f"one: accepted as {there} at 2026-05-06T07:59:00Z, now pending" in text
    assert re.search("two: accepted as emu:gone at .*Z; cannot be read: ", text)
    assert "two: the run could not be read. Check that the account" in text
    assert "now pending" not in said("--offline")
    text = said(vod_accessKey="", vod_secretKey="")
    assert "The runs were not read. No credentials for Volcengine in these" in text
    assert "  - VOLCENGINE_ACCESS_KEY and VOLCENGINE_SECRET_KEY of the environment" in text
    assert f"one: accepted as {there}" in text
    text = said(vod_secretKey=SECRET)
    assert "not read. The keys of the stack (vod:accessKey, vod:secretKey) are encrypted" in text
    assert '$(pulumi config get vod:secretKey --stack dev)"`' in text
    assert vod_emulator.requests() == {"StartWorkflow": 1, "GetWorkflowExecution": 2}


@pytest.mark.parametrize(("seconds", "run_id"), [(60, ""), (31 * 86400, "lb:1")])
def test_what_is_looked_for_and_not_there_can_be_forgotten(
    machine: Machine, seconds: float, run_id: str
) -> None:
    """It is started as if it had never been sent, and nothing waits for a decision any more."""
    machine.sent(ONE, seconds, run_id)
    machine.sent({**START, "scope": scope("two")}, seconds)
    pending = [*PENDING, creating(RUN_TYPE, "two", START)]
    _, text = machine.recover(pending=pending, code=1)
    assert "remove the start from the journal: `vod-workflow recover --forget NAME`" in text
    assert "removed from the journal: one\n" in machine.forget("one", pending=pending, code=1)
    told, _ = machine.recover(pending=pending, code=1)
    assert told == {"one": ("unsent", None), "two": ("unclear", None)}
    text = machine.forget("two", pending=pending)
    assert "removed from the journal: two\n" in text
    assert "one, two: `pulumi up` starts each once, as its preview shows" in text


def test_another_start_of_it_can_be_forgotten(machine: Machine) -> None:
    machine.sent({**ONE, "vid": "other"}, 60, "lb:1")
    assert machine.recover(pending=PENDING, code=1)[0] == {"one": ("other", "lb:1")}
    machine.forget("one", pending=PENDING)
    assert machine.recover(pending=PENDING)[0] == {"one": ("unsent", None)}


def test_an_item_is_forgotten_without_the_others(machine: Machine) -> None:
    """By the name that is printed; both of one command, or none."""
    for key in ("a", "b", "c"):
        machine.sent({**START, "scope": scope("season", key)}, 60)
    text = machine.forget("season[a]", "season[c]", pending=[], code=1)
    assert "removed from the journal: season[a], season[c]\n" in text
    assert "shows which of these starts the program still declares" in text
    assert machine.recover(pending=[], code=1)[0] == {"season[b]": ("unclear", None)}
    machine.forget("season[b]", pending=[])
    assert machine.recover(pending=[])[0] == {}


def test_nothing_else_is_forgotten(machine: Machine, vod: Vod) -> None:
    """A mistyped name, or a run that the next update takes over: all stays as it was."""
    machine.sent(ONE, 60, "lb:1")
    machine.sent({**START, "scope": scope("two")}, 60)
    pending = [*PENDING, creating(RUN_TYPE, "two", START)]
    for names in (["tow"], ["one"], ["two", "one"]):
        said = machine.forget(*names, pending=pending, code=2)
        assert f"--forget {names[-1]}: no start of this name waits for a decision" in said
        assert "hint: starts that wait: two\n" in said
    told, _ = machine.recover(pending=pending, code=1)
    assert told == {"one": ("accepted", "lb:1"), "two": ("unclear", None)}


def test_a_journal_that_cannot_be_written_forgets_nothing(machine: Machine) -> None:
    machine.sent(ONE, 60)
    held = sqlite3.connect(machine.journal)
    held.execute(
        "CREATE TRIGGER keep BEFORE DELETE ON starts BEGIN SELECT RAISE(ABORT, 'kept'); END"
    )
    held.close()
    assert "(kept)" in machine.forget("one", pending=PENDING, code=2)
    assert machine.recover(pending=PENDING, code=1)[0] == {"one": ("unclear", None)}


def test_only_what_was_shown_is_forgotten(machine: Machine) -> None:
    """An earlier start of it, behind the one that is asked about, comes up by itself."""
    machine.sent({**ONE, "vid": "older"}, 3600)
    machine.sent(ONE, 60)
    told, text = machine.recover(pending=PENDING, code=1)
    assert told == {"one": ("unclear", None)}
    assert "2026-05-06 07:00:00" not in text
    text = machine.forget("one", pending=PENDING, code=1)
    assert "another start of it was sent 2026-05-06 07:00:00 UTC, no response" in text
    machine.forget("one", pending=PENDING)


def test_a_name_of_several_is_not_forgotten(machine: Machine) -> None:
    """Under two parents, or as an item that reads like a run: it is to be told which one."""
    parents = [{**scope("one"), "parent": f"my:component:{end}"} for end in "AB"]
    for who in parents:
        machine.sent({**START, "scope": who}, 60)
    said = machine.forget("one", pending=[], code=2)
    assert "several starts have this name. The journal is unchanged." in said
    first, _ = re.findall(r"\{[^}]*\}", said)
    assert json.loads(first) == parents[0]
    assert "removed from the journal: " in machine.forget(first, pending=[], code=1)
    assert "removed from the journal: one\n" in machine.forget("one", pending=[])


def test_a_name_is_forgotten_as_it_is_printed(machine: Machine) -> None:
    machine.sent({**START, "scope": scope("two\nlines")}, 60)
    text = machine.forget("two\\nlines", pending=[])
    assert "removed from the journal: two\\nlines\n" in text


@pytest.mark.vod_emulator(rate_limit=0, pending_seconds=1000)
def test_a_run_of_the_console_is_compared_with_the_starts(
    machine: Machine, vod: Vod, vod_emulator: VodEmulator
) -> None:
    """By its ClientToken: of a pending operation, or by the hash that the journal has."""
    lost, journaled, other = (started(vod_emulator, vid)["runId"] for vid in ("v1", "v2", "v3"))
    site = {"endpoint": vod_emulator.url}
    start = {"templateId": "t", "vid": "v1", "clientToken": "c-v1"}
    two = {"templateId": "t", "vid": "v2", "clientToken": "c-v2", "scope": scope("season", "s1")}
    machine.sent({**start, "scope": scope("one")}, 60, site=site)
    machine.sent(two, 60, site=site)
    hidden = {**start, "vid": SECRET, "clientToken": SECRET, "secretInputs": True}
    pending = [creating(RUN_TYPE, "one", start), creating(RUN_TYPE, "hidden", hidden)]
    machine.sent({**start, "clientToken": "c-h", "scope": scope("hidden")}, 60, site=site)
    source = written(machine.folder / "x.json", config(vod_emulator), pending=pending)
    arguments = ["recover", source, "--journal", str(machine.journal)]
    options = [part for run_id in (lost, journaled, other, "lb:none") for part in ("--run", run_id)]
    text = vod(*arguments, *options, code=1).stdout
    assert f"{lost}: the run of one (same ClientToken). Adopt it: free" in text
    assert f'WorkflowRun("one"): existing_run_id="{lost}"' in text
    assert f"{journaled}: the run of season[s1] (same ClientToken)" in text
    assert f'WorkflowBatch("season"): items["s1"]: "existing_run_id": "{journaled}"' in text
    unsure = "probably not the run of a listed start; not certain for hidden, season[s1]"
    assert f"{other}: {unsure}" in text
    assert "lb:none: cannot be read: GetWorkflowExecution: the service answered Resourc" in text
    assert "\n     hint: check the id (the service has a run for 30 days)\n" in text
    told = json.loads(vod(*arguments, *options, "-f", "json", code=1).stdout)
    assert "\n" not in told["runs"][3]["trouble"]
    assert [(found["runId"], found["starts"]) for found in told["runs"]] == [
        (lost, ["one"]), (journaled, ["season[s1]"]), (other, []), ("lb:none", []),
    ]  # fmt: skip
    assert told["runs"][2]["notCompared"] == ["hidden", "season[s1]"]
    exact = written(machine.folder / "y.json", config(vod_emulator), pending=pending[:1])
    alone = ["recover", exact, "--journal", str(machine.folder / "none.sqlite3"), "--run", other]
    said = "not the run of a listed start: its ClientToken is another"
    assert f"{other}: {said}" in vod(*alone, code=1).stdout
    assert "c-v1" not in text, "a token is a hash of inputs, which may be secret"
    assert vod_emulator.requests()["GetWorkflowExecutionResult"] == 7
    assert "StartWorkflow" not in vod(*arguments, "--offline", "--run", lost, code=2).stdout


@pytest.mark.vod_emulator(rate_limit=0, pending_seconds=1000)
def test_an_accepted_run_of_the_console_is_the_listed_one(
    machine: Machine, vod: Vod, vod_emulator: VodEmulator
) -> None:
    """The journal has its run: nothing has to be found out, nor adopted twice."""
    accepted, other = (started(vod_emulator, vid)["runId"] for vid in ("v1", "v2"))
    machine.sent(ONE, 60, accepted, datetime.now(UTC), {"endpoint": vod_emulator.url})
    source = written(machine.folder / "x.json", config(vod_emulator), pending=PENDING)
    options = ["--journal", str(machine.journal), "--run", accepted, "--run", other]
    text = vod("recover", source, *options).stdout
    assert f"\n{accepted}: the run of one, as listed above\n" in text
    assert text.count("existing_run_id=") == 1
    assert f"{other}: not the run of a listed start: its ClientToken is another" in text


def test_a_start_in_flight_needs_attention_and_no_decision(
    machine: Machine, vod: Vod, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipeline must not go on: the answer of the killed update never arrives."""
    machine.sent(ONE, 60)
    monkeypatch.setattr(model, "recovery_action", lambda *_: RecoveryAction.WAIT)
    source = written(machine.folder / "x.json", provider(**machine.config), pending=PENDING)
    arguments = ["recover", source, "--journal", str(machine.journal), "--offline"]
    text = vod(*arguments, code=1).stdout
    assert "1. one: wait for the end of the other update, at most 110 s after its send, " in text
    told = json.loads(vod(*arguments, "-f", "json", code=1).stdout)
    assert told["needsADecision"] is False


def test_a_shared_journal_serves_every_machine(machine: Machine, vod: Vod) -> None:
    stack = read_stack(written(machine.folder / "x.json", provider(), pending=PENDING))
    settings = stack.settings(machine.folder, journal="s3://bucket/starts")
    start = model.InterruptedStart("one", "", model.StartOutcome.ACCEPTED, "", run_id="lb:1")
    lost = replace(start, outcome=model.StartOutcome.UNSENT)
    found = model.InterruptedOperation(stack.interrupted[0], (start, lost), has_secret_inputs=False)
    text = RecoveryReport(stack, [found], settings, NOW).text()
    assert "one: with this journal, `pulumi up` reuses each run" in text
    assert "With another journal, first add the run" in text
    assert "Another journal may have other records." in text
    assert "machine" not in text
