"""
The end of runs, as programs wait for it.

No `from __future__ import annotations` here: Pulumi reads these annotations at run time.
"""

# ruff: noqa: SLF001 - a waitable resource has two methods for this module alone
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import pulumi
from pulumi import Input, Output, ResourceOptions

from pulumi_vod_workflow.resources._base import VodResource, WaitableResource
from pulumi_vod_workflow.resources._inputs import (
    accepts_any_keyword,
    rename_arguments,
    validate_keys,
    validate_options,
)
from pulumi_vod_workflow.resources.outputs import WorkflowResult

WaitTarget = WaitableResource | Input[str]
"""A WorkflowRun, a WorkflowBatch, or the id of a run."""
WaitTargets = WaitTarget | Sequence[WaitTarget] | Mapping[str, WaitTarget]
"""One target, a list of targets, or a map from names to targets."""


class WorkflowCompletion(VodResource, module="vod", name="WorkflowCompletion"):
    """
    The results of runs that have ended; free. `create` waits for the runs, and starts nothing.

    | operation | does | costs |
    |---|---|---|
    | preview | checks the declaration | nothing |
    | create | waits for all runs at once, and reads their results | nothing |
    | update | waits for added runs; recorded results stay | nothing |
    | refresh | nothing: runs that have ended never change | nothing |
    | delete | removes the results from the state | nothing |

    After a failure, a timeout, Ctrl-C or a kill, the next `pulumi up` continues the wait.
    """

    results: Output[Mapping[str, WorkflowResult]] = pulumi.property("results")
    """The result of each run, by name."""
    failed: Output[Sequence[str]] = pulumi.property("failed")
    """Names of the runs that did not succeed; empty unless `on_failure` is `record`."""
    timeout: Output[float] = pulumi.property("timeout")
    """The longest wait of one update, in seconds."""
    on_failure: Output[str] = pulumi.property("onFailure")
    """The effect of a failed run: `error` or `record`."""
    fail_fast: Output[bool | None] = pulumi.property("failFast")
    """Whether the first failed run ends the wait."""

    @accepts_any_keyword
    def __init__(
        self,
        resource_name: str,
        opts: ResourceOptions | None = None,
        *,
        runs: WaitTargets,
        timeout: Input[float | str] | None = None,
        on_failure: Input[Literal["error", "record"]] | None = None,
        fail_fast: Input[bool] | None = None,
    ) -> None:
        """
        Declare a wait.

        Args:
            resource_name: the resource's name in the stack.
            opts: Pulumi's options; `custom_timeouts.create` is the default of `timeout`.
            runs: WorkflowRuns, WorkflowBatches or ids of runs: one, a list, or a map from names.
                In a list, the name of a run is the name of its resource, and the name of an id is
                the id. The names of a batch's items are their keys. In a list or map they are
                `name.key`.
            timeout: seconds, or text such as `90s`, `45m` or `1h30m`; default one hour, at most 30
                days.
            on_failure: `error`, the default, fails and lists each run that did not succeed.
                `record` records failures as results.
            fail_fast: fail as soon as one run has ended without success, or an item has no run;
                default false: fail after the end of all runs. Not allowed with `record`.

        Raises:
            TypeError: for options that are no `ResourceOptions`, and for a keyword of this class.
            pulumi.RunError: for `import_`, for a map with keys that are no strings, and for two
                runs with one name.

        """

    def _declare(
        self, resource_name: str, opts: ResourceOptions | None, declared: Mapping[str, object]
    ) -> None:
        validate_options("WorkflowCompletion", opts, "declare it; a second wait is free")
        validate_keys("WorkflowCompletion", declared)
        runs: Any = declared.get("runs")
        timeout = declared.get("timeout")
        # The engine sends `custom_timeouts`, and the SDK drops them (pulumi-facts B.3).
        if timeout is None and opts is not None and opts.custom_timeouts is not None:
            timeout = opts.custom_timeouts.create
        awaited = _merge(list(_named_runs(runs)))
        markers = [
            target._secret_marker()
            for target in _targets(runs)
            if isinstance(target, WaitableResource)
        ]
        properties = {
            **rename_arguments(declared, self._inputs),
            "runs": awaited,
            "timeout": timeout,
            **self._declaration(resource_name, opts, [awaited, *markers]),
        }
        self._register(resource_name, properties, opts)


NamedRuns = Input[Mapping[str, Any]]
"""A map from names to ids, or to the properties that find a run."""


def _targets(runs: WaitTargets) -> Iterator[WaitTarget]:
    if isinstance(runs, Mapping):
        yield from runs.values()
    elif isinstance(runs, Sequence) and not isinstance(runs, str):
        yield from runs
    else:
        yield runs


def _named_runs(runs: WaitTargets) -> Iterator[NamedRuns]:
    if isinstance(runs, WaitableResource):
        yield runs._named_runs(None)
    elif isinstance(runs, Mapping):
        for name, target in runs.items():
            if isinstance(target, WaitableResource):
                yield target._named_runs(name)
            else:
                yield {name: target}
    else:
        for awaited in _targets(runs):
            if isinstance(awaited, WaitableResource):
                yield awaited._named_runs(awaited.pulumi_resource_name)
            elif isinstance(awaited, str):
                yield {awaited: awaited}
            else:  # an output or another awaitable
                ids: Output[Any] = Output.from_input(awaited)
                yield ids.apply(_runs_by_own_id)


def _runs_by_own_id(value: Any) -> Any:
    """Return a map from each id to itself: an output has one id, or a list."""
    if isinstance(value, str):
        return {value: value}
    return {run_id: run_id for run_id in value} if isinstance(value, Sequence) else value


def _merge(parts: Sequence[NamedRuns]) -> NamedRuns:
    if len(parts) == 1:
        return parts[0]
    if all(isinstance(part, Mapping) for part in parts):
        return _merge_known(parts)
    return Output.all(*parts).apply(_merge_known)


def _merge_known(parts: Sequence[Any]) -> dict[str, Any]:
    """
    Merge all parts into one map.

    Raises:
        pulumi.RunError: when two runs have the same name, or one has no id.

    """
    if None in parts:
        raise pulumi.RunError(
            "WorkflowCompletion: an id in runs is None\n"
            "hint: in a test with mocks, return runId from new_resource"
        )
    names = Counter(name for part in parts for name in part)
    duplicates = sorted(name for name, count in names.items() if count > 1)
    if duplicates:
        raise pulumi.RunError(
            f"WorkflowCompletion: several runs are named {', '.join(duplicates)}\n"
            "hint: pass runs as a map with a name for each run"
        )
    return {name: run for part in parts for name, run in part.items()}
