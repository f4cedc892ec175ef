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
        WorkflowItemArgs,
        WorkflowParamsArgs,
    )
    from pulumi_vod_workflow.resources.manifest import load_manifest
    from pulumi_vod_workflow.resources.outputs import (
        AudioStreamMeta,
        Snapshot,
        SnapshotFiles,
        Transcode,
        VideoStreamMeta,
        WorkflowItemRun,
        WorkflowResult,
        WorkflowTask,
    )
    from pulumi_vod_workflow.resources.workflow_batch import WorkflowBatch
    from pulumi_vod_workflow.resources.workflow_completion import WorkflowCompletion
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
    "WorkflowBatch",
    "WorkflowCompletion",
    "WorkflowItemArgs",
    "WorkflowItemRun",
    "WorkflowParamsArgs",
    "WorkflowResult",
    "WorkflowRun",
    "WorkflowTask",
    "load_manifest",
]


_MODULES = (
    "resources.args",
    "resources.outputs",
    "resources.workflow_run",
    "resources.workflow_batch",
    "resources.workflow_completion",
    "resources.manifest",
)
"""Where the names are looked for: what takes longer to load comes later."""


if not TYPE_CHECKING:  # type checkers know which names there are

    def __getattr__(name: str) -> Any:
        """Load Pulumi only for those who declare resources; the emulator and core do without."""
        if name in __all__:
            for module in _MODULES:
                found = getattr(import_module(f"{__name__}.{module}"), name, None)
                if found is not None:
                    return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
