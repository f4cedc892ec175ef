"""FROZEN: states of `WorkflowCompletion` name this module. The class lives elsewhere."""

from pulumi_vod_workflow.dynamic.completion import WorkflowCompletionProvider

__all__ = ["WorkflowCompletionProvider"]
