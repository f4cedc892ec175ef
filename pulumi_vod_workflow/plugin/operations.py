"""The operations of resources: each translates a request, makes one call, and translates back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.empty_pb2 import Empty
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import provider_pb2 as proto

from pulumi_vod_workflow.core.request import SYSTEM_TEMPLATES
from pulumi_vod_workflow.core.resource_types import DYNAMIC_PROVIDER_KEY
from pulumi_vod_workflow.core.values import is_known
from pulumi_vod_workflow.errors import BatchStoppedError, VodWorkflowError, WaitError
from pulumi_vod_workflow.lifecycle.host import Host, Properties
from pulumi_vod_workflow.lifecycle.session import Lifecycle, Session
from pulumi_vod_workflow.plugin.detailed_diff import detailed_diff
from pulumi_vod_workflow.plugin.host import scope_of
from pulumi_vod_workflow.plugin.wire import Decoded, decode, encode, with_secrets


@dataclass(frozen=True, slots=True)
class Call:
    """A call of the engine about one resource."""

    lifecycle: Lifecycle
    session: Session
    host: Host
    request: Any
    """The request, of the type that the operation has."""


class InitFailedError(Exception):
    """
    An error of a resource that exists, so that the state keeps it and the next update continues.

    Attributes:
        details: the resource, with the error's text as its reason.

    """

    def __init__(self, details: proto.ErrorResourceInitFailed) -> None:
        super().__init__("\n".join(details.reasons))
        self.details = details


async def check(call: Call) -> proto.CheckResponse:
    """Validate a declaration; free."""
    olds, news = _decode_state(call.request.olds), decode(call.request.news)
    declared = {**news.values, "scope": scope_of(call.host.urn)}
    # The marks end here, and the operation must know that its messages may show no value.
    if news.secrets:
        declared["secretInputs"] = True
    checked = await call.lifecycle.check(call.session, call.host, olds.values, declared)
    # The engine prints the value of a named property, even a secret one (pulumi-facts B.4).
    failures = [proto.CheckFailure(property="", reason=text) for text in checked.failures]
    inputs = with_secrets(checked.inputs, _spelled_as(checked.inputs, declared, news.secrets))
    return proto.CheckResponse(inputs=encode(inputs), failures=failures)


def _spelled_as(
    inputs: Properties, declared: Properties, secrets: Mapping[str | int, Any]
) -> Mapping[str | int, Any]:
    """Return the secret parts, with each property that the check has renamed."""
    if secrets.keys() <= inputs.keys():
        return secrets
    return {**dict.fromkeys(inputs.keys() - declared.keys(), True), **secrets}


async def diff(call: Call) -> proto.DiffResponse:
    """Decide what a change does; free."""
    request, news = call.request, decode(call.request.news)
    olds = _decode_state(request.olds).values
    found = await call.lifecycle.diff(call.session, call.host, request.id, olds, news.values)
    if not found.changes:
        return proto.DiffResponse(changes=proto.DiffResponse.DIFF_NONE)
    detailed = detailed_diff(_decode_state(request.old_inputs), news, found.replaces)
    return proto.DiffResponse(
        changes=proto.DiffResponse.DIFF_SOME,
        replaces=found.replaces,
        # A replacement starts the new run first: otherwise a failed start would leave the stack
        # without a run (pulumi-facts B.5).
        deleteBeforeReplace=False,
        detailedDiff=detailed,
        # The items of a batch may start again without a changed input.
        hasDetailedDiff=bool(detailed),
    )


async def create(call: Call) -> proto.CreateResponse:
    """Create the resource. A run and a batch start runs (paid)."""
    inputs = _decode_inputs(call.request.properties, call.host)
    try:
        created = await call.lifecycle.create(call.session, call.host, inputs.values)
    except WaitError as error:
        raise _unfinished_wait(error, Decoded({}, {}), inputs) from None
    except BatchStoppedError as error:
        raise _stopped_batch(call, error, inputs.secrets) from None
    return proto.CreateResponse(
        id=created.id,
        properties=encode(with_secrets(created.state, inputs.secrets)),
        refresh_before_update=_must_refresh(call, created.state),
    )


async def read(call: Call) -> proto.ReadResponse:
    """Read the current outputs; free. Without recorded ones, import the resource."""
    request = call.request
    state = _decode_state(request.properties)
    if not state.values:
        imported = await call.lifecycle.import_(
            call.session, call.host, request.id, scope_of(call.host.urn)
        )
        return proto.ReadResponse(
            id=request.id,
            properties=encode(imported.state),
            inputs=encode(imported.inputs),
            refresh_before_update=_must_refresh(call, imported.state),
        )
    found = await call.lifecycle.read(call.session, call.host, request.id, state.values)
    inputs = _decode_state(request.inputs)
    return proto.ReadResponse(
        id=found.id,
        properties=encode(with_secrets(found.state, state.secrets)),
        inputs=encode(with_secrets(inputs.values, inputs.secrets)),
        refresh_before_update=_must_refresh(call, found.state),
    )


async def update(call: Call) -> proto.UpdateResponse:
    """Update the resource. A batch starts new and changed items (paid)."""
    request = call.request
    olds, news = _decode_state(request.olds), _decode_inputs(request.news, call.host)
    try:
        state = await call.lifecycle.update(
            call.session, call.host, request.id, olds.values, news.values
        )
    except WaitError as error:
        raise _unfinished_wait(error, olds, news) from None
    except BatchStoppedError as error:
        raise _stopped_batch(call, error, _secrets_of(olds, news)) from None
    return proto.UpdateResponse(
        properties=encode(with_secrets(state, _secrets_of(olds, news))),
        refresh_before_update=_must_refresh(call, state),
    )


async def delete(call: Call) -> Empty:
    """Remove the resource from the state; free. Unfinished runs continue and are billed."""
    state = _decode_state(call.request.properties).values
    await call.lifecycle.delete(call.session, call.host, call.request.id, state)
    return Empty()


def _decode_state(struct: Struct) -> Decoded:
    """Return recorded properties, without the provider of a dynamic resource."""
    values, secrets = decode(struct)
    return Decoded(
        {key: value for key, value in values.items() if key != DYNAMIC_PROVIDER_KEY}, secrets
    )


def _decode_inputs(struct: Struct, host: Host) -> Decoded:
    """Return checked inputs; outside a preview, an unknown value is one that is lost."""
    inputs = decode(struct)
    if not host.preview and not is_known(inputs.values):
        inputs.values["unknownInputs"] = True
    return inputs


def _must_refresh(call: Call, state: Properties) -> bool:
    """Return whether the engine reads the resource before it plans the next update."""
    return not call.host.preview and call.lifecycle.may_change_by_read(state)


def _secrets_of(olds: Decoded, news: Decoded) -> dict[str | int, Any]:
    """Return the secret parts of an updated state: of its inputs, and of recorded outputs."""
    kept = {name: olds.secrets[name] for name in olds.secrets.keys() - news.values.keys()}
    return {**kept, **news.secrets}


def _stopped_batch(
    call: Call, error: BatchStoppedError, secrets: Mapping[str | int, Any]
) -> InitFailedError:
    """Return the error of a batch that stopped, which keeps the runs in the state."""
    return InitFailedError(
        proto.ErrorResourceInitFailed(
            id=error.id,
            properties=encode(with_secrets(error.state, secrets)),
            reasons=[str(error)],
            refresh_before_update=_must_refresh(call, error.state),
        )
    )


def _unfinished_wait(error: WaitError, olds: Decoded, inputs: Decoded) -> InitFailedError:
    """Return the error of a wait, which keeps the wait in the state."""
    from pulumi_vod_workflow.lifecycle.completion import unfinished  # noqa: PLC0415 - loads anyio

    kept = unfinished(olds.values, inputs.values)
    return InitFailedError(
        proto.ErrorResourceInitFailed(
            id=kept.id,
            properties=encode(with_secrets(kept.state, _secrets_of(olds, inputs))),
            reasons=[str(error)],
            inputs=encode(with_secrets(inputs.values, inputs.secrets)),
        )
    )


# -- functions ---------------------------------------------------------------------------------


async def get_run(session: Session, host: Host, arguments: Properties) -> Properties:
    """
    Read a run by its id, in the configured region; free.

    Raises:
        VodWorkflowError: without an id, or when the read fails.

    """
    from pulumi_vod_workflow.lifecycle import run  # noqa: PLC0415 - loads more than a check

    run_id = arguments.get("runId")
    if not isinstance(run_id, str) or not run_id:
        raise VodWorkflowError(
            "getRun: runId must be the id of a run, as text. No run was started.\n"
            "hint: take it from the VOD console, or from the output `runId` of a WorkflowRun"
        )
    found = await run.read(session, host, run_id, {})
    return found.state


async def get_built_in_workflows(
    _session: Session, _host: Host, _arguments: Properties
) -> Properties:
    """Return the built-in workflows that this version knows; offline and free."""
    return {
        "workflows": [
            {"templateId": template_id, "tasks": tasks}
            for template_id, tasks in SYSTEM_TEMPLATES.items()
        ]
    }


FUNCTIONS: Final = {
    "vod:index:getRun": get_run,
    "vod:index:getBuiltInWorkflows": get_built_in_workflows,
}
"""Token of a function -> the function."""
