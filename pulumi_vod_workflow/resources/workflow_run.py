"""
The resource of one run of a workflow.

No `from __future__ import annotations` here: Pulumi reads these annotations at run time.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

import pulumi
from pulumi import Input, InputType, Output, ResourceOptions

from pulumi_vod_workflow.resources._inputs import (
    accepts_any_keyword,
    options_with_property_names,
    to_property_names,
    validate_keys,
    validate_options,
)
from pulumi_vod_workflow.resources._wait_mixin import WaitMixin
from pulumi_vod_workflow.resources.args import DirectUrlArgs, WorkflowParamsArgs
from pulumi_vod_workflow.resources.outputs import Snapshot, Transcode, WorkflowTask

_IMPORT_HINTS = (
    "to adopt a run, declare existing_run_id",
    "to read a run, use WorkflowRun.get",
)


class WorkflowRun(WaitMixin, module="vod", name="WorkflowRun"):
    """
    One run of a VOD workflow. VOD has no call that cancels a run. `create` starts one run (paid).

    | operation | does | costs |
    |---|---|---|
    | preview | checks every rule offline; `--diff` shows the token | nothing |
    | create | StartWorkflow with a deterministic ClientToken | one run |
    | replace | after a change of a trigger, or of a value that the service receives | one run |
    | update | records all other changes | nothing |
    | refresh | reads status and results, until the run has ended | nothing |
    | delete | removes the run from the state; the run keeps running and is billed | nothing |
    """

    run_id: Output[str] = pulumi.property("runId")
    """The service's id of the run, opaque. It is also the id of the resource."""
    client_token: Output[str | None] = pulumi.property("clientToken")
    """The token by which the service recognises a retry of the start; none for an adopted run."""
    request_id: Output[str | None] = pulumi.property("requestId")
    """The RequestId of the accepted start, for a ticket; none for an adopted run."""
    status: Output[str | None] = pulumi.property("status")
    """The service's Status of the last read; none before the first refresh."""
    phase: Output[str] = pulumi.property("phase")
    """submitted, pending, running, succeeded, failed, terminated or expired."""
    status_reason: Output[str] = pulumi.property("statusReason")
    """The meaning of the status, and whether a rerun can help."""
    submitted_at: Output[str | None] = pulumi.property("submittedAt")
    """The UTC time at which the service accepted the run; none for an adopted run."""
    create_time: Output[str | None] = pulumi.property("createTime")
    """The service's CreateTime, with its offset; none before the first refresh."""
    start_time: Output[str | None] = pulumi.property("startTime")
    """The service's StartTime; none before processing begins."""
    end_time: Output[str | None] = pulumi.property("endTime")
    """The service's EndTime; none before the run ends."""
    space_name: Output[str | None] = pulumi.property("spaceName")
    """The space of the source, as the service reports it."""
    template_name: Output[str | None] = pulumi.property("templateName")
    """The name of the workflow, as the service reports it."""
    job_source: Output[str | None] = pulumi.property("jobSource")
    """The service's word for the origin of the run, for example `API`."""
    tasks: Output[Sequence[WorkflowTask]] = pulumi.property("tasks")
    """The run's tasks with their progress, as of the last read; at first empty."""
    transcodes: Output[Sequence[Transcode]] = pulumi.property("transcodes")
    """The output files, from a refresh after the run's end; empty until then."""
    snapshots: Output[Sequence[Snapshot]] = pulumi.property("snapshots")
    """The snapshots, from a refresh after the run's end; empty until then."""
    extra: Output[Mapping[str, Any] | None] = pulumi.property("extra")
    """Fields of the service that this version does not know, in lowerCamelCase."""
    region: Output[str] = pulumi.property("region")
    """The region of the run. Reads use it, even after a change of the configuration."""
    endpoint: Output[str] = pulumi.property("endpoint")
    """The URL of the service that started the run, or `emulator`. Reads use it, as `region`."""
    emulated: Output[bool] = pulumi.property("emulated")
    """Whether the emulator made this run, which is then not real and was free."""
    vid: Output[str | None] = pulumi.property("vid")
    """The Vid of the source, as declared or, if adopted, as read. A change starts a run (paid)."""
    direct_url: Output[Mapping[str, Any] | None] = pulumi.property("directUrl")
    """The source as a file, keys in lowerCamelCase. A change starts a run (paid)."""
    template_id: Output[str] = pulumi.property("templateId")
    """The id of the workflow. A change starts a run (paid)."""
    input: Output[Mapping[str, Any] | None] = pulumi.property("input")
    """Dynamic parameters, keys in lowerCamelCase. A change starts a run (paid)."""
    priority: Output[int | None] = pulumi.property("priority")
    """-5 to 5, default 0; see the argument for the direction. A change starts a run (paid)."""
    callback_args: Output[str | None] = pulumi.property("callbackArgs")
    """The text that the completion event contains. A change starts a run (paid)."""
    enable_low_priority: Output[bool | None] = pulumi.property("enableLowPriority")
    """Idle transcoding, default false. A change starts a run (paid)."""
    task_list_id: Output[str | None] = pulumi.property("taskListId")
    """The id of the task queue (SDK only). A change starts a run (paid)."""
    triggers: Output[Mapping[str, Any] | None] = pulumi.property("triggers")
    """An added or changed value starts a run (paid). A removed value is free."""
    existing_run_id: Output[str | None] = pulumi.property("existingRunId")
    """The id of the adopted run. To adopt a run, and to end that, are free."""
    rerun_on: Output[
        Sequence[Literal["systemError", "userError", "terminated", "expired"]] | None
    ] = pulumi.property("rerunOn")
    """The classes of recorded ends that start a run (paid)."""
    rerun_on_failure: Output[bool | None] = pulumi.property("rerunOnFailure")
    """Whether a recorded system error starts a run (paid)."""

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
        rerun_on: (
            Input[Sequence[Input[Literal["systemError", "userError", "terminated", "expired"]]]]
            | None
        ) = None,
        rerun_on_failure: Input[bool] | None = None,
    ) -> None:
        """
        Declare a run.

        Args:
            resource_name: the resource's name in the stack; part of the token.
            opts: Pulumi's options. `custom_timeouts` and `replace_on_changes` have no effect on
                dynamic resources. `import_` does not work: use `existing_run_id`.
            template_id: id of the workflow. Required, unless an existing run is adopted.
            vid: the source by its Vid. Exactly one of `vid` and `direct_url` is required.
            direct_url: the source as a file of a space.
            input: dynamic parameters that override the workflow's templates.
            priority: -5 to 5; default 0. The service's page of 2025-12-12 serves a larger number
                earlier. Its copy of 2025-02-13 and BytePlus serve a smaller one earlier.
            callback_args: at most 512 bytes, which the completion event returns.
            enable_low_priority: idle transcoding; default false.
            task_list_id: id of the task queue (SDK only).
            client_token: 1 to 64 printable ASCII characters instead of the derived token. A new
                value of `triggers` needs a new token. Two resources with one token and equal
                starts share one run.
            triggers: a new or changed value starts a run (paid). A removed value is free. Numbers
                are below 2**53; write a larger number as text.
                An earlier value derives the earlier token again, and the service may then return
                the earlier run. An output that another run does not have yet, such as `status`
                before a refresh, shows a replacement in each preview.
            existing_run_id: id of a run to adopt; free. The provider only reads it.
            rerun_on: replace a run with a recorded end of one of these classes: `systemError`
                (2xxx), `userError` (1xxx), `terminated` (a user of the account ended the run) or
                `expired` (the record is gone before a read of the end). Each `pulumi up` that
                begins with such a record starts one run (paid). Default none. With `userError`
                and `expired`, `client_token` must not be set: see `client_token`.
            rerun_on_failure: an alias. True is the `rerun_on` of `systemError` alone, false is
                none. Both are allowed only with the same meaning.

        Raises:
            TypeError: for options that are no `ResourceOptions`, and for a keyword of this class.
            pulumi.RunError: for `import_`, and for maps with keys that are no strings.

        """

    def _declare(
        self, resource_name: str, opts: ResourceOptions | None, declared: Mapping[str, object]
    ) -> None:
        validate_options("WorkflowRun", opts, *_IMPORT_HINTS, can_import=self._CAN_IMPORT)
        validate_keys("WorkflowRun", declared)
        inputs = to_property_names(declared, "RunInputs", self._inputs)
        properties = {
            **inputs,
            **self._declaration(resource_name, opts, inputs),
        }
        self._register(
            resource_name, properties, options_with_property_names(opts, self._names, _rename_path)
        )

    def _named_runs(self, name: str | None) -> Mapping[str, Any]:
        """Return how to find the run, under the name or else under the name of this resource."""
        found = {
            "runId": self.run_id,
            "region": self.region,
            "endpoint": self.endpoint,
            "submittedAt": self.submitted_at,
        }
        return {name or self.pulumi_resource_name: found}

    def _secret_marker(self) -> Output[Any]:
        """Return an output that is secret if the resource has secret inputs."""
        return pulumi.get(self, "transcodes")  # type: ignore[no-any-return]  # untyped

    @classmethod
    def get(
        cls,
        resource_name: str,
        id: Input[str],  # noqa: A002 - Pulumi's name for it
        opts: ResourceOptions | None = None,
    ) -> Self:
        """Read a run by its id, in the configured region; free."""
        return cls(resource_name, ResourceOptions.merge(opts, ResourceOptions(id=id)))


def _rename_path(path: str) -> str:
    from pulumi_vod_workflow.core.inputs.property_names import (  # noqa: PLC0415 - loads pydantic
        rename_path,
    )

    return rename_path(path)
