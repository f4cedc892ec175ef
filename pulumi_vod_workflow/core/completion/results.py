"""What a wait is declared with, what it holds at the end, and what a failed one says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from pulumi_vod_workflow.core.batch.inputs import Properties
from pulumi_vod_workflow.core.changes import values_differ
from pulumi_vod_workflow.core.completion.failures import failed_names
from pulumi_vod_workflow.core.completion.inputs import COMPLETION_FIELDS
from pulumi_vod_workflow.core.execution import is_terminal
from pulumi_vod_workflow.core.secrets import Secret
from pulumi_vod_workflow.core.state import with_secret_urls

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
"""What is held of each run."""


def result_of(run_id: str, outputs: Properties) -> dict[str, Any]:
    """Return what is held of a run that has ended."""
    held = {"transcodes": [], "snapshots": [], **outputs, "runId": run_id}
    return {name: held[name] for name in RESULT_FIELDS if held.get(name) not in (None, {})}


def result_without_run(run: Properties) -> dict[str, Any] | None:
    """Return what is held of an item of a batch that has no run, or may have an unknown one."""
    for phase in ("rejected", "unclear"):
        if phase in run:
            return {"phase": phase, "statusReason": run[phase], "transcodes": [], "snapshots": []}
    return None


def reusable_results(
    recorded: Properties, runs: Mapping[str, Properties]
) -> dict[str, dict[str, Any]]:
    """Return the recorded results of runs that are awaited still: they never change again."""
    held = {
        result["runId"]: result
        for result in (recorded.get("results") or {}).values()
        if is_terminal(result) and "runId" in result
    }
    return {name: held[run["runId"]] for name, run in runs.items() if run.get("runId") in held}


def needs_update(recorded: Properties, declared: Properties) -> bool:
    """Tell whether other runs are to be waited for, or something else is to be recorded."""
    return values_differ(_identified(recorded), _identified(declared)) or any(
        values_differ(recorded.get(name), declared.get(name)) for name in COMPLETION_FIELDS[1:]
    )


def _identified(properties: Properties) -> object:
    """
    Return the runs without what is only a hint of when to ask.

    The engine calls an output that a run does not have unknown in every preview: an adopted one has
    no such time.
    """
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
    """Return a wait's state: its declaration, and what the runs have come to."""
    inputs = {name: declared[name] for name in COMPLETION_FIELDS if name in declared}
    return {**inputs, "results": dict(results), "failed": failed_names(results)}


def with_secrets(recorded: Properties) -> dict[str, Any]:
    """Mark what could tell a secret input of a run, its results, and URLs in any of them."""
    if "results" not in recorded:
        return dict(recorded)
    results = recorded["results"]
    if recorded.get("secretInputs") is True:
        return {**recorded, "results": Secret(results)}
    marked = {name: with_secret_urls(result) for name, result in results.items()}
    return {**recorded, "results": marked}


def summary(results: Mapping[str, Properties]) -> str:
    """Return how many runs came to what."""
    counts = Counter(result["phase"] for result in results.values())
    return ", ".join(f"{count:,} {phase}" for phase, count in sorted(counts.items())) or "no runs"
