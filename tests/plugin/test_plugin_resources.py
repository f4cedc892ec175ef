"""The classes of the packaged provider have the body of the dynamic classes."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import pulumi_vod_workflow
from pulumi_vod_workflow import plugin
from pulumi_vod_workflow.core.resource_types import PACKAGED_TYPES
from tests.resources.programs import ran

NAMES = plugin.__all__


@pytest.mark.parametrize("name", NAMES)
def test_the_body_is_that_of_the_dynamic_class(name: str) -> None:
    packaged: Any = getattr(plugin, name)
    dynamic: Any = getattr(pulumi_vod_workflow, name)
    assert issubclass(packaged, dynamic)
    assert inspect.signature(packaged) == inspect.signature(dynamic)
    assert packaged._names == dynamic._names


def test_only_the_token_and_the_envelope_differ() -> None:
    told = ran(
        """
from pulumi_vod_workflow import plugin
def seen(args, before=pulumi.runtime.mocks.MockResourceArgs):
    said.setdefault("registered", {})[args.name] = [args.typ, sorted(args.inputs)]
    return f"id-of-{args.name}", {**args.inputs, "tasks": [{"displayName": "t1"}]}
Engine.new_resource = lambda self, args: seen(args)
run = plugin.WorkflowRun("run", vid="v", template_id="t")
batch = plugin.WorkflowBatch("batch", items={"a": {"vid": "v"}}, defaults={"template_id": "t"})
say(vid=run.vid, task=run.tasks[0].display_name, waits=[run.wait().urn, batch.wait().urn])
class Ours(plugin.WorkflowRun):
    pass
Ours("ours", vid="v", template_id="t")
"""
    )
    assert told["failed"] is None
    registered = told["said"].pop("registered")
    assert registered["run"] == ["vod:index:WorkflowRun", ["templateId", "vid"]]
    assert registered["ours"][0] == "vod:index:WorkflowRun"
    assert registered["batch"][0] == "vod:index:WorkflowBatch"
    assert {registered[f"{name}-completion"][0] for name in ("run", "batch")} == {
        "vod:index:WorkflowCompletion"
    }
    assert (told["said"]["vid"], told["said"]["task"]) == ("v", "t1")
    assert len(PACKAGED_TYPES) == len(NAMES)


def test_a_provider_loads_no_class_of_programs() -> None:
    told = ran("import pulumi_vod_workflow.plugin")
    assert "pulumi_vod_workflow.plugin.resources" not in told["loaded"]
