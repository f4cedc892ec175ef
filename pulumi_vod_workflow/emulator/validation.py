"""
A second, strict reading of the parameters (the page; facts 10 for the SDK-only parameters).

An unknown parameter is an error. Every error names the path in the spelling of the API.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pulumi_vod_workflow.emulator.errors import ServiceError
from pulumi_vod_workflow.emulator.http import parse_json
from pulumi_vod_workflow.emulator.settings import SYSTEM_TEMPLATES

MAX_FLOAT32: Final = 3.4028235e38
"""The highest number: official clients decode responses into 32-bit floats."""

Validator = Callable[[Any, str], Any]


def _invalid(path: str, problem: str) -> ServiceError:
    return ServiceError("InvalidParameter", f"{path} {problem}")


def _non_empty_string(value: Any, path: str) -> str:
    if not isinstance(value, str) or not value:
        raise _invalid(path, "must be a non-empty string")
    return value


def _boolean(value: Any, path: str) -> bool:
    """Read the spellings of clients: Go sends true, Python True (facts 5), PHP 1."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false", "1", "0"}:
        return value.lower() in {"true", "1"}
    raise _invalid(path, "must be true or false")


def _integer(low: int, high: int = 2**31 - 1) -> Validator:
    """Allow integers of a range; official clients decode responses into 32 bits."""

    def rule(value: Any, path: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise _invalid(path, f"must be an integer from {low} to {high}")
        return value

    return rule


def _integer_or_digits(low: int, high: int = 2**31 - 1) -> Validator:
    """Allow integers of a range, as a number or as the text of a query or a form."""

    def rule(value: Any, path: str) -> Any:
        if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,10}", value):
            value = int(value)
        return _integer(low, high)(value, path)

    return rule


def _one_of(*words: str) -> Validator:
    def rule(value: Any, path: str) -> Any:
        if not isinstance(value, str) or value.lower() not in words:
            raise _invalid(path, f"must be one of {', '.join(words)}")
        return value

    return rule


def _non_negative_number(value: Any, path: str) -> Any:
    numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not numeric or not 0 <= value <= MAX_FLOAT32:
        raise _invalid(path, "must be a number, 0 or more")
    return value


def _list_of(item: Validator, *, min_length: int = 0) -> Validator:
    def rule(value: Any, path: str) -> list[Any]:
        if not isinstance(value, list) or len(value) < min_length:
            raise _invalid(path, f"must be a list of at least {min_length}")
        return [item(part, f"{path}[{index}]") for index, part in enumerate(value)]

    return rule


def _map_of(item: Validator) -> Validator:
    def rule(value: Any, path: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _invalid(path, "must be an object")
        return {key: item(part, f"{path}.{key}") for key, part in value.items()}

    return rule


def _string(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise _invalid(path, "must be a string")
    return value


def _flag(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise _invalid(path, "must be true or false")
    return value


def _object(rules: Mapping[str, Validator], *required: str) -> Validator:
    def rule(value: Any, path: str) -> dict[str, Any]:
        if value == []:  # the PHP SDK's empty object
            value = {}
        if not isinstance(value, dict):
            raise _invalid(path, "must be an object")
        for key in required:
            if key not in value:
                raise _invalid(f"{path}.{key}", "is required")
        return _validate_known(value, rules, required, f"{path}.")

    return rule


def _clip(value: Any, path: str) -> dict[str, Any]:
    clip: dict[str, Any] = _object({"StartTime": _integer(0), "EndTime": _integer(0)})(value, path)
    if 0 < clip.get("EndTime", 0) <= clip.get("StartTime", 0):
        raise _invalid(f"{path}.EndTime", "must be after StartTime")
    return clip


def _json_text(rule: Validator) -> Validator:
    def parse(value: Any, path: str) -> Any:
        try:
            document = parse_json(_non_empty_string(value, path))
        except ValueError:
            raise _invalid(path, "must be a string of JSON") from None
        return rule(document, path)

    return parse


_IDS = _list_of(_non_empty_string, min_length=1)
_PIXELS = _integer(0, 4096)
_AUDIO: Final[dict[str, Validator]] = {
    "Clip": _clip,
    "FileName": _non_empty_string,
    "TemplateId": _IDS,
}
_OVERRIDES = _object(
    {
        "Logo": _list_of(
            _object({"Vars": _map_of(_string), "TemplateId": _non_empty_string}, "TemplateId")
        ),
        "Snapshot": _list_of(
            _object(
                {
                    "FileName": _non_empty_string,
                    "FileIndex": _non_empty_string,
                    "OffsetTime": _integer(0),
                    "TemplateId": _IDS,
                    "SampleOffsets": _list_of(_non_negative_number),
                    "OffsetTimeList": _list_of(_integer(0)),
                    "Width": _PIXELS,
                    "Height": _PIXELS,
                },
                "TemplateId",
            )
        ),
        "TranscodeAudio": _list_of(_object(_AUDIO, "TemplateId")),
        "TranscodeVideo": _list_of(
            _object(
                {
                    **_AUDIO,
                    "LogoTemplateId": _non_empty_string,
                    "OutputIndex": _list_of(_integer(0)),
                },
                "TemplateId",
            )
        ),
        "Enhance": _object({"StorageMode": _non_empty_string, "FileName": _non_empty_string}),
    }
)


def _callback_args(value: Any, path: str) -> str:
    if len(_string(value, path).encode()) > 512:
        raise _invalid(path, "must be at most 512 bytes")
    return str(value)


def _client_token(value: Any, path: str) -> str:
    text = _non_empty_string(value, path)
    if len(text) > 64 or not all(" " <= char <= "~" for char in text):
        raise _invalid(path, "must be at most 64 printable ASCII characters")
    return text


_START_PARAMETERS: Final[Mapping[str, Validator]] = {
    "Vid": _non_empty_string,
    "DirectUrl": _json_text(
        _object(
            {
                "SpaceName": _non_empty_string,
                "FileName": _non_empty_string,
                "BucketName": _non_empty_string,
            },
            "FileName",
        )
    ),
    "TemplateId": _non_empty_string,
    "Input": _json_text(_object({"OverrideParams": _OVERRIDES, "Condition": _map_of(_flag)})),
    "Priority": _integer_or_digits(-5, 5),
    "CallbackArgs": _callback_args,
    "EnableLowPriority": _boolean,
    "ClientToken": _client_token,
    "TaskListId": _non_empty_string,
}


def _validate_known(
    parameters: Mapping[str, Any],
    rules: Mapping[str, Validator],
    required: Sequence[str] = (),
    path: str = "",
) -> dict[str, Any]:
    """
    Apply the rules, and reject every parameter without a rule.

    The Java SDK sends "" for a parameter that is not set, at any depth, so an empty
    optional parameter counts as not sent.
    """
    for name in parameters:
        if name not in rules:
            raise _invalid(f"{path}{name}", "is not a parameter")
    return {
        name: rules[name](value, f"{path}{name}")
        for name, value in parameters.items()
        if value != "" or name in required
    }


def validate_start(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the typed parameters of StartWorkflow; raise `ServiceError` for a broken rule."""
    typed = _validate_known(parameters, _START_PARAMETERS, ["TemplateId"])
    if ("Vid" in typed) == ("DirectUrl" in typed):
        raise _invalid("Vid", "or DirectUrl must be set, but not both")
    if "TemplateId" not in typed:
        raise ServiceError("MissingParameter", "TemplateId")
    built_in = typed["TemplateId"] in SYSTEM_TEMPLATES
    if built_in and "DirectUrl" in typed and "SpaceName" not in typed["DirectUrl"]:
        raise _invalid("DirectUrl.SpaceName", "is required for a built-in workflow")
    return typed


def validate_read(parameters: Mapping[str, Any], key: str, **optional: Validator) -> dict[str, Any]:
    """Return the typed parameters of a call that reads one object."""
    if key not in parameters:
        raise ServiceError("MissingParameter", key)
    return _validate_known(parameters, {key: _non_empty_string, **optional}, [key])


NEED_TASKS: Final[Validator] = _boolean

_LIST_PARAMETERS: Final[Mapping[str, Validator]] = {
    **dict.fromkeys(("SpaceName", "TemplateId", "Name", "Type"), _non_empty_string),
    "Limit": _integer_or_digits(0, 100),
    "Offset": _integer_or_digits(0),
    "OrderByKey": _one_of("created_at", "updated_at"),
    "Order": _one_of("asc", "desc"),
}


MAX_VIDS: Final = 20
"""The number of Vids of one request (docs/4/65603)."""


def validate_media_infos(parameters: Mapping[str, Any]) -> list[str]:
    """Return the Vids of GetMediaInfos, each once."""
    vids: list[str] = validate_read(parameters, "Vids")["Vids"].split(",")
    if len(vids) > MAX_VIDS or not all(vids):
        raise _invalid("Vids", f"must be 1 to {MAX_VIDS} Vids, separated by commas")
    return list(dict.fromkeys(vids))


def validate_list_templates(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the typed parameters of ListWorkflowTemplate; a Limit of 0 is the default (SDKs)."""
    return _validate_known(parameters, _LIST_PARAMETERS)
