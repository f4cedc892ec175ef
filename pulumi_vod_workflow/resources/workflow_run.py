"""
One run of a workflow, as users declare it.

No `from __future__ import annotations` here: Pulumi reads these annotations at run time.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi import Input, InputType, Output, ResourceOptions

from pulumi_vod_workflow.resources._inputs import (
    accepts_any_keyword,
    check_keys,
    check_options,
    derived,
    respelled,
    scope,
    spelled,
)
from pulumi_vod_workflow.resources._wait_mixin import Awaitable
from pulumi_vod_workflow.resources.args import DirectUrlArgs, WorkflowParamsArgs
from pulumi_vod_workflow.resources.outputs import Snapshot, Transcode, WorkflowTask

_INSTEAD = "declare existing_run_id to adopt a run, or look it up with WorkflowRun.get"


class WorkflowRun(Awaitable, module="vod", name="WorkflowRun"):
    """
    One run of a VOD workflow. Creating it starts the run, which is paid and cannot be cancelled.

    | operation | does | costs |
    |---|---|---|
    | preview | checks every rule offline; `--diff` shows the token | nothing |
    | create | StartWorkflow with a deterministic ClientToken | one run |
    | replace | when anything sent to the service, or a trigger, changes | one run |
    | update | when only a setting changes that is not sent | nothing |
    | refresh | reads status and results; a run that has ended is not asked | nothing |
    | delete | forgets; the run goes on | nothing |
    """

    run_id: Output[str] = pulumi.property("runId")
    """The service's id of the run, opaque; also the resource's id."""
    client_token: Output[str | None] = pulumi.property("clientToken")
    """What makes a repeated start the same start; none for a run that was adopted."""
    request_id: Output[str | None] = pulumi.property("requestId")
    """RequestId of the answer that accepted the run, to quote in a ticket; none if adopted."""
    status: Output[str | None] = pulumi.property("status")
    """The service's own Status, as last read; none before the first refresh."""
    phase: Output[str] = pulumi.property("phase")
    """submitted, pending, running, succeeded, failed, terminated or expired."""
    status_reason: Output[str] = pulumi.property("statusReason")
    """What the status means, and whether a repeat can help."""
    submitted_at: Output[str | None] = pulumi.property("submittedAt")
    """When the service accepted the run, UTC; none if adopted."""
    create_time: Output[str | None] = pulumi.property("createTime")
    """The service's CreateTime, with its offset; none before the first refresh."""
    start_time: Output[str | None] = pulumi.property("startTime")
    """The service's StartTime, once processing has begun."""
    end_time: Output[str | None] = pulumi.property("endTime")
    """The service's EndTime, once the run has ended."""
    space_name: Output[str | None] = pulumi.property("spaceName")
    """The space of the source, as the service tells it."""
    template_name: Output[str | None] = pulumi.property("templateName")
    """The workflow's name, as the service tells it."""
    job_source: Output[str | None] = pulumi.property("jobSource")
    """What started the run, in the service's words, as `API`."""
    tasks: Output[Sequence[WorkflowTask]] = pulumi.property("tasks")
    """The run's tasks with their progress, as last read; at first none."""
    transcodes: Output[Sequence[Transcode]] = pulumi.property("transcodes")
    """Output files, once a refresh has read the run's end; none until then."""
    snapshots: Output[Sequence[Snapshot]] = pulumi.property("snapshots")
    """Snapshots, once a refresh has read the run's end; none until then."""
    extra: Output[Mapping[str, Any] | None] = pulumi.property("extra")
    """What the service tells of the run that this version has no name for, in lowerCamelCase."""
    region: Output[str] = pulumi.property("region")
    """Where the run was started, and is read whatever the configuration says later."""
    endpoint: Output[str] = pulumi.property("endpoint")
    """URL of the service that started the run, or `emulator`; as `region`."""
    emulated: Output[bool] = pulumi.property("emulated")
    """Whether the emulator made this run: it is not real and was not paid."""
    vid: Output[str | None] = pulumi.property("vid")
    """The source's Vid, as declared or, if adopted, as read. A change is a new, paid run."""
    direct_url: Output[Mapping[str, Any] | None] = pulumi.property("directUrl")
    """The source as a file, keys in lowerCamelCase. A change is a new, paid run."""
    template_id: Output[str] = pulumi.property("templateId")
    """The workflow's id. A change is a new, paid run."""
    input: Output[Mapping[str, Any] | None] = pulumi.property("input")
    """Dynamic parameters, keys in lowerCamelCase. A change is a new, paid run."""
    priority: Output[int | None] = pulumi.property("priority")
    """-5 to 5; none is 0; the argument names its direction. A change is a new, paid run."""
    callback_args: Output[str | None] = pulumi.property("callbackArgs")
    """What the completion event carries. A change is a new, paid run."""
    enable_low_priority: Output[bool | None] = pulumi.property("enableLowPriority")
    """Idle transcoding; none is false. A change is a new, paid run."""
    task_list_id: Output[str | None] = pulumi.property("taskListId")
    """Task queue (SDK only). A change is a new, paid run."""
    triggers: Output[Mapping[str, Any] | None] = pulumi.property("triggers")
    """An added or changed value is a new, paid run; a removed one is free."""
    existing_run_id: Output[str | None] = pulumi.property("existingRunId")
    """The run that was adopted. Adopting and ceasing to are free."""
    rerun_on_failure: Output[bool | None] = pulumi.property("rerunOnFailure")
    """Whether a recorded system error asks for a new, paid run."""

    @accepts_any_keyword
    def __init__(
        self,
        resource_name: str,
        opts: ResourceOptions | None = None,
        *,
        template_id: Input[str] | None = None,
        vid: Input[str] | None = None,
        direct_url: InputType[DirectUrlArgs] | None = None,
        input: InputType[WorkflowParamsArgs] | None = None,  # noqa: A002 - the API's name
        priority: Input[int] | None = None,
        callback_args: Input[str] | None = None,
        enable_low_priority: Input[bool] | None = None,
        task_list_id: Input[str] | None = None,
        client_token: Input[str] | None = None,
        triggers: Input[Mapping[str, Any]] | None = None,
        existing_run_id: Input[str] | None = None,
        rerun_on_failure: Input[bool] | None = None,
    ) -> None:
        """
        Declare a run.

        Args:
            resource_name: the resource's name in the stack; part of the token.
            opts: Pulumi's options. `custom_timeouts` and `replace_on_changes` have no effect on
                dynamic resources, and `import_` cannot work: use `existing_run_id`.
            template_id: id of the workflow. Required, unless an existing run is adopted.
            vid: the source by its Vid. Exactly one of `vid` and `direct_url`.
            direct_url: the source as a file of a space.
            input: dynamic parameters that override the workflow's templates.
            priority: -5 to 5; default 0. The service's page of 2025-12-12 serves a larger number
                earlier. Its copy of 2025-02-13 and BytePlus serve a smaller one earlier.
            callback_args: at most 512 bytes, passed through to the completion event.
            enable_low_priority: idle transcoding; default false.
            task_list_id: task queue id (SDK only).
            client_token: 1 to 64 printable ASCII characters instead of the derived token; to be
                changed together with `triggers`. Two resources with the same token and start
                share one run.
            triggers: a new or changed value asks for a new, paid run; a removed one for nothing.
                Numbers are below 2**53; write a larger one as text.
                Going back to an earlier value gives the earlier token again, and the service may
                then answer with the earlier run. An output that another run does not have yet, such
                as its `status` before a refresh, shows a replacement in each preview.
            existing_run_id: adopt this run: it is only read, nothing is ever started.
            rerun_on_failure: replace, and pay for, a run whose recorded failure is a system error
                (2xxx), on every `up` that begins with one recorded; default false.

        Raises:
            TypeError: for a keyword that only this class itself gives, and for options elsewhere.
            pulumi.RunError: for `import_`, and for maps with keys that are no strings.

        """

    def _declare(
        self, resource_name: str, opts: ResourceOptions | None, declared: Mapping[str, object]
    ) -> None:
        check_options("WorkflowRun", opts, _INSTEAD)
        check_keys("WorkflowRun", declared)
        given = spelled(declared, "RunInputs", self._inputs)
        properties = {**given, "scope": scope(resource_name, opts), **derived(given)}
        self._register(resource_name, properties, respelled(opts, self._names, _respell_path))

    @classmethod
    def get(
        cls,
        resource_name: str,
        id: Input[str],  # noqa: A002 - Pulumi's name for it
        opts: ResourceOptions | None = None,
    ) -> "WorkflowRun":
        """Look a run up by its id, in the configured region; free, and never started."""
        return cls(resource_name, ResourceOptions.merge(opts, ResourceOptions(id=id)))


def _respell_path(path: str) -> str:
    from pulumi_vod_workflow.core.inputs.property_names import rename_path  # noqa: PLC0415 - see `spelled`

    return rename_path(path)
