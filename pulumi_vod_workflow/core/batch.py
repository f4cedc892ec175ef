"""
Many runs as one resource: items over shared defaults, each of them planned as a run of its own.

An item's token says everything that asks for a run of it (start, triggers, who declares it), so a
recorded run stands for an item as long as their tokens are equal. That is why going back to what a
run was started with, after another start was rejected, costs nothing.

What is recorded of an item is small, for there are thousands: what every run has in common (region,
endpoint, the token of the declaration) is left out.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pulumi_vod_workflow.core.canonical import canonical_json
from pulumi_vod_workflow.core.execution import (
    agrees,
    is_emulated,
    is_known_to_have_ended,
    may_succeed_if_repeated,
)
from pulumi_vod_workflow.core.inputs import (
    ITEM_KEYS,
    MAX_ITEMS,
    START_FIELDS,
    UNKNOWN,
    Declaration,
    ItemInputs,
    SharedInputs,
    declare,
    is_item_key,
    is_known,
    normalise,
    respell_path,
    start_of,
)
from pulumi_vod_workflow.core.plan import (
    Secret,
    changed_start_fields,
    complete,
    has_new_triggers,
    refuse_contradictions,
)
from pulumi_vod_workflow.errors import Problem

BATCH_FIELDS: Final = ("items", "defaults", "clientTokens", "scope", "secretInputs")
"""What a batch is declared with, what is derived of it included."""
SHOWN: Final = 100
"""Keys, or problems, named in one text."""

Properties = Mapping[str, Any]


def item_path(key: str) -> str:
    """Return the path of an item as Pulumi spells it: `items.key`, or `items["a key"]`."""
    return f"items.{key}" if key.isidentifier() else f'items["{key}"]'


def items_of(batch: Properties) -> dict[str, Any]:
    """
    Return each item as a run's inputs: over the defaults, with scope and token; by sorted keys.

    Maps are merged key by key, anything else replaces; and an item's own source, `vid` or
    `directUrl`, takes the place of the defaults'. An item may be unknown as a whole.
    """
    tokens = batch.get("clientTokens") or {}
    items: dict[str, Any] = {}
    for key, item in sorted(_known_map(batch.get("items")).items()):
        if item is UNKNOWN:
            items[key] = UNKNOWN
            continue
        items[key] = {
            **_over(batch.get("defaults") or {}, item),
            "scope": {**(batch.get("scope") or {}), "item": key},
        }
        if key in tokens:
            items[key]["clientToken"] = tokens[key]
    return items


def _known_map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _over(defaults: object, item: Properties) -> dict[str, Any]:
    if not isinstance(defaults, Mapping):  # unknown: what the item leaves open may be anything
        return {**dict.fromkeys(START_FIELDS, UNKNOWN), **item}
    other = {"vid": "directUrl", "directUrl": "vid"}
    replaced = {other[key] for key in other if key in item}
    return _merged({key: value for key, value in defaults.items() if key not in replaced}, item)


def _merged(under: Properties, over: Properties) -> dict[str, Any]:
    result = dict(under)
    for key, value in over.items():
        below = under.get(key)
        nested = isinstance(value, Mapping) and isinstance(below, Mapping)
        result[key] = _merged(below, value) if nested else value  # type: ignore[arg-type]
    return result


# -- declaring ---------------------------------------------------------------------------------


def normalise_batch(raw: Properties) -> dict[str, Any]:
    """Return a batch's properties in their one spelling; the items' keys are the user's."""
    batch = normalise(raw)
    items, defaults = batch.get("items"), batch.get("defaults")
    if isinstance(items, Mapping):
        batch["items"] = {
            key: normalise(item, ItemInputs) if isinstance(item, Mapping) else item
            for key, item in items.items()
        }
    if isinstance(defaults, Mapping):
        batch["defaults"] = normalise(defaults, SharedInputs)
    return batch


def respell_batch_path(path: str) -> str:
    """Return a property's path as in state: `items["my key"].directUrl`; keys stay."""
    found = re.fullmatch(r"""(defaults\.|items(?:\.[^.\[]+|\["[^"]*"\])\.)(.+)""", path)
    return found[1] + respell_path(found[2], ItemInputs) if found else path


def declare_batch(raw: Properties) -> Declaration:
    """Normalise and check a batch; what is wrong with many items alike is said once."""
    batch = normalise_batch(raw)
    shared = [
        Problem(f"defaults.{problem.path}" if problem.path else "defaults", problem.reason)
        for problem in _problems(batch.get("defaults"), SharedInputs)
    ]
    return Declaration(batch, (*_form(batch), *shared, *_item_problems(batch, shared)))


def _problems(value: object, model: type[SharedInputs]) -> tuple[Problem, ...]:
    if value is None or value is UNKNOWN:
        return ()
    if not isinstance(value, Mapping):
        return (Problem("", "must be an object of a run's inputs"),)
    return declare(value, model).problems


def _form(batch: Properties) -> Iterator[Problem]:
    """Check the map itself."""
    items = batch.get("items")
    if items is UNKNOWN:
        return
    if not isinstance(items, Mapping) or not 0 < len(items) <= MAX_ITEMS:
        found = f", not {len(items):,}" if isinstance(items, Mapping) else ""
        yield Problem("items", f"must be a map of 1 to {MAX_ITEMS:,} items{found}")
    elif not all(map(is_item_key, items)):
        yield Problem("items", f"each key must be {ITEM_KEYS}")
    for name in sorted(set(batch) - set(BATCH_FIELDS)):
        yield Problem(name, "unknown key; a batch has items and defaults")


def _item_problems(batch: Properties, shared: Collection[Problem]) -> Iterator[Problem]:
    told = {(problem.path.removeprefix("defaults."), problem.reason) for problem in shared}
    where: dict[tuple[str, str], list[str]] = defaultdict(list)
    plain = {**batch, "scope": None, "clientTokens": None}
    for key, item in items_of({**plain, "items": _objects(batch)}).items():
        declared = {} if item is UNKNOWN else {k: v for k, v in item.items() if k != "scope"}
        for problem in () if item is UNKNOWN else declare(declared, ItemInputs).problems:
            if (problem.path, problem.reason) not in told:
                where[problem.path, problem.reason].append(key)
    for key, item in sorted(_known_map(batch.get("items")).items(), key=lambda pair: pair[0]):
        if item is not UNKNOWN and not isinstance(item, Mapping):
            where["", "must be an object of a run's inputs"].append(key)
    for (path, reason), keys in list(where.items())[:SHOWN]:
        first = item_path(keys[0]) + (f".{path}" if path else "")
        alike = f" (and so {len(keys) - 1:,} more: {named(keys[1:], 5)})" if len(keys) > 1 else ""
        yield Problem(first, reason + alike)
    if len(where) > SHOWN:
        yield Problem("items", f"{len(where) - SHOWN:,} more problems of other kinds")


def _objects(batch: Properties) -> dict[str, Any]:
    """Return the items that can be looked into."""
    items = _known_map(batch.get("items"))
    return {
        key: item for key, item in items.items() if item is UNKNOWN or isinstance(item, Mapping)
    }


def named(keys: Collection[str], most: int = SHOWN) -> str:
    """Name the first of many keys, and say how many more there are."""
    shown = ", ".join(list(keys)[:most])
    return shown if len(keys) <= most else f"{shown} and {len(keys) - most:,} more"


def complete_batch(old: Properties, declared: Properties) -> dict[str, Any]:
    """Return a valid declaration with its items' tokens, recorded ones where nothing changed."""
    before = items_of(old)
    completed = {
        key: complete(before.get(key) or {}, item)
        for key, item in items_of(declared).items()
        if item is not UNKNOWN
    }
    tokens = {key: run["clientToken"] for key, run in completed.items() if "clientToken" in run}
    batch = {**declared, "clientTokens": tokens}
    if old.get("secretInputs") is True:
        batch["secretInputs"] = True
    return batch


# -- planning ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """What a change of a batch asks for, item by item."""

    start: Mapping[str, str] = field(default_factory=dict)
    """Key -> why; each of them is one paid run."""
    adopt: tuple[str, ...] = ()
    """Keys of items that name an existing run; free."""
    forget: tuple[str, ...] = ()
    """Keys that are no longer declared; their runs go on."""
    free: tuple[str, ...] = ()
    """Properties that are only recorded."""
    total: int | None = None
    """How many items are declared; `None` while the map itself is unknown."""

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.start or self.adopt or self.free or self.total is None)

    def described(self) -> Iterator[str]:
        """Say, for a person, what is started and paid, and what is not."""
        if self.total is None:
            yield "its items are not known yet: each of them that is new would be started, and paid"
            return
        if self.start:
            why: dict[str, list[str]] = defaultdict(list)
            for key, reason in self.start.items():
                why[reason].append(key)
            whys = "; ".join(f"{reason}: {named(keys)}" for reason, keys in sorted(why.items()))
            yield f"{len(self.start):,} of {self.total:,} items to start, each a paid run: {whys}"
        elif self.changes:
            yield f"none of {self.total:,} items to start"
        if self.adopt:
            yield f"adopts, which is free: {named(self.adopt)}"
        if self.forget:
            yield f"forgets, while their runs go on: {named(self.forget)}"


NEW: Final = "new"
RETRIED: Final = "not started before"


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
        AdoptionError: when an item names its recorded run as one with another source.

    """
    if not isinstance(declared.get("items"), Mapping):
        return BatchPlan()
    before, after, runs = items_of(recorded), items_of(declared), runs_of(recorded)
    start: dict[str, str] = {}
    adopt: list[str] = []
    for key, item in after.items():
        run = runs.get(key)
        if run is not None and run["runId"] in just_ended:
            run = {**run, "phase": "running"}
        old = before.get(key) or {}
        why = (
            "not known yet"
            if item is UNKNOWN
            else _why(run, old, item, service, retried=key in before and run is None)
        )
        if why == ADOPT:
            adopt.append(key)
        elif why:
            start[key] = why
    return BatchPlan(
        start=start,
        adopt=tuple(adopt),
        forget=tuple(key for key in runs if key not in after),
        free=tuple(key for key in BATCH_FIELDS if _differ(recorded.get(key), declared.get(key))),
        total=len(after),
    )


ADOPT: Final = "adopt"


def _why(
    run: Properties | None,
    old: Properties,
    new: Properties,
    service: str | None,
    *,
    retried: bool,
) -> str | None:
    """Say why an item is to be started, or adopted; `None` where its recorded run stands for it."""
    adopted = new.get("existingRunId")
    leaves = (
        run is not None
        and service is not None
        and is_emulated(run["runId"])
        and run["endpoint"] != service
    )
    if adopted is UNKNOWN:
        return "existingRunId is not known yet"
    if adopted is not None:
        if run is None or leaves or run["runId"] != adopted:
            return ADOPT
        refuse_contradictions(adopted, new, {**start_of(old), **(run.get("started") or {})})
        return None
    if run is None:
        return RETRIED if retried else NEW
    if leaves:
        return "its run is an emulated one"
    if run.get("adopted") is True:
        told, asked = run.get("started") or {}, start_of(new)
        asking = [name for name in asked if not agrees(asked[name], told.get(name))]
    elif run["clientToken"] == new.get("clientToken"):
        asking = []
    else:
        asking = [*changed_start_fields(old, new)] or [RETRIED]
    if has_new_triggers(old, new) and (asking or run.get("adopted") is True):
        asking = [name for name in asking if name != RETRIED] + ["triggers"]
    if not asking and new.get("rerunOnFailure") in (True, UNKNOWN) and may_succeed_if_repeated(run):
        asking = [f"rerunOnFailure after {run['status']}"]
    unknown = [name for name in asking if name in new and not is_known(new[name])]
    return ", ".join(f"{n} (not known yet)" if n in unknown else n for n in asking) or None


def _differ(old: object, new: object) -> bool:
    return not is_known(new) or canonical_json(old) != canonical_json(new)


def carried(recorded: Properties, declared: Properties, plan: BatchPlan) -> dict[str, Any]:
    """
    Return the recorded runs that go on standing for an item, under its new declaration.

    Those that are to be replaced stay too, as they are, until their item's new run is there.
    """
    before, after = items_of(recorded), items_of(declared)
    runs: dict[str, Any] = {}
    for key, run in runs_of(recorded).items():
        if key not in after:
            continue
        if key in plan.start or key in plan.adopt:
            runs[key] = run
            continue
        other = {name: run[name] for name in run if name not in {"adopted", "started"}}
        if "existingRunId" in after[key]:
            told = run.get("started") or start_of(before.get(key) or {})
            runs[key] = {**other, "clientToken": None, "adopted": True, "started": told}
        else:
            runs[key] = {**other, "clientToken": after[key].get("clientToken")}
    return runs


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
    "adopted",
    "started",
    "region",
    "endpoint",
    "clientToken",
)
"""What is recorded of an item's run."""
_PLAIN: Final = frozenset({"PendingStart", "Running", "0"})
"""Statuses that need no reason beside them."""


def runs_of(batch: Properties) -> dict[str, dict[str, Any]]:
    """Return what is recorded of each item's run, with what they have in common written out."""
    common = {"region": batch.get("region"), "endpoint": batch.get("endpoint")}
    tokens = batch.get("clientTokens") or {}
    return {
        key: {
            **common,
            "clientToken": tokens.get(key),
            **run,
            "emulated": is_emulated(run["runId"]),
        }
        for key, run in sorted((batch.get("runs") or {}).items())
    }


def record_batch(
    declared: Properties,
    runs: Mapping[str, Properties],
    rejected: Mapping[str, str],
    site: Mapping[str, str],
) -> dict[str, Any]:
    """
    Return a batch's state: its declaration, and what is known of its runs.

    Args:
        declared: the checked inputs.
        runs: key -> what is known of its run, as `runs_of` has it.
        rejected: key -> why its last start did not succeed.
        site: `region` and `endpoint` of most of the runs: those of the batch's creation.

    """
    tokens = declared.get("clientTokens") or {}
    kept: dict[str, Any] = {}
    for key, run in runs.items():
        common = {**site, "clientToken": tokens.get(key)}
        kept[key] = {
            name: run[name]
            for name in RUN_RECORD
            if run.get(name) is not None
            and not (name in common and run[name] == common[name])
            and not (name == "statusReason" and _needs_no_reason(run))
        }
    return {**declared, "runs": kept, "rejected": dict(rejected), **site}


def _needs_no_reason(run: Properties) -> bool:
    return run.get("phase") == "submitted" or run.get("status") in _PLAIN


def with_secrets(batch: Properties) -> dict[str, Any]:
    """Mark what could tell a secret input: tokens, their hash, and what was read of a start."""
    if batch.get("secretInputs") is not True:
        return dict(batch)
    marked = dict(batch)
    if "clientTokens" in batch:
        marked["clientTokens"] = Secret(batch["clientTokens"])
    if "runs" in batch:
        marked["runs"] = {
            key: {name: Secret(run[name]) if name in _TELLING else run[name] for name in run}
            for key, run in batch["runs"].items()
        }
    return marked


_TELLING: Final = frozenset({"clientToken", "started"})


def unfinished(batch: Properties) -> dict[str, dict[str, Any]]:
    """Return the runs that the service has to be asked about."""
    return {key: run for key, run in runs_of(batch).items() if not is_known_to_have_ended(run)}
