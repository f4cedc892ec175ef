"""Questions at preview, on the real engine: only about what would start, and once."""

from __future__ import annotations

import json
from collections.abc import Callable

import pulumi
import pytest

from pulumi_vod_workflow import WorkflowRun
from pulumi_vod_workflow.core.request import SYSTEM_TEMPLATES
from tests.engine.harness import Outcome, Program, Story, run
from tests.engine.test_story_batch import batch, items, together

pytestmark = pytest.mark.hosts("dynamic", torture="plugin")
QUESTIONS = ("GetWorkflowTemplate", "GetMediaInfos")


def runs(**each: dict[str, object]) -> Program:
    """Return a program that declares runs by name."""

    def program() -> None:
        for name, inputs in each.items():
            WorkflowRun(name, **{"vid": "v1", "template_id": "t1", **inputs})  # type: ignore[arg-type]

    return program


def asked(story: Story, command: Callable[[], Outcome]) -> tuple[list[int], Outcome]:
    """Return how often each question was asked during a command, and what that said."""
    before = story.emulator.requests()
    outcome = command()
    after = story.emulator.requests()
    return [after.get(name, 0) - before.get(name, 0) for name in QUESTIONS], outcome


def lose(story: Story, name: str) -> None:
    """Remove a resource from the state, as if the engine was killed before it recorded it."""
    state = json.loads(story.stack.state_file.read_text())
    latest = state["checkpoint"]["latest"]
    latest["resources"] = [
        item for item in latest["resources"] if not item["urn"].endswith(f"::{name}")
    ]
    story.stack.state_file.write_text(json.dumps(state))


def said(outcome: Outcome) -> list[tuple[str, str]]:
    """What preflight has said, on whose row."""
    lines = [(name, line.removeprefix("preflight: ")) for name, line in outcome.lines]
    return [line for line, (_, raw) in zip(lines, outcome.lines, strict=True) if line[1] != raw]


def test_runs_are_asked_about_only_if_they_would_start(story: Story) -> None:
    """Off, nothing; on, a template of many runs once; never what is unchanged or free."""
    many = runs(**{f"run{number}": {} for number in range(20)})
    story.write_config(vod_preflight="error")
    once, outcome = asked(story, lambda: story.preview(many))
    assert (once, outcome.failed, said(outcome)) == ([1, 1], False, [])

    story.write_config(vod_preflight="off")
    off, _ = asked(story, lambda: story.up(runs(run={}, other={})))
    assert off == [0, 0]
    ids = {name: item["outputs"]["runId"] for name, item in story.resources.items()}
    story.write_config(vod_preflight="error")
    lose(story, "run")

    def free() -> None:
        runs(run={}, other={"rerun_on_failure": True})()
        WorkflowRun("adopted", existing_run_id=ids["other"])

    none, outcome = asked(story, lambda: story.pays(free, 0))
    assert (none, f"reuses {ids['run']} (free)" in outcome.text) == ([0, 0], True)
    with_another = together(free, runs(another={}))
    none, outcome = asked(story, lambda: story.refresh_with(with_another))
    assert (none, outcome.failed) == ([0, 0], False), outcome.text
    replaced, outcome = asked(story, lambda: story.preview(run(vid="emu-missing")))
    assert (replaced, outcome.failed) == ([1, 1], True)
    assert "vid: the service knows no such video" in outcome.text
    assert len(story.emulator.ledger()) == 2


def test_what_is_wrong_is_warned_of_or_refused(story: Story) -> None:
    """
    In one preview all of it, each on its row; refused, nothing is started.

    Secret inputs are not told, nor what follows from them: only where it is wrong, and the
    service's code.
    """
    unlisted = min(SYSTEM_TEMPLATES)
    story.emulator.settings(
        templates=[
            {"templateId": "t1", "spaceName": "mine"},
            {"templateId": "empty", "spaceName": "mine", "transcodes": 0, "snapshots": 0},
        ],
        vids={"v1": "mine", "v2": "other", "v3": "s3cr3t-space"},
        listSystemTemplates=False,
    )
    good: dict[str, dict[str, object]] = {"good": {}, "listed": {"template_id": unlisted}}
    wrong: dict[str, dict[str, object]] = {
        "both": {"vid": "nobody", "template_id": "nothing"},
        "elsewhere": {"vid": "v2"},
        "useless": {"template_id": "empty"},
    }

    def hidden() -> None:
        run("hidden", vid=pulumi.Output.secret("v3"))()

    story.write_config(vod_preflight="warn")
    _, outcome = asked(story, lambda: story.preview(together(runs(**good, **wrong), hidden)))
    assert not outcome.failed
    assert outcome.starts == 6
    assert "s3cr3t-space" not in outcome.text
    names = [*good, *wrong, "hidden"]
    told = {name: [line for who, line in said(outcome) if who == name] for name in names}
    assert {name: len(lines) for name, lines in told.items()} == {
        "good": 0, "listed": 1, "both": 2, "elsewhere": 1, "useless": 1, "hidden": 1,
    }  # fmt: skip
    workflow, video = told["both"]
    assert workflow.startswith(
        "templateId: the service knows no such workflow: GetWorkflowTemplate: the service answered "
        "ResourceNotFound [HTTP 404, RequestId 2"
    )
    assert video.startswith(
        "vid: the service knows no such video: GetMediaInfos lists it in NotExistVids [RequestId 2"
    )
    assert told["elsewhere"][0].startswith(
        "templateId: the source is in another space than this workflow (other, not mine)"
    )
    assert told["hidden"][0].startswith(
        "templateId: the source is in another space than this workflow: use"
    )
    assert told["useless"][0].startswith("templateId: this workflow has no output")
    assert told["listed"][0].startswith("templateId: a built-in workflow that the service does not")
    paid = story.up(runs(**good, elsewhere=wrong["elsewhere"]))
    assert len(story.emulator.ledger()) == 3
    assert sorted(name for name, _ in said(paid)) == ["elsewhere", "listed"]

    story.write_config(vod_preflight="error")
    outcome = story.failing_up(runs(**good, elsewhere=wrong["elsewhere"], both=wrong["both"]))
    for path in ("templateId: the service knows no such", "vid: the service knows no such"):
        assert path in outcome.text
    assert said(outcome) == [], "no message about an unchanged resource"
    assert len(story.emulator.ledger()) == 3


def test_what_cannot_be_asked_is_told_once_and_goes_on(story: Story) -> None:
    """No right, no network, no key: a warning in the strict mode, too, and the starts are made."""
    two = runs(a={}, b={"template_id": "t2", "vid": "v2"})
    story.write_config(vod_preflight="error")
    workflows, videos = QUESTIONS
    story.emulator.fault(action=workflows, kind="reset", times=99)
    story.emulator.fault(action=videos, kind="http", code="AccessDenied", times=99)
    story.pays(two, 2)
    first, second = said(story.shown)
    assert first[0] == second[0], "once for all: whoever is asked about first"
    assert first[1].startswith("templateId: not checked: GetWorkflowTemplate: 127.0.0.1:")
    assert "the connection broke" in first[1]
    assert second[1].startswith("vid: not checked: GetMediaInfos: the service answered Access")
    ledger = story.emulator.ledger()
    more = runs(a={}, b={"template_id": "t2", "vid": "v2"}, c={}, d={})
    story.write_config(vod_endpoint="http://127.0.0.1:9")
    offline = story.preview(more)
    assert not offline.failed
    assert [name for name, _ in said(offline)] in (["c", "c"], ["d", "d"])
    assert "not checked: GetWorkflowTemplate: 127.0.0.1:9: connection refused" in offline.text
    for key in ("vod:accessKey", "vod:secretKey"):
        del story.config[key]
    story.write_config()
    keyless = story.preview(more)
    assert not keyless.failed
    assert "templateId: not checked: No credentials for Volcengine" in keyless.text
    assert story.emulator.ledger() == ledger


def test_a_batch_is_asked_about_in_few_questions(story: Story) -> None:
    """Only its items that start; alike ones are told together; refused, none of it is started."""
    story.emulator.settings(
        templates=[{"templateId": "t1", "spaceName": "mine"}],
        vids={f"v-k{number}": "mine" for number in range(25)},
    )
    keys = [f"k{number}" for number in range(25)]
    lost = {f"x{number}": {"vid": f"nobody{number}"} for number in range(3)}
    story.write_config(vod_preflight="error")
    calls, outcome = asked(story, lambda: story.preview(batch(items(*keys, **lost))))
    assert (calls, outcome.failed) == ([1, 2], True)
    assert "items.x0.vid: the service knows no such video" in outcome.text
    assert "(and 2 more: x1, x2)" in outcome.text
    story.up(batch(items(*keys)))
    assert len(story.emulator.ledger()) == 25
    calls, outcome = asked(story, lambda: story.failing_up(batch(items(*keys, **lost))))
    assert calls == [1, 1], "about what would start"
    assert "rejected by preflight:" in outcome.text
    assert "items.x0.vid: the service knows no such video" in outcome.text
    assert "No run was started" in outcome.text
    assert len(story.emulator.ledger()) == 25
    story.write_config(vod_preflight="warn")
    # An item that is removed asks nothing: tests/dynamic/test_preflight.py.
    outcome = story.pays_for(batch(items(*keys[1:], **lost)), promised=3, paid=0)
    assert {line.partition(":")[0] for _, line in said(outcome)} == {"items.x0.vid"}
    assert set(story.batch["rejected"]) == set(lost)
