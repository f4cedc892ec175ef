"""
The models of a run's inputs, with every rule of the page.

Each rule's source is the page's table of its object. "SDK" marks a field that only the official
SDKs have (vod-api-facts 10). A check skips unknown values.
"""

# Promise 3: a value may be a secret, so no message contains one.

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel, to_snake
from pydantic_core import InitErrorDetails, PydanticCustomError

from pulumi_vod_workflow.core.changes import JOINED_CLASSES, RERUN_ON_FAILURE
from pulumi_vod_workflow.core.inputs.types import (
    CallbackArgs,
    ClientToken,
    FileName,
    Flag,
    FlagMap,
    Id,
    Index,
    Milliseconds,
    Pixels,
    Priority,
    Seconds,
    StatusClasses,
    TemplateChoice,
    TemplateChoices,
    Text,
    TextMap,
    TriggerMap,
    described_as,
)
from pulumi_vod_workflow.core.request import SYSTEM_TEMPLATES
from pulumi_vod_workflow.core.text import SOURCE
from pulumi_vod_workflow.core.values import UNKNOWN, is_known
from pulumi_vod_workflow.errors import Problem

# Design, section 3. A state of 10,000 items is still small enough for every backend.
MAX_ITEMS: Final = 10_000
"""The largest number of items in a batch."""

# -- the objects of the page -------------------------------------------------------------------


class Model(BaseModel):
    """An object of the page. Validation reports problems of fields and of rules together."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", alias_generator=to_camel, defer_build=True
    )

    MISPLACED_KEYS: ClassVar[Mapping[str, str]] = {}
    """Key of a related model -> the remedy for its use in this model."""

    @classmethod
    def cross_field_rules(cls, raw: Mapping[str, object]) -> Iterator[Problem]:
        """Yield the broken rules of several fields. `raw` may be incomplete or wrong."""
        del raw
        yield from ()

    @model_validator(mode="wrap")
    @classmethod
    def _collect_all_errors(cls, raw: Any, handler: ModelWrapValidatorHandler[Self]) -> Any:
        if raw is UNKNOWN:
            return raw
        if not isinstance(raw, Mapping):
            keys = ", ".join(sorted(property_names(cls)))
            raise PydanticCustomError("allowed", "must be an object of {keys}", {"keys": keys})
        problems = [
            *(((problem.path,), problem) for problem in _unknown_keys(cls, raw)),
            *((_path_keys(problem.path), problem) for problem in cls.cross_field_rules(raw)),
        ]
        details = [
            InitErrorDetails(
                type=PydanticCustomError("rule", "{reason}", {"reason": problem.reason}),
                loc=loc,
                input=None,
            )
            for loc, problem in problems
        ]
        result: Any = raw
        try:
            result = handler(raw)
        except ValidationError as error:
            details += [
                InitErrorDetails(
                    type=PydanticCustomError("rule", "{reason}", {"reason": _error_reason(item)}),
                    loc=item["loc"],
                    input=None,
                )
                for item in error.errors()
            ]
        if details:
            raise ValidationError.from_exception_data(cls.__name__, details)
        return result


REQUIRED: Final = "is required"

UNKNOWN_KEY: Final = "unknown key"


def _path_keys(path: str) -> tuple[str, ...]:
    """Return the keys of a path."""
    return tuple(path.split(".")) if path else ()


def _error_reason(item: Mapping[str, Any]) -> str:
    return REQUIRED if item["type"] == "missing" else str(item["msg"])


_DERIVED_FIELDS: Final = frozenset({"scope", "secret_inputs"})
"""The fields that the resource classes add to a declaration."""


@cache
def property_names(model: type[Model]) -> Mapping[str, str]:
    """Return field name -> spelling in state, for every field of `model`."""
    return {name: to_camel(name) for name in model.model_fields}


def _unknown_keys(model: type[Model], raw: Mapping[str, object]) -> Iterator[Problem]:
    unknown = sorted(set(raw) - set(property_names(model).values()))
    if not unknown:
        return
    offered = {
        camel: name for name, camel in property_names(model).items() if name not in _DERIVED_FIELDS
    }
    for key in unknown:
        advice = model.MISPLACED_KEYS.get(to_camel(key))
        yield Problem(key, advice or unknown_key_reason(key, raw, offered))


def unknown_key_reason(key: str, given: Collection[str], allowed: Mapping[str, str]) -> str:
    """
    Return the reason against a key that no field has.

    Args:
        key: the key in the program's spelling.
        given: all keys of the same object.
        allowed: spelling in state -> field name, for every allowed key.

    """
    camel = to_camel(key)
    # `rename_keys` renames a key that has only one spelling in the object.
    if allowed.get(camel) == key and camel in given:
        return f"is given twice, as {key} and as {camel}; keep one of them"
    near = difflib.get_close_matches(camel, sorted(allowed), n=1, cutoff=0.6)
    # The message uses the program's spelling: snake_case, or the API's names.
    spelled = allowed if key.islower() else dict(zip(allowed, allowed, strict=True))
    hint = f"did you mean {spelled[near[0]]}? " if near else ""
    return f"{UNKNOWN_KEY}; {hint}The keys here are {', '.join(sorted(spelled.values()))}"


class DirectUrl(Model):
    """The source as a file of a space. Page: DirectUrl."""

    file_name: FileName
    space_name: Id | None = None
    bucket_name: Id | None = None


class Clip(Model):
    """The part of the source to process, in milliseconds. Page: Clip."""

    start_time: Milliseconds | None = None
    end_time: Milliseconds | None = None

    @classmethod
    def cross_field_rules(cls, raw: Mapping[str, object]) -> Iterator[Problem]:
        """Yield a problem if the clip ends before it starts."""
        # The page's example: an end of 0 is the source's end.
        start, end = raw.get("startTime", 0), raw.get("endTime")
        if isinstance(start, int) and isinstance(end, int) and 0 < end <= start:
            yield Problem("endTime", "must be after start_time (or 0, for the source's end)")


class LogoOverride(Model):
    """Watermark overrides. Page: LogoOverride."""

    template_id: TemplateChoice
    vars: TextMap | None = None


class SnapshotOverride(Model):
    """Snapshot overrides. Page: SnapshotOverride."""

    template_id: TemplateChoices
    file_name: FileName | None = None
    file_index: FileName | None = None
    offset_time: Milliseconds | None = None
    sample_offsets: Annotated[list[Seconds], described_as("a list of seconds")] | None = None
    offset_time_list: (
        Annotated[list[Milliseconds], described_as("a list of milliseconds")] | None
    ) = None
    width: Pixels | None = None
    height: Pixels | None = None

    APPLIES_TO: ClassVar[Mapping[str, frozenset[str]]] = {
        **dict.fromkeys(
            ("fileIndex", "sampleOffsets", "width", "height"), frozenset({"sample (采样截图)"})
        ),
        "offsetTime": frozenset(
            {"static (静态图)", "dynpost (动图)", "looping dynpost (反复循环动图)"}
        ),
        "offsetTimeList": frozenset({"dynpost (动图)"}),
    }

    @classmethod
    def cross_field_rules(cls, raw: Mapping[str, object]) -> Iterator[Problem]:
        """Yield a problem if settings of two template types belong to one template."""
        # The page: each setting applies to one type of snapshot, and a template has one type.
        ids = raw.get("templateId")
        if not isinstance(ids, list) or len(ids) != 1 or ids[0] == "All" or ids[0] is UNKNOWN:
            return
        kinds = {
            key: kinds
            for key, kinds in cls.APPLIES_TO.items()
            if raw.get(key, UNKNOWN) not in (UNKNOWN, [])
        }
        if kinds and not frozenset.intersection(*kinds.values()):
            parts = "; ".join(f"{to_snake(key)}: {', '.join(sorted(kinds[key]))}" for key in kinds)
            yield Problem(
                "", f"has settings that never take effect together, for one template ({parts})"
            )


class TranscodeAudioOverride(Model):
    """Audio transcoding overrides. Page: TranscodeAudioOverride."""

    template_id: TemplateChoices
    clip: Clip | None = None
    file_name: FileName | None = None


class TranscodeVideoOverride(TranscodeAudioOverride):
    """Video transcoding overrides. Page: TranscodeVideoOverride; `output_index`: SDK."""

    logo_template_id: Id | None = None
    output_index: Annotated[list[Index], described_as("a list of integers")] | None = None


class EnhanceOverride(Model):
    """Enhancement overrides. SDK only."""

    storage_mode: Text | None = None
    file_name: FileName | None = None


class OverrideParams(Model):
    """The overrides of the templates' settings. Page: OverrideParams; `enhance`: SDK."""

    logo: Annotated[list[LogoOverride], described_as("a list of objects")] | None = None
    snapshot: Annotated[list[SnapshotOverride], described_as("a list of objects")] | None = None
    transcode_audio: (
        Annotated[list[TranscodeAudioOverride], described_as("a list of objects")] | None
    ) = None
    transcode_video: (
        Annotated[list[TranscodeVideoOverride], described_as("a list of objects")] | None
    ) = None
    enhance: EnhanceOverride | None = None


class WorkflowParams(Model):
    """Dynamic parameters. Page: WorkflowParams; `condition`: SDK."""

    override_params: OverrideParams | None = None
    condition: FlagMap | None = None


class StartRequestModel(Model):
    """The parameters of StartWorkflow without the ClientToken. Page: 请求参数."""

    vid: Id | None = None
    direct_url: DirectUrl | None = None
    template_id: Id | None = None
    input: WorkflowParams | None = None
    priority: Priority | None = None
    callback_args: CallbackArgs | None = None
    enable_low_priority: Flag | None = None
    task_list_id: Id | None = None


class SharedInputs(StartRequestModel):
    """The inputs that the items of a WorkflowBatch can share; none is required."""

    triggers: TriggerMap | None = None
    rerun_on: StatusClasses | None = None
    rerun_on_failure: Flag | None = None

    MISPLACED_KEYS: ClassVar[Mapping[str, str]] = {
        "existingRunId": "is the run of one item: set existing_run_id in that item",
        "clientToken": (
            "the provider derives each item's ClientToken; declare a WorkflowRun to set one"
        ),
    }

    @classmethod
    def cross_field_rules(cls, raw: Mapping[str, object]) -> Iterator[Problem]:
        """Yield a problem if `rerunOn` and its alias have different meanings."""
        classes, flag = raw.get("rerunOn"), raw.get("rerunOnFailure")
        if isinstance(classes, list) and isinstance(flag, bool) and is_known(classes):
            means = [*RERUN_ON_FAILURE] if flag else []
            if {*map(str, classes)} != {*means}:
                yield Problem("rerunOn", f"contradicts rerun_on_failure, which means {means}")


class PartialInputs(SharedInputs):
    """The inputs of an item of a WorkflowBatch. The defaults may add required ones."""

    existing_run_id: Id | None = None

    @classmethod
    def cross_field_rules(cls, raw: Mapping[str, object]) -> Iterator[Problem]:
        """Yield the problems that no defaults can correct."""
        yield from super().cross_field_rules(raw)
        sources = (raw.get("vid"), raw.get("directUrl"))
        if not any(source is None or source is UNKNOWN for source in sources):
            yield Problem(SOURCE, "exactly one of them must be set, both are")


class ItemInputs(PartialInputs):
    """The inputs of one run, of a resource or of an item with its defaults."""

    @classmethod
    def cross_field_rules(cls, raw: Mapping[str, object]) -> Iterator[Problem]:
        """Yield the missing parameters of StartWorkflow. An adopted run requires none."""
        yield from super().cross_field_rules(raw)
        adopts = "existingRunId" in raw
        vid, direct_url = raw.get("vid"), raw.get("directUrl")
        if vid is None and direct_url is None and not adopts:
            yield Problem(SOURCE, "exactly one of them must be set, neither is")
        template = raw.get("templateId")
        if template is None and not adopts:
            yield Problem("templateId", "is required: the id of the workflow to run")
        # The page: a built-in workflow belongs to no space, so the source needs its own.
        built_in = isinstance(template, str) and template in SYSTEM_TEMPLATES
        if built_in and isinstance(direct_url, Mapping) and "spaceName" not in direct_url:
            yield Problem("directUrl.spaceName", "is required for a built-in workflow")


class Scope(Model):
    """The declaring resource and item, a part of the ClientToken."""

    # Two resources, or two items, with the same inputs are two runs (design, section 3).
    project: Text
    stack: Text
    name: Text
    parent: Text | None = None
    item: Text | None = None


class RunInputs(ItemInputs):
    """The inputs of a WorkflowRun."""

    client_token: ClientToken | None = None
    scope: Scope | None = None
    secret_inputs: Flag | None = None
    """Whether an input is secret, so that derived values are secret, too."""

    @classmethod
    def cross_field_rules(cls, raw: Mapping[str, object]) -> Iterator[Problem]:
        """Yield a problem if the service may join a rerun to the recorded run."""
        yield from super().cross_field_rules(raw)
        classes = raw.get("rerunOn")
        joined = JOINED_CLASSES.intersection(map(str, classes if isinstance(classes, list) else ()))
        if "clientToken" in raw and joined:
            yield Problem(
                "rerunOn",
                f"{' and '.join(sorted(joined))}: the service may answer a rerun with the recorded "
                "run, because client_token is the same; remove client_token",
            )
