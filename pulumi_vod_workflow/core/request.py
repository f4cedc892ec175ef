"""
What StartWorkflow is sent, from properties in their one spelling: only what means something.

Source: the page, 请求参数; its built-in workflows are facts 10.
"""

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
"""Everything that is sent, but for the ClientToken; `inputs.Start` says of what kind each is."""

SYSTEM_TEMPLATES: Final[Mapping[str, int]] = {
    "c3841b3122fd460db2bc99a6ec131cb8": 6,
    "25524a2dae4541db93b2e891d7daf4b9": 6,
    "06853553c4d3402698a17ff5dff87fd7": 6,
    "1ddda0dd053c4c7488926eb2eb77eb34": 8,
}
"""
Built-in workflow -> its tasks, each of which makes an output that is paid (facts 10).

The list is not complete, and nothing tells the tasks of a workflow that is not in it.
"""


_DEFAULTS: Final = {"priority": 0, "enableLowPriority": False, "callbackArgs": ""}


def request_fields(properties: Mapping[str, object]) -> dict[str, Any]:
    """
    Return what StartWorkflow is sent, of spelled properties: only what means something.

    Absent, `None`, empty objects and lists, priority 0, idle transcoding off and callback args of
    no characters are one and the same start (the page's defaults), so writing a default down never
    pays for a second run.
    """
    told = {key: request_value(properties, key) for key in REQUEST_FIELDS}
    return {key: value for key, value in told.items() if value is not None}


def describe_start(properties: Mapping[str, object]) -> str:
    """Return source and workflow, by which a run is found in the console; no secret, if marked."""
    url = properties.get("directUrl")
    named = {
        "vid": properties.get("vid"),
        "file": url.get("fileName") if isinstance(url, Mapping) else None,
        "workflow": properties.get("templateId"),
    }
    return ", ".join(f"{word} {value}" for word, value in named.items() if isinstance(value, str))


def request_value(properties: Mapping[str, object], key: str) -> object:
    """Return what StartWorkflow is sent of one field, `None` if nothing; see `start_of`."""
    value = properties.get(key)
    if value is None:
        return None
    value = _pruned(value)
    return None if value in ({}, []) or value == _DEFAULTS.get(key) else value


def _pruned(value: object) -> object:
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, Mapping):
        items = {key: _pruned(item) for key, item in value.items()}
        return {key: item for key, item in items.items() if item not in (None, {}, [])}
    if isinstance(value, list):
        return [_pruned(item) for item in value]
    return value
