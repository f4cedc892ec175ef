"""
Resources of the packaged provider, and the provider itself.

`from pulumi_vod_workflow.plugin import WorkflowRun` declares the same resource as
`pulumi_vod_workflow.WorkflowRun`. The executable `pulumi-resource-vod` operates it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pulumi_vod_workflow.plugin.resources import (
        WorkflowBatch,
        WorkflowCompletion,
        WorkflowRun,
    )

__all__ = ["WorkflowBatch", "WorkflowCompletion", "WorkflowRun"]


if not TYPE_CHECKING:  # type checkers read the import above

    def __getattr__(name: str) -> Any:
        """Return a public name, and load its module at the first use: a provider needs none."""
        if name in __all__:
            from pulumi_vod_workflow.plugin import resources  # noqa: PLC0415 - see above

            return getattr(resources, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
