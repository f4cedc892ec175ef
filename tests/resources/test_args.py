"""What users write and read, held to the core's rules, the official SDK's messages, and docs."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi._types import _py_properties
from pydantic.alias_generators import to_camel
from volcengine.vod.models.business import vod_workflow_pb2

from pulumi_vod_workflow.core.changes import RUN_FIELDS
from pulumi_vod_workflow.core.execution import OUTPUT_FIELDS, to_property_names
from pulumi_vod_workflow.core.inputs import models
from pulumi_vod_workflow.core.inputs.models import ItemInputs
from pulumi_vod_workflow.core.inputs.property_names import rename_path
from pulumi_vod_workflow.resources import args, outputs
from pulumi_vod_workflow.resources._inputs import derived_properties
from pulumi_vod_workflow.resources._missing_keys import with_hint
from pulumi_vod_workflow.resources.workflow_batch import SHARED_INPUTS, WorkflowBatch
from pulumi_vod_workflow.resources.workflow_completion import WorkflowCompletion
from pulumi_vod_workflow.resources.workflow_run import WorkflowRun

PACKAGE = Path(args.__file__).parent.parent
MODELS = {f"{name}Args": getattr(models, name) for name in (
    "Clip", "DirectUrl", "EnhanceOverride", "LogoOverride", "OverrideParams", "SnapshotOverride",
    "TranscodeAudioOverride", "TranscodeVideoOverride", "WorkflowParams",
)}  # fmt: skip
MODELS["WorkflowItemArgs"] = ItemInputs


def spelled(made: type[Any]) -> set[str]:
    """The names of a type's attributes in state."""
    return {name for _, name, _ in _py_properties(made)}  # type: ignore[arg-type]  # it is hashable


def test_every_object_of_the_page_has_its_class() -> None:
    assert {made.__name__ for made in args.ARGS} == set(MODELS)


@pytest.mark.parametrize("name", MODELS)
def test_a_class_has_the_fields_of_its_object(name: str) -> None:
    """Attribute by attribute, under the name that the state has."""
    made, model = getattr(args, name), MODELS[name]
    assert set(made.__annotations__) == set(model.model_fields)
    given = {field: object() for field in model.model_fields}
    assert spelled(made) == {to_camel(field) for field in given}
    for field, value in given.items():
        assert getattr(made(**given), field) is value


def test_mistakes_are_kept_for_the_preview() -> None:
    """No keyword is refused by the class: what is wrong comes with all other problems."""
    assert vars(args.DirectUrlArgs(file_nam="x")) == {"file_nam": "x"}  # type: ignore[call-arg]


RESULT = vod_workflow_pb2.VodWorkflowResult.DESCRIPTOR.fields_by_name
TRANSCODE = RESULT["TranscodeInfos"].message_type
SNAPSHOT = RESULT["Snapshots"].message_type
SHAPES: list[tuple[type[Any], Any]] = [
    (outputs.WorkflowTask, vod_workflow_pb2.TaskDetail.DESCRIPTOR),
    (outputs.Transcode, TRANSCODE),
    (outputs.VideoStreamMeta, TRANSCODE.fields_by_name["VideoStreamMeta"].message_type),
    (outputs.AudioStreamMeta, TRANSCODE.fields_by_name["AudioStreamMeta"].message_type),
    (outputs.Snapshot, SNAPSHOT),
]
NAMES = {"aiDynpost": "AIDynpost"}


def wire(made: type[Any]) -> set[str]:
    """The names of a type's attributes on the wire."""
    return {NAMES.get(name, name[0].upper() + name[1:]) for name in spelled(made)}


@pytest.mark.parametrize(("made", "message"), SHAPES, ids=lambda item: getattr(item, "name", None))
def test_an_output_type_has_the_fields_of_the_official_message(
    made: type[Any], message: Any
) -> None:
    """A field that the service sends is not lost, and none is invented."""
    assert wire(made) == {field.name for field in message.fields}


def test_the_files_of_a_snapshot_have_the_fields_of_all_kinds() -> None:
    """One type for six messages: each of their fields, under the service's name."""
    kinds = [field.message_type for field in SNAPSHOT.fields]
    named = {field.name for kind in kinds if kind for field in kind.fields}
    assert wire(outputs.SnapshotFiles) == named


def test_incoming_names_become_the_types_names() -> None:
    """What is read from the wire is found again by the attributes."""
    told = to_property_names({"Type": "AIDynpost", "AIDynpost": {"ImgXLen": 1, "StoreUri": "s"}})
    assert told == {"type": "AIDynpost", "aiDynpost": {"imgXLen": 1, "storeUri": "s"}}


def test_a_run_has_every_output() -> None:
    assert spelled(WorkflowRun) == {*OUTPUT_FIELDS, *RUN_FIELDS} - {"scope", "secretInputs"}


def test_items_and_defaults_share_the_inputs_of_their_model() -> None:
    fields = models.SharedInputs.model_fields
    assert {name: to_camel(name) for name in fields} == SHARED_INPUTS


@pytest.mark.parametrize("kind", [WorkflowRun, WorkflowBatch, WorkflowCompletion])
@pytest.mark.parametrize("name", ["scope", "secret_inputs", "secretInputs", "client_tokens"])
def test_a_keyword_that_only_the_class_itself_gives_is_refused(kind: Any, name: str) -> None:
    """The class replaces the value, so a program that gives one would not notice its loss."""
    with pytest.raises(TypeError, match=f"{kind.__name__} has no argument '{name}'"):
        kind("run", **{name: "mine"})


@pytest.mark.parametrize("kind", [WorkflowRun, WorkflowBatch, WorkflowCompletion])
def test_a_signature_has_the_keywords_that_are_allowed_and_no_others(kind: type[Any]) -> None:
    """`help` shows what the reference shows, although mistyped keywords reach the preview."""
    parameters = inspect.signature(kind).parameters.values()
    assert {parameter.kind.name for parameter in parameters} == {
        "POSITIONAL_OR_KEYWORD", "KEYWORD_ONLY",
    }  # fmt: skip
    with pytest.raises(
        TypeError, match=rf"^{kind.__name__}\.__init__\(\) missing 1 .*resource_name"
    ):
        kind()


@pytest.mark.parametrize(
    ("path", "spelled"),
    [
        ("direct_url", "directUrl"),
        ("input.override_params", "input.overrideParams"),
        ("input.override_params.logo[0].template_id", "input.overrideParams.logo[0].templateId"),
        ("input.override_params.logo[*].vars.my_key", "input.overrideParams.logo[*].vars.my_key"),
        ("triggers.my_key", "triggers.my_key"),
        ("input.overrideParams.snapshot[1].file_name", "input.overrideParams.snapshot[1].fileName"),
        ('triggers["a.b_c"]', 'triggers["a.b_c"]'),
    ],
)
def test_paths_are_spelled_as_in_state(path: str, spelled: str) -> None:
    """`ignore_changes` takes Python's names at any depth; users' own keys stay."""
    assert rename_path(path) == spelled


DOCUMENTED = ["resources/args.py", "resources/outputs.py", "resources/workflow_run.py",
              "resources/workflow_batch.py", "resources/workflow_completion.py",
              "config/settings.py", "transport/client.py", "core/retry.py",
              "emulator/settings.py"]  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTED)
def test_every_public_attribute_is_documented(name: str) -> None:
    """Meaning, unit and default stand below each attribute of each public class."""
    missing = []
    for node in ast.walk(ast.parse((PACKAGE / name).read_text())):
        if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
            continue
        for item, after in zip(node.body, [*node.body[1:], None], strict=True):
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                said = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                if not said and not item.target.id.isupper() and item.target.id != "model_config":
                    missing.append(f"{node.name}.{item.target.id}")
    assert missing == []


@pytest.mark.parametrize(
    ("store_uri", "file_name"),
    [
        ("tos://tos-cn-v-1/a b/c.mp4", "a b/c.mp4"),
        ("tos-cn-v-1/c.mp4", "c.mp4"),
        ("tos://tos-cn-v-1/a//b://c", "a//b://c"),
        ("tos://tos-cn-v-1", None),
        ("c.mp4", None),
        ("", None),
        (None, None),
    ],
)
def test_a_file_of_a_result_has_the_name_that_its_space_knows_it_by(
    store_uri: str | None, file_name: str | None
) -> None:
    """The path in the bucket: `direct_url` takes it, and refuses the URI."""
    transcode: Any = outputs.Transcode
    snapshot_files: Any = outputs.SnapshotFiles
    assert transcode(store_uri=store_uri).file_name == file_name
    files = snapshot_files(store_uri=store_uri, store_uris=store_uri and [store_uri])
    assert files.file_name == file_name
    assert files.file_names == (file_name and [file_name])


def test_what_is_not_in_a_result_is_one_line() -> None:
    """The names that exist, and how the run ended; Python's own errors are caught as ever."""
    snapshot: Any = outputs.Snapshot()
    result: Any = outputs.WorkflowResult(
        run_id="lb:1",
        phase="failed",
        status_reason="x",
        transcodes=[],
        snapshots=[outputs.Snapshot()],
    )
    looks: list[tuple[Callable[[], Any], str]] = [
        (
            lambda: result.transcodes[0],
            "the result of lb:1: transcodes has no entry 0: it is empty; its phase is failed",
        ),
        (
            lambda: result.snapshots[3],
            "the result of lb:1: snapshots has no entry 3: it has 1; its phase is failed",
        ),
        (
            lambda: result["transcodes"],
            "WorkflowResult has attributes, not keys: write .transcodes",
        ),
        (
            lambda: snapshot.poste,
            (
                "Snapshot has no 'poste': it has "
                "ai_dynpost, animated_poster, dynpost, poster, sample, sprite, type"
            ),
        ),
    ]
    for look, told in looks:
        with pytest.raises(pulumi.RunError) as error:
            look()
        assert str(error.value) == told
    assert not hasattr(result, "files")
    assert (result.transcodes, result.snapshots[:1][0].type) == ([], None)


def test_explained_values_are_plain_ones_to_everybody_else() -> None:
    """They are equal to, serialised as, and pickled as the SDK's own lists and maps."""
    entries, mapped = with_hint([1, 2], "x"), with_hint({"a": 1}, "x: runs", "; see y")
    assert (entries, mapped) == ([1, 2], {"a": 1})
    assert json.dumps([entries, mapped]) == '[[1, 2], {"a": 1}]'
    assert [type(pickle.loads(pickle.dumps(one))) for one in (entries, mapped)] == [list, dict]
    assert (with_hint(None, "x"), with_hint("ab", "x")) == (None, "ab")
    assert (mapped.get("b"), "b" in mapped) == (None, False)
    with pytest.raises(KeyError, match=r"^x: runs has no 'b': it has a; see y$"):
        mapped["b"]
    with pytest.raises(IndexError, match=r"^x has no entry -3: it has 2$"):
        entries[-3]


@pulumi.input_type
class Source:
    """An input class of a program's own."""

    def __init__(self, file_name: pulumi.Input[str]) -> None:
        pulumi.set(self, "file_name", file_name)

    @property
    @pulumi.getter(name="fileName")
    def file_name(self) -> pulumi.Input[str]:
        found: pulumi.Input[str] = pulumi.get(self, "file_name")
        return found


@pytest.mark.parametrize("wrap", [lambda it: it, lambda it: {"a": [it]}])
def test_a_secret_in_an_input_class_of_the_programs_own_is_noticed(
    wrap: Callable[[object], object],
) -> None:
    async def flags(name: str) -> object:
        secret = pulumi.Output.secret("x") if name == "secret" else pulumi.Output.from_input("x")
        return await derived_properties({"directUrl": wrap(Source(secret))})[
            "secretInputs"
        ].future()

    assert asyncio.run(flags("secret")) is True
    assert asyncio.run(flags("plain")) is None
