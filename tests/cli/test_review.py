"""`vod-workflow review` on previews that the real engine wrote: `previews/`, machine paths cut."""

from __future__ import annotations

import copy
import html.parser
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from typer.testing import Result

from pulumi_vod_workflow.cli.pulumi_files.preview import Preview, read_preview
from pulumi_vod_workflow.cli.review.builder import build_review
from pulumi_vod_workflow.cli.review.change_text import Sides, sides
from pulumi_vod_workflow.cli.review.look_alikes import LOOKS_ALIKE, SAME_TEXT, confusable_reason
from pulumi_vod_workflow.cli.review.render_common import review_rows
from pulumi_vod_workflow.cli.review.render_markdown import (
    MAX_COMMENT_CHARS,
    TOO_LONG,
    render_markdown,
)
from pulumi_vod_workflow.cli.review.value_diff import Change
from pulumi_vod_workflow.cli.sanitize import escape_invisible, markdown_code, markdown_text
from pulumi_vod_workflow.core.plan_message import (
    ONE_RUN,
    Items,
    Operation,
    PlanMessage,
    StartGroup,
    declaration_fingerprint,
    positions_of,
    start_groups,
)
from pulumi_vod_workflow.core.property_marks import SIGNATURE, UNKNOWN_TEXT
from pulumi_vod_workflow.core.request import SYSTEM_TEMPLATE_NAMES, SYSTEM_TEMPLATES
from pulumi_vod_workflow.core.resource_types import RUN_TYPE
from pulumi_vod_workflow.core.start_reason import NEW, SENT_BEFORE
from pulumi_vod_workflow.emulator.settings import SYSTEM_TEMPLATES as EMULATED
from tests.cli.command import invoke
from tests.scale import scaled

PREVIEWS = Path(__file__).parent / "previews"
RUN = "urn:pulumi:dev::project::pulumi-python:dynamic/vod:WorkflowRun::"
BATCH = "urn:pulumi:dev::project::pulumi-python:dynamic/vod:WorkflowBatch::"
FORMS = ("terminal", "markdown", "json")


def recorded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PREVIEWS / f"{name}.json").read_text())
    return found


def review(data: object, *options: str) -> Result:
    """Run the command on what comes from standard input."""
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    return invoke("review", *options, data=text, env={"COLUMNS": "200"})


def as_data(data: object) -> dict[str, Any]:
    result = review(data, "--format=json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def starts(data: object) -> dict[tuple[str, str | None], dict[str, Any]]:
    return {(run["resource"], run["item"]): run for run in as_data(data)["runs"]}


def declared(name: str = "run", **inputs: Any) -> dict[str, Any]:
    """A preview that creates one run."""
    scope = {"project": "project", "stack": "dev", "name": name}
    given = {"vid": "v1", "templateId": "t1", "clientToken": "t", "scope": scope, **inputs}
    step = {"op": "create", "urn": RUN + name, "newState": {"inputs": given}}
    return {"steps": [step], "changeSummary": {"create": 1}}


def replaced(old: dict[str, Any], new: dict[str, Any], *reasons: str) -> dict[str, Any]:
    """A preview that replaces one run."""
    preview = declared(**new)
    before = {"vid": "v1", "templateId": "t1", "runId": "r1", "clientToken": "old", **old}
    preview["changeSummary"] = {"replace": 1}
    preview["steps"][0] |= {"op": "replace", "replaceReasons": [*reasons]}
    preview["steps"][0]["oldState"] = {"inputs": before, "outputs": before}
    return preview


@pytest.mark.parametrize(
    ("news", "paid"),
    [({"triggers": {"n": 1}}, True), ({"vid": "v2"}, True), ({"rerunOnFailure": True}, False)],
)
def test_a_new_run_that_the_engine_shows_as_an_update(news: dict[str, Any], paid: bool) -> None:
    """It calls neither check nor diff while a setting of the packaged provider is unknown."""
    before = {"vid": "v1", "templateId": "t1", "clientToken": "t", "scope": {"name": "run"}}
    after = {"vid": "v1", "templateId": "t1", **news}
    items = {"a": {"vid": "v1", "templateId": "t1"}}
    runs = {"a": {**items["a"], "runId": "r2", "phase": "running", "emulated": False}}
    preview = {
        "steps": [
            {
                "op": "update",
                "urn": "urn:pulumi:dev::p::vod:index:WorkflowRun::run",
                "oldState": {"inputs": before, "outputs": {**before, "runId": "r1"}},
                "newState": {"inputs": after},
            },
            {
                "op": "update",
                "urn": "urn:pulumi:dev::p::vod:index:WorkflowBatch::batch",
                "oldState": {"inputs": {"items": items}, "outputs": {"items": items, "runs": runs}},
                "newState": {"inputs": {"items": {"a": after}}},
            },
        ],
        "changeSummary": {"update": 2},
    }
    found = starts(preview)
    assert found.keys() == ({("run", None), ("batch", "a")} if paid else set())
    assert review(preview, "--max-starts=1").exit_code == (3 if paid else 0)


def test_an_update_without_inputs_may_be_a_new_run_of_the_packaged_provider() -> None:
    for run_type, paid in (("vod:index:WorkflowRun", 1), (RUN_TYPE, 0)):
        step = {"op": "update", "urn": f"urn:pulumi:dev::p::{run_type}::run"}
        found = as_data({"result": "succeeded", "duration": 1, "resources": [step]})["starts"]
        assert (found["certain"], found["atMost"]) == (0, paid)


# -- what is read ------------------------------------------------------------------------------


def test_a_change_is_told_from_what_to_what() -> None:
    found = starts(recorded("changes"))
    assert found["trailer", None]["changes"] == [
        {"path": "triggers.edition", "from": {"value": 1}, "to": {"value": 2}, "looksAlike": None}
    ]
    assert found["trailer", None]["paidOutputs"] == 6
    assert found["teaser", None]["why"] == "callbackArgs"
    assert found["teaser", None]["changes"] == [
        {
            "path": "callbackArgs",
            "from": {"secret": True},
            "to": {"secret": True},
            "looksAlike": None,
        }
    ]
    assert found["teaser", None]["paidOutputs"] is None
    assert found["preview", None]["why"] == "new"
    assert found["preview", None]["notKnownYet"] == ["vid"]
    assert found["episodes", "s01e02"]["changes"] == [
        {"path": "priority", "from": None, "to": {"value": 3}, "looksAlike": None}
    ]
    assert {key: run["why"] for key, run in found.items() if key[0] == "episodes"} == {
        ("episodes", "s01e02"): "priority",
        ("episodes", "s01e03"): "priority",
        ("episodes", "s01e09"): "new",
        ("episodes", "s01e10"): "new",
    }


def test_what_is_free_and_what_is_only_forgotten() -> None:
    found = as_data(recorded("mixed"))
    assert {(part["resource"], part["what"], part["detail"]) for part in found["free"]} >= {
        ("free", "recorded", "rerunOnFailure"),
        ("ren2", "recorded", "scope"),
        ("trig-completion", "waits", "1"),
    }
    assert [part["resource"] for part in found["free"] if part["what"] == "adopted"] == ["adopt"]
    forgotten = {(part["resource"], part["item"]): part["phase"] for part in found["forgotten"]}
    assert forgotten == {("b", "gone"): "submitted", ("gone", None): "submitted"}
    assert found["starts"]["atMost"] is None  # the items of one batch are not known
    none = as_data(recorded("fewer"))
    assert none["runs"] == []
    assert len(none["forgotten"]) == 8
    assert as_data(recorded("nothing"))["starts"]["atMost"] == 0


@pytest.mark.parametrize("form", FORMS)
def test_outputs_that_the_program_has_made_secret_are_not_told(form: str) -> None:
    preview = replaced({"runId": "[secret]", "phase": "[secret]"}, {"vid": "v2"}, "vid")
    gone = {"op": "delete", "urn": RUN + "gone", "oldState": preview["steps"][0]["oldState"]}
    preview["steps"].append(gone)
    result = review(preview, f"--format={form}")
    assert result.exit_code == 0, result.exception
    assert "gone" in result.stdout
    if form == "json":
        told = json.loads(result.stdout)
        assert told["runs"][0]["replaces"] is None
        assert (told["forgotten"][0]["runId"], told["forgotten"][0]["phase"]) == (None, None)


def test_secrets_are_masked_and_counted() -> None:
    found = starts(recorded("secrets"))
    assert found["sec2", None]["changes"] == [
        {"path": "triggers.a", "from": {"secret": True}, "to": {"secret": True}, "looksAlike": None}
    ]
    assert found["sec3", None]["certain"] is False  # secret, and not known yet
    assert found["b", "y"]["why"] == "a secret input"
    assert ("b", "x") not in found
    assert (found["bs", None]["count"], found["bs", None]["certain"]) == (1, True)
    assert found["rt", None]["joins"].startswith("it is the same start as of the recorded run")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "written",
    [
        {"secretInputs": True, "callbackArgs": "s3cr3t"},
        {"callbackArgs": {SIGNATURE: "1b47061264138c4ac30d75fd1eb44270", "plaintext": "s3cr3t"}},
        {"triggers": {"a": {SIGNATURE: "x", "ciphertext": "s3cr3t"}}},
    ],
)
def test_a_file_that_shows_secrets_is_masked_all_the_same(
    form: str, written: dict[str, Any]
) -> None:
    old = {
        key: "s3cr3t-before" if key == "callbackArgs" else value for key, value in written.items()
    }
    preview = replaced({**old, "secretInputs": True}, written, *written)
    preview["config"] = {"vod:secretKey": "s3cr3t"}
    result = review(preview, f"--format={form}")
    assert result.exit_code == 0, result.output
    assert "secret" in result.stdout
    assert "s3cr3t" not in result.output


def test_a_value_in_plain_text_beside_a_secret_is_shown() -> None:
    preview = replaced(
        {"secretInputs": True, "callbackArgs": "[secret]", "clientToken": "[secret]"},
        {"secretInputs": True, "callbackArgs": "[secret]", "clientToken": "[secret]", "vid": "v2"},
        "vid",
    )
    [run] = as_data(preview)["runs"]
    assert run["changes"] == [
        {"path": "vid", "from": {"value": "v1"}, "to": {"value": "v2"}, "looksAlike": None}
    ]


@pytest.mark.parametrize(
    ("old", "new", "reasons", "certain", "why"),
    [
        ({}, {"vid": UNKNOWN_TEXT, "clientToken": None}, ["vid"], False, "vid (not known yet)"),
        ({}, {"vid": UNKNOWN_TEXT, "priority": 1, "clientToken": None}, ["vid", "priority"], True,
         "vid (not known yet), priority"),
        ({"status": "2003", "phase": "failed"}, {"rerunOnFailure": True, "clientToken": "old"},
         ["rerunOnFailure"], True, "rerunOnFailure after 2003"),
        ({"emulated": True}, {}, ["emulated"], True, "its run is an emulated one"),
        ({}, {"existingRunId": UNKNOWN_TEXT}, ["existingRunId"], False,
         "existingRunId (not known yet)"),
        ({}, {"clientToken": "old"}, ["id"], False,
         "the command replaces it (--replace)"),
        ({}, {"vid": "v2"}, ["id"], True, "vid; the command replaces it (--replace)"),
    ],
)  # fmt: skip
def test_why_a_run_is_replaced_and_whether_it_surely_is(
    old: dict[str, Any], new: dict[str, Any], reasons: list[str], certain: bool, why: str
) -> None:
    new = {key: value for key, value in {"clientToken": "new", **new}.items() if value is not None}
    preview = replaced(old, new, *reasons)
    if "clientToken" not in new:
        del preview["steps"][0]["newState"]["inputs"]["clientToken"]
    [run] = as_data(preview)["runs"]
    assert (run["certain"], run["why"], run["replaces"]) == (certain, why, "r1")


def line_of(step: dict[str, Any], **plan: Any) -> dict[str, Any]:
    """The line of the engine's digest with the provider's message about a step."""
    declared = step["newState"]["inputs"]
    operation = Operation.UPDATE if step["op"] == "update" else Operation.CREATE
    message = PlanMessage(operation, declaration_fingerprint(step["urn"], declared), **plan)
    return {"urn": step["urn"], "severity": "info", "message": f"{message.to_json()}\n"}


SENT_AGAIN = {"starts": (StartGroup(SENT_BEFORE.causes, items=ONE_RUN),), "resends": ONE_RUN}


def test_the_provider_reports_what_only_its_journal_has() -> None:
    preview = declared()
    [step] = preview["steps"]
    preview["diagnostics"] = [line_of(step, reuses=ONE_RUN, run="r9")]
    found = as_data(preview)
    assert (found["runs"], found["starts"]["atMost"]) == ([], 0)
    assert (found["free"][0]["what"], found["free"][0]["detail"]) == ("taken", "r9")
    preview["diagnostics"] = [line_of(step, **SENT_AGAIN)]
    [run] = as_data(preview)["runs"]
    assert (run["certain"], run["joins"]) == (False, "it was sent before, and never answered")


def test_a_reuse_that_the_preview_cannot_confirm_is_counted() -> None:
    """The token of a secret run is masked, so a program could have logged the message."""
    preview = declared(secretInputs=True, clientToken="[secret]", callbackArgs="[secret]")
    preview["diagnostics"] = [line_of(preview["steps"][0], reuses=ONE_RUN, run="r9")]
    found = as_data(preview)
    assert (found["starts"]["certain"], found["starts"]["atMost"]) == (0, 1)
    assert found["runs"][0]["joins"] == "an earlier update has started it"


def hard_batch(*keys: str, plan: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A preview that creates a batch, with its provider's message, if there is one."""
    inputs = {
        "items": {key: {"vid": "v1"} for key in keys},
        "defaults": {"templateId": "t1"},
        "clientTokens": dict.fromkeys(keys, "t"),
        "scope": {"project": "project", "stack": "dev", "name": "b"},
        **more,
    }
    step = {"op": "create", "urn": f"{BATCH}b", "newState": {"inputs": inputs}}
    total = len(keys)
    return {
        "steps": [step],
        "diagnostics": [] if plan is None else [line_of(step, **{"total": total, **plan})],
        "changeSummary": {"create": 1},
    }


def starting(*keys: str) -> dict[str, Any]:
    return {"starts": start_groups([(NEW, keys)])}


def test_keys_that_look_like_lists_are_told_apart() -> None:
    """A message names items as data."""
    keys = ("a", "b", "a, b", "new: a", "c and 3 more")
    assert {item for _, item in starts(hard_batch(*keys, plan=starting(*sorted(keys))))} == {*keys}
    fewer = {**starting("a", "new: a"), "reuses": Items.of(("b", "a, b", "c and 3 more"))}
    assert {item for _, item in starts(hard_batch(*keys, plan=fewer))} == {"a", "new: a"}
    some = hard_batch("a", "b", plan={**starting("b"), "reuses": Items.of(("a",))})
    assert {item for _, item in starts(some)} == {"b"}
    assert [(part["item"], part["what"]) for part in as_data(some)["free"]] == [("a", "taken")]


def test_counts_are_exact_where_keys_are_cut() -> None:
    """Of 105 reused items a message names 100, and of 105 starts, too."""
    keys = [f"k{number:03}" for number in range(210)]
    reused, starts_now = keys[:105], keys[105:]
    some = hard_batch(*keys, plan={**starting(*starts_now), "reuses": Items.of(reused)})
    found = as_data(some)
    assert (found["starts"]["certain"], found["starts"]["atMost"]) == (105, 105)
    assert [(run["item"], run["count"]) for run in found["runs"]] == [(None, 105)]
    assert found["free"][0] | {"urn": ""} == {
        "resource": "b", "urn": "", "item": None, "what": "taken", "detail": "5 more items",
    }  # fmt: skip


def test_each_item_is_named_where_keys_are_cut() -> None:
    """The positions of the items name what a message's keys leave out."""
    keys = [f"k{number:03}" for number in range(210)]
    reused = [key for key in keys if int(key[1:]) % 2 or key < "k010"]
    starts_now = [key for key in keys if key not in reused]
    positions = positions_of(keys)
    some = hard_batch(
        *keys,
        plan={
            "starts": start_groups([(NEW, starts_now)], positions),
            "reuses": Items.of(reused, positions),
            "resends": Items.of(starts_now[-1:], positions),
        },
        clientTokens={key: f"token-{key}" for key in keys},
    )
    found = as_data(some)
    assert [run["item"] for run in found["runs"]] == starts_now
    assert [run["clientToken"] for run in found["runs"]] == [
        {"value": f"token-{key}"} for key in starts_now
    ]
    assert [part["item"] for part in found["free"]] == reused
    assert [run["uncertain"] for run in found["runs"]] == [*[[]] * (len(starts_now) - 1), ["joins"]]


@pytest.mark.parametrize(
    "positions", ["0-105", "1-105 200", "105-210", "-", "104-0", "0-52 52-103", "0-9999999999", "x"]
)
def test_positions_that_are_not_those_of_the_items_void_the_message(positions: str) -> None:
    """The steps count then: they show every item as new."""
    keys = [f"k{number:03}" for number in range(210)]
    reuses = Items(105, tuple(keys[:100]), positions)
    some = hard_batch(*keys, plan={**starting(*keys[105:]), "reuses": reuses})
    assert as_data(some)["starts"]["certain"] == 210


def test_secret_items_without_a_message_are_bounded() -> None:
    """A host that cannot log leaves only the steps: every masked value may have changed."""
    before = {"a": {"vid": "[secret]"}, "b": {"vid": "[secret]"}}
    runs = {key: {"runId": f"r-{key}"} for key in before}
    common = {"defaults": {"templateId": "t1"}, "secretInputs": True, "clientTokens": "[secret]"}
    step = {
        "op": "update",
        "urn": f"{BATCH}b",
        "oldState": {"outputs": {"items": before, "runs": runs, **common}},
        "newState": {"inputs": {"items": {**before, "c": {"vid": "[secret]"}}, **common}},
    }
    found = as_data({"steps": [step], "changeSummary": {"update": 1}})
    assert (found["starts"]["certain"], found["starts"]["atMost"]) == (1, 3)
    line = line_of(step, total=3, **starting("c"))
    found = as_data({"steps": [step], "diagnostics": [line], "changeSummary": {"update": 1}})
    assert (found["starts"]["certain"], found["starts"]["atMost"]) == (1, 1)


def test_without_a_message_the_steps_count() -> None:
    preview = hard_batch("a", "b")
    assert {item for _, item in starts(preview)} == {"a", "b"}


def test_other_providers_resources_are_ignored() -> None:
    preview = declared()
    preview["steps"].append({"op": "create", "urn": "urn:pulumi:dev::p::aws:s3/bucket:Bucket::b"})
    preview["steps"].append({"op": "create", "urn": "not a urn"})
    assert [run["resource"] for run in as_data(preview)["runs"]] == ["run"]


def test_the_built_in_workflows_are_those_of_the_emulator() -> None:
    """Each reads the service's page on its own; what they have read is the same."""
    assert {key: outputs for key, (_, outputs) in EMULATED.items()} == SYSTEM_TEMPLATES
    assert {key: name for key, (name, _) in EMULATED.items()} == SYSTEM_TEMPLATE_NAMES


# -- the same work -----------------------------------------------------------------------------


def batch_step(
    name: str, op: str, before: dict[str, Any] | None, after: dict[str, Any] | None, **more: Any
) -> dict[str, Any]:
    """A step on a batch, whose items are given by key and `vid`."""
    step: dict[str, Any] = {"op": op, "urn": f"{BATCH}{name}"}
    sides = {"oldState": ("outputs", before), "newState": ("inputs", after)}
    for side, (kind, items) in sides.items():
        if items is not None:
            runs = {key: {"runId": f"r-{key}", "phase": "succeeded"} for key in items}
            step[side] = {
                kind: {
                    "items": {key: {"vid": vid} for key, vid in items.items()},
                    "defaults": {"templateId": "t1"},
                    "clientTokens": {},
                    **({"runs": runs} if side == "oldState" else {}),
                    **more,
                }
            }
    return step


def gone(name: str, **outputs: Any) -> dict[str, Any]:
    """A step that removes a run."""
    found = {"vid": "v1", "templateId": "t1", "runId": f"r-{name}", "phase": "failed", **outputs}
    return {"op": "delete", "urn": RUN + name, "oldState": {"inputs": {}, "outputs": found}}


def new(name: str, **inputs: Any) -> dict[str, Any]:
    """A step that creates a run."""
    [step] = declared(name, **{"clientToken": f"t-{name}", **inputs})["steps"]
    return {**step}


def same(*steps: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """What the review says, of the same work, of each row."""
    promise = build_review(Preview.model_validate({"steps": [*steps]}))
    return {
        ".".join(filter(None, (row.name, *row.items))): row.sames
        for row in review_rows(promise.starts)
        if row.sames
    }


ALIAS = 'free: `ResourceOptions(aliases=[pulumi.Alias(name="old")])`'
NESTED = RUN.replace("pulumi-python:", "c:c:C$pulumi-python:")
TWIN = "same source, workflow and input, each run is paid: "


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        # a resource that is renamed
        ([gone("old"), new("run")],
         {"run": f"same work as old (r-old, failed), which this update removes; {ALIAS}"}),
        ([gone("old", triggers={"a": 1}, priority=1), new("run", triggers={"a": 2})],
         {"run": f"same work as old (r-old, failed), which this update removes; {ALIAS}, and "
                 "priority, triggers as before"}),
        ([gone("old", runId="[secret]", phase="[secret]"), new("run")],
         {"run": f"same work as old, which this update removes; {ALIAS}"}),
        ([gone("old"), {**new("run"), "urn": f"{NESTED}run"}],
         {"run": "same work as old (r-old, failed), which this update removes; "
                 f'free: `ResourceOptions(aliases=["{RUN}old"])`'}),
        ([batch_step("old", "delete", {"a": "1", "b": "2"}, None),
          batch_step("new", "create", None, {"a": "1", "b": "2", "c": "3"})],
         {"new.a.b": f"same work as old, which this update removes; {ALIAS}"}),
        # items: another key, another place
        ([batch_step("b", "update", {"a": "1", "k": "2"}, {"z": "1", "k": "2"})],
         {"b.z": "z: same work as b.a (r-a, succeeded), which this update removes; "
                 'free: `existing_run_id="r-a"`'}),
        ([batch_step("b", "update", {"0": "1", "1": "2"}, {"0": "0", "1": "1", "2": "2"})],
         {"b.1": "1: same work as b.0 (r-0, succeeded), which this update starts another run for; "
                 'free: `existing_run_id="r-0"`',
          "b.2": "2: same work as b.1 (r-1, succeeded), which this update starts another run for; "
                 'free: `existing_run_id="r-1"`'}),
        ([batch_step("b", "update", {"a": "1", "k": "2"}, {"k": "2"}), new("run", vid="1")],
         {"run": "same work as b.a (r-a, succeeded), which this update removes; "
                 'free: `existing_run_id="r-a"`'}),
        ([gone("old", vid="1"), batch_step("b", "create", None, {"a": "1"})],
         {"b.a": "a: same work as old (r-old, failed), which this update removes; "
                 'free: `existing_run_id="r-old"`'}),
        # declared twice
        ([new("one"), new("two", priority=1)], {"two": f"{TWIN}one"}),
        ([batch_step("b", "create", None, {"a": "1", "b": "1"})], {"b.b": f"b: {TWIN}b.a"}),
        ([batch_step("b", "update", {"z": "1"}, {"a": "1", "z": "1"})],
         {"b.a": f"a: {TWIN}b.z"}),
        ([batch_step("b", "create", None, {"a": "v1"}), new("run")], {"run": f"{TWIN}b.a"}),
        # each run that is lost stands for one start
        ([gone("old"), new("one"), new("two")],
         {"one": f"same work as old (r-old, failed), which this update removes; {ALIAS}",
          "two": f"{TWIN}one"}),
        # not the same, or not known to be
        ([gone("old", vid="v2"), new("run")], {}),
        ([gone("old", templateId="t2"), new("run")], {}),
        ([gone("old", input={"condition": {"a": "b"}}), new("run")], {}),
        ([gone("old", input="[secret]"), new("run")], {}),
        ([gone("old"), new("run", vid=UNKNOWN_TEXT)], {}),
        ([new("one", vid="[secret]"), new("two", vid="[secret]")], {}),
        ([batch_step("b", "create", None, {"a": "1", "b": "1"}, defaults="[secret]")], {}),
        ([new("one", clientToken="t"), new("two", clientToken="t")], {}),  # joined: paid once
    ],
)  # fmt: skip
def test_the_same_work_under_another_name_is_told(
    steps: list[dict[str, Any]], expected: dict[str, str]
) -> None:
    assert {name: " / ".join(lines) for name, lines in same(*steps).items()} == expected


def test_every_form_tells_of_the_same_work() -> None:
    preview = {"steps": [gone("old"), new("run"), new("two"), new("three", vid="v3")]}
    for form in ("terminal", "markdown"):
        shown = review(preview, f"--format={form}").stdout
        assert f"which this update removes; {ALIAS}" in shown
        assert f"{TWIN}run" in shown
    found = {key[0]: run["sameWork"] for key, run in starts(preview).items()}
    who = {"resource": "old", "urn": f"{RUN}old", "item": None}
    lost = {"lost": "removed", "runId": "r-old", "phase": "failed", "remedy": "aliases"}
    assert found["run"] == {**who, **lost, "differs": []}
    assert (found["two"]["resource"], found["two"]["remedy"]) == ("run", None)
    assert found["three"] is None


# -- exit codes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "most", "exit_code"),
    [("nothing", 0, 0), ("fewer", 0, 0), ("changes", 7, 0), ("changes", 6, 3), ("mixed", 999, 3)],
)
@pytest.mark.parametrize("form", FORMS)
def test_exit_code_by_max_starts(name: str, most: int, exit_code: int, form: str) -> None:
    """A number that is not known is more than any."""
    result = review(recorded(name), f"--max-starts={most}", f"--format={form}")
    assert result.exit_code == exit_code
    assert ("--max-starts" in result.stderr) == (exit_code == 3)
    assert result.stdout


def test_a_file_or_standard_input(tmp_path: Path) -> None:
    path = PREVIEWS / "changes.json"
    named = invoke("review", str(path), "--format=json")
    assert named.stdout == review(path.read_bytes(), "--format=json").stdout
    assert review(path.read_bytes(), "-", "--format=json").stdout == named.stdout
    missing = invoke("review", str(tmp_path / "none.json"))
    assert missing.exit_code == 2
    assert "cannot be read: No such file" in missing.stderr
    wide = path.read_text().encode("utf-16")  # as Windows PowerShell redirects
    assert review(wide, "--format=json").stdout == named.stdout


FORM_FILES = ("forms.json", "forms-events.jsonl", "forms-summary.json")
"""One preview of engine v3.276.0 in each form: `--json`; streamed, with colours; `--output json`.

Of the events those of outputs are cut, which nothing reads."""


def test_each_form_of_a_preview_is_read() -> None:
    """Events promise what the digest does; the summary, which has no inputs, bounds it."""
    whole, events, summary = (as_data((PREVIEWS / name).read_bytes()) for name in FORM_FILES)
    assert (whole["starts"]["certain"], whole["starts"]["atMost"]) == (5, 5)
    assert events == whole
    wide = (PREVIEWS / FORM_FILES[1]).read_text().encode("utf-16")
    assert as_data(wide) == whole
    assert (summary["starts"]["certain"], summary["starts"]["atMost"]) == (0, None)
    counts = {run["resource"]: run["count"] for run in summary["runs"]}
    assert counts == {"adopts": 1, "after": 1, "quiet": 1, "trailer": 1, "episodes": None}
    assert {run["resource"] for run in whole["runs"]} <= {*counts}
    assert [part["resource"] for part in summary["forgotten"]] == ["gone"]


def test_the_summary_of_runs_that_are_new_counts_as_the_digest_does() -> None:
    preview = {"steps": [new("one"), new("two", vid="v2"), gone("three", vid="v3")]}
    summary = {"result": "succeeded", "duration": 1, "resources": preview["steps"]}
    for most, exit_code in ((1, 3), (2, 0)):
        for form in (preview, summary):
            result = review(form, f"--max-starts={most}", "--format=json")
            assert json.loads(result.stdout)["starts"]["atMost"] == 2
            assert result.exit_code == exit_code


def test_an_operation_of_a_newer_engine_is_refused() -> None:
    """It may be a paid start. Resources of other packages do not matter."""
    step = {**new("one"), "op": "create-lazily"}
    result = review({"steps": [step]}, "--max-starts=0")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "does not know the operation `create-lazily`" in result.stderr
    step["urn"] = "urn:pulumi:dev::project::random:index:Text::one"
    assert review({"steps": [step]}, "--max-starts=0").exit_code == 0


@pytest.mark.parametrize("name", FORM_FILES)
def test_a_preview_that_lacks_a_step_is_refused(name: str) -> None:
    """Each step may be a paid start, and the engine counts the steps."""
    lines = (PREVIEWS / name).read_text().split("\n")
    if name == "forms-events.jsonl":
        created = next(number for number, line in enumerate(lines) if '"op":"create"' in line)
        data = "\n".join([*lines[:created], *lines[created + 1 :]])
    else:
        found = json.loads("\n".join(lines))
        steps = found.get("steps") or found["resources"]
        steps.remove(next(step for step in steps if step["op"] == "create"))
        data = json.dumps(found)
    result = review(data.encode())
    assert (result.exit_code, result.stdout) == (2, "")
    assert "counted 3 steps `create`, and this preview has 2" in result.stderr


@pytest.mark.parametrize("cut", [2, -1])
def test_events_without_their_end_are_refused(cut: int) -> None:
    lines = (PREVIEWS / FORM_FILES[1]).read_text().split("\n")
    ends = [index for index, line in enumerate(lines) if "summaryEvent" in line]
    result = review("\n".join(lines[: cut if cut > 0 else ends[0]]).encode())
    assert (result.exit_code, result.stdout) == (2, "")
    assert "not those of one preview to its end" in result.stderr


FOR_PEOPLE = (PREVIEWS / "for-people.txt").read_bytes()
WHOLE = (PREVIEWS / "changes.json").read_bytes()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "There is nothing to read"),
        (b" \n", "There is nothing to read"),
        (FOR_PEOPLE, "--json is missing"),
        (b'{"sequence":0,"timestamp":1}\n{"sequence":1}', "not those of one preview to its end"),
        (b'{"sequence":0,"summaryEvent":{"isPreview":false}}', "is it of an update?"),
        (b'{"sequence":0,"summaryEvent":{"isPreview":true,"result":"failed"}}', "standard error"),
        (b'{"sequence":0,"summaryEvent":1}', "its steps are not as Pulumi writes them"),
        (b'{"result":"failed","duration":1}', "The cause is on its standard error"),
        (b'{"result":"succeeded","duration":1}\n{"result":"succeeded"}', "more than one"),
        (WHOLE[:3000], "not JSON, or not all of it"),
        (b"warning: x\n" + WHOLE, "2>&1"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not that of a preview"),
        (b'{"version": 3, "deployment": {}}', "not that of a preview"),
        (b'{"steps": [{"op": 1}]}', "its steps are not as Pulumi writes them"),
        (b'{"steps": [], "diagnostics": [{"severity": "error", "message": "no \\u001b[2J"}]}',
         "The preview failed"),
        ((PREVIEWS / "refused.json").read_bytes(), "templateId: is required"),
        ((PREVIEWS / "broken.json").read_bytes(), "error: python inline source runtime error: x"),
    ],
)  # fmt: skip
def test_what_is_no_good_preview_is_refused_with_what_to_do(data: bytes, says: str) -> None:
    result = review(data, "--max-starts=0")
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr
    assert "Traceback" not in result.stderr
    assert "\x1b" not in result.stderr


@pytest.mark.parametrize("options", [["--format=html"], ["--max-starts=-1"], ["a", "b"]])
def test_bad_usage(options: list[str]) -> None:
    assert review(WHOLE, *options).exit_code == 2


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value)
    found = [path]
    for key, item in items:
        found += leaves(item, (*path, key)) if isinstance(item, (dict, list)) else [(*path, key)]
    return found


MIXED = recorded("mixed")
PLACES = [path for path in leaves(MIXED) if path]
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("[secret]"),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)


@pytest.mark.torture
@settings(max_examples=scaled(25, 60), deadline=None)
@given(st.sampled_from(PLACES), JUNK)
def test_no_file_makes_it_fall_over(place: tuple[Any, ...], junk: Any) -> None:
    """Anything anywhere in a preview is reviewed, or refused in words."""
    preview = copy.deepcopy(MIXED)
    whole: Any = preview
    for key in place[:-1]:
        whole = whole[key]
    whole[place[-1]] = junk
    for form in FORMS:
        result = review(preview, f"--format={form}")
        assert result.exit_code in {0, 2}, result.exception
        assert "Traceback" not in result.output


# -- what is shown -----------------------------------------------------------------------------

HOSTILE = (
    "a|b`c\n# d <img src=x> [l](http://e) @you #1 \x1b[31m[red]x[/red]:bomb: "
    "\u202e&amp; **e** __f__"
)


def hostile() -> dict[str, Any]:
    preview = replaced({}, {"name": HOSTILE, "triggers": {HOSTILE: HOSTILE}}, "triggers")
    preview["steps"].append(hard_batch(HOSTILE, "other")["steps"][0])
    warning = {"urn": RUN + HOSTILE, "severity": "warning", "message": f"warning: {HOSTILE}"}
    where = {"message": f"vod: {HOSTILE}", "severity": "info#err"}
    return {**preview, "diagnostics": [warning, where]}


@pytest.mark.parametrize("form", ["terminal", "markdown"])
def test_nothing_of_a_users_text_controls_a_terminal(form: str) -> None:
    result = review(hostile(), f"--format={form}")
    assert result.exit_code == 0, result.output
    assert all(char.isprintable() or char == "\n" for char in result.stdout)


def test_nothing_of_a_users_text_is_markup_of_the_terminal() -> None:
    shown = re.sub(r"[\s│]+", "", review(hostile()).stdout)
    assert re.sub(r"\s+", "", escape_invisible(HOSTILE)[:60]) in shown
    assert "[red]x[/red]:bomb:" in shown


class Seen(html.parser.HTMLParser):
    """The tags of a page, its cells, and its text outside of code."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.rows: list[int] = []
        self.code: list[str] = []
        self.bare = ""
        self.text = ""
        self._deep = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._deep += tag == "code"
        if tag == "tr":
            self.rows.append(0)
        if tag in {"td", "th"}:
            self.rows[-1] += 1
        if tag == "code":
            self.code.append("")

    def handle_endtag(self, tag: str) -> None:
        self._deep -= tag == "code"

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._deep:
            self.code[-1] += data
        else:
            self.bare += data


def rendered(markdown: str) -> Seen:
    seen = Seen()
    seen.feed(MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown))
    return seen


EXPECTED_TAGS = {
    "h3", "h4", "p", "table", "thead", "tbody", "tr", "th", "td", "code", "br", "details",
    "summary", "ul", "li", "strong",
}  # fmt: skip


def test_nothing_of_a_users_text_is_markdown() -> None:
    seen = rendered(review(hostile(), "--format=markdown").stdout)
    assert seen.tags <= EXPECTED_TAGS
    assert set(seen.rows) == {3, 4}  # totals, and the runs of each kind
    assert not re.search(r"[@#|`<>_*:/][a-z]", seen.bare), seen.bare
    assert escape_invisible(HOSTILE[:79] + "…") in seen.code  # as a name, cut


@given(st.text(min_size=1, max_size=40))
def test_any_text_is_shown_as_it_is_or_escaped(text: str) -> None:
    seen = rendered(f"| a |\n|---|\n| {markdown_code(text)} |\n")
    assert seen.tags <= EXPECTED_TAGS
    assert [item.strip() for item in seen.code] == [escape_invisible(text).strip()]


@given(st.text(min_size=1, max_size=60) | st.text("(a1`|:@#. ),*_<\\/-", min_size=1, max_size=20))
def test_any_sentence_reads_as_it_is_and_adds_no_structure(text: str) -> None:
    """At the beginning of a paragraph, in a list, and in a cell."""
    shown = markdown_text(text)
    for markdown in (f"{shown}\n", f"- {shown}\n", f"| a |\n|---|\n| {shown} |\n"):
        seen = rendered(markdown)
        assert seen.tags <= EXPECTED_TAGS
        assert not re.search(r"[@#|<>_*/\\`]", seen.bare)
        whole = re.sub(r"^ a ", "", re.sub(r"[\s`]+", "", seen.text))
        assert whole.removeprefix("a" if "---" in markdown else "") == re.sub(
            r"[\s`]+", "", escape_invisible(text)
        )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("vod: runs are started at http://127.0.0.1:80, on this machine",
         "vod: runs are started at `http://127.0.0.1:80`, on this machine"),
        ("12.30 to 1,000 CNY, 5% (not all of it)", "12.30 to 1,000 CNY, 5% (not all of it)"),
        ("by @you (#1) in GH-12 at 1234567", "by `@you` (`#1`) in `GH-12` at `1234567`"),
        ("the engine replaces it (--replace)", "the engine replaces it (`--replace`)"),
        ('free: `f(name="a b")`, and vid as before', 'free: `f(name="a b")`, and vid as before'),
        ("1. no list", "`1`. no list"),
        ("it's |a cell", "it's <code>&#124;a</code> cell"),
        ("a `b`,`c`", "a `` `b`,`c` ``"),
    ],
)  # fmt: skip
def test_plain_words_of_a_sentence_stay_plain(text: str, expected: str) -> None:
    assert markdown_text(text) == expected


@given(st.text(max_size=40))
def test_no_text_controls_a_terminal(text: str) -> None:
    assert escape_invisible(text).isprintable()


LOOK_ALIKES = [
    ("caf\u00e9.mp4", "cafe\u0301.mp4", r"caf\u00e9.mp4", r"cafe\u0301.mp4", SAME_TEXT),
    ("\uac00", "\u1100\u1161", r"\uac00", r"\u1100\u1161", SAME_TEXT),
    ("\u212b", "\u00c5", r"\u212b", r"\u00c5", SAME_TEXT),
    ("\u7247A1", "\u7247\uff211", "\u7247A1", "\u7247" + r"\uff211", LOOKS_ALIKE),
    ("a b", "a\u00a0b", r"a\u0020b", r"a\u00a0b", LOOKS_ALIKE),
    ("a b", "a  b", "a b", r"a \u0020b", LOOKS_ALIKE),
    ("a b", "a\u3000b", r"a\u0020b", r"a\u3000b", LOOKS_ALIKE),
    ("ab", "a\u200bb", "ab", r"a\u200bb", LOOKS_ALIKE),
    ("ab", "a\ufe0fb", "ab", r"a\ufe0fb", LOOKS_ALIKE),
    ("ab", "\u0430b", "ab", r"\u0430b", LOOKS_ALIKE),
    ("\u30ab", "\u529b", r"\u30ab", r"\u529b", LOOKS_ALIKE),
    ("a-b", "a\u2011b", "a-b", r"a\u2011b", LOOKS_ALIKE),
    ("\u7247\u5934", "\u7247\u5c3e", "\u7247\u5934", "\u7247\u5c3e", ""),
    ("caf\u00e9", "cafe", "caf\u00e9", "cafe", ""),
]


@pytest.mark.parametrize(("before", "after", "shown_before", "shown_after", "why"), LOOK_ALIKES)
def test_what_looks_alike_is_told_apart(
    before: str, after: str, shown_before: str, shown_after: str, why: str
) -> None:
    expected = Sides(f'"{shown_before}"', f'"{shown_after}"', why)
    assert sides(Change("vid", before, after)) == expected


def test_every_form_shows_how_look_alikes_differ() -> None:
    """A file name that is composed on one machine and decomposed on another is paid again."""
    one, other = "caf\u00e9.mp4", "cafe\u0301.mp4"
    old, new = ({"vid": None, "directUrl": {"fileName": name}} for name in (one, other))
    preview = replaced(old, new, "directUrl")
    text = r'directUrl.fileName: "caf\u00e9.mp4" → "cafe\u0301.mp4" (' + SAME_TEXT + ")"
    assert text in review(preview).stdout
    assert text in rendered(review(preview, "--format=markdown").stdout).code
    [change] = as_data(preview)["runs"][0]["changes"]
    assert (change["from"], change["to"]) == ({"value": one}, {"value": other})
    assert change["looksAlike"] == {
        "why": SAME_TEXT,
        "from": r'"caf\u00e9.mp4"',
        "to": r'"cafe\u0301.mp4"',
    }


def test_what_differs_late_in_a_long_value_is_shown() -> None:
    shown = sides(Change("callbackArgs", "a" * 300 + "1" + "b" * 300, "a" * 300 + "2" + "b" * 300))
    assert ("a1b" in shown.before, "a2b" in shown.after) == (True, True)
    assert max(len(shown.before), len(shown.after)) <= 80


@given(st.text(max_size=100), st.text(max_size=100))
def test_two_values_are_never_shown_alike(one: str, other: str) -> None:
    shown = sides(Change("vid", one, other))
    assert (shown.before == shown.after) == (one == other)
    assert not confusable_reason(shown.before, shown.after)


def test_a_comment_always_fits() -> None:
    """However much there is to say, it is what GitHub takes."""
    keys = [f"{'|' * 60}{number}" for number in range(1000)]
    preview = hard_batch(*keys)
    preview["steps"] += [declared(f"{'<' * 90}{number}")["steps"][0] for number in range(200)]
    text = render_markdown(build_review(Preview.model_validate(preview)), 5)
    assert len(text) <= MAX_COMMENT_CHARS
    assert "1,200 runs would be started" in text
    assert "more |" in text
    assert "and 9" not in text.split("<details>")[0], "the visible part stays short"


def test_a_comment_fits_whatever_a_program_logs() -> None:
    """Bars take six characters each. The reader finds the numbers, and where the rest is."""
    steps = [new(f"run{number}") for number in range(30)]
    noise = [("warning", steps[0]["urn"]), ("info", "")]
    preview = {
        "steps": steps,
        "diagnostics": [
            {"urn": urn, "severity": severity, "message": f"vod: {number} {'|' * 400}"}
            for severity, urn in noise
            for number in range(200)
        ],
    }
    text = render_markdown(build_review(Preview.model_validate(preview)), 5)
    assert len(text) <= MAX_COMMENT_CHARS
    assert "30 runs would be started" in text
    assert "**Over the limit:** 30 runs may be started" in text
    assert TOO_LONG in text


def test_the_sample_in_the_documentation_is_a_real_one() -> None:
    promise = build_review(read_preview(WHOLE))
    page = (Path(__file__).parents[2] / "docs" / "review.md").read_text()
    assert f"```markdown\n{render_markdown(promise, None).strip()}\n```" in page


def test_the_documentation_names_every_key_of_the_schema() -> None:
    page = (Path(__file__).parents[2] / "docs" / "review.md").read_text()
    found = as_data(recorded("changes"))
    keys = {*found, *found["starts"], *found["paidOutputs"]}
    keys |= {*found["runs"][0], *found["free"][0], *found["forgotten"][0]}
    assert found["version"] == 1
    assert {key for key in keys if f"`{key}`" not in page} == set()
