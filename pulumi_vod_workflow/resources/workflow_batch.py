"""
Many runs as one resource, as users declare them.

No `from __future__ import annotations` here: Pulumi reads these annotations at run time.
"""

from collections.abc import Mapping
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
from pulumi_vod_workflow.resources.args import WorkflowItemArgs
from pulumi_vod_workflow.resources.outputs import WorkflowItemRun


class WorkflowBatch(Awaitable, module="vod", name="WorkflowBatch"):
    """
    1 to 10,000 runs as one resource, started in one operation at the account's rate.

    | operation | does | costs |
    |---|---|---|
    | preview | checks every item offline, and lists which would start | nothing |
    | create | StartWorkflow for each item, with a ClientToken of its own | one run each |
    | update | starts new, changed, triggered, rejected items; others keep theirs | one run each |
    | refresh | reads the status of unfinished runs, all at once | nothing |
    | delete | forgets; the runs go on | nothing |

    An item's token is a pure function of its key and its inputs: reordering, adding or removing
    others changes nothing. Once anything is accepted, an operation no longer fails. Items that
    could not be started are in `rejected`, with a warning, and the next `pulumi up` tries them
    again. Items of unknown outcome are in `unclear`. After a kill, or a second Ctrl-C, the journal
    has the runs that were started: the next `pulumi up` with that journal reuses them, free.
    A completion reads results: `wait()`.
    """

    runs: Output[Mapping[str, WorkflowItemRun]] = pulumi.property("runs")
    """Each item's run, by key; an item that was rejected keeps the run it had before, if any."""
    rejected: Output[Mapping[str, str]] = pulumi.property("rejected")
    """Why items were not started, by key; the next `pulumi up` tries them again."""
    unclear: Output[Mapping[str, str]] = pulumi.property("unclear")
    """
    Why items may have been started though no RunId came back, by key. `pulumi up` sends them again
    automatically only within `vod:resendWithin` seconds of the first send; after that its preview
    fails and names the choices. Look for the run in the VOD console, and name it as
    `existing_run_id`, or start the item again by a trigger.
    """
    client_tokens: Output[Mapping[str, str]] = pulumi.property("clientTokens")
    """Each item's ClientToken, by key; none for items that adopt a run."""
    region: Output[str] = pulumi.property("region")
    """Where the batch was created; a run that is elsewhere says so."""
    endpoint: Output[str] = pulumi.property("endpoint")
    """URL of the service, or `emulator`; as `region`."""
    items: Output[Mapping[str, Any]] = pulumi.property("items")
    """The items as declared, keys in lowerCamelCase."""
    defaults: Output[Mapping[str, Any] | None] = pulumi.property("defaults")
    """What the items have in common as declared, keys in lowerCamelCase."""

    @accepts_any_keyword
    def __init__(
        self,
        resource_name: str,
        opts: ResourceOptions | None = None,
        *,
        items: Input[Mapping[str, InputType[WorkflowItemArgs]]],
        defaults: InputType[WorkflowItemArgs] | None = None,
    ) -> None:
        """
        Declare the runs.

        Args:
            resource_name: the resource's name in the stack; part of the tokens.
            opts: Pulumi's options; `import_` cannot work: use an item's `existing_run_id`.
            items: key -> the inputs of a run, as `WorkflowItemArgs` or a plain dictionary. The key
                is part of the item's token: another key is another, paid run.
            defaults: what the items have in common. Maps (`direct_url`, `input`, `triggers`) are
                merged key by key, anything else an item says replaces; an item's own source
                (`vid` or `direct_url`) takes the place of the defaults'.

        Raises:
            pulumi.RunError: for `import_`, and for maps with keys that are no strings.

        """

    def _declare(
        self, resource_name: str, opts: ResourceOptions | None, declared: Mapping[str, object]
    ) -> None:
        check_options("WorkflowBatch", opts, "name the runs as existing_run_id of its items")
        check_keys("WorkflowBatch", declared)
        items = declared.get("items")
        lines = _lines(items)
        if isinstance(items, Mapping):
            items = {key: spelled(item, "ItemInputs") for key, item in items.items()}
        defaults = spelled(declared.get("defaults"), "SharedInputs")
        given = {**declared, "items": items, "defaults": defaults}
        properties = {
            **given,
            **lines,
            "scope": scope(resource_name, opts),
            **derived(given),
        }
        self._register(resource_name, properties, respelled(opts, self._names, _respell_path))


def _lines(items: object) -> dict[str, Any]:
    """Return the file and lines of `load_manifest`'s items for messages: see `core.batch.LINES`."""
    if not isinstance(items, dict) or not hasattr(items, "lines"):
        return {}
    by_key = {key: line for key, line in items.lines.items() if key in items}
    return {"__lines": {"file": getattr(items, "file", ""), "byKey": by_key}}


def _respell_path(path: str) -> str:
    from pulumi_vod_workflow.core.batch.inputs import rename_batch_path  # noqa: PLC0415 - see `spelled`

    return rename_batch_path(path)
