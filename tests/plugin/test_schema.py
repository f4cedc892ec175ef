"""The schema of the packaged provider is that of the resource classes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

import pytest

from pulumi_vod_workflow.config.settings import KEYS
from pulumi_vod_workflow.core.changes import EFFECTS, Effect
from pulumi_vod_workflow.core.completion.inputs import COMPLETION_FIELDS
from tools.plugin import schema as builder

SCHEMA: Final[dict[str, Any]] = json.loads(builder.SCHEMA.read_text())
DERIVED: Final = {"scope", "secretInputs"}
"""The inputs that the dynamic resources add themselves."""


def resource(name: str) -> dict[str, Any]:
    found: dict[str, Any] = SCHEMA["resources"][f"vod:index:{name}"]
    return found


def parts(value: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each object of the schema with its path."""
    if isinstance(value, dict):
        yield path, value
        for key, item in value.items():
            yield from parts(item, f"{path}/{key}")
    elif isinstance(value, list):
        for item in value:
            yield from parts(item, path)


def test_the_checked_in_schema_is_that_of_the_package() -> None:
    assert builder.SCHEMA.read_text() == builder.text(), "run: python -m tools.plugin.schema"


def test_each_input_of_the_core_is_in_the_schema() -> None:
    assert {*resource("WorkflowRun")["inputProperties"]} == {*EFFECTS} - DERIVED
    assert {*resource("WorkflowCompletion")["inputProperties"]} == {*COMPLETION_FIELDS} - DERIVED
    assert {*SCHEMA["config"]["variables"]} == {key.removeprefix("vod:") for key in KEYS}


def test_the_schema_shows_the_changes_that_start_a_run() -> None:
    """As documentation only: by `replaceOnChanges` the engine replaces after free changes, too."""
    for name, of in resource("WorkflowRun")["inputProperties"].items():
        assert of.get("willReplaceOnChanges", False) is (EFFECTS[name] is Effect.NEW_RUN), name
    assert not [path for path, part in parts(SCHEMA) if "replaceOnChanges" in part]


def test_a_default_of_the_schema_changes_no_recorded_input() -> None:
    """An item's default would win over that of its batch, and a recorded run would be updated."""
    of_inputs = [
        path for path, part in parts([SCHEMA["resources"], SCHEMA["types"]]) if "default" in part
    ]
    assert of_inputs == ["/vod:index:WorkflowCompletion/inputProperties/onFailure"]


@pytest.mark.parametrize("name", builder.RESOURCES)
def test_a_resource_takes_over_its_dynamic_form(name: str) -> None:
    assert resource(name)["aliases"] == [{"type": f"pulumi-python:dynamic/vod:{name}"}]


def test_keys_are_secret() -> None:
    secret = {name for name, of in SCHEMA["config"]["variables"].items() if of.get("secret")}
    assert secret == {"accessKey", "secretKey", "sessionToken", "journal"}


def test_each_part_has_a_description_in_the_names_of_the_schema() -> None:
    for path, part in parts(SCHEMA):
        if re.search("/(properties|inputProperties|resources|types|functions)/[^/]+$", path):
            assert part["description"], path
    for path, part in parts(SCHEMA):
        text = str(part.get("description", "")).partition("{{% examples %}}")[0]
        assert not re.search(r"\b[a-z]+_[a-z]+|Args\b|\bNone\b|vod-api-facts", text), path


def test_words_follow_one_rule() -> None:
    words = builder.Words({"direct_url", "vid"})
    assert words.of("one of `vid`, `direct_url` and other_name") == (
        "One of `vid`, `directUrl` and other_name"
    )
    assert words.of("the source (page: DirectUrl).") == "The source."
