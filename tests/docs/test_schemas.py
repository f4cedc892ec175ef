"""The published JSON schemas are those of the package, and real documents keep to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import pytest

from pulumi_vod_workflow.cli.pulumi_files.preview import read_preview
from pulumi_vod_workflow.cli.review.builder import build_review
from pulumi_vod_workflow.cli.review.document import ReviewDocument
from pulumi_vod_workflow.cli.review.render_json import render_json
from pulumi_vod_workflow.core.plan_message import parse_plan_message
from tests.docs.test_site import ROOT
from tools.site.schemas import ALWAYS, FOLDER, REVIEW_KEYS, key_lines, schemas

PREVIEWS: Final = ROOT / "tests" / "cli" / "previews"
RECORDED: Final = sorted(
    path
    for path in PREVIEWS.glob("*.json*")
    if path.stem not in {"broken", "refused"}  # these previews failed
)


@pytest.mark.parametrize("name", sorted(schemas()))
def test_a_published_schema_is_that_of_the_package(name: str) -> None:
    assert (FOLDER / name).read_text() == schemas()[name], "run: python -m tools.site.schemas"
    for page in ("review.md", "review.zh.md"):
        assert f"(reference/{name})" in (ROOT / "docs" / page).read_text()


def test_version_1_of_a_review_only_gains_keys() -> None:
    """A program that reads version 1 reads every later document of version 1."""
    schema = json.loads((FOLDER / "review.schema.json").read_text())
    assert schema["$id"] == "urn:pulumi-vod-workflow:review:1"
    released, found = {*REVIEW_KEYS.read_text().splitlines()}, {*key_lines(schema)}
    assert released - found == set(), "a lost key, or another type, needs version 2"
    assert found - released == set(), "run: python -m tools.site.schemas"


def keys_of(schema: dict[str, Any], part: dict[str, Any]) -> set[str]:
    return {*schema["$defs"][part["$ref"].rpartition("/")[2]]["properties"]}


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name)
def test_each_review_keeps_to_its_schema(path: Path) -> None:
    """Nothing is missing, of another type, or not in the schema."""
    found = render_json(build_review(read_preview(path.read_bytes())), 5)
    text = json.dumps(found)
    read = ReviewDocument.model_validate_json(text, strict=True)
    assert read.model_dump(mode="json", by_alias=True) == json.loads(text)
    schema = json.loads((FOLDER / "review.schema.json").read_text())
    assert {*found} == {*schema["properties"]} == {*schema["required"]}
    for name in ("runs", "free", "forgotten"):
        for item in found[name]:
            assert {*item} == keys_of(schema, schema["properties"][name]["items"])


def test_recorded_messages_keep_to_their_schema() -> None:
    schema = json.loads((FOLDER / "plan-message.schema.json").read_text())
    lines = [
        line["message"].strip()
        for path in RECORDED
        if path.suffix == ".json"
        for line in json.loads(path.read_text()).get("diagnostics", [])
    ]
    for page in ("review.md", "review.zh.md"):  # the samples
        samples = [
            line
            for line in (ROOT / "docs" / page).read_text().splitlines()
            if line.startswith('{"kind": "vod.plan"')
        ]
        assert len(samples) == 1
        assert parse_plan_message(samples[0])
        lines += samples
    messages = [json.loads(line) for line in lines if parse_plan_message(line)]
    assert len(messages) > 5
    for message in messages:
        assert {*ALWAYS} <= {*message} <= {*schema["properties"]}
        group = schema["properties"]["starts"]["items"]
        for starts in message["starts"]:
            assert {*starts} <= keys_of(schema, group)
            assert {*starts["causes"]} <= {*schema["$defs"]["StartCause"]["enum"]}
