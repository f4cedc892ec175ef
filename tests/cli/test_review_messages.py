"""No sentence changes a review: the engine's steps and the provider's plan messages count."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulumi_vod_workflow.cli.pulumi_files.preview import read_preview
from pulumi_vod_workflow.cli.review.builder import build_review
from pulumi_vod_workflow.cli.review.render_json import render_json
from pulumi_vod_workflow.core.plan_message import (
    ONE_RUN,
    Items,
    Operation,
    PlanMessage,
    StartGroup,
    declaration_fingerprint,
    parse_plan_message,
    start_groups,
)
from pulumi_vod_workflow.core.start_reason import NEW, StartCause
from tests.cli.command import invoke

PREVIEWS: Final = Path(__file__).parent / "previews"
RECORDED: Final = (
    "changes.json", "fewer.json", "mixed.json", "nothing.json", "secrets.json", "journal.json",
    "forms.json", "forms-events.jsonl",
)  # fmt: skip
LIMITS: Final = (0, 1, 4, 8, 1000)
RUN: Final = "urn:pulumi:dev::project::pulumi-python:dynamic/vod:WorkflowRun::"
BATCH: Final = "urn:pulumi:dev::project::pulumi-python:dynamic/vod:WorkflowBatch::"


def documents(name: str) -> list[dict[str, Any]]:
    """The JSON documents of a recording: one, or one for each event."""
    text = (PREVIEWS / name).read_text()
    if name.endswith(".jsonl"):
        return [json.loads(line) for line in text.splitlines()]
    return [json.loads(text)]


def lines_of(found: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the lines of people and providers in a recording."""
    for document in found:
        yield from document.get("diagnostics", [])
        if "diagnosticEvent" in document:
            yield document["diagnosticEvent"]


def facts(found: list[dict[str, Any]]) -> dict[str, Any]:
    """A review without the parts that are only shown, and whether it exceeds each limit."""
    data = "\n".join(json.dumps(document) for document in found).encode()
    built = build_review(read_preview(data))
    review = render_json(built, None)
    del review["where"]
    for run in review["runs"]:
        del run["warnings"]
    return {**review, "exceeds": [built.exceeds(limit) for limit in LIMITS]}


EXPECTED: Final = {name: facts(documents(name)) for name in RECORDED}
STEPS: Final = {
    name: {
        step["urn"]
        for document in documents(name)
        for step in document.get("steps", [])
        + [event["metadata"] for event in (document.get("resourcePreEvent"),) if event]
    }
    for name in RECORDED
}


def forged(urn: str, **plan: Any) -> str:
    """A message that does not know the declaration's tokens."""
    fingerprint = declaration_fingerprint(urn, {"clientToken": "guessed"})
    return PlanMessage(Operation.CREATE, fingerprint, **plan).to_json()


SENTENCES: Final = (
    "takes emu:1 over, which is free: an earlier update has started it",
    "was sent before and never answered: it is sent again as the same start",
    "takes over, which is free, what an earlier update has started: a, b, x, y, s01e02",
    "starts none of 2 items",
    "starts 1,000 of 1,000 items, each a paid run: new: a",
    "adopts, which is free: a, b",
    "its items are not known yet",
    "new; may have been started before: found again, or paid again if that run has ended",
    "warning: same source, workflow and input, each run is paid: a",
    "vod: no run is started",
    forged("", reuses=ONE_RUN, run="emu:1"),
    forged("", starts=(StartGroup((StartCause.NEW,), items=Items(1)),), resends=ONE_RUN),
    forged("", total=0),
    json.dumps({"kind": "vod.plan", "version": 1}),
)
TEXTS: Final = st.sampled_from(SENTENCES) | st.text(max_size=40)


@pytest.mark.parametrize("name", RECORDED)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_no_sentence_changes_a_review(name: str, data: st.DataObject) -> None:
    """Any text in the place of each sentence, and more beside it: the same counts and items."""
    found = documents(name)
    sentences = [
        line for line in lines_of(found) if parse_plan_message(plain(line["message"])) is None
    ]
    for line in sentences:
        line["message"] = data.draw(TEXTS)
    for urn in sorted(STEPS[name]):
        text = data.draw(TEXTS)
        text = forged(urn, reuses=ONE_RUN, run="emu:1") if "vod.plan" in text else text
        add(found, {"urn": urn, "severity": "info", "message": f"{text}\n"})
    assert facts(found) == EXPECTED[name]


def plain(text: str) -> str:
    return text.replace("<{%reset%}>", "").strip()


def add(found: list[dict[str, Any]], line: dict[str, Any]) -> None:
    if "sequence" in found[0]:
        found.insert(1, {"sequence": 0, "diagnosticEvent": line})
    else:
        found[0].setdefault("diagnostics", []).append(line)


def test_the_recordings_have_messages_that_count() -> None:
    """Without them the journal's runs and secret items are bounded, not known."""
    found = documents("journal.json")
    with_messages = EXPECTED["journal.json"]["starts"]
    assert (with_messages["certain"], with_messages["atMost"]) == (2, 6)
    for line in lines_of(found):
        line["message"] = "anything"
    without = facts(found)["starts"]
    assert without["atMost"] > with_messages["atMost"]
    free = [(part["resource"], part["item"]) for part in EXPECTED["journal.json"]["free"]]
    assert free == [("again", "a"), ("fresh", None)]


# -- a program can log with the URN of any resource ---------------------------------------------


def step_of(name: str, resource: str) -> dict[str, Any]:
    [found] = [
        step
        for document in documents(name)
        for step in document["steps"]
        if step["urn"].endswith(f"::{resource}")
    ]
    return dict(found)


@pytest.mark.parametrize(
    ("name", "resource", "plan"),
    [
        ("secrets.json", "b", {"total": 2}),
        ("secrets.json", "b", {"total": 2, "reuses": Items.of(("x", "y"))}),
        ("secrets.json", "bs", {"total": 2, "adopts": Items(2)}),
        ("mixed.json", "b", {"total": 5, "reuses": Items(5)}),
    ],
)
def test_a_message_beside_the_providers_lowers_nothing(
    name: str, resource: str, plan: dict[str, Any]
) -> None:
    """Of several messages the one with the most starts counts."""
    found, step = documents(name), step_of(name, resource)
    fingerprint = declaration_fingerprint(step["urn"], step["newState"]["inputs"])
    text = PlanMessage(Operation.UPDATE, fingerprint, **plan).to_json()
    for place in (0, len(found[0]["diagnostics"])):
        changed = copy.deepcopy(found)
        line = {"urn": step["urn"], "severity": "info", "message": text}
        changed[0]["diagnostics"].insert(place, line)
        assert facts(changed) == EXPECTED[name]


def test_a_reuse_of_a_secret_run_lowers_only_what_is_certain() -> None:
    """Its token is masked, so the message may be a program's: the maximum stays."""
    found, step = documents("changes.json"), step_of("changes.json", "teaser")
    fingerprint = declaration_fingerprint(step["urn"], step["newState"]["inputs"])
    text = PlanMessage(Operation.CREATE, fingerprint, reuses=ONE_RUN, run="emu:1").to_json()
    add(found, {"urn": step["urn"], "severity": "info", "message": text})
    starts, before = facts(found)["starts"], EXPECTED["changes.json"]["starts"]
    assert starts["certain"] == before["certain"] - 1
    assert starts["atMost"] == before["atMost"]


def a_run(**inputs: Any) -> dict[str, Any]:
    given = {"vid": "v1", "templateId": "t1", "clientToken": "pvw1-1", **inputs}
    return {"op": "create", "urn": f"{RUN}run", "newState": {"inputs": given}}


def a_batch(*keys: str) -> dict[str, Any]:
    given = {
        "items": {key: {"vid": key} for key in keys},
        "defaults": {"templateId": "t1"},
        "clientTokens": {key: f"pvw1-{key}" for key in keys},
    }
    return {"op": "create", "urn": f"{BATCH}batch", "newState": {"inputs": given}}


def starts_with(step: dict[str, Any], text: str) -> int:
    line = {"urn": step["urn"], "severity": "info", "message": text}
    preview = {"steps": [step], "diagnostics": [line], "changeSummary": {"create": 1}}
    starts: dict[str, int] = facts([preview])["starts"]
    assert starts["certain"] == starts["atMost"]
    return starts["atMost"]


TWO: Final = start_groups([(NEW, ["a", "b"])])
NO_RUN: Final = {"reuses": Items()}


@pytest.mark.parametrize(
    ("step", "change", "count"),
    [
        (a_run(), lambda _: {}, 0),
        (a_run(), lambda _: {"operation": Operation.UPDATE}, 1),
        (a_run(), lambda _: {"fingerprint": "f"}, 1),
        (a_run(), lambda step: {"fingerprint": declaration_fingerprint(step["urn"], {})}, 1),
        (a_run(), lambda _: {"total": 2}, 1),
        (a_batch("a", "b"), lambda _: {"total": 2, "reuses": Items.of(("a", "b"))}, 0),
        (a_batch("a", "b"), lambda _: {"total": 2, "reuses": Items.of(("a", "c"))}, 2),
        (a_batch("a", "b"), lambda _: {"total": 3, "reuses": Items.of(("a", "b"))}, 2),
        (a_batch("a", "b"), lambda _: {"total": 1, "reuses": Items.of(("a",))}, 2),
        (a_batch("a", "b"), lambda _: {"total": 2, "reuses": ONE_RUN, "starts": TWO}, 2),
        # No item names a run, and a new batch decides on each item.
        (a_batch("a", "b"), lambda _: {**NO_RUN, "total": 2, "adopts": Items.of(("a", "b"))}, 2),
        (a_batch("a", "b"), lambda _: {**NO_RUN, "total": 2, "adopts": Items(2)}, 2),
        (a_batch("a", "b"), lambda _: {**NO_RUN, "total": 2}, 2),
        (a_batch("a", "b"), lambda _: {**NO_RUN, "total": 2, "refuses": Items(2)}, 2),
    ],
)
def test_a_message_that_does_not_fit_its_step_is_ignored(
    step: dict[str, Any], change: Callable[[dict[str, Any]], dict[str, Any]], count: int
) -> None:
    """Only a message about this very declaration lowers a count."""
    fingerprint = declaration_fingerprint(step["urn"], step["newState"]["inputs"])
    plan: dict[str, Any] = {
        "operation": Operation.CREATE,
        "fingerprint": fingerprint,
        "reuses": ONE_RUN,
        **change(step),
    }
    assert starts_with(step, PlanMessage(**plan).to_json()) == count


def test_a_message_in_a_name_or_a_key_is_a_name() -> None:
    """Users choose names and keys; they are data in the steps."""
    text = forged("", reuses=ONE_RUN, run="emu:1")
    step = a_batch(text, "b")
    assert starts_with(step, "anything") == 2
    run = {**a_run(), "urn": f"{RUN}{text}"}
    assert starts_with(run, "anything") == 1
    assert starts_with(run, text) == 1


def test_a_newer_message_is_refused_with_a_hint() -> None:
    step = a_run()
    line = {"urn": step["urn"], "severity": "info", "message": '{"kind":"vod.plan","version":2}'}
    data = json.dumps({"steps": [step], "diagnostics": [line], "changeSummary": {"create": 1}})
    result = invoke("review", data=data)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "hint: Run the review with the version that the program uses." in result.stderr
    line["urn"] = "urn:pulumi:dev::project::aws:s3/bucket:Bucket::b"  # of another provider
    data = json.dumps({"steps": [step], "diagnostics": [line], "changeSummary": {"create": 1}})
    assert invoke("review", data=data).exit_code == 0
