"""The results of a wait, and its recorded state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from pulumi_vod_workflow.core.changes import values_differ
from pulumi_vod_workflow.core.completion.failures import failed_names
from pulumi_vod_workflow.core.completion.inputs import COMPLETION_FIELDS
from pulumi_vod_workflow.core.execution import is_terminal
from pulumi_vod_workflow.core.secrets import Secret
from pulumi_vod_workflow.core.state import with_secret_urls
from pulumi_vod_workflow.core.values import Properties

RESULT_FIELDS: Final = (
    "runId",
    "status",
    "phase",
    "statusReason",
    "createTime",
    "startTime",
    "endTime",
    "transcodes",
    "snapshots",
    "extra",
)
"""The recorded outputs of each run."""


def result_of(run_id: str, outputs: Properties) -> dict[str, Any]:
    """Return the result of a run that has ended."""
    result = {"transcodes": [], "snapshots": [], **outputs, "runId": run_id}
    return {name: result[name] for name in RESULT_FIELDS if result.get(name) not in (None, {})}


def result_without_run(run: Properties) -> dict[str, Any] | None:
    """Return the result of a batch's item without a run, or with an unknown outcome."""
    for phase in ("rejected", "unclear"):
        if phase in run:
            return {"phase": phase, "statusReason": run[phase], "transcodes": [], "snapshots": []}
    return None


def reusable_results(
    recorded: Properties, runs: Mapping[str, Properties]
) -> dict[str, dict[str, Any]]:
    """Return the recorded results of declared runs that have ended."""
    # A terminal run never changes, so it is not read again.
    recorded_results = {
        result["runId"]: result
        for result in (recorded.get("results") or {}).values()
        if is_terminal(result) and "runId" in result
    }
    return {
        name: recorded_results[run["runId"]]
        for name, run in runs.items()
        if run.get("runId") in recorded_results
    }


def needs_update(recorded: Properties, declared: Properties) -> bool:
    """Return whether a wait has not ended, or its runs or settings have changed."""
    return (
        _is_unfinished(recorded)
        or values_differ(_run_identities(recorded), _run_identities(declared))
        or any(
            values_differ(recorded.get(name), declared.get(name)) for name in COMPLETION_FIELDS[1:]
        )
    )


def _is_unfinished(recorded: Properties) -> bool:
    """Return whether a recorded wait has no result for one of its runs."""
    # The packaged provider records a wait that failed, with an error that makes the engine continue
    # it. A refresh removes that error from the state.
    runs, results = recorded.get("runs"), recorded.get("results")
    return isinstance(runs, Mapping) and not runs.keys() <= (results or {}).keys()


def _run_identities(properties: Properties) -> object:
    """Return the runs without `submittedAt`, which only sets the polling interval."""
    # In a preview the engine reports an absent output as unknown, and an adopted run has no
    # `submittedAt`. A comparison of it would show an update in every preview.
    runs = properties.get("runs")
    if not isinstance(runs, Mapping):
        return runs
    return {
        name: {key: value for key, value in run.items() if key != "submittedAt"}
        if isinstance(run, Mapping)
        else run
        for name, run in runs.items()
    }


def to_completion_state(declared: Properties, results: Mapping[str, Properties]) -> dict[str, Any]:
    """Return a wait's state: its declaration and the results."""
    inputs = {name: declared[name] for name in COMPLETION_FIELDS if name in declared}
    return {**inputs, "results": dict(results), "failed": failed_names(results)}


def with_secrets(recorded: Properties) -> dict[str, Any]:
    """Return a wait's state with secrets marked: results of secret inputs, and URLs."""
    if "results" not in recorded:
        return dict(recorded)
    results = recorded["results"]
    if recorded.get("secretInputs") is True:
        return {**recorded, "results": Secret(results)}
    marked = {name: with_secret_urls(result) for name, result in results.items()}
    return {**recorded, "results": marked}


def summary(results: Mapping[str, Properties]) -> str:
    """Return the number of runs by phase."""
    counts = Counter(result["phase"] for result in results.values())
    return ", ".join(f"{count:,} {phase}" for phase, count in sorted(counts.items())) or "no runs"
