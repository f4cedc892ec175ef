"""The recorded state of a run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

from pulumi_vod_workflow.core.changes import RUN_FIELDS, keeps_token
from pulumi_vod_workflow.core.client_token import client_token
from pulumi_vod_workflow.core.request import REQUEST_FIELDS
from pulumi_vod_workflow.core.secrets import Secret
from pulumi_vod_workflow.core.values import UNKNOWN


def is_unchanged(old: Mapping[str, Any], declared: Mapping[str, Any]) -> bool:
    """
    Tell whether a declaration is the recorded one, but for what is derived of it.

    It was found right when it was recorded, by the rules of then, and its token stays: see
    `keeps_token`. What starts a run again, a replacement, is checked without what was recorded.
    """
    if "clientToken" not in old and "existingRunId" not in old:  # nothing is recorded
        return False
    derived = {"clientToken"} - declared.keys()
    return is_same({key: old[key] for key in old.keys() - derived}, declared)


def is_same(old: object, new: object) -> bool:
    """Compare what was found right with whatever was declared now."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return old.keys() == new.keys() and all(is_same(old[key], new[key]) for key in old)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(is_same, old, new))
    return type(old) is type(new) and old == new  # true is not 1


def with_derived_inputs(old: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return a valid declaration with what is derived from it and from the old inputs.

    That is the token: the recorded one while the start stays the same, else the derived one once
    all is known, and none for a run that is adopted. And whether anything is secret: a run that was
    made of secrets stays so when they are no longer declared.
    """
    inputs = dict(declared)
    if old.get("secretInputs") is True:
        inputs["secretInputs"] = True
    if "clientToken" not in inputs:
        token = old.get("clientToken")
        if token is not None and not keeps_token(old, inputs):
            token = None
        if token is None and "existingRunId" not in inputs:
            token = client_token(inputs)
        if token is not None:
            inputs["clientToken"] = token
    return inputs


DERIVED_FROM_INPUTS: Final = frozenset(
    {"clientToken", "spaceName", "templateName", "tasks", "transcodes", "snapshots", "extra"}
)
"""What could tell a secret input: outputs that follow the inputs, and the token, their hash."""

RESULT_OUTPUTS: Final = frozenset({"tasks", "transcodes", "snapshots", "extra"})
"""What the service tells in a form of its own, fields included that are not known here."""

_URL: Final = re.compile("https?://", re.IGNORECASE)


def to_state(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's properties as they are to be recorded: inputs, outputs or both."""
    return _marked(properties, DERIVED_FROM_INPUTS)


def with_secret_urls(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """
    Mark each text of the results with a URL in it: whoever has a signed one has the file.

    No documented field holds any (facts 2: a StoreUri is a path and grants nothing), so this is for
    those that are not known here. Which part of a URL signs it differs: query, path or user.
    """
    return {
        key: _marked_urls(value) if key in RESULT_OUTPUTS else value
        for key, value in outputs.items()
    }


def _marked_urls(value: Any) -> Any:
    if isinstance(value, str):
        return Secret(value) if _URL.search(value) else value
    if isinstance(value, Mapping):
        return {key: _marked_urls(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_marked_urls(item) for item in value]
    return value


def _marked(properties: Mapping[str, Any], names: AbstractSet[str]) -> dict[str, Any]:
    secret = names if properties.get("secretInputs") is True else frozenset()
    return {
        key: Secret(value) if key in secret and value is not UNKNOWN else value
        for key, value in (properties if secret else with_secret_urls(properties)).items()
    }


def updated_state(recorded: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return a run's record with its new declaration.

    No output is lost. What was read of an adopted run's start stays, though it is not declared,
    and is as secret as it was.
    """
    stays = set(REQUEST_FIELDS) if "existingRunId" in declared else set()
    replaced = set(RUN_FIELDS) - stays
    kept = {key: value for key, value in recorded.items() if key not in replaced}
    undeclared = set(kept) & stays - set(declared)
    return _marked({**kept, **declared}, DERIVED_FROM_INPUTS | undeclared)
