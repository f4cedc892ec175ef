"""The dynamic provider of `WorkflowRun`."""

from __future__ import annotations

from typing import ClassVar

from pulumi_vod_workflow.dynamic.provider import VodProvider
from pulumi_vod_workflow.lifecycle import run
from pulumi_vod_workflow.lifecycle.session import Lifecycle


class WorkflowRunProvider(VodProvider):
    """The host of `pulumi_vod_workflow.lifecycle.run`."""

    __module__ = "pulumi_vod_workflow._provider"  # the name in every state
    _lifecycle: ClassVar[Lifecycle] = run
