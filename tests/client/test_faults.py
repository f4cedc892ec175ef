"""A thousand starts on a service of which three answers of ten are wrong or lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
import pytest

from pulumi_vod_workflow import fleet
from pulumi_vod_workflow.client import Timeouts, VodClient
from pulumi_vod_workflow.core.policy import RetryPolicy
from pulumi_vod_workflow.core.signing import Credentials
from pulumi_vod_workflow.emulator import VodEmulator
from pulumi_vod_workflow.fleet import Started, start_all
from tests import faults

KEYS = Credentials("AKLTEMULATOR", "emulator-secret-key")
STARTS = {f"k{n}": ({"vid": f"v-k{n}", "templateId": "t"}, f"token-{n}") for n in range(1000)}
PATIENT = RetryPolicy(unclear_start=60)
"""However slow the machine is: here no run ends meanwhile."""
IMPATIENT = RetryPolicy(refused_start=0, unclear_start=0.3, base=0.2)

pytestmark = pytest.mark.vod_emulator(rate_limit=0, pending_seconds=1000)


def started(
    emulator: VodEmulator, policy: RetryPolicy, starts: Mapping[str, Any] = STARTS
) -> Started:
    """Start runs faster than the account's rate, by a client that does not wait for long."""

    async def go() -> Started:
        client = VodClient(
            emulator.url,
            "cn-north-1",
            KEYS,
            requests_per_second=10_000,
            timeouts=Timeouts(start=1),
            policy=policy,
        )
        try:
            return await start_all(client, starts, say=lambda _: None, stopped=lambda: False)
        finally:
            await client.aclose()

    return anyio.run(go)


def tells_the_truth(done: Started, emulator: VodEmulator) -> None:
    """What is said of every start is what the service has in its books."""
    ledger = {entry["vid"].removeprefix("v-"): entry["runId"] for entry in emulator.ledger()}
    assert len(ledger) == len(emulator.ledger()), "no start is paid twice"
    assert {key: answer.result["RunId"] for key, answer in done.accepted.items()} == {
        key: run_id for key, run_id in ledger.items() if key in done.accepted
    }
    assert sorted([*done.accepted, *done.failed, *done.untried]) == sorted(STARTS)
    unclear = {key for key, error in done.failed.items() if error.maybe_accepted}
    assert ledger.keys() <= done.accepted.keys() | unclear
    for key, error in done.failed.items():
        promise = "A run may have started" if key in unclear else "Nothing was started"
        assert promise in str(error)
        for hidden in ("emulator-secret-key", "Signature=", "ClientToken"):
            assert hidden not in str(error).replace("the same ClientToken", "")


def test_starts_end_accepted_once_or_reported(vod_emulator: VodEmulator) -> None:
    """Repeats get all of them through, and each comes back with the id that it has."""
    faults.spread(vod_emulator, 0.3, seed=1)
    done = started(vod_emulator, PATIENT)
    tells_the_truth(done, vod_emulator)
    assert len(done.accepted) == 1000
    assert vod_emulator.requests()["StartWorkflow"] > 1250


def test_with_few_repeats_every_failure_is_told(
    vod_emulator: VodEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Each kind of fault reaches its own start, and says whether that may have been accepted.

    Asked for again when the service is well, they are found, or started then.
    """
    monkeypatch.setattr(fleet, "IN_A_ROW", 1000)  # no giving up
    faults.spread(vod_emulator, 0.3, seed=2)
    done = started(vod_emulator, IMPATIENT)
    tells_the_truth(done, vod_emulator)
    paid = {entry["vid"].removeprefix("v-") for entry in vod_emulator.ledger()}
    assert len(done.failed) > 100
    unclear = {key for key, error in done.failed.items() if error.maybe_accepted}
    refused = done.failed.keys() - unclear
    assert len(unclear & paid) > 20
    assert len(unclear - paid) > 20
    assert len(refused) > 30
    last_words = "".join(done.failed[key].what for key in unclear)
    for part in ("HTTP 500", "HTTP 502", "HTTP 504", "HTTP 200", "no answer", "connection broke"):
        assert part in last_words
    assert "HTTP 503" in last_words, "refused, after an attempt that was not"
    faults.end(vod_emulator)
    again = started(vod_emulator, PATIENT, {key: STARTS[key] for key in done.failed})
    done.accepted.update(again.accepted)
    done.failed.clear()
    tells_the_truth(done, vod_emulator)
    assert len(done.accepted) == len(vod_emulator.ledger()) == 1000
