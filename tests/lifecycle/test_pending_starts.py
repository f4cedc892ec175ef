"""The first meeting of a journal with a stack: what is imported from an exported state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from pulumi_vod_workflow.config import engine_command
from pulumi_vod_workflow.config.engine_command import EngineCommandError
from pulumi_vod_workflow.config.settings import load_settings
from pulumi_vod_workflow.core.batch.changes import start_inputs
from pulumi_vod_workflow.core.batch.inputs import items_of
from pulumi_vod_workflow.core.execution import EMULATED_RUN_ID
from pulumi_vod_workflow.core.exported_stack import ExportedStack
from pulumi_vod_workflow.core.property_marks import SECRET_SIGNATURE, SIGNATURE
from pulumi_vod_workflow.core.recovery import start_intent
from pulumi_vod_workflow.core.resource_types import BATCH_TYPE, DYNAMIC_PROVIDER_TYPE, RUN_TYPE
from pulumi_vod_workflow.errors import JournalError
from pulumi_vod_workflow.journal.sqlite import SqliteJournal
from pulumi_vod_workflow.lifecycle import batch, pending_starts, run, stack_evidence
from pulumi_vod_workflow.lifecycle.announcements import Announcements
from pulumi_vod_workflow.lifecycle.host import Host
from pulumi_vod_workflow.lifecycle.pending_starts import meet_stack
from pulumi_vod_workflow.lifecycle.session import Lifecycle, Meeting, Session
from pulumi_vod_workflow.lifecycle.start_records import plan_starts, unknown_outcome_error

URL = "https://vod.volcengineapi.com"
SECRET = {SIGNATURE: SECRET_SIGNATURE, "ciphertext": "v1:x"}
SCOPE = {"project": "shop", "stack": "dev"}
RUN = {"vid": "v", "templateId": "t", "clientToken": "token", "scope": {**SCOPE, "name": "run"}}
BATCH = {
    "items": {"a": {"vid": "a"}, "b": {"vid": "b"}},
    "defaults": {"templateId": "t"},
    "clientTokens": {"a": "token-a", "b": "token-b"},
    "scope": {**SCOPE, "name": "batch"},
}
WEEK = 7 * 86400


def pending(kind: str, inputs: Mapping[str, Any], type_: str = "creating") -> dict[str, Any]:
    urn = f"urn:pulumi:dev::shop::{kind}::{inputs['scope']['name']}"
    return {"type": type_, "resource": {"urn": urn, "type": kind, "inputs": inputs}}


def recorded(kind: str, outputs: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    urn = f"urn:pulumi:dev::shop::{kind}::{outputs['scope']['name']}"
    return {"urn": urn, "type": kind, "outputs": outputs, **more}


@dataclass
class Machine:
    """A machine with a journal of its own, and the state that all machines share."""

    folder: Path
    environment: pytest.MonkeyPatch
    exported: dict[str, Any] | Exception = field(default_factory=dict)
    config: dict[str, str] = field(default_factory=dict)
    exports: int = 0
    said: list[str] = field(default_factory=list)
    backend: str = "https://api.pulumi.com"

    def state(
        self,
        *operations: Any,
        resources: Any = (),
        config: Any = None,
        written: str = "2026-01-02T03:04:05Z",
    ) -> None:
        provider = {"urn": "urn:pulumi:dev::shop::p::default", "type": DYNAMIC_PROVIDER_TYPE}
        self.exported = {
            "deployment": {
                "manifest": {"time": written},
                "resources": [{**provider, "inputs": config or {}}, *resources],
                "pending_operations": [*operations],
            }
        }

    def read(self, *_: Any, **__: Any) -> ExportedStack:
        self.exports += 1
        if isinstance(self.exported, Exception):
            raise self.exported
        return ExportedStack.parse(json.dumps(self.exported).encode())

    def session(self, meeting: Meeting | None = None) -> Session:
        environ = {"PULUMI_BACKEND_URL": self.backend, "PULUMI_HOME": str(self.folder)}
        for name, value in environ.items():
            self.environment.setenv(name, value)
        settings = load_settings(self.config.get, environ, self.folder)
        service: Any = None
        announcements = Announcements(self.said.append, self.said.append, print)
        return Session(lambda: settings, service, announcements, meeting)

    def host(self) -> Host:
        logger: Any = type(
            "Logger",
            (),
            {"warning": lambda _, text: self.said.append(text), "info": lambda _, text: None},
        )()
        return Host("urn", logger, lambda: False)

    def asked(self, *declared: Mapping[str, Any], session: Session | None = None) -> set[str]:
        """Return the names of the starts that a check of these declarations asks about."""
        session, found = session or self.session(), set()
        for inputs in declared:
            meet_stack(session, self.host(), inputs)
            starts = items_of(inputs) if "items" in inputs else {inputs["scope"]["name"]: inputs}
            plan, _ = plan_starts(session, starts)
            found |= {*plan.undecided}
        return found

    def sends(self, inputs: Mapping[str, Any]) -> None:
        """Record that this machine has sent a start, and got an answer."""
        session = self.session()
        intent = start_intent(inputs, endpoint=URL, region="cn-north-1")
        session.journal.claim(intent, "owner").result()
        session.journal.record_accepted(intent, {"runId": f"r-{inputs['vid']}"}).result()


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path, monkeypatch)
    monkeypatch.setattr(pending_starts, "read_exported_stack", machine.read)
    return machine


def test_a_pending_start_is_asked_about_until_it_is_answered(machine: Machine) -> None:
    """It is never sent again by itself: when it was sent is not known."""
    machine.config = {"vod:resendWithin": str(WEEK)}
    machine.state(pending(RUN_TYPE, RUN), pending(BATCH_TYPE, BATCH, "updating"))
    for _ in range(2):
        assert machine.asked(RUN, BATCH) == {"run", "a", "b"}
    session = machine.session()
    session.journal.delete(session.journal.list_stack("shop", "dev"))
    assert machine.asked(RUN, BATCH) == set()


def test_a_later_create_of_an_answered_start_is_asked_about(machine: Machine) -> None:
    """Another machine has created the resource again after the answer, and was killed, too."""
    machine.state(pending(RUN_TYPE, RUN))
    assert machine.asked(RUN) == {"run"}
    for count, expected in ((1, set()), (2, {"run"}), (2, set()), (3, {"run"})):
        journal = machine.session().journal
        journal.delete(journal.list_stack("shop", "dev"))
        machine.state(*[pending(RUN_TYPE, RUN)] * count)
        assert machine.asked(RUN) == expected


def test_another_start_is_not_asked_about(machine: Machine) -> None:
    """Another declaration, or the one of another operation, or an adoption."""
    other = {**RUN, "vid": "w", "clientToken": "other"}
    adoption = {"existingRunId": "r", "scope": RUN["scope"]}
    machine.state(
        pending(RUN_TYPE, RUN), pending(RUN_TYPE, adoption), pending(RUN_TYPE, other, "deleting")
    )
    assert machine.asked(other) == set()


def test_what_the_state_has_is_not_asked_about(machine: Machine) -> None:
    """Also by a resource that was replaced, and of a batch the recorded items."""
    machine.state(
        pending(RUN_TYPE, RUN),
        pending(BATCH_TYPE, BATCH),
        resources=[
            recorded(RUN_TYPE, {**RUN, "runId": "r"}, delete=True),
            recorded(BATCH_TYPE, {**BATCH, "runs": {"a": {"runId": "r-a"}}}),
        ],
    )
    assert machine.asked(RUN, BATCH) == {"b"}


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([pending(BATCH_TYPE, BATCH)], set()),
        ([pending(BATCH_TYPE, BATCH)] * 2, {"b"}),
        ([pending(BATCH_TYPE, BATCH, "updating")], {"b"}),
    ],
)
def test_the_machine_of_the_update_knows_what_it_has_sent(
    machine: Machine, operations: list[Any], expected: set[str]
) -> None:
    """Of one create only: a second one, or a later update, may have run elsewhere."""
    machine.sends(items_of(BATCH)["a"])
    machine.state(*operations)
    assert machine.asked(BATCH) == expected


def test_an_update_asks_about_no_start_that_its_preview_knew_as_unsent(machine: Machine) -> None:
    """The update may write the state before its first check, so the records look older."""
    machine.sends(items_of(BATCH)["a"])
    create = pending(BATCH_TYPE, BATCH)
    machine.state(create)
    assert machine.asked(BATCH) == set()
    machine.state(create, written="2126-01-02T03:04:05Z")
    assert machine.asked(BATCH) == set()
    machine.state(create, create, written="2126-01-02T03:04:05Z")
    assert machine.asked(BATCH) == {"b"}, "a later create was elsewhere"


def test_an_older_record_proves_nothing(machine: Machine) -> None:
    """It is that of an earlier create, which has failed here. The later one was elsewhere."""
    machine.sends(items_of(BATCH)["a"])
    machine.state(pending(BATCH_TYPE, BATCH), written="2126-01-02T03:04:05Z")
    assert machine.asked(BATCH) == {"b"}


@pytest.mark.parametrize(("has_run", "expected"), [(False, {"a", "b"}), (True, set())])
def test_a_failed_create_proves_nothing_of_a_later_one_by_a_slow_clock(
    machine: Machine, has_run: bool, expected: set[str]
) -> None:
    """Another machine has written the state since, and its clock is behind this one's."""
    item = items_of(BATCH)["a"]
    if has_run:  # a create with a run does not fail: the create of this machine was interrupted
        machine.sends(item)
    else:
        intent = start_intent(item, endpoint=URL, region="cn-north-1")
        machine.session().journal.claim(intent, "owner").result()
    machine.state(pending(BATCH_TYPE, BATCH))
    now = datetime.now(UTC) + timedelta(hours=1)
    machine.environment.setattr(SqliteJournal, "now", lambda _: now)
    assert machine.asked(BATCH) == expected


@pytest.mark.parametrize(
    ("declared", "run", "is_asked"),
    [
        ({"rerunOnFailure": True}, {"phase": "failed", "status": "2003"}, True),
        ({"rerunOnFailure": True}, {"phase": "failed", "status": "1001"}, False),
        ({"rerunOnFailure": True}, {"phase": "running"}, False),
        ({"rerunOn": ["terminated"]}, {"phase": "terminated", "status": "Terminated"}, True),
        ({}, {"phase": "failed", "status": "2003"}, False),
        ({}, {"runId": f"{EMULATED_RUN_ID}1"}, True),
    ],
)
def test_a_second_start_may_have_the_token_of_a_recorded_run(
    machine: Machine, declared: dict[str, Any], run: dict[str, Any], is_asked: bool
) -> None:
    """A rerun of a failed run, and the first paid start after an emulated run."""
    inputs = {**RUN, **declared}
    machine.state(
        pending(RUN_TYPE, inputs), resources=[recorded(RUN_TYPE, {**inputs, "runId": "r", **run})]
    )
    assert machine.asked(inputs) == ({"run"} if is_asked else set())


@pytest.mark.parametrize("earlier", [{}, {"rerunOf": "r-0"}])
def test_a_rerun_with_its_own_token_is_asked_about(
    machine: Machine, earlier: dict[str, str]
) -> None:
    """The update of another machine derives the token from the recorded run, as this one does."""
    declared = {**BATCH, "defaults": {"templateId": "t", "rerunOn": ["userError"]}}
    failed = {"runId": "r-a", "phase": "failed", "status": "1003", **earlier}
    state = {**declared, "runs": {"a": failed, "b": {"runId": "r-b", "phase": "succeeded"}}}
    machine.state(
        pending(BATCH_TYPE, declared, "updating"), resources=[recorded(BATCH_TYPE, state)]
    )
    session = machine.session()
    meet_stack(session, machine.host(), declared)
    plan, _ = plan_starts(session, start_inputs(state, declared, ["a", "b"]))
    assert {*plan.undecided} == {"a"}


@pytest.mark.parametrize(
    ("started", "recorded_at", "more", "is_asked"),
    [
        ("t0", "t0", {}, True),
        ("t0", "t1", {}, False),
        ("t0", "t0", {"delete": True}, False),
        (None, "t0", {}, False),
        (None, None, {}, False),
    ],
)
def test_a_replacement_that_did_not_end_is_asked_about(
    machine: Machine,
    started: str | None,
    recorded_at: str | None,
    more: dict[str, Any],
    is_asked: bool,
) -> None:
    """`up --replace` keeps the token of the recorded run. A later one has ended it."""
    run_of = {"runId": "r", "phase": "succeeded"}
    batch_of = {"runs": dict.fromkeys("ab", run_of)}
    for kind, inputs, outputs, names in (
        (RUN_TYPE, RUN, run_of, {"run"}),
        (BATCH_TYPE, BATCH, batch_of, {"a", "b"}),
    ):
        operation = pending(kind, inputs)
        operation["resource"]["created"] = started
        old = recorded(kind, {**inputs, **outputs}, created=recorded_at, **more)
        machine.state(operation, resources=[old])
        assert machine.asked(inputs) == (names if is_asked else set())


def test_a_refresh_keeps_what_it_removes_from_the_state(machine: Machine) -> None:
    """The pending update of an interrupted batch goes with the next operation."""
    outputs = {**BATCH, "runs": {"a": {"runId": "r-a", "phase": "succeeded"}}}
    resources = [recorded(BATCH_TYPE, outputs)]
    machine.state(pending(BATCH_TYPE, BATCH, "updating"), resources=resources)
    with suppress(StopIteration):
        batch.read(machine.session(), machine.host(), "id", outputs).send(None)
    machine.state(resources=resources)
    assert machine.asked(BATCH) == {"b"}


@pytest.mark.parametrize("kind", [RUN_TYPE, BATCH_TYPE])
@pytest.mark.parametrize(
    ("submitted", "is_asked"),
    [("2026-01-02T03:04:06Z", False), ("2026-01-02T03:04:04Z", True), (None, True)],
)
def test_a_start_of_another_machine_is_answered_by_the_state(
    machine: Machine, kind: str, submitted: str | None, is_asked: bool
) -> None:
    """A preview imported it in the middle of an update. An older run is no answer."""
    module: Lifecycle = run if kind == RUN_TYPE else batch
    inputs: Mapping[str, Any] = RUN if kind == RUN_TYPE else BATCH
    machine.state(pending(kind, inputs))
    names = machine.asked(inputs)
    assert names
    site = {"endpoint": URL, "region": "cn-north-1"}
    found = {"runId": "r", "phase": "succeeded", "submittedAt": submitted}
    outputs = {**inputs, **site, **(found if kind == RUN_TYPE else {"runs": {"a": found}})}
    with suppress(StopIteration):
        deletion: Any = module.delete(machine.session(), machine.host(), "r", outputs)
        deletion.send(None)
    machine.state()
    assert machine.asked(inputs) == (names if is_asked else names - {"a", "run"})


def test_the_records_beside_a_state_move_with_it(machine: Machine, tmp_path: Path) -> None:
    """The path of the folder is no part of the owner's name."""
    machine.backend = f"file://{tmp_path}/states"
    machine.state()
    machine.sends(RUN)
    (tmp_path / "states").rename(tmp_path / "moved")
    machine.backend = f"file://{tmp_path}/moved"
    plan, _ = plan_starts(machine.session(), {"run": RUN})
    assert {*plan.reused} == {"run"}


@pytest.mark.parametrize("has_records", [False, True])
def test_a_journal_that_is_used_again_meets_the_stack_again(
    machine: Machine, tmp_path: Path, has_records: bool
) -> None:
    """In between, another journal got the starts."""
    machine.backend = f"file://{tmp_path}/states"
    machine.state()
    assert machine.asked(RUN) == set()
    if has_records:
        machine.sends(items_of(BATCH)["a"])
    machine.config = {"vod:journal": str(tmp_path / "other.sqlite3")}
    assert machine.asked(RUN) == set()
    machine.config = {}
    machine.state(pending(RUN_TYPE, RUN))
    assert machine.asked(RUN) == {"run"}


@pytest.mark.parametrize("way", ["there", "back", "there and back", "to another one"])
@pytest.mark.parametrize("answered", [False, True])
def test_a_start_that_failed_without_a_kill_is_known_to_the_next_journal(
    machine: Machine, tmp_path: Path, way: str, answered: bool
) -> None:
    """The state has no pending operation of it. A preview is no reason to leave a journal."""
    machine.backend = f"file://{tmp_path}/states"
    none: dict[str, str] = {}
    one, other = ({"vod:journal": str(tmp_path / name)} for name in "ab")
    first, *then = {
        "there": [none, one],
        "back": [one, none],
        "there and back": [none, one, none],
        "to another one": [one, other],
    }[way]
    machine.config = first
    machine.state(config=first)
    if answered:
        machine.sends(RUN)
    else:
        intent = start_intent(RUN, endpoint=URL, region="cn-north-1")
        machine.session().journal.claim(intent, "owner").result()
    now = datetime.now(UTC) + timedelta(hours=1)
    for machine.config in then:  # previews
        assert machine.asked(RUN) <= {"run"}
    session = machine.session()
    machine.environment.setattr(type(session.journal), "now", lambda _: now)
    meet_stack(session, machine.host(), RUN)
    plan, _ = plan_starts(session, {"run": RUN})
    assert ({*plan.reused}, {*plan.undecided}) == (
        ({"run"}, set()) if answered else (set(), {"run"})
    )


def test_a_pending_start_is_found_after_a_destroy(machine: Machine) -> None:
    """The state has lost the configuration of the update, with the region of the start."""
    machine.config = {"vod:region": "ap-southeast-1"}
    machine.state(pending(RUN_TYPE, RUN))
    assert isinstance(machine.exported, dict)
    machine.exported["deployment"]["resources"] = []
    session = machine.session()
    meet_stack(session, machine.host(), RUN)
    plan, _ = plan_starts(session, {"run": RUN})
    assert {*plan.undecided} == {"run"}


@pytest.mark.parametrize("first", ["", "a.sqlite3"])
def test_a_journal_meets_the_stack_again_after_another_one(
    machine: Machine, tmp_path: Path, first: str
) -> None:
    """`vod:journal` has changed, and changes back. The state has that of the last update."""
    machine.backend = f"file://{tmp_path}/states"
    one = {"vod:journal": f"{tmp_path}/states/{first}"} if first else {}
    other = {"vod:journal": f"{tmp_path}/states/b.sqlite3"}
    names = iter("123456")
    last: dict[str, str] = {}
    for config in (one, other) * 3:
        name = next(names)
        start = {**RUN, "vid": name, "clientToken": name, "scope": {**SCOPE, "name": name}}
        machine.config = config
        machine.state(pending(RUN_TYPE, start), config=last)
        assert machine.asked(start) == {name}
        assert machine.session().journal.has_met("shop", "dev")
        last = config
    assert machine.said == []


@pytest.mark.parametrize(
    ("written", "expected"),
    [("2026-01-02T03:04:05Z", {"b"}), ("now", {"a", "b"})],
)
def test_a_released_record_proves_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, written: str, expected: set[str]
) -> None:
    """Another machine may have created the batch again after it was destroyed."""
    machine.sends(items_of(BATCH)["a"])
    machine.state()
    done = machine.session().journal.release(["r-a"])
    assert done is not None
    done.result()
    if written == "now":  # as another machine, in another time zone, dates the state
        machine.config = {"vod:resendWithin": "0"}
        later = datetime.now(timezone(-timedelta(hours=9))) + timedelta(seconds=30)
        written = later.isoformat()
        monkeypatch.setattr(pending_starts, "PAST_RESEND", -timedelta(minutes=1))
    machine.state(pending(BATCH_TYPE, BATCH), written=written)
    assert machine.asked(BATCH) == expected


def test_what_a_secret_hides_is_found_by_its_resource(machine: Machine) -> None:
    hidden = {**RUN, "vid": SECRET, "clientToken": SECRET}
    machine.state(
        pending(RUN_TYPE, hidden),
        pending(BATCH_TYPE, {**BATCH, "items": SECRET, "clientTokens": SECRET}),
    )
    other = {**RUN, "scope": {**SCOPE, "name": "other"}}
    for _ in range(2):
        assert machine.asked(other, RUN, BATCH) == {"run", "a", "b"}


def test_a_start_of_the_embedded_emulator_is_not_paid(machine: Machine) -> None:
    machine.state(pending(RUN_TYPE, RUN), config={"vod:endpoint": "emulator"})
    assert machine.asked(RUN) == set()
    machine.config = {"vod:endpoint": "emulator"}
    machine.exports = 0
    assert (machine.asked(RUN), machine.exports) == (set(), 0)


def test_the_state_is_exported_once_in_an_operation(machine: Machine, tmp_path: Path) -> None:
    """A journal beside the state meets the stack once for all."""
    machine.state()
    for number, backend in enumerate(["https://api.pulumi.com", f"file://{tmp_path}"]):
        machine.backend, machine.exports = backend, 0
        for _ in range(2):
            machine.asked(RUN, BATCH)
        assert machine.exports == (2, 1)[number]
    assert machine.said == []


@pytest.fixture
def read_only_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the journal reject pending operations, as a preview's credentials may."""

    def denied(self: SqliteJournal, *_: Any) -> int:
        raise JournalError(self.location, "it is read-only")

    monkeypatch.setattr(SqliteJournal, "import_pending", denied)


@pytest.mark.usefixtures("read_only_journal")
def test_the_kinds_of_resources_share_the_meeting(machine: Machine) -> None:
    """Each has a session of its own. A start without a record is known to both."""
    machine.state(pending(RUN_TYPE, RUN), pending(BATCH_TYPE, BATCH))
    meeting = Meeting()
    assert machine.asked(RUN, session=machine.session(meeting)) == {"run"}
    assert machine.asked(BATCH, session=machine.session(meeting)) == {"a", "b"}
    assert (machine.exports, len(machine.said)) == (1, 1)


def test_a_state_that_cannot_be_read_is_told(machine: Machine) -> None:
    machine.exported = EngineCommandError("there is no `pulumi` on PATH")
    assert machine.asked(RUN, BATCH) == set()
    [line] = machine.said
    assert "there is no `pulumi` on PATH" in line
    assert "vod-workflow recover" in line


@pytest.mark.usefixtures("read_only_journal")
def test_a_journal_that_cannot_be_written_is_told(machine: Machine) -> None:
    """The preview asks nevertheless, and the stack is not met."""
    machine.state(pending(RUN_TYPE, RUN), pending(BATCH_TYPE, {**BATCH, "clientTokens": SECRET}))
    assert machine.asked(RUN, BATCH) == {"run", "a", "b"}
    [line] = machine.said
    assert "cannot record the unfinished operations of the stack: it is read-only\nhint: " in line


@pytest.mark.usefixtures("read_only_journal")
def test_a_journal_that_cannot_be_written_is_told_only_if_there_is_something_to_write(
    machine: Machine, tmp_path: Path
) -> None:
    """A preview of a new stack by read-only credentials."""
    machine.backend = f"file://{tmp_path}/states"
    machine.state()
    assert (machine.asked(RUN), machine.said) == (set(), [])


@pytest.mark.parametrize("spelling", ["relative", "symbolic link", "hard link"])
def test_a_journal_with_another_spelling_keeps_its_records(
    machine: Machine, tmp_path: Path, spelling: str
) -> None:
    """It is not a former file of itself."""
    machine.sends(RUN)
    file = tmp_path / "vod-journal.sqlite3"
    other = tmp_path / "other"
    (tmp_path / "folder").mkdir()
    if spelling == "symbolic link":
        other.symlink_to(file)
    elif spelling == "hard link":
        other.hardlink_to(file)
    else:
        other = tmp_path / "folder" / ".." / file.name
    machine.config = {"vod:journal": str(other)}
    machine.state()
    for _ in range(2):
        session = machine.session()
        machine.asked(RUN, session=session)
        [record] = session.journal.list_stack("shop", "dev")
        assert record.run is not None
        assert record.run["runId"] == "r-v"
    assert machine.said == []


def test_a_run_is_not_taken_from_a_stack_that_may_exist(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine cannot list the stacks, so the user decides. With a list the run is reused."""
    listed: list[str] | None = None

    def list_stacks(_: str) -> list[str]:
        if listed is None:
            raise EngineCommandError("the backend is away")
        return listed

    monkeypatch.setattr(stack_evidence, "list_stacks", list_stacks)
    machine.state()
    machine.sends(RUN)
    scope = {**SCOPE, "stack": "prod", "name": "run"}
    other = {**RUN, "clientToken": "other", "scope": scope}
    session = machine.session()
    plan, recorders = plan_starts(session, {"run": other})
    assert {*plan.undecided} == {"run"}
    assert not plan.reused
    error = str(unknown_outcome_error(session, "the start", plan, scope))
    assert "started a run that may belong to another resource" in error
    assert "may belong to another resource or stack" in error
    assert "cannot read the stacks: the backend is away\nhint: " in error
    assert len(session.journal.list_stack("shop", "dev")) == 1
    listed = ["dev", "prod"]
    plan, recorders = plan_starts(machine.session(), {"run": other})
    assert (plan.undecided, {*recorders}) == ({}, {"run"}), "each stack has its run"
    listed = ["prod"]
    monkeypatch.setattr(engine_command, "export_stack", lambda _: b'{"deployment": {}}')
    assert {*plan_starts(machine.session(), {"run": other})[0].reused} == {"run"}


@pytest.mark.parametrize("listed", [["prod"], []], ids=["listed", "not listed"])
@pytest.mark.parametrize("stack", ["prod", "dev"])
def test_without_the_state_no_run_of_another_name_is_reused(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, stack: str, listed: list[str]
) -> None:
    """A resource of the state may have the run, also under the stack's former name."""
    exports: list[bytes | EngineCommandError] = []

    def export(_: str) -> bytes:
        found = exports.pop()
        if isinstance(found, EngineCommandError):
            raise found
        return found

    monkeypatch.setattr(stack_evidence, "list_stacks", lambda _: listed)
    monkeypatch.setattr(engine_command, "export_stack", export)
    machine.state()
    machine.sends({**RUN, "scope": {**SCOPE, "stack": stack, "name": "run"}})
    scope = {**SCOPE, "stack": "prod", "name": "renamed"}
    renamed = {**RUN, "clientToken": "other", "scope": scope}
    for answer, cause in (
        (EngineCommandError("the state is away"), "the state is away"),
        (b"{", "the output of `pulumi stack export` is no JSON"),
    ):
        exports[:] = [answer]
        session = machine.session()
        plan, _ = plan_starts(session, {"run": renamed})
        assert ({*plan.undecided}, plan.reused) == ({"run"}, {})
        error = str(unknown_outcome_error(session, "the start", plan, scope))
        assert "started a run that may belong to another resource" in error
        unlisted = "`pulumi stack ls` does not list the stack prod"
        assert f"cannot read the stacks: {cause if listed else unlisted}\nhint: " in error
    exports[:] = [b'{"deployment": {}}']
    reused = plan_starts(machine.session(), {"run": renamed})[0].reused
    assert {*reused} == ({"run"} if listed else set())
