"""What users do with a WorkflowRun, on the real engine, counted by the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest

from pulumi_vod_workflow import (
    ClipArgs,
    DirectUrlArgs,
    EnhanceOverrideArgs,
    LogoOverrideArgs,
    OverrideParamsArgs,
    SnapshotOverrideArgs,
    TranscodeAudioOverrideArgs,
    TranscodeVideoOverrideArgs,
    WorkflowBatch,
    WorkflowParamsArgs,
    WorkflowRun,
)
from pulumi_vod_workflow.core.inputs.property_names import to_property_names
from pulumi_vod_workflow.core.request import request_fields
from pulumi_vod_workflow.core.resource_types import (
    BATCH_TYPE,
    COMPLETION_TYPE,
    RUN_TYPE,
    canonical_type,
)
from tests.engine.harness import Outcome, Program, Story, run
from tests.engine.hosts import HostName
from tests.engine.scenarios import Failure, Later, Scenario, pays, play, stays

pytestmark = pytest.mark.hosts("dynamic", torture="plugin")


def outputs_of(story: Story, owner: str) -> dict[str, dict[str, Any]]:
    """The outputs of a scenario's runs in the state; their names are without its own."""
    return {
        name.removeprefix(f"{owner}-"): resource["outputs"]
        for name, resource in story.resources.items()
        if name.startswith(f"{owner}-")
    }


def starting(story: Story) -> Scenario:
    """Each declared run is started once, the same start declared twice too, under any parent."""
    given: dict[str, Any] = {"vid": "v1", "template_id": "starting"}

    class Side(pulumi.ComponentResource):
        def __init__(self, side: str) -> None:
            super().__init__(f"test:index:{side}", side)
            WorkflowRun("starting-same", pulumi.ResourceOptions(parent=self), **given)

    def program() -> None:
        for name in ("one", "two"):
            WorkflowRun(f"starting-{name}", **given)
        Side("left")
        Side("right")

    yield pays(program, 4)
    outputs = outputs_of(story, "starting")["one"]
    [start] = [item for item in story.emulator.ledger() if item["runId"] == outputs["runId"]]
    assert outputs["clientToken"] == start["clientToken"]
    assert outputs["emulated"] is True
    yield stays(program)


def logo(text: str) -> dict[str, Any]:
    part = {"template_id": "All", "vars": {"k": text}}
    return {"input": {"override_params": {"logo": [part]}}}


EDITS: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "spelled": (
        {"triggers": {"a": 1, "b": 1}},
        {"triggers": {"a": 1.0, "b": 1}, "priority": 0},
        False,
    ),
    "trigger": ({"triggers": {"a": 1, "b": 1}}, {"triggers": {"a": 2, "b": 1}}, True),
    "fewer": ({"triggers": {"a": 2, "b": 1}}, {"triggers": {"a": 2}}, False),
    "priority": ({}, {"priority": 1}, True),
    "rerun": ({"priority": 1}, {"priority": 1, "rerun_on_failure": True}, False),
    "source": ({}, {"vid": ..., "direct_url": DirectUrlArgs(file_name="f.mp4")}, True),
    "form": (
        {"vid": ..., "direct_url": DirectUrlArgs(file_name="f.mp4")},
        {"vid": ..., "direct_url": {"file_name": "f.mp4"}},
        False,
    ),
    "token": (
        {"vid": ..., "direct_url": {"file_name": "f.mp4"}},
        {"vid": ..., "direct_url": {"fileName": "f.mp4"}, "client_token": "mine"},
        True,
    ),
    "token-gone": ({"client_token": "its"}, {}, False),
    "ignored": ({"vid": "v1"}, {"vid": "v2", "template_id": "t2"}, False),
    "ignored-part": (logo("v"), logo("w"), False),
    "input": ({}, logo("v"), True),
}
"""Resource -> its inputs before and after, and whether the change is a paid run."""
IGNORED = {
    "ignored": ["vid", "template_id"],
    "ignored-part": ["input.override_params.logo[0].vars"],
}
"""Resource -> what its `ignore_changes` names."""


def changing(story: Story) -> Scenario:
    """
    Each kind of change costs what its preview says.

    What `ignore_changes` names keeps the run. An alias carries the run and its token to a new name.
    """

    def declared(moment: int) -> Program:
        def program() -> None:
            for name, (before, after, _) in EDITS.items():
                opts = pulumi.ResourceOptions(ignore_changes=IGNORED.get(name, []))
                inputs = {"template_id": name, **(after if moment else before)}
                run(f"changing-{name}", opts, **inputs)()
            alias = pulumi.ResourceOptions(aliases=[pulumi.Alias(name="changing-old")])
            named = f"changing-{'new' if moment else 'old'}"
            run(named, alias if moment == 1 else None, template_id="named")()

        return program

    yield pays(declared(0), len(EDITS) + 1)
    before = {start["runId"] for start in story.emulator.ledger()}
    token = outputs_of(story, "changing")["old"]["clientToken"]
    _, done = yield pays(declared(1), 5)
    paid = {name for name, (_, _, is_paid) in EDITS.items() if is_paid}
    started = [start for start in story.emulator.ledger() if start["runId"] not in before]
    assert {start["templateId"] for start in started} & {*EDITS} == paid
    changed = [(op, name.removeprefix("changing-")) for op, name in done.changed]
    assert {name for op, name in changed if op != "update"} == paid
    assert ("update", "fewer") in changed
    assert "form" not in {name for _, name in changed}
    assert outputs_of(story, "changing")["new"]["clientToken"] == token
    yield stays(declared(2))


def tightened(story: Story) -> Scenario:
    """
    A state that holds what is refused today, as after a rule was tightened by an upgrade.

    What is recorded stays right, and what starts again is checked again.
    """

    def spoil(item: dict[str, Any]) -> None:
        if item["urn"].endswith("::tightened"):
            for properties in (item["inputs"], item["outputs"]):
                properties["priority"] = 99

    yield pays(run("tightened"), 1)
    story.edit(spoil)
    wrong = run("tightened", priority=99)
    yield stays(wrong)
    again = {"replace": [story.resources["tightened"]["urn"]]}
    for failure in (
        Failure(wrong, is_preview=True, options=again),
        Failure(wrong, options=again),
        Failure(run("tightened", priority=99, triggers={"again": 1})),
    ):
        refused, _ = yield failure
        assert "priority: " in refused.text


def test_refresh_follows_a_run_until_its_record_expires(story: Story) -> None:
    """
    Refresh reads status, tasks and results; a run that has ended is not asked about again.

    Results are objects with attributes, ready to feed another resource. After 30 days the service
    forgets, and the state keeps what was last read. A run that was never read before its record
    went is expired, not gone. `pulumi refresh --run-program` reads the stack's outputs, too, and
    starts nothing, whatever was edited. Nothing of this costs anything.
    """

    def program(**edited: Any) -> Program:
        def declare() -> None:
            made = WorkflowRun("run", vid="v1", template_id="t1")
            codec = made.transcodes.apply(
                lambda all_: all_ and all_[0].video_stream_meta and all_[0].video_stream_meta.codec
            )
            offsets = made.snapshots.apply(
                lambda all_: all_ and all_[0].sample and all_[0].sample.offsets
            )
            uris = made.transcodes.apply(lambda all_: [one.store_uri for one in all_])
            pulumi.export("uris", uris)
            pulumi.export("codec", codec)
            pulumi.export("task", made.tasks.apply(lambda all_: all_ and all_[0].status))
            pulumi.export("offsets", offsets)
            failing: Any = {"vid": "emu-fail-2003", "template_id": "t1", **edited}
            pulumi.export("phase", WorkflowRun("failing", rerun_on_failure=True, **failing).phase)
            if edited:
                run("unread", vid="v2")()

        return declare

    def phase() -> Any:
        return story.stack.outputs()["phase"].value

    edited = program(triggers={"x": 1})
    outputs = story.up(program()).outputs
    assert (outputs["uris"], outputs["phase"]) == ([], "submitted")
    story.emulator.advance(1500)
    assert "running (Running: being processed)" in story.refresh().text
    running = story.resources["run"]["outputs"]
    assert (running["phase"], running["status"]) == ("running", "Running")
    assert running["tasks"]
    assert phase() == "submitted", "a plain one leaves them"
    assert not story.refresh_with(program()).failed
    assert phase() == "running"
    story.emulator.advance(1500)
    assert not story.refresh_with(edited).failed
    assert phase() == "failed"
    assert len(story.emulator.ledger()) == 2
    assert set(story.resources) == {"run", "failing"}
    done = story.resources["run"]["outputs"]
    assert (done["phase"], done["status"]) == ("succeeded", "0")
    assert done["transcodes"]
    assert done["snapshots"]
    asked = story.emulator.requests()
    story.refresh()
    assert story.emulator.requests() == asked

    outputs = story.pays(edited, 2).outputs
    assert outputs["uris"][0].startswith("tos://")
    assert (outputs["codec"], outputs["task"]) == ("h264", "Completed")
    assert outputs["offsets"] == [0, 10, 20]
    story.emulator.advance(40 * 86400)
    story.refresh()
    runs = {name: resource["outputs"] for name, resource in story.resources.items()}
    assert runs["run"] == done
    assert runs["unread"]["phase"] == "expired"
    assert "30 days" in runs["unread"]["statusReason"]
    story.pays(edited, 0)


FAILED = {
    "emu-fail-1001": ("1001", "failed", "a rerun alone does not help"),
    "emu-fail-2003": ("2003", "failed", "a rerun can help"),
    "emu-terminated": ("Terminated", "terminated", "ended by a user"),
}


def rerunning(story: Story) -> Scenario:
    """
    A failed run is recorded with its reason, and not started again by itself.

    `up --refresh` reads once more after the approval: what it learns is for the next one. The wish
    to run again may come from another resource: unknown, it is shown as what it may cost.
    """

    def program(number: int, **more: Any) -> Program:
        def declare() -> None:
            for vid in FAILED:
                run(f"rerunning-{vid}", vid=vid, template_id="r1", **more)()
            failing: Any = {"vid": "emu-fail-2003", "template_id": "r2"}
            WorkflowRun("rerunning-wanted", **failing, rerun_on_failure=True)
            triggers = {"n": number}
            other = WorkflowRun("rerunning-other", vid="v2", template_id="r1", triggers=triggers)
            again = other.run_id.apply(lambda _: True)
            WorkflowRun("rerunning-unknown", **failing, rerun_on_failure=again)

        return declare

    def paid() -> Counter[str]:
        started = Counter(start["templateId"] for start in story.emulator.ledger())
        return Counter({workflow: started[workflow] for workflow in ("r1", "r2")})

    yield pays(program(1), len(FAILED) + 3)
    first = paid()
    yield Later(3000)
    yield stays(program(1), refresh=True)
    for vid, (status, phase, says) in FAILED.items():
        outputs = outputs_of(story, "rerunning")[vid]
        assert (outputs["status"], outputs["phase"]) == (status, phase)
        assert says in outputs["statusReason"]
    shown, _ = yield pays(program(2), 3)
    assert paid() - first == {"r1": 1, "r2": 2}, "other; wanted and unknown"
    says = "failed with 2003: rerun_on_failure starts a new run (paid)"
    assert ("rerunning-wanted", says) in shown.lines
    yield pays(program(2, rerun_on_failure=True), 1)
    assert story.emulator.ledger()[-1]["vid"] == "emu-fail-2003"
    assert paid() - first == {"r1": 2, "r2": 2}


def run_and_batch() -> None:
    run()()
    items: Any = {"a": {"vid": "v-a"}, "b": {"vid": "v-b"}}
    WorkflowBatch("batch", items=items, defaults={"template_id": "t1"})


def test_another_configuration_or_name_neither_replaces_nor_misleads(
    story: Story, host: HostName
) -> None:
    """
    A run is read where it was started, whatever the configuration says now.

    Emulated runs are no real ones: a preview for the service shows the starts. Tokens were derived
    from the stack's old name, and stay. A run that should be there and is not means a wrong
    account; the state stays.
    """
    story.up(run_and_batch)
    story.write_config(vod_region="ap-southeast-1", vod_requestsPerSecond="7")
    story.stays(run_and_batch)
    story.refresh()
    recorded = story.run
    assert (recorded["region"], recorded["phase"]) == ("cn-north-1", "pending")
    assert recorded["status"] == "PendingStart"
    story.write_config(vod_endpoint="https://vod.example.com")
    preview = story.preview(run_and_batch)
    assert preview.starts == 3
    assert ("run", "its run is an emulated one: starts a paid run") in preview.lines
    assert "starts 2 of 2 items (paid): its run is an emulated one: a, b" in preview.text
    assert "paid, at https://vod.example.com" in preview.text
    assert len(story.emulator.ledger()) == 3
    story.write_config(vod_endpoint=story.emulator.url)

    items = story.batch["runs"]
    story.stack.rename("renamed")
    story.pays(run_and_batch, 0)
    assert story.run["clientToken"] == recorded["clientToken"]
    assert story.run["scope"]["stack"] == "renamed"
    assert {key: item["runId"] for key, item in story.batch["runs"].items()} == {
        key: item["runId"] for key, item in items.items()
    }

    recorded = story.run
    story.emulator.reset()
    # The packaged provider reads before each preview and destroy, which a free run must not block.
    refreshed = story.failing_refresh() if host == "dynamic" else story.refresh()
    assert "ResourceNotFound" in refreshed.text
    assert "the configured emulator does not know this run" in refreshed.text
    assert story.run == recorded


def test_destroy_then_up(story: Story) -> None:
    """
    Destroying an unfinished run is free and cancels nothing. A line names each real run.

    A retained run is not even mentioned. The same declaration joins an unfinished run, and is a
    new one once that has ended. `WorkflowRun.get` looks up, owns nothing and starts nothing.
    """

    def program() -> None:
        run()()
        run("real", template_id="t2")()
        run("kept", pulumi.ResourceOptions(retain_on_delete=True), template_id="t3")()

    def with_a_real_one(item: dict[str, Any]) -> None:
        item["outputs"]["emulated"] = "::run" in item["urn"]

    story.up(program)
    ids = {name: resource["outputs"]["runId"] for name, resource in story.resources.items()}
    story.edit(with_a_real_one)
    said = story.destroy().text
    assert f"{ids['real']} removed from state; the run keeps running" in said
    assert f"{ids['run']} removed from state" not in said, "an emulated one is not billed"
    assert f"{ids['kept']} removed from state" not in said
    assert story.resources == {}
    assert len(story.emulator.ledger()) == 3

    def looked_up() -> None:
        run()()
        found = WorkflowRun.get("found", ids["run"])
        pulumi.export("phase", found.phase)
        pulumi.export("vid", found.vid)

    assert story.up(looked_up).outputs == {"phase": "pending", "vid": "v1"}
    assert len(story.emulator.ledger()) == 3, "joined by its token"
    urn = story.resources["run"]["urn"]
    story.up(looked_up, replace=[urn])
    assert len(story.emulator.ledger()) == 3, "joined, too"
    story.emulator.advance(3000)
    story.pays(looked_up, 1, replace=[urn])


PARAMS: dict[str, Any] = {
    "override_params": {"logo": [{"template_id": "All", "vars": {"Keyword": "水印"}}]},
    "condition": {"Long": True},
}
RICH: dict[str, Any] = {"input": PARAMS, "priority": 2, "callback_args": "x"}
"""What a run was started with, besides its source and workflow."""


def adopting(story: Story) -> Scenario:
    """
    An existing run is read, never started; ceasing to name it starts nothing.

    - The id is enough; declaring the source later starts nothing.
    - What an adopted run was started with is read, so declaring that later starts nothing.
    - Triggers, priorities and callback args beside an adopted run ask for nothing of their own.
    """

    def declared(**resources: dict[str, Any]) -> Program:
        def program() -> None:
            for name, inputs in resources.items():
                run(f"adopting-{name}", **{"template_id": "a1", **inputs})()

        return program

    def lines(outcome: Outcome, name: str) -> list[str]:
        return [text for of, text in outcome.lines if of == f"adopting-{name}"]

    yield pays(declared(first={}, rich={"template_id": "a2", **RICH}), 2)
    first, rich = (story.ledger_of(workflow)["runId"] for workflow in ("a1", "a2"))
    unsaid: dict[str, Any] = {"vid": ..., "template_id": ...}
    of_first: dict[str, Any] = {"existing_run_id": first}
    of_rich: dict[str, Any] = {"existing_run_id": rich}
    all_known = {"template_id": "a2", **RICH}

    adopting = declared(
        source=of_first,
        alone={**unsaid, **of_first},
        beside={**of_first, "triggers": {"x": 1}},
        known={"template_id": "a2", **of_rich},
        told={"template_id": "a2", **of_rich},
        rest={**unsaid, **of_rich},
    )
    seen = yield pays(adopting, 0)
    says = f"adopts {first}: starts no run (free)"
    for outcome in seen:
        assert {name for name, text in outcome.lines if says in text} == {
            f"adopting-{name}" for name in ("source", "alone", "beside")
        }
    recorded = outputs_of(story, "adopting")
    assert {name: outputs["runId"] for name, outputs in recorded.items()} == {
        **dict.fromkeys(("source", "alone", "beside"), first),
        **dict.fromkeys(("known", "told", "rest"), rich),
    }
    assert recorded["source"]["status"] == "PendingStart"
    assert recorded["alone"]["vid"] == "v1"
    assert "clientToken" not in recorded["alone"]
    assert recorded["known"]["priority"] == 2
    logo = recorded["known"]["input"]["overrideParams"]["logo"][0]
    assert logo["vars"] == {"Keyword": "水印"}
    yield stays(adopting)
    yield Later()

    free = "its run as existing_run_id: starts no run (free)"
    shown, _ = yield pays(
        declared(
            source={},
            alone={},
            beside={**of_first, "triggers": {"x": 2}, "priority": 1},
            known={"template_id": "a2"},
            told={**all_known, **of_rich},
            rest=all_known,
        ),
        0,
    )
    assert f"no longer declares {free}" in lines(shown, "source")
    shown, _ = yield pays(
        declared(
            source=of_first,
            beside={**of_first, "callback_args": "x"},
            known={"template_id": "a2", **of_rich},
        ),
        0,
    )
    assert f"declares {free}" in lines(shown, "source")
    yield pays(
        declared(
            beside={"triggers": {"x": 3}},
            known={**all_known, "priority": 3},
        ),
        2,
    )


def refusing(story: Story) -> Scenario:
    """
    Adopting what does not exist, or was started with something else, fails clearly.

    Of the recorded run the preview knows it.
    """
    first = run("refusing-first", template_id="refusing")
    yield pays(first, 1)
    run_id = story.ledger_of("refusing")["runId"]
    other: Any = {"template_id": "refusing", "existing_run_id": run_id}
    refused, _ = yield Failure(run("refusing-first", vid="other", **other), is_preview=True)
    assert "was started with another vid" in refused.text

    def wrong() -> None:
        first()
        run("refusing-other", vid="v2", **other)()
        run("refusing-missing", existing_run_id="emu:none")()

    failed, _ = yield Failure(wrong, options={"continue_on_error": True})
    lines = failed.lines
    assert any(name == "refusing-other" and "another vid" in text for name, text in lines)
    assert any(name == "refusing-missing" and "ResourceNotFound" in text for name, text in lines)
    recorded = outputs_of(story, "refusing")
    assert {name: outputs["vid"] for name, outputs in recorded.items()} == {"first": "v1"}


def test_an_adoption_that_turns_out_to_be_none_was_shown_as_a_start(story: Story) -> None:
    """
    An id that is unknown at preview may be none: then the run is started, and paid.

    The total of paid runs is shown as they come.
    """

    def program() -> None:
        first = WorkflowRun("first", vid="v1", template_id="t1")
        none: Any = first.run_id.apply(lambda _: None)
        WorkflowRun("second", vid="v2", template_id="t1", existing_run_id=none)

    done = story.pays(program, 2)
    said = [line for line in done.lines if "paid run" in line[1]]
    assert sorted(said) == [
        ("", "1 paid run so far"),
        ("", "2 paid runs so far"),
        ("first", "starts a paid run"),
        ("second", "starts a paid run"),
    ]


@pytest.mark.hosts("dynamic")  # the packaged provider reads the first run before each preview
def test_an_output_that_is_not_there_yet_is_unknown_in_a_preview(story: Story) -> None:
    """A trigger of one is shown as a replacement each time, as `run-again.md` warns."""

    def program() -> None:
        first = WorkflowRun("first", vid="v1", template_id="t1")
        fed: Any = {"status": first.status, "files": first.transcodes}
        WorkflowRun("second", vid="v2", template_id="t1", triggers=fed)

    story.up(program)
    assert story.preview(program).starts == 1
    assert story.up(program).changed == []
    story.refresh()
    story.pays(program, 1)
    story.stays(program)


def test_a_state_says_where_in_the_program_a_resource_is(story: Story) -> None:
    """The line that declares it, and how the program came there."""

    given: dict[str, Any] = {"vid": "v", "template_id": "t"}

    def declared(opts: pulumi.ResourceOptions) -> None:
        batch = WorkflowBatch("batch", opts, items={"k": given})  # batch
        batch.wait("batch-ends", opts)  # completion

    class Channel(pulumi.ComponentResource):
        def __init__(self, name: str) -> None:
            super().__init__("test:Channel", name)
            here = pulumi.ResourceOptions(parent=self)
            WorkflowRun("in-a-channel", here, **given)  # run
            declared(here)  # helper

    def program() -> None:
        Channel("channel")  # program

    story.emulator.clock(step_seconds=3600)  # so that it has ended when it is looked at
    story.up(program)
    text = Path(__file__).read_text().splitlines()

    def line(position: str) -> str:
        file, _, number = position.partition("#")
        is_here = Path(file).name == Path(__file__).name
        return text[int(number.partition(",")[0]) - 1].rpartition("# ")[2] if is_here else ""

    def told(resource: dict[str, Any]) -> list[str]:
        calls = [line(call["sourcePosition"]) for call in resource["stackTrace"]]
        # `wait` declares a completion in a line of this package.
        assert line(resource["sourcePosition"]) == calls[0]
        assert calls[0] or canonical_type(resource["type"]) == COMPLETION_TYPE
        return [call for call in calls if call]

    [run], [batch], [completion] = (
        story.of_type(kind).values() for kind in (RUN_TYPE, BATCH_TYPE, COMPLETION_TYPE)
    )
    assert told(run) == ["run", "program"]
    assert told(batch) == ["batch", "helper", "program"]
    assert told(completion) == ["completion", "helper", "program"]


EVERYTHING = {
    "direct_url": {"file_name": "文件.mp4", "space_name": "s", "bucket_name": "b"},
    "priority": -5,
    "callback_args": "参数",
    "enable_low_priority": True,
    "task_list_id": "q",
    "input": {
        "condition": {"Long": False},
        "override_params": {
            "logo": [{"template_id": "All", "vars": {"Keyword": "水印"}}],
            "snapshot": [
                {
                    "template_id": ["s1"],
                    "file_name": "{{fileTitle}}",
                    "file_index": "i",
                    "sample_offsets": [1.0, 2.5],
                    "width": 0,
                    "height": 720,
                },
                {"template_id": ["s2", "s3"], "offset_time": 100, "offset_time_list": [10, 20]},
            ],
            "transcode_audio": [{"template_id": ["a1"], "clip": {"end_time": 20000}}],
            "transcode_video": [
                {
                    "template_id": ["v1"],
                    "clip": {"start_time": 2000, "end_time": 0},
                    "file_name": "f",
                    "logo_template_id": "l",
                    "output_index": [0, 1],
                }
            ],
            "enhance": {"storage_mode": "m", "file_name": "e"},
        },
    },
}
TYPES: dict[str, Any] = {
    "direct_url": DirectUrlArgs,
    "input": WorkflowParamsArgs,
    "override_params": OverrideParamsArgs,
    "logo": LogoOverrideArgs,
    "snapshot": SnapshotOverrideArgs,
    "transcode_audio": TranscodeAudioOverrideArgs,
    "transcode_video": TranscodeVideoOverrideArgs,
    "enhance": EnhanceOverrideArgs,
    "clip": ClipArgs,
}


def as_args(value: Any, made: Any = None, wrap: Any = lambda value: value) -> Any:
    """The same declaration in argument classes, each value wrapped."""
    if isinstance(value, list):
        return [as_args(item, made, wrap) for item in value]
    if isinstance(value, dict):
        parts = {key: as_args(item, TYPES.get(key), wrap) for key, item in value.items()}
        return made(**parts) if made else parts
    return wrap(value)


def spelling(story: Story) -> Scenario:
    """
    Every parameter in every form is the same start, and the service got it all.

    The forms are dictionaries, argument classes and outputs.
    """

    def in_args(key: str, value: Any) -> Any:
        return as_args(value, TYPES.get(key))

    def in_outputs(key: str, value: Any) -> Any:
        return as_args(value, TYPES.get(key), pulumi.Output.from_input)

    def declared(*forms: Callable[[str, Any], Any]) -> Program:
        def program() -> None:
            for number, form in enumerate(forms):
                inputs = {key: form(key, value) for key, value in EVERYTHING.items()}
                WorkflowRun(f"spelling-{number}", template_id="s1", **inputs)

        return program

    yield pays(declared(lambda _, value: value, in_args), 2)
    run_id = outputs_of(story, "spelling")["0"]["runId"]

    def adopted() -> None:
        declared(in_args, in_outputs)()
        run("spelling-adopted", vid=..., template_id=..., existing_run_id=run_id)()

    yield pays(adopted, 0)
    told = outputs_of(story, "spelling")["adopted"]
    expected = request_fields(to_property_names({**EVERYTHING, "template_id": "s1"}))
    assert request_fields(to_property_names(told)) == expected


def depending(story: Story) -> Scenario:
    """An input from another resource is unknown at preview and shown as what it may cost."""

    def program(vid: str, second: str) -> Program:
        def declare() -> None:
            first = WorkflowRun("depending-first", vid=vid, template_id="t1")
            WorkflowRun(
                "depending-second",
                vid=first.run_id.apply(lambda _: second),
                template_id="t1",
                input={
                    "override_params": {
                        "snapshot": [
                            SnapshotOverrideArgs(
                                template_id=[first.run_id.apply(lambda _: "s1")],
                                file_name=first.run_id.apply(lambda text: text.split(":")[0]),
                            )
                        ]
                    }
                },
            )

        return declare

    yield pays(program("v1", "x"), 2)
    yield stays(program("v1", "x"))
    yield pays(program("v2", "y"), 2)
    [row] = [line for line in story.shown.text.splitlines() if "depending-second replace" in line]
    assert "depending-second replace [diff: ~clientToken,input,vid]; starts a paid run" in row
    assert "-clientToken" not in row, "it is open, not removed"


def test_a_run_is_paid_once_and_only_as_shown(story: Story) -> None:
    """Runs are changed, adopted, run again, and depend on each other."""
    play(story, starting, changing, adopting, rerunning, spelling, depending, tightened, refusing)
