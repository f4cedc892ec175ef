"""Volcengine VOD workflow runs as Pulumi resources: paid once, shown before."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pulumi_vod_workflow.resources.args import (
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
    from pulumi_vod_workflow.resources.outputs import (
        AudioStreamMeta,
        Snapshot,
        SnapshotFiles,
        Transcode,
        VideoStreamMeta,
        WorkflowTask,
    )
    from pulumi_vod_workflow.resources.workflow_run import WorkflowRun

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
        for module in ("args", "outputs", "workflow_run"):
            found = getattr(import_module(f"{__name__}.resources.{module}"), name, None)
            if found is not None:
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
