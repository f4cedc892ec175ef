"""The properties are about all there is: nothing of the model is left out."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from pulumi_vod_workflow.core.inputs.models import Model, RunInputs, property_names
from pulumi_vod_workflow.core.inputs.property_names import _nested_model
from pulumi_vod_workflow.resources import args
from pulumi_vod_workflow.resources._inputs import to_property_names as spelled_by_us
from tests.properties import model
from tests.properties.breaking import ALL
from tests.properties.model import RUN, Json, Many, Named, Node, Obj
from tests.properties.spelling import names, snake
from tests.properties.strategies import palettes
from tests.properties.trying import exact, tried

CLASSES = {
    model.DIRECT_URL: args.DirectUrlArgs,
    model.INPUT: args.WorkflowParamsArgs,
    model.OVERRIDE_PARAMS: args.OverrideParamsArgs,
    model.LOGO: args.LogoOverrideArgs,
    model.SNAPSHOT: args.SnapshotOverrideArgs,
    model.TRANSCODE_AUDIO: args.TranscodeAudioOverrideArgs,
    model.TRANSCODE_VIDEO: args.TranscodeVideoOverrideArgs,
    model.ENHANCE: args.EnhanceOverrideArgs,
    model.CLIP: args.ClipArgs,
}


def fields_of(made: type[Model], name: str = "") -> set[str]:
    """Return the names of all fields that the package knows."""
    found = set()
    for field, right in property_names(made).items():
        called = f"{name}.{right}" if name else right
        nested = _nested_model(made, field)
        below = fields_of(nested, called) if nested else set()
        found |= {called} | below
    return found


def test_the_model_has_every_field_that_the_package_knows() -> None:
    ours = {name.replace("[]", "") for name in names(RUN)}
    assert {name for name in ours if not name.endswith(".*")} == fields_of(RunInputs)
    assert {made for made in args.ARGS if made not in CLASSES.values()} == {args.WorkflowItemArgs}


def test_every_field_can_be_broken() -> None:
    """By its type at least; that each way is used is held where they are."""
    for name in names(RUN):
        where, dot, last = name.removesuffix("[]").removesuffix(".*").rpartition(".")
        part = "[]" if name.endswith("[]") else ".*" if name.endswith(".*") else ""
        about = f"run{dot}{where} {last}{part}: "
        assert any(way.startswith(about) for way in ALL), about


def as_classes(value: Any, node: Node) -> Any:
    """Return what a program writes with the argument classes."""
    if isinstance(node, Many):
        return [as_classes(item, node.item) for item in value]
    if isinstance(node, Named) or not isinstance(node, Obj):
        return value
    parts = {snake(key): as_classes(item, node.fields[key]) for key, item in value.items()}
    return CLASSES[node](**parts) if node in CLASSES else parts


def test_argument_classes_say_the_same_as_dictionaries() -> None:
    @tried(30)
    @given(palettes)
    def holds(runs: list[Json]) -> None:
        for run in runs[::7]:
            assert exact(spelled_by_us(as_classes(run, RUN), "RunInputs")) == exact(run)

    holds()
