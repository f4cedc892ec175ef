"""Stacks that move to the packaged provider and back: nothing is paid."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any, Final

import pulumi
import pytest
from pulumi import Alias, ResourceOptions

import pulumi_vod_workflow as dynamic
from pulumi_vod_workflow import plugin
from pulumi_vod_workflow.core.resource_types import (
    BATCH_TYPE,
    COMPLETION_TYPE,
    PACKAGED_TYPES,
    RUN_TYPE,
)
from tests.engine import test_states as states
from tests.engine.harness import NAME, PROJECT, Program, Story
from tests.engine.hosts import declare_packaged, use_plugin
from tests.scale import only_in_torture

RESOURCES: Final = ("plain", "secret", "explicit", "in-season", "batch", "wait", "batch-wait")
TYPES: Final = (RUN_TYPE, BATCH_TYPE, COMPLETION_TYPE)
STEPS: Final[dict[str, tuple[str, ...]]] = {
    "all": RESOURCES,
    "runs": ("plain", "secret", "explicit", "in-season"),
    "waits": ("wait", "batch-wait"),
    **{name: (name,) for name in RESOURCES},
}
"""Name of a first step -> the resources that it moves."""
HUSH: Final = "s3cr3t"


class Season(pulumi.ComponentResource):
    def __init__(self, name: str) -> None:
        super().__init__("test:index:Season", name)


def declared(
    story: Story, moved: Collection[str], *, back: bool = False, edition: int = 1
) -> Program:
    """
    Return a program with all resources.

    Args:
        story: the stack, whose configuration the provider of `explicit` has.
        moved: the names of those of the packaged provider.
        back: whether the others have an alias to the packaged type.
        edition: a trigger of the run `plain`.

    """

    def of(name: str, kind: str, opts: ResourceOptions | None = None, **inputs: Any) -> Any:
        package: Any = plugin if name in moved else dynamic
        if back and name not in moved:
            packaged = Alias(type_=PACKAGED_TYPES[f"pulumi-python:dynamic/vod:{kind}"])
            opts = ResourceOptions.merge(opts, ResourceOptions(aliases=[packaged]))
        return getattr(package, kind)(name, opts, **inputs)

    def program() -> None:
        run: dict[str, Any] = {"vid": "v1", "template_id": "t1"}
        plain = of("plain", "WorkflowRun", **run, triggers={"edition": edition, "half": 0.5})
        of("secret", "WorkflowRun", **{**run, "vid": pulumi.Output.secret(HUSH)})
        opts = None
        if "explicit" in moved:
            config = {key.removeprefix("vod:"): text for key, text in story.config.items()}
            provider = pulumi.ProviderResource("vod", "own", config)
            opts = ResourceOptions(provider=provider)
        of("explicit", "WorkflowRun", opts, **run)
        inside = ResourceOptions(parent=Season("season"))
        of("in-season", "WorkflowRun", inside, **run, priority=2)
        items = {"a": {"vid": "v2"}, "第一集": {"vid": "v3", "priority": 1}}
        batch = of("batch", "WorkflowBatch", inside, items=items, defaults={"template_id": "t1"})
        of("wait", "WorkflowCompletion", ResourceOptions(parent=plain), runs=plain)
        of("batch-wait", "WorkflowCompletion", runs={"all": batch, "plain": plain})

    return program


def types(story: Story) -> dict[str, str]:
    """Return the types of the resources in the state, by name."""
    return {name: item["type"] for kind in TYPES for name, item in story.of_type(kind).items()}


def outputs(story: Story) -> dict[str, dict[str, Any]]:
    """Return what the state has of the resources, without the envelope of a host."""
    envelope = {"__provider", "secretInputs"}
    return {
        name: {key: value for key, value in item["outputs"].items() if key not in envelope}
        for kind in TYPES
        for name, item in story.of_type(kind).items()
    }


def identities(story: Story) -> dict[str, dict[str, Any]]:
    """Return the ids and tokens in the state, which no move changes; a batch has one per item."""
    return {
        name: {
            **{key: of[key] for key in ("runId", "clientToken", "clientTokens") if key in of},
            "runs": {key: run["runId"] for key, run in of.get("runs", {}).items()},
        }
        for name, of in outputs(story).items()
        if not name.endswith("wait")
    }


@pytest.fixture
def migrating(story: Story, plugin_folder: Any) -> Story:
    use_plugin(story.folder / "Pulumi.yaml", plugin_folder)
    return story


def test_a_stack_moves_in_two_steps_and_back_for_free(migrating: Story) -> None:
    """Runs, a batch and waits; with secrets, a provider of its own, components and parents."""
    story = migrating
    story.emulator.clock(step_seconds=3600)  # so that a run has ended when it is looked at
    none: tuple[str, ...] = ()
    story.up(declared(story, none))
    assert len(story.emulator.ledger()) == 6
    first = outputs(story)

    half = ("plain", "batch-wait", "batch")
    story.stays(declared(story, half))
    assert types(story)["plain"] == PACKAGED_TYPES[RUN_TYPE]
    assert types(story)["wait"] == COMPLETION_TYPE, "its parent has moved"
    story.stays(declared(story, RESOURCES))
    assert {*types(story).values()} == {*PACKAGED_TYPES.values()}
    assert outputs(story) == first
    assert HUSH not in story.raw_state

    story.up(declared(story, RESOURCES, edition=2))
    assert len(story.emulator.ledger()) == 7, "as before, an edition is paid"
    back = story.pays(declared(story, none, back=True, edition=2), 0)
    # Each state gets the pickle of its provider again, which `destroy` needs.
    assert {op for op, _ in back.changed} == {"update"}
    assert {*types(story).values()} == {*TYPES}
    story.destroy()
    assert len(story.emulator.ledger()) == 7


def test_a_run_that_no_state_has_is_reused_by_the_other_host(migrating: Story) -> None:
    """Both hosts share one journal, in which a start has one identity: in both directions."""
    story = migrating
    state = story.state / ".pulumi" / "stacks" / PROJECT / f"{NAME}.json"
    empty = state.read_text()

    def program(of_to: Any, of_back: Any) -> Program:
        def declare() -> None:
            for name, package in {"to": of_to, "back": of_back}.items():
                package.WorkflowRun(f"run-{name}", vid=name, template_id="t1")
                items = {"a": {"vid": f"{name}-a", "template_id": "t1"}}
                package.WorkflowBatch(f"batch-{name}", items=items)

        return declare

    story.up(program(dynamic, plugin))
    state.write_text(empty)  # as after an engine that was killed before it recorded the results
    story.pays(program(plugin, dynamic), 0)
    assert len(story.emulator.ledger()) == 4


def moves(story: Story, program: Program, then: Program | None = None) -> None:
    """
    Preview and up: nothing is shown as paid or is paid, and the next up changes nothing.

    Args:
        story: the stack.
        program: the program after the move.
        then: the program of the next up, if it is another one.

    """
    paid = len(story.emulator.ledger())
    preview = story.preview(program)
    assert (preview.failed, preview.starts) == (False, 0), preview.text
    # A dynamic resource gets the pickle of its provider. A wait for it has an unknown input in the
    # preview, which may show an update that `up` finds needless.
    assert {op for op, _ in preview.changed} | {op for op, _ in story.up(program).changed} <= {
        "update"
    }
    story.stays(then or program)
    assert len(story.emulator.ledger()) == paid


@only_in_torture("`make torture` moves each part of a stack first")
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("first", ["dynamic", "plugin"])
def test_each_part_of_a_stack_moves_first(migrating: Story, first: str, step: str) -> None:
    """From each host to the other in two steps, then back at once; a later edition is paid."""
    story = migrating
    story.emulator.clock(step_seconds=3600)  # so that a run has ended when it is looked at
    everything = frozenset(RESOURCES)
    begun = everything if first == "plugin" else frozenset[str]()
    half = begun ^ {*STEPS[step]}
    ended = everything - begun
    story.pays(declared(story, begun), 6)
    recorded = identities(story)
    for moved in (half, ended, begun):
        moves(story, declared(story, moved, back=True))
        assert identities(story) == recorded
        assert {name for name, kind in types(story).items() if kind not in TYPES} == moved
    assert HUSH not in story.raw_state
    story.pays(declared(story, half, back=True, edition=2), 1)
    story.destroy()
    assert len(story.emulator.ledger()) == 7


def with_aliases(program: Program) -> Program:
    """Return a program whose dynamic resources have an alias to their packaged type."""

    def aliased(
        args: pulumi.ResourceTransformationArgs,
    ) -> pulumi.ResourceTransformationResult:
        packaged = ResourceOptions(aliases=[Alias(type_=PACKAGED_TYPES[args.type_])])
        return pulumi.ResourceTransformationResult(
            args.props, ResourceOptions.merge(args.opts, packaged)
        )

    def declare() -> None:
        pulumi.runtime.register_stack_transformation(aliased)
        program()

    return declare


@pytest.mark.parametrize("path", states.STATES, ids=lambda path: path.stem)
def test_a_release_s_runs_move_and_come_back(migrating: Story, path: Path) -> None:
    story = migrating
    states.import_runs(story, path)
    starts = len(story.emulator.ledger())
    with pytest.MonkeyPatch.context() as patch:
        declare_packaged(patch)
        moves(story, states.program)
        assert {*types(story).values()} == {PACKAGED_TYPES[RUN_TYPE]}
    moves(story, with_aliases(states.program), then=states.program)
    assert {*types(story).values()} == {RUN_TYPE}
    story.destroy()
    assert len(story.emulator.ledger()) == starts


@only_in_torture("`make torture` moves a batch of a release back")
@pytest.mark.parametrize("path", states.MANY, ids=lambda path: path.stem)
def test_a_release_s_batch_and_wait_move_and_come_back(migrating: Story, path: Path) -> None:
    """The item that was rejected is shown as a start, and is tried again each time."""
    story = migrating
    states.import_many(story, path)
    runs, results = story.batch["runs"], story.completion["results"]
    with pytest.MonkeyPatch.context() as patch:
        declare_packaged(patch)
        story.pays_for(states.many, promised=1, paid=0)
        assert {*types(story).values()} <= {*PACKAGED_TYPES.values()}
    story.pays_for(with_aliases(states.many), promised=1, paid=0)
    assert {*types(story).values()} <= {*TYPES}
    assert story.batch["runs"] == runs
    assert {name: story.completion["results"][name] for name in runs} == {
        name: results[name] for name in runs
    }
    story.destroy()
    assert story.emulator.ledger() == []
