"""A step on a `WorkflowBatch` -> starts, free changes and dropped runs, item by item."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pulumi_vod_workflow.cli.pulumi_files.diagnostics import ProviderReport
from pulumi_vod_workflow.cli.pulumi_files.preview import (
    DELETES,
    HIDDEN_SECRET,
    UPDATES,
    Step,
    contains_marker,
)
from pulumi_vod_workflow.cli.review.model import (
    DroppedRun,
    FreeChange,
    FreeReason,
    PlannedRun,
    Reason,
    ResourceRef,
    ReviewCause,
    ReviewItem,
)
from pulumi_vod_workflow.cli.review.run_items import SENT_BEFORE, field_changes, planned_run
from pulumi_vod_workflow.cli.review.value_diff import assume_unknowns_unchanged, without_hidden
from pulumi_vod_workflow.core.batch.changes import BatchPlan, plan_batch
from pulumi_vod_workflow.core.batch.inputs import ITEM_FIELDS, items_of, normalise_batch
from pulumi_vod_workflow.core.batch.state import runs_of
from pulumi_vod_workflow.core.durations import (
    SourceDuration,
    average_duration,
    spread_durations,
)
from pulumi_vod_workflow.core.plan_message import Items
from pulumi_vod_workflow.core.start_reason import StartReason
from pulumi_vod_workflow.core.values import UNKNOWN, Properties, is_known
from pulumi_vod_workflow.errors import AdoptionError


def batch_items(step: Step, report: ProviderReport, service: str | None) -> Iterator[ReviewItem]:
    """Yield the items of a step."""
    old, new = (normalise_batch(_open(side)) for side in (step.recorded, step.declared))
    runs, stated = _runs(old), _stated(step.recorded)
    dropped = {key: _dropped_run(step.urn, key, run, stated) for key, run in runs.items()}
    if step.op in DELETES:
        yield from dropped.values()
        return
    batch = _Batch(step, report, old, new, service)
    yield from batch.reused()
    starts = [*batch.starts()]
    yield from starts
    yield from batch.adopted()
    yield from (dropped[key] for key in batch.plan.drop)
    if step.op in UPDATES and not starts:
        yield FreeChange(
            ResourceRef(step.urn), FreeReason.RECORDED, ", ".join(batch.plan.state_only)
        )


def _open(batch: Properties) -> Properties:
    """Return a batch that the core can read, also if parts of it are secret as a whole."""
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
    """Return the recorded inputs of the runs without hidden values."""
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
    """Return the declared items without hidden or unknown values."""
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
    """A batch that is created or updated."""

    def __init__(
        self,
        step: Step,
        report: ProviderReport,
        old: Properties,
        new: Properties,
        service: str | None,
    ) -> None:
        # A batch that is replaced starts all its items; the service may join its old runs.
        recorded = old if step.op in UPDATES else {}
        self.urn, self._declared_batch = step.urn, new
        self._message, self._warnings = report.plan, report.warnings
        self.plan = _plan_batch(recorded, new, service)
        # Unknown values may turn out to be the recorded ones.
        self._surely = _plan_batch(
            recorded, assume_unknowns_unchanged(recorded, new), service
        ).start
        self._tokens = step.declared.get("clientTokens", UNKNOWN)
        given = step.declared.get("items")
        hidden = given.items() if isinstance(given, Mapping) else ()
        self._secret = {key for key, item in hidden if item is HIDDEN_SECRET}
        self._masked = {key for key, item in hidden if contains_marker(item, HIDDEN_SECRET)}
        if _is_hidden(step.declared) or _is_hidden(step.recorded):
            self._masked = {key for key, _ in hidden}
        # The program can mark any output as a secret. Then each item looks new.
        self._is_state_visible = not any(
            step.recorded.get(name) is HIDDEN_SECRET for name in ("runs", "items", "defaults")
        )
        self._items = items_of(new) if isinstance(new.get("items"), Mapping) else {}
        self._runs = _runs(recorded)
        self._stated, self._declared = _stated(step.recorded), items_declared(step)
        self._replaced = {} if recorded else old
        groups = self._message.starts if self._message else ()
        self._reasons = {key: group.reason for group in groups for key in group.items.keys}

    def reused(self) -> Iterator[FreeChange]:
        """Yield the items that reuse a run of the journal."""
        if self._message:
            yield from self._free(self._message.reuses, FreeReason.REUSED)

    def adopted(self) -> Iterator[FreeChange]:
        """Yield the items that adopt a run."""
        planned = Items(len(self.plan.adopt), self.plan.adopt)
        found = self._message.adopts if self._message else planned
        yield from self._free(
            planned if planned.count == found.count else found, FreeReason.ADOPTED
        )

    def _free(self, items: Items, reason: FreeReason) -> Iterator[FreeChange]:
        yield from (FreeChange(ResourceRef(self.urn, key), reason) for key in items.keys)
        if not items.are_all_named:
            more = f"{items.count - len(items.keys):,} more items"
            yield FreeChange(ResourceRef(self.urn), reason, more)

    def starts(self) -> Iterator[PlannedRun]:
        """Yield the items that start. The count of the provider's message is exact."""
        reused = {*self._message.reuses.keys} if self._message else set()
        planned = [key for key in self.plan.start if key not in reused]
        secret = self._declared_batch.get("items") is HIDDEN_SECRET
        if self._message is None:
            if self.plan.total is None:
                cause = ReviewCause.SECRET if secret else ReviewCause.UNKNOWN_ITEMS
                yield self._several(cause, None)
                return
            yield from map(self._item, planned)
            # A masked value may have changed.
            for key in sorted(self._masked.difference(planned, self.plan.adopt)):
                yield replace(self._item(key), certain=False)
            return
        count = self._message.start_count
        named = [key for key in self._items if key in self._reasons]
        if count is None:
            yield self._several(ReviewCause.UNKNOWN_ITEMS, None)
        elif count in (len(named), len(planned)):
            yield from self._named_starts(named if count == len(named) else planned)
        else:
            yield self._several(ReviewCause.SECRET if secret else ReviewCause.UNNAMED, count)

    def _named_starts(self, keys: Sequence[str]) -> Iterator[PlannedRun]:
        durations = self._durations(keys)
        yield from (replace(self._item(key), duration=durations.get(key)) for key in keys)

    def _durations(self, keys: Sequence[str]) -> dict[str, SourceDuration]:
        """Return the durations of starting items; none if the message has another item's."""
        groups = self._message.durations if self._message else ()
        starts = {key: self._items[key] for key in keys}
        if any(key not in starts for group in groups for key in group.items.keys):
            return {}
        return spread_durations(groups, starts)

    def _several(self, cause: ReviewCause, count: int | None) -> PlannedRun:
        message, template = self._message, self._shared_input("templateId", None)
        low_priority = self._shared_input("enableLowPriority", UNKNOWN)
        has_one_price = template is not None and low_priority is not UNKNOWN
        durations = message.durations if message and has_one_price else ()
        return PlannedRun(
            ResourceRef(self.urn),
            Reason(causes=(cause,)),
            unknown=("items",) if count is None else (),
            certain=count is not None and message is not None and not message.has_unknown_reason,
            joins=SENT_BEFORE if message and message.may_be_sent_before else "",
            template=template,
            low_priority=low_priority,
            duration=average_duration(durations, count or 0),
            count=count,
            max_failures=self.plan.max_failures,
            warnings=self._warnings,
        )

    def _shared_input(self, name: str, otherwise: object) -> Any:
        """Return the input that all items share; `otherwise` if they differ, or are unknown."""
        items = [*self._items.values()]
        values = [UNKNOWN if item is UNKNOWN else item.get(name) for item in items]
        return values[0] if values and all(value == values[0] for value in values) else otherwise

    def _item(self, key: str) -> PlannedRun:
        found, secret = self._items[key], key in self._secret
        planned: StartReason | None = None if secret else self.plan.start.get(key)
        if planned is None and not secret and key not in self._masked:
            planned = self._reasons.get(key)  # for a cause that no preview has
        reason = Reason(planned) if planned else Reason(causes=(ReviewCause.SECRET,))
        item, run = ({} if found is UNKNOWN else found), self._runs.get(key, {})
        start = planned_run(
            ResourceRef(self.urn, key),
            reason,
            item,
            joins=self._joined_run(key, reason),
            warnings=self._warnings,
        )
        fields = [name for name in ITEM_FIELDS if name in reason.properties] if run else []
        stated = self._stated.get(key, {}) if run else {}
        certain = (
            (self._message is not None or self._is_state_visible)
            and (key in self._surely or (planned is None and self._is_all_known))
            and item.get("existingRunId") is not UNKNOWN
            and (found is not UNKNOWN or secret)
            and not start.joins
        )
        return replace(
            start,
            client_token=self._client_token(key),
            vid=HIDDEN_SECRET if secret else UNKNOWN if found is UNKNOWN else start.vid,
            changes=field_changes(fields, run, item),
            unknown=("",) if found is UNKNOWN and not secret else start.unknown,
            replaces=run.get("runId"),
            max_failures=self.plan.max_failures,
            certain=certain,
            declared=self._declared.get(key, {}),
            recorded={**run, **stated} if stated else {},
        )

    def _client_token(self, key: str) -> Any:
        tokens = self._tokens
        return tokens.get(key, UNKNOWN) if isinstance(tokens, Mapping) else tokens

    @property
    def _is_all_known(self) -> bool:
        """Whether the provider reports that no start depends on an unknown input."""
        return self._message is not None and not self._message.has_unknown_reason

    def _joined_run(self, key: str, reason: Reason) -> str:
        """Return why the service may answer the start of an item with an existing run."""
        resends = self._message.resends if self._message else Items()
        reported = self._reasons.get(key)
        if (
            reason.may_be_sent_before
            or (reported and reported.may_be_sent_before)
            or key in resends.keys
            or not resends.are_all_named
        ):
            return SENT_BEFORE
        before, after = (
            side.get("clientTokens") for side in (self._replaced, self._declared_batch)
        )
        if before is None or after is None:  # secret, or not replaced
            is_same = key in _runs(self._replaced)
        else:
            is_same = key in before and before[key] == after.get(key)
        return "it is the same start as of the recorded run" if is_same else ""
