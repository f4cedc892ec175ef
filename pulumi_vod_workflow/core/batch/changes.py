"""
Many runs as one resource: items over shared defaults, each of them planned as a run of its own.

Each recorded run is known with what it was started with, so that `plan_change` decides for an item
as it does for a resource. Going back to that, after another start was rejected, costs nothing.

What is recorded of an item is small, for there are thousands: what a run has in common with the
batch (region, endpoint) or with its item (what it was started with) is left out.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from pydantic.alias_generators import to_camel

from pulumi_vod_workflow.core.changes import (
    EMULATED_RUN,
    SAME_WORK,
    Secret,
    after_update,
    complete,
    differ,
    is_same,
    plan_change,
    refuse_contradictions,
    with_secret_urls,
    work_of,
)
from pulumi_vod_workflow.core.execution import is_emulated, is_known_to_have_ended
from pulumi_vod_workflow.core.inputs.models import (
    ITEM_KEYS,
    MAX_ITEMS,
    RESOURCE_NAME,
    TEXT_OF_AN_OBJECT,
    Declaration,
    ItemInputs,
    SharedInputs,
    declare,
    declare_part,
    doubts,
    is_item_key,
    is_text_of_an_object,
    respell_path,
    spell,
)
from pulumi_vod_workflow.core.text import SHOWN, below, named, path_of
from pulumi_vod_workflow.core.values import UNKNOWN, is_known, normalise
from pulumi_vod_workflow.errors import AdoptionError, Problem

BATCH_FIELDS: Final = ("items", "defaults", "clientTokens", "scope", "secretInputs")
"""What a batch is declared with, what is derived of it included."""

Properties = Mapping[str, Any]


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
        defaults = dict.fromkeys(map(to_camel, SharedInputs.model_fields), UNKNOWN)
    other = {"vid": "directUrl", "directUrl": "vid"}
    replaced = {other[key] for key in other if key in item}
    return _merged({key: value for key, value in defaults.items() if key not in replaced}, item)


def _merged(under: Properties, over: Properties) -> dict[str, Any]:
    result = dict(under)
    for key, value in over.items():
        below = under.get(key)
        if isinstance(value, Mapping) and below is UNKNOWN:
            result[key] = UNKNOWN  # it may add anything to what the item says
        elif isinstance(value, Mapping) and isinstance(below, Mapping):
            result[key] = _merged(below, value)
        else:
            result[key] = value
    return result


# -- declaring ---------------------------------------------------------------------------------


def normalise_batch(raw: Properties) -> dict[str, Any]:
    """Return a batch's properties in their one spelling; the items' keys are the user's."""
    batch = normalise(raw)
    items, defaults = raw.get("items"), batch.get("defaults")
    if isinstance(items, Mapping):
        batch["items"] = {
            key: spell(item, ItemInputs) if isinstance(item, Mapping) else item
            for key, item in items.items()
        }
    if isinstance(defaults, Mapping):
        batch["defaults"] = spell(defaults, SharedInputs)
    return batch


_ITEM: Final = re.compile(r"""(defaults\.|items(?:\.[^.\[]+|\[\*\]|\["(?:[^"\\]|\\.)*"\])\.)(.+)""")


def respell_batch_path(path: str) -> str:
    """Return a property's path as in state: `items["my key"].directUrl`; keys stay."""
    found = _ITEM.fullmatch(path)
    return found[1] + respell_path(found[2], ItemInputs) if found else path


def declare_batch(raw: Properties, recorded: Properties | None = None) -> Declaration:
    """
    Normalise and check a batch; what is wrong with many items alike is reported once.

    Args:
        raw: the batch as it was declared.
        recorded: the normalised inputs in the state. They were right by the rules of then, and
            stay so: defaults and items that are the same are not checked again. See `recheck`.

    """
    batch, before = normalise_batch(raw), recorded or {}
    lines = _lines(batch.pop(LINES, None))
    same = "defaults" in batch and is_same(before.get("defaults"), batch["defaults"])
    shared = () if same else _problems(batch.get("defaults"), SharedInputs)
    defaults = (Problem(below("defaults", item.path), item.reason) for item in shared)
    items = _item_problems(batch, shared, _kept(before, batch), lines)
    return Declaration(batch, (*_form(batch), *defaults, *items))


def _kept(recorded: Properties, declared: Properties) -> set[str]:
    """Return the keys of the items that are declared as they are recorded."""
    before, after = _known_map(recorded.get("items")), _known_map(declared.get("items"))
    same = (recorded.get("defaults") or {}, declared.get("defaults") or {})
    if is_same(*same):
        return {key for key in before.keys() & after.keys() if is_same(before[key], after[key])}
    return {
        key
        for key in before.keys() & after.keys()
        if isinstance(before[key], Mapping)
        and isinstance(after[key], Mapping)
        and is_same(_over(same[0], before[key]), _over(same[1], after[key]))
    }


def recheck(
    recorded: Properties, declared: Properties, start: Collection[str]
) -> Iterator[Problem]:
    """Yield what is wrong with items that start again as they are recorded, by today's rules."""
    items = items_of(declared)
    where: dict[tuple[str, str], list[str]] = defaultdict(list)
    for key in sorted(_kept(recorded, declared).intersection(start)):
        for problem in declare(inputs_of(items[key]), ItemInputs).problems:
            where[problem.path, problem.reason].append(key)
    yield from alike(where)


def doubtful(declared: Properties, start: Collection[str]) -> Iterator[Problem]:
    """Yield what is allowed in items that start, and is probably not meant."""
    items = items_of(declared)
    where: dict[tuple[str, str], list[str]] = defaultdict(list)
    for key in start:
        for problem in doubts(items[key]) if isinstance(items[key], Mapping) else ():
            where[problem.path, problem.reason].append(key)
    yield from alike(where)


def _problems(value: object, model: type[SharedInputs]) -> tuple[Problem, ...]:
    if value is None or value is UNKNOWN:
        return ()
    if not isinstance(value, Mapping):
        return (Problem("", "must be an object of a run's inputs"),)
    return declare_part(value, model)


def _form(batch: Properties) -> Iterator[Problem]:
    """Check the map itself."""
    items = batch.get("items")
    if items is not UNKNOWN:
        if not isinstance(items, Mapping) or not 0 < len(items) <= MAX_ITEMS:
            found = f", not {len(items):,}" if isinstance(items, Mapping) else ""
            yield Problem("items", f"must be a map of 1 to {MAX_ITEMS:,} items{found}")
        elif any(map(is_text_of_an_object, items)):
            yield Problem("items", f"a key {TEXT_OF_AN_OBJECT}")
        else:
            wrong = [repr(key) for key in items if not is_item_key(key)]
            if wrong:
                yield Problem("items", f"each key must be {ITEM_KEYS}; not so: {named(wrong, 5)}")
    if is_text_of_an_object(str(_known_map(batch.get("scope")).get("name"))):
        yield Problem(RESOURCE_NAME, TEXT_OF_AN_OBJECT)
    for name in sorted(set(batch) - set(BATCH_FIELDS)):
        yield Problem(path_of(name), "unknown key; a batch has items and defaults")


def _item_problems(
    batch: Properties, shared: Collection[Problem], kept: Collection[str], lines: Lines
) -> Iterator[Problem]:
    told = {problem.path for problem in shared}
    where: dict[tuple[str, str], list[str]] = defaultdict(list)
    for key, item in sorted(_known_map(batch.get("items")).items()):
        if item is UNKNOWN or key in kept or is_text_of_an_object(key):
            continue
        if not isinstance(item, Mapping):
            where["", "must be an object of a run's inputs"].append(key)
            continue
        for problem in declare(_over(batch.get("defaults") or {}, item), ItemInputs).problems:
            if problem.path not in told or _sets(item, problem.path):
                where[problem.path, problem.reason].append(key)
    yield from alike(where, lines)


LINES: Final = "__lines"
"""
Property of a batch whose items come from a file: the `file` and each item's line, `byKey`.

For messages only: the check takes it out, so that no state and no diff has it.
"""


@dataclass(frozen=True, slots=True)
class Lines:
    """Where in a file the items were read from."""

    file: str = ""
    by_key: Mapping[str, int] = field(default_factory=dict)

    def of(self, key: str) -> str:
        """Return what to put before an item's path."""
        return f"{self.file}:{self.by_key[key]}: " if key in self.by_key else ""

    def beside(self, key: str) -> str:
        """Return a key with its line."""
        return f"{key} (line {self.by_key[key]})" if key in self.by_key else key


NO_LINES: Final = Lines()


def _lines(told: object) -> Lines:
    found = _known_map(told)
    return Lines(str(found.get("file", "")), _known_map(found.get("byKey")))


def alike(
    where: Mapping[tuple[str, str], Sequence[str]], lines: Lines = NO_LINES
) -> Iterator[Problem]:
    """Say once what is wrong with many items: (path in the item, reason) -> their keys."""
    for (path, reason), keys in list(where.items())[:SHOWN]:
        first = lines.of(keys[0]) + below(path_of("items", keys[0]), path)
        more = named([*map(lines.beside, keys[1:6]), *keys[6:]], 5)
        others = f" (and so {len(keys) - 1:,} more: {more})" if len(keys) > 1 else ""
        yield Problem(first, reason + others)
    if len(where) > SHOWN:
        yield Problem("items", f"{len(where) - SHOWN:,} more problems of other kinds")


_PART: Final = re.compile(r"""\[("(?:[^"\\]|\\.)*")\]|([^.\[\], ]+)""")


def _sets(item: Properties, path: str) -> bool:
    """Tell whether the item itself, not the defaults, has what is wrong."""
    value: Any = item
    for quoted, bare in _PART.findall(path):
        part = bare or json.loads(quoted)
        if not isinstance(value, Mapping):
            return True
        if part not in value:
            return False
        value = value[part]
    return True


def complete_batch(old: Properties, declared: Properties) -> dict[str, Any]:
    """
    Return a valid declaration with its items' tokens, recorded ones where nothing changed.

    Tokens that arrive with the declaration have no effect: see `stale_tokens`.
    """
    before = items_of(old)
    completed = {
        key: complete(before.get(key) or {}, item)
        for key, item in items_of({**declared, "clientTokens": {}}).items()
        if item is not UNKNOWN
    }
    tokens = {
        key: run["clientToken"]
        for key, run in completed.items()
        if "clientToken" in run and "existingRunId" not in run
    }
    batch = {**declared, "clientTokens": tokens}
    if old.get("secretInputs") is True:
        batch["secretInputs"] = True
    return batch


def stale_tokens(old: Properties, declared: Properties) -> Iterator[Problem]:
    """
    Find tokens that stay although their items' starts change.

    A batch has no argument for tokens, so the engine has put recorded ones in, for
    `ignore_changes`. With such a token the service may answer with the recorded run: `would_join`.
    """
    given = _known_map(declared.get("clientTokens"))
    derived = complete_batch(old, declared)["clientTokens"] if given else {}
    stale = [key for key in derived if key in given and given[key] != derived[key]]
    if stale:
        yield Problem("clientTokens", STALE.format(named(stale, 20)))


STALE: Final = (
    "must change for {}: with the recorded token the service may answer with the recorded run "
    "instead of starting the new one. No run was started. Remove clientTokens from ignore_changes"
)


# -- planning ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """What a change of a batch asks for, item by item."""

    start: Mapping[str, str] = field(default_factory=dict)
    """Key -> why; each of them is one paid run."""
    take: tuple[str, ...] = ()
    """Keys of items whose run an earlier update has started; free."""
    adopt: tuple[str, ...] = ()
    """Keys of items that name an existing run; free."""
    forget: tuple[str, ...] = ()
    """Keys that are no longer declared; their runs are not cancelled."""
    ended: tuple[str, ...] = ()
    """Those of them whose runs are known to have ended."""
    free: tuple[str, ...] = ()
    """Properties that are only recorded."""
    total: int | None = None
    """How many items are declared; `None` while the map itself is unknown."""

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        asked = self.start or self.take or self.adopt
        return bool(asked or self.free or self.total is None)

    def recalled(self, taken: Collection[str], resent: Collection[str]) -> BatchPlan:
        """Return the plan with what an earlier update has left in the journal."""
        start = {
            key: f"{why}; {UNCLEAR}" if key in resent and UNCLEAR not in why else why
            for key, why in self.start.items()
            if key not in taken
        }
        return replace(self, start=start, take=tuple(taken))

    def described(self) -> Iterator[str]:
        """Say, for a person, what is not paid, and last, for a row shows the last, what is."""
        if self.total is None:
            yield (
                "its items are not known yet: each that turns out to be new or changed is started, "
                "and paid"
            )
            return
        if self.take:
            yield f"{TAKES_OVER}{named(self.take)}"
        if self.adopt:
            yield f"adopts, which is free: {named(self.adopt)}"
        unfinished = [key for key in self.forget if key not in self.ended]
        if unfinished:
            yield f"forgets unfinished runs, which go on: {named(unfinished)}"
        if self.ended:
            yield f"forgets runs that have ended: {named(self.ended)}"
        if self.start:
            why: dict[str, list[str]] = defaultdict(list)
            for key, reason in self.start.items():
                why[reason].append(key)
            whys = "; ".join(f"{reason}: {named(keys)}" for reason, keys in sorted(why.items()))
            yield STARTS_SOME.format(f"{len(self.start):,}", f"{self.total:,}") + whys
        elif self.changes:
            yield STARTS_NONE.format(f"{self.total:,}")


def same_work(items: Properties, starts: Collection[str]) -> list[tuple[str, ...]]:
    """Return the keys of items that do the same work, of which at least one is started."""
    sources: dict[Any, list[str]] = defaultdict(list)
    for key, item in items.items():
        source = item.get("vid") if item is not UNKNOWN else None
        sources[source if isinstance(source, str) else None].append(key)
    works: dict[bytes, list[str]] = defaultdict(list)
    for keys in sources.values():
        for key in keys if len(keys) > 1 else ():
            work = work_of(items[key]) if items[key] is not UNKNOWN else None
            if work is not None:
                works[work].append(key)
    return [
        tuple(keys) for keys in works.values() if len(keys) > 1 and not {*keys}.isdisjoint(starts)
    ]


def told_same_work(groups: Sequence[Collection[str]]) -> Iterator[str]:
    """Say once which items do the same work."""
    if groups:
        alike = "; ".join(named(keys, 10) for keys in groups[:10])
        more = f"; and {len(groups) - 10:,} more groups" if len(groups) > 10 else ""
        yield f"{SAME_WORK}{alike}{more}"


STARTS_SOME: Final = "starts {} of {} items, each a paid run: "
"""What is said before the items that start, in a preview and in an update."""
STARTS_NONE: Final = "starts none of {} items"
TAKES_OVER: Final = (
    "takes over, which is free, what an earlier update has started and no state is known to hold: "
)
NEW: Final = "new"
REJECTED: Final = "not started before"
UNCLEAR: Final = "may have been started before: found again, or paid again if that run has ended"
ITEM_FIELDS: Final = tuple(map(to_camel, ItemInputs.model_fields))
"""What an item is declared with."""


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
    if not isinstance(declared.get("items"), Mapping):
        return BatchPlan()
    after, runs = items_of(declared), runs_of(recorded)
    by_id = {run["runId"]: run for run in runs.values()}
    start: dict[str, str] = {}
    adopt: list[str] = []
    wrong: list[str] = []
    for key, item in after.items():
        run = runs.get(key)
        try:
            _refuse_another(item, by_id)
            why = _asks(key, item, run, recorded, service=service, just_ended=just_ended)
        except AdoptionError:
            wrong.append(path_of("items", key))
            continue
        if why == ADOPT:
            adopt.append(key)
        elif why:
            start[key] = why
    if wrong:
        raise AdoptionError(
            f"existingRunId of {named(wrong, 20)}: the run was started with another source or "
            "workflow than is declared here. Nothing was started. Declare what it was started "
            "with, or name another run."
        )
    forgotten = {key: run for key, run in runs.items() if key not in after}
    return BatchPlan(
        start=start,
        adopt=tuple(adopt),
        forget=tuple(forgotten),
        ended=tuple(key for key, run in forgotten.items() if is_known_to_have_ended(run)),
        free=(
            *(key for key in BATCH_FIELDS if differ(recorded.get(key), declared.get(key))),
            *(
                name
                for name in ("rejected", "unclear")
                if {*recorded.get(name, ())} - {*start, *adopt}
            ),
        ),
        total=len(after),
    )


ADOPT: Final = "adopted"


def _refuse_another(item: Any, by_id: Mapping[str, Properties]) -> None:
    """
    Let an item name a run of this batch, its own or another item's, only with that run's source.

    Raises:
        AdoptionError: when the item is declared with another source.

    """
    run = None if item is UNKNOWN else by_id.get(str(item.get("existingRunId")))
    if run is not None:
        refuse_contradictions(run["runId"], item, run)


def _asks(
    key: str,
    item: Any,
    run: Properties | None,
    recorded: Properties,
    *,
    service: str | None,
    just_ended: Collection[str],
) -> str | None:
    """Say why an item starts a run, or that it adopts one; `None` if it does neither."""
    if item is UNKNOWN:
        return "not known yet"
    if run is None:
        return _first(key, item, recorded)
    why = _again(run, item, service, just_ended=run["runId"] in just_ended)
    if why and why != ADOPT and _is_unclear(key, item, recorded):
        return f"{why}; {UNCLEAR}"
    return why


def _first(key: str, item: Properties, recorded: Properties) -> str:
    """Say why an item without a run starts, or that it adopts one."""
    if item.get("existingRunId") is UNKNOWN:
        return "existingRunId (not known yet)"
    if "existingRunId" in item:
        return ADOPT
    if _is_unclear(key, item, recorded):
        return UNCLEAR
    known = {**(recorded.get("rejected") or {}), **(recorded.get("unclear") or {})}
    return REJECTED if key in known else NEW


def _is_unclear(key: str, item: Properties, recorded: Properties) -> bool:
    """Tell whether this very start was sent before, without an answer."""
    sent = (recorded.get("clientTokens") or {}).get(key)
    return key in (recorded.get("unclear") or {}) and sent == item.get("clientToken")


def _again(
    run: Properties, item: Properties, service: str | None, *, just_ended: bool
) -> str | None:
    """Say why an item that has a run starts another, or adopts one; `None` if it does neither."""
    if _stands_for(run, item):
        return None
    # Items have no token of their own: a derived one only follows what it is derived from.
    recorded = {**run, "clientToken": item.get("clientToken")}
    plan = plan_change(recorded, item, service=service, just_ended=just_ended)
    if plan.new_run:
        return why_new(plan.new_run, run, item)
    if not plan.adopt:
        return None
    known = item["existingRunId"] is not UNKNOWN
    return ADOPT if known else "existingRunId (not known yet)"


def _stands_for(run: Properties, item: Properties) -> bool:
    """Tell quickly, for there may be thousands, that nothing asks for anything."""
    return (
        run.get("phase") != "failed"
        and not run["emulated"]
        and not differ(inputs_of(run), inputs_of(item))
    )


def why_new(asking: Collection[str], run: Properties, item: Properties) -> str:
    """Say which properties ask for a new run, and why where their name does not say it."""
    words = {
        "emulated": EMULATED_RUN,
        "rerunOnFailure": f"rerunOnFailure after {run.get('status')}",
    }
    return ", ".join(
        f"{name} (not known yet)" if not is_known(item.get(name)) else words.get(name, name)
        for name in asking
    )


def inputs_of(properties: Properties) -> dict[str, Any]:
    """Return what a run was, or is to be, started or adopted with."""
    return {name: properties[name] for name in ITEM_FIELDS if name in properties}


def carried(recorded: Properties, declared: Properties, plan: BatchPlan) -> dict[str, Any]:
    """
    Return the recorded runs that go on standing for an item, under its new declaration.

    Those that are to be replaced stay too, as what they are, until their item's new run is there.
    """
    after = items_of(declared)
    runs: dict[str, Any] = {}
    for key, run in runs_of(recorded).items():
        if key in after and not (key in plan.start or key in plan.adopt):
            runs[key] = after_update(run, after[key])
        elif key in after:
            runs[key] = run
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


def record_batch(
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
        if key in items and differ(inputs, inputs_of(items[key])):
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


def unfinished(batch: Properties) -> dict[str, dict[str, Any]]:
    """Return the runs that the service has to be asked about."""
    return {key: run for key, run in runs_of(batch).items() if not is_known_to_have_ended(run)}
