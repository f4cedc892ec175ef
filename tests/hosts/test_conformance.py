"""
One suite over both hosts of the lifecycle, which plays the engine over gRPC.

The emulator's ledger counts the runs that are paid.
"""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from pulumi_vod_workflow.core.client_token import client_token
from pulumi_vod_workflow.core.secrets import Secret
from pulumi_vod_workflow.core.values import UNKNOWN
from pulumi_vod_workflow.emulator import VodEmulator
from tests.hosts.client import (
    ProviderClient,
    ProviderError,
    Resource,
    declared,
    unmarked,
)
from tests.hosts.server import shown
from tests.lifecycle.async_host import plain
from tests.scale import scaled

pytestmark = pytest.mark.vod_emulator(rate_limit=0, pending_seconds=1000, running_seconds=1000)

START: dict[str, Any] = {"vid": "v1", "templateId": "t1"}
HUSH = "s3cr3t"
USUAL_LIMIT = 4 << 20
"""The most bytes of a message without an option of gRPC."""


def scope(name: str) -> dict[str, str]:
    return {"project": "p", "stack": "s", "name": name}


def run(name: str) -> Resource:
    return Resource("WorkflowRun", name)


def test_a_run_is_paid_once_in_its_life(
    provider: ProviderClient, vod_emulator: VodEmulator
) -> None:
    """Check, preview, create, read, an unchanged and a free change, delete: one start."""
    resource = run("life")
    inputs = provider.checked(resource, START)
    assert declared(inputs) == {**START, "clientToken": inputs["clientToken"]}
    planned = provider.preview_create(resource, inputs)
    assert declared(planned).items() >= START.items()
    assert vod_emulator.ledger() == []
    provider.create(resource, inputs)
    assert resource.id == resource.outputs["runId"]
    assert resource.outputs["phase"] == "submitted"
    [start] = vod_emulator.ledger()
    assert start["clientToken"] == inputs["clientToken"]

    vod_emulator.advance(5000)
    assert provider.read(resource).outputs["phase"] == "succeeded"
    same = provider.checked(resource, START)
    assert declared(same) == declared(inputs)
    assert not provider.diff(resource, same).changes
    free = provider.checked(resource, {**START, "rerunOnFailure": True})
    found = provider.diff(resource, free)
    assert (found.changes, found.replaces) == (True, [])
    provider.update(resource, free, preview=True)
    provider.update(resource, free)
    assert resource.outputs["rerunOnFailure"] is True
    assert resource.outputs["phase"] == "succeeded"
    provider.delete(resource)
    assert len(vod_emulator.ledger()) == 1


def test_the_token_is_the_same_under_each_host(provider: ProviderClient) -> None:
    """A pure function of names and inputs: a resource that changes its host keeps it."""
    inputs = provider.checked(run("token"), {**START, "triggers": {"n": 1}})
    expected = client_token({**START, "triggers": {"n": 1}, "scope": scope("token")})
    assert inputs["clientToken"] == expected


@pytest.mark.parametrize(
    "change", [{"vid": "v2"}, {"priority": 1}, {"triggers": {"n": 1}}, {"vid": UNKNOWN}], ids=str
)
def test_a_change_of_the_start_replaces(
    provider: ProviderClient, vod_emulator: VodEmulator, change: dict[str, Any]
) -> None:
    resource = provider.up(run(f"changed-{change}"), START)
    news = provider.checked(resource, {**START, **change})
    assert provider.diff(resource, news).replaces == [*change]
    assert len(vod_emulator.ledger()) == 1


def test_a_create_after_a_lost_state_reuses_the_run(
    provider: ProviderClient, vod_emulator: VodEmulator
) -> None:
    """The journal has the run that no state has."""
    first = provider.up(run("lost"), START)
    second = provider.up(run("lost"), START)
    assert second.id == first.id
    assert len(vod_emulator.ledger()) == 1


def test_unknown_values_stay_unknown(provider: ProviderClient, vod_emulator: VodEmulator) -> None:
    resource = run("unknown")
    news = {**START, "vid": UNKNOWN, "triggers": {"a": [UNKNOWN]}}
    inputs = provider.checked(resource, news)
    assert inputs["vid"] is UNKNOWN
    assert inputs["triggers"]["a"] == [UNKNOWN]
    assert inputs.get("clientToken", UNKNOWN) is UNKNOWN
    planned = provider.preview_create(resource, inputs)
    assert planned["vid"] is UNKNOWN
    assert vod_emulator.ledger() == []


SECRETS: dict[str, dict[str, Any]] = {
    "vid": {"vid": Secret(HUSH)},
    "callbackArgs": {"callbackArgs": Secret(HUSH)},
    "triggers": {"triggers": {"a": Secret(HUSH)}},
    "directUrl": {"vid": None, "directUrl": {"fileName": Secret(HUSH), "spaceName": "s"}},
}


@pytest.mark.parametrize("field", SECRETS)
def test_what_is_made_of_a_secret_is_secret(
    provider: ProviderClient, vod_emulator: VodEmulator, field: str
) -> None:
    """In checked inputs, previews and states; a digest of a secret would allow a search for it."""
    resource = run(f"secret-{field}")
    news = {key: item for key, item in {**START, **SECRETS[field]}.items() if item is not None}
    inputs = provider.checked(resource, news)
    planned = provider.preview_create(resource, inputs)
    provider.create(resource, inputs)
    token = plain(inputs["clientToken"])
    vod_emulator.advance(5000)
    provider.read(resource)
    for properties in (planned, resource.inputs, resource.outputs):
        assert HUSH not in str(unmarked(properties))
        assert token not in str(unmarked(properties))
    assert plain(resource.outputs["clientToken"]) == token
    assert not provider.diff(resource, provider.checked(resource, news)).changes
    [start] = vod_emulator.ledger()
    assert start["clientToken"] == token
    assert HUSH not in "".join(line.message for line in provider.server.engine.logged)
    assert HUSH not in "".join(provider.server.said)


def test_no_message_has_a_secret(provider: ProviderClient, vod_emulator: VodEmulator) -> None:
    """Neither a check failure nor an answer of the service that quotes the request."""
    failures = provider.check(run("wrong"), {**START, "priority": Secret(77_777)}).failures
    assert [text.partition(":")[0] for text in failures] == ["priority"]
    assert "77777" not in "".join(failures)
    hidden = {**START, "vid": Secret("emu-missing")}
    with pytest.raises(ProviderError) as caught:
        provider.up(run("missing"), hidden)
    assert "emu-missing" not in f"{caught.value} {caught.value.metadata}"
    assert vod_emulator.ledger() == []


def test_a_number_has_one_spelling(provider: ProviderClient, vod_emulator: VodEmulator) -> None:
    """The wire has floats alone; a token, a state and a comparison do not show it."""
    news = {
        **START,
        "priority": 2.0,
        "triggers": {"whole": 1.0, "half": 0.5, "large": 2.0**53 - 1, "zero": 0.0},
    }
    resource = run("numbers")
    inputs = provider.checked(resource, news)
    exact = {
        **START,
        "priority": 2,
        "triggers": {"whole": 1, "half": 0.5, "large": 2**53 - 1, "zero": 0},
    }
    assert inputs["clientToken"] == client_token({**exact, "scope": scope("numbers")})
    provider.create(resource, inputs)
    assert not provider.diff(resource, provider.checked(resource, news)).changes
    [start] = vod_emulator.ledger()
    assert start["templateId"] == "t1"


def test_all_problems_of_a_declaration_come_at_once(provider: ProviderClient) -> None:
    news = {"templateId": "t1", "vid": "v1", "directUrl": {"fileName": "f"}, "priority": 9}
    failures = provider.check(run("invalid"), news).failures
    assert len(failures) == 2
    assert any(text.startswith("priority: ") for text in failures)


def test_an_error_is_its_message(provider: ProviderClient, vod_emulator: VodEmulator) -> None:
    """The engine shows no traceback."""
    adopted = {"existingRunId": "no-such-run"}
    answered = "^GetWorkflowExecution: the service answered"
    with pytest.raises(ProviderError, match=answered) as caught:
        provider.up(run("gone"), adopted)
    assert "Traceback" not in str(caught.value)
    refused = {**START, "vid": "emu-missing"}
    with pytest.raises(ProviderError) as caught:
        provider.up(run("refused"), refused)
    assert "No run was started." in str(caught.value)
    assert vod_emulator.ledger() == []


def test_an_existing_run_is_read_by_its_id(
    provider: ProviderClient, vod_emulator: VodEmulator
) -> None:
    started = provider.up(run("first"), START)
    found = provider.read(Resource("WorkflowRun", "found", id=started.id))
    assert found.id == started.id
    assert found.outputs["vid"] == "v1"
    assert found.outputs["templateId"] == "t1"
    adopted = provider.up(run("adopted"), {"existingRunId": started.id})
    assert adopted.id == started.id
    assert len(vod_emulator.ledger()) == 1


def test_a_batch_pays_for_new_items_alone(
    provider: ProviderClient, vod_emulator: VodEmulator
) -> None:
    items = {"a": {"vid": "b1"}, "b": {"vid": "b2"}, "x": {"vid": "emu-missing"}}
    news: dict[str, Any] = {"items": items, "defaults": {"templateId": "t1"}}
    batch = provider.up(Resource("WorkflowBatch", "batch"), news)
    assert sorted(batch.outputs["runs"]) == ["a", "b"]
    assert [*batch.outputs["rejected"]] == ["x"]
    assert len(vod_emulator.ledger()) == 2
    grown = {**news, "items": {**items, "x": {"vid": "b3"}, "c": {"vid": "b4"}}}
    inputs = provider.checked(batch, grown)
    found = provider.diff(batch, inputs)
    assert (found.changes, found.replaces) == (True, [])
    before = batch.outputs["runs"]
    provider.update(batch, inputs, preview=True)
    assert len(vod_emulator.ledger()) == 2
    provider.update(batch, inputs)
    assert len(vod_emulator.ledger()) == 4
    assert batch.outputs["runs"].items() >= before.items()
    provider.read(batch)
    assert not provider.diff(batch, provider.checked(batch, grown)).changes
    provider.delete(batch)
    assert len(vod_emulator.ledger()) == 4


@pytest.mark.torture
def test_a_batch_may_be_larger_than_the_usual_message_of_grpc(
    provider: ProviderClient, vod_emulator: VodEmulator
) -> None:
    """Requests and answers of a check, a preview and a comparison, also of 10,000 items."""
    count = scaled(20, 10_000)
    text = "x" * (2 * USUAL_LIMIT // count)
    items = {f"k{n:05}": {"vid": f"v{n}", "triggers": {"text": text}} for n in range(count)}
    news: dict[str, Any] = {"items": items, "defaults": {"templateId": "t1"}}
    batch = Resource("WorkflowBatch", "large")
    inputs = provider.checked(batch, news)
    assert declared(provider.preview_create(batch, inputs))["items"] == inputs["items"]
    assert vod_emulator.ledger() == []
    small = {**news, "items": {"small": {"vid": "v-small"}}}
    provider.up(batch, small)
    found = provider.diff(batch, provider.checked(batch, news))
    assert (found.changes, found.replaces) == (True, [])
    assert len(vod_emulator.ledger()) == 1


def test_a_wait_has_the_results(provider: ProviderClient, vod_emulator: VodEmulator) -> None:
    started = provider.up(run("awaited"), START)
    news = {"runs": {"awaited": started.id}, "timeout": "1h"}
    wait = Resource("WorkflowCompletion", "wait")
    inputs = provider.checked(wait, news)
    provider.preview_create(wait, inputs)
    vod_emulator.advance(5000)
    provider.create(wait, inputs)
    assert wait.outputs["results"]["awaited"]["phase"] == "succeeded"
    assert not provider.diff(wait, provider.checked(wait, news)).changes
    provider.delete(wait)
    assert len(vod_emulator.ledger()) == 1


def test_a_cancellation_ends_reads_and_a_wait(
    own_provider: ProviderClient, vod_emulator: VodEmulator
) -> None:
    """A refresh of many runs, or of a service that does not answer, lasts minutes."""
    items = {f"k{n}": {**START, "vid": f"many-{n}"} for n in range(30)}
    one = own_provider.up(Resource("WorkflowRun", "read"), START)
    many = own_provider.up(Resource("WorkflowBatch", "read-many"), {"items": items})
    slow = own_provider.up(run("slow"), {**START, "vid": "slow"})
    wait = Resource("WorkflowCompletion", "stopped")
    inputs = own_provider.checked(wait, {"runs": {"slow": slow.id}})
    waiting = own_provider.begin_create(wait, inputs)
    with pytest.raises(grpc.FutureTimeoutError):
        waiting.result(timeout=0.5)
    vod_emulator.fault(action="GetWorkflowExecution", kind="reset", times=999)
    reading = [own_provider.begin_read(resource) for resource in (one, many)]
    for future in reading:
        with pytest.raises(grpc.FutureTimeoutError):
            future.result(timeout=0.5)
    own_provider.server.cancel()
    for future in reading:
        with pytest.raises(grpc.RpcError) as ended:
            future.result(timeout=10)
        assert "the update was cancelled" in shown(ended.value)
    with pytest.raises(ProviderError, match="stopped") as caught:
        own_provider.end_create(wait, inputs, waiting)
    # The runs continue; each is paid once.
    assert len(vod_emulator.ledger()) == 32
    # A host that can keeps the wait in the state, so that the next update continues it.
    kept = b"ErrorResourceInitFailed" in caught.value.metadata["grpc-status-details-bin"]
    assert kept is own_provider.records_failed_wait
