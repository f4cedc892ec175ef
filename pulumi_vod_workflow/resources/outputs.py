"""
What the service tells of a run, as Pulumi output types (GetWorkflowExecution and its Result).

No `from __future__ import annotations` here: Pulumi reads these annotations at run time.
"""

from collections.abc import Mapping, Sequence

import pulumi


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
