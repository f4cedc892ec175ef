"""
What every store of start records does: one suite, which the test module of each store runs.

A store may differ where a class attribute says so, with the reason.
"""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar, Protocol

import pytest

from pulumi_vod_workflow.config.clock import Clock, SystemClock
from pulumi_vod_workflow.core.recovery import (
    OwnerState,
    RecoveryAction,
    StartIntent,
    StartRecord,
    recovery_action,
)
from pulumi_vod_workflow.errors import JournalError
from pulumi_vod_workflow.journal.moving import move_stack
from pulumi_vod_workflow.journal.recorder import StartRecorder
from pulumi_vod_workflow.journal.sqlite import SqliteJournal
from pulumi_vod_workflow.journal.store import (
    ClaimLostError,
    ClaimResult,
    Journal,
    PendingStart,
    RecordVersion,
    hidden_key,
)
from tests.journal import processes
from tests.journal.processes import PROJECT, STACK, intent, process, resource, run_of
from tests.scale import scaled

ME, OTHER, BACKEND = "mine", "another's", "s3://states"


class Opener(Protocol):
    """Opens the journal of a test anew, as another process does."""

    def __call__(self, backend: str = BACKEND, clock: Clock | None = None) -> Journal: ...


class Off(SystemClock):
    """A clock that is wrong."""

    def __init__(self, off: timedelta) -> None:
        self.off = off

    def now(self) -> datetime:
        return super().now() + self.off


def send(journal: Journal, start: StartIntent, owner: str = ME) -> ClaimResult:
    """Claim a start as an operation does that looks right before."""
    seen = journal.lookup([start], create=True).versions[start.record_key]
    return journal.claim(start, owner, seen).result()


def accept(journal: Journal, start: StartIntent, name: str) -> None:
    """Claim a start, and record its run."""
    assert send(journal, start).won
    journal.record_accepted(start, run_of(name)).result()


def release(journal: Journal, name: str) -> None:
    written = journal.release([run_of(name)["runId"]])
    assert written is not None
    written.result()


def look(journal: Journal, *starts: StartIntent) -> dict[str, str | None]:
    """The run of each start that a journal has; `None` without an answer."""
    records = journal.lookup(starts).records
    return {key: record.run["runId"] if record.run else None for key, record in records.items()}


def pending(start: StartIntent, sent_at: datetime) -> PendingStart:
    return PendingStart(start.record_key, start.request_key, start.resource_key, sent_at)


A, B, C = intent("a", request="film"), intent("b"), intent("c")


class JournalConformance:
    """The suite. A subclass provides the fixtures `location`, `unreachable` and `denied`."""

    opener: ClassVar[str]
    """`module:function` that opens a location: `(location, backend=..., clock=None) -> Journal`."""
    knows_living_owners: ClassVar[bool] = True
    """Whether the store knows that another process is alive; a store of many machines cannot."""
    has_a_clock: ClassVar[bool] = False
    """Whether the store dates the records; otherwise the clock of each machine does."""
    many: ClassVar[int] = scaled(2_000, 10_000)
    """The number of records that a look must bear; fewer where each record is a request."""
    environ: ClassVar[Mapping[str, str] | None] = None
    """The environment of other processes; by default that of the tests."""

    @pytest.fixture
    def location(self) -> str:
        """An empty place for a journal."""
        raise NotImplementedError

    @pytest.fixture
    def unreachable(self) -> str:
        """A place that cannot be reached."""
        raise NotImplementedError

    @pytest.fixture
    def denied(self, location: str, open_journal: Opener) -> str:
        """The location after the test has written to it, where nothing can be written any more."""
        raise NotImplementedError

    def call_during_lost_claim(
        self, journal: Journal, patch: pytest.MonkeyPatch, call: Callable[[], object]
    ) -> None:
        """
        Make a journal call between the loss of a claim and the read of its record.

        A store that does both in one transaction never calls.
        """

    @classmethod
    def open_at(cls, location: str, backend: str = BACKEND, clock: Clock | None = None) -> Journal:
        module, _, function = cls.opener.partition(":")
        opened: Journal = getattr(importlib.import_module(module), function)(
            location, backend, clock
        )
        return opened

    @pytest.fixture
    def open_journal(self, location: str) -> Opener:
        def opened(backend: str = BACKEND, clock: Clock | None = None) -> Journal:
            return self.open_at(location, backend, clock)

        return opened

    @pytest.fixture
    def journal(self, open_journal: Opener) -> Journal:
        return open_journal()

    # -- records ------------------------------------------------------------------------------

    def test_a_look_at_nothing_finds_nothing(self, journal: Journal) -> None:
        found = journal.lookup([A, B])
        assert (found.records, found.superseded, found.same_request) == ({}, {}, {})
        assert journal.list_stack(PROJECT, STACK) == []
        assert not journal.has_met(PROJECT, STACK)
        assert journal.release(["lb:none"]) is None
        journal.discard_undecided(A.resource_key)

    def test_a_send_is_there_before_and_its_run_after(
        self, journal: Journal, open_journal: Opener
    ) -> None:
        began = journal.now()
        assert send(journal, A).won
        [record] = open_journal().lookup([A]).records.values()
        assert (record.run, record.record_key) == (None, A.record_key)
        assert (record.resource_key, record.request_key) == (A.resource_key, A.request_key)
        # A store may date to the second.
        assert abs(record.sent_at - began) < timedelta(seconds=30)
        journal.record_accepted(A, {**run_of("a"), "phase": "x"}).result()
        assert open_journal().lookup([A]).records[A.record_key].run == run_of("a")
        assert look(journal, A) == {A.record_key: "lb:a"}

    def test_a_rejected_start_leaves_nothing(self, journal: Journal, open_journal: Opener) -> None:
        send(journal, A)
        journal.record_rejected(A, ME).result()
        assert look(open_journal(), A) == {}
        assert send(open_journal(), A, OTHER).won, "no operation has it any more"

    def test_a_rejection_does_not_take_a_run_back(
        self, journal: Journal, open_journal: Opener
    ) -> None:
        accept(journal, A, "a")
        journal.record_rejected(A, ME).result()
        assert look(open_journal(), A) == {A.record_key: "lb:a"}

    def test_a_repeat_keeps_the_time_of_the_first_send(
        self, journal: Journal, open_journal: Opener
    ) -> None:
        first = send(journal, A).record.sent_at
        for owner in (ME, OTHER):
            again = send(journal, A, owner)
            assert (again.won, again.record.sent_at) == (True, first)
        assert open_journal().lookup([A]).records[A.record_key].sent_at == first

    def test_other_starts_of_a_resource_are_found(
        self, journal: Journal, open_journal: Opener
    ) -> None:
        """The latest, and none that a state has."""
        older, newer, newest = (intent("a", version) for version in "123")
        send(journal, older)
        send(journal, newer)
        found = open_journal().lookup([newest])
        assert found.records == {}
        assert found.superseded[A.resource_key].record_key == newer.record_key
        assert open_journal().lookup([older, newer]).superseded == {}
        journal.record_accepted(newer, run_of("a")).result()
        assert look(open_journal(), older, newer) == {newer.record_key: "lb:a"}, (
            "an answer decides about the others"
        )
        release(journal, "a")
        assert open_journal().lookup([newest]).superseded == {}

    def test_a_decision_is_about_its_resource(self, journal: Journal, open_journal: Opener) -> None:
        send(journal, A)
        send(journal, B)
        accept(journal, C, "c")
        journal.discard_undecided(A.resource_key, C.resource_key)
        journal.lookup([], create=True)
        assert look(open_journal(), A, B, C) == {B.record_key: None, C.record_key: "lb:c"}

    def test_a_stack_is_listed(self, journal: Journal, open_journal: Opener) -> None:
        """With all that names its starts, the latest last, and without other stacks."""
        send(journal, A)
        accept(journal, B, "b")
        for stack in ("dev2", "prod"):
            send(journal, intent("a", stack=stack))
        first, second = open_journal().list_stack(PROJECT, STACK)
        assert (first.record_key, first.resource_key) == (A.record_key, A.resource_key)
        assert (first.request_key, first.run) == ("film", None)
        assert (second.record_key, second.run) == (B.record_key, run_of("b"))
        assert open_journal().list_stack("other", STACK) == []

    def test_a_renamed_start_is_found_by_its_request(
        self, journal: Journal, open_journal: Opener
    ) -> None:
        """Of the same project, under another resource or stack; the same resource is no news."""
        accept(journal, A, "a")
        send(journal, intent("b", request="film"))
        elsewhere = StartIntent({}, "t", resource("x", project="other"), "x", "film")
        send(journal, elsewhere)
        renamed = intent("renamed", request="film")
        found = open_journal().lookup([renamed])
        assert found.records == {}
        assert found.superseded == {}
        names = {record.resource_key: record.run for record in found.same_request["film"]}
        assert names == {A.resource_key: run_of("a"), B.resource_key: None}
        other_stack = open_journal().lookup([intent("a", request="film", stack="renamed")])
        assert len(other_stack.same_request["film"]) == 2
        assert open_journal().lookup([intent("c", request="other")]).same_request == {}
        assert open_journal().lookup([C]).same_request == {}

    # -- claims -------------------------------------------------------------------------------

    def test_a_start_is_visible_after_an_earlier_one_that_the_user_discarded(
        self, journal: Journal, open_journal: Opener
    ) -> None:
        """The discarded one is rejected, decided by an adoption, or answered afterwards."""
        starts = rejected, adopted, answered = [intent(name) for name in "123"]
        for start in starts:
            assert send(journal, start).won
        other = open_journal()
        other.delete(other.lookup(starts).records.values())
        other.record_rejected(rejected, ME).result()
        other.discard_undecided(adopted.resource_key)
        later = open_journal()
        for start in (rejected, adopted):
            assert send(later, start, OTHER).won
        later.record_accepted(answered, run_of("3")).result()
        assert look(open_journal(), *starts) == {
            rejected.record_key: None,
            adopted.record_key: None,
            answered.record_key: "lb:3",
        }

    def test_of_two_who_have_looked_one_claims(
        self, journal: Journal, open_journal: Opener
    ) -> None:
        """The other gets what is recorded instead: that it is sent, then its run."""
        theirs = open_journal()
        version = theirs.lookup([A], create=True).versions[A.record_key]
        assert send(journal, A).won
        lost = theirs.claim(A, OTHER, version).result()
        assert (lost.won, lost.record.run) == (False, None)
        journal.record_accepted(A, run_of("a")).result()
        for seen in (version, theirs.lookup([A], create=True).versions[A.record_key], None):
            lost = theirs.claim(A, OTHER, seen).result()
            assert not lost.won
            assert lost.record.run == run_of("a")

    def test_the_first_owner_does_not_go_on_once_another_has_claimed(
        self, journal: Journal, open_journal: Opener
    ) -> None:
        """And what it hears of its own attempt decides nothing about the other's."""
        version = journal.lookup([A], create=True).versions[A.record_key]
        assert journal.claim(A, ME, version).result().won
        assert send(open_journal(), A, OTHER).won
        assert not journal.claim(A, ME, version).result().won
        journal.record_rejected(A, ME).result()
        assert look(open_journal(), A) == {A.record_key: None}
        open_journal().record_rejected(A, OTHER).result()
        assert look(open_journal(), A) == {}
        assert journal.claim(A, ME, version).result().won

    def test_a_start_that_was_rejected_during_a_lost_claim_may_be_sent(
        self, journal: Journal, open_journal: Opener, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It counts as sent until the next look, and never as a start without an answer."""
        theirs = open_journal()
        version = theirs.lookup([A], create=True).versions[A.record_key]
        assert send(journal, A).won
        with monkeypatch.context() as patch:
            self.call_during_lost_claim(
                theirs, patch, lambda: journal.record_rejected(A, ME).result()
            )
            lost = theirs.claim(A, OTHER, version).result()
        assert (lost.won, lost.record.run) == (False, None)
        assert lost.record.owner_state is not OwnerState.ENDED
        another = replace(lost.record, owner_state=OwnerState.UNKNOWN)  # not of this process
        for resend_within in (0, 3600):
            action = recovery_action(another, theirs.now(), resend_within)
            assert action is RecoveryAction.WAIT
        journal.record_rejected(A, ME).result()
        assert theirs.lookup([A]).records == {}
        assert theirs.claim(A, OTHER, version).result().won

    def test_a_late_claim_after_a_release_is_lost(
        self, journal: Journal, open_journal: Opener
    ) -> None:
        """It was decided before a state had the run. Who looks now has seen that state."""
        theirs = open_journal()
        version = theirs.lookup([A], create=True).versions[A.record_key]
        accept(journal, A, "a")
        release(journal, "a")
        late = theirs.claim(A, OTHER, version).result()
        assert not late.won
        assert late.record.run == run_of("a")
        later = open_journal()
        assert look(later, A) == {}
        assert send(later, A, OTHER).won, "as after a destroy"

    def test_an_answer_is_written_even_if_the_send_is_gone(
        self, journal: Journal, open_journal: Opener
    ) -> None:
        send(journal, A)
        open_journal().delete(journal.lookup([A]).records.values())
        journal.record_accepted(A, run_of("a")).result()
        assert look(open_journal(), A) == {A.record_key: "lb:a"}

    def test_a_run_that_is_joined_again_is_recorded_again(
        self, journal: Journal, open_journal: Opener
    ) -> None:
        """The service may answer a forced replacement with the run of the state."""
        accept(journal, A, "a")
        release(journal, "a")
        accept(journal, A, "a")
        assert look(journal, A) == look(open_journal(), A) == {A.record_key: "lb:a"}
        release(journal, "a")
        assert look(journal, A) == look(open_journal(), A) == {}

    @pytest.mark.torture
    def test_two_processes_that_reach_the_same_starts_share_them(
        self, location: str, open_journal: Opener
    ) -> None:
        """100 or 300 starts: each is sent by one of them, and no start by both."""
        names = [f"n{number:03}" for number in range(scaled(100, 300))]
        with (
            process(
                self.opener, location, processes.claims, *names, owner="x", environ=self.environ
            ) as first,
            process(
                self.opener, location, processes.claims, *names, owner="y", environ=self.environ
            ) as second,
        ):
            for each in (first, second):
                each.reach("ready")
            won: dict[str, list[str]] = {}

            def go(owner: str, of: processes.Process) -> None:
                won[owner] = of.rest()

            threads = [
                threading.Thread(target=go, args=each) for each in (("x", first), ("y", second))
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert sorted(won["x"] + won["y"]) == names
        runs = look(open_journal(), *map(intent, names))
        assert runs == {
            intent(name).record_key: f"lb:{name}-{owner}"
            for owner, owned in won.items()
            for name in owned
        }

    def test_it_can_be_used_from_any_thread(self, journal: Journal, open_journal: Opener) -> None:
        starts = [intent(str(number)) for number in range(20)]
        threads = [threading.Thread(target=accept, args=(journal, s, s.record_key)) for s in starts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(look(open_journal(), *starts)) == 20

    # -- killed processes -----------------------------------------------------------------------

    @pytest.mark.parametrize(
        ("reached", "recorded"),
        [
            ("looked", {}),
            ("claimed", {A.record_key: None}),
            ("accepted", {A.record_key: "lb:a"}),
            ("released", {}),
        ],
    )
    def test_a_kill_loses_nothing_that_was_written(
        self,
        location: str,
        open_journal: Opener,
        reached: str,
        recorded: Mapping[str, str | None],
    ) -> None:
        """After each step the next process finds what was done."""
        with process(self.opener, location, processes.sends, "a", environ=self.environ) as killed:
            killed.reach(reached)
            killed.kill()
            assert look(open_journal(), A) == recorded

    def test_a_start_of_a_living_process_is_not_sent_by_a_second_one(
        self, location: str, open_journal: Opener
    ) -> None:
        """A dead one has no answer any more, so its start is repeated, or the user decides."""
        ours = open_journal()
        with process(self.opener, location, processes.sends, "a", environ=self.environ) as other:
            other.reach("claimed")
            found = ours.lookup([A], create=True)
            record, version = found.records[A.record_key], found.versions[A.record_key]
            living = OwnerState.LIVING if self.knows_living_owners else OwnerState.UNKNOWN
            assert record.owner_state is living
            assert recovery_action(record, ours.now(), 3600) is RecoveryAction.WAIT
            # An operation that waits for the other one expects no record.
            lost = ours.claim(A, ME).result()
            assert not lost.won
            assert lost.record.owner_state is living
            if self.knows_living_owners:
                assert not ours.claim(A, ME, version).result().won
            other.kill()
        record = open_journal().lookup([A]).records[A.record_key]
        if self.knows_living_owners:
            assert record.owner_state is OwnerState.ENDED
            assert recovery_action(record, ours.now(), 3600) is RecoveryAction.SEND
            assert recovery_action(record, ours.now(), 0) is RecoveryAction.REFUSE
            assert not ours.claim(A, ME).result().won, "never without a decision"
        assert ours.claim(A, ME, version).result().won

    def test_a_start_of_this_process_is_known_as_such(self, journal: Journal) -> None:
        """The engine may call a create again after its failure, in the same process."""
        send(journal, A)
        record = journal.lookup([A]).records[A.record_key]
        assert record.owner_state is OwnerState.THIS_PROCESS
        assert send(journal, A, OTHER).won

    # -- settled starts -----------------------------------------------------------------------

    def test_what_a_state_has_is_released(self, journal: Journal, open_journal: Opener) -> None:
        accept(journal, A, "a")
        later = open_journal()
        assert later.release(["lb:other"]) is None
        written = later.release(["lb:a", "lb:other"])
        assert look(later, A) == {}, "at once, for this process"
        assert written is not None
        written.result()
        assert look(open_journal(), A) == {}
        assert later.release(["lb:a"]) is None

    def test_a_record_that_has_changed_is_not_deleted(
        self, journal: Journal, open_journal: Opener
    ) -> None:
        """Neither one that has a run by now, nor one of a later send."""
        send(journal, A)
        send(journal, B)
        read = open_journal().lookup([A, B]).records.values()
        journal.record_accepted(A, run_of("a")).result()
        open_journal().delete(read)
        assert look(open_journal(), A, B) == {A.record_key: "lb:a"}
        open_journal().delete(read)
        assert look(open_journal(), A) == {A.record_key: "lb:a"}
        open_journal().delete(open_journal().lookup([A]).records.values())
        assert look(open_journal(), A) == {}

    # -- the pending operations of a state ------------------------------------------------------

    def test_pending_starts_are_recorded_once(self, journal: Journal, open_journal: Opener) -> None:
        """As sent at the time of the state; the stack is met then, also without any."""
        sent_at = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
        assert journal.import_pending(PROJECT, STACK, [pending(A, sent_at)]) == 1
        assert journal.import_pending(PROJECT, "empty", []) == 0
        later = open_journal()
        assert later.has_met(PROJECT, STACK)
        assert later.has_met(PROJECT, "empty")
        assert not later.has_met(PROJECT, "other")
        assert not later.has_met("other", STACK)
        record = later.lookup([A]).records[A.record_key]
        assert (record.sent_at, record.run) == (sent_at, None)
        assert (record.resource_key, record.request_key) == (A.resource_key, A.request_key)
        assert recovery_action(record, later.now(), 4) is RecoveryAction.REFUSE
        assert [each.record_key for each in later.list_stack(PROJECT, STACK)] == [A.record_key]
        assert later.import_pending(PROJECT, STACK, [pending(A, sent_at)]) == 0
        assert not later.claim(A, ME).result().won, "never without a decision"
        version = later.lookup([A], create=True).versions[A.record_key]
        assert later.claim(A, ME, version).result().won
        assert later.lookup([A]).records[A.record_key].sent_at == sent_at

    def test_an_update_sends_its_own_start_that_a_preview_has_recorded_as_pending(
        self, journal: Journal, open_journal: Opener
    ) -> None:
        """Before the first claim, or between a rejection and the next one. It keeps the journal."""
        versions = open_journal().lookup([A, B], create=True).versions
        assert journal.claim(B, ME, versions[B.record_key]).result().won
        journal.record_rejected(B, ME).result()
        starts = [pending(start, journal.now() - timedelta(days=1)) for start in (A, B)]
        assert open_journal().import_pending(PROJECT, STACK, starts) == 2
        for start in (A, B):
            recorder = StartRecorder(journal, start, ME, versions[start.record_key])
            with pytest.raises(ClaimLostError) as lost:
                asyncio.run(recorder.claim())
            assert lost.value.record.owner_state is OwnerState.PENDING
            asyncio.run(recorder.to_send_own().claim())
            other = StartRecorder(journal, start, OTHER, versions[start.record_key])
            for rival in (other, other.to_send_own()):
                with pytest.raises(ClaimLostError) as lost:
                    asyncio.run(rival.claim())
                assert lost.value.record.owner_state is not OwnerState.PENDING

    def test_an_unsent_start_is_no_record_and_stays_known(
        self, journal: Journal, open_journal: Opener
    ) -> None:
        sent_at = journal.now() - timedelta(days=1)
        unsent = replace(pending(A, sent_at), is_unsent=True)
        assert journal.import_pending(PROJECT, STACK, [unsent, pending(B, sent_at)]) == 1
        assert [each.record_key for each in journal.list_stack(PROJECT, STACK)] == [B.record_key]
        later = open_journal()
        assert later.import_pending(PROJECT, STACK, [pending(A, sent_at)]) == 0
        version = later.lookup([A], create=True).versions[A.record_key]
        assert later.claim(A, ME, version).result().won

    def test_a_stack_that_another_journal_has_is_met_again(
        self, journal: Journal, open_journal: Opener
    ) -> None:
        """What was imported before stays known."""
        start = pending(A, journal.now() - timedelta(days=1))
        journal.import_pending(PROJECT, STACK, [start])
        journal.import_pending(PROJECT, "other", [])
        for _ in range(2):
            open_journal().forget_met(PROJECT, STACK)
            assert not open_journal().has_met(PROJECT, STACK)
            assert open_journal().has_met(PROJECT, "other")
            open_journal().delete(open_journal().list_stack(PROJECT, STACK))
            assert open_journal().import_pending(PROJECT, STACK, [start]) == 0
            assert open_journal().has_met(PROJECT, STACK)

    def test_a_preview_does_not_meet_a_stack(self, journal: Journal, open_journal: Opener) -> None:
        """It makes the store; only `import_pending` meets the stack."""
        journal.lookup([A], create=True)
        send(journal, B)
        assert not open_journal().has_met(PROJECT, STACK)

    def test_what_the_journal_knows_is_not_imported(
        self, journal: Journal, open_journal: Opener
    ) -> None:
        """The engine keeps a pending operation, also after its start is settled."""
        written = journal.now()
        starts = sent, ran, released, deleted = [intent(name) for name in "1234"]
        for start in starts:
            send(journal, start)
        for start in (ran, released):
            journal.record_accepted(start, run_of(start.record_key)).result()
        release(journal, released.record_key)
        journal.delete([journal.lookup([deleted]).records[deleted.record_key]])
        before = look(open_journal(), *starts)
        assert before == {sent.record_key: None, ran.record_key: f"lb:{ran.record_key}"}
        waiting = [pending(start, written) for start in starts]
        assert open_journal().import_pending(PROJECT, STACK, waiting) == 0
        assert look(open_journal(), *starts) == before

    def test_an_imported_start_that_is_settled_is_not_imported_again(
        self, journal: Journal, open_journal: Opener
    ) -> None:
        """Discarded by a user, decided by an adoption, or rejected by the service."""
        starts = deleted, adopted, rejected = [intent(name) for name in "123"]
        waiting = [pending(start, journal.now()) for start in starts]
        assert journal.import_pending(PROJECT, STACK, waiting) == 3
        journal.delete([journal.lookup([deleted]).records[deleted.record_key]])
        journal.discard_undecided(adopted.resource_key)
        assert send(journal, rejected).won
        journal.record_rejected(rejected, ME).result()
        assert open_journal().import_pending(PROJECT, STACK, waiting) == 0
        assert look(open_journal(), *starts) == {}

    def test_a_pending_start_that_a_secret_hides_may_be_each_of_its_resource(
        self, journal: Journal, open_journal: Opener
    ) -> None:
        """Until an answer, an adoption or a user decides about the resource."""
        hidden = [PendingStart("", "", start.resource_key, journal.now()) for start in (A, B, C)]
        assert journal.import_pending(PROJECT, STACK, hidden) == 3
        later = open_journal()
        record = later.lookup([A]).records[A.record_key]
        assert (record.record_key, record.run) == (hidden_key(A.resource_key), None)
        assert later.lookup([intent("a", "2")]).records, "each start of the resource"
        assert len(later.list_stack(PROJECT, STACK)) == 3
        later.delete([record])
        later.discard_undecided(B.resource_key)
        later.record_accepted(C, run_of("c")).result()
        assert look(open_journal(), A, B, C) == {C.record_key: "lb:c"}
        assert later.import_pending(PROJECT, STACK, hidden) == 0

    # -- several backends, many records, other journals -----------------------------------------

    def test_backends_are_kept_apart(self, open_journal: Opener) -> None:
        """Two stacks of one name in two backends: neither sees the other's starts."""
        one, two = open_journal("s3://one"), open_journal("s3://two")
        accept(one, A, "one")
        send(one, B)
        one.import_pending(PROJECT, STACK, [])
        again = open_journal("s3://two")
        assert look(again, A, B) == {}
        assert again.lookup([intent("c", request="film")]).same_request == {}
        assert again.list_stack(PROJECT, STACK) == []
        assert not again.has_met(PROJECT, STACK)
        accept(two, A, "two")
        two.discard_undecided(B.resource_key)
        assert two.release(["lb:one"]) is None
        two.delete(one.lookup([B]).records.values())
        two.lookup([], create=True)
        assert look(open_journal("s3://one"), A, B) == {
            A.record_key: "lb:one",
            B.record_key: None,
        }
        assert look(open_journal("s3://two"), A, B) == {A.record_key: "lb:two"}

    @pytest.mark.torture
    def test_many_records_are_found(self, journal: Journal, open_journal: Opener) -> None:
        """Of one start among them, of all of them, and of the stack."""
        starts = [intent(f"n{number}", request=f"r{number}") for number in range(self.many)]
        now = datetime.now(UTC)
        journal.import_records(
            StartRecord(
                now,
                run_of(start.record_key) if number % 2 else None,
                start.record_key,
                start.resource_key,
                start.request_key,
            )
            for number, start in enumerate(starts)
        )
        later = open_journal()
        one = starts[self.many // 2 + 1]
        assert later.lookup([one]).records.keys() == {one.record_key}
        renamed = intent("renamed", request=one.request_key)
        assert len(later.lookup([renamed]).same_request[one.request_key]) == 1
        assert len(later.lookup(starts, create=True).records) == self.many
        assert len(later.list_stack(PROJECT, STACK)) == self.many
        written = later.release(run_of(start.record_key)["runId"] for start in starts)
        assert written is not None
        written.result()
        assert len(open_journal().list_stack(PROJECT, STACK)) == self.many - self.many // 2

    def test_the_records_of_another_journal_are_imported_once(
        self, journal: Journal, open_journal: Opener
    ) -> None:
        """A repetition after a kill changes nothing, also after what has come since."""
        sent_at = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)

        def record(start: StartIntent, name: str = "") -> StartRecord:
            run = run_of(name) if name else None
            return StartRecord(
                sent_at, run, start.record_key, start.resource_key, start.request_key
            )

        accept(journal, C, "c")
        records = [record(A, "a"), record(B), record(C, "older")]
        assert journal.import_records(records) == 2
        later = open_journal()
        assert look(later, A, B, C) == {
            A.record_key: "lb:a",
            B.record_key: None,
            C.record_key: "lb:c",
        }
        found = later.lookup([A, B]).records
        assert [each.sent_at for each in found.values()] == [sent_at, sent_at]
        assert found[A.record_key].request_key == "film"
        assert found[B.record_key].owner_state is OwnerState.ENDED
        assert later.import_records(records) == 0
        release(later, "a")
        later.delete([found[B.record_key]])
        assert later.import_records(records) == 0
        assert look(open_journal(), A, B, C) == {C.record_key: "lb:c"}

    def test_an_imported_start_of_a_living_process_is_waited_for(self, journal: Journal) -> None:
        """The owner may be on another machine."""
        now = journal.now()
        living = StartRecord(
            now, None, A.record_key, A.resource_key, A.request_key, OwnerState.LIVING
        )
        assert journal.import_records([living]) == 1
        assert journal.lookup([A]).records[A.record_key].owner_state is OwnerState.UNKNOWN

    def test_a_stack_moves_from_a_file(
        self, journal: Journal, open_journal: Opener, tmp_path: Path
    ) -> None:
        """All of it, and nothing of another stack. A kill in the middle costs nothing."""
        file = tmp_path / "before" / "journal.sqlite3"
        other = intent("a", stack="other")
        before = SqliteJournal(file, BACKEND)
        accept(before, A, "a")
        send(before, B)
        send(before, other)
        assert journal.import_records(before.list_stack(PROJECT, STACK)) == 2  # and is killed
        assert move_stack(SqliteJournal(file, BACKEND), PROJECT, STACK, open_journal()) == 2
        moved = open_journal()
        assert look(moved, A, B, other) == {A.record_key: "lb:a", B.record_key: None}
        assert look(SqliteJournal(file, BACKEND), A, B, other) == {other.record_key: None}
        assert move_stack(SqliteJournal(file, BACKEND), PROJECT, STACK, moved) == 0
        before.record_accepted(B, run_of("b")).result()  # by an update that has not ended
        assert move_stack(SqliteJournal(file, BACKEND), PROJECT, STACK, moved) == 1
        assert look(open_journal(), A, B) == {A.record_key: "lb:a", B.record_key: "lb:b"}
        assert move_stack(SqliteJournal(tmp_path / "none", BACKEND), PROJECT, STACK, moved) == 0
        assert not (tmp_path / "none").exists()

    # -- stores that do not work ----------------------------------------------------------------

    def test_a_store_that_cannot_be_reached_says_so(self, unreachable: str) -> None:
        """Nothing is sent, and the error names the store. What costs nothing goes on."""
        journal = self.open_at(unreachable)
        uses: tuple[Callable[[], object], ...] = (
            lambda: journal.lookup([A], create=True),
            lambda: journal.claim(A, ME).result(),
            lambda: journal.import_pending(PROJECT, STACK, []),
            lambda: journal.import_records([]),
        )
        for use in uses:
            with pytest.raises(JournalError) as raised:
                use()
            assert journal.location in str(raised.value)
            assert "No run was started" in str(raised.value)
        assert journal.release(["lb:a"]) is None
        journal.discard_undecided(A.resource_key)

    def test_a_store_that_denies_writes_can_be_read(
        self, open_journal: Opener, request: pytest.FixtureRequest
    ) -> None:
        """An update sends nothing then."""
        accept(open_journal(), A, "a")
        journal = self.open_at(request.getfixturevalue("denied"))
        assert look(journal, A) == {A.record_key: "lb:a"}
        assert len(journal.list_stack(PROJECT, STACK)) == 1
        uses: tuple[Callable[[], object], ...] = (
            lambda: journal.claim(B, ME).result(),
            lambda: journal.import_pending(PROJECT, STACK, []),
            lambda: journal.delete(journal.lookup([A]).records.values()),
        )
        for use in uses:
            with pytest.raises(JournalError) as raised:
                use()
            assert journal.location in str(raised.value)
            assert "No run was started" in str(raised.value)
        journal.discard_undecided(A.resource_key)

    def test_a_clock_that_is_off_sends_nothing_again(self, open_journal: Opener) -> None:
        """An age that is not known is none: the user decides, or the store knows it better."""
        for off in (timedelta(days=1), timedelta(days=-1)):
            wrong, right = open_journal(clock=Off(off)), open_journal()
            start = intent(f"off {off.days}")
            send(wrong, start)
            record = right.lookup([start]).records[start.record_key]
            age = right.now() - record.sent_at
            if self.has_a_clock:
                assert abs(age) < timedelta(minutes=1)
            else:
                assert abs(age + off) < timedelta(minutes=1)
                assert recovery_action(record, right.now(), 4) is RecoveryAction.REFUSE

    def test_a_version_without_a_record_is_none(self, journal: Journal) -> None:
        assert journal.lookup([A], create=True).versions == {A.record_key: RecordVersion()}
