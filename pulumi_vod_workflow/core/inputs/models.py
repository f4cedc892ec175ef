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
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar, Final, Self, get_args
from urllib.parse import unquote

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic.alias_generators import to_camel, to_snake
from pydantic_core import InitErrorDetails, PydanticCustomError

from pulumi_vod_workflow.core.request import SYSTEM_TEMPLATES
from pulumi_vod_workflow.core.text import SOURCE, path_of
from pulumi_vod_workflow.core.values import PLAIN, UNKNOWN, normalise
from pulumi_vod_workflow.errors import Problem

MAX_EXACT_INTEGER: Final = 2**53 - 1
"""Numbers travel as IEEE doubles: from the next one on, two integers can be one double."""

MAX_ITEMS: Final = 10_000
"""Runs of one batch: its state still is a file that a backend takes."""

SHORTEST_CLIP: Final = 1000  # milliseconds
"""A shorter clip is probably one in seconds."""

MAX_INT32: Final = 2**31 - 1
"""The page gives no upper limit; official SDKs cannot spell or read a larger integer."""

# -- what is allowed, said once for each kind of value ----------------------------------------


def allowed(text: str) -> WrapValidator:
    """Let unknowns pass, and answer anything that does not fit with what would."""

    def validate(value: object, handler: ValidatorFunctionWrapHandler) -> object:
        if value is UNKNOWN:
            return value
        try:
            return handler(value)
        except ValidationError as error:
            if all(item["loc"] for item in error.errors()):
                raise  # the container fits; some of its items do not
        raise PydanticCustomError("allowed", "must be {allowed}", {"allowed": text})

    return WrapValidator(validate)


def _holds(test: Callable[[Any], bool]) -> WrapValidator:
    """Refuse a well-typed value that fails `test`; `allowed` says why."""

    def validate(value: object, handler: ValidatorFunctionWrapHandler) -> object:
        result = handler(value)
        if not test(result):
            raise PydanticCustomError("test", "not allowed")
        return result

    return WrapValidator(validate)


def _is_json(value: object) -> bool:
    """Tell whether `value` is exactly representable JSON; unknowns count as such."""
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    if isinstance(value, list):
        return all(_is_json(item) for item in value)
    if isinstance(value, (int, float)):  # bool is an int; NaN compares false
        return -MAX_EXACT_INTEGER <= value <= MAX_EXACT_INTEGER
    return value is None or value is UNKNOWN or isinstance(value, str)


_OF_AN_OBJECT: Final = re.compile(
    r"__str__.{1,20}Output|\bat 0x[0-9a-f]{6,}>|calling[\W_]*str[\W_]*on[\W_]*an[\W_]*output",
    re.IGNORECASE | re.DOTALL,
)
"""
The SDK's text for `str` of an Output, also percent-encoded or made a file's name, and Python's
`repr` of an object.
"""
TEXT_OF_AN_OBJECT: Final = (
    "holds Python's text of an Output or of another object, not its value; build the text with "
    "Output.format, Output.concat or .apply"
)


def is_text_of_an_object(text: str) -> bool:
    """Tell whether a program has put an Output, or another object, into `text` itself."""
    return _OF_AN_OBJECT.search(text) is not None


_SCHEME: Final = re.compile(r"[^a-z0-9]*[a-z][a-z0-9+._-]*://", re.IGNORECASE)
"""A scheme, also after quotes, blanks, or characters that are not seen."""


def _is_path(value: str) -> bool:
    if not value or any(unicodedata.category(letter) == "Cc" for letter in value):
        return False
    return not _SCHEME.match(unicodedata.normalize("NFKC", unquote(value)))


def _is_id(value: str) -> bool:
    return bool(value) and value == value.strip() and value.isprintable()


def is_item_key(value: str) -> bool:
    """Tell whether `value` can be an item's key; Pulumi keeps `__` for itself, and hides it."""
    return _is_id(value) and len(value) <= 200 and not value.startswith("__")


ITEM_KEYS: Final = (
    "a printable string of 1 to 200 characters, without white space around it, that does not begin "
    "with two underscores"
)


def _is_template_choice(ids: list[object]) -> bool:
    return "All" not in ids or len(ids) == 1


Id = Annotated[
    str, _holds(_is_id), allowed("a non-empty, printable string without white space around it")
]
ItemKey = Annotated[str, _holds(is_item_key), allowed(ITEM_KEYS)]
Text = Annotated[str, Field(min_length=1), allowed("a non-empty string")]
FileName = Annotated[
    str,
    _holds(_is_path),
    allowed("a non-empty path in the space, without scheme:// (a result's file_name is one)"),
]
Flag = Annotated[bool, allowed("true or false")]
Priority = Annotated[int, Field(ge=-5, le=5), allowed("an integer from -5 to 5")]
CallbackArgs = Annotated[
    str,
    _holds(lambda text: len(text.encode()) <= 512),
    allowed("a string of at most 512 bytes in UTF-8"),
]
ClientToken = Annotated[
    str,
    Field(pattern=r"^[\x20-\x7e]{1,64}\z"),
    allowed("1 to 64 printable ASCII characters; upper and lower case differ"),
]
Milliseconds = Annotated[
    int, Field(ge=0, le=MAX_INT32), allowed("an integer of milliseconds, 0 to 2147483647")
]
Seconds = Annotated[
    float,
    Field(ge=0, le=MAX_EXACT_INTEGER, allow_inf_nan=False),
    allowed("a number of seconds, 0 or more"),
]
Pixels = Annotated[
    int, Field(ge=0, le=4096), allowed("an integer of pixels from 0 to 4096; 0 scales")
]
Index = Annotated[int, Field(ge=0, le=MAX_INT32), allowed("an integer, 0 to 2147483647")]
TemplateChoice = Annotated[
    str,
    _holds(lambda text: _is_id(text) and (text == "All" or text.lower() != "all")),
    allowed("a template id, or All (spelled like that) for every template of the kind"),
]
TemplateChoices = Annotated[
    list[TemplateChoice],
    Field(min_length=1),
    _holds(_is_template_choice),
    allowed("a non-empty list of template ids, or [All] alone"),
]
TextMap = Annotated[
    dict[str, Annotated[str, allowed("a string")]], allowed("a map of strings to strings")
]
FlagMap = Annotated[dict[str, Flag], allowed("a map of condition names to true or false")]
TriggerMap = Annotated[
    dict[
        str,
        Annotated[
            Any,
            _holds(_is_json),
            allowed("JSON with numbers below 2**53; write a larger one as text"),
        ],
    ],
    allowed("a map of names to values; a new or changed value starts a new run"),
]


# -- the objects of the page -------------------------------------------------------------------


class Model(BaseModel):
    """An object of the page. Its rules are collected together with its fields' problems."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", alias_generator=to_camel, defer_build=True
    )

    ELSEWHERE: ClassVar[Mapping[str, str]] = {}
    """Key that is none here, but of a model beside this one -> what to do instead."""

    @classmethod
    def rules(cls, raw: Mapping[str, object]) -> Iterator[Problem]:
        """Yield the broken rules that span fields; `raw` may lack, or be wrong in, anything."""
        del raw
        yield from ()

    @model_validator(mode="wrap")
    @classmethod
    def _whole(cls, raw: Any, handler: ModelWrapValidatorHandler[Self]) -> Any:
        if raw is UNKNOWN:
            return raw
        if not isinstance(raw, Mapping):
            keys = ", ".join(sorted(_names(cls)))
            raise PydanticCustomError("allowed", "must be an object of {keys}", {"keys": keys})
        problems = [
            *(((problem.path,), problem) for problem in _unknown_keys(cls, raw)),
            *((_loc(problem.path), problem) for problem in cls.rules(raw)),
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
def _names(model: type[Model]) -> Mapping[str, str]:
    """Field name -> its spelling in state, for every field of `model`."""
    return {name: to_camel(name) for name in model.model_fields}


def _unknown_keys(model: type[Model], raw: Mapping[str, object]) -> Iterator[Problem]:
    unknown = sorted(set(raw) - set(_names(model).values()))
    if not unknown:
        return
    offered = {camel: name for name, camel in _names(model).items() if name not in _DERIVED}
    for key in unknown:
        advice = model.ELSEWHERE.get(to_camel(key))
        if advice:
            yield Problem(key, advice)
            continue
        near = difflib.get_close_matches(to_camel(key), sorted(offered), n=1, cutoff=0.5)
        # As the key is spelled: a keyword of Python, or a name of the API.
        spelled = offered if key.islower() else dict(zip(offered, offered, strict=True))
        hint = f"did you mean {spelled[near[0]]}? " if near else ""
        keys = ", ".join(sorted(spelled.values()))
        yield Problem(key, f"{UNKNOWN_KEY}; {hint}The keys here are {keys}")


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
    def rules(cls, raw: Mapping[str, object]) -> Iterator[Problem]:
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
    sample_offsets: Annotated[list[Seconds], allowed("a list of seconds")] | None = None
    offset_time_list: Annotated[list[Milliseconds], allowed("a list of milliseconds")] | None = None
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
    def rules(cls, raw: Mapping[str, object]) -> Iterator[Problem]:
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
    output_index: Annotated[list[Index], allowed("a list of integers")] | None = None


class EnhanceOverride(Model):
    """Enhancement overrides. SDK only."""

    storage_mode: Text | None = None
    file_name: FileName | None = None


class OverrideParams(Model):
    """What overrides the templates' settings. Page: OverrideParams; `enhance`: SDK."""

    logo: Annotated[list[LogoOverride], allowed("a list of objects")] | None = None
    snapshot: Annotated[list[SnapshotOverride], allowed("a list of objects")] | None = None
    transcode_audio: (
        Annotated[list[TranscodeAudioOverride], allowed("a list of objects")] | None
    ) = None
    transcode_video: (
        Annotated[list[TranscodeVideoOverride], allowed("a list of objects")] | None
    ) = None
    enhance: EnhanceOverride | None = None


class WorkflowParams(Model):
    """Dynamic parameters. Page: WorkflowParams; `condition`: SDK."""

    override_params: OverrideParams | None = None
    condition: FlagMap | None = None


class Start(Model):
    """What is sent to StartWorkflow, but for the ClientToken. Page: 请求参数."""

    vid: Id | None = None
    direct_url: DirectUrl | None = None
    template_id: Id | None = None
    input: WorkflowParams | None = None
    priority: Priority | None = None
    callback_args: CallbackArgs | None = None
    enable_low_priority: Flag | None = None
    task_list_id: Id | None = None


class SharedInputs(Start):
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
    def rules(cls, raw: Mapping[str, object]) -> Iterator[Problem]:
        """Check what no defaults can put right."""
        sources = (raw.get("vid"), raw.get("directUrl"))
        if not any(source is None or source is UNKNOWN for source in sources):
            yield Problem(SOURCE, "exactly one of them must be set, both are")


class ItemInputs(PartialInputs):
    """Everything one run is declared with, wherever that is."""

    @classmethod
    def rules(cls, raw: Mapping[str, object]) -> Iterator[Problem]:
        """Check what StartWorkflow requires, unless an existing run is adopted."""
        yield from super().rules(raw)
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


# -- one spelling ------------------------------------------------------------------------------


@cache
def _nested(model: type[Model], name: str) -> type[Model] | None:
    """Return the model of a field's value or of its list's items, if it has one."""
    pending: list[object] = [model.model_fields[name].annotation]
    while pending:
        part = pending.pop()
        if isinstance(part, type) and issubclass(part, Model):
            return part
        pending.extend(get_args(part))
    return None


@cache
def _fields(
    model: type[Model], spelling: Callable[[str], str]
) -> Mapping[str, tuple[str, str, type[Model] | None]]:
    """Either spelling of each field -> its name, how `spelling` spells it, and what it holds."""
    return {
        either: (name, spelling(name), _nested(model, name))
        for name, camel in _names(model).items()
        for either in (name, camel)
    }


def respell(
    value: object,
    model: type[Model] | None,
    spelling: Callable[[str], str],
    unwrap: Callable[[object], object] = lambda value: value,
) -> Any:
    """
    Return `value` with the keys that `model` knows spelled by `spelling`; other keys stay.

    `unwrap` sees each value first: it may turn a program's argument classes into mappings.
    """
    value = unwrap(value)
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, Mapping):
        fields = _fields(model, spelling) if model else {}
        result = {}
        for key, item in value.items():
            name, right, nested = fields.get(key) or ("", key, None)
            if name and right in result:  # said twice: keep both, so that one is reported
                right = name if key == right else key
            result[right] = respell(item, nested, spelling, unwrap)
        return result
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [respell(item, model, spelling, unwrap) for item in value]
    return value


def respell_path(path: str, model: type[Model] = RunInputs) -> str:
    """Return a property's dotted path as in state, for example `input.overrideParams.logo[0]`."""
    result, current = "", model
    for part in re.split(r"(\.|\[[^\]]*\])", path):
        name, right, nested = _fields(current, to_camel).get(part) or ("", part, None)
        result += right
        if name:
            current = nested or Model  # what is below has names of its own
    return result


def spell(raw: Mapping[str, object], model: type[Model] = RunInputs) -> dict[str, Any]:
    """Return `raw` in its one spelling: lowerCamelCase, integral floats as ints, no `None`."""
    result: dict[str, Any] = respell(normalise(raw), model, to_camel)
    return result


@dataclass(frozen=True, slots=True)
class Declaration:
    """A declaration in its one spelling, with all that is wrong with it."""

    properties: dict[str, Any]
    problems: tuple[Problem, ...]


def declare_part(raw: Mapping[str, object], model: type[Model]) -> tuple[Problem, ...]:
    """Check what is there of a declaration: the rest of it may add what is required."""
    return tuple(item for item in declare(raw, model).problems if item.reason != REQUIRED)


def declare(raw: Mapping[str, object], model: type[Model] = RunInputs) -> Declaration:
    """Spell and check `raw` against `model`; nothing is sent anywhere."""
    properties = spell(raw, model)
    texts = {path: Problem(path, TEXT_OF_AN_OBJECT) for path in texts_of_objects(properties)}
    problems: dict[Problem, None] = dict.fromkeys(texts.values())
    try:
        model.model_validate(properties)
    except ValidationError as error:
        found = (Problem(path_of(*item["loc"]), item["msg"]) for item in error.errors())
        problems |= dict.fromkeys(problem for problem in found if problem.path not in texts)
    return Declaration(properties, tuple(sorted(problems, key=lambda item: item.path)))


RESOURCE_NAME: Final = "the resource's name"
"""Path of what is wrong with the name, which is no property."""


def texts_of_objects(value: object, *path: int | str) -> Iterator[str]:
    """Yield the path of each text and each map with a key that a program made of an object."""
    if isinstance(value, str):
        if is_text_of_an_object(value):
            yield RESOURCE_NAME if path == ("scope", "name") else path_of(*path)
    elif isinstance(value, Mapping):
        if any(isinstance(key, str) and is_text_of_an_object(key) for key in value):
            yield path_of(*path)
        for key, item in value.items():
            if not is_text_of_an_object(str(key)):  # it would make the path unreadable
                yield from texts_of_objects(item, *path, str(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from texts_of_objects(item, *path, index)


SHORT_CLIP: Final = (
    "the clip is shorter than one second; start_time and end_time are in milliseconds"
)


def doubts(properties: Mapping[str, object]) -> Iterator[Problem]:
    """Yield what is allowed in a valid, spelled declaration, and is probably not meant."""
    kinds: Any = properties
    for key in ("input", "overrideParams"):
        kinds = kinds.get(key) if isinstance(kinds, Mapping) else None
    if not isinstance(kinds, Mapping):
        return
    for kind in ("transcodeAudio", "transcodeVideo"):
        overrides = kinds.get(kind)
        for index, override in enumerate(overrides if isinstance(overrides, list) else ()):
            clip = override.get("clip") if isinstance(override, Mapping) else None
            if isinstance(clip, Mapping) and _is_short(
                clip.get("startTime", 0), clip.get("endTime")
            ):
                yield Problem(path_of("input", "overrideParams", kind, index, "clip"), SHORT_CLIP)


def _is_short(start: object, end: object) -> bool:
    return isinstance(start, int) and isinstance(end, int) and 0 < end - start < SHORTEST_CLIP
