"""Batches on the real engine: which items are paid, what is recorded, what is never lost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pulumi
import pytest

from pulumi_vod_workflow import WorkflowBatch, WorkflowItemArgs, WorkflowRun, load_manifest
from pulumi_vod_workflow.core.resource_types import BATCH_TYPE
from tests.engine.harness import Program, Story, run
from tests.engine.hosts import HostName
from tests.engine.scenarios import (
    Failure,
    Later,
    Refresh,
    Scenario,
    pays,
    pays_for,
    play,
    stays,
)
from tests.scale import only_in_torture, scaled

pytestmark = pytest.mark.hosts("dynamic", torture="plugin")

MISSING = {"vid": "emu-missing"}
SECRET = "s3cr3t-value"


def items(*keys: str, **more: Mapping[str, Any]) -> dict[str, Any]:
    return {**{key: {"vid": f"v-{key}"} for key in keys}, **more}


def batch(items: Any, name: str = "batch", **defaults: Any) -> Program:
    """Return a program that declares one batch."""

    def program() -> None:
        made = WorkflowBatch(name, items=items, defaults={"template_id": "t1", **defaults})
        phases = made.runs.apply(lambda runs: {k: v.phase for k, v in runs.items()})
        pulumi.export("phases" if name == "batch" else f"phases of {name}", phases)

    return program


def together(*programs: Program) -> Program:
    """Return a program of all of them."""

    def program() -> None:
        for part in programs:
            part()

    return program


def run_ids(story: Story, name: str = "batch") -> dict[str, str]:
    return {key: item["runId"] for key, item in story.batches[name]["runs"].items()}


def adding(story: Story) -> Scenario:
    """
    A preview lists which items would start; adding, removing, reordering others is free.

    Items of the same work are paid under each key: where one of them starts, a warning names them
    all, and none does of secrets.
    """
    twice = items("a", b={"vid": "v-a"}, c={"vid": "v-a", "priority": 1}, d={"vid": "v-d"})
    more = {**twice, "e": {"vid": "v-d"}, "f": {"vid": "v-f"}}

    def declared(same: Any, items: Any, *, hidden: bool = False) -> Program:
        def program() -> None:
            defaults = {"callback_args": pulumi.Output.secret("x")} if hidden else {}
            batch(same, "adding-same", template_id="t2", **defaults)()
            batch(items, "adding")()

        return program

    _, first = yield pays(declared(twice, items("a", "b", "c")), 3 + 4)
    assert "starts 3 of 3 items (paid): new: a, b, c" in first.text
    assert first.outputs["phases of adding"] == dict.fromkeys("abc", "submitted")
    line = "same source, workflow and input, each run is paid: a, b, c"
    assert ("adding-same", line) in first.lines
    assert line not in [text for name, text in first.lines if name == "adding"]
    yield stays(declared(twice, items("c", "b", "a")))

    before = run_ids(story, "adding")
    tokens = story.batches["adding"]["clientTokens"]
    _, added = yield pays(declared(more, items("d", "c", "a")), 1 + 2)
    assert "starts 1 of 3 items (paid): new: d" in added.text
    assert "removes unfinished runs from the state; they keep running: b" in added.text
    after = run_ids(story, "adding")
    assert after == {"a": before["a"], "c": before["c"], "d": after["d"]}
    assert {key: story.batches["adding"]["clientTokens"][key] for key in "ac"} == {
        key: tokens[key] for key in "ac"
    }
    assert "each run is paid: d, e" in added.text
    assert "a, b, c" not in added.text, "they are paid already"
    yield Later()

    changed = items("c", "d", a={"vid": "other"})
    _, outcome = yield pays(declared(more, changed, hidden=True), 6 + 1)
    assert "vid: a" in outcome.text
    assert "each run is paid: " not in outcome.text
    triggered = items("d", a={"vid": "other"}, c={"vid": "v-c", "triggers": {"edition": 1}})
    _, outcome = yield pays(batch(triggered, "adding"), 1)
    assert "triggers: c" in outcome.text
    _, outcome = yield pays(batch(changed, "adding"), 0)
    assert outcome.changed == [("update", "adding")]


def ignoring(story: Story) -> Scenario:
    """
    A start that the service may join is refused.

    `ignore_changes` of the tokens keeps them, so nothing is sent, recorded or said to be started.
    """

    def declared(path: str, **a: Any) -> Program:
        opts = pulumi.ResourceOptions(ignore_changes=[path])
        given = items("b", a={"vid": "v-a", **a})

        def program() -> None:
            WorkflowBatch("ignoring", opts, items=given, defaults={"template_id": "t9"})

        return program

    def recorded() -> Any:
        outputs = story.batches["ignoring"]
        return run_ids(story, "ignoring"), outputs["clientTokens"], outputs["items"]

    yield pays(declared("client_tokens"), 2)
    # Its items are ignored, too.
    yield stays(declared("*", priority=3))
    yield pays(declared("clientTokens.a", priority=3), 1)
    yield stays(declared("client_tokens", priority=3))
    before = recorded()
    refused, _ = yield Failure(declared("client_tokens", priority=4))
    assert "clientTokens: must change for a: with the recorded token" in refused.text
    assert "Remove clientTokens from ignore_changes" in refused.text
    assert recorded() == before


def rejecting(story: Story) -> Scenario:
    """
    What was accepted stays; the next `up` retries just what was not.

    A changed default starts the items that see it. A workflow that does not exist, tried on them,
    does not cost them their runs. What depends on another resource is decided, and paid, in the
    `up` as shown.
    """
    own = {"vid": "v-own", "template_id": "mine"}
    found = {"vid": "v-x"}

    def declared(x: dict[str, Any], vid: str, template_id: str = "t3") -> Program:
        def unknown() -> None:
            source = WorkflowRun("rejecting-source", vid=vid, template_id="t3")
            made: Any = {"a": {"vid": "v"}, "b": {"vid": source.run_id}}
            WorkflowBatch("rejecting-unknown", items=made, defaults={"template_id": "t3"})

        seeing = batch(items("a", "b", own=own), "rejecting-seeing", template_id=template_id)
        one = batch(items("a", "b", x=x), "rejecting", template_id="t3")
        return together(one, unknown, seeing)

    def rejected(name: str) -> list[str]:
        return [*story.batches[name]["rejected"]]

    _, outcome = yield pays_for(declared(MISSING, "one"), promised=3 + 3 + 3, paid=2 + 3 + 3)
    assert "not started or adopted: 1 of 3 items:" in outcome.text
    assert "x: StartWorkflow: the service answered ResourceNotFound" in outcome.text
    assert "starts 2 of 2 items" in outcome.text
    assert set(story.batches["rejecting"]["runs"]) == {"a", "b"}
    assert rejected("rejecting") == ["x"]
    _, refreshed = yield Refresh()
    assert "items (paid)" not in refreshed.text, "it knows the state, and not the program"
    before, seen = run_ids(story, "rejecting"), run_ids(story, "rejecting-seeing")

    _, outcome = yield pays_for(declared(MISSING, "one", "no"), promised=1 + 2, paid=0)
    assert "not started before: x" in outcome.text
    assert sorted(outcome.changed) == [("update", "rejecting"), ("update", "rejecting-seeing")]
    assert run_ids(story, "rejecting") == before
    assert run_ids(story, "rejecting-seeing") == seen
    assert set(rejected("rejecting-seeing")) == {"a", "b"}

    shown, _ = yield pays(declared(found, "two"), 1 + 2)
    assert "vid (not known yet): b" in shown.text
    assert rejected("rejecting") == rejected("rejecting-seeing") == []
    assert run_ids(story, "rejecting-seeing") == seen

    yield Later()
    _, outcome = yield pays(declared(found, "two", "t4"), 2)
    assert "starts 2 of 3 items (paid): templateId: a, b" in outcome.text
    yield stays(declared(found, "two", "t4"))


def rerunning(story: Story) -> Scenario:
    """
    A failed item is run again only if wanted and shown.

    A failure that is read after the approval is not acted on. `up --refresh` reads once more after
    its preview: what only that has learned waits. Runs that have ended are not said to go on,
    neither where items go nor where a batch does.
    """
    wanted = {"vid": "emu-fail-2003", "rerun_on_failure": True}
    former = {"vid": "emu-fail-2003", "template_id": "t6"}

    def declared(going: Any, **failed: Any) -> Program:
        one = batch(items("a", **failed), "rerunning", template_id="t5")
        return together(one, batch(going, "rerunning-going", template_id="t5"))

    first = declared(items("a", "b"), c=wanted, former={**former, "rerun_on_failure": True})
    yield pays(first, 5)
    yield Later(5000)
    yield stays(first)
    yield stays(first, refresh=True)
    _, outcome = yield pays(declared(items("a", "b", "c"), c=wanted, former=former), 1 + 1)
    assert "rerunOnFailure after 2003: c" in outcome.text
    told = [text for name, text in outcome.lines if name == "rerunning"]
    assert [text for text in told if "former" in text] == []
    _, outcome = yield pays(declared(items("d"), c=wanted, former=former), 1)
    assert "removes unfinished runs from the state; they keep running: c" in outcome.text
    assert "removes runs that have ended from the state: a, b" in outcome.text
    yield Later(5000)
    yield Refresh()
    yield pays(declared(items("d"), c={"vid": "emu-fail-2003"}, former=former), 0)


def adopting(story: Story) -> Scenario:
    """Free, and as little a start when they cease to; another source is not adopted."""
    first = run("adopting-run", template_id="t7")
    yield pays(first, 1)
    run_id = story.resources["adopting-run"]["outputs"]["runId"]

    def adopted(old: dict[str, Any], **more: Any) -> Program:
        return batch(items("a", old={"vid": "v1", **old}, **more), "adopting", template_id="t7")

    _, outcome = yield pays(together(first, adopted({"existing_run_id": run_id})), 1)
    assert "adopts (free): old" in outcome.text
    assert run_ids(story, "adopting")["old"] == run_id
    _, outcome = yield pays(adopted({}), 0)
    assert ("delete", "adopting-run") in outcome.changed
    yield Later()
    yield pays(adopted({"priority": 3}), 1)
    other = {"vid": "no", "existing_run_id": run_id}
    yield pays(adopted({}, other=other), 1)
    assert "started with another vid" in story.batches["adopting"]["rejected"]["other"]
    yield pays(adopted({}), 0)


def listing(story: Story) -> Scenario:
    """A table and JSON Lines of the same items are the same runs."""
    table = story.folder / "a.csv"
    table.write_text(
        'key,vid,priority,input\n第一集,v1,2,\ne2,v2,,"{""condition"": {""hd"": true}}"\n'
    )
    yield pays(batch(load_manifest(table), "listing", template_id="t8"), 2)
    lines = story.folder / "a.jsonl"
    lines.write_text(
        "\n".join(
            json.dumps(item)
            for item in (
                {"key": "e2", "vid": "v2", "input": {"condition": {"hd": True}}},
                {"key": "第一集", "vid": "v1", "priority": 2},
            )
        )
    )
    yield stays(batch(load_manifest(lines), "listing", template_id="t8"))
    starts = [start for start in story.emulator.ledger() if start["templateId"] == "t8"]
    assert {start["vid"] for start in starts} == {"v1", "v2"}


def refusing(story: Story) -> Scenario:
    """If no item is accepted, it is an error, as with a run: nothing is recorded."""
    refused, _ = yield Failure(batch({"x": MISSING, "y": MISSING}, "refusing"))
    assert "not started or adopted: 2 of 2 items:" in refused.text
    assert "check `vid`, `direct_url` and `template_id`" in refused.text
    assert "refusing" not in story.batches


def test_each_item_is_paid_once_and_only_as_shown(story: Story, host: HostName) -> None:
    """Items come and go, are rejected, fail, adopt runs, and come from files."""
    workflows = [*(f"t{number}" for number in range(1, 10)), "mine"]
    story.emulator.settings(templates=[{"templateId": id_, "spaceName": "s"} for id_ in workflows])
    scenarios = [adding, ignoring, rejecting, adopting, listing, refusing]
    if host == "dynamic":  # the packaged provider reads unfinished runs before each preview
        scenarios.append(rerunning)
    play(story, *scenarios)
    assert "keep running" not in story.destroy().of("rerunning").text
    assert story.batches == {}


def test_secrets_of_items_stay_secret(story: Story) -> None:
    """In state, diffs and errors: what is declared secret, and the tokens that are its hash."""

    def program(edition: str) -> Program:
        def declare() -> None:
            made: Any = {
                "a": {"direct_url": {"file_name": pulumi.Output.secret(f"{SECRET}.mp4")}},
                "x": {"direct_url": {"file_name": "emu-missing"}, "triggers": {"e": edition}},
            }
            defaults: Any = {"template_id": "t1", "callback_args": pulumi.Output.secret(SECRET)}
            WorkflowBatch("batch", items=made, defaults=defaults)

        return declare

    outcomes = [story.pays_for(program("1"), promised=2, paid=1)]
    outcomes.append(story.shown)
    story.emulator.advance(5000)
    outcomes.append(story.refresh())
    outcomes.append(story.pays_for(program("2"), promised=1, paid=0, diff=True))
    outcomes.append(story.shown)
    [start] = story.emulator.ledger()
    assert start["directUrl"]["FileName"] == f"{SECRET}.mp4"
    for hidden in (SECRET, start["clientToken"]):
        assert hidden not in story.raw_state
        for outcome in outcomes:
            assert hidden not in outcome.text
    assert "message hidden" in outcomes[0].text


def test_many_items_are_small_and_each_start_is_shown(story: Story) -> None:
    """
    The state of a finished item has 600 bytes at most; the diff has each item that starts.

    The bytes are those of inputs, outputs and both copies of the token, in the file of the state.
    However many items start, `--diff` has each of them with its new token, and no other.
    """
    count = 200
    vids = {f"item-{each:05}": f"v0d399g10001csunlgaljhtdd{each:07}" for each in range(count)}
    made = {key: {"vid": vid} for key, vid in vids.items()}
    story.up(batch(made, template_id="0685" * 8))
    story.emulator.advance(5000)
    story.refresh()
    assert {run["phase"] for run in story.batch["runs"].values()} == {"succeeded"}
    [resource] = story.of_type(BATCH_TYPE).values()
    size = len(json.dumps(resource, separators=(",", ":"))) / count
    assert 500 < size <= 600, size

    before = story.batch["clientTokens"]
    changed = {key: {**made[key], "priority": 1} for key in [*made][80:]}
    preview = story.preview(batch({**made, **changed}, template_id="0685" * 8), diff=True)
    assert "starts 120 of 200 items" in preview.text
    assert "and 20 more" in preview.text
    for key in made:
        assert (f'"{before[key]}" =>' in preview.text) == (key in changed)


def test_a_wrong_key_is_not_tried_a_thousand_times(story: Story) -> None:
    story.write_config(vod_secretKey="wrong")
    outcome = story.failing_up(batch(items(*[f"k{number}" for number in range(400)])))
    assert "SignatureDoesNotMatch" in outcome.text
    assert "more: not sent after the service answered SignatureDoesNotMatch" in outcome.text
    assert sum(story.emulator.requests().values()) <= 130
    assert story.emulator.ledger() == []


@pytest.mark.hosts("dynamic")  # the packaged provider reads unfinished runs before each preview
def test_a_refresh_asks_only_about_unfinished_items(story: Story) -> None:
    """One that cannot be read does not hide the others; it is asked about again."""
    kept = items("a", "b", c={"vid": "emu-fail-2003"})
    story.up(batch(kept))
    story.emulator.advance(5000)
    story.emulator.fault(
        action="GetWorkflowExecution", kind="http", status=400, code="InvalidParameter"
    )
    outcome = story.refresh()
    assert "1 of 3 runs could not be read:" in outcome.text
    phases = [item["phase"] for item in story.batch["runs"].values()]
    assert phases.count("submitted") == 1
    assert len(story.emulator.ledger()) == 3
    story.up(batch({**kept, **items("new")}))
    assert len(story.emulator.ledger()) == 4
    asked = story.emulator.requests()["GetWorkflowExecution"]
    outcome = story.refresh()
    assert "1 failed, 1 pending, 2 succeeded" in outcome.text
    assert story.emulator.requests()["GetWorkflowExecution"] == asked + 2
    failed = story.batch["runs"]["c"]
    assert (failed["phase"], failed["status"]) == ("failed", "2003")
    assert "transcoding timed out" in failed["statusReason"]
    assert "GetWorkflowExecutionResult" not in story.emulator.requests()
    story.stays(batch({**kept, **items("new")}))


def test_bad_items_are_refused_at_preview_all_at_once(story: Story) -> None:
    """Each with its path; what is wrong with many alike is said once; no value is shown."""
    secret = pulumi.Output.secret

    def bad() -> None:
        good = {f"k{number}": {"vid": "v"} for number in range(30)}
        made: Any = {
            **good,
            "a b": {"vid": "v", "direct_url": {"file_name": "f"}},
            "typo": {"vid": "v", "priorty": 1},
            "low": WorkflowItemArgs(vid="v", priority=secret(777), template_id="t"),
        }
        WorkflowBatch("batch", items=made, defaults={"callback_args": secret(SECRET * 100)})

    preview = story.preview(bad)
    assert preview.failed
    for path in (
        'items["a b"].vid, directUrl: exactly one of them must be set, both are',
        "items.typo.priorty: unknown key; did you mean priority?",
        "items.low.priority: must be an integer from -5 to 5",
        "defaults.callbackArgs: must be a string of at most 512 bytes",
        ".templateId: is required: the id of the workflow to run (and 31 more: ",
    ):
        assert path in preview.text
    assert SECRET not in preview.text
    assert "777" not in preview.text
    assert story.emulator.requests() == {}


@only_in_torture("tests/core/test_batch.py has each kind of wrong map")
@pytest.mark.parametrize("wrong", [{}, {"__a": {"vid": "v"}}, {" a": {"vid": "v"}}, ["a"]])
def test_a_wrong_map_is_refused(story: Story, wrong: Any) -> None:
    """Before any call."""
    assert story.preview(batch(wrong)).failed
    assert story.emulator.requests() == {}


@pytest.mark.torture
@pytest.mark.parametrize("kind", scaled(["reset"], ["reset", "http"]))
def test_answers_lost_after_acceptance_pay_nothing_twice(story: Story, kind: str) -> None:
    """The first answers do not arrive: every item is started once and recorded all the same."""
    story.emulator.fault(action="StartWorkflow", kind=kind, when="after", times=8)
    story.up(batch(items(*[f"k{number}" for number in range(40)])))
    assert len(story.emulator.ledger()) == 40
    assert set(run_ids(story).values()) == {item["runId"] for item in story.emulator.ledger()}


def test_a_start_of_unknown_fate_is_not_called_rejected(story: Story) -> None:
    """It may have been paid: told apart at once, in the state, and in the next preview."""
    story.up(batch(items("a")))
    story.emulator.fault(action="StartWorkflow", kind="reset", when="after", times=40)
    outcome = story.pays_for(batch(items("a", "b")), promised=1, paid=1)
    assert "A RUN MAY EXIST, but no RunId came back: 1 of 1 items:" in outcome.text
    assert "not started or adopted" not in outcome.text
    assert [*story.batch["unclear"]] == ["b"]
    assert story.batch["rejected"] == {}
    story.emulator.fault(action="StartWorkflow", kind="reset", times=0)
    story.write_config(vod_resendWithin="3600")
    outcome = story.pays_for(batch(items("a", "b")), promised=1, paid=0)
    assert "may have been started before: found again, or paid again" in outcome.text
    assert set(run_ids(story).values()) == {item["runId"] for item in story.emulator.ledger()}
    assert story.batch["unclear"] == {}


def test_an_outage_does_not_run_through_the_whole_batch(story: Story) -> None:
    """Where answers are lost, starts are paid without an id: the rest is not sent."""
    story.emulator.fault(action="StartWorkflow", kind="http", status=500, when="after", times=9999)
    keys = [f"k{number:03}" for number in range(300)]
    outcome = story.failing_up(batch(items(*keys)))
    assert "A RUN MAY EXIST" in outcome.text
    assert len(story.emulator.ledger()) < 200
    story.emulator.fault(action="StartWorkflow", kind="http", times=0)
    story.write_config(vod_resendWithin="3600")
    story.up(batch(items(*keys)))
    assert len(story.emulator.ledger()) == 300
    assert set(run_ids(story).values()) == {item["runId"] for item in story.emulator.ledger()}
