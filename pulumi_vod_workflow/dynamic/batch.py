"""The dynamic provider of `WorkflowBatch`."""

from __future__ import annotations

from typing import ClassVar

from pulumi_vod_workflow.dynamic.provider import VodProvider
from pulumi_vod_workflow.lifecycle import batch
from pulumi_vod_workflow.lifecycle.session import Lifecycle


class WorkflowBatchProvider(VodProvider):
    """The host of `pulumi_vod_workflow.lifecycle.batch`."""

    __module__ = "pulumi_vod_workflow._batch_provider"  # the name in every state
    _lifecycle: ClassVar[Lifecycle] = batch
