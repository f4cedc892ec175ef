"""FROZEN: states of `WorkflowRun` name this module. The class lives elsewhere."""

from pulumi_vod_workflow.dynamic.run import WorkflowRunProvider

__all__ = ["WorkflowRunProvider"]
