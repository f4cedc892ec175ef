"""The comment of a review: what a reader of a pull request finds, and where."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from pulumi_vod_workflow.core.property_marks import SIGNATURE, UNKNOWN_TEXT
from tests.cli.test_review import (
    ALIAS,
    EXPECTED_TAGS,
    batch_step,
    declared,
    gone,
    hard_batch,
    new,
    recorded,
    rendered,
    replaced,
    review,
    starting,
)

BUILT_IN = "06853553c4d3402698a17ff5dff87fd7"
PRICES = 'currency = "CNY"\n[workflows.t1]\nper_run = 2\n'


def comment(data: object, *options: str) -> str:
    result = review(data, "--format=markdown", *options)
    assert result.exit_code in (0, 3), result.output
    assert rendered(result.stdout).tags <= EXPECTED_TAGS | {"a"}
    return result.stdout


def section(text: str, title: str) -> str:
    """Return a section of the comment, without its heading."""
    pattern = rf"(?ms)^#### {title}.*?$(.*?)(?=^####|^<details>|^How to)"
    found = re.search(pattern, text)
    assert found, text
    return found[1]


def test_each_kind_of_start_has_a_section_and_a_total(tmp_path: Path) -> None:
    changed = replaced({}, {"name": "changed", "vid": "v2"}, "vid")["steps"]
    forced = replaced({}, {"name": "forced", "clientToken": "old"}, "id")["steps"]
    steps = [gone("old", vid="v3"), new("renamed", vid="v3"), new("added", vid="v4")]
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)
    text = comment({"steps": [*changed, *forced, *steps]}, f"--prices={prices}")
    assert [line for line in text.splitlines() if line.startswith("| ")][:6] == [
        "|  | runs | paid outputs | cost |",
        "| Probably renamed or moved | 1 | not known | 2.00 CNY |",
        "| Changed | 1 | not known | 2.00 CNY |",
        "| Started again | up to 1 | not known | up to 2.00 CNY |",
        "| New | 1 | not known | 2.00 CNY |",
        "| **Total** | 3 to 4 | not known | 6.00 to 8.00 CNY |",
    ]
    assert f"which this update removes; {ALIAS} |" in section(
        text, "Probably renamed or moved: 1 run"
    )
    assert '| `changed` | `vid: "v1" → "v2"` | `v2` | not known | 2.00 CNY |' in text
    assert "replaces it (`--replace`)<br>" in section(text, "Started again: up to 1 run")
    assert "| `added` | `v4` | not known | 2.00 CNY |" in section(text, "New: 1 run")
    assert "- whether a run starts: `forced`\n" in section(text, "Not known before `up`")


RERUN = {"status": "Failed", "phase": "failed", "rerunOnFailure": False}


@pytest.mark.parametrize(
    ("preview", "title"),
    [
        (replaced(RERUN, {"rerunOnFailure": True}, "rerunOnFailure"), "Started again: 1 run"),
        (replaced(RERUN, {"rerunOnFailure": True, "vid": "v2"}, "rerunOnFailure", "vid"),
         "Changed: 1 run"),
        (replaced({}, {"triggers": {"a": 1}}, "triggers"), "Changed: 1 run"),
        (replaced({}, {"vid": UNKNOWN_TEXT, "clientToken": UNKNOWN_TEXT}, "vid"),
         "Changed: up to 1 run"),
        (replaced({}, {"vid": "[secret]"}, "vid"), "Changed: 1 run"),
        (declared(existingRunId=UNKNOWN_TEXT), "New: up to 1 run"),
        (hard_batch("a", items=UNKNOWN_TEXT),
         "Not named by the preview: an unknown number of runs"),
    ],
)  # fmt: skip
def test_the_kind_of_a_start(preview: dict[str, Any], title: str) -> None:
    assert re.findall(r"^#### (?!Not known)(.*)$", comment(preview), re.MULTILINE) == [title]


@pytest.mark.parametrize(
    ("inputs", "source", "workflow"),
    [
        ({}, "`v1`", "`t1`"),
        ({"templateId": BUILT_IN}, "`v1`", f"`{BUILT_IN}` (multi-bitrate general online video)"),
        ({"vid": UNKNOWN_TEXT, "templateId": UNKNOWN_TEXT}, "not known yet", "not known yet"),
        ({"vid": "[secret]", "templateId": "[secret]"}, "secret", "secret"),
        ({"vid": None, "directUrl": {"fileName": "a/b c.mp4"}}, "`a/b c.mp4`", "`t1`"),
        ({"vid": None, "directUrl": {"fileName": "a.mp4", "spaceName": "media"}},
         "`a.mp4` in `media`", "`t1`"),
        ({"vid": None, "directUrl": {"fileName": {SIGNATURE: "x"}}}, "secret", "`t1`"),
    ],
)  # fmt: skip
def test_each_run_has_its_source_and_its_workflow(
    inputs: dict[str, Any], source: str, workflow: str
) -> None:
    text = comment(declared(**inputs))
    assert re.search(rf"^\| `run` \|.* {re.escape(source)} \| ", text, re.MULTILINE), text
    assert re.search(rf"^Workflow: {re.escape(workflow)}\.$", text, re.MULTILINE), text
    two = comment({"steps": [*declared(**inputs)["steps"], new("other", templateId="t2")]})
    cell = rf"{re.escape(source)}<br>(workflow )?{re.escape(workflow)}"
    assert re.search(rf"^\| `run` \|.* {cell} \| ", two, re.MULTILINE), two


def test_the_name_of_a_workflow_is_the_one_that_a_run_has_recorded() -> None:
    text = comment(replaced({"templateName": "Trailers *2*"}, {"vid": "v2"}, "vid"))
    assert "Workflow: `t1` (Trailers `*2*`)." in text


def test_more_than_twenty_runs_are_folded() -> None:
    """One row for all items with the same reason; each source is in a table to unfold."""
    keys = [f"film-{number:02}" for number in range(21)]
    items = {key: {"vid": f"v-{key}"} for key in keys}
    few = comment(
        hard_batch(*keys[:20], plan=starting(*keys[:20]), items=dict(list(items.items())[:20]))
    )
    assert "<details>" not in few
    assert "| `b.film-19` | `v-film-19` | not known |" in few
    many = comment(hard_batch(*keys, plan=starting(*keys), items=items))
    shown, folded = many.split("<details>")
    assert "| `b`: 21 items | see below | not known |" in shown
    assert "film-" not in shown.split("#### Not known")[0]
    assert "<summary>Each of 21 items</summary>" in folded
    assert "| `b.film-20` | `v-film-20` |" in folded
    runs = comment({"steps": [new(f"run-{key}", vid=f"v-{key}") for key in keys]})
    shown, folded = runs.split("<details>")
    assert "| `run-film-19` |" in shown
    assert "| `run-film-20` |" not in shown
    assert "<summary>1 more</summary>" in folded
    assert "| `run-film-20` | `v-film-20` |" in folded


def test_the_folded_table_has_the_change_of_each_item() -> None:
    keys = [f"film-{number:02}" for number in range(25)]
    old, young = ({key: f"{key}.{edition}" for key in keys} for edition in (1, 2))
    shown, folded = comment({"steps": [batch_step("b", "update", old, young)]}).split("<details>")
    assert shown.count(" → ") == 5
    assert "<br>and 20 more | see below |" in shown
    assert '| `b.film-24` | `vid: "film-24.1" → "film-24.2"` | `film-24.2` |' in folded


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ([], None),
        (["--max-starts=1"], "**Within the limit:** `--max-starts 1`."),
        (["--max-starts=1", "--max-cost=2.5"],
         "**Within the limit:** `--max-starts 1`, `--max-cost 2.5` CNY."),
        (["--max-starts=0"],
         "**Over the limit:** 1 run may be started, more than `--max-starts` 0 allows."),
        (["--max-cost=1"],
         "**Over the limit:** 2.00 CNY would be spent, more than `--max-cost` 1 CNY allows."),
    ],
)  # fmt: skip
def test_the_verdict_is_below_the_heading(
    options: list[str], line: str | None, tmp_path: Path
) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)
    lines = comment(declared(), f"--prices={prices}", *options).splitlines()
    assert lines[1] == "### `project/dev`: 1 run would be started (1 run of unknown template)"
    assert lines[3] == (line or "- estimate: 2.00 CNY")


def test_links_lead_to_the_documentation_if_its_address_is_known() -> None:
    assert comment(declared()).endswith(
        "How to: `docs/how-to/review-a-change.md`, `docs/review.md`\n"
    )
    assert comment(declared(), "--docs=") == comment(declared())
    linked = comment(declared(), "--docs=https://docs.example/vod/")
    assert linked.endswith(
        "How to: [review a change](https://docs.example/vod/how-to/review-a-change/"
        "#3-what-a-reviewer-looks-for), [read a review](https://docs.example/vod/review/)\n"
    )
    for bad in ("docs", "javascript:x", "https://h/a)b", "https://h/ a"):
        assert review(declared(), "--format=markdown", f"--docs={bad}").exit_code == 2


def test_every_link_leads_to_a_page_and_its_heading() -> None:
    pages = Path(__file__).parents[2] / "docs"
    text = comment(
        recorded("changes"), "--docs=https://d", f"--prices={pages.parent}/examples/prices.toml"
    )
    found = re.findall(r"\]\(https://d/(.+?)/(?:#(.+?))?\)", text)
    assert len(found) == 3
    for page, anchor in found:
        for language in ("md", "zh.md"):
            content = (pages / f"{page}.{language}").read_text()
            assert not anchor or f"{{#{anchor}}}" in content or f"## {anchor.title()}\n" in content


@pytest.mark.parametrize("name", ["changes", "mixed", "secrets", "journal", "forms", "fewer"])
def test_plain_text_has_no_entities(name: str) -> None:
    text = comment(recorded(name))
    assert "&#" not in text
    assert "<code>" not in text


def test_no_secret_is_in_the_comment() -> None:
    """Also if the file shows the inputs of a resource with secret inputs in plain text."""
    secret = "S3CRET"
    given: dict[str, Any] = {"vid": None, "directUrl": {"fileName": secret, "spaceName": secret}}
    given |= {"templateId": secret, "callbackArgs": secret, "triggers": {"a": secret}}
    plain = replaced({**given, "templateName": secret, "secretInputs": True},
                     {**given, "priority": 1, "secretInputs": True}, "priority")  # fmt: skip
    items = {
        "a": {"vid": {SIGNATURE: "x", "ciphertext": secret}},
        "b": {SIGNATURE: "x", "c": secret},
    }
    batch = hard_batch("a", "b", items=items, defaults={"templateId": {SIGNATURE: secret}})
    text = comment(
        {"config": {"vod:secretKey": secret}, "steps": [*plain["steps"], *batch["steps"]]}
    )
    assert secret not in text
    assert "| `b.b` | a secret input<br>it may turn out that nothing is started | secret" in text
