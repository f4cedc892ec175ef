"""The rules of a WorkflowCompletion."""
