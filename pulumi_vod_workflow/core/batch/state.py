"""The recorded state of a batch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from pulumi_vod_workflow.core.batch.inputs import inputs_of, items_of
from pulumi_vod_workflow.core.changes import values_differ
from pulumi_vod_workflow.core.execution import is_emulated, is_terminal
from pulumi_vod_workflow.core.secrets import Secret
from pulumi_vod_workflow.core.state import (
    with_secret_urls,
)
from pulumi_vod_workflow.core.values import Properties

RUN_RECORD: Final = (
    "runId",
    "requestId",
    "submittedAt",
    "status",
    "phase",
    "statusReason",
    "createTime",
    "startTime",
    "endTime",
    "extra",
    "region",
    "endpoint",
    "rerunOf",
)
"""The recorded outputs of an item's run. `inputs` are recorded if they differ from the item's."""


def runs_of(batch: Properties) -> dict[str, dict[str, Any]]:
    """Return each item's run, with the inputs of its start or adoption."""
    common = {"region": batch.get("region"), "endpoint": batch.get("endpoint")}
    items = items_of(batch)
    runs: dict[str, dict[str, Any]] = {}
    for key, run in sorted((batch.get("runs") or {}).items()):
        inputs = run.get("inputs", items.get(key))
        outputs = {name: run[name] for name in RUN_RECORD if name in run}
        emulated = is_emulated(run["runId"])
        runs[key] = {**inputs_of(inputs or {}), **common, **outputs, "emulated": emulated}
    return runs


def to_batch_state(
    declared: Properties,
    runs: Mapping[str, Properties],
    *,
    rejected: Mapping[str, str],
    unclear: Mapping[str, str],
    not_sent: Collection[str],
    site: Mapping[str, str],
) -> dict[str, Any]:
    """
    Return a batch's state: its declaration and its runs.

    Args:
        declared: the checked inputs.
        runs: key -> its run, in the form of `runs_of`.
        rejected: key -> the reason of its rejected start.
        unclear: key -> the reason of its start with an unknown outcome.
        not_sent: keys of starts that `maxFailures` did not admit.
        site: `region` and `endpoint` of the batch's creation.

    """
    # 10,000 items are one state file, so values that most runs share are not repeated.
    items = items_of(declared)
    kept: dict[str, Any] = {}
    for key, run in runs.items():
        inputs = inputs_of(run)
        kept[key] = {
            name: run[name]
            for name in RUN_RECORD
            if run.get(name) not in (None, {})
            and not (name in site and run[name] == site[name])
            and not (name == "statusReason" and _has_evident_reason(run))
        }
        if key in items and values_differ(inputs, inputs_of(items[key])):
            kept[key]["inputs"] = inputs
    without_run: dict[str, Any] = {"rejected": dict(rejected), "unclear": dict(unclear)}
    if not_sent or "maxFailures" in declared:
        without_run["notSent"] = sorted(not_sent)
    return {**declared, "runs": kept, **without_run, **site}


_EVIDENT_PHASES: Final = frozenset({"submitted", "pending", "running", "succeeded"})

_EVIDENT_STATUSES: Final = frozenset({None, "PendingStart", "Running", "0"})


def _has_evident_reason(run: Properties) -> bool:
    return run.get("phase") in _EVIDENT_PHASES and run.get("status") in _EVIDENT_STATUSES


def with_secrets(batch: Properties) -> dict[str, Any]:
    """Return a batch's state with secrets marked: tokens, inputs, and URLs in results."""
    # A token is a hash of inputs, and `extra` may repeat them.
    marked, secret = dict(batch), batch.get("secretInputs") is True
    if secret and "clientTokens" in batch:
        marked["clientTokens"] = Secret(batch["clientTokens"])
    if "runs" in batch:
        mark = _mark_run_secrets if secret else with_secret_urls
        marked["runs"] = {key: mark(run) for key, run in batch["runs"].items()}
    return marked


def _mark_run_secrets(run: Properties) -> dict[str, Any]:
    return {name: Secret(run[name]) if name in {"inputs", "extra"} else run[name] for name in run}


def unfinished_runs(batch: Properties) -> dict[str, dict[str, Any]]:
    """Return the runs that a refresh reads."""
    return {key: run for key, run in runs_of(batch).items() if not is_terminal(run)}
