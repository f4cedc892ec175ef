"""
What users declare.

Attributes are snake_case; in state and previews they are the API's names in lowerCamelCase.
No `from __future__ import annotations` here: Pulumi reads these annotations at run time.
"""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, dataclass_transform

import pulumi
from pulumi import Input, InputType, Output, ResourceOptions
from pulumi.dynamic import Resource
from pydantic.alias_generators import to_camel

from pulumi_vod_workflow._provider import WorkflowRunProvider
from pulumi_vod_workflow.core.inputs import RunInputs, respell

T = TypeVar("T")


@dataclass_transform(kw_only_default=True, field_specifiers=(pulumi.property,))
def _args(cls: type[T]) -> type[T]:
    """Make `cls` a Pulumi input type that type checkers understand."""
    return pulumi.input_type(cls)


@_args
class DirectUrlArgs:
    """The source as a file of a space (page: DirectUrl)."""

    file_name: Input[str] = pulumi.property("fileName")
    """The file's FileName. Required."""
    space_name: Input[str] | None = pulumi.property("spaceName", default=None)
    """The space that holds it; required for a built-in workflow."""
    bucket_name: Input[str] | None = pulumi.property("bucketName", default=None)
    """The bucket bound to the space."""


@_args
class ClipArgs:
    """The part of the source to process (page: Clip)."""

    start_time: Input[int] | None = pulumi.property("startTime", default=None)
    """Start in milliseconds; default 0."""
    end_time: Input[int] | None = pulumi.property("endTime", default=None)
    """End in milliseconds, after the start; 0 or absent: the source's end."""


@_args
class LogoOverrideArgs:
    """Watermark overrides (page: LogoOverride)."""

    template_id: Input[str] = pulumi.property("templateId")
    """A watermark template's id, or `All`. Required."""
    vars: Input[Mapping[str, Input[str]]] | None = pulumi.property("vars", default=None)
    """Values of the variables that the template defines."""


@_args
class SnapshotOverrideArgs:
    """Snapshot overrides (page: SnapshotOverride)."""

    template_id: Input[Sequence[Input[str]]] = pulumi.property("templateId")
    """Snapshot template ids, or `All` alone. Required."""
    file_name: Input[str] | None = pulumi.property("fileName", default=None)
    """Path of the snapshots, with {{fileTitle}}, {{fileName}}, {{templateId}}; not for DASH."""
    file_index: Input[str] | None = pulumi.property("fileIndex", default=None)
    """Path of the index file. Sample snapshots only."""
    offset_time: Input[int] | None = pulumi.property("offsetTime", default=None)
    """Milliseconds. Static, animated and looping snapshots only."""
    sample_offsets: Input[Sequence[Input[float]]] | None = pulumi.property(
        "sampleOffsets", default=None
    )
    """Seconds. Sample snapshots only."""
    offset_time_list: Input[Sequence[Input[int]]] | None = pulumi.property(
        "offsetTimeList", default=None
    )
    """Milliseconds. Dynpost snapshots only."""
    width: Input[int] | None = pulumi.property("width", default=None)
    """0 to 4096 px, 0 scales; absent: the template's. Sample snapshots of fixed size only."""
    height: Input[int] | None = pulumi.property("height", default=None)
    """0 to 4096 px, 0 scales; absent: the template's. Sample snapshots of fixed size only."""


@_args
class TranscodeAudioOverrideArgs:
    """Audio transcoding overrides (page: TranscodeAudioOverride)."""

    template_id: Input[Sequence[Input[str]]] = pulumi.property("templateId")
    """Audio transcoding template ids, or `All` alone. Required."""
    clip: InputType[ClipArgs] | None = pulumi.property("clip", default=None)
    """The part of the source to transcode."""
    file_name: Input[str] | None = pulumi.property("fileName", default=None)
    """Path of the output, with {{fileTitle}}, {{fileName}}, {{templateId}}; not for DASH."""


@_args
class TranscodeVideoOverrideArgs:
    """Video transcoding overrides (page: TranscodeVideoOverride)."""

    template_id: Input[Sequence[Input[str]]] = pulumi.property("templateId")
    """Video processing template ids, or `All` alone. Required."""
    clip: InputType[ClipArgs] | None = pulumi.property("clip", default=None)
    """The part of the source to transcode."""
    file_name: Input[str] | None = pulumi.property("fileName", default=None)
    """Path of the output, with {{fileTitle}}, {{fileName}}, {{templateId}}; not for DASH."""
    logo_template_id: Input[str] | None = pulumi.property("logoTemplateId", default=None)
    """Watermark template, for video transcoding and ultra-clear templates."""
    output_index: Input[Sequence[Input[int]]] | None = pulumi.property("outputIndex", default=None)
    """Which templates of a template group (SDK only)."""


@_args
class EnhanceOverrideArgs:
    """Enhancement overrides (SDK only, facts 10)."""

    storage_mode: Input[str] | None = pulumi.property("storageMode", default=None)
    """How the enhanced file is stored; the service documents no values."""
    file_name: Input[str] | None = pulumi.property("fileName", default=None)
    """Path of the output."""


@_args
class OverrideParamsArgs:
    """What overrides the templates' settings (page: OverrideParams)."""

    logo: Input[Sequence[InputType[LogoOverrideArgs]]] | None = pulumi.property(
        "logo", default=None
    )
    """Watermarks."""
    snapshot: Input[Sequence[InputType[SnapshotOverrideArgs]]] | None = pulumi.property(
        "snapshot", default=None
    )
    """Snapshots."""
    transcode_audio: Input[Sequence[InputType[TranscodeAudioOverrideArgs]]] | None = (
        pulumi.property("transcodeAudio", default=None)
    )
    """Audio transcoding."""
    transcode_video: Input[Sequence[InputType[TranscodeVideoOverrideArgs]]] | None = (
        pulumi.property("transcodeVideo", default=None)
    )
    """Video transcoding."""
    enhance: InputType[EnhanceOverrideArgs] | None = pulumi.property("enhance", default=None)
    """Enhancement (SDK only)."""


@_args
class WorkflowParamsArgs:
    """Dynamic parameters (page: WorkflowParams)."""

    override_params: InputType[OverrideParamsArgs] | None = pulumi.property(
        "overrideParams", default=None
    )
    """Overrides of the templates' settings."""
    condition: Input[Mapping[str, Input[bool]]] | None = pulumi.property("condition", default=None)
    """Whether the workflow's node of that user condition runs (SDK only)."""


_ARGS = (
    ClipArgs,
    DirectUrlArgs,
    EnhanceOverrideArgs,
    LogoOverrideArgs,
    OverrideParamsArgs,
    SnapshotOverrideArgs,
    TranscodeAudioOverrideArgs,
    TranscodeVideoOverrideArgs,
    WorkflowParamsArgs,
)


def _unwrapped(value: object) -> object:
    if inspect.isawaitable(value):
        return Output.from_input(value)  # can be awaited once only, and is looked at twice
    if isinstance(value, _ARGS):
        value = vars(value)
    if isinstance(value, Mapping):
        return {key: item for key, item in value.items() if item is not None}
    return value


def _if_secret(value: object) -> Output[bool | None]:
    """Tell whether any part of `value` is secret, without becoming secret itself."""
    whole = Output.from_input(value)

    async def told() -> bool | None:
        return await whole.is_secret() or None

    async def known() -> bool:
        return True

    return Output(set(), told(), known())


def _scope(name: str, parent: pulumi.Resource | None) -> dict[str, Input[str]]:
    """Tell resources of one name under different parents apart, as their URNs do."""
    scope: dict[str, Input[str]] = {
        "project": pulumi.get_project(),
        "stack": pulumi.get_stack(),
        "name": name,
    }
    if parent is not None:
        # Without its dependency: waiting for a component waits for its children, this one too.
        urn: Any = parent.urn.future()
        alone = Output[str](set(), urn, parent.urn.is_known())
        scope["parent"] = alone.apply(lambda urn: urn.split("::")[2])
    return scope


@pulumi.output_type
class WorkflowTask:
    """One task of a run (GetWorkflowExecution, TasksDetail)."""

    display_name: str | None = pulumi.property("displayName", default=None)
    template_id: str | None = pulumi.property("templateId", default=None)
    status: str | None = pulumi.property("status", default=None)
    """The service's word: Scheduled, Running, Canceled, TimedOut, Skipped, Completed, Failed."""
    progress: int | None = pulumi.property("progress", default=None)
    """Presumably 0 to 100; the service does not document the unit."""
    start_time: str | None = pulumi.property("startTime", default=None)
    end_time: str | None = pulumi.property("endTime", default=None)


@pulumi.output_type
class VideoStreamMeta:
    """A transcode's video stream."""

    codec: str | None = pulumi.property("codec", default=None)
    height: int | None = pulumi.property("height", default=None)
    width: int | None = pulumi.property("width", default=None)
    duration: float | None = pulumi.property("duration", default=None)
    """Seconds."""
    definition: str | None = pulumi.property("definition", default=None)
    bitrate: int | None = pulumi.property("bitrate", default=None)
    fps: float | None = pulumi.property("fps", default=None)


@pulumi.output_type
class AudioStreamMeta:
    """A transcode's audio stream."""

    codec: str | None = pulumi.property("codec", default=None)
    duration: float | None = pulumi.property("duration", default=None)
    """Seconds."""
    sample_rate: int | None = pulumi.property("sampleRate", default=None)
    bitrate: int | None = pulumi.property("bitrate", default=None)
    quality: str | None = pulumi.property("quality", default=None)
    channels: int | None = pulumi.property("channels", default=None)


@pulumi.output_type
class Transcode:
    """One output file of a run (GetWorkflowExecutionResult, TranscodeInfos)."""

    file_id: str | None = pulumi.property("fileId", default=None)
    md5: str | None = pulumi.property("md5", default=None)
    file_type: str | None = pulumi.property("fileType", default=None)
    """`video` or `audio`."""
    logo_type: str | None = pulumi.property("logoType", default=None)
    encrypt: bool | None = pulumi.property("encrypt", default=None)
    format: str | None = pulumi.property("format", default=None)
    duration: float | None = pulumi.property("duration", default=None)
    """Seconds."""
    size: float | None = pulumi.property("size", default=None)
    """Bytes."""
    store_uri: str | None = pulumi.property("storeUri", default=None)
    """Where it is stored; grants no access by itself."""
    video_stream_meta: VideoStreamMeta | None = pulumi.property("videoStreamMeta", default=None)
    audio_stream_meta: AudioStreamMeta | None = pulumi.property("audioStreamMeta", default=None)
    create_time: str | None = pulumi.property("createTime", default=None)
    dynamic_range: str | None = pulumi.property("dynamicRange", default=None)
    tos_storage_class: str | None = pulumi.property("tosStorageClass", default=None)
    file_extra: Mapping[str, str] | None = pulumi.property("fileExtra", default=None)


@pulumi.output_type
class SnapshotFiles:
    """The files of a snapshot; which fields there are depends on its type."""

    format: str | None = pulumi.property("format", default=None)
    store_uri: str | None = pulumi.property("storeUri", default=None)
    store_uris: Sequence[str] | None = pulumi.property("storeUris", default=None)
    width: int | None = pulumi.property("width", default=None)
    height: int | None = pulumi.property("height", default=None)
    cell_width: int | None = pulumi.property("cellWidth", default=None)
    cell_height: int | None = pulumi.property("cellHeight", default=None)
    img_x_len: int | None = pulumi.property("imgXLen", default=None)
    img_y_len: int | None = pulumi.property("imgYLen", default=None)
    interval: float | None = pulumi.property("interval", default=None)
    capture_num: int | None = pulumi.property("captureNum", default=None)
    duration: float | None = pulumi.property("duration", default=None)
    index_uri: str | None = pulumi.property("indexUri", default=None)
    offsets: Sequence[float] | None = pulumi.property("offsets", default=None)


@pulumi.output_type
class Snapshot:
    """One snapshot of a run (GetWorkflowExecutionResult, Snapshots): `type` names the field."""

    type: str | None = pulumi.property("type", default=None)
    poster: SnapshotFiles | None = pulumi.property("poster", default=None)
    dynpost: SnapshotFiles | None = pulumi.property("dynpost", default=None)
    animated_poster: SnapshotFiles | None = pulumi.property("animatedPoster", default=None)
    ai_dynpost: SnapshotFiles | None = pulumi.property("aiDynpost", default=None)
    sprite: SnapshotFiles | None = pulumi.property("sprite", default=None)
    sample: SnapshotFiles | None = pulumi.property("sample", default=None)


class WorkflowRun(Resource, module="vod", name="WorkflowRun"):
    """
    One run of a VOD workflow. Creating it starts the run, which is paid and cannot be cancelled.

    ========= ============================================================== =========
    operation does                                                           costs
    ========= ============================================================== =========
    preview   checks every rule offline and shows the token                  nothing
    create    StartWorkflow with a deterministic ClientToken                 one run
    replace   when anything sent to the service, or a trigger, changes       one run
    update    when only a setting changes that is not sent                   nothing
    refresh   reads status and results; a run that has ended is not asked    nothing
    delete    forgets; the run goes on                                       nothing
    ========= ============================================================== =========
    """

    run_id: Output[str] = pulumi.property("runId")
    """The service's id of the run, opaque; also the resource's id."""
    client_token: Output[str | None] = pulumi.property("clientToken")
    """What makes a repeated start the same start; none for a run that was adopted."""
    request_id: Output[str | None] = pulumi.property("requestId")
    """RequestId of the answer that accepted the run."""
    status: Output[str | None] = pulumi.property("status")
    """The service's own status, as last read."""
    phase: Output[str] = pulumi.property("phase")
    """submitted, pending, running, succeeded, failed, terminated or expired."""
    status_reason: Output[str] = pulumi.property("statusReason")
    """What the status means, and whether a repeat can help."""
    submitted_at: Output[str | None] = pulumi.property("submittedAt")
    """When the service accepted the run, UTC."""
    create_time: Output[str | None] = pulumi.property("createTime")
    start_time: Output[str | None] = pulumi.property("startTime")
    end_time: Output[str | None] = pulumi.property("endTime")
    space_name: Output[str | None] = pulumi.property("spaceName")
    template_name: Output[str | None] = pulumi.property("templateName")
    job_source: Output[str | None] = pulumi.property("jobSource")
    tasks: Output[Sequence[WorkflowTask] | None] = pulumi.property("tasks")
    """The run's tasks with their progress, as last read."""
    transcodes: Output[Sequence[Transcode] | None] = pulumi.property("transcodes")
    """Output files, once the run has ended."""
    snapshots: Output[Sequence[Snapshot] | None] = pulumi.property("snapshots")
    """Snapshots, once the run has ended."""
    region: Output[str] = pulumi.property("region")
    """Where the run was started, and is read whatever the configuration says later."""
    endpoint: Output[str] = pulumi.property("endpoint")
    emulated: Output[bool] = pulumi.property("emulated")
    """Whether the emulator made this run: it is not real and was not paid."""
    vid: Output[str | None] = pulumi.property("vid")
    direct_url: Output[Mapping[str, Any] | None] = pulumi.property("directUrl")
    template_id: Output[str] = pulumi.property("templateId")
    input: Output[Mapping[str, Any] | None] = pulumi.property("input")
    priority: Output[int | None] = pulumi.property("priority")
    callback_args: Output[str | None] = pulumi.property("callbackArgs")
    enable_low_priority: Output[bool | None] = pulumi.property("enableLowPriority")
    task_list_id: Output[str | None] = pulumi.property("taskListId")
    triggers: Output[Mapping[str, Any] | None] = pulumi.property("triggers")
    existing_run_id: Output[str | None] = pulumi.property("existingRunId")
    rerun_on_failure: Output[bool | None] = pulumi.property("rerunOnFailure")

    def __init__(
        self,
        resource_name: str,
        opts: ResourceOptions | None = None,
        *,
        template_id: Input[str] | None = None,
        vid: Input[str] | None = None,
        direct_url: InputType[DirectUrlArgs] | None = None,
        input: InputType[WorkflowParamsArgs] | None = None,  # noqa: A002 - the API's name
        priority: Input[int] | None = None,
        callback_args: Input[str] | None = None,
        enable_low_priority: Input[bool] | None = None,
        task_list_id: Input[str] | None = None,
        client_token: Input[str] | None = None,
        triggers: Input[Mapping[str, Any]] | None = None,
        existing_run_id: Input[str] | None = None,
        rerun_on_failure: Input[bool] | None = None,
    ) -> None:
        """
        Declare a run.

        Args:
            resource_name: the resource's name in the stack; part of the token.
            opts: Pulumi's options. `custom_timeouts` and `replace_on_changes` have no effect on
                dynamic resources, and `import_` cannot work: use `existing_run_id`.
            template_id: id of the workflow. Required, unless an existing run is adopted.
            vid: the source by its Vid. Exactly one of `vid` and `direct_url`.
            direct_url: the source as a file of a space.
            input: dynamic parameters that override the workflow's templates.
            priority: -5 to 5, larger is served earlier; default 0.
            callback_args: at most 512 bytes, passed through to the completion event.
            enable_low_priority: idle transcoding; default false.
            task_list_id: task queue id (SDK only).
            client_token: 1 to 64 printable ASCII characters instead of the derived token. Two
                resources with the same token and start share one run.
            triggers: a new or changed value asks for a new, paid run; a removed one for nothing.
                Going back to an earlier value gives the earlier token again, and the service may
                then answer with the earlier run.
            existing_run_id: adopt this run: it is only read, nothing is ever started.
            rerun_on_failure: replace, and pay for, a run whose recorded failure is a system error
                (2xxx), on every `up` that finds one recorded; default false.

        """
        declared = {
            "template_id": template_id,
            "vid": vid,
            "direct_url": direct_url,
            "input": input,
            "priority": priority,
            "callback_args": callback_args,
            "enable_low_priority": enable_low_priority,
            "task_list_id": task_list_id,
            "client_token": client_token,
            "triggers": triggers,
            "existing_run_id": existing_run_id,
            "rerun_on_failure": rerun_on_failure,
            "scope": _scope(resource_name, opts.parent if opts else None),
        }
        names = {name: to_camel(name) for name in WorkflowRun.__annotations__}
        # What the engine answers fills these in. Pulumi's own translation of names would also
        # reach the keys of users' maps, so the names of the state are given from the start.
        properties = dict.fromkeys(names.values())
        properties |= respell(declared, RunInputs, to_camel, _unwrapped)
        properties["secretInputs"] = _if_secret(properties)
        if opts is not None:
            opts = ResourceOptions.merge(opts, None)
            for option in ("ignore_changes", "additional_secret_outputs"):
                paths = getattr(opts, option) or []
                setattr(opts, option, [names.get(path, path) for path in paths])
        super().__init__(WorkflowRunProvider(), resource_name, properties, opts)
        for name, spelled in names.items():
            self.__dict__[name] = self.__dict__.pop(spelled)

    @classmethod
    def get(
        cls,
        resource_name: str,
        id: Input[str],  # noqa: A002 - Pulumi's name for it
        opts: ResourceOptions | None = None,
    ) -> "WorkflowRun":
        """Look a run up by its id, in the configured region; free, and never started."""
        return cls(resource_name, ResourceOptions.merge(opts, ResourceOptions(id=id)))
