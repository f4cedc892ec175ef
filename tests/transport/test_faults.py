"""Hundreds of starts on a service of which three answers of ten are wrong or lost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import anyio
import pytest

from pulumi_vod_workflow.core.recovery import plan_recovery
from pulumi_vod_workflow.core.retry import RetryPolicy
from pulumi_vod_workflow.core.signing import Credentials
from pulumi_vod_workflow.emulator import VodEmulator
from pulumi_vod_workflow.journal.sqlite import SqliteJournal
from pulumi_vod_workflow.lifecycle import starter
from pulumi_vod_workflow.lifecycle.starter import StartResults, start_many
from pulumi_vod_workflow.transport.client import Timeouts, VodClient
from tests import faults
from tests.scale import scaled
from tests.transport.conftest import notes

KEYS = Credentials("AKLTEMULATOR", "emulator-secret-key")
COUNT = scaled(120, 1000)
PATIENT = RetryPolicy(ambiguous_start_budget=60)
"""However slow the machine is: here no run ends meanwhile."""
IMPATIENT = RetryPolicy(rejected_start_budget=0, ambiguous_start_budget=0.3, initial_backoff=0.2)

pytestmark = [
    pytest.mark.torture,
    pytest.mark.vod_emulator(rate_limit=0, pending_seconds=1000),
]


@pytest.fixture
def journal(tmp_path: Path) -> SqliteJournal:
    return SqliteJournal(tmp_path / "journal")


def started(
    emulator: VodEmulator,
    journal: SqliteJournal,
    policy: RetryPolicy,
    only: Iterable[str] | None = None,
) -> StartResults:
    """Start runs faster than the account's rate, by a client that does not wait for long."""
    asked = notes(COUNT, journal)
    asked = {name: asked[name] for name in (asked if only is None else only)}
    orders = {name: note.intent for name, note in asked.items()}
    now = datetime.now(UTC)
    look = journal.lookup(orders.values(), create=True)
    known = plan_recovery(orders, look.records, {}, now, 600)
    assert not known.reused
    assert not known.undecided
    resent = {
        name: replace(
            note,
            resent=name in known.resent,
            expected_version=look.versions[note.intent.record_key],
        )
        for name, note in asked.items()
    }

    async def go() -> StartResults:
        client = VodClient(
            emulator.url,
            "cn-north-1",
            KEYS,
            requests_per_second=10_000,
            timeouts=Timeouts(start=1),
            policy=policy,
        )
        try:
            return await start_many(
                client, resent, on_progress=lambda _: None, is_cancelled=lambda: False
            )
        finally:
            await client.aclose()

    return anyio.run(go)


def paid_by(emulator: VodEmulator) -> dict[str, str]:
    """Return the run of each start that the service has in its books, once."""
    ledger = {f"k{entry['vid'][1:]}": entry["runId"] for entry in emulator.ledger()}
    assert len(ledger) == len(emulator.ledger()), "no start is paid twice"
    return ledger


def tells_the_truth(done: StartResults, emulator: VodEmulator, journal: SqliteJournal) -> None:
    """What is said of every start, and what the journal holds of it, is what became of it."""
    ledger = paid_by(emulator)
    accepted = {name: run["runId"] for name, run in done.accepted.items()}
    assert accepted == {name: ledger[name] for name in accepted}
    asked = notes(COUNT, journal)
    assert sorted([*done.accepted, *done.failed, *done.skipped]) == sorted(asked)
    unclear = {name for name, error in done.failed.items() if error.maybe_accepted}
    assert ledger.keys() <= accepted.keys() | unclear
    for name, error in done.failed.items():
        promise = "A run may exist." if name in unclear else "No run was started."
        assert promise in str(error)
        for hidden in ("emulator-secret-key", "Signature=", "token-"):
            assert hidden not in str(error)
    entries = journal.lookup(note.intent for note in asked.values()).records
    written = {name: entries.get(note.intent.record_key) for name, note in asked.items()}
    assert {name for name, entry in written.items() if entry and entry.run is None} == unclear
    assert accepted == {
        name: entry.run["runId"] for name, entry in written.items() if entry and entry.run
    }


def test_starts_end_accepted_once_and_recorded(
    vod_emulator: VodEmulator, journal: SqliteJournal
) -> None:
    """Repeats get all of them through, and each comes back with the id that it has."""
    faults.spread(vod_emulator, 0.3, seed=1)
    done = started(vod_emulator, journal, PATIENT)
    tells_the_truth(done, vod_emulator, journal)
    assert len(done.accepted) == COUNT
    assert vod_emulator.requests()["StartWorkflow"] > 1.25 * COUNT


def test_with_few_repeats_every_failure_is_told(
    vod_emulator: VodEmulator, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Each kind of fault reaches its own start, and says whether that may have been accepted.

    Asked for again when the service is well, they are found, or started then.
    """
    monkeypatch.setattr(starter, "MAX_CONSECUTIVE_FAILURES", COUNT)  # no giving up
    faults.spread(vod_emulator, 0.3, seed=2)
    done = started(vod_emulator, journal, IMPATIENT)
    tells_the_truth(done, vod_emulator, journal)
    paid = paid_by(vod_emulator).keys()
    assert len(done.failed) > COUNT / 10
    unclear = {name for name, error in done.failed.items() if error.maybe_accepted}
    refused = done.failed.keys() - unclear
    assert len(unclear & paid) > COUNT / 50
    assert len(unclear - paid) > COUNT / 50
    assert len(refused) > COUNT / 34
    last_words = "".join(done.failed[name].summary for name in unclear)
    for part in ("HTTP 500", "HTTP 502", "HTTP 504", "HTTP 200", "no answer", "connection broke"):
        assert part in last_words
    faults.end(vod_emulator)
    again = started(vod_emulator, journal, PATIENT, only=done.failed)
    assert again.accepted.keys() == done.failed.keys()
    whole = StartResults(accepted={**done.accepted, **again.accepted})
    tells_the_truth(whole, vod_emulator, journal)
    assert len(vod_emulator.ledger()) == COUNT


def test_a_refusal_after_an_attempt_without_an_answer_is_still_unclear(
    vod_emulator: VodEmulator, journal: SqliteJournal
) -> None:
    """The last attempt was refused; the first one may have been accepted."""
    for code, times in (("InternalError", 1), ("ServiceUnavailable", 10**6)):
        vod_emulator.fault(action="StartWorkflow", kind="http", code=code, times=times)
    policy = replace(IMPATIENT, ambiguous_start_budget=2)
    [error] = started(vod_emulator, journal, policy, only=["k0"]).failed.values()
    assert vod_emulator.requests()["StartWorkflow"] > 1
    assert "HTTP 503" in error.summary
    assert error.maybe_accepted
