"""
The private parts of the SDK: each is used where it is as known, and missed where it is not.

Against the SDK that is installed: `tests/package` runs this with the oldest that is supported, too.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import grpc
import pytest
from pulumi.dynamic import Config
from pulumi.runtime import rpc

from pulumi_vod_workflow.core.property_marks import SECRET_SIGNATURE, SIGNATURE, UNKNOWN_TEXT
from pulumi_vod_workflow.dynamic.sdk_compat.config_keys import config_keys
from pulumi_vod_workflow.dynamic.sdk_compat.program_transforms import run_last
from pulumi_vod_workflow.emulator import VodEmulator
from pulumi_vod_workflow.hosting.engine_watch import ENGINE_CHECK_INTERVAL, REFUSALS
from tests.dynamic.sdk_host import KNOWN, UNKNOWN, Host, host
from tests.hosts.conftest import configuration
from tests.hosts.server import shown

SLOTS = 4
"""Threads of the SDK's host."""
MANY = 3 * SLOTS
NOT_FOUND = "GetWorkflowExecution: the service answered ResourceNotFound"


def wait_for(run: str, sdk: Host) -> Any:
    inputs = sdk.check("wait", "WorkflowCompletion", runs={"run": run})
    return sdk.create("wait", "WorkflowCompletion", **inputs)


@pytest.mark.vod_emulator(runningSeconds=3600)
def test_every_part_is_used_where_it_is_known(vod_emulator: VodEmulator, tmp_path: Path) -> None:
    with host(KNOWN, configuration(vod_emulator, tmp_path)) as sdk:
        # The URN of the call, and the engine's log: a line on the resource's row.
        inputs = sdk.check("run", vid="v", templateId="t")
        *warnings, line = sdk.server.engine.of("run")
        assert line == "starts a paid run"
        assert all("unfinished operations" in text for text in warnings), "no stack, no export"
        assert [plan.start_count for plan in sdk.server.engine.plans_of("run")] == [1]
        run = sdk.create("run", **inputs).result().id
        # A status: a message without a traceback.
        inputs = sdk.check("gone", existingRunId="no-such-run")
        with pytest.raises(grpc.RpcError) as caught:
            sdk.create("gone", **inputs).result()
        assert shown(caught.value).startswith(NOT_FOUND)
        # Threads: many operations wait, and another goes on.
        waits = [wait_for(run, sdk) for _ in range(MANY)]
        assert sdk.check("other", vid="v", templateId="other")
        assert not [shown(wait.exception()) for wait in waits if wait.done()]
        # A cancellation: all of them end.
        sdk.server.cancel()
        for wait in waits:
            with pytest.raises(grpc.RpcError) as caught:
                wait.result()
            assert "stopped" in shown(caught.value)
    assert len(vod_emulator.ledger()) == 1


@pytest.mark.vod_emulator(runningSeconds=3600)
def test_no_part_is_missed_where_none_is_known(vod_emulator: VodEmulator, tmp_path: Path) -> None:
    """What is started, recorded and refused is the same; what each module says is missing is."""
    with host(UNKNOWN, configuration(vod_emulator, tmp_path)) as sdk:
        inputs = sdk.check("run", vid="v", templateId="t")
        assert not sdk.server.engine.logged
        run = sdk.create("run", **inputs).result().id
        inputs = sdk.check("gone", existingRunId="no-such-run")
        with pytest.raises(grpc.RpcError) as caught:
            sdk.create("gone", **inputs).result()
        assert shown(caught.value).startswith("Traceback")
        assert shown(caught.value).rpartition("OperationFailedError: ")[2].startswith(NOT_FOUND)
        # As many operations as the host has threads; there is no other way for the engine's call.
        waits = [wait_for(run, sdk) for _ in range(SLOTS - 1)]
        assert sdk.check("other", vid="v", templateId="other")
        sdk.server.cancel()
        with pytest.raises(grpc.FutureTimeoutError):
            waits[0].result(timeout=1)
    assert "vod: starts a paid run" in "".join(sdk.server.said)
    assert len(vod_emulator.ledger()) == 1


END = 3 * ENGINE_CHECK_INTERVAL * REFUSALS
"""More seconds than a host needs to notice the end of the engine."""


def ends(sdk: Host) -> bool:
    try:
        return sdk.server.process.wait(END) is not None
    except subprocess.TimeoutExpired:
        return False


@pytest.mark.waits
def test_a_host_ends_only_if_pipe_and_address_of_the_engine_are_gone(
    vod_emulator: VodEmulator, tmp_path: Path
) -> None:
    with host(KNOWN, configuration(vod_emulator, tmp_path)) as sdk:
        sdk.check("run", vid="v", templateId="t")
        sdk.server.close_pipe()
        assert not ends(sdk)
        assert sdk.check("run", vid="v", templateId="t"), "it answers as before"
        sdk.server.engine_server.stop(0).wait()
        sdk.server.process.wait(30)
    with host(KNOWN, configuration(vod_emulator, tmp_path)) as sdk:
        sdk.check("run", vid="v", templateId="t")
        sdk.server.engine_server.stop(0).wait()
        assert not ends(sdk)


@pytest.mark.waits
@pytest.mark.vod_emulator(runningSeconds=3600)
def test_an_unknown_host_stays(vod_emulator: VodEmulator, tmp_path: Path) -> None:
    with host(UNKNOWN, configuration(vod_emulator, tmp_path)) as sdk:
        sdk.check("run", vid="v", templateId="t")
        sdk.server.close_pipe()
        sdk.server.engine_server.stop(0).wait()
        assert not ends(sdk)


def test_the_keys_of_a_configuration_are_seen_where_they_are_known() -> None:
    known = Config(raw_config={"vod:regoin": "x"}, project_name="p")
    assert config_keys(known) == ("vod:regoin",)
    del known._props
    assert config_keys(known) == ()


def test_the_command_line_knows_the_marks_of_the_sdk() -> None:
    """It does not load the SDK, which takes longer than all that it loads."""
    assert UNKNOWN_TEXT == rpc.UNKNOWN
    assert rpc._special_sig_key == SIGNATURE
    assert rpc._special_secret_sig == SECRET_SIGNATURE


def test_a_program_without_callback_servers_has_no_transforms(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`tests/engine/test_story_transforms.py` has those that have some."""
    from pulumi.runtime import _callbacks

    monkeypatch.delattr(_callbacks, "_CallbackServicer")
    run_last(print, print)
