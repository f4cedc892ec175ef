"""
Programs of users, as type checkers see them. Nothing here is ever run.

`make types` has mypy and pyright read this file. Each line with an ignore is a mistake. Both
checkers must report it, because an ignore that suppresses nothing is an error.
"""

from collections.abc import Mapping, Sequence
from typing import Any, assert_type

import pulumi
from pulumi import Output, ResourceOptions

import pulumi_vod_workflow as vod
from pulumi_vod_workflow import (
    AudioStreamMeta,
    ClipArgs,
    DirectUrlArgs,
    EnhanceOverrideArgs,
    LogoOverrideArgs,
    OverrideParamsArgs,
    Snapshot,
    SnapshotFiles,
    SnapshotOverrideArgs,
    Transcode,
    TranscodeAudioOverrideArgs,
    TranscodeVideoOverrideArgs,
    VideoStreamMeta,
    WorkflowBatch,
    WorkflowCompletion,
    WorkflowItemArgs,
    WorkflowItemRun,
    WorkflowParamsArgs,
    WorkflowResult,
    WorkflowRun,
    WorkflowTask,
    errors,
    load_manifest,
)
from pulumi_vod_workflow.emulator import EmulatorSettings, VodEmulator, create_app
from pulumi_vod_workflow.errors import Problem
from pulumi_vod_workflow.manifest import ManifestItems


def declare_runs(other: WorkflowRun, secret: Output[str]) -> None:
    """Values, outputs, awaitables, dictionaries and argument classes are accepted."""
    WorkflowRun("plain", vid="v1", template_id="t1")
    WorkflowRun("options", ResourceOptions(protect=True), vid="v1", template_id="t1")
    WorkflowRun(
        "all",
        opts=ResourceOptions(depends_on=[other]),
        template_id=other.template_id,
        direct_url=DirectUrlArgs(file_name=secret, space_name="s", bucket_name="b"),
        input=WorkflowParamsArgs(
            override_params=OverrideParamsArgs(
                logo=[LogoOverrideArgs(template_id="All", vars={"text": secret})],
                snapshot=[
                    SnapshotOverrideArgs(
                        template_id=["s1", secret],
                        file_name="a/{{fileTitle}}",
                        file_index="a/index",
                        offset_time=1000,
                        sample_offsets=[0.5, 1],
                        offset_time_list=[1, 2],
                        width=0,
                        height=720,
                    )
                ],
                transcode_audio=[
                    TranscodeAudioOverrideArgs(
                        template_id=["a1"], clip=ClipArgs(start_time=0, end_time=1000)
                    )
                ],
                transcode_video=[
                    TranscodeVideoOverrideArgs(
                        template_id=["All"],
                        clip={"start_time": 0},
                        file_name="b",
                        logo_template_id="l1",
                        output_index=[0, 1],
                    )
                ],
                enhance=EnhanceOverrideArgs(storage_mode="m", file_name="c"),
            ),
            condition={"node": True},
        ),
        priority=-5,
        callback_args=Output.concat("after ", other.run_id),
        enable_low_priority=True,
        task_list_id="q1",
        client_token="token",
        triggers={"edition": 2, "source": other.status, "list": [1, "a", None]},
        rerun_on=["terminated"],
        rerun_on_failure=False,
    )
    WorkflowRun(
        "dictionaries",
        template_id="t1",
        direct_url={"file_name": "a.mp4", "space_name": "s"},
        input={"override_params": {"logo": [{"template_id": "All"}]}},
    )
    WorkflowRun("adopted", existing_run_id="lb:1")


def read_a_run(run: WorkflowRun) -> None:
    """Each output has its type; a list or a map of an output is read in `apply` or lifted."""
    assert_type(run.run_id, Output[str])
    assert_type(run.client_token, Output[str | None])
    assert_type(run.request_id, Output[str | None])
    assert_type(run.status, Output[str | None])
    assert_type(run.phase, Output[str])
    assert_type(run.status_reason, Output[str])
    assert_type(run.submitted_at, Output[str | None])
    assert_type(run.create_time, Output[str | None])
    assert_type(run.start_time, Output[str | None])
    assert_type(run.end_time, Output[str | None])
    assert_type(run.space_name, Output[str | None])
    assert_type(run.template_name, Output[str | None])
    assert_type(run.job_source, Output[str | None])
    assert_type(run.tasks, Output[Sequence[WorkflowTask]])
    assert_type(run.transcodes, Output[Sequence[Transcode]])
    assert_type(run.snapshots, Output[Sequence[Snapshot]])
    assert_type(run.extra, Output[Mapping[str, Any] | None])
    assert_type(run.region, Output[str])
    assert_type(run.endpoint, Output[str])
    assert_type(run.emulated, Output[bool])
    assert_type(run.vid, Output[str | None])
    assert_type(run.direct_url, Output[Mapping[str, Any] | None])
    assert_type(run.template_id, Output[str])
    assert_type(run.input, Output[Mapping[str, Any] | None])
    assert_type(run.priority, Output[int | None])
    assert_type(run.callback_args, Output[str | None])
    assert_type(run.enable_low_priority, Output[bool | None])
    assert_type(run.task_list_id, Output[str | None])
    assert_type(run.triggers, Output[Mapping[str, Any] | None])
    assert_type(run.existing_run_id, Output[str | None])
    assert_type(run.rerun_on_failure, Output[bool | None])
    assert_type(run.wait(), WorkflowCompletion)
    assert_type(
        run.wait("end", ResourceOptions(), timeout="45m", on_failure="record"), WorkflowCompletion
    )
    first = run.transcodes.apply(lambda files: files[0])
    assert_type(first, Output[Transcode])
    assert_type(first.apply(lambda file: file.store_uri), Output[str | None])


def look_a_run_up(run_id: Output[str]) -> None:
    assert_type(WorkflowRun.get("found", "lb:1"), WorkflowRun)
    assert_type(WorkflowRun.get("found", run_id, ResourceOptions()), WorkflowRun)
    assert_type(WorkflowRun.get("found", id="lb:1").status, Output[str | None])


def declare_batches(path: str, vids: Output[Sequence[str]]) -> None:
    WorkflowBatch("one", items={"a": {"vid": "v1"}}, defaults={"template_id": "t1"})
    WorkflowBatch(
        "two",
        ResourceOptions(),
        items={"a": WorkflowItemArgs(vid="v1", priority=1, triggers={"edition": 1})},
        defaults=WorkflowItemArgs(template_id="t1", input={"condition": {"node": True}}),
        max_failures=5,
    )
    WorkflowBatch("rerun", items={"a": WorkflowItemArgs(vid="v1", rerun_on=["userError"])})
    WorkflowBatch("file", items=load_manifest(path), defaults={"template_id": "t1"})
    items = vids.apply(lambda known: {vid: WorkflowItemArgs(vid=vid) for vid in known})
    WorkflowBatch("late", items=items, defaults={"template_id": "t1"})


def read_a_batch(batch: WorkflowBatch) -> None:
    assert_type(batch.runs, Output[Mapping[str, WorkflowItemRun]])
    assert_type(batch.rejected, Output[Mapping[str, str]])
    assert_type(batch.unclear, Output[Mapping[str, str]])
    assert_type(batch.not_sent, Output[Sequence[str] | None])
    assert_type(batch.max_failures, Output[int | None])
    assert_type(batch.wait(fail_fast=True).fail_fast, Output[bool | None])
    assert_type(batch.client_tokens, Output[Mapping[str, str]])
    assert_type(batch.region, Output[str])
    assert_type(batch.endpoint, Output[str])
    assert_type(batch.items, Output[Mapping[str, Any]])
    assert_type(batch.defaults, Output[Mapping[str, Any] | None])
    assert_type(batch.wait(), WorkflowCompletion)
    assert_type(batch.runs.apply(lambda runs: runs["a"].run_id), Output[str])


def wait_for(run: WorkflowRun, batch: WorkflowBatch, run_id: Output[str]) -> None:
    """Resources and ids, one, a list or a map of names."""
    WorkflowCompletion("one", runs=run)
    WorkflowCompletion("id", runs="lb:1", timeout=90, on_failure="error")
    WorkflowCompletion("output", runs=run_id, timeout="1h30m", on_failure="record")
    WorkflowCompletion("list", runs=[run, batch, run_id, "lb:1"])
    WorkflowCompletion("map", ResourceOptions(), runs={"a": run, "b": batch, "c": run_id})


def read_results(completion: WorkflowCompletion) -> None:
    assert_type(completion.results, Output[Mapping[str, WorkflowResult]])
    assert_type(completion.failed, Output[Sequence[str]])
    assert_type(completion.timeout, Output[float])
    assert_type(completion.on_failure, Output[str])
    # pulumi's stubs give an item of an output no type.
    result: Output[WorkflowResult] = completion.results["a"]
    assert_type(result.apply(lambda it: it.transcodes), Output[Sequence[Transcode]])
    pulumi.export("file", completion.results["a"].transcodes[0].file_name)


def read_a_result(result: WorkflowResult, item: WorkflowItemRun) -> None:
    assert_type(result.phase, str)
    assert_type(result.status_reason, str)
    assert_type(result.run_id, str | None)
    assert_type(result.extra, Mapping[str, Any] | None)
    assert_type(result.transcodes[0].video_stream_meta, VideoStreamMeta | None)
    assert_type(result.transcodes[0].audio_stream_meta, AudioStreamMeta | None)
    assert_type(result.transcodes[0].file_name, str | None)
    assert_type(result.transcodes[0].size, float | None)
    assert_type(result.snapshots[0].poster, SnapshotFiles | None)
    assert_type(item.run_id, str)
    assert_type(item.phase, str)
    assert_type(item.region, str | None)


def read_a_manifest(path: str) -> None:
    items = load_manifest(path, key="name")
    assert_type(items, ManifestItems)
    assert_type(items["a"], dict[str, Any])
    assert_type(items.lines, Mapping[str, int])
    try:
        load_manifest(path)
    except errors.ManifestError as error:
        assert_type(error.problems, tuple[Problem, ...])
        assert_type(error.problems[0].path, str)


def handle(call: errors.CallError) -> None:
    """What scripts read of exceptions."""
    assert_type(call.operation, str)
    assert_type(call.summary, str)
    assert_type(call.service_message, str)
    assert_type(call.description, str)
    assert_type(call.maybe_accepted, bool)
    assert_type(call.retryable, bool)
    try:
        raise call
    except errors.UnknownStartOutcomeError as error:
        assert_type(error.others, int)
    except errors.TransportError as error:
        assert_type((error.sent, error.refused), tuple[bool, bool])
    except errors.ApiError as error:
        assert_type(error.code, str)
        assert_type(error.code_n, int | None)
        assert_type(error.request_id, str | None)
        assert_type(error.http_status, int)
        assert_type(error.retry_after, float | None)
        assert_type(error.remedy, str | None)
    except errors.VodWorkflowError as error:
        assert_type(error.retryable, bool)


def use_old_names(call: errors.CallError) -> None:
    """Names of version 0.1 that warn for one release."""
    assert_type((call.can_repeat, call.what, call.told, call.quoted), tuple[bool, str, str, str])
    try:
        raise call
    except errors.UnclearStartError as error:
        assert_type(error, errors.UnknownStartOutcomeError)


def use_the_emulator() -> None:
    with VodEmulator(EmulatorSettings(seed=7, rate_limit=0, running_seconds=(1, 2))) as emulator:
        assert_type(emulator.url, str)
        assert_type(emulator.config, dict[str, str])
        assert_type(emulator.ledger(), list[dict[str, Any]])
        assert_type(emulator.requests(), dict[str, int])
        emulator.advance(60)
        emulator.outcome("2003", times=2, match="v1")
        emulator.reset()
    create_app(EmulatorSettings())


def make_mistakes(run: WorkflowRun, completion: WorkflowCompletion) -> None:
    """What both checkers must report."""
    WorkflowRun()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    WorkflowRun("x", vid="v", templat_id="t")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    WorkflowRun("x", vid="v", templateId="t")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    WorkflowRun("x", vid=1, template_id="t")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    WorkflowRun("x", vid="v", template_id="t", priority="high")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    WorkflowRun("x", "t", vid="v")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    WorkflowRun("x", None, "v")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    WorkflowRun("x", direct_url="a.mp4", template_id="t")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    WorkflowRun.get("x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    WorkflowBatch("x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    WorkflowBatch("x", items=["v1"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    WorkflowBatch("x", items={}, template_id="t")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    WorkflowBatch("x", items={"a": "v1"})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]
    WorkflowCompletion("x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    WorkflowCompletion("x", runs=1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    WorkflowCompletion("x", runs=run, on_failure="ignore")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    WorkflowCompletion("x", runs=run, time_out=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    run.wait(on_failure="ignore")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    DirectUrlArgs()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    DirectUrlArgs(file_nam="a", file_name="a")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    ClipArgs(start_time="0")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    WorkflowItemArgs(vid="v", client_token="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    assert run.transcode  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    assert completion.result  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    run.status = "x"  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    assert vod.WorkflowRuns  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    assert errors.Unclear  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
