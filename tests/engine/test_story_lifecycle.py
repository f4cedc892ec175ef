"""What users do with a WorkflowRun, on the real engine, counted by the ledger."""

from __future__ import annotations

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
from tests.engine.harness import BATCH_TYPE, COMPLETION_TYPE, RUN_TYPE, Program, Story, run


def test_up_starts_once_and_a_second_up_nothing(story: Story) -> None:
    """A declared run is started once; its outputs say what happened."""
    story.pays(run(), 1)
    [start] = story.emulator.ledger()
    outputs = story.run
    assert outputs["runId"] == start["runId"]
    assert outputs["clientToken"] == start["clientToken"]
    assert (outputs["phase"], outputs["emulated"]) == ("submitted", True)
    assert story.pays(run(), 0).changed == []


def test_changes(story: Story) -> None:
    """Each kind of change costs what its preview says."""
    story.pays(run(triggers={"a": 1, "b": 1}), 1)
    story.pays(run(triggers={"a": 1.0, "b": 1}, priority=0), 0)
    story.pays(run(triggers={"a": 2, "b": 1}), 1)
    assert story.pays(run(triggers={"a": 2}), 0).changed == [("update", "run")]
    story.pays(run(triggers={"a": 2}, priority=1), 1)
    story.pays(run(triggers={"a": 2}, priority=1, rerun_on_failure=True), 0)
    story.pays(run(vid=..., direct_url=DirectUrlArgs(file_name="f.mp4")), 1)
    story.pays(run(vid=..., direct_url={"file_name": "f.mp4"}), 0)
    story.pays(run(vid=..., direct_url={"fileName": "f.mp4"}, client_token="mine"), 1)
    story.pays(run(vid=..., direct_url={"fileName": "f.mp4"}), 0)


def test_what_is_recorded_stays_right_and_what_starts_again_is_checked_anew(story: Story) -> None:
    """A state that holds what is refused today, as after a rule was tightened by an upgrade."""
    story.up(run())
    exported = story.stack.export_stack()
    assert exported.deployment is not None
    [resource] = [item for item in exported.deployment["resources"] if item["type"] == RUN_TYPE]
    for properties in (resource["inputs"], resource["outputs"]):
        properties["priority"] = 99
    story.stack.import_stack(exported)
    assert story.pays(run(priority=99), 0).changed == []
    for again in (story.preview, story.failing_up):
        outcome = again(run(priority=99), replace=[resource["urn"]])
        assert outcome.failed
        assert "priority: " in outcome.text
    changed = story.failing_up(run(priority=99, triggers={"again": 1}))
    assert "priority: " in changed.text
    assert len(story.emulator.ledger()) == 1


def test_refresh_follows_a_run_to_its_results(story: Story) -> None:
    """Refresh reads status, tasks and results; a run that has ended is not asked again."""
    story.up(run())
    story.refresh()
    assert (story.run["phase"], story.run["status"]) == ("pending", "PendingStart")
    story.emulator.advance(1500)
    assert "running (Running: being processed)" in story.refresh().text
    assert (story.run["phase"], story.run["status"]) == ("running", "Running")
    assert story.run["tasks"]
    story.emulator.advance(1000)
    story.refresh()
    assert (story.run["phase"], story.run["status"]) == ("succeeded", "0")
    assert story.run["transcodes"]
    assert story.run["snapshots"]
    asked = story.emulator.requests()
    story.refresh()
    assert story.emulator.requests() == asked
    story.pays(run(), 0)


@pytest.mark.parametrize(
    ("status", "phase", "says"),
    [
        ("1001", "failed", "a rerun alone does not help"),
        ("2003", "failed", "a rerun can help"),
        ("Terminated", "terminated", "ended by a user"),
    ],
)
def test_failed_runs_stay_and_say_why(story: Story, status: str, phase: str, says: str) -> None:
    """A failed run is recorded with its reason, and not started again by itself."""
    story.emulator.outcome(status)
    story.up(run())
    story.emulator.advance(3000)
    story.refresh()
    assert (story.run["status"], story.run["phase"]) == (status, phase)
    assert says in story.run["statusReason"]
    story.pays(run(), 0)
    story.pays(run(rerun_on_failure=True), 1 if status == "2003" else 0)


def test_a_failure_is_run_again_only_as_a_preview_has_shown(story: Story) -> None:
    """`up --refresh` reads once more after the approval: what it learns is for the next one."""
    story.emulator.outcome("2003")
    story.up(run(rerun_on_failure=True))
    story.emulator.advance(3000)
    story.up(run(rerun_on_failure=True), refresh=True)
    assert story.run["status"] == "2003"
    assert len(story.emulator.ledger()) == 1
    preview = story.preview(run(rerun_on_failure=True))
    assert "failed with 2003; rerun_on_failure asks for a new run" in preview.text
    story.pays(run(rerun_on_failure=True), 1)


def test_an_unknown_wish_to_run_again_is_shown_as_what_it_may_cost(story: Story) -> None:
    """The flag itself may come from another resource."""

    def program(number: int) -> Program:
        def declare() -> None:
            other = WorkflowRun("other", vid="v2", template_id="t1", triggers={"n": number})
            again = other.run_id.apply(lambda _: True)
            WorkflowRun("run", vid="v1", template_id="t1", rerun_on_failure=again)

        return declare

    story.emulator.outcome("2003", match="v1")
    story.pays(program(1), 2)
    story.emulator.advance(3000)
    story.refresh()
    story.pays(program(2), 2)


def test_an_expired_record_costs_nothing(story: Story) -> None:
    """After 30 days the service forgets; the state keeps what was last read."""
    story.up(run())
    story.emulator.advance(3000)
    story.refresh()
    done = story.run
    story.emulator.advance(40 * 86400)
    story.refresh()
    assert story.run == done
    story.pays(run(), 0)


def test_an_unread_run_expires_in_place(story: Story) -> None:
    """A run that was never read before its record went is expired, not gone."""
    story.up(run())
    story.emulator.advance(40 * 86400)
    story.refresh()
    assert story.run["phase"] == "expired"
    assert "30 days" in story.run["statusReason"]
    story.pays(run(), 0)


def test_not_found_within_thirty_days_is_an_error(story: Story) -> None:
    """A run that should be there and is not means a wrong account; the state stays."""
    story.up(run())
    before = story.run
    story.emulator.reset()
    failed = story.failing_refresh()
    assert "ResourceNotFound" in failed.text
    assert "the configured emulator does not know this run" in failed.text
    assert story.run == before


def test_destroy_forgets(story: Story) -> None:
    """Destroying an unfinished run cancels nothing, and nothing new is paid."""
    story.up(run())
    assert "billed" not in story.destroy().text, "nothing of the emulator is"
    assert story.resources == {}
    assert len(story.emulator.ledger()) == 1


def test_destroy_then_up(story: Story) -> None:
    """The same declaration joins an unfinished run, and is a new one once that has ended."""
    story.up(run())
    story.destroy()
    story.up(run())
    assert len(story.emulator.ledger()) == 1, "joined by its token"
    story.emulator.advance(3000)
    story.destroy()
    story.pays(run(), 1)


def test_adoption(story: Story) -> None:
    """An existing run is read, never started; ceasing to name it starts nothing."""
    story.up(run("first"))
    [start] = story.emulator.ledger()
    run_id = start["runId"]
    adopting = run("second", existing_run_id=run_id)
    says = f"adopts {run_id}, which is free: nothing is started"
    assert says in story.preview(adopting).text
    assert says in story.pays(adopting, 0).text
    assert story.run["runId"] == run_id
    assert story.run["status"] == "PendingStart"
    story.pays(run("second", existing_run_id=run_id), 0)
    free = "its run as an existing one, which is free: nothing is started"
    assert f"no longer names {free}" in story.preview(run("second")).text
    story.pays(run("second"), 0)
    assert f" names {free}" in story.pays(run("second", existing_run_id=run_id), 0).text
    story.pays(run("second", existing_run_id=run_id, priority=3), 0)
    assert len(story.emulator.ledger()) == 1


def test_adoption_by_id_alone(story: Story) -> None:
    """The id is enough; declaring the source later starts nothing."""
    story.up(run("first"))
    run_id = story.emulator.ledger()[0]["runId"]
    by_id = run("second", vid=..., template_id=..., existing_run_id=run_id)
    story.up(by_id)
    assert story.run["vid"] == "v1"
    assert "clientToken" not in story.run
    assert story.pays(by_id, 0).changed == []
    story.pays(run("second"), 0)
    assert len(story.emulator.ledger()) == 1


def test_everything_of_an_adopted_run_is_known(story: Story) -> None:
    """What an adopted run was started with is read, so declaring it later starts nothing."""
    params = {
        "override_params": {"logo": [{"template_id": "All", "vars": {"Keyword": "水印"}}]},
        "condition": {"Long": True},
    }
    story.up(run("first", input=params, priority=2, callback_args="x"))
    run_id = story.emulator.ledger()[0]["runId"]
    by_source = run("second", existing_run_id=run_id)
    story.up(by_source)
    assert story.run["priority"] == 2
    assert story.run["input"]["overrideParams"]["logo"][0]["vars"] == {"Keyword": "水印"}
    assert story.pays(by_source, 0).changed == []
    story.pays(run("second"), 0)
    story.pays(run("second", existing_run_id=run_id), 0)
    story.up(run("third", vid=..., template_id=..., existing_run_id=run_id))
    story.pays(run("third", input=params, priority=2, callback_args="x"), 0)
    story.pays(run("third", input=params, priority=3, callback_args="x"), 1)


def test_adoption_goes_with_everything_else(story: Story) -> None:
    """Triggers, priorities and callback args beside an adopted run ask for nothing of their own."""
    story.up(run("first"))
    run_id = story.emulator.ledger()[0]["runId"]
    story.pays(run("second", existing_run_id=run_id, triggers={"x": 1}), 0)
    story.pays(run("second", existing_run_id=run_id, triggers={"x": 2}, priority=1), 0)
    story.pays(run("second", existing_run_id=run_id, callback_args="x"), 0)
    story.pays(run("second", existing_run_id=run_id), 0)
    story.pays(run("second", triggers={"x": 3}), 1)


def test_an_adoption_that_turns_out_to_be_none_was_shown_as_a_start(story: Story) -> None:
    """An id that is unknown at preview may be none: then the run is started, and paid."""

    def program() -> None:
        first = WorkflowRun("first", vid="v1", template_id="t1")
        none: Any = first.run_id.apply(lambda _: None)
        WorkflowRun("second", vid="v2", template_id="t1", existing_run_id=none)

    story.pays(program, 2)


def test_adoption_of_another_run_is_refused(story: Story) -> None:
    """Adopting what does not exist, or was started with something else, fails clearly."""
    story.up(run("first"))
    run_id = story.emulator.ledger()[0]["runId"]
    wrong = story.failing_up(run("second", vid="v2", existing_run_id=run_id))
    assert "another vid" in wrong.text
    missing = story.failing_up(run("second", existing_run_id="emu:none"))
    assert "ResourceNotFound" in missing.text
    assert len(story.emulator.ledger()) == 1


def test_get(story: Story) -> None:
    """`WorkflowRun.get` looks up, owns nothing and starts nothing."""
    story.up(run())
    run_id = story.emulator.ledger()[0]["runId"]

    def program() -> None:
        WorkflowRun("run", vid="v1", template_id="t1")
        found = WorkflowRun.get("found", run_id)
        pulumi.export("phase", found.phase)
        pulumi.export("vid", found.vid)

    assert story.up(program).outputs == {"phase": "pending", "vid": "v1"}
    story.destroy()
    assert len(story.emulator.ledger()) == 1


def test_forced_replacement(story: Story) -> None:
    """`--replace` of a finished run is a new, paid run; of an unfinished one it joins."""
    story.up(run())
    urn = story.resources["run"]["urn"]
    story.up(run(), replace=[urn])
    assert len(story.emulator.ledger()) == 1
    story.emulator.advance(3000)
    story.pays(run(), 1, replace=[urn])


def test_an_output_that_is_not_there_yet_is_unknown_in_a_preview(story: Story) -> None:
    """A trigger of one is shown as a replacement each time, as `run-again.md` warns."""

    def program() -> None:
        first = WorkflowRun("first", vid="v1", template_id="t1")
        fed: Any = {"status": first.status, "files": first.transcodes}
        WorkflowRun("second", vid="v2", template_id="t1", triggers=fed)

    story.pays(program, 2)
    for _ in range(2):
        shown = story.preview(program)
        assert (shown.starts, story.up(program).changed) == (1, [])
    story.refresh()
    story.pays(program, 1)
    assert story.pays(program, 0).changed == []


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
    assert story.pays(program(), 1).outputs == {"phase": "submitted"}
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


def test_options(story: Story) -> None:
    """ignore_changes keeps the run; retain_on_delete leaves it unmentioned."""
    story.up(run())
    ignored = pulumi.ResourceOptions(ignore_changes=["vid", "template_id"])
    story.pays(run(opts=ignored, vid="v2", template_id="t2"), 0)
    logo = {"logo": [{"template_id": "All", "vars": {"k": "v"}}]}
    story.pays(run(input={"override_params": logo}), 1)
    logo = {"logo": [{"template_id": "All", "vars": {"k": "w"}}]}
    ignored = pulumi.ResourceOptions(ignore_changes=["input.override_params.logo[0].vars"])
    story.pays(run(input={"override_params": logo}, opts=ignored), 0)


def test_a_state_says_where_in_the_program_a_resource_is(story: Story) -> None:
    """The line that declares it, and how the program came there: nothing of what runs programs."""

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

    def told(resource: dict[str, Any]) -> list[str]:
        calls = [call["sourcePosition"].partition("#") for call in resource["stackTrace"]]
        assert {Path(file).name for file, _, _ in calls} == {Path(__file__).name}
        assert resource["sourcePosition"] == "#".join([calls[0][0], calls[0][2]])
        return [text[int(line) - 1].rpartition("# ")[2] for file, _, line in calls]

    [run], [batch], [completion] = (
        story.of_type(kind).values() for kind in (RUN_TYPE, BATCH_TYPE, COMPLETION_TYPE)
    )
    assert told(run) == ["run", "program"]
    assert told(batch) == ["batch", "helper", "program"]
    assert told(completion) == ["completion", "helper", "program"]


@pytest.mark.parametrize("retained", [False, True])
def test_destroying_an_unfinished_run_says_that_it_goes_on(story: Story, retained: bool) -> None:
    """Unless it is retained: then the run is not even mentioned. (A real one, by its state.)"""
    story.up(run(opts=pulumi.ResourceOptions(retain_on_delete=retained)))
    run_id = story.run["runId"]
    state = story.stack.export_stack()
    assert state.deployment is not None
    for item in state.deployment["resources"]:
        if item["type"] == RUN_TYPE:
            item["outputs"]["emulated"] = False
    story.stack.import_stack(state)
    said = story.destroy().text
    assert (f"{run_id} is forgotten, not cancelled" in said) is not retained
    assert story.resources == {}


def test_two_resources_are_two_runs(story: Story) -> None:
    """The same start declared twice is two runs, as the preview says, under any parent too."""

    class Left(pulumi.ComponentResource):
        def __init__(self) -> None:
            super().__init__("test:index:Left", "left")
            WorkflowRun("same", pulumi.ResourceOptions(parent=self), vid="v1", template_id="t1")

    class Right(pulumi.ComponentResource):
        def __init__(self) -> None:
            super().__init__("test:index:Right", "right")
            WorkflowRun("same", pulumi.ResourceOptions(parent=self), vid="v1", template_id="t1")

    def program() -> None:
        for name in ("one", "two"):
            WorkflowRun(name, vid="v1", template_id="t1")
        Left()
        Right()

    story.pays(program, 4)
    story.pays(program, 0)


def test_renaming_costs_nothing(story: Story) -> None:
    """An alias carries the run and its token to the new name."""
    story.up(run())
    token = story.run["clientToken"]
    alias = pulumi.ResourceOptions(aliases=[pulumi.Alias(name="run")])
    story.pays(run("renamed", alias), 0)
    assert story.run["clientToken"] == token
    story.pays(run("renamed"), 0)


def test_renaming_the_stack_costs_nothing(story: Story) -> None:
    """The token was derived from the stack's old name, and stays."""
    story.up(run())
    token = story.run["clientToken"]
    story.stack.rename("renamed")
    story.pays(run(), 0)
    assert story.run["clientToken"] == token
    assert story.run["scope"]["stack"] == "renamed"


def test_another_region_or_site_neither_replaces_nor_misleads(story: Story) -> None:
    """A run is read where it was started, whatever the configuration says now."""
    story.up(run())
    story.write_config(vod_region="ap-southeast-1", vod_requestsPerSecond="7")
    assert story.pays(run(), 0).changed == []
    story.refresh()
    assert (story.run["region"], story.run["phase"]) == ("cn-north-1", "pending")


def test_leaving_the_emulator_is_shown_as_a_paid_run(story: Story) -> None:
    """An emulated run is not a real one: a preview for the service shows the start."""
    story.up(run())
    story.write_config(vod_endpoint="https://vod.example.com")
    preview = story.preview(run())
    assert preview.starts == 1
    assert ("run", "its run is an emulated one: a paid run is started") in preview.lines
    assert len(story.emulator.ledger()) == 1


def test_typed_outputs(story: Story) -> None:
    """Results are objects with attributes, ready to feed another resource."""

    def program() -> None:
        made = WorkflowRun("run", vid="v1", template_id="t1")
        pulumi.export("uris", made.transcodes.apply(lambda all_: [one.store_uri for one in all_]))
        pulumi.export(
            "codec",
            made.transcodes.apply(
                lambda all_: all_ and all_[0].video_stream_meta and all_[0].video_stream_meta.codec
            ),
        )
        pulumi.export("task", made.tasks.apply(lambda all_: all_ and all_[0].status))
        pulumi.export(
            "offsets",
            made.snapshots.apply(lambda all_: all_ and all_[0].sample and all_[0].sample.offsets),
        )

    assert story.up(program).outputs["uris"] == []
    story.emulator.advance(5000)
    story.refresh()
    outputs = story.up(program).outputs
    assert outputs["uris"][0].startswith("tos://")
    assert (outputs["codec"], outputs["task"]) == ("h264", "Completed")
    assert outputs["offsets"] == [0, 10, 20]


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
    """As dictionaries, argument classes and outputs: one start, and the service got it all."""

    def declared(change: Any) -> Program:
        def program() -> None:
            WorkflowRun("run", template_id="t1", **{k: change(k, v) for k, v in EVERYTHING.items()})

        return program

    story.pays(declared(lambda _, value: value), 1)
    story.pays(declared(lambda key, value: as_args(value, TYPES.get(key))), 0)
    output = pulumi.Output.from_input
    story.pays(declared(lambda key, value: as_args(value, TYPES.get(key), output)), 0)
    run_id = story.run["runId"]
    adopted = run("adopted", vid=..., template_id=..., existing_run_id=run_id)
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
    story.pays(program("v1", "x"), 0)
    shown = story.preview(program("v2", "y")).text
    assert "second replace [diff: ~clientToken,input,vid]; starts a paid run" in shown
    assert "-clientToken" not in shown, "it is open, not removed"
    story.pays(program("v2", "y"), 2)
