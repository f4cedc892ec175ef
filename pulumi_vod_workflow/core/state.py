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
    """Return whether a declaration equals the recorded one, apart from derived inputs."""
    # The recorded declaration was valid when its run started. An upgrade with stricter rules must
    # not fail a stack that changes nothing. The engine checks a replacement with empty olds
    # (pulumi-facts B.4), so a new start meets the current rules.
    if "clientToken" not in old and "existingRunId" not in old:  # a first create
        return False
    derived = {"clientToken"} - declared.keys()
    return is_same({key: old[key] for key in old.keys() - derived}, declared)


def is_same(old: object, new: object) -> bool:
    """Return whether a new value equals a recorded one, in type, too."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return old.keys() == new.keys() and all(is_same(old[key], new[key]) for key in old)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(is_same, old, new))
    return type(old) is type(new) and old == new  # true is not 1


def with_derived_inputs(old: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return a valid declaration with its token and its secrecy.

    The token is the recorded one while the start stays the same. Otherwise it is derived. An
    adopted run has none.
    """
    inputs = dict(declared)
    # The outputs still contain the secret after the program has removed its mark.
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
"""The outputs that may reveal a secret input: copies of inputs, and the token, their hash."""

RESULT_OUTPUTS: Final = frozenset({"tasks", "transcodes", "snapshots", "extra"})
"""The outputs in the service's own form, with fields that this version does not know."""

_URL: Final = re.compile("https?://", re.IGNORECASE)


def to_state(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's properties for the state, with secrets marked."""
    return _mark_secrets(properties, DERIVED_FROM_INPUTS)


def to_hidden_state(properties: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return the properties of a run that another resource has started with secret inputs.

    The service returns these inputs, so all properties that may reveal them are secrets.

    Args:
        properties: the run's properties.
        declared: the inputs of the resource, which the program has marked itself.

    """
    hidden = (DERIVED_FROM_INPUTS | set(REQUEST_FIELDS)) - declared.keys()
    return {key: Secret(value) if key in hidden else value for key, value in properties.items()}


def with_secret_urls(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return outputs with each result text that contains a URL marked as a secret."""
    # A signed URL grants access to the file. No documented field has one (vod-api-facts 2: a
    # StoreUri is a path), but an unknown field may. The signature may be in query, path or user.
    return {
        key: _mark_urls(value) if key in RESULT_OUTPUTS else value for key, value in outputs.items()
    }


def _mark_urls(value: Any) -> Any:
    if isinstance(value, str):
        return Secret(value) if _URL.search(value) else value
    if isinstance(value, Mapping):
        return {key: _mark_urls(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_mark_urls(item) for item in value]
    return value


def _mark_secrets(properties: Mapping[str, Any], names: AbstractSet[str]) -> dict[str, Any]:
    secret = names if properties.get("secretInputs") is True else frozenset()
    return {
        key: Secret(value) if key in secret and value is not UNKNOWN else value
        for key, value in (properties if secret else with_secret_urls(properties)).items()
    }


def updated_state(recorded: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return a run's state with its new declaration and all its outputs."""
    # The start fields of an adopted run were read from the service. They stay, and stay secret.
    read_fields = set(REQUEST_FIELDS) if "existingRunId" in declared else set()
    replaced = set(RUN_FIELDS) - read_fields
    kept = {key: value for key, value in recorded.items() if key not in replaced}
    undeclared = set(kept) & read_fields - set(declared)
    return _mark_secrets({**kept, **declared}, DERIVED_FROM_INPUTS | undeclared)
