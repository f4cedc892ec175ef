"""
What the service tells of a run, as Pulumi output types (GetWorkflowExecution and its Result).

No `from __future__ import annotations` here: Pulumi reads these annotations at run time.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pulumi

from pulumi_vod_workflow.resources._missing_keys import Explained, explained

_SCHEME: Final = re.compile("^[a-z]+://")


def file_name_of(store_uri: str | None) -> str | None:
    """Return the path of `tos://bucket/path`, or of `bucket/path`: the file's name in its space."""
    return _SCHEME.sub("", store_uri or "").partition("/")[2] or None


@pulumi.output_type
class WorkflowTask(Explained):
    """One task of a run (GetWorkflowExecution, TasksDetail)."""

    display_name: str | None = pulumi.property("displayName", default=None)
    """What the service calls the task."""
    template_id: str | None = pulumi.property("templateId", default=None)
    """The media processing template that the task applies."""
    status: str | None = pulumi.property("status", default=None)
    """The service's word: Scheduled, Running, Canceled, TimedOut, Skipped, Completed, Failed."""
    progress: int | None = pulumi.property("progress", default=None)
    """Presumably 0 to 100; the service does not document the unit."""
    start_time: str | None = pulumi.property("startTime", default=None)
    """With its offset; none before it starts."""
    end_time: str | None = pulumi.property("endTime", default=None)
    """With its offset; none before it ends."""


@pulumi.output_type
class VideoStreamMeta(Explained):
    """A transcode's video stream."""

    codec: str | None = pulumi.property("codec", default=None)
    """As `h264`."""
    height: int | None = pulumi.property("height", default=None)
    """Pixels."""
    width: int | None = pulumi.property("width", default=None)
    """Pixels."""
    duration: float | None = pulumi.property("duration", default=None)
    """Seconds."""
    definition: str | None = pulumi.property("definition", default=None)
    """As `720p`."""
    bitrate: int | None = pulumi.property("bitrate", default=None)
    """Bits a second."""
    fps: float | None = pulumi.property("fps", default=None)
    """Frames a second."""


@pulumi.output_type
class AudioStreamMeta(Explained):
    """A transcode's audio stream."""

    codec: str | None = pulumi.property("codec", default=None)
    """As `aac`."""
    duration: float | None = pulumi.property("duration", default=None)
    """Seconds."""
    sample_rate: int | None = pulumi.property("sampleRate", default=None)
    """Hertz."""
    bitrate: int | None = pulumi.property("bitrate", default=None)
    """Bits a second."""
    quality: str | None = pulumi.property("quality", default=None)
    """The service's word."""
    channels: int | None = pulumi.property("channels", default=None)
    """How many."""


@pulumi.output_type
class Transcode(Explained):
    """One output file of a run (GetWorkflowExecutionResult, TranscodeInfos)."""

    file_id: str | None = pulumi.property("fileId", default=None)
    """The service's id of the file."""
    md5: str | None = pulumi.property("md5", default=None)
    """Of the file, in hex."""
    file_type: str | None = pulumi.property("fileType", default=None)
    """`video` or `audio`."""
    logo_type: str | None = pulumi.property("logoType", default=None)
    """The service's word for its watermark."""
    encrypt: bool | None = pulumi.property("encrypt", default=None)
    """Whether it is encrypted."""
    format: str | None = pulumi.property("format", default=None)
    """Container, as `mp4`."""
    duration: float | None = pulumi.property("duration", default=None)
    """Seconds."""
    size: float | None = pulumi.property("size", default=None)
    """Bytes."""
    store_uri: str | None = pulumi.property("storeUri", default=None)
    """Where it is stored; grants no access by itself."""
    video_stream_meta: VideoStreamMeta | None = pulumi.property("videoStreamMeta", default=None)
    """None for audio."""
    audio_stream_meta: AudioStreamMeta | None = pulumi.property("audioStreamMeta", default=None)
    """None for a silent video."""
    create_time: str | None = pulumi.property("createTime", default=None)
    """As the service spells it."""
    dynamic_range: str | None = pulumi.property("dynamicRange", default=None)
    """As `SDR`."""
    tos_storage_class: str | None = pulumi.property("tosStorageClass", default=None)
    """Where it is stored, as `STANDARD`."""
    storage_class_update_time: str | None = pulumi.property("storageClassUpdateTime", default=None)
    """As the service spells it."""
    file_extra: Mapping[str, str] | None = pulumi.property("fileExtra", default=None)
    """What else the service says, under names of its own."""

    @property
    def file_name(self) -> str | None:
        """The FileName for the `direct_url` of another run in the same space, of `store_uri`."""
        return file_name_of(self.store_uri)


@pulumi.output_type
class SnapshotFiles(Explained):
    """The files of a snapshot; which fields there are depends on its type."""

    format: str | None = pulumi.property("format", default=None)
    """As `jpg`."""
    store_uri: str | None = pulumi.property("storeUri", default=None)
    """Where the one file is stored."""
    store_uris: Sequence[str] | None = pulumi.property("storeUris", default=None)
    """Where the files of a sprite or sample are stored."""
    width: int | None = pulumi.property("width", default=None)
    """Pixels."""
    height: int | None = pulumi.property("height", default=None)
    """Pixels."""
    cell_width: int | None = pulumi.property("cellWidth", default=None)
    """Pixels of a picture in a sprite."""
    cell_height: int | None = pulumi.property("cellHeight", default=None)
    """Pixels of a picture in a sprite."""
    img_x_len: int | None = pulumi.property("imgXLen", default=None)
    """Pictures in a row of a sprite."""
    img_y_len: int | None = pulumi.property("imgYLen", default=None)
    """Pictures in a column of a sprite."""
    interval: float | None = pulumi.property("interval", default=None)
    """Seconds between two pictures."""
    capture_num: int | None = pulumi.property("captureNum", default=None)
    """How many pictures."""
    duration: float | None = pulumi.property("duration", default=None)
    """Seconds of the source."""
    index_uri: str | None = pulumi.property("indexUri", default=None)
    """Where a sample's index is stored."""
    offsets: Sequence[float] | None = pulumi.property("offsets", default=None)
    """Seconds at which a sample's pictures were taken."""

    @property
    def file_name(self) -> str | None:
        """The FileName of the one file in its space, of `store_uri`."""
        return file_name_of(self.store_uri)

    @property
    def file_names(self) -> Sequence[str] | None:
        """The FileNames of the files in their space, of `store_uris`."""
        names = [file_name_of(uri) for uri in self.store_uris or ()]
        return [name for name in names if name] or None


@pulumi.output_type
class Snapshot(Explained):
    """One snapshot of a run (GetWorkflowExecutionResult, Snapshots): `type` names the field."""

    type: str | None = pulumi.property("type", default=None)
    """Poster, Dynpost, AnimatedPoster, AIDynpost, Sprite or Sample."""
    poster: SnapshotFiles | None = pulumi.property("poster", default=None)
    """A static picture (静态图)."""
    dynpost: SnapshotFiles | None = pulumi.property("dynpost", default=None)
    """An animated picture (动图)."""
    animated_poster: SnapshotFiles | None = pulumi.property("animatedPoster", default=None)
    """A looping animated picture (反复循环动图)."""
    ai_dynpost: SnapshotFiles | None = pulumi.property("aiDynpost", default=None)
    """An animated picture of what the service finds best."""
    sprite: SnapshotFiles | None = pulumi.property("sprite", default=None)
    """Many pictures in one (雪碧图)."""
    sample: SnapshotFiles | None = pulumi.property("sample", default=None)
    """Many pictures (采样截图)."""


@pulumi.output_type
class WorkflowItemRun(Explained):
    """The run of an item of a WorkflowBatch, as last read."""

    run_id: str = pulumi.property("runId")
    """The service's id of the run, opaque."""
    phase: str = pulumi.property("phase")
    """submitted, pending, running, succeeded, failed, terminated or expired."""
    status: str | None = pulumi.property("status", default=None)
    """The service's own Status; none before the first refresh."""
    status_reason: str | None = pulumi.property("statusReason", default=None)
    """What a failure, or an unknown status, means; none for the others."""
    request_id: str | None = pulumi.property("requestId", default=None)
    """RequestId of the answer that accepted the run; none if adopted."""
    submitted_at: str | None = pulumi.property("submittedAt", default=None)
    """When the service accepted the run, UTC; none if adopted."""
    create_time: str | None = pulumi.property("createTime", default=None)
    """With its offset; none before the first refresh."""
    start_time: str | None = pulumi.property("startTime", default=None)
    """With its offset; none before processing begins."""
    end_time: str | None = pulumi.property("endTime", default=None)
    """With its offset; none before the run ends."""
    extra: Mapping[str, Any] | None = pulumi.property("extra", default=None)
    """What the service tells of the run that this version has no name for, in lowerCamelCase."""
    region: str | None = pulumi.property("region", default=None)
    """Where the run is, if elsewhere than the batch."""
    endpoint: str | None = pulumi.property("endpoint", default=None)
    """Where the run is, if elsewhere than the batch."""


@pulumi.output_type
class WorkflowResult(Explained):
    """What a run has come to (GetWorkflowExecution and GetWorkflowExecutionResult)."""

    phase: str = pulumi.property("phase")
    """succeeded, failed, terminated, expired; rejected or unclear: an item without a known run."""
    status_reason: str = pulumi.property("statusReason")
    """What the status means, and whether a repeat can help."""
    transcodes: Sequence[Transcode] = pulumi.property("transcodes")
    """Output files."""
    snapshots: Sequence[Snapshot] = pulumi.property("snapshots")
    """Snapshots."""
    run_id: str | None = pulumi.property("runId", default=None)
    """The service's id of the run; none if it was rejected."""
    status: str | None = pulumi.property("status", default=None)
    """The service's own Status."""
    create_time: str | None = pulumi.property("createTime", default=None)
    """With its offset."""
    start_time: str | None = pulumi.property("startTime", default=None)
    """With its offset."""
    end_time: str | None = pulumi.property("endTime", default=None)
    """With its offset."""
    extra: Mapping[str, Any] | None = pulumi.property("extra", default=None)
    """What the service tells of the run that this version has no name for, in lowerCamelCase."""

    def __init__(self, **told: Any) -> None:
        """Set what the SDK has read, its lists as ones that explain what is not in them."""
        run = told.get("run_id") or "an item without a run"
        for name, value in told.items():
            what = f"the result of {run}: {name}"
            pulumi.set(self, name, explained(value, what, f"; its phase is {told['phase']}"))
