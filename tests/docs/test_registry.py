"""The pages for Pulumi's registry have its form, and the examples and settings of the schema."""

from __future__ import annotations

import json
import re
from typing import Final

import pytest
import yaml

from tests.docs.test_site import DOCS
from tests.engine.pages import REGISTRY
from tools.plugin.schema import EXAMPLES, LANGUAGES, SCHEMA

NAMES: Final = sorted(REGISTRY)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_begins_as_the_registry_wants(name: str) -> None:
    _, head, body = (DOCS / name).read_text().split("---\n", 2)
    found = yaml.safe_load(head)
    assert {*found} == {"title", "meta_desc", "layout"}
    assert found["layout"] == "package"
    assert not re.search("^# ", body, re.MULTILINE), "the title is in the head"


def test_the_program_is_the_tested_one_in_each_language() -> None:
    page = (DOCS / "_index.md").read_text()
    for file, language in LANGUAGES.items():
        program = (EXAMPLES / "workflow-run" / file).read_text()
        start, end = f"{{{{% choosable language {language} %}}}}", "{{% /choosable %}}"
        assert f"{start}\n\n```{language}\n{program}```\n\n{end}\n" in page, language


def test_each_setting_is_on_the_page() -> None:
    page = (DOCS / "installation-configuration.md").read_text()
    table = [line for line in page.splitlines() if line.startswith("| `vod:")]
    told = re.findall(r"`vod:(\w+)`", " ".join(line.split("|")[1] for line in table))
    assert sorted(told) == sorted(json.loads(SCHEMA.read_text())["config"]["variables"])
