"""
What runs and batches have in common: their end can be waited for.

No `from __future__ import annotations` here: Pulumi reads these annotations at run time.
"""

from typing import TYPE_CHECKING, Literal

from pulumi import Input, ResourceOptions

from pulumi_vod_workflow.resources._base import VodResource

if TYPE_CHECKING:
    from pulumi_vod_workflow.resources.workflow_completion import WorkflowCompletion


class Awaitable(VodResource):
    """A resource that stands for one run or many."""

    _HINT = "; `wait().results` has the results of this update"

    def wait(
        self,
        resource_name: str | None = None,
        opts: ResourceOptions | None = None,
        *,
        timeout: Input[float | str] | None = None,
        on_failure: Input[Literal["error", "record"]] | None = None,
    ) -> "WorkflowCompletion":
        """
        Declare a `WorkflowCompletion`, which waits and holds the results; free.

        Args:
            resource_name: the completion's name; default: this one's with `-completion`.
            opts: Pulumi's options; this resource is the parent, unless they name another.
            timeout: as of `WorkflowCompletion`.
            on_failure: as of `WorkflowCompletion`.

        """
        from pulumi_vod_workflow.resources.workflow_completion import (  # noqa: PLC0415 - below
            WorkflowCompletion,
        )

        name = resource_name or f"{self.pulumi_resource_name}-completion"
        opts = ResourceOptions.merge(ResourceOptions(parent=self), opts)
        return WorkflowCompletion(name, opts, runs=self, timeout=timeout, on_failure=on_failure)
