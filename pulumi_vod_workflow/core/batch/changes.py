"""
Many runs as one resource: items over shared defaults, each item planned as a run.

Each recorded run is known with what it was started with, so that `plan_change` decides for an item
as it does for a resource. Going back to that, after another start was rejected, costs nothing.

What is recorded of an item is small, for there are thousands: what a run has in common with the
batch (region, endpoint) or with its item (what it was started with) is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any

from pulumi_vod_workflow.core.batch.inputs import BATCH_FIELDS, inputs_of, items_of
from pulumi_vod_workflow.core.batch.state import runs_of
from pulumi_vod_workflow.core.changes import (
    SAME_WORK_WARNING,
    check_adopted_run,
    plan_change,
    values_differ,
    with_rerun_token,
    work_digest,
)
from pulumi_vod_workflow.core.execution import is_terminal, status_class
from pulumi_vod_workflow.core.start_reason import (
    NEW,
    NOT_SENT,
    REJECTED,
    SENT_BEFORE,
    UNKNOWN_ADOPTION,
    UNKNOWN_ITEM,
    StartReason,
    reason_text,
    restart_reason,
)
from pulumi_vod_workflow.core.state import updated_state
from pulumi_vod_workflow.core.text import list_names, pluralise, property_path
from pulumi_vod_workflow.core.values import UNKNOWN, Properties
from pulumi_vod_workflow.errors import AdoptionError

# -- planning ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """The plan of a batch's change, item by item."""

    start: Mapping[str, StartReason] = field(default_factory=dict)
    """Key -> reason; each of these items starts one run, which is paid."""
    resend: tuple[str, ...] = ()
    """Keys of starts whose earlier send has no answer in the journal."""
    reuse: tuple[str, ...] = ()
    """Keys of items whose run an earlier update has started; free."""
    adopt: tuple[str, ...] = ()
    """Keys of items that name an existing run; free."""
    drop: tuple[str, ...] = ()
    """Keys that are no longer declared; their runs are not cancelled."""
    ended: tuple[str, ...] = ()
    """Keys of `drop` whose runs are known to have ended."""
    state_only: tuple[str, ...] = ()
    """Properties that are only recorded."""
    total: int | None = None
    """The number of declared items; `None` while the map itself is unknown."""
    max_failures: int | None = None
    """The number of failures after which no start is sent; `None` without a known limit."""

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        asked = self.start or self.reuse or self.adopt
        return bool(asked or self.state_only or self.total is None)

    def with_recovery(self, taken: Collection[str], resent: Collection[str]) -> BatchPlan:
        """Return the plan with what an earlier update has left in the journal."""
        start = {
            key: reason.sent_before() if key in resent else reason
            for key, reason in self.start.items()
            if key not in taken
        }
        resend = tuple(key for key in start if key in resent)
        return replace(self, start=start, resend=resend, reuse=tuple(taken))

    def summary_lines(self, kind: str) -> Iterator[str]:
        """
        Yield the lines for people: first the free changes, and last the starts.

        Args:
            kind: the cost of a start, `paid` or `emulated`.

        """
        # The row of a resource shows the last line only.
        limit = (
            f", stops after {pluralise(self.max_failures, 'failure')}" if self.max_failures else ""
        )
        if self.total is None:
            yield f"items not known yet: starts each new or changed item ({kind}){limit}"
            return
        if self.reuse:
            yield f"reuses runs that an earlier update started (free): {list_names(self.reuse)}"
        if self.adopt:
            yield f"adopts (free): {list_names(self.adopt)}"
        unfinished = [key for key in self.drop if key not in self.ended]
        if unfinished:
            # The service has no call that cancels a run (vod-api-facts 1).
            left = "removes unfinished runs from the state; they keep running"
            yield f"{left}: {list_names(unfinished)}"
        if self.ended:
            yield f"removes runs that have ended from the state: {list_names(self.ended)}"
        if self.start:
            whys = "; ".join(
                f"{reason_text(reason)}: {list_names(keys)}"
                for reason, keys in self.starts_by_reason()
            )
            yield f"starts {len(self.start):,} of {self.total:,} items ({kind}){limit}: {whys}"
        elif self.changes:
            yield f"starts 0 of {self.total:,} items"

    def starts_by_reason(self) -> list[tuple[StartReason, list[str]]]:
        """Return the keys of the starts by their reasons, in the order of the reasons' texts."""
        groups: dict[StartReason, list[str]] = defaultdict(list)
        for key, reason in self.start.items():
            groups[reason].append(key)
        return sorted(groups.items(), key=lambda group: reason_text(group[0]))


def same_work(items: Properties, starts: Collection[str]) -> list[tuple[str, ...]]:
    """Return the keys of items with the same work, if at least one of them starts."""
    sources: dict[Any, list[str]] = defaultdict(list)
    for key, item in items.items():
        source = item.get("vid") if item is not UNKNOWN else None
        sources[source if isinstance(source, str) else None].append(key)
    works: dict[bytes, list[str]] = defaultdict(list)
    for keys in sources.values():
        for key in keys if len(keys) > 1 else ():
            work = work_digest(items[key]) if items[key] is not UNKNOWN else None
            if work is not None:
                works[work].append(key)
    return [
        tuple(keys) for keys in works.values() if len(keys) > 1 and not {*keys}.isdisjoint(starts)
    ]


def same_work_warnings(groups: Sequence[Collection[str]]) -> Iterator[str]:
    """Yield one warning for all items of the same work."""
    if groups:
        alike = "; ".join(list_names(keys, 10) for keys in groups[:10])
        more = f"; and {len(groups) - 10:,} more groups" if len(groups) > 10 else ""
        yield f"{SAME_WORK_WARNING}{alike}{more}"


def plan_batch(
    recorded: Properties,
    declared: Properties,
    *,
    service: str | None,
    just_ended: Collection[str] = (),
) -> BatchPlan:
    """
    Compare a batch's recorded state with its new declaration, offline.

    Args:
        recorded: the outputs in the state; nothing before the batch is created.
        declared: the checked inputs.
        service: the endpoint of the real service, if the configuration now names one.
        just_ended: ids of runs whose end this very operation has read: see `plan_change`.

    Raises:
        AdoptionError: when items name their recorded run as one with another source.

    """
    limit = declared.get("maxFailures")
    max_failures = limit if isinstance(limit, int) else None
    if not isinstance(declared.get("items"), Mapping):
        return BatchPlan(max_failures=max_failures)
    after, runs = items_of(declared), runs_of(recorded)
    by_id = {run["runId"]: run for run in runs.values()}
    start: dict[str, StartReason] = {}
    adopt: list[str] = []
    wrong: list[str] = []
    for key, item in after.items():
        run = runs.get(key)
        try:
            _refuse_other_run(item, by_id)
            decision = _decide(key, item, run, recorded, service=service, just_ended=just_ended)
        except AdoptionError:
            wrong.append(property_path("items", key))
            continue
        if decision is ItemAction.ADOPT:
            adopt.append(key)
        elif isinstance(decision, StartReason):
            start[key] = decision
    if wrong:
        raise AdoptionError(
            f"existingRunId of {list_names(wrong, 20)}: the run was started with another source or "
            "workflow than is declared here. Nothing was started. Declare what it was started "
            "with, or name another run."
        )
    forgotten = {key: run for key, run in runs.items() if key not in after}
    return BatchPlan(
        start=start,
        adopt=tuple(adopt),
        drop=tuple(forgotten),
        ended=tuple(key for key, run in forgotten.items() if is_terminal(run)),
        state_only=(
            *(key for key in BATCH_FIELDS if values_differ(recorded.get(key), declared.get(key))),
            *(
                name
                for name in ("rejected", "unclear", "notSent")
                if {*recorded.get(name, ())} - {*start, *adopt}
            ),
        ),
        total=len(after),
        max_failures=max_failures,
    )


class ItemAction(Enum):
    """The plan of an item that starts nothing."""

    KEEP = "the item keeps its run"
    ADOPT = "the item adopts the run that it names"


def _refuse_other_run(item: Any, by_id: Mapping[str, Properties]) -> None:
    """
    Let an item name a run of this batch, its own or another item's, only with that run's source.

    Raises:
        AdoptionError: when the item is declared with another source.

    """
    run = None if item is UNKNOWN else by_id.get(str(item.get("existingRunId")))
    if run is not None:
        check_adopted_run(run["runId"], item, run)


def _decide(
    key: str,
    item: Any,
    run: Properties | None,
    recorded: Properties,
    *,
    service: str | None,
    just_ended: Collection[str],
) -> StartReason | ItemAction:
    """Return why an item starts a run, or its other action."""
    if item is UNKNOWN:
        return UNKNOWN_ITEM
    if run is None:
        return _decide_first(key, item, recorded)
    decision = _decide_restart(run, item, service, just_ended=run["runId"] in just_ended)
    if isinstance(decision, StartReason) and _is_unclear(key, item, recorded):
        return decision.sent_before()
    return decision


def _decide_first(key: str, item: Properties, recorded: Properties) -> StartReason | ItemAction:
    """Return why an item without a run starts one, or that it adopts one."""
    if item.get("existingRunId") is UNKNOWN:
        return UNKNOWN_ADOPTION
    if "existingRunId" in item:
        return ItemAction.ADOPT
    if _is_unclear(key, item, recorded):
        return SENT_BEFORE
    known = {**(recorded.get("rejected") or {}), **(recorded.get("unclear") or {})}
    if key in (recorded.get("notSent") or ()):
        return NOT_SENT
    return REJECTED if key in known else NEW


def _is_unclear(key: str, item: Properties, recorded: Properties) -> bool:
    """Return whether the same start was sent before without an answer."""
    sent = (recorded.get("clientTokens") or {}).get(key)
    return key in (recorded.get("unclear") or {}) and sent == item.get("clientToken")


def _decide_restart(
    run: Properties, item: Properties, service: str | None, *, just_ended: bool
) -> StartReason | ItemAction:
    """Return why an item that has a run starts another, or its other action."""
    if _is_unchanged(run, item):
        return ItemAction.KEEP
    # Items have no token of their own: a derived one only follows what it is derived from.
    recorded = {**run, "clientToken": item.get("clientToken")}
    plan = plan_change(recorded, item, service=service, just_ended=just_ended)
    if plan.new_run:
        return restart_reason(plan.new_run, run, item)
    if not plan.adopt:
        return ItemAction.KEEP
    return UNKNOWN_ADOPTION if item["existingRunId"] is UNKNOWN else ItemAction.ADOPT


def _is_unchanged(run: Properties, item: Properties) -> bool:
    """Return quickly, because a batch has thousands of items, whether nothing changes."""
    return (
        status_class(run) is None
        and not run["emulated"]
        and not values_differ(inputs_of(run), inputs_of(item))
    )


def start_inputs(
    recorded: Properties, declared: Properties, starts: Collection[str]
) -> dict[str, Any]:
    """Return the inputs of the items that start, with the tokens to send."""
    items, runs = items_of(declared), runs_of(recorded)
    return {
        key: with_rerun_token(items[key], runs[key])
        if key in runs and items[key] is not UNKNOWN
        else items[key]
        for key in starts
    }


def kept_runs(recorded: Properties, declared: Properties, plan: BatchPlan) -> dict[str, Any]:
    """
    Return the recorded runs of items that start no new run, under the new declaration.

    Those that are to be replaced stay too, as what they are, until their item's new run is there.
    """
    after = items_of(declared)
    runs: dict[str, Any] = {}
    for key, run in runs_of(recorded).items():
        if key in after and not (key in plan.start or key in plan.adopt):
            runs[key] = updated_state(run, after[key])
        elif key in after:
            runs[key] = run
    return runs
