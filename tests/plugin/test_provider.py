"""The packaged provider's own part: what the dynamic host cannot do, and rules about money."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import plugin_pb2, provider_pb2, status_pb2

from pulumi_vod_workflow.core.property_marks import UNKNOWN_TEXT
from pulumi_vod_workflow.core.secrets import Secret
from pulumi_vod_workflow.core.values import UNKNOWN
from pulumi_vod_workflow.emulator import VodEmulator
from pulumi_vod_workflow.hosting.engine_watch import ENGINE_CHECK_INTERVAL, REFUSALS
from pulumi_vod_workflow.plugin import operations
from pulumi_vod_workflow.plugin.servicer import VodServicer
from tests.engine.project import until
from tests.hosts.client import (
    PluginClient,
    ProviderError,
    Resource,
    from_wire,
    has_secret,
    to_wire,
)
from tests.hosts.conftest import configuration
from tests.hosts.server import Server, connect, serve, shown
from torture.gate import Gate

pytestmark = pytest.mark.vod_emulator(rate_limit=0, pending_seconds=1000, running_seconds=1000)

COMMAND = ("-m", "pulumi_vod_workflow.plugin")
START: dict[str, Any] = {"vid": "v1", "templateId": "t1"}
HUSH = "s3cr3t-value"
PROVIDER = "urn:pulumi:s::p::pulumi:providers:vod::default"
RUN_URN = "urn:pulumi:s::p::vod:index:WorkflowRun::x"
PropertyDiff = provider_pb2.PropertyDiff


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve(*COMMAND) as server:
        yield server


@pytest.fixture
def provider(server: Server, vod_emulator: VodEmulator, tmp_path: Path) -> PluginClient:
    """The provider at the begin of an operation of the engine."""
    client = PluginClient(server)
    client.configure(configuration(vod_emulator, tmp_path))
    return client


def run(name: str = "run") -> Resource:
    return Resource("WorkflowRun", name)


def struct(properties: dict[str, Any]) -> Struct:
    found = Struct()
    found.update(to_wire(properties))
    return found


def plainly(properties: Struct) -> dict[str, Any]:
    """Return properties with marks of unknown and secret values."""
    found: dict[str, Any] = from_wire(MessageToDict(properties))
    return found


def recorded_runs(folder: Path) -> list[str]:
    """Return the RunIds of the starts in a journal."""
    with sqlite3.connect(folder / "journal") as journal:
        found = journal.execute("SELECT run_id FROM starts").fetchall()
    journal.close()
    return [run for (run,) in found]


def next_operation(provider: PluginClient) -> None:
    """Begin the next operation of the engine, as an attached process sees it."""
    provider.server.stub.Configure(provider_pb2.ConfigureRequest(args=provider.arguments))


# -- money -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "news"),
    [
        ("WorkflowRun", START),
        ("WorkflowRun", {"existingRunId": "lb:1"}),
        ("WorkflowBatch", {"items": {"a": START}}),
        (
            "WorkflowCompletion",
            {"runs": {"a": {"runId": "lb:1"}}, "timeout": 1, "onFailure": "error"},
        ),
    ],
)
def test_a_preview_sends_nothing_and_touches_no_journal(
    kind: str,
    news: dict[str, Any],
    provider: PluginClient,
    vod_emulator: VodEmulator,
    tmp_path: Path,
) -> None:
    """The engine calls Create and Update in each preview, whatever Configure answers."""
    scope = {"project": "p", "stack": "s", "name": "planned"}
    inputs = {**news, "scope": scope, "clientToken": "t", "clientTokens": {"a": "t"}}
    planned = Resource(kind, "planned")
    provider.preview_create(planned, inputs)
    planned.outputs = {**inputs, "runs": news.get("runs", {})}
    provider.update(planned, {**inputs, "items": {"a": START, "b": START}}, preview=True)
    assert (vod_emulator.ledger(), vod_emulator.requests()) == ([], {})
    assert not (tmp_path / "journal").exists()


def test_a_preview_knows_what_the_declaration_determines(
    provider: PluginClient, vod_emulator: VodEmulator
) -> None:
    inputs = provider.checked(run("known"), START)
    planned = provider.preview_create(run("known"), inputs)
    assert planned.keys() == {*START, "scope", "clientToken", "region", "endpoint"}
    assert UNKNOWN not in planned.values()
    assert planned["endpoint"] == vod_emulator.url


def test_a_value_that_is_lost_starts_nothing(
    provider: PluginClient, vod_emulator: VodEmulator
) -> None:
    """Outside a preview, the value of a failed resource stays unknown (`--continue-on-error`)."""
    inputs = {**provider.checked(run("lost"), START), "triggers": {"n": UNKNOWN}}
    with pytest.raises(ProviderError, match="No run was started"):
        provider.create(run("lost"), inputs)
    assert vod_emulator.ledger() == []


def test_a_create_that_no_check_preceded_finds_the_start(
    provider: PluginClient, vod_emulator: VodEmulator
) -> None:
    """No state has the run, as after `pulumi do ... create`: in the same operation or another."""
    inputs = provider.checked(run("repeated"), START)
    first = provider.create(run("repeated"), inputs)
    assert provider.create(run("repeated"), inputs).id == first.id
    next_operation(provider)
    assert provider.create(run("repeated"), inputs).id == first.id
    assert len(vod_emulator.ledger()) == 1


@pytest.mark.parametrize("kind", ["WorkflowRun", "WorkflowBatch"])
@pytest.mark.parametrize("call", ["read", "diff", "delete"])
def test_a_run_in_a_state_leaves_the_journal(
    call: str, kind: str, provider: PluginClient, vod_emulator: VodEmulator, tmp_path: Path
) -> None:
    """Otherwise a later replacement would reuse the run of the journal for ever."""
    declared = (
        START if kind == "WorkflowRun" else {"items": {"a": START, "b": {**START, "vid": "v2"}}}
    )
    started = provider.up(Resource(kind, f"{kind}-{call}"), declared)
    assert sorted(recorded_runs(tmp_path)) == sorted(run["runId"] for run in vod_emulator.ledger())
    if call == "diff":
        provider.diff(started, started.inputs)
    else:
        getattr(provider, call)(started)
    until(lambda: recorded_runs(tmp_path) == [])


def test_a_changed_configuration_replaces_nothing(provider: PluginClient) -> None:
    """A replacement of the provider would replace each run of the stack: paid."""
    for news in ({"region": "ap-southeast-1"}, {"endpoint": UNKNOWN}, {"accessKey": "another"}):
        request = provider_pb2.DiffRequest(
            urn=PROVIDER, olds=struct({"region": "cn-north-1"}), news=struct(news)
        )
        answer = provider.server.stub.DiffConfig(request)
        assert answer.changes == provider_pb2.DiffResponse.DIFF_SOME
        assert not answer.replaces
        assert not answer.hasDetailedDiff
    config = struct({"region": "cn-north-1"})
    same = provider_pb2.DiffRequest(urn=PROVIDER, olds=config, news=config)
    answer = provider.server.stub.DiffConfig(same)
    assert answer.changes == provider_pb2.DiffResponse.DIFF_NONE


def test_a_start_outlives_its_engine(vod_emulator: VodEmulator, tmp_path: Path) -> None:
    """The engine is killed, and the service answers later: the process records the run first."""
    with Gate(vod_emulator.url) as gate, serve(*COMMAND) as server:
        provider = PluginClient(server)
        settings = {**configuration(vod_emulator, tmp_path), "vod:endpoint": gate.url}
        provider.configure(settings)
        inputs = provider.checked(run("orphan"), START)
        answer = gate.trap("accepted")
        create = provider.begin_create(run("orphan"), inputs)
        assert answer.reached.wait(60)
        create.cancel()  # the library of the provider cancels its handler, as at a kill
        server.close_pipe()
        server.engine_server.stop(0).wait()
        until(lambda: not server.answers())
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(0.5)  # a process that ends now would accept no more writes
        answer.release()
        assert server.process.wait(30) == 0
        assert "Traceback" not in "".join(server.said)  # gRPC logs, too
    [start] = vod_emulator.ledger()
    assert recorded_runs(tmp_path) == [start["runId"]]


def test_a_wait_ends_with_its_engine(vod_emulator: VodEmulator, tmp_path: Path) -> None:
    """A wait that lost its engine would hold the process for hours."""
    with serve(*COMMAND) as server:
        provider = PluginClient(server)
        provider.configure(configuration(vod_emulator, tmp_path))
        started = provider.up(run("slow"), START)
        wait = Resource("WorkflowCompletion", "wait")
        inputs = provider.checked(wait, {"runs": {"slow": started.id}})
        call = provider.begin_create(wait, inputs)  # without this reference, gRPC cancels it
        until(lambda: vod_emulator.requests().get("GetWorkflowExecution", 0) > 0)
        assert not call.done()
        server.close_pipe()
        server.engine_server.stop(0).wait()
        assert server.process.wait(30) == 0
        assert "Traceback" not in "".join(server.said)  # gRPC logs, too


@pytest.mark.parametrize(
    ("operation", "outcome"),
    [
        ("Create", "A run may exist."),
        ("Update", "A run may exist."),
        ("Delete", "No run was started."),
    ],
)
def test_a_defect_tells_whether_a_run_may_exist(
    operation: str, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Context:
        async def abort(self, _code: Any, text: str, _metadata: Any) -> None:
            raise RuntimeError(text)

    async def failing(_: Any) -> None:
        raise ValueError(HUSH)

    failing.__name__ = operation.lower()
    monkeypatch.setattr(operations, failing.__name__, failing)
    servicer = VodServicer("127.0.0.1:1")
    request: Any = {
        "Create": provider_pb2.CreateRequest,
        "Update": provider_pb2.UpdateRequest,
        "Delete": provider_pb2.DeleteRequest,
    }[operation](urn=RUN_URN)

    async def play() -> None:
        await servicer.Configure(provider_pb2.ConfigureRequest(urn=PROVIDER), Context())
        await getattr(servicer, operation)(request, Context())

    with pytest.raises(RuntimeError) as caught:
        asyncio.run(play())
    assert outcome in str(caught.value)
    assert HUSH not in str(caught.value)


def test_the_engine_alone_limits_the_operations(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of threads would let waits block the starts of other resources."""
    together = threading.Barrier(100, timeout=30)

    async def delete(_: Any) -> Empty:
        together.wait()
        return Empty()

    monkeypatch.setattr(operations, "delete", delete)
    servicer = VodServicer("127.0.0.1:1")
    request = provider_pb2.DeleteRequest(urn=RUN_URN)

    async def play() -> None:
        await servicer.Configure(provider_pb2.ConfigureRequest(urn=PROVIDER), None)
        await asyncio.gather(*(servicer.Delete(request, None) for _ in range(together.parties)))

    asyncio.run(play())


def test_an_idle_process_ends_with_its_engine_alone() -> None:
    """Both the pipe and the address of the engine must be gone."""
    with serve(*COMMAND) as server:
        server.close_pipe()
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(2 * ENGINE_CHECK_INTERVAL * REFUSALS)
        server.engine_server.stop(0).wait()
        assert server.process.wait(30) == 0
        assert server.said == []


def test_a_cancellation_ends_with_its_operation(
    provider: PluginClient, vod_emulator: VodEmulator, tmp_path: Path
) -> None:
    """The engine calls Cancel at the end of each operation, and an attached process continues."""
    provider.server.cancel()
    with pytest.raises(ProviderError, match="the update was cancelled"):
        provider.up(run("stopped"), START)
    assert vod_emulator.ledger() == []
    provider.configure(configuration(vod_emulator, tmp_path))
    provider.up(run("stopped"), START)
    assert len(vod_emulator.ledger()) == 1


def test_engines_that_attach_at_the_same_time_keep_their_configurations(
    vod_emulator: VodEmulator, tmp_path: Path
) -> None:
    """A request names no provider, and a run at the endpoint of another stack would be paid."""
    with (
        VodEmulator() as other,
        serve(*COMMAND, attached=True) as server,
        connect(server.port) as second,
    ):
        engines = [PluginClient(server), PluginClient(replace(server, stub=second))]
        services = [vod_emulator, other]
        inputs = []
        for number, (engine, service) in enumerate(zip(engines, services, strict=True)):
            engine.server.stub.Attach(plugin_pb2.PluginAttach(address=server.engine_address))
            folder = tmp_path / str(number)
            folder.mkdir()
            engine.configure(configuration(service, folder))
            inputs.append(engine.checked(run(), START))
        first, last = (
            engine.create(run(), each) for engine, each in zip(engines, inputs, strict=True)
        )
        assert [start["runId"] for start in vod_emulator.ledger()] == [first.id]
        assert [start["runId"] for start in other.ledger()] == [last.id]
        assert recorded_runs(tmp_path / "0") == [first.id]

        # The end of one operation stops nothing of another engine.
        engines[1].server.cancel()
        engines[0].up(run("more"), START)
        assert len(vod_emulator.ledger()) == 2

        with connect(server.port) as unknown:
            stranger = PluginClient(replace(server, stub=unknown))
            with pytest.raises(ProviderError, match="not configured the provider") as caught:
                stranger.up(run("stray"), START)
            assert "No run was started." in str(caught.value)
        assert (len(vod_emulator.ledger()), len(other.ledger())) == (2, 1)


# -- waits -------------------------------------------------------------------------------------


def failed_wait(error: Any) -> provider_pb2.ErrorResourceInitFailed:
    """Return the resource that the engine records in spite of an error."""
    rich = dict(error.trailing_metadata())["grpc-status-details-bin"]
    status = status_pb2.Status.FromString(rich)
    assert status.code == grpc.StatusCode.UNKNOWN.value[0]
    found = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(found)
    return found


@pytest.mark.parametrize("end", ["timeout", "failure", "cancel"])
def test_a_wait_that_fails_keeps_its_resource(
    end: str, provider: PluginClient, vod_emulator: VodEmulator
) -> None:
    """So the next update resumes it, and a custom timeout limits it."""
    started = provider.up(run(f"slow-{end}"), START)
    wait = Resource("WorkflowCompletion", f"wait-{end}")
    inputs = provider.checked(wait, {"runs": {"slow": started.id}})
    if end == "failure":
        vod_emulator.outcome("1001")
        started = provider.up(run("failing"), {**START, "vid": "v2"})
        vod_emulator.advance(5000)
        inputs = provider.checked(wait, {"runs": {"slow": started.id}})
    request = provider_pb2.CreateRequest(
        urn=provider.urn(wait),
        properties=struct(inputs),
        timeout=0.5 if end == "timeout" else 0,
    )
    future = provider.server.stub.Create.future(request, timeout=60)
    if end == "cancel":
        until(lambda: vod_emulator.requests().get("GetWorkflowExecution", 0) > 0)
        provider.server.cancel()
    with pytest.raises(grpc.RpcError) as caught:
        future.result()
    kept = failed_wait(caught.value)
    assert kept.id == f"p/s/wait-{end}"
    assert plainly(kept.inputs)["runs"].keys() == {"slow"}
    [reason] = kept.reasons
    text = {
        "timeout": "have not ended after",
        "failure": "did not succeed",
        "cancel": "when stopped",
    }[end]
    assert text in reason
    assert caught.value.details() == reason

    if end == "failure":
        return
    next_operation(provider)
    wait.id, wait.inputs, wait.outputs = kept.id, inputs, plainly(kept.properties)
    update = provider_pb2.UpdateRequest(
        urn=request.urn, id=kept.id, olds=kept.properties, news=request.properties, timeout=0.5
    )
    with pytest.raises(grpc.RpcError) as caught:
        provider.server.stub.Update(update, timeout=60)
    assert failed_wait(caught.value).id == kept.id
    vod_emulator.advance(5000)
    provider.update(wait, inputs)
    assert wait.outputs["results"]["slow"]["phase"] == "succeeded"
    assert len(vod_emulator.ledger()) == 1


# -- secrets -----------------------------------------------------------------------------------


def test_the_engine_sends_marks_of_secrets(server: Server) -> None:
    """Otherwise it removes them, and the provider cannot know which of its values are secret."""
    request = provider_pb2.ProviderHandshakeRequest(engine_address=server.engine_address)
    assert server.stub.Handshake(request).accept_secrets


def test_the_keys_of_the_stack_are_secret(provider: PluginClient) -> None:
    """A stack may have them in plain, and the engine records what CheckConfig answers."""
    keys = {"accessKey": "AKLTx", "secretKey": HUSH, "sessionToken": HUSH}
    config = {**keys, "region": "cn-north-1"}
    request = provider_pb2.CheckRequest(urn=PROVIDER, news=struct(config))
    answer = provider.server.stub.CheckConfig(request)
    assert not answer.failures
    found = plainly(answer.inputs)
    assert found["region"] == "cn-north-1"
    assert {key for key, value in found.items() if isinstance(value, Secret)} == {*keys}


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"endpiont": "emulator"}, "vod:endpiont: unknown setting; did you mean vod:endpoint?"),
        ({"resendWithin": -1}, "vod:resendWithin: must be seconds"),
        ({"endpoint": f"https://{HUSH}@x"}, "vod:endpoint"),
        ({"version": "0.1.0", "endpoint": UNKNOWN, "regoin": "x"}, ""),
        ({"version": "0.1.0", "pluginDownloadURL": "x", "preflight": None}, ""),
    ],
)
def test_problems_of_the_configuration_come_before_all_resources(
    config: dict[str, Any], text: str, provider: PluginClient
) -> None:
    """One failure names all; a configuration that another resource determines has none yet."""
    request = provider_pb2.CheckRequest(urn=PROVIDER, news=struct(config))
    failures = [each.reason for each in provider.server.stub.CheckConfig(request).failures]
    assert len(failures) == bool(text)
    assert text in "".join(failures)
    assert HUSH not in "".join(failures)


@pytest.mark.parametrize(
    ("name", "place", "hint"),
    [
        ("default", "vod:accessKey and vod:secretKey of the stack", "config set vod:accessKey"),
        ("keys", "accessKey and secretKey of the provider keys", "of the provider keys"),
    ],
)
def test_missing_keys_are_searched_where_the_provider_can_have_them(
    name: str, place: str, hint: str, server: Server
) -> None:
    """The engine sends no keys of `volcengine:`, and to a program's own provider none of `vod:`."""
    urn = f"urn:pulumi:s::p::pulumi:providers:vod::{name}"
    server.stub.Configure(
        provider_pb2.ConfigureRequest(urn=urn, args=struct({"region": "cn-north-1"}))
    )
    request = provider_pb2.InvokeRequest(tok="vod:index:getRun", args=struct({"runId": "lb:1"}))
    with pytest.raises(grpc.RpcError, match="No credentials") as caught:
        server.stub.Invoke(request)
    text = shown(caught.value)
    assert f"- {place}\n" in text
    assert hint in text.partition("hint: ")[2]
    assert "volcengine:" not in text


def test_an_engine_that_names_no_provider_uses_no_other_projects_journal(
    vod_emulator: VodEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of a program may be that of another project."""
    state = tmp_path / "state"
    (tmp_path / "Pulumi.yaml").write_text(f"name: other\nbackend: {{url: 'file://{state}'}}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home" / ".pulumi"))
    login = tmp_path / "home" / ".pulumi" / "credentials.json"  # of the last `pulumi login`
    login.parent.mkdir(parents=True)
    login.write_text(json.dumps({"current": f"file://{state}"}))
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    with serve(*COMMAND) as server:
        provider = PluginClient(server)
        provider.arguments = struct(
            {key.removeprefix("vod:"): text for key, text in vod_emulator.config.items()}
        )
        next_operation(provider)
        provider.up(run("lonely"), START)
    assert len(vod_emulator.ledger()) == 1
    assert [*tmp_path.rglob("vod-journal*")]
    assert not state.exists()


def test_a_preview_that_may_hide_starts_says_so(server: Server) -> None:
    """While a setting is unknown, the engine shows each change as an update, also a paid one."""
    begin = len(server.engine.logged)
    for news in ({"region": "cn-north-1"}, {"accessKey": UNKNOWN, "region": UNKNOWN}):
        server.stub.Handshake(
            provider_pb2.ProviderHandshakeRequest(engine_address=server.engine_address)
        )
        server.stub.CheckConfig(provider_pb2.CheckRequest(urn=PROVIDER, news=struct(news)))
    [line] = [line.message for line in server.engine.logged[begin:]]
    assert "settings of the provider: region." in line


def test_a_preview_with_unknown_keys_needs_none(
    provider: PluginClient, vod_emulator: VodEmulator, tmp_path: Path
) -> None:
    """It calls no service, not even with the keys of another account, and no start has them."""
    adopted = provider.up(run("adopted"), START)
    requests = vod_emulator.requests()
    keys = dict.fromkeys(["vod:accessKey", "vod:secretKey"], UNKNOWN_TEXT)
    provider.configure({**configuration(vod_emulator, tmp_path), **keys, "vod:preflight": "error"})
    inputs = provider.checked(run("planned"), {**START, "vid": "v2"})
    assert provider.diff(adopted, inputs).replaces == ["vid"]
    assert "runId" not in provider.preview_create(run("planned"), inputs)
    before = adopted.outputs
    assert provider.read(adopted).outputs == before
    invoke = provider_pb2.InvokeRequest(tok="vod:index:getRun", args=struct({"runId": adopted.id}))
    assert plainly(getattr(provider.server.stub.Invoke(invoke), "return")) == {}
    with pytest.raises(ProviderError, match="this operation does not know them"):
        provider.create(run("planned"), inputs)
    assert vod_emulator.requests() == requests


def test_a_secret_stays_at_its_place(provider: PluginClient, vod_emulator: VodEmulator) -> None:
    """In inputs, previews and states; all else of the same map stays visible."""
    declared = {
        "vid": "v1",
        "template_id": Secret("t1"),  # a program may use the names of Python
        "triggers": {"shown": 1, "hidden": Secret(HUSH)},
    }
    resource = run("secret")
    inputs = provider.checked(resource, declared)
    assert inputs["triggers"] == {"shown": 1, "hidden": Secret(HUSH)}
    assert (inputs["templateId"], inputs["vid"]) == (Secret("t1"), "v1")
    assert isinstance(inputs["clientToken"], Secret), "a digest would allow a search for it"
    planned = provider.preview_create(resource, inputs)
    provider.create(resource, inputs)
    for found in (planned, resource.outputs, provider.read(resource).outputs):
        assert found["triggers"] == inputs["triggers"]
        assert isinstance(found["clientToken"], Secret)
    free = {**declared, "rerunOnFailure": True}
    provider.update(resource, provider.checked(resource, free))
    assert resource.outputs["triggers"] == inputs["triggers"]
    read = provider_pb2.ReadRequest(
        urn=provider.urn(resource),
        id=resource.id,
        properties=struct(resource.outputs),
        inputs=struct(resource.inputs),
    )
    assert provider.server.stub.Read(read).inputs == read.inputs
    shown = [line.message for line in provider.server.engine.logged]
    assert HUSH not in json.dumps(shown)
    plain = {**free, "triggers": {"shown": 1, "hidden": HUSH}}
    provider.update(resource, provider.checked(resource, plain))
    assert resource.outputs["triggers"] == plain["triggers"], "the program has removed the mark"
    assert len(vod_emulator.ledger()) == 1


def test_the_results_of_a_secret_run_are_secret(
    provider: PluginClient, vod_emulator: VodEmulator
) -> None:
    """A wait that YAML declares has the ids of its runs alone. A later update keeps the mark."""
    secret = provider.up(run("hidden"), {**START, "vid": Secret(HUSH)})
    items = {"a": {**START, "vid": Secret(HUSH + "2")}}
    batch = provider.up(Resource("WorkflowBatch", "hidden-items"), {"items": items})
    public = provider.up(run("public"), {**START, "vid": "v2"})
    vod_emulator.advance(5000)
    ids = {"run": secret.id, "item": batch.outputs["runs"]["a"]["runId"], "public": public.id}
    waits = {
        name: provider.up(Resource("WorkflowCompletion", f"wait-{name}"), {"runs": {"a": run_id}})
        for name, run_id in ids.items()
    }
    # An update of the wait alone (`--target`) knows the secret from the recorded mark.
    next_operation(provider)
    for name, wait in waits.items():
        assert isinstance(wait.outputs["results"], Secret) == (name != "public")
        declared = {"runs": {"a": ids[name]}, "timeout": 60}
        provider.update(wait, provider.checked(wait, declared))
        assert isinstance(wait.outputs["results"], Secret) == (name != "public")
    # Another wait knows it from the diff of the run.
    next_operation(provider)
    provider.diff(secret, secret.inputs)
    again = provider.up(Resource("WorkflowCompletion", "again"), {"runs": {"a": secret.id}})
    assert isinstance(again.outputs["results"], Secret)


def test_a_run_with_secret_inputs_is_found_as_a_secret(provider: PluginClient) -> None:
    """The service returns the inputs to an adoption, an import, and the function `getRun`."""
    declared = {**START, "callbackArgs": Secret(HUSH)}
    run_id = provider.up(run("source"), declared).id
    adopted = provider.up(run("adopted"), {"existingRunId": run_id, "vid": "v1"})
    imported = provider.read(Resource("WorkflowRun", "imported", id=run_id))
    invoke = provider_pb2.InvokeRequest(tok="vod:index:getRun", args=struct({"runId": run_id}))
    function = plainly(getattr(provider.server.stub.Invoke(invoke), "return"))
    for found in (adopted.outputs, imported.outputs, provider.read(adopted).outputs, function):
        assert found["callbackArgs"] == Secret(HUSH)
        assert isinstance(found["templateId"], Secret)
        assert isinstance(found["transcodes"], Secret)
        assert found["runId"] == run_id
    assert adopted.outputs["vid"] == "v1"
    changed = {"existingRunId": run_id, "vid": "v1", "rerunOnFailure": True}
    provider.update(adopted, provider.checked(adopted, changed))
    assert adopted.outputs["callbackArgs"] == Secret(HUSH)


@pytest.mark.parametrize("is_secret", [True, False])
def test_a_wait_that_fails_keeps_its_secrets(
    *, is_secret: bool, provider: PluginClient, vod_emulator: VodEmulator
) -> None:
    """Of its inputs, and of the results that an earlier operation has recorded."""
    hidden = provider.up(run("ended"), {**START, "vid": Secret(HUSH)})
    vod_emulator.advance(5000)
    wait = provider.up(Resource("WorkflowCompletion", "grown"), {"runs": {"a": hidden.id}})
    next_operation(provider)
    slow = provider.up(run("unfinished"), {**START, "vid": "v2"})
    runs = {"a": hidden.id, "b": Secret(slow.id) if is_secret else slow.id}
    update = provider_pb2.UpdateRequest(
        urn=provider.urn(wait),
        id=wait.id,
        olds=struct(wait.outputs),
        news=struct(provider.checked(wait, {"runs": runs})),
        timeout=0.5,
    )
    with pytest.raises(grpc.RpcError) as caught:
        provider.server.stub.Update(update, timeout=60)
    kept = failed_wait(caught.value)
    assert kept.inputs == update.news
    properties = plainly(kept.properties)
    assert properties["runs"] == plainly(update.news)["runs"]
    assert has_secret(properties["runs"]) == is_secret
    assert isinstance(properties["results"], Secret)


# -- diff, import, functions -------------------------------------------------------------------


def detailed(provider: PluginClient, resource: Resource, news: dict[str, Any]) -> dict[str, Any]:
    request = provider_pb2.DiffRequest(
        urn=provider.urn(resource),
        id=resource.id,
        olds=struct(resource.outputs),
        old_inputs=struct(resource.inputs),
        news=struct(news),
    )
    answer = provider.server.stub.Diff(request)
    assert answer.hasDetailedDiff == bool(answer.detailedDiff)
    assert not answer.deleteBeforeReplace, "a failed start would leave the stack without a run"
    return {path: (found.kind, found.inputDiff) for path, found in answer.detailedDiff.items()}


def test_a_diff_names_each_changed_part(provider: PluginClient) -> None:
    old = {**START, "triggers": {"a": 1, "b c": [1, 2], "e": [1]}, "rerunOnFailure": True}
    resource = provider.up(run("diff"), old)
    new = {**START, "triggers": {"a": 2, "b c": [1, 3], "d": 4, "e": [1, 2]}}
    found = detailed(provider, resource, provider.checked(resource, new))
    assert found == {
        "clientToken": (PropertyDiff.UPDATE, True),
        "rerunOnFailure": (PropertyDiff.DELETE, True),
        "triggers.a": (PropertyDiff.UPDATE_REPLACE, True),
        'triggers["b c"][1]': (PropertyDiff.UPDATE_REPLACE, True),
        "triggers.d": (PropertyDiff.ADD_REPLACE, True),
        "triggers.e": (PropertyDiff.UPDATE_REPLACE, True),
    }
    assert detailed(provider, resource, provider.checked(resource, old)) == {}


def test_a_diff_shows_nothing_inside_of_a_secret(provider: PluginClient) -> None:
    """A preview shows the path of each change, and the names in a secret map are secret, too."""

    def logo(words: Any) -> dict[str, Any]:
        return {"input": {"overrideParams": {"logo": [{"templateId": "All", "vars": words}]}}}

    old = {**START, "triggers": Secret({HUSH: 1}), **logo(Secret({HUSH: "a"}))}
    resource = provider.up(run("hushed"), old)
    for change, path in (
        ({"triggers": Secret({HUSH: 2})}, "triggers"),
        ({"triggers": {HUSH: 2}}, "triggers"),
        (logo(Secret({HUSH: "b"})), "input.overrideParams.logo[0].vars"),
        (logo({HUSH: "b"}), "input.overrideParams.logo[0].vars"),
    ):
        found = detailed(provider, resource, {**resource.inputs, **change})
        assert found == {path: (PropertyDiff.UPDATE_REPLACE, True)}
    assert detailed(provider, resource, resource.inputs) == {}


def test_the_pickle_of_a_dynamic_resource_is_no_property(provider: PluginClient) -> None:
    """A resource that has moved from the dynamic provider has one in its inputs and outputs."""
    moved = provider.up(run("moved"), START)
    for properties in (moved.inputs, moved.outputs):
        properties["__provider"] = "pickle"
    free = provider.checked(moved, {**START, "rerunOnFailure": True})
    assert [*detailed(provider, moved, free)] == ["rerunOnFailure"]
    provider.update(moved, free)
    assert "__provider" not in moved.outputs


def test_a_reason_that_is_no_input_is_named_too(
    provider: PluginClient, vod_emulator: VodEmulator
) -> None:
    vod_emulator.outcome("2001")
    resource = provider.up(run("rerun"), {**START, "rerunOnFailure": True})
    vod_emulator.advance(5000)
    provider.read(resource)
    next_operation(provider)
    found = detailed(
        provider, resource, provider.checked(resource, {**START, "rerunOnFailure": True})
    )
    assert found == {"rerunOnFailure": (PropertyDiff.UPDATE_REPLACE, False)}


def test_an_item_that_starts_again_has_no_changed_input(provider: PluginClient) -> None:
    """An empty difference would hide the update."""
    declared = {"items": {"a": START, "x": {**START, "vid": "emu-missing"}}}
    batch = provider.up(Resource("WorkflowBatch", "again"), declared)
    inputs = provider.checked(batch, declared)
    assert provider.diff(batch, inputs).changes
    assert detailed(provider, batch, inputs) == {}


def test_an_import_is_followed_by_no_change(
    provider: PluginClient, vod_emulator: VodEmulator
) -> None:
    run_id = provider.up(run("origin"), START).id
    imported = Resource("WorkflowRun", "imported", id=run_id)
    answer = provider.server.stub.Read(
        provider_pb2.ReadRequest(id=run_id, urn=provider.urn(imported))
    )
    imported.inputs = plainly(answer.inputs)
    imported.outputs = plainly(answer.properties)
    assert imported.outputs["vid"] == "v1"
    assert answer.refresh_before_update
    same = provider.checked(imported, {"existingRunId": run_id})
    assert same == imported.inputs
    assert not provider.diff(imported, same).changes
    assert len(vod_emulator.ledger()) == 1


@pytest.mark.parametrize("kind", ["WorkflowBatch", "WorkflowCompletion"])
def test_what_the_service_does_not_know_is_not_imported(kind: str, provider: PluginClient) -> None:
    resource = Resource(kind, "x", id="lb:1")
    with pytest.raises(ProviderError, match=f"a {kind} cannot be imported"):
        provider.read(resource)


def test_the_engine_reads_a_run_until_its_end(
    provider: PluginClient, vod_emulator: VodEmulator
) -> None:
    inputs = provider.checked(run("moving"), START)
    create = provider_pb2.CreateRequest(urn=provider.urn(run("moving")), properties=struct(inputs))
    created = provider.server.stub.Create(create)
    assert created.refresh_before_update
    read = provider_pb2.ReadRequest(
        urn=create.urn, id=created.id, properties=created.properties, inputs=create.properties
    )
    assert provider.server.stub.Read(read).refresh_before_update
    update = provider_pb2.UpdateRequest(
        urn=create.urn, id=created.id, olds=created.properties, news=create.properties
    )
    assert provider.server.stub.Update(update).refresh_before_update
    update.preview = True
    assert not provider.server.stub.Update(update).refresh_before_update, "nothing is recorded"
    vod_emulator.advance(5000)
    found = provider.server.stub.Read(read)
    assert not found.refresh_before_update
    assert found.inputs == create.properties


def test_a_run_that_an_emulator_has_lost_blocks_nothing(
    provider: PluginClient, vod_emulator: VodEmulator
) -> None:
    """The engine reads before each preview and destroy, and the run was free."""
    resource = provider.up(run("lost"), START)
    batch = provider.up(Resource("WorkflowBatch", "lost-items"), {"items": {"a": START}})
    vod_emulator.reset()
    before = (resource.outputs, batch.outputs)
    assert (provider.read(resource).outputs, provider.read(batch).outputs) == before
    [line] = provider.server.engine.of("lost")[-1:]
    assert "the configured emulator does not know this run" in line


def test_functions(provider: PluginClient, vod_emulator: VodEmulator) -> None:
    run_id = provider.up(run("read"), START).id

    def invoke(name: str, **arguments: Any) -> Any:
        request = provider_pb2.InvokeRequest(tok=f"vod:index:{name}", args=struct(arguments))
        return plainly(getattr(provider.server.stub.Invoke(request), "return"))

    found = invoke("getRun", runId=run_id)
    assert (found["runId"], found["phase"], found["vid"]) == (run_id, "pending", "v1")
    workflows = invoke("getBuiltInWorkflows")["workflows"]
    assert {"templateId": "c3841b3122fd460db2bc99a6ec131cb8", "tasks": 6} in workflows
    with pytest.raises(grpc.RpcError, match="ResourceNotFound"):
        invoke("getRun", runId="emu:none")
    for wrong in ({}, {"runId": ""}, {"runId": None}, {"runId": 5}, {"runId": UNKNOWN}):
        with pytest.raises(grpc.RpcError, match="runId must be the id of a run") as caught:
            invoke("getRun", **wrong)
        assert "No run was started." in str(caught.value)
    assert len(vod_emulator.ledger()) == 1


def test_what_the_package_does_not_have_is_unimplemented(provider: PluginClient) -> None:
    """A newer SDK may have it."""
    invoke = provider_pb2.InvokeRequest(tok="vod:index:getNothing")
    delete = provider_pb2.DeleteRequest(urn=RUN_URN.replace("Run", "Nothing"))
    for call, request in [("Invoke", invoke), ("Delete", delete)]:
        with pytest.raises(grpc.RpcError, match=r"unknown .*Nothing") as caught:
            getattr(provider.server.stub, call)(request)
        assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_message_may_be_large(provider: PluginClient) -> None:
    """A batch of 10,000 items is larger than what gRPC allows by itself."""
    resource = run("large")
    resource.outputs = {"phase": "succeeded", "extra": {"text": "x" * 5_000_000}}
    provider.delete(resource)


def test_a_server_listens_before_it_loads_what_operations_need() -> None:
    code = "import sys, pulumi_vod_workflow.plugin.server; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    late = {"pydantic", "httpx", "pulumi_vod_workflow.plugin.servicer"}
    assert not late & {*loaded.stdout.split()}


def test_the_options_of_the_engine_are_no_address(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """With `--logtostderr -v=9` the engine passes these on."""
    from pulumi_vod_workflow.plugin import __main__, server

    addresses: list[str] = []

    async def remember(address: str) -> None:
        addresses.append(address)

    monkeypatch.setattr(server, "serve", remember)
    for words in (["127.0.0.1:1"], ["-v=9", "--logtostderr", "127.0.0.1:1"], []):
        monkeypatch.setattr(sys, "argv", ["pulumi-resource-vod", *words])
        __main__.main()
    assert addresses == ["127.0.0.1:1", "127.0.0.1:1", ""]
