"""FROZEN: states of `WorkflowBatch` name this module. The class lives elsewhere."""

from pulumi_vod_workflow.dynamic.batch import WorkflowBatchProvider

__all__ = ["WorkflowBatchProvider"]
