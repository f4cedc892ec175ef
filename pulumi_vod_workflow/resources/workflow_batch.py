"""
The resource of many runs.

No `from __future__ import annotations` here: Pulumi reads these annotations at run time.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pulumi
from pulumi import Input, InputType, Output, ResourceOptions

from pulumi_vod_workflow.core.text import NOT_SENT_TEXT
from pulumi_vod_workflow.resources._inputs import (
    accepts_any_keyword,
    options_with_property_names,
    rename_arguments,
    to_property_names,
    validate_keys,
    validate_options,
)
from pulumi_vod_workflow.resources._wait_mixin import WaitMixin
from pulumi_vod_workflow.resources.args import WorkflowItemArgs
from pulumi_vod_workflow.resources.outputs import WorkflowItemRun
from pulumi_vod_workflow.resources.workflow_run import WorkflowRun

SHARED_INPUTS: Final = {
    keyword: name
    for keyword, name in WorkflowRun._inputs.items()  # noqa: SLF001 - a class of this package
    if keyword not in {"client_token", "existing_run_id"}
}
"""A map from keyword to property, for the inputs that both an item and the defaults can have."""


class WorkflowBatch(WaitMixin, module="vod", name="WorkflowBatch"):
    """
    1 to 10,000 runs as one resource, started in one operation at the account's rate.

    | operation | does | costs |
    |---|---|---|
    | preview | checks every item offline, and lists the items that start | nothing |
    | create | StartWorkflow for each item, with a ClientToken for each | one run each |
    | update | starts new, changed, triggered and rejected items | one run each |
    | refresh | reads the status of all unfinished runs at once | nothing |
    | delete | removes the runs from the state; unfinished runs are billed | nothing |

    An item's token is a pure function of its key and its inputs. The order of items, and added or
    removed items, do not change the token of another item. After the service accepts one start, an
    operation no longer fails. Items that the provider could not start are in `rejected`, with a
    warning, and the next `pulumi up` tries them again. Items of unknown outcome are in `unclear`.
    After a kill, or a second Ctrl-C, the journal has the started runs. The next `pulumi up` with
    that journal reuses them, which is free. A `WorkflowCompletion` reads results.

    With `max_failures`, an update reads its runs (free) while it sends the starts. Each run that
    has not ended counts as a possible failure. So the update sends `max_failures` starts, and waits
    for their ends. Each success lets three more starts follow. If all items fail for one reason, at
    most `max_failures` runs are paid. The update lasts until it has sent all starts. It does not
    wait for the last runs. It also stops after one hour without an end.

    An update that stops fails, and its state has all runs that it started. Runs in flight are
    never lost. The keys of the other items are in `not_sent`. The next `pulumi up` shows them as
    "not sent before", sends them (paid), and counts failures from zero. It starts no failed run
    again without a change, a trigger or `rerun_on`.
    """

    runs: Output[Mapping[str, WorkflowItemRun]] = pulumi.property("runs")
    """Each item's run, by key. A rejected item keeps its earlier run, if there is one."""
    rejected: Output[Mapping[str, str]] = pulumi.property("rejected")
    """Reasons of items without a start, by key. The next `pulumi up` tries them again."""
    not_sent: Output[Sequence[str] | None] = pulumi.property("notSent")
    """Keys of items that the last update did not send, because of `max_failures`."""
    unclear: Output[Mapping[str, str]] = pulumi.property("unclear")
    """
    Items that may have a run although no RunId came back, with the reason, by key. `pulumi up`
    sends them again automatically only within `vod:resendWithin` seconds of the first send. After
    that its preview fails and names the choices. One choice is to find the run in the VOD console,
    and to declare it as `existing_run_id`. Another is to start the item again by a trigger (paid).
    """
    client_tokens: Output[Mapping[str, str]] = pulumi.property("clientTokens")
    """Each item's ClientToken, by key; none for items that adopt a run."""
    region: Output[str] = pulumi.property("region")
    """The region of the batch. A run in another region has its own `region`."""
    endpoint: Output[str] = pulumi.property("endpoint")
    """The URL of the service, or `emulator`. A run elsewhere has its own `endpoint`."""
    items: Output[Mapping[str, Any]] = pulumi.property("items")
    """The items as declared, keys in lowerCamelCase."""
    defaults: Output[Mapping[str, Any] | None] = pulumi.property("defaults")
    """The common inputs of the items as declared, keys in lowerCamelCase."""
    max_failures: Output[int | None] = pulumi.property("maxFailures")
    """The number of failures after which an update sends no more starts."""

    @accepts_any_keyword
    def __init__(
        self,
        resource_name: str,
        opts: ResourceOptions | None = None,
        *,
        items: Input[Mapping[str, InputType[WorkflowItemArgs]]],
        defaults: InputType[WorkflowItemArgs] | None = None,
        max_failures: Input[int] | None = None,
    ) -> None:
        """
        Declare the runs.

        Args:
            resource_name: the resource's name in the stack; part of the tokens.
            opts: Pulumi's options. `import_` does not work: use an item's `existing_run_id`.
            items: key -> the inputs of a run. The key is part of the item's token: another key is
                another run (paid).
            defaults: common inputs of all items. The provider merges maps (`direct_url`, `input`,
                `triggers`) key by key. All other inputs of an item replace the default. An item's
                source (`vid` or `direct_url`) replaces the source of the defaults. An item's
                `rerun_on` replaces that of the defaults.
            max_failures: 1 to 10,000; the number of failures after which an update sends no more
                starts; default none. A failure is a start without a RunId, a run that ended without
                success, or a run that cannot be read. See the class. A change is free.

        Raises:
            TypeError: for options that are no `ResourceOptions`, and for a keyword of this class.
            pulumi.RunError: for `import_`, and for maps with keys that are no strings.

        """

    def _declare(
        self, resource_name: str, opts: ResourceOptions | None, declared: Mapping[str, object]
    ) -> None:
        validate_options("WorkflowBatch", opts, "declare each run as existing_run_id of an item")
        validate_keys("WorkflowBatch", declared)
        self._has_failure_limit = declared.get("max_failures") is not None
        items = declared.get("items")
        lines = _lines(items)
        if isinstance(items, Mapping):
            items = {
                key: to_property_names(item, "ItemInputs", SHARED_INPUTS)
                for key, item in items.items()
            }
        defaults = to_property_names(declared.get("defaults"), "SharedInputs", SHARED_INPUTS)
        inputs = {**declared, "items": items, "defaults": defaults}
        properties = {
            **rename_arguments(inputs, self._inputs),
            **lines,
            **self._declaration(resource_name, opts, inputs),
        }
        self._register(
            resource_name, properties, options_with_property_names(opts, self._names, _rename_path)
        )

    def _named_runs(self, name: str | None) -> Output[Mapping[str, Any]]:
        """Return how to find each item's run, under its key, or as `name.key`."""
        prefix = "" if name is None else f"{name}."

        def merge(parts: Sequence[Any]) -> dict[str, Any]:
            runs, rejected, unclear, region, endpoint, *not_sent = parts
            found = {
                prefix + key: {
                    "runId": run.run_id,
                    "region": run.region or region,
                    "endpoint": run.endpoint or endpoint,
                    "submittedAt": run.submitted_at or run.create_time,
                }
                for key, run in (runs or {}).items()  # mocks may return no runs
            }
            reasons = {"rejected": rejected, "unclear": unclear}
            without_run = {
                prefix + key: {output: by_key[key]}
                for output, by_key in reasons.items()
                for key in by_key or ()
            }
            return {
                **found,
                **{
                    prefix + key: {"rejected": NOT_SENT_TEXT}
                    for keys in not_sent
                    for key in keys or ()
                },
                **without_run,
            }

        # The state has `notSent` only with a limit. An absent output is unknown in each preview, so
        # a wait for a batch without a limit must not use it.
        limited = (self.not_sent,) if self._has_failure_limit else ()
        known = (self.runs, self.rejected, self.unclear, self.region, self.endpoint, *limited)
        return Output.all(*known).apply(merge)

    def _secret_marker(self) -> Output[Any]:
        """Return an output that is secret if the resource has secret inputs."""
        return pulumi.get(self, "clientTokens")  # type: ignore[no-any-return]  # untyped


def _lines(items: object) -> dict[str, Any]:
    """Return the file's facts about items of `load_manifest`: `batch.inputs.MANIFEST_LINES_KEY`."""
    if not isinstance(items, dict) or not hasattr(items, "lines"):
        return {}
    facts: dict[str, Any] = {
        "file": getattr(items, "file", ""),
        "byKey": {key: line for key, line in items.lines.items() if key in items},
    }
    # As text: each number of a property is a binary float.
    seconds = getattr(items, "source_seconds", {})
    stated = {key: f"{value:f}" for key, value in seconds.items() if key in items}
    return {"__lines": {**facts, "secondsByKey": stated} if stated else facts}


def _rename_path(path: str) -> str:
    from pulumi_vod_workflow.core.batch.inputs import (  # noqa: PLC0415 - loads pydantic
        rename_batch_path,
    )

    return rename_batch_path(path)
