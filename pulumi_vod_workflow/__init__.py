"""
Volcengine VOD workflow runs as Pulumi resources.

Each declared run is paid once, and a preview shows every start.
"""

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
"""The modules with the public names; slower imports come later."""


if not TYPE_CHECKING:  # type checkers read the imports above

    def __getattr__(name: str) -> Any:
        """Return a public name, and load its module at the first use."""
        # The command line, the emulator and the core do not load Pulumi.
        if name in __all__:
            for module in _MODULES:
                found = getattr(import_module(f"{__name__}.{module}"), name, None)
                if found is not None:
                    return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
