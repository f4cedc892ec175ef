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
from tests.engine.harness import Program, Story, run
from tests.engine.hosts import HostName

pytestmark = pytest.mark.hosts("dynamic", torture="plugin")


def test_up_starts_once_and_a_second_up_nothing(story: Story) -> None:
    """Each declared run is started once, the same start declared twice too, under any parent."""

    class Side(pulumi.ComponentResource):
        def __init__(self, side: str) -> None:
            super().__init__(f"test:index:{side}", side)
            WorkflowRun("same", pulumi.ResourceOptions(parent=self), vid="v1", template_id="t1")

    def program() -> None:
        for name in ("one", "two"):
            WorkflowRun(name, vid="v1", template_id="t1")
        Side("left")
        Side("right")

    story.pays(program, 4)
    outputs = story.resources["one"]["outputs"]
    [start] = [item for item in story.emulator.ledger() if item["runId"] == outputs["runId"]]
    assert outputs["clientToken"] == start["clientToken"]
    assert (outputs["phase"], outputs["emulated"]) == ("submitted", True)
    story.stays(program)


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


def test_changes(story: Story) -> None:
    """
    Each kind of change costs what its preview says.

    What `ignore_changes` names keeps the run. An alias carries the run and its token to a new name.
    """

    def declared(moment: int) -> Program:
        def program() -> None:
            for name, (before, after, _) in EDITS.items():
                opts = pulumi.ResourceOptions(ignore_changes=IGNORED.get(name, []))
                run(name, opts, **{"template_id": name, **(after if moment else before)})()
            alias = pulumi.ResourceOptions(aliases=[pulumi.Alias(name="old")])
            run("new" if moment else "old", alias if moment == 1 else None, template_id="named")()

        return program

    story.up(declared(0))
    first = len(EDITS) + 1
    assert len(story.emulator.ledger()) == first
    token = story.resources["old"]["outputs"]["clientToken"]
    done = story.pays(declared(1), 5)
    paid = {name for name, (_, _, is_paid) in EDITS.items() if is_paid}
    assert {start["templateId"] for start in story.emulator.ledger()[first:]} == paid
    assert {name for op, name in done.changed if op != "update"} == paid
    assert ("update", "fewer") in done.changed
    assert "form" not in {name for _, name in done.changed}
    assert story.resources["new"]["outputs"]["clientToken"] == token
    story.stays(declared(2))


def test_what_is_recorded_stays_right_and_what_starts_again_is_checked_anew(story: Story) -> None:
    """A state that holds what is refused today, as after a rule was tightened by an upgrade."""
    story.up(run())
    [resource] = story.resources.values()

    def spoil(item: dict[str, Any]) -> None:
        for properties in (item["inputs"], item["outputs"]):
            properties["priority"] = 99

    story.edit(spoil)
    story.stays(run(priority=99))
    for again in (story.preview, story.failing_up):
        outcome = again(run(priority=99), replace=[resource["urn"]])
        assert outcome.failed
        assert "priority: " in outcome.text
    changed = story.failing_up(run(priority=99, triggers={"again": 1}))
    assert "priority: " in changed.text
    assert len(story.emulator.ledger()) == 1


def test_refresh_follows_a_run_until_its_record_expires(story: Story) -> None:
    """
    Refresh reads status, tasks and results; a run that has ended is not asked about again.

    Results are objects with attributes, ready to feed another resource. After 30 days the service
    forgets, and the state keeps what was last read. A run that was never read before its record
    went is expired, not gone. Nothing of this costs anything.
    """

    def program() -> None:
        made = WorkflowRun("run", vid="v1", template_id="t1")
        codec = made.transcodes.apply(
            lambda all_: all_ and all_[0].video_stream_meta and all_[0].video_stream_meta.codec
        )
        offsets = made.snapshots.apply(
            lambda all_: all_ and all_[0].sample and all_[0].sample.offsets
        )
        pulumi.export("uris", made.transcodes.apply(lambda all_: [one.store_uri for one in all_]))
        pulumi.export("codec", codec)
        pulumi.export("task", made.tasks.apply(lambda all_: all_ and all_[0].status))
        pulumi.export("offsets", offsets)

    def both() -> None:
        program()
        run("unread", vid="v2")()

    assert story.up(program).outputs["uris"] == []
    story.refresh()
    assert (story.run["phase"], story.run["status"]) == ("pending", "PendingStart")
    story.emulator.advance(1500)
    assert "running (Running: being processed)" in story.refresh().text
    assert (story.run["phase"], story.run["status"]) == ("running", "Running")
    assert story.run["tasks"]
    story.emulator.advance(1000)
    story.refresh()
    done = story.run
    assert (done["phase"], done["status"]) == ("succeeded", "0")
    assert done["transcodes"]
    assert done["snapshots"]
    asked = story.emulator.requests()
    story.refresh()
    assert story.emulator.requests() == asked

    outputs = story.pays(both, 1).outputs
    assert outputs["uris"][0].startswith("tos://")
    assert (outputs["codec"], outputs["task"]) == ("h264", "Completed")
    assert outputs["offsets"] == [0, 10, 20]
    story.emulator.advance(40 * 86400)
    story.refresh()
    runs = {name: resource["outputs"] for name, resource in story.resources.items()}
    assert runs["run"] == done
    assert runs["unread"]["phase"] == "expired"
    assert "30 days" in runs["unread"]["statusReason"]
    story.pays(both, 0)


FAILED = {
    "emu-fail-1001": ("1001", "failed", "a rerun alone does not help"),
    "emu-fail-2003": ("2003", "failed", "a rerun can help"),
    "emu-terminated": ("Terminated", "terminated", "ended by a user"),
}


def test_a_failed_run_is_run_again_only_if_wanted_and_shown(story: Story) -> None:
    """
    A failed run is recorded with its reason, and not started again by itself.

    `up --refresh` reads once more after the approval: what it learns is for the next one. The wish
    to run again may come from another resource: unknown, it is shown as what it may cost.
    """

    def program(number: int, **more: Any) -> Program:
        def declare() -> None:
            for vid in FAILED:
                run(vid, vid=vid, **more)()
            failing: Any = {"vid": "emu-fail-2003", "template_id": "t2"}
            WorkflowRun("wanted", **failing, rerun_on_failure=True)
            other = WorkflowRun("other", vid="v2", template_id="t1", triggers={"n": number})
            again = other.run_id.apply(lambda _: True)
            WorkflowRun("unknown", **failing, rerun_on_failure=again)

        return declare

    story.up(program(1))
    story.emulator.advance(3000)
    story.up(program(1), refresh=True)
    assert len(story.emulator.ledger()) == len(FAILED) + 3
    for vid, (status, phase, says) in FAILED.items():
        outputs = story.resources[vid]["outputs"]
        assert (outputs["status"], outputs["phase"]) == (status, phase)
        assert says in outputs["statusReason"]
    story.pays(program(2), 3)
    paid = Counter(start["templateId"] for start in story.emulator.ledger()[len(FAILED) + 3 :])
    assert paid == {"t1": 1, "t2": 2}, "other; wanted and unknown"
    says = "failed with 2003: rerun_on_failure starts a new run (paid)"
    assert ("wanted", says) in story.shown.lines
    story.pays(program(2, rerun_on_failure=True), 1)
    last = story.emulator.ledger()[-1]
    assert (last["vid"], last["templateId"]) == ("emu-fail-2003", "t1")


def test_another_configuration_neither_replaces_nor_misleads(story: Story, host: HostName) -> None:
    """
    A run is read where it was started, whatever the configuration says now.

    Emulated runs are no real ones: a preview for the service shows the starts. A run that should be
    there and is not means a wrong account; the state stays.
    """
    story.up(run_and_batch)
    story.write_config(vod_region="ap-southeast-1", vod_requestsPerSecond="7")
    story.stays(run_and_batch)
    story.refresh()
    recorded = story.run
    assert (recorded["region"], recorded["phase"]) == ("cn-north-1", "pending")
    story.write_config(vod_endpoint="https://vod.example.com")
    preview = story.preview(run_and_batch)
    assert preview.starts == 3
    assert ("run", "its run is an emulated one: starts a paid run") in preview.lines
    assert "starts 2 of 2 items (paid): its run is an emulated one: a, b" in preview.text
    assert "paid, at https://vod.example.com" in preview.text
    assert len(story.emulator.ledger()) == 3
    story.write_config(vod_endpoint=story.emulator.url)
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
    story.emulator.advance(3000)
    story.destroy()
    story.up(run())
    assert len(story.emulator.ledger()) == 5


PARAMS: dict[str, Any] = {
    "override_params": {"logo": [{"template_id": "All", "vars": {"Keyword": "水印"}}]},
    "condition": {"Long": True},
}
RICH: dict[str, Any] = {"input": PARAMS, "priority": 2, "callback_args": "x"}
"""What a run was started with, besides its source and workflow."""


def test_adoption(story: Story) -> None:
    """
    An existing run is read, never started; ceasing to name it starts nothing.

    - The id is enough; declaring the source later starts nothing.
    - What an adopted run was started with is read, so declaring that later starts nothing.
    - Triggers, priorities and callback args beside an adopted run ask for nothing of their own.
    """

    def declared(**resources: dict[str, Any]) -> Program:
        def program() -> None:
            for name, inputs in resources.items():
                run(name, **inputs)()

        return program

    def lines(name: str) -> list[str]:
        return [text for of, text in story.shown.lines if of == name]

    story.up(declared(first={}, rich={"template_id": "t2", **RICH}))
    first, rich = (story.ledger_of(workflow)["runId"] for workflow in ("t1", "t2"))
    unsaid: dict[str, Any] = {"vid": ..., "template_id": ...}
    of_first: dict[str, Any] = {"existing_run_id": first}
    of_rich: dict[str, Any] = {"existing_run_id": rich}
    all_known = {"template_id": "t2", **RICH}

    adopting = declared(
        source=of_first,
        alone={**unsaid, **of_first},
        beside={**of_first, "triggers": {"x": 1}},
        known={"template_id": "t2", **of_rich},
        told={"template_id": "t2", **of_rich},
        rest={**unsaid, **of_rich},
    )
    done = story.pays(adopting, 0)
    says = f"adopts {first}: starts no run (free)"
    for outcome in (story.shown, done):
        assert {name for name, text in outcome.lines if says in text} == {
            "source",
            "alone",
            "beside",
        }
    recorded = {name: resource["outputs"] for name, resource in story.resources.items()}
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
    story.stays(adopting)

    free = "its run as existing_run_id: starts no run (free)"
    story.pays(
        declared(
            source={},
            alone={},
            beside={**of_first, "triggers": {"x": 2}, "priority": 1},
            known={"template_id": "t2"},
            told={**all_known, **of_rich},
            rest=all_known,
        ),
        0,
    )
    assert f"no longer declares {free}" in lines("source")
    story.pays(
        declared(
            source=of_first,
            beside={**of_first, "callback_args": "x"},
            known={"template_id": "t2", **of_rich},
        ),
        0,
    )
    assert f"declares {free}" in lines("source")
    assert len(story.emulator.ledger()) == 2
    story.pays(
        declared(
            beside={"triggers": {"x": 3}},
            known={**all_known, "priority": 3},
        ),
        2,
    )


def test_an_adoption_that_turns_out_to_be_none_was_shown_as_a_start(story: Story) -> None:
    """An id that is unknown at preview may be none: then the run is started, and paid."""

    def program() -> None:
        first = WorkflowRun("first", vid="v1", template_id="t1")
        none: Any = first.run_id.apply(lambda _: None)
        WorkflowRun("second", vid="v2", template_id="t1", existing_run_id=none)

    story.pays(program, 2)


def test_adoption_of_another_run_is_refused(story: Story) -> None:
    """
    Adopting what does not exist, or was started with something else, fails clearly.

    Of the recorded run the preview knows it.
    """
    story.up(run("first"))
    run_id = story.emulator.ledger()[0]["runId"]
    refused = story.preview(run("first", vid="other", existing_run_id=run_id))
    assert refused.failed
    assert "was started with another vid" in refused.text

    def wrong() -> None:
        run("first")()
        run("other", vid="v2", existing_run_id=run_id)()
        run("missing", existing_run_id="emu:none")()

    lines = story.failing_up(wrong, continue_on_error=True).lines
    assert any(name == "other" and "another vid" in text for name, text in lines)
    assert any(name == "missing" and "ResourceNotFound" in text for name, text in lines)
    assert {*story.resources} == {"first"}
    assert len(story.emulator.ledger()) == 1
    assert story.resources["first"]["outputs"]["vid"] == "v1"


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


def test_the_command_that_reads_results_starts_nothing(story: Story) -> None:
    """`pulumi refresh --run-program`: the stack's outputs, too, whatever was edited."""

    def program(**edited: Any) -> Program:
        def declared() -> None:
            made = WorkflowRun("run", vid="v1", template_id="t1", rerun_on_failure=True, **edited)
            if edited:
                WorkflowRun("more", vid="v2", template_id="t1")
            pulumi.export("phase", made.phase)

        return declared

    story.emulator.outcome("2001")
    assert story.up(program()).outputs == {"phase": "submitted"}
    story.emulator.advance(1500)
    story.refresh()
    assert story.stack.outputs()["phase"].value == "submitted", "a plain one leaves them"
    for edited, phase in (({}, "running"), ({"triggers": {"x": 1}}, "failed")):
        story.stack.workspace.program = program(**edited)
        story.stack.refresh(run_program=True)
        assert story.stack.outputs()["phase"].value == phase
        story.emulator.advance(1500)
    assert len(story.emulator.ledger()) == 1
    assert set(story.resources) == {"run"}
    story.pays(program(triggers={"x": 1}), 2)


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


def run_and_batch() -> None:
    run()()
    items: Any = {"a": {"vid": "v-a"}, "b": {"vid": "v-b"}}
    WorkflowBatch("batch", items=items, defaults={"template_id": "t1"})


def test_renaming_the_stack_costs_nothing(story: Story) -> None:
    """Tokens were derived from the stack's old name, and stay."""
    story.up(run_and_batch)
    token, runs = story.run["clientToken"], story.batch["runs"]
    story.stack.rename("renamed")
    story.pays(run_and_batch, 0)
    assert story.run["clientToken"] == token
    assert story.run["scope"]["stack"] == "renamed"
    assert {key: item["runId"] for key, item in story.batch["runs"].items()} == {
        key: item["runId"] for key, item in runs.items()
    }


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


def test_every_parameter_in_every_form(story: Story) -> None:
    """In dictionaries, argument classes and outputs: the same start, and the service got it all."""

    def in_args(key: str, value: Any) -> Any:
        return as_args(value, TYPES.get(key))

    def in_outputs(key: str, value: Any) -> Any:
        return as_args(value, TYPES.get(key), pulumi.Output.from_input)

    def declared(*forms: Callable[[str, Any], Any]) -> Program:
        def program() -> None:
            for number, form in enumerate(forms):
                inputs = {key: form(key, value) for key, value in EVERYTHING.items()}
                WorkflowRun(f"run-{number}", template_id="t1", **inputs)

        return program

    story.pays(declared(lambda _, value: value, in_args), 2)
    run_id = story.resources["run-0"]["outputs"]["runId"]

    def adopted() -> None:
        declared(in_args, in_outputs)()
        run("adopted", vid=..., template_id=..., existing_run_id=run_id)()

    story.pays(adopted, 0)
    told = story.resources["adopted"]["outputs"]
    expected = request_fields(to_property_names({**EVERYTHING, "template_id": "t1"}))
    assert request_fields(to_property_names(told)) == expected


def test_unknown_inputs(story: Story) -> None:
    """An input from another resource is unknown at preview and shown as what it may cost."""

    def program(vid: str, second: str) -> Program:
        def declare() -> None:
            first = WorkflowRun("first", vid=vid, template_id="t1")
            WorkflowRun(
                "second",
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

    first = story.pays(program("v1", "x"), 2)
    said = [line for line in first.lines if "paid run" in line[1]]
    assert sorted(said) == [
        ("", "1 paid run so far"),
        ("", "2 paid runs so far"),
        ("first", "starts a paid run"),
        ("second", "starts a paid run"),
    ]
    story.stays(program("v1", "x"))
    story.pays(program("v2", "y"), 2)
    shown = story.shown.text
    assert "second replace [diff: ~clientToken,input,vid]; starts a paid run" in shown
    assert "-clientToken" not in shown, "it is open, not removed"
