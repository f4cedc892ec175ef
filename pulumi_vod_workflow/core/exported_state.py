"""
The starts and the runs in an exported state of the engine; nothing is decrypted.

`pulumi stack export` has the recorded resources, and the operations that an interrupted update had
not finished. The engine records such an operation with its inputs before the operation begins.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

from pulumi_vod_workflow.core.batch.inputs import items_of, normalise_batch
from pulumi_vod_workflow.core.batch.state import runs_of
from pulumi_vod_workflow.core.changes import with_rerun_token
from pulumi_vod_workflow.core.client_token import rerun_token
from pulumi_vod_workflow.core.property_marks import SECRET_SIGNATURE, SIGNATURE
from pulumi_vod_workflow.core.recovery import StartIntent, StartRecord, start_intent
from pulumi_vod_workflow.core.request import REQUEST_FIELDS
from pulumi_vod_workflow.core.resource_types import BATCH_TYPE, RUN_TYPE
from pulumi_vod_workflow.core.secrets import Secret
from pulumi_vod_workflow.core.values import Properties, as_mapping, normalise

SECRET: Final = Secret("[secret]")
"""The marker for every secret of an export."""

# A run of a start is submitted after the start was sent. The two times are of different clocks.
SUBMITTED_AT_TOLERANCE: Final = timedelta(minutes=1)
"""The largest difference of two clocks that `StateRuns.run_of` tolerates."""


def masked(value: Any) -> Any:
    """Return a value of an export with `SECRET` in place of secrets, encrypted or not."""
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET_SIGNATURE:
            return SECRET
        return {key: masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item) for item in value]
    return value


def has_secrets(value: Any) -> bool:
    """Return whether any part of the value is a secret."""
    if isinstance(value, dict):
        return any(map(has_secrets, value.values()))
    if isinstance(value, list):
        return any(map(has_secrets, value))
    return isinstance(value, Secret)


def without_secret_parts(batch: Properties) -> dict[str, Any]:
    """
    Return a batch's properties without the parts that are secret as a whole.

    A secret item stays, with its secret source only.
    """
    kept = {name: value for name, value in batch.items() if not isinstance(value, Secret)}
    kept["items"] = {
        key: {"vid": item} if isinstance(item, Secret) else item
        for key, item in (kept.get("items") or {}).items()
    }
    kept["runs"] = {
        key: {
            name: value
            for name, value in run.items()
            if not (name == "inputs" and isinstance(value, Secret))
        }
        for key, run in (kept.get("runs") or {}).items()
    }
    return kept


def declared_starts(
    kind: str, inputs: Properties, recorded: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """
    Return the inputs of a run under no key, or those of each item of a batch.

    Args:
        kind: the canonical type of the resource.
        inputs: its inputs, as `masked` returns them.
        recorded: its runs in the state, as `recorded_runs` returns them.

    """
    inputs = {key: value for key, value in inputs.items() if key != "__provider"}
    if kind == RUN_TYPE:
        return {"": normalise(inputs)}
    if isinstance(inputs.get("items"), Secret):  # any number of starts, without names
        return {"": inputs}
    starts = items_of(normalise_batch(without_secret_parts(inputs)))
    # An update of a batch derives the token of a rerun. A replacement of a run has it declared.
    return {
        key: with_rerun_token(start, recorded[key]) if key in recorded else start
        for key, start in starts.items()
    }


def recorded_runs(kind: str, outputs: Properties) -> dict[str, dict[str, Any]]:
    """Return the recorded runs of a resource, by the keys of `declared_starts`."""
    if kind == RUN_TYPE:
        return {"": normalise(outputs)} if "runId" in outputs else {}
    plain = without_secret_parts(outputs)
    tokens, scope = as_mapping(plain.get("clientTokens")), as_mapping(plain.get("scope"))
    # The state has inputs of a run only if they differ from those of its item.
    return {
        key: {
            **run,
            "clientToken": _recorded_token(run, tokens.get(key))
            if "inputs" not in plain["runs"][key]
            else None,
            "scope": {**scope, "item": key},
        }
        for key, run in runs_of(plain).items()
    }


def _recorded_token(run: Mapping[str, Any], token: Any) -> Any:
    """Return the token with which the run of an item was started."""
    is_rerun = "rerunOf" in run and isinstance(token, str)
    return rerun_token(token, run["rerunOf"]) if is_rerun else token


@dataclass(frozen=True)
class StateRuns:
    """The runs that a state has, and the names that its resources have or had."""

    runs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """RunId -> the run."""
    by_token: Mapping[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    """ClientToken -> the runs with this token."""
    stacks: frozenset[str] = frozenset()
    """The names that the stack has had: a resource has the name of its last update."""

    @classmethod
    def of(
        cls,
        recorded: Iterable[tuple[str, Properties]],
        pending: Iterable[tuple[str, Properties]] = (),
    ) -> StateRuns:
        """
        Return the runs of a state.

        Args:
            recorded: canonical type and masked outputs of each recorded resource.
            pending: canonical type and masked inputs of each resource of an unfinished operation.

        """
        runs: dict[str, Mapping[str, Any]] = {}
        by_token: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        stacks = set()
        for kind, properties in (*recorded, *pending):
            if kind in {RUN_TYPE, BATCH_TYPE}:
                stacks.add(str(as_mapping(properties.get("scope")).get("stack") or ""))
        for kind, outputs in recorded:
            if kind not in {RUN_TYPE, BATCH_TYPE}:
                continue
            for run in recorded_runs(kind, outputs).values():
                runs[str(run["runId"])] = run
                token = run.get("clientToken")
                if isinstance(token, str):
                    by_token[token].append(run)
        return cls(runs, by_token, frozenset(stacks - {""}))

    def run_of(self, record: StartRecord, token: str = "") -> Mapping[str, Any] | None:
        """
        Return the run of a sent start; `None` if the state does not have it.

        Another machine may have joined the start, or the journal could not record the answer. The
        state then has a run with the start's ClientToken.

        Args:
            record: the start's record.
            token: its ClientToken, if known.

        """
        if record.run is not None:
            return self.runs.get(str(record.run["runId"]))
        found = self.by_token.get(token, ()) if token else self._runs_of_record(record)
        return next((run for run in found if _may_answer(run, record.sent_at)), None)

    def _runs_of_record(self, record: StartRecord) -> Iterator[Mapping[str, Any]]:
        """Yield the runs whose start has this record; a record has only hashes."""
        for intent, run in self._starts:
            if record.request_key and record.request_key != intent.request_key:
                continue
            # The resource may have another name now.
            of_record = _intent({**run, "scope": json.loads(record.resource_key)})
            if record.record_key in {intent.record_key, of_record.record_key}:
                yield run

    @cached_property
    def _starts(self) -> list[tuple[StartIntent, Mapping[str, Any]]]:
        """The starts of the runs, without those that a secret hides."""
        return [
            (_intent(run), run)
            for runs in self.by_token.values()
            for run in runs
            if not has_secrets({name: run[name] for name in _START_INPUTS if name in run})
        ]


_START_INPUTS: Final = (*REQUEST_FIELDS, "triggers")


def _intent(run: Mapping[str, Any]) -> StartIntent:
    return start_intent(run, endpoint=str(run.get("endpoint")), region=str(run.get("region")))


def _may_answer(run: Mapping[str, Any], sent_at: datetime) -> bool:
    """Return whether a run can be the one of a start: `up --replace` keeps the token."""
    try:
        submitted = datetime.fromisoformat(str(run.get("submittedAt")))
        return submitted >= sent_at - SUBMITTED_AT_TOLERANCE
    except (TypeError, ValueError):  # an old state has no time, and its run has the token
        return True
