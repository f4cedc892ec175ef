"""What a step on a `WorkflowBatch` promises, item by item."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from pulumi_vod_workflow.cli.pulumi_files.preview import (
    DELETES,
    HIDDEN_SECRET,
    UPDATES,
    Step,
    contains_marker,
)
from pulumi_vod_workflow.cli.pulumi_files.provider_messages import Told
from pulumi_vod_workflow.cli.review.model import (
    DroppedRun,
    FreeChange,
    FreeReason,
    PlannedRun,
    ResourceRef,
    ReviewItem,
)
from pulumi_vod_workflow.cli.review.run_items import field_changes, planned_run
from pulumi_vod_workflow.cli.review.value_diff import assume_unknowns_unchanged, without_hidden
from pulumi_vod_workflow.core.batch.changes import UNCLEAR, BatchPlan, plan_batch
from pulumi_vod_workflow.core.batch.inputs import ITEM_FIELDS, items_of, normalise_batch
from pulumi_vod_workflow.core.batch.state import runs_of
from pulumi_vod_workflow.core.values import UNKNOWN, Properties, is_known
from pulumi_vod_workflow.errors import AdoptionError

SECRET: Final = "a secret input"  # noqa: S105 - words
UNNAMED: Final = "items that the preview does not name"


def batch_items(step: Step, told: Told, service: str | None) -> Iterator[ReviewItem]:
    """Yield what a step does, item by item."""
    old, new = (normalise_batch(_open(side)) for side in (step.recorded, step.declared))
    runs, stated = _runs(old), _stated(step.recorded)
    forgotten = {key: _dropped_run(step.urn, key, run, stated) for key, run in runs.items()}
    if step.op in DELETES:
        yield from forgotten.values()
        return
    batch = _Batch(step, told, old, new, service)
    yield from (FreeChange(ResourceRef(step.urn, key), FreeReason.REUSED) for key in batch.taken)
    starts = [*batch.starts()]
    yield from starts
    adopted = told.adopts(batch.plan.adopt) if told.lines else batch.plan.adopt
    yield from (FreeChange(ResourceRef(step.urn, key), FreeReason.ADOPTED) for key in adopted)
    yield from (forgotten[key] for key in batch.plan.drop)
    if step.op in UPDATES and not starts:
        yield FreeChange(
            ResourceRef(step.urn), FreeReason.RECORDED, ", ".join(batch.plan.state_only)
        )


def _open(batch: Properties) -> Properties:
    """Return a batch so that core can read it, whatever of it is secret as a whole."""
    opened = {
        key: value for key, value in batch.items() if value is not HIDDEN_SECRET or key == "items"
    }
    items = batch.get("items")
    if isinstance(items, Mapping):
        opened["items"] = {
            key: UNKNOWN if item is HIDDEN_SECRET else item for key, item in items.items()
        }
    return opened


def _runs(batch: Properties) -> dict[str, dict[str, Any]]:
    return runs_of(without_hidden(batch, {})[0])


def _dropped_run(urn: str, key: str, run: Properties, stated: Properties) -> DroppedRun:
    return DroppedRun(ResourceRef(urn, key), run["runId"], run.get("phase"), stated.get(key, {}))


def _is_hidden(batch: Properties) -> bool:
    return any(batch.get(name) is HIDDEN_SECRET for name in ("items", "defaults"))


def _stated(batch: Properties) -> dict[str, dict[str, Any]]:
    """Return what the runs of a state were started with, of those of which nothing is hidden."""
    if _is_hidden(batch):
        return {}
    whole = normalise_batch(_open(batch))
    items, runs = items_of(whole), whole.get("runs")
    known = runs if isinstance(runs, Mapping) else {}
    found = {key: run.get("inputs", items.get(key)) for key, run in known.items()}
    return {
        key: item
        for key, item in found.items()
        if item and not contains_marker(item, HIDDEN_SECRET)
    }


def items_declared(step: Step) -> dict[str, Any]:
    """Return the items that a step declares, of those of which nothing is hidden or unknown."""
    if _is_hidden(step.declared):
        return {}
    items = items_of(normalise_batch(_open(step.declared)))
    return {
        key: item
        for key, item in items.items()
        if is_known(item) and not contains_marker(item, HIDDEN_SECRET)
    }


def _plan_batch(recorded: Properties, declared: Properties, service: str | None) -> BatchPlan:
    before, after = without_hidden(recorded, declared)
    try:
        return plan_batch(before, after, service=service)
    except AdoptionError:
        return BatchPlan()


class _Batch:
    """What a batch that is created or updated starts."""

    def __init__(
        self, step: Step, told: Told, old: Properties, new: Properties, service: str | None
    ) -> None:
        # A batch that is replaced starts anew; its runs are only there to be joined.
        recorded = old if step.op in UPDATES else {}
        self.urn, self.told, self.declared = step.urn, told, new
        self.plan = _plan_batch(recorded, new, service)
        self.taken = told.takes(self.plan.start)
        self._whatever = _plan_batch(
            recorded, assume_unknowns_unchanged(recorded, new), service
        ).start
        given = step.declared.get("items")
        hidden = given.items() if isinstance(given, Mapping) else ()
        self._secret = {key for key, item in hidden if item is HIDDEN_SECRET}
        self._items = items_of(new) if isinstance(new.get("items"), Mapping) else {}
        self._runs = _runs(recorded)
        self._stated, self._declared = _stated(step.recorded), items_declared(step)
        self._replaced = {} if recorded else old

    def _joins(self, key: str) -> bool:
        """Tell whether an item of a batch that is replaced asks for its own run once more."""
        before, after = (side.get("clientTokens") for side in (self._replaced, self.declared))
        if before is None or after is None:  # secret
            return key in _runs(self._replaced)
        return key in before and before[key] == after.get(key)

    def starts(self) -> Iterator[PlannedRun]:
        """Yield the items that start; the provider's count is right, whatever names there are."""
        planned = [key for key in self.plan.start if key not in self.taken]
        told, items = self.told.items_to_start, self.declared.get("items")
        named = self.told.starts(key for key in self._items if key not in self.taken)
        if told is None and self.plan.total is None:
            why = SECRET if items is HIDDEN_SECRET else "its items are not known yet"
            yield self._several(why, None)
        elif told is None or len(planned) == told != len(named):
            yield from map(self._item, planned)
        elif len(named) == told:
            yield from map(self._item, named)
        elif told:
            yield self._several(SECRET if items is HIDDEN_SECRET else UNNAMED, told)

    def _several(self, why: str, count: int | None) -> PlannedRun:
        templates = {item.get("templateId") for item in self._items.values() if item is not UNKNOWN}
        return PlannedRun(
            ResourceRef(self.urn),
            why,
            unknown=("items",) if count is None else (),
            certain=count is not None and self.told.all_known and not self.told.sent_again,
            template=templates.pop() if len(templates) == 1 else None,
            count=count,
            warnings=self.told.warnings,
        )

    def _item(self, key: str) -> PlannedRun:
        found, secret = self._items[key], key in self._secret
        planned = "" if secret else self.plan.start.get(key, "")
        why = planned or SECRET
        item, run = ({} if found is UNKNOWN else found), self._runs.get(key, {})
        start = planned_run(ResourceRef(self.urn, key), why, item, self.told)
        fields = [name for name in ITEM_FIELDS if re.search(rf"\b{name}\b", planned)] if run else []
        if self._joins(key):
            start = replace(start, joins="it is the same start as of the recorded run")
        if UNCLEAR in why:
            start = replace(start, joins="it was sent before, and never answered")
        stated = self._stated.get(key, {}) if run else {}
        certain = (
            (key in self._whatever or (why == SECRET and self.told.all_known))
            and item.get("existingRunId") is not UNKNOWN
            and (found is not UNKNOWN or secret)
            and not start.joins
        )
        return replace(
            start,
            changes=field_changes(fields, run, item),
            unknown=("",) if found is UNKNOWN and not secret else start.unknown,
            replaces=run.get("runId"),
            certain=certain,
            declared=self._declared.get(key, {}),
            recorded={**run, **stated} if stated else {},
        )
