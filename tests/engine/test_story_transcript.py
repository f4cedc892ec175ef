"""Transcripts of the engine's own calls, replayed against a fresh packaged provider."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pulumi
import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from pulumi.runtime.proto import provider_pb2

from pulumi_vod_workflow import WorkflowBatch, WorkflowRun
from tests.engine.harness import Story
from tests.hosts.server import serve

SERVICE: Final = "/pulumirpc.ResourceProvider/"
REPLAYED: Final[dict[str, Any]] = {
    "CheckConfig": (provider_pb2.CheckRequest, provider_pb2.CheckResponse),
    "Configure": (provider_pb2.ConfigureRequest, provider_pb2.ConfigureResponse),
    "Check": (provider_pb2.CheckRequest, provider_pb2.CheckResponse),
    "Diff": (provider_pb2.DiffRequest, provider_pb2.DiffResponse),
}
"""The calls that send nothing, with the types of their requests and answers."""


def calls(file: Path) -> Iterator[tuple[str, Any, Any]]:
    """Yield the name, request and answer of each call that can be replayed."""
    for line in file.read_text().splitlines():
        call = json.loads(line)
        name = call["method"].removeprefix(SERVICE)
        if name in REPLAYED and "response" in call:
            request, answer = (
                ParseDict(call[part], message(), ignore_unknown_fields=True)
                for part, message in zip(("request", "response"), REPLAYED[name], strict=True)
            )
            yield name, request, answer


@pytest.mark.hosts("plugin")
def test_a_replayed_preview_has_the_same_answers(story: Story, tmp_path: Path) -> None:
    """Of runs and a batch that stay, change and are new, with a secret and an unknown value."""

    def program(edition: int, *, grown: bool = False) -> None:
        first = WorkflowRun("first", vid="v1", template_id="t1", triggers={"edition": edition})
        secret = pulumi.Output.secret("s3cr3t")
        WorkflowRun("second", vid="v2", template_id="t1", callback_args=secret)
        items: Any = {"a": {"vid": "v3"}, **({"b": {"vid": first.run_id}} if grown else {})}
        WorkflowBatch("batch", items=items, defaults={"template_id": "t2"})

    story.up(lambda: program(1))
    transcript = tmp_path / "calls.json"
    workspace = story.stack.workspace
    workspace.env_vars = {**workspace.env_vars, "PULUMI_DEBUG_GRPC": str(transcript)}
    assert not story.preview(lambda: program(2, grown=True)).failed
    before = len(story.emulator.ledger())
    counted: Counter[str] = Counter()
    with serve("-m", "pulumi_vod_workflow.plugin") as server:
        server.stub.Handshake(
            provider_pb2.ProviderHandshakeRequest(engine_address=server.engine_address)
        )
        for name, request, expected in calls(transcript):
            answer = getattr(server.stub, name)(request, timeout=60)
            assert MessageToDict(answer) == MessageToDict(expected)
            counted[name] += 1
    assert counted["Check"] >= 3
    assert counted["Diff"] >= 3
    assert len(story.emulator.ledger()) == before
