"""
The resources of the packaged provider, as Python programs declare them.

Each class has the body of its dynamic class, and the token of the packaged provider.
"""

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import pulumi
from pulumi import Alias, CustomResource, ResourceOptions
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.settings import get_monitor

from pulumi_vod_workflow.config.backend import find_project
from pulumi_vod_workflow.config.settings import home_folder
from pulumi_vod_workflow.core.resource_types import (
    BATCH_TYPE,
    COMPLETION_TYPE,
    PACKAGED_TYPES,
    RUN_TYPE,
)
from pulumi_vod_workflow.dynamic.sdk_compat.provider_pickle import dynamic_type
from pulumi_vod_workflow.plugin.discovery import MISSING_PLUGIN, is_plugin_found
from pulumi_vod_workflow.resources._base import VodResource
from pulumi_vod_workflow.resources._inputs import derived_properties
from pulumi_vod_workflow.resources._journal_setting import warn_of_plain_password
from pulumi_vod_workflow.resources._transforms import options_with_last_transform
from pulumi_vod_workflow.resources.workflow_batch import WorkflowBatch as DynamicBatch
from pulumi_vod_workflow.resources.workflow_completion import (
    WorkflowCompletion as DynamicCompletion,
)
from pulumi_vod_workflow.resources.workflow_run import WorkflowRun as DynamicRun


@cache
def _require_plugin() -> None:
    """
    Check that the engine of this project finds the plugin.

    Raises:
        pulumi.RunError: if the engine surely does not find it.

    """
    # Tests with mocks have no engine. A program of the Automation API has its project elsewhere.
    project = find_project(Path(), pulumi.get_project())
    if project is None or isinstance(get_monitor(), MockMonitor):
        return
    if not is_plugin_found(os.environ, home_folder(), project):
        raise pulumi.RunError(MISSING_PLUGIN)


def _alias_of_type(type_: str, name: str, opts: ResourceOptions | None) -> Alias | str:
    """Return the alias of a resource that had another type."""
    # The SDK makes nine outputs of an `Alias`, and three of a URN. For 300 runs, the difference is
    # a sixth of a preview without changes. No transform can add a parent, so the URN is known.
    if opts is not None and opts.parent is not None:
        return Alias(type_=type_)
    return f"urn:pulumi:{pulumi.get_stack()}::{pulumi.get_project()}::{type_}::{name}"


class PackagedResource(VodResource):
    """
    A resource of the packaged provider, with an alias to the type of its dynamic class.

    The alias makes the move of a recorded dynamic resource free. It is the type that a program's
    own subclass of the dynamic class has, too.
    """

    _DYNAMIC_TYPE: ClassVar[str]

    def _declaration(
        self, _resource_name: str, _opts: ResourceOptions | None, _inputs: object
    ) -> Mapping[str, Any]:
        """Return nothing: the engine sends the URN and the marks of secrets to this provider."""
        return {}

    def _register(
        self, resource_name: str, properties: Mapping[str, Any], opts: ResourceOptions | None
    ) -> None:
        """
        Register the resource, with an output for each property.

        Raises:
            pulumi.RunError: without the plugin.

        """
        warn_of_plain_password()
        # A provider, or a place of downloads, may be the program's own.
        if opts is None or not (opts.provider or opts.plugin_download_url):
            _require_plugin()
        unset = dict.fromkeys(self._names.values())
        alias = _alias_of_type(dynamic_type(self) or self._DYNAMIC_TYPE, resource_name, opts)
        CustomResource.__init__(
            self,
            PACKAGED_TYPES[self._DYNAMIC_TYPE],
            resource_name,
            {**unset, **properties},
            options_with_last_transform(
                ResourceOptions.merge(opts, ResourceOptions(aliases=[alias]))
            ),
        )


class WorkflowCompletion(PackagedResource, DynamicCompletion):
    """
    A `pulumi_vod_workflow.WorkflowCompletion` of the packaged provider; free.

    A wait that fails, times out or is stopped keeps its resource. The next `pulumi up` continues
    the wait. The option `custom_timeouts` limits it.
    """

    _DYNAMIC_TYPE = COMPLETION_TYPE

    def _declaration(
        self, _resource_name: str, _opts: ResourceOptions | None, inputs: object
    ) -> Mapping[str, Any]:
        """Return whether the awaited runs have secret inputs: no input of the wait shows it."""
        return {"secretInputs": derived_properties(inputs)["secretInputs"]}


class WorkflowRun(PackagedResource, DynamicRun):
    """
    A `pulumi_vod_workflow.WorkflowRun` of the packaged provider. `create` starts one run (paid).

    The options `import_` and `replace_on_changes` work.
    """

    _DYNAMIC_TYPE = RUN_TYPE
    _CAN_IMPORT = True
    _COMPLETION = WorkflowCompletion


class WorkflowBatch(PackagedResource, DynamicBatch):
    """
    A `pulumi_vod_workflow.WorkflowBatch` of the packaged provider.

    `create` and `update` start one run for each new or changed item (paid). The option
    `replace_on_changes` works.
    """

    _DYNAMIC_TYPE = BATCH_TYPE
    _COMPLETION = WorkflowCompletion
