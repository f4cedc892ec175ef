"""The fields of StartWorkflow, from a run's properties. Source: the page, 请求参数."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pulumi_vod_workflow.core.values import PLAIN

REQUEST_FIELDS: Final = (
    "vid",
    "directUrl",
    "templateId",
    "input",
    "priority",
    "callbackArgs",
    "enableLowPriority",
    "taskListId",
)
"""The fields of a start, without the ClientToken. `StartRequestModel` has their types."""

# vod-api-facts 10: the list of the document is cut after the fourth workflow. No call returns the
# tasks of any other built-in workflow.
SYSTEM_TEMPLATES: Final[Mapping[str, int]] = {
    "c3841b3122fd460db2bc99a6ec131cb8": 6,
    "25524a2dae4541db93b2e891d7daf4b9": 6,
    "06853553c4d3402698a17ff5dff87fd7": 6,
    "1ddda0dd053c4c7488926eb2eb77eb34": 8,
}
"""Id of a built-in workflow -> the number of its tasks, each with one paid output."""
SYSTEM_TEMPLATE_NAMES: Final[Mapping[str, str]] = {
    "c3841b3122fd460db2bc99a6ec131cb8": "single-bitrate short video feeds",
    "25524a2dae4541db93b2e891d7daf4b9": "multi-bitrate copyrighted HLS",
    "06853553c4d3402698a17ff5dff87fd7": "multi-bitrate general online video",
    "1ddda0dd053c4c7488926eb2eb77eb34": "multi-bitrate short video feeds",
}
"""Id of a built-in workflow -> its name, after the list of vod-api-facts 10."""

# The page's defaults. A default in the program and an absent field are one start, so writing a
# default down is free.
_DEFAULTS: Final = {"priority": 0, "enableLowPriority": False, "callbackArgs": ""}


def request_fields(properties: Mapping[str, object]) -> dict[str, Any]:
    """
    Return the fields of a start, without empty and default values.

    These are absent: `None`, empty objects and lists, priority 0, `enableLowPriority` false, empty
    `callbackArgs`.
    """
    values = {key: request_value(properties, key) for key in REQUEST_FIELDS}
    return {key: value for key, value in values.items() if value is not None}


def describe_start(properties: Mapping[str, object]) -> str:
    """Return a run's source and workflow, to find it in the console; without marked secrets."""
    url = properties.get("directUrl")
    labels = {
        "vid": properties.get("vid"),
        "file": url.get("fileName") if isinstance(url, Mapping) else None,
        "workflow": properties.get("templateId"),
    }
    return ", ".join(
        f"{label} {value}" for label, value in labels.items() if isinstance(value, str)
    )


def request_value(properties: Mapping[str, object], key: str) -> object:
    """Return one field of a start; `None` if it is absent, see `request_fields`."""
    value = properties.get(key)
    if value is None:
        return None
    value = _prune(value)
    return None if value in ({}, []) or value == _DEFAULTS.get(key) else value


def _prune(value: object) -> object:
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, Mapping):
        items = {key: _prune(item) for key, item in value.items()}
        return {key: item for key, item in items.items() if item not in (None, {}, [])}
    if isinstance(value, list):
        return [_prune(item) for item in value]
    return value
