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
from pulumi_vod_workflow.errors import ServiceFailureError, ThrottledError, TransportError
from pulumi_vod_workflow.fleet import Started, start_all
from tests import faults

KEYS = Credentials("AKLTEMULATOR", "emulator-secret-key")
STARTS = {f"k{n}": ({"vid": f"v-k{n}", "templateId": "t"}, f"token-{n}") for n in range(1000)}
ONCE = RetryPolicy(refused_start=0, unclear_start=0)

pytestmark = pytest.mark.vod_emulator(rate_limit=0, pending_seconds=1000)


def started(
    emulator: VodEmulator, starts: Mapping[str, Any] = STARTS, policy: RetryPolicy | None = None
) -> Started:
    """Start runs faster than the account's rate, by a client that does not wait for long."""

    async def go() -> Started:
        client = VodClient(
            emulator.url,
            "cn-north-1",
            KEYS,
            requests_per_second=10_000,
            timeouts=Timeouts(start=0.5),
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
    """Repeats get nearly all of them through; what is left is told as what it is."""
    faults.spread(vod_emulator, 0.3, seed=1)
    done = started(vod_emulator)
    tells_the_truth(done, vod_emulator)
    assert len(done.accepted) > 980
    assert vod_emulator.requests()["StartWorkflow"] > 1250


def test_without_repeats_every_failure_is_told(
    vod_emulator: VodEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Each kind of fault reaches its own start, and says whether that may have been accepted.

    Asked for again when the service is well, they are found, or started then.
    """
    monkeypatch.setattr(fleet, "IN_A_ROW", 1000)  # no giving up
    faults.spread(vod_emulator, 0.3, seed=2)
    done = started(vod_emulator, policy=ONCE)
    tells_the_truth(done, vod_emulator)
    paid = {entry["vid"].removeprefix("v-") for entry in vod_emulator.ledger()}
    assert 200 < len(done.failed) < 400
    assert not done.untried
    unclear = {key for key, error in done.failed.items() if error.maybe_accepted}
    refused = done.failed.keys() - unclear
    assert len(unclear & paid) > 60
    assert len(unclear - paid) > 60
    assert len(refused) > 30
    kinds = {type(done.failed[key]) for key in unclear}
    assert {ServiceFailureError, TransportError} < kinds
    assert ThrottledError in {type(done.failed[key]) for key in refused}
    faults.end(vod_emulator)
    again = started(vod_emulator, {key: STARTS[key] for key in done.failed})
    done.accepted.update(again.accepted)
    done.failed.clear()
    tells_the_truth(done, vod_emulator)
    assert len(done.accepted) == len(vod_emulator.ledger()) == 1000
