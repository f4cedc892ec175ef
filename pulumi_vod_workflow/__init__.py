"""Volcengine VOD workflow runs as Pulumi resources: paid once, shown before."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pulumi_vod_workflow.resources import (
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
        WorkflowParamsArgs,
        WorkflowRun,
        WorkflowTask,
    )

__all__ = [
    "AudioStreamMeta",
    "ClipArgs",
    "DirectUrlArgs",
    "EnhanceOverrideArgs",
    "LogoOverrideArgs",
    "OverrideParamsArgs",
    "Snapshot",
    "SnapshotFiles",
    "SnapshotOverrideArgs",
    "Transcode",
    "TranscodeAudioOverrideArgs",
    "TranscodeVideoOverrideArgs",
    "VideoStreamMeta",
    "WorkflowParamsArgs",
    "WorkflowRun",
    "WorkflowTask",
]


def __getattr__(name: str) -> Any:
    """Load Pulumi only for those who declare resources; the emulator and core do without."""
    if name in __all__:
        from pulumi_vod_workflow import resources  # noqa: PLC0415 - that is the point

        return getattr(resources, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
