"""Secrets that come from a transform of the resource, its component or the stack."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from pulumi_vod_workflow import WorkflowBatch, WorkflowRun
from pulumi_vod_workflow.core.resource_types import BATCH_TYPE
from tests.engine.harness import Program, Story

pytestmark = pytest.mark.hosts("dynamic", torture="plugin")

SECRET = "s3cr3t-by-transform"


def with_secret(props: dict[str, Any]) -> dict[str, Any]:
    """Return a run's or batch's inputs with secret callback args."""
    secret = {"callbackArgs": pulumi.Output.secret(SECRET)}
    if "items" in props:
        return {**props, "defaults": {**props["defaults"], **secret}}
    return {**props, **secret} if "templateId" in props else props


def transform(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult:
    return pulumi.ResourceTransformResult(with_secret({**args.props}), args.opts)


def transformation(
    args: pulumi.ResourceTransformationArgs,
) -> pulumi.ResourceTransformationResult:
    return pulumi.ResourceTransformationResult(with_secret({**args.props}), args.opts)


def marked(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult:
    """Only mark what is declared."""
    props = {**args.props}
    if "callbackArgs" in props:
        props["callbackArgs"] = pulumi.Output.secret(props["callbackArgs"])
    return pulumi.ResourceTransformResult(props, args.opts)


def changing(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult:
    """Add what is not secret."""
    more = {"priority": 1} if "templateId" in args.props else {}
    return pulumi.ResourceTransformResult({**args.props, **more}, args.opts)


def without(args: pulumi.ResourceTransformArgs) -> pulumi.ResourceTransformResult:
    """Remove what is declared."""
    props = {key: item for key, item in args.props.items() if key != "callbackArgs"}
    return pulumi.ResourceTransformResult(props, args.opts)


class Part(pulumi.ComponentResource):
    """A component with a run and a batch."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions) -> None:
        super().__init__("test:vod:Part", name, None, opts)
        declare(name, pulumi.ResourceOptions(parent=self))


def declare(name: str, opts: pulumi.ResourceOptions | None = None, **inputs: Any) -> None:
    WorkflowRun(f"{name}-run", opts, vid="v1", template_id=name, **inputs)
    items = {"a": {"vid": "v1", **inputs}}
    WorkflowBatch(f"{name}-batch", opts, items=items, defaults={"template_id": f"{name}-batch"})


def everywhere(edition: int) -> Program:
    """Return a program of each way by which a transform reaches a resource."""

    def program() -> None:
        declare("plain", pulumi.ResourceOptions(transforms=[changing]))
        declare("own", pulumi.ResourceOptions(transforms=[transform]))
        declare("own-local", pulumi.ResourceOptions(transformations=[transformation]))
        WorkflowRun(
            "removed-run", pulumi.ResourceOptions(transforms=[without]), vid="v1",
            template_id="removed", callback_args=pulumi.Output.secret(SECRET),
        )  # fmt: skip
        Part("part", pulumi.ResourceOptions(transforms=[transform]))
        Part("part-local", pulumi.ResourceOptions(transformations=[transformation]))
        pulumi.runtime.register_resource_transform(changing)
        declare("changed")
        pulumi.runtime.register_resource_transform(marked)
        WorkflowRun(
            "marked-run", vid="v1", template_id="marked", callback_args=SECRET,
            triggers={"edition": edition},
        ).wait()  # fmt: skip
        pulumi.runtime.register_resource_transform(transform)
        declare("stack", triggers={"edition": edition})

    return program


PLAIN = {"plain", "changed"}


@pytest.mark.vod_emulator(rate_limit=0, pending_seconds=0, running_seconds=0.1)
def test_a_secret_that_a_transform_adds_is_kept_as_one_that_is_declared(story: Story) -> None:
    """
    What is made of it is encrypted, errors do not quote it; what has none stays in clear.

    A transform that removes a secret does no harm.
    """
    outcome = story.pays(everywhere(1), 16)
    assert SECRET not in outcome.text
    made = {**story.resources, **story.of_type(BATCH_TYPE)}
    assert len(made) == 16
    assert "callbackArgs" not in made.pop("removed-run")["outputs"]
    for name, resource in made.items():
        outputs = resource["outputs"]
        plain = name.rpartition("-")[0] in PLAIN
        assert outputs.get("secretInputs") is (None if plain else True), name
        token = outputs.get("clientToken") or outputs["clientTokens"]
        assert ("plaintext" in token) is not plain, name
    assert "plaintext" in story.completion["results"]
    args = story.resources["stack-run"]["outputs"]["callbackArgs"]
    assert args["plaintext"] == f'"{SECRET}"'
    story.stays(everywhere(1))
    story.refresh()
    assert SECRET not in story.raw_state

    story.emulator.fault(
        action="StartWorkflow", kind="http", code="InvalidParameter", times=99,
        message=f"CallbackArgs {SECRET} is refused",
    )  # fmt: skip
    failed = story.try_up(everywhere(2), continue_on_error=True)
    assert failed.failed
    assert failed.text.count("InvalidParameter") > 2
    assert SECRET not in failed.text
    assert SECRET not in story.raw_state
