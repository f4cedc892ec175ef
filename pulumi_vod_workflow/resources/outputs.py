"""
Pulumi output types of the service's data about a run (GetWorkflowExecution and its Result).

No `from __future__ import annotations` here: Pulumi reads these annotations at run time.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pulumi

from pulumi_vod_workflow.resources._missing_keys import OutputType, with_hint

_SCHEME: Final = re.compile("^[a-z]+://")


def file_name_of(store_uri: str | None) -> str | None:
    """Return `path` of `tos://bucket/path` or `bucket/path`: the file's name in its space."""
    return _SCHEME.sub("", store_uri or "").partition("/")[2] or None


@pulumi.output_type
class WorkflowTask(OutputType):
    """One task of a run (GetWorkflowExecution, TasksDetail)."""

    display_name: str | None = pulumi.property("displayName", default=None)
    """The service's name of the task."""
    template_id: str | None = pulumi.property("templateId", default=None)
    """The media processing template that the task applies."""
    status: str | None = pulumi.property("status", default=None)
    """Scheduled, Running, Canceled, TimedOut, Skipped, Completed or Failed."""
    progress: int | None = pulumi.property("progress", default=None)
    """Presumably 0 to 100; the service does not document the unit."""
    start_time: str | None = pulumi.property("startTime", default=None)
    """The start of the task, with its offset; none before."""
    end_time: str | None = pulumi.property("endTime", default=None)
    """The end of the task, with its offset; none before."""


@pulumi.output_type
class VideoStreamMeta(OutputType):
    """A transcode's video stream."""

    codec: str | None = pulumi.property("codec", default=None)
    """Codec, for example `h264`."""
    height: int | None = pulumi.property("height", default=None)
    """Pixels."""
    width: int | None = pulumi.property("width", default=None)
    """Pixels."""
    duration: float | None = pulumi.property("duration", default=None)
    """Seconds."""
    definition: str | None = pulumi.property("definition", default=None)
    """Definition, for example `720p`."""
    bitrate: int | None = pulumi.property("bitrate", default=None)
    """Bits per second."""
    fps: float | None = pulumi.property("fps", default=None)
    """Frames per second."""


@pulumi.output_type
class AudioStreamMeta(OutputType):
    """A transcode's audio stream."""

    codec: str | None = pulumi.property("codec", default=None)
    """Codec, for example `aac`."""
    duration: float | None = pulumi.property("duration", default=None)
    """Seconds."""
    sample_rate: int | None = pulumi.property("sampleRate", default=None)
    """Hertz."""
    bitrate: int | None = pulumi.property("bitrate", default=None)
    """Bits per second."""
    quality: str | None = pulumi.property("quality", default=None)
    """The service's word for the quality."""
    channels: int | None = pulumi.property("channels", default=None)
    """The number of channels."""


@pulumi.output_type
class Transcode(OutputType):
    """One output file of a run (GetWorkflowExecutionResult, TranscodeInfos)."""

    file_id: str | None = pulumi.property("fileId", default=None)
    """The service's id of the file."""
    md5: str | None = pulumi.property("md5", default=None)
    """MD5 of the file, in hex."""
    file_type: str | None = pulumi.property("fileType", default=None)
    """`video` or `audio`."""
    logo_type: str | None = pulumi.property("logoType", default=None)
    """The service's word for the watermark."""
    encrypt: bool | None = pulumi.property("encrypt", default=None)
    """Whether the file is encrypted."""
    format: str | None = pulumi.property("format", default=None)
    """Container, for example `mp4`."""
    duration: float | None = pulumi.property("duration", default=None)
    """Seconds."""
    size: float | None = pulumi.property("size", default=None)
    """Bytes."""
    store_uri: str | None = pulumi.property("storeUri", default=None)
    """The place of the file as `tos://bucket/path`; grants no access."""
    video_stream_meta: VideoStreamMeta | None = pulumi.property("videoStreamMeta", default=None)
    """The video stream; none for audio."""
    audio_stream_meta: AudioStreamMeta | None = pulumi.property("audioStreamMeta", default=None)
    """The audio stream; none for a silent video."""
    create_time: str | None = pulumi.property("createTime", default=None)
    """Creation time of the file, in the service's spelling."""
    dynamic_range: str | None = pulumi.property("dynamicRange", default=None)
    """Dynamic range, for example `SDR`."""
    tos_storage_class: str | None = pulumi.property("tosStorageClass", default=None)
    """Storage class, for example `STANDARD`."""
    storage_class_update_time: str | None = pulumi.property("storageClassUpdateTime", default=None)
    """Time of the last change of the storage class, in the service's spelling."""
    file_extra: Mapping[str, str] | None = pulumi.property("fileExtra", default=None)
    """Further fields of the service, under its names."""

    @property
    def file_name(self) -> str | None:
        """The FileName, from `store_uri`, for `direct_url` of another run in the same space."""
        return file_name_of(self.store_uri)


@pulumi.output_type
class SnapshotFiles(OutputType):
    """The files of a snapshot. The type of the snapshot decides which fields have values."""

    format: str | None = pulumi.property("format", default=None)
    """Format, for example `jpg`."""
    store_uri: str | None = pulumi.property("storeUri", default=None)
    """The place of the one file."""
    store_uris: Sequence[str] | None = pulumi.property("storeUris", default=None)
    """The places of the files of a sprite or sample."""
    width: int | None = pulumi.property("width", default=None)
    """Pixels."""
    height: int | None = pulumi.property("height", default=None)
    """Pixels."""
    cell_width: int | None = pulumi.property("cellWidth", default=None)
    """Width of a picture in a sprite, in pixels."""
    cell_height: int | None = pulumi.property("cellHeight", default=None)
    """Height of a picture in a sprite, in pixels."""
    img_x_len: int | None = pulumi.property("imgXLen", default=None)
    """Pictures in a row of a sprite."""
    img_y_len: int | None = pulumi.property("imgYLen", default=None)
    """Pictures in a column of a sprite."""
    interval: float | None = pulumi.property("interval", default=None)
    """Seconds between two pictures."""
    capture_num: int | None = pulumi.property("captureNum", default=None)
    """The number of pictures."""
    duration: float | None = pulumi.property("duration", default=None)
    """Duration of the source, in seconds."""
    index_uri: str | None = pulumi.property("indexUri", default=None)
    """The place of a sample's index."""
    offsets: Sequence[float] | None = pulumi.property("offsets", default=None)
    """Positions of a sample's pictures in the source, in seconds."""

    @property
    def file_name(self) -> str | None:
        """The FileName of the one file in its space, from `store_uri`."""
        return file_name_of(self.store_uri)

    @property
    def file_names(self) -> Sequence[str] | None:
        """The FileNames of the files in their space, from `store_uris`."""
        names = [file_name_of(uri) for uri in self.store_uris or ()]
        return [name for name in names if name] or None


@pulumi.output_type
class Snapshot(OutputType):
    """One snapshot of a run (GetWorkflowExecutionResult, Snapshots). `type` names the field."""

    type: str | None = pulumi.property("type", default=None)
    """Poster, Dynpost, AnimatedPoster, AIDynpost, Sprite or Sample."""
    poster: SnapshotFiles | None = pulumi.property("poster", default=None)
    """A static picture (静态图)."""
    dynpost: SnapshotFiles | None = pulumi.property("dynpost", default=None)
    """An animated picture (动图)."""
    animated_poster: SnapshotFiles | None = pulumi.property("animatedPoster", default=None)
    """A looping animated picture (反复循环动图)."""
    ai_dynpost: SnapshotFiles | None = pulumi.property("aiDynpost", default=None)
    """An animated picture of the scenes that the service selects."""
    sprite: SnapshotFiles | None = pulumi.property("sprite", default=None)
    """Many pictures in one (雪碧图)."""
    sample: SnapshotFiles | None = pulumi.property("sample", default=None)
    """Many pictures (采样截图)."""


@pulumi.output_type
class WorkflowItemRun(OutputType):
    """The run of an item of a WorkflowBatch, as of the last read."""

    run_id: str = pulumi.property("runId")
    """The service's id of the run, opaque."""
    phase: str = pulumi.property("phase")
    """The phase: submitted, pending, running, succeeded, failed, terminated or expired."""
    status: str | None = pulumi.property("status", default=None)
    """The service's own Status; none before the first refresh."""
    status_reason: str | None = pulumi.property("statusReason", default=None)
    """The meaning of a failure or of an unknown status; none for all other statuses."""
    request_id: str | None = pulumi.property("requestId", default=None)
    """The RequestId of the accepted start; none for an adopted run."""
    submitted_at: str | None = pulumi.property("submittedAt", default=None)
    """The UTC time at which the service accepted the run; none for an adopted run."""
    create_time: str | None = pulumi.property("createTime", default=None)
    """The service's CreateTime, with its offset; none before the first refresh."""
    start_time: str | None = pulumi.property("startTime", default=None)
    """The service's StartTime, with its offset; none before processing begins."""
    end_time: str | None = pulumi.property("endTime", default=None)
    """The service's EndTime, with its offset; none before the run ends."""
    extra: Mapping[str, Any] | None = pulumi.property("extra", default=None)
    """Fields of the service that this version does not know, in lowerCamelCase."""
    region: str | None = pulumi.property("region", default=None)
    """The region of the run, if the batch has another region."""
    endpoint: str | None = pulumi.property("endpoint", default=None)
    """The endpoint of the run, if the batch has another endpoint."""
    rerun_of: str | None = pulumi.property("rerunOf", default=None)
    """The id of the run that this run reruns, if `rerun_on` has `userError` or `expired`."""


@pulumi.output_type
class WorkflowResult(OutputType):
    """The result of a run (GetWorkflowExecution and GetWorkflowExecutionResult)."""

    phase: str = pulumi.property("phase")
    """succeeded, failed, terminated or expired; rejected or unclear for an item without a run."""
    status_reason: str = pulumi.property("statusReason")
    """The meaning of the status, and whether a rerun can help."""
    transcodes: Sequence[Transcode] = pulumi.property("transcodes")
    """Output files."""
    snapshots: Sequence[Snapshot] = pulumi.property("snapshots")
    """Snapshots."""
    run_id: str | None = pulumi.property("runId", default=None)
    """The service's id of the run; none for a rejected item."""
    status: str | None = pulumi.property("status", default=None)
    """The service's own Status."""
    create_time: str | None = pulumi.property("createTime", default=None)
    """The service's CreateTime, with its offset."""
    start_time: str | None = pulumi.property("startTime", default=None)
    """The service's StartTime, with its offset."""
    end_time: str | None = pulumi.property("endTime", default=None)
    """The service's EndTime, with its offset."""
    extra: Mapping[str, Any] | None = pulumi.property("extra", default=None)
    """Fields of the service that this version does not know, in lowerCamelCase."""

    def __init__(self, **fields: Any) -> None:
        """Set the fields, with lists that explain a missing entry."""
        run = fields.get("run_id") or "an item without a run"
        hint = f"; its phase is {fields['phase']}"
        for name, value in fields.items():
            pulumi.set(self, name, with_hint(value, f"the result of {run}: {name}", hint))
