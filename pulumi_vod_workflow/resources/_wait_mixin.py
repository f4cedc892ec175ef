"""
The method `wait` of runs and batches.

No `from __future__ import annotations` here: Pulumi reads these annotations at run time.
"""

from typing import ClassVar, Literal

from pulumi import Input, ResourceOptions

from pulumi_vod_workflow.resources._base import WaitableResource
from pulumi_vod_workflow.resources.workflow_completion import WorkflowCompletion


class WaitMixin(WaitableResource):
    """A resource with one run or many, and a method that waits for their end."""

    _COMPLETION: ClassVar[type[WorkflowCompletion]] = WorkflowCompletion
    """The class of the wait, of the same provider."""
    _HINT = "; `wait().results` has the results of this update"

    def wait(
        self,
        resource_name: str | None = None,
        opts: ResourceOptions | None = None,
        *,
        timeout: Input[float | str] | None = None,
        on_failure: Input[Literal["error", "record"]] | None = None,
        fail_fast: Input[bool] | None = None,
    ) -> WorkflowCompletion:
        """
        Declare a `WorkflowCompletion`, which waits for the end and has the results; free.

        Args:
            resource_name: the completion's name; default: the name of this resource with
                `-completion`.
            opts: Pulumi's options. This resource is the parent, unless they name another parent.
            timeout: as of `WorkflowCompletion`.
            on_failure: as of `WorkflowCompletion`.
            fail_fast: as of `WorkflowCompletion`.

        """
        name = resource_name or f"{self.pulumi_resource_name}-completion"
        opts = ResourceOptions.merge(ResourceOptions(parent=self), opts)
        return self._COMPLETION(
            name, opts, runs=self, timeout=timeout, on_failure=on_failure, fail_fast=fail_fast
        )
