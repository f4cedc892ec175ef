"""The parts of the packaged provider that need no server."""

from __future__ import annotations

import asyncio
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto.provider_pb2 import CheckRequest, ConfigureRequest

from pulumi_vod_workflow.core.execution import ended_for
from pulumi_vod_workflow.core.property_marks import OUTPUT_SIGNATURE, SIGNATURE
from pulumi_vod_workflow.core.secrets import Secret
from pulumi_vod_workflow.core.values import UNKNOWN
from pulumi_vod_workflow.lifecycle.announcements import Announcements
from pulumi_vod_workflow.lifecycle.reader import RunRead
from pulumi_vod_workflow.lifecycle.session import Session
from pulumi_vod_workflow.plugin import engine_process, operations
from pulumi_vod_workflow.plugin.detailed_diff import detailed_diff
from pulumi_vod_workflow.plugin.host import own_provider_of, scope_of, type_of
from pulumi_vod_workflow.plugin.operations import Call
from pulumi_vod_workflow.plugin.provider_config import with_secret_keys
from pulumi_vod_workflow.plugin.servicer import VodServicer
from pulumi_vod_workflow.plugin.wire import UNKNOWN_TEXTS, Decoded, decode, encode, with_secrets


def struct(properties: dict[str, Any]) -> Struct:
    found = Struct()
    found.update(properties)
    return found


def test_values_survive_the_wire() -> None:
    """Unknown and secret ones at any depth; a secret within a secret has no mark of its own."""
    values = {"a": [1, 2.5, None, True], "b": {"c": UNKNOWN}, "d": "x", "e": {"f": ["g", {}]}}
    marked = {**values, "d": Secret({"x": Secret(1)}), "e": {"f": [Secret("g"), {}]}}
    found = decode(encode(marked))
    assert encode(marked) == encode({**marked, "d": Secret({"x": 1})})
    assert found.values == {**values, "d": {"x": 1}}
    assert found.secrets == {"d": True, "e": {"f": {0: True}}}
    again = with_secrets(found.values, found.secrets)
    assert again == {**values, "d": Secret({"x": 1}), "e": {"f": [Secret("g"), {}]}}
    assert all(decode(struct({"x": text})).values["x"] is UNKNOWN for text in UNKNOWN_TEXTS)


def test_a_flag_is_no_number_in_a_difference() -> None:
    """And a key with a space has a path in brackets, which names the changed property, too."""
    old, new = Decoded({"triggers": {"b c": 1}}, {}), Decoded({"triggers": {"b c": True}}, {})
    assert [*detailed_diff(old, new, ["triggers"])] == ['triggers["b c"]']


@pytest.mark.parametrize(
    ("output", "value", "secret"),
    [
        ({"value": 1}, 1, False),
        ({"value": 1, "secret": True}, 1, True),
        ({"secret": True}, UNKNOWN, True),
        ({"value": {"a": "b"}, "dependencies": ["urn"]}, {"a": "b"}, False),
    ],
)
def test_outputs_are_read(output: dict[str, Any], value: object, secret: bool) -> None:
    found = decode(struct({"x": {SIGNATURE: OUTPUT_SIGNATURE, **output}}))
    assert found.values["x"] == value
    assert bool(found.secrets) == secret


@pytest.mark.parametrize("moved", [{"b": 1}, [1], "text", 1])
def test_a_secret_that_has_moved_hides_the_whole_property(moved: object) -> None:
    secrets = decode(encode({"x": {"a": Secret(1)}})).secrets
    assert with_secrets({"x": moved, "y": 1}, secrets) == {"x": Secret(moved), "y": 1}


def test_a_urn_has_the_identity_that_the_dynamic_resource_declares() -> None:
    """With the dynamic types of parents, and a name that may contain colons."""
    urn = "urn:pulumi:s::p::a:b:C$vod:index:WorkflowRun$vod:index:WorkflowCompletion::my::name"
    assert type_of(urn) == "vod:index:WorkflowCompletion"
    assert scope_of(urn) == {
        "project": "p",
        "stack": "s",
        "name": "my::name",
        "parent": "a:b:C$pulumi-python:dynamic/vod:WorkflowRun",
    }
    assert scope_of("urn:pulumi:s::p::vod:index:WorkflowRun::n") == {
        "project": "p",
        "stack": "s",
        "name": "n",
    }


@pytest.mark.parametrize(
    ("name", "own"),
    [("default", ""), ("default_0_1_0", ""), ("defaults", "defaults"), ("keys", "keys")],
)
def test_a_programs_own_provider_is_not_the_default_one(name: str, own: str) -> None:
    assert own_provider_of(f"urn:pulumi:s::p::pulumi:providers:vod::{name}") == own


@pytest.mark.parametrize(
    ("shown", "age"),
    [
        ("      05:09 pulumi up --yes\n", 309.0),
        ("2-03:04:05 /usr/local/bin/pulumi -C folder preview\n", 183845.0),
        ("05:09 pulumi-language-python up\n", None),
        ("05:09 bash up\n", None),
        ("05:09 pulumi\n", None),
        ("", None),
        # Nobody has seen a rerun before these commands.
        ("05:09 pulumi up --yes --skip-preview --stack dev\n", None),
        ("05:09 pulumi up --skip-preview=true\n", None),
        ("05:09 pulumi up -f\n", None),
        ("05:09 pulumi update -yf\n", None),
        ("05:09 pulumi watch\n", None),
    ],
)
def test_the_age_of_the_command_is_that_of_the_engine_alone(
    shown: str, age: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ps(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(command, 0, stdout=shown)

    monkeypatch.setattr(subprocess, "run", ps)
    assert engine_process.command_age() == age


@pytest.mark.parametrize(
    ("age", "ended_for", "is_shown"),
    [
        (10.0, 71.9, False),  # a part of a second may be missing in each of the three times
        (10.0, 72.0, True),
        (None, 1e6, False),
        (10.0, None, False),
    ],
)
def test_a_rerun_waits_until_a_preview_surely_has_read_the_end(
    age: float | None, ended_for: float | None, is_shown: bool
) -> None:
    announcements = Announcements(print, print, print)
    service: Any = None
    session = Session(cast("Any", None), service, announcements, command_age=lambda: age)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    ended = {} if ended_for is None else {"endTime": f"{now - timedelta(seconds=ended_for)}"}
    session.note_end("r", RunRead({}, {"phase": "failed", **ended}, now))
    assert (session.ended_runs == set()) == is_shown


def test_without_ps_no_age_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert engine_process.command_age() is None


@pytest.mark.parametrize(
    ("run", "seconds"),
    [
        ({"phase": "failed", "endTime": "2026-01-01T08:00:00+08:00"}, 60.0),
        ({"phase": "running", "endTime": "2026-01-01T08:00:00+08:00"}, None),
        ({"phase": "failed", "endTime": "2026-01-01T08:00:00"}, None),
        ({"phase": "failed"}, None),
    ],
)
def test_the_time_since_an_end(run: dict[str, Any], seconds: float | None) -> None:
    assert ended_for(run, datetime(2026, 1, 1, 0, 1, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(
    ("journal", "is_secret"),
    [
        ("/folder/journal.sqlite3", False),
        ("s3://bucket/folder?region=r", False),
        ("postgresql://user@db/d", False),
        ("postgresql://user:s3cr3t@db/d", True),
    ],
)
def test_a_state_shows_a_journal_without_credentials(journal: str, *, is_secret: bool) -> None:
    """The next update reads the former journal by it. Keys are always secret in the state."""
    found = with_secret_keys({"accessKey": "a", "journal": journal, "endpoint": UNKNOWN})
    expected = Secret(journal) if is_secret else journal
    assert found == {"accessKey": Secret("a"), "journal": expected, "endpoint": UNKNOWN}


def test_debug_logs_of_tasks_show_no_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With PYTHONASYNCIODEBUG, asyncio logs the result or the error of each slow task."""

    class Context:
        async def abort(self, _code: object, text: str, _metadata: object = ()) -> None:
            raise RuntimeError(text)

    async def check(_call: Call) -> None:
        raise ValueError("s3cr3t")

    async def call() -> None:
        asyncio.get_running_loop().slow_callback_duration = 0
        request = CheckRequest(urn="urn:pulumi:s::p::vod:index:WorkflowRun::run")
        servicer = VodServicer("127.0.0.1:1")
        await servicer.Configure(ConfigureRequest(), Context())
        await servicer.Check(request, Context())

    monkeypatch.setattr(operations, "check", check)
    # Pulumi's Automation API raises the level of this logger in the whole process.
    caplog.set_level("DEBUG", logger="asyncio")
    with pytest.raises(RuntimeError, match="defect"):
        asyncio.run(call(), debug=True)
    assert "VodServicer" in caplog.text
    assert "s3cr3t" not in caplog.text
