"""The recorded state of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pulumi_vod_workflow.core.batch.inputs import Properties, inputs_of, items_of
from pulumi_vod_workflow.core.changes import values_differ
from pulumi_vod_workflow.core.execution import is_emulated, is_terminal
from pulumi_vod_workflow.core.secrets import Secret
from pulumi_vod_workflow.core.state import (
    with_secret_urls,
)

# -- recording ---------------------------------------------------------------------------------

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
)
"""What is recorded of an item's run, beside `inputs` where they are not the item's."""


def runs_of(batch: Properties) -> dict[str, dict[str, Any]]:
    """Return what is known of each item's run, with what it was started or adopted with."""
    common = {"region": batch.get("region"), "endpoint": batch.get("endpoint")}
    items = items_of(batch)
    runs: dict[str, dict[str, Any]] = {}
    for key, run in sorted((batch.get("runs") or {}).items()):
        inputs = run.get("inputs", items.get(key))
        told = {name: run[name] for name in RUN_RECORD if name in run}
        emulated = is_emulated(run["runId"])
        runs[key] = {**inputs_of(inputs or {}), **common, **told, "emulated": emulated}
    return runs


def to_batch_state(
    declared: Properties,
    runs: Mapping[str, Properties],
    *,
    rejected: Mapping[str, str],
    unclear: Mapping[str, str],
    site: Mapping[str, str],
) -> dict[str, Any]:
    """
    Return a batch's state: its declaration, and what is known of its runs.

    Args:
        declared: the checked inputs.
        runs: key -> what is known of its run, as `runs_of` has it.
        rejected: key -> why its last start did not succeed.
        unclear: key -> why its last start may have succeeded.
        site: `region` and `endpoint` of most of the runs: those of the batch's creation.

    """
    items = items_of(declared)
    kept: dict[str, Any] = {}
    for key, run in runs.items():
        inputs = inputs_of(run)
        kept[key] = {
            name: run[name]
            for name in RUN_RECORD
            if run.get(name) not in (None, {})
            and not (name in site and run[name] == site[name])
            and not (name == "statusReason" and _needs_no_reason(run))
        }
        if key in items and values_differ(inputs, inputs_of(items[key])):
            kept[key]["inputs"] = inputs
    told = {"rejected": dict(rejected), "unclear": dict(unclear)}
    return {**declared, "runs": kept, **told, **site}


_PLAIN: Final = frozenset({"submitted", "pending", "running", "succeeded"})

_KNOWN: Final = frozenset({None, "PendingStart", "Running", "0"})


def _needs_no_reason(run: Properties) -> bool:
    return run.get("phase") in _PLAIN and run.get("status") in _KNOWN


def with_secrets(batch: Properties) -> dict[str, Any]:
    """Mark what could tell a secret input, tokens and what was read, and URLs in what was read."""
    marked, secret = dict(batch), batch.get("secretInputs") is True
    if secret and "clientTokens" in batch:
        marked["clientTokens"] = Secret(batch["clientTokens"])
    if "runs" in batch:
        mark = _with_secrets if secret else with_secret_urls
        marked["runs"] = {key: mark(run) for key, run in batch["runs"].items()}
    return marked


def _with_secrets(run: Properties) -> dict[str, Any]:
    return {name: Secret(run[name]) if name in {"inputs", "extra"} else run[name] for name in run}


def unfinished_runs(batch: Properties) -> dict[str, dict[str, Any]]:
    """Return the runs that the service has to be asked about."""
    return {key: run for key, run in runs_of(batch).items() if not is_terminal(run)}
