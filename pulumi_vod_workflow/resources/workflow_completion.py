"""
The end of runs, as users wait for it.

No `from __future__ import annotations` here: Pulumi reads these annotations at run time.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import pulumi
from pulumi import Input, Output, ResourceOptions

from pulumi_vod_workflow.resources._base import VodResource
from pulumi_vod_workflow.resources._inputs import (
    accepts_any_keyword,
    check_keys,
    check_options,
    derived,
    respelled_keys,
    scope,
)
from pulumi_vod_workflow.resources._wait_mixin import Awaitable
from pulumi_vod_workflow.resources.outputs import WorkflowResult
from pulumi_vod_workflow.resources.workflow_batch import WorkflowBatch
from pulumi_vod_workflow.resources.workflow_run import WorkflowRun

Run = Awaitable | Input[str]
"""What can be waited for: a resource, or the id of a run."""
Runs = Run | Sequence[Run] | Mapping[str, Run]


class WorkflowCompletion(VodResource, module="vod", name="WorkflowCompletion"):
    """
    The results of runs that have ended. Creating it waits for them; nothing is ever started.

    | operation | does | costs |
    |---|---|---|
    | preview | checks the declaration | nothing |
    | create | waits for all runs at once, and reads their results | nothing |
    | update | waits for runs that are new here; the others' results stay | nothing |
    | refresh | nothing: runs that have ended never change | nothing |
    | delete | forgets the results | nothing |

    After a failure, a timeout, Ctrl-C or a kill the next `pulumi up` waits on.
    """

    results: Output[Mapping[str, WorkflowResult]] = pulumi.property("results")
    """What each run has come to, by name."""
    failed: Output[Sequence[str]] = pulumi.property("failed")
    """Names of the runs that did not succeed: none, unless failures are recorded."""
    timeout: Output[float] = pulumi.property("timeout")
    """Seconds."""
    on_failure: Output[str] = pulumi.property("onFailure")
    """`error` or `record`."""

    @accepts_any_keyword
    def __init__(
        self,
        resource_name: str,
        opts: ResourceOptions | None = None,
        *,
        runs: Runs,
        timeout: Input[float | str] | None = None,
        on_failure: Input[Literal["error", "record"]] | None = None,
    ) -> None:
        """
        Declare a wait.

        Args:
            resource_name: the resource's name in the stack.
            opts: Pulumi's options; `custom_timeouts.create` is the timeout if none is given.
            runs: WorkflowRuns, WorkflowBatches or ids of runs: one, a list, or a map of names. In
                a list a run is named as its resource, an id as itself; the items of a batch in a
                list or map as `name.key`, those of a batch alone by their keys.
            timeout: seconds, or text like `90s`, `45m`, `1h30m`; default an hour, at most 30 days.
            on_failure: `error`, the default: fail, and tell of each run that did not succeed;
                `record`: take failures as results.

        Raises:
            pulumi.RunError: for `import_`, for a map with keys that are no strings, and for runs
                of the same name.

        """

    def _declare(
        self, resource_name: str, opts: ResourceOptions | None, declared: Mapping[str, object]
    ) -> None:
        check_options("WorkflowCompletion", opts, "declare it; waiting again is free")
        check_keys("WorkflowCompletion", declared)
        runs: Any = declared.get("runs")
        timeout = declared.get("timeout")
        if timeout is None and opts is not None and opts.custom_timeouts is not None:
            timeout = opts.custom_timeouts.create
        awaited = _merged(list(_parts(runs)))
        properties = {
            **respelled_keys(declared, self._inputs),
            "runs": awaited,
            "timeout": timeout,
            "scope": scope(resource_name, opts),
            **derived([awaited, *map(_telling, _each(runs))]),
        }
        self._register(resource_name, properties, opts)


Part = Input[Mapping[str, Any]]
"""Name -> id, or what is known of a run."""


def _each(runs: Runs) -> Iterator[Run]:
    if isinstance(runs, Mapping):
        yield from runs.values()
    elif isinstance(runs, Sequence) and not isinstance(runs, str):
        yield from runs
    else:
        yield runs


def _telling(run: Run) -> object:
    """Return an output that is secret if anything the run was made of was."""
    if isinstance(run, WorkflowRun):
        return pulumi.get(run, "transcodes")
    return pulumi.get(run, "clientTokens") if isinstance(run, WorkflowBatch) else None


def _parts(runs: Runs) -> Iterator[Part]:
    if isinstance(runs, WorkflowBatch):
        yield _items(runs, "")
    elif isinstance(runs, Mapping):
        for name, run in runs.items():
            yield _items(run, f"{name}.") if isinstance(run, WorkflowBatch) else {name: _run(run)}
    else:
        for run in _each(runs):
            if isinstance(run, WorkflowBatch):
                yield _items(run, f"{run.pulumi_resource_name}.")
            elif isinstance(run, WorkflowRun):
                yield {run.pulumi_resource_name: _run(run)}
            elif isinstance(run, str):
                yield {run: run}
            else:
                yield Output.from_input(run).apply(_ids)  # type: ignore[arg-type]  # awaitables, too


def _ids(told: Any) -> Any:
    """Name ids by themselves: one, or as many as an output turns out to hold."""
    if isinstance(told, str):
        return {told: told}
    return {run: run for run in told} if isinstance(told, Sequence) else told


def _run(run: Run) -> Any:
    if not isinstance(run, WorkflowRun):
        return run
    return {
        "runId": run.run_id,
        "region": run.region,
        "endpoint": run.endpoint,
        "submittedAt": run.submitted_at,
    }


def _items(batch: WorkflowBatch, prefix: str) -> Output[Mapping[str, Any]]:
    def told(parts: Sequence[Any]) -> dict[str, Any]:
        runs, rejected, unclear, region, endpoint = parts
        runs = runs or {}  # under mocks that tell none, there are none
        found = {
            prefix + key: {
                "runId": run.run_id,
                "region": run.region or region,
                "endpoint": run.endpoint or endpoint,
                "submittedAt": run.submitted_at or run.create_time,
            }
            for key, run in runs.items()
        }
        why_not = {"rejected": rejected, "unclear": unclear}
        without = {prefix + key: {k: v[key]} for k, v in why_not.items() for key in v or ()}
        return {**found, **without}

    known = (batch.runs, batch.rejected, batch.unclear, batch.region, batch.endpoint)
    return Output.all(*known).apply(told)


def _merged(parts: Sequence[Part]) -> Part:
    if len(parts) == 1:
        return parts[0]
    if all(isinstance(part, Mapping) for part in parts):
        return _together(parts)
    return Output.all(*parts).apply(_together)


def _together(parts: Sequence[Any]) -> dict[str, Any]:
    """
    Return all parts as one.

    Raises:
        pulumi.RunError: when two runs would have the same name, or one has no id.

    """
    if None in parts:
        raise pulumi.RunError(
            "WorkflowCompletion: an id in runs is None (under mocks: let new_resource return runId)"
        )
    names = Counter(name for part in parts for name in part)
    twice = sorted(name for name, count in names.items() if count > 1)
    if twice:
        raise pulumi.RunError(
            f"WorkflowCompletion: several runs are named {', '.join(twice)}: give them as a map "
            "with names of its own"
        )
    return {name: run for part in parts for name, run in part.items()}
