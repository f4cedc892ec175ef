"""
The API's input objects, as Pulumi argument classes. Plain dictionaries work, too.

Attributes are in snake_case. State and previews have the API's names in lowerCamelCase.
No `from __future__ import annotations` here: Pulumi reads these annotations at run time.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, TypeVar, dataclass_transform

import pulumi
from pulumi import Input, InputType

T = TypeVar("T")

ARGS: list[type] = []
"""All argument classes of this module."""


@dataclass_transform(kw_only_default=True, field_specifiers=(pulumi.property,))
def _args(cls: type[T]) -> type[T]:
    """Make `cls` a Pulumi input type that type checkers understand."""

    def accept(self: object, **keywords: object) -> None:
        """Accept each keyword: the provider reports missing and mistyped ones at preview."""
        vars(self).update(keywords)

    accept.__qualname__ = f"{cls.__name__}.__init__"
    cls.__init__ = accept  # type: ignore[method-assign]  # type checkers see the typed one
    input_class = pulumi.input_type(cls)
    ARGS.append(input_class)
    return input_class


@_args
class DirectUrlArgs:
    """The source as a file of a space (page: DirectUrl)."""

    file_name: Input[str] = pulumi.property("fileName")
    """The file's FileName: a path in the space, not a URL. Required."""
    space_name: Input[str] | None = pulumi.property("spaceName", default=None)
    """The space of the file; required for a built-in workflow."""
    bucket_name: Input[str] | None = pulumi.property("bucketName", default=None)
    """The bucket that is bound to the space."""


@_args
class ClipArgs:
    """The part of the source to process (page: Clip)."""

    start_time: Input[int] | None = pulumi.property("startTime", default=None)
    """Start in milliseconds, 0 to 2147483647; default 0."""
    end_time: Input[int] | None = pulumi.property("endTime", default=None)
    """End in milliseconds, after the start, at most 2147483647; default 0, the source's end."""


@_args
class LogoOverrideArgs:
    """Watermark overrides (page: LogoOverride)."""

    template_id: Input[str] = pulumi.property("templateId")
    """A watermark template's id, or `All`. Required by the page's table; an example omits it."""
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
    """Path of the index file, with the same variables. Sample snapshots only (采样截图)."""
    offset_time: Input[int] | None = pulumi.property("offsetTime", default=None)
    """0 to 2147483647 ms. Only static (静态图), dynpost (动图) and looping ones (反复循环动图)."""
    sample_offsets: Input[Sequence[Input[float]]] | None = pulumi.property(
        "sampleOffsets", default=None
    )
    """Seconds, 0 or more. Sample snapshots only (采样截图)."""
    offset_time_list: Input[Sequence[Input[int]]] | None = pulumi.property(
        "offsetTimeList", default=None
    )
    """Each 0 to 2147483647 ms. Dynpost snapshots only (动图)."""
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
    """Positions in a template group, each 0 or more; no effect on other templates (SDK only)."""


@_args
class EnhanceOverrideArgs:
    """Enhancement overrides (SDK only)."""

    storage_mode: Input[str] | None = pulumi.property("storageMode", default=None)
    """The storage of the enhanced file; the service documents no values."""
    file_name: Input[str] | None = pulumi.property("fileName", default=None)
    """Path of the output."""


@_args
class OverrideParamsArgs:
    """Overrides of the templates' settings (page: OverrideParams)."""

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
    """Overrides of the settings of the workflow's templates."""
    condition: Input[Mapping[str, Input[bool]]] | None = pulumi.property("condition", default=None)
    """User condition -> whether the workflow's node with this condition runs (SDK only)."""


@_args
class WorkflowItemArgs:
    """
    One run of a WorkflowBatch, or the common inputs of its runs.

    The inputs are those of a WorkflowRun without `client_token`: items always derive it.
    """

    vid: Input[str] | None = pulumi.property("vid", default=None)
    """The source by its Vid. Exactly one of `vid` and `direct_url` is required."""
    direct_url: InputType[DirectUrlArgs] | None = pulumi.property("directUrl", default=None)
    """The source as a file of a space."""
    template_id: Input[str] | None = pulumi.property("templateId", default=None)
    """Id of the workflow. Required, here or in the defaults, unless an existing run is adopted."""
    input: InputType[WorkflowParamsArgs] | None = pulumi.property("input", default=None)
    """Dynamic parameters that override the workflow's templates."""
    priority: Input[int] | None = pulumi.property("priority", default=None)
    """
    -5 to 5; default 0. The service's page of 2025-12-12 serves a larger number earlier. Its copy of
    2025-02-13 and BytePlus serve a smaller one earlier.
    """
    callback_args: Input[str] | None = pulumi.property("callbackArgs", default=None)
    """At most 512 bytes, which the completion event returns."""
    enable_low_priority: Input[bool] | None = pulumi.property("enableLowPriority", default=None)
    """Idle transcoding; default false."""
    task_list_id: Input[str] | None = pulumi.property("taskListId", default=None)
    """Id of the task queue (SDK only)."""
    triggers: Input[Mapping[str, object]] | None = pulumi.property("triggers", default=None)
    """
    A new or changed value starts a run (paid). A removed value is free. An output that another run
    does not have yet, such as `status` before a refresh, shows a start in each preview.
    """
    existing_run_id: Input[str] | None = pulumi.property("existingRunId", default=None)
    """Id of a run to adopt instead of a start; free. Not allowed in defaults."""
    rerun_on: (
        Input[Sequence[Input[Literal["systemError", "userError", "terminated", "expired"]]]] | None
    ) = pulumi.property("rerunOn", default=None)
    """
    Start a run (paid) after a recorded end of one of these classes; default none. `systemError` is
    2xxx, `userError` is 1xxx, `terminated` is a run that a user of the account ended, `expired` is
    a run whose record is gone before a read of its end. An item's value replaces the default.
    """
    rerun_on_failure: Input[bool] | None = pulumi.property("rerunOnFailure", default=None)
    """An alias: true is the `rerun_on` of `systemError` alone, false is none."""
