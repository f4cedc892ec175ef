"""The dynamic provider of `WorkflowCompletion`."""

from __future__ import annotations

from typing import ClassVar

from pulumi_vod_workflow.dynamic.provider import VodProvider
from pulumi_vod_workflow.lifecycle import completion
from pulumi_vod_workflow.lifecycle.session import Lifecycle


class WorkflowCompletionProvider(VodProvider):
    """The host of `pulumi_vod_workflow.lifecycle.completion`."""

    __module__ = "pulumi_vod_workflow._completion_provider"  # the name in every state
    _lifecycle: ClassVar[Lifecycle] = completion
