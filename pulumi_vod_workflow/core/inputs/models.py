"""
Raw properties become a validated declaration, or every problem at once.

Properties come from the engine (or a program) as they were written: snake_case or lowerCamelCase
keys, integers as floats, unknowns anywhere. `declare` spells them one way and checks every rule
of the page offline. An unknown value is skipped, never guessed; no message contains a value,
because it may be a secret.

Each rule's source is the page's table of that object; "SDK" marks what only the official SDKs
list (facts 10).
"""

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
    TemplateChoice,
    TemplateChoices,
    Text,
    TextMap,
    TriggerMap,
    described_as,
)
from pulumi_vod_workflow.core.request import SYSTEM_TEMPLATES
from pulumi_vod_workflow.core.text import SOURCE
from pulumi_vod_workflow.core.values import UNKNOWN
from pulumi_vod_workflow.errors import Problem

MAX_ITEMS: Final = 10_000
"""Runs of one batch: its state still is a file that a backend takes."""

# -- the objects of the page -------------------------------------------------------------------


class Model(BaseModel):
    """An object of the page. Its rules are collected together with its fields' problems."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", alias_generator=to_camel, defer_build=True
    )

    ELSEWHERE: ClassVar[Mapping[str, str]] = {}
    """Key that is none here, but of a model beside this one -> what to do instead."""

    @classmethod
    def cross_field_rules(cls, raw: Mapping[str, object]) -> Iterator[Problem]:
        """Yield the broken rules that span fields; `raw` may lack, or be wrong in, anything."""
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
            *((_loc(problem.path), problem) for problem in cls.cross_field_rules(raw)),
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
                    type=PydanticCustomError("rule", "{reason}", {"reason": _reason(item)}),
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


def _loc(path: str) -> tuple[str, ...]:
    """Return the keys of a rule's path."""
    return tuple(path.split(".")) if path else ()


def _reason(item: Mapping[str, Any]) -> str:
    return REQUIRED if item["type"] == "missing" else str(item["msg"])


_DERIVED: Final = frozenset({"scope", "secret_inputs"})
"""Fields that the resource classes add to what a program declares."""


@cache
def property_names(model: type[Model]) -> Mapping[str, str]:
    """Field name -> its spelling in state, for every field of `model`."""
    return {name: to_camel(name) for name in model.model_fields}


def _unknown_keys(model: type[Model], raw: Mapping[str, object]) -> Iterator[Problem]:
    unknown = sorted(set(raw) - set(property_names(model).values()))
    if not unknown:
        return
    offered = {camel: name for name, camel in property_names(model).items() if name not in _DERIVED}
    for key in unknown:
        advice = model.ELSEWHERE.get(to_camel(key))
        yield Problem(key, advice or unknown_key(key, raw, offered))


def unknown_key(key: str, given: Collection[str], offered: Mapping[str, str]) -> str:
    """
    Return what is wrong with a key that no field has.

    Args:
        key: the key, as it was spelled.
        given: all keys that were given beside it.
        offered: spelling in state -> field name, of every key that is allowed there.

    """
    camel = to_camel(key)
    if offered.get(camel) == key and camel in given:  # `respell` renames it where it is alone
        return f"is given twice, as {key} and as {camel}; keep one of them"
    near = difflib.get_close_matches(camel, sorted(offered), n=1, cutoff=0.5)
    # As the key is spelled: a keyword of Python, or a name of the API.
    spelled = offered if key.islower() else dict(zip(offered, offered, strict=True))
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
        """An end of 0 is the source's own end (the page's example), any other follows the start."""
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
        """One template has one type, so settings of two types cannot both take effect."""
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
    """What overrides the templates' settings. Page: OverrideParams; `enhance`: SDK."""

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
    """What is sent to StartWorkflow, but for the ClientToken. Page: 请求参数."""

    vid: Id | None = None
    direct_url: DirectUrl | None = None
    template_id: Id | None = None
    input: WorkflowParams | None = None
    priority: Priority | None = None
    callback_args: CallbackArgs | None = None
    enable_low_priority: Flag | None = None
    task_list_id: Id | None = None


class SharedInputs(StartRequestModel):
    """What the items of a WorkflowBatch can have in common: nothing of it is required here."""

    triggers: TriggerMap | None = None
    rerun_on_failure: Flag | None = None

    ELSEWHERE: ClassVar[Mapping[str, str]] = {
        "existingRunId": "names the run of one item: set existing_run_id in that item",
        "clientToken": (
            "each item's ClientToken is derived; for a token of your own declare a WorkflowRun"
        ),
    }


class PartialInputs(SharedInputs):
    """What an item of a WorkflowBatch says itself: the defaults may add what is required."""

    existing_run_id: Id | None = None

    @classmethod
    def cross_field_rules(cls, raw: Mapping[str, object]) -> Iterator[Problem]:
        """Check what no defaults can put right."""
        sources = (raw.get("vid"), raw.get("directUrl"))
        if not any(source is None or source is UNKNOWN for source in sources):
            yield Problem(SOURCE, "exactly one of them must be set, both are")


class ItemInputs(PartialInputs):
    """Everything one run is declared with, wherever that is."""

    @classmethod
    def cross_field_rules(cls, raw: Mapping[str, object]) -> Iterator[Problem]:
        """Check what StartWorkflow requires, unless an existing run is adopted."""
        yield from super().cross_field_rules(raw)
        adopts = "existingRunId" in raw
        vid, direct_url = raw.get("vid"), raw.get("directUrl")
        if vid is None and direct_url is None and not adopts:
            yield Problem(SOURCE, "exactly one of them must be set, neither is")
        template = raw.get("templateId")
        if template is None and not adopts:
            yield Problem("templateId", "is required: the id of the workflow to run")
        built_in = isinstance(template, str) and template in SYSTEM_TEMPLATES
        if built_in and isinstance(direct_url, Mapping) and "spaceName" not in direct_url:
            yield Problem("directUrl.spaceName", "is required for a built-in workflow")


class Scope(Model):
    """Who declares the run; part of the token, so that two resources, or items, are two runs."""

    project: Text
    stack: Text
    name: Text
    parent: Text | None = None
    item: Text | None = None


class RunInputs(ItemInputs):
    """Everything a WorkflowRun is declared with."""

    client_token: ClientToken | None = None
    scope: Scope | None = None
    secret_inputs: Flag | None = None
    """Whether anything above is secret, so that what is made of it is kept secret too."""
