"""Many runs as one resource: which items are paid, and what is kept of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulumi_vod_workflow.core.batch.changes import (
    BatchPlan,
    kept_runs,
    plan_batch,
    same_work,
    same_work_warnings,
)
from pulumi_vod_workflow.core.batch.inputs import (
    BATCH_FIELDS,
    check_batch,
    check_restarted_items,
    find_item_doubts,
    inputs_of,
    items_of,
    normalise_batch,
    rename_batch_path,
    stale_tokens,
    with_derived_batch_inputs,
)
from pulumi_vod_workflow.core.batch.state import (
    runs_of,
    to_batch_state,
    unfinished_runs,
    with_secrets,
)
from pulumi_vod_workflow.core.changes import check_adopted_run, plan_change
from pulumi_vod_workflow.core.execution import EXPIRED, SUBMITTED_REASON, classify_status
from pulumi_vod_workflow.core.inputs.validation import SHORT_CLIP
from pulumi_vod_workflow.core.request import request_fields
from pulumi_vod_workflow.core.secrets import Secret
from pulumi_vod_workflow.core.start_reason import (
    NEW,
    NOT_SENT,
    SENT_BEFORE_TEXT,
    StartCause,
    StartReason,
    reason_text,
)
from pulumi_vod_workflow.core.state import with_derived_inputs
from pulumi_vod_workflow.core.text import list_names, property_path
from pulumi_vod_workflow.core.values import UNKNOWN, is_known
from pulumi_vod_workflow.errors import AdoptionError

SERVICE: Final = "https://vod.volcengineapi.com"
SITE: Final = {"region": "cn-north-1", "endpoint": SERVICE}
SCOPE: Final = {"project": "p", "stack": "s", "name": "n"}
ITEM: Final[dict[str, Any]] = {"vid": "v", "templateId": "t"}
MINE: Final = {"vid": "v", "templateId": "t"}
"""What the service says that a run was started with which is not in a test's bill."""


def why(plan: BatchPlan) -> dict[str, str]:
    """Key -> the text of the reason for its start."""
    return {key: reason_text(reason) for key, reason in plan.start.items()}


@dataclass
class Stack:
    """A batch as its provider keeps it, and a list that stands for the service's bill."""

    state: dict[str, Any] = field(default_factory=dict)
    bill: list[tuple[str, str]] = field(default_factory=list)
    told: dict[str, Any] = field(default_factory=dict)
    """Run id -> what the service says that it was started with."""
    prefix: str = "lb:"

    def declared(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        declaration = check_batch({"scope": SCOPE, **raw})
        assert declaration.problems == ()
        return with_derived_batch_inputs(self.state, declaration.values)

    def preview(self, raw: Mapping[str, Any], **how: Any) -> BatchPlan:
        return plan_batch(self.state, self.declared(raw), **{"service": SERVICE, **how})

    def up(
        self,
        raw: Mapping[str, Any],
        rejected: Collection[str] = (),
        unclear: Collection[str] = (),
        **site: str,
    ) -> Mapping[str, str]:
        """
        Do what the plan says, as the provider does.

        But for the starts and adoptions that are rejected, and the starts of which the answer is
        lost: whether those were accepted is not known.
        """
        inputs = self.declared(raw)
        items, where = items_of(inputs), {**SITE, **site}
        plan = plan_batch(self.state, inputs, service=where["endpoint"])
        if not plan.changes:  # the engine does not even ask for an update
            return why(plan)
        runs = kept_runs(self.state, inputs, plan)
        refused = {key: "rejected" for key in rejected if key in plan.start or key in plan.adopt}
        lost = {key: "unclear" for key in unclear if key in plan.start and key not in refused}
        for key in sorted(set(plan.adopt) - set(refused)):
            run_id = items[key]["existingRunId"]
            start = self.told.get(run_id, MINE)
            try:
                check_adopted_run(run_id, items[key], start)
            except AdoptionError as error:
                refused[key] = str(error)
                continue
            outputs = {"phase": "running", "status": "Running", "statusReason": "x"}
            runs[key] = {**start, **items[key], **outputs, "runId": run_id, **where}
        for key in sorted(set(plan.start) - set(refused) - set(lost)):
            self.bill.append((key, items[key]["clientToken"]))
            run_id = f"{self.prefix}{len(self.bill)}"
            self.told[run_id] = request_fields(items[key])
            outputs = {"phase": "submitted", "statusReason": SUBMITTED_REASON}
            runs[key] = {**items[key], **outputs, "runId": run_id, **where}
        if runs or not (refused or lost):  # else the operation fails, and the state stays
            declared: dict[str, Any] = {
                name: inputs[name] for name in BATCH_FIELDS if name in inputs
            }
            common = {name: self.state.get(name, where[name]) for name in SITE}
            self.state = recorded(declared, runs, rejected=refused, unclear=lost, site=common)
        return why(plan)

    def read(self, key: str, status: str) -> None:
        """Record how far an item's run is, as a refresh does."""
        where = classify_status(status)
        told = {"status": status, "phase": where.phase, "statusReason": where.reason}
        runs = runs_of(self.state)
        runs[key] |= told
        inputs: dict[str, Any] = {
            name: self.state[name] for name in BATCH_FIELDS if name in self.state
        }
        why_not = {name: self.state[name] for name in ("rejected", "unclear")}
        common = {name: self.state[name] for name in SITE}
        self.state = recorded(inputs, runs, **why_not, site=common)


def recorded(
    declared: Mapping[str, Any],
    runs: Mapping[str, Any],
    *,
    rejected: Mapping[str, str] = MappingProxyType({}),
    unclear: Mapping[str, str] = MappingProxyType({}),
    not_sent: Collection[str] = (),
    site: Mapping[str, str] = MappingProxyType(SITE),
) -> dict[str, Any]:
    """Return a state as it comes back from the engine, in whose numbers all are floats."""
    state = to_batch_state(
        declared, runs, rejected=rejected, unclear=unclear, not_sent=not_sent, site=site
    )
    return normalise_batch(json.loads(json.dumps(state), parse_int=float))


def one(**changes: Any) -> dict[str, Any]:
    """Return a batch with the item `a`, of which `...` takes a field away."""
    item = {key: value for key, value in {**ITEM, **changes}.items() if value is not ...}
    return {"items": {"a": item}}


def started(**changes: Any) -> Stack:
    stack = Stack()
    stack.up(one(**changes))
    return stack


# -- merging -----------------------------------------------------------------------------------

NESTED: Final = {"overrideParams": {"logo": [{"templateId": "x"}, {"templateId": "y"}]}}


@pytest.mark.parametrize(
    ("defaults", "item", "merged"),
    [
        ({"priority": 1}, {}, {"priority": 1}),
        ({"priority": 1}, {"priority": 0}, {"priority": 0}),
        ({"priority": 1}, {"priority": None}, {"priority": 1}),
        ({"priority": None}, {"priority": 1}, {"priority": 1}),
        (
            {"input": {**NESTED, "condition": {"a": True, "b": True}}},
            {"input": {"condition": {"b": False}, "override_params": {"enhance": {}}}},
            {
                "input": {
                    "overrideParams": {**NESTED["overrideParams"], "enhance": {}},
                    "condition": {"a": True, "b": False},
                }
            },
        ),
        (
            {"input": NESTED},
            {"input": {"overrideParams": {"logo": [{"templateId": "z"}]}}},
            {"input": {"overrideParams": {"logo": [{"templateId": "z"}]}}},
        ),
        (
            {"triggers": {"a": 1, "b": [1, 2]}},
            {"triggers": {"b": [3]}},
            {"triggers": {"a": 1, "b": [3]}},
        ),
        ({"triggers": {"a": 1}}, {"triggers": {}}, {"triggers": {"a": 1}}),
        (
            {"directUrl": {"spaceName": "s"}},
            {"direct_url": {"file_name": "f"}},
            {"directUrl": {"spaceName": "s", "fileName": "f"}},
        ),
        ({"directUrl": {"fileName": "f"}}, {"vid": "v"}, {"vid": "v"}),
        ({"vid": "v"}, {"directUrl": {"fileName": "f"}}, {"directUrl": {"fileName": "f"}}),
        ({"vid": "v"}, {"directUrl": UNKNOWN}, {"directUrl": UNKNOWN}),
        (
            {"vid": "v"},
            {"vid": "w", "directUrl": {"fileName": "f"}},
            {"vid": "w", "directUrl": {"fileName": "f"}},
        ),
        ({"input": {"condition": {"a": True}}}, {"input": UNKNOWN}, {"input": UNKNOWN}),
        (
            {"triggers": {"a": UNKNOWN}},
            {"triggers": {"b": 1}},
            {"triggers": {"a": UNKNOWN, "b": 1}},
        ),
    ],
)
def test_an_item_is_laid_over_the_defaults(
    defaults: dict[str, Any], item: dict[str, Any], merged: dict[str, Any]
) -> None:
    """Maps are merged, all else is replaced, and an item has one source."""
    batch = normalise_batch({"items": {"k": item}, "defaults": defaults, "scope": SCOPE})
    assert items_of(batch)["k"] == {**merged, "scope": {**SCOPE, "item": "k"}}


def test_unknown_defaults_leave_open_what_an_item_does_not_say() -> None:
    """A token is never derived from half of a declaration."""
    item = items_of({"items": {"k": {"vid": "v"}}, "defaults": UNKNOWN})["k"]
    assert item["vid"] == "v"
    assert not is_known(item["templateId"])
    assert Stack().declared({"items": {"k": ITEM}, "defaults": UNKNOWN})["clientTokens"] == {}


@pytest.mark.parametrize(
    ("unknown", "known", "own"),
    [
        ({"triggers": UNKNOWN}, {"triggers": {"b": 1}}, {"triggers": {"a": 1}}),
        ({"input": UNKNOWN}, {"input": {}}, {"input": {"condition": {"a": True}}}),
        ({"input": {"condition": UNKNOWN}}, {}, {"input": {"condition": {"a": True}}}),
        ({"directUrl": UNKNOWN}, {}, {"vid": ..., "directUrl": {"fileName": "f"}}),
    ],
    ids=["triggers", "input", "condition", "directUrl"],
)
def test_an_unknown_map_of_the_defaults_may_add_to_an_items_own(
    unknown: dict[str, Any], known: dict[str, Any], own: dict[str, Any]
) -> None:
    """The update merges what it turns out to be, so the preview shows what that may cost."""
    stack = Stack()
    stack.up({**one(**own), "defaults": known})
    declared = stack.declared({**one(**own), "defaults": unknown})
    assert not is_known(items_of(declared)["a"])
    assert set(plan_batch(stack.state, declared, service=SERVICE).start) == {"a"}


def test_the_keys_are_the_users() -> None:
    """An item called like an input is an item; what is in it is spelled as in state."""
    batch = normalise_batch({"items": {"template_id": {"template_id": "t"}, "vid": UNKNOWN}})
    assert batch["items"] == {"template_id": {"templateId": "t"}, "vid": UNKNOWN}
    assert normalise_batch(batch) == batch
    assert normalise_batch({"items": UNKNOWN, "defaults": None}) == {"items": UNKNOWN}


def test_items_come_by_their_sorted_keys() -> None:
    """Their order in the program means nothing."""
    assert [*items_of({"items": {"b": {}, "a": UNKNOWN}})] == ["a", "b"]
    assert items_of({"items": UNKNOWN}) == items_of({}) == {}


# -- the form ----------------------------------------------------------------------------------


def says(**raw: Any) -> list[str]:
    return [str(problem) for problem in check_batch({"scope": SCOPE, **raw}).problems]


MAP: Final = "items: must be a map of 1 to 10,000 items"
KEY: Final = "items: each key must be a printable string"
LIMIT: Final = "maxFailures: must be an integer from 1 to 10,000"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"items": {"k": ITEM}}, []),
        ({"items": {"k" * 200: ITEM, "a b": ITEM, "中文": ITEM, "_": ITEM}}, []),
        ({"items": UNKNOWN}, []),
        ({"items": {"k": UNKNOWN}, "defaults": UNKNOWN}, []),
        ({"items": {"k": {"vid": UNKNOWN}}, "defaults": {"templateId": UNKNOWN}}, []),
        ({"items": {"k": {}}, "defaults": ITEM}, []),
        ({"items": {"k": {"existingRunId": "lb:1"}}}, []),
        ({"items": {"k": ITEM}, "clientTokens": {}, "secretInputs": True}, []),
        ({"items": {"k": ITEM}, "maxFailures": 10_000}, []),
        ({"items": {"k": ITEM}, "maxFailures": UNKNOWN}, []),
        ({"items": {"k": ITEM}, "maxFailures": 0}, [LIMIT]),
        ({"items": {"k": ITEM}, "maxFailures": -1}, [LIMIT]),
        ({"items": {"k": ITEM}, "maxFailures": 10_001}, [LIMIT]),
        ({"items": {"k": ITEM}, "maxFailures": 1.5}, [LIMIT]),
        ({"items": {"k": ITEM}, "maxFailures": "5"}, [LIMIT]),
        ({"items": {"k": {"templateId": "t"}}, "maxFailures": True}, [LIMIT, "items.k.vid"]),
        ({}, [MAP]),
        ({"items": {}}, [f"{MAP}, not 0"]),
        ({"items": [ITEM]}, [MAP]),
        ({"items": "k"}, [MAP]),
        ({"items": {"": ITEM}}, [KEY]),
        ({"items": {"k" * 201: ITEM}}, [KEY]),
        ({"items": {" k": ITEM, "k ": ITEM}}, [KEY]),
        ({"items": {"a\nb": ITEM}}, [KEY]),
        ({"items": {"__k": ITEM}}, [KEY]),
        ({"items": {"k": ITEM}, "default": ITEM}, ["default: unknown key; did you mean defaults?"]),
        ({"items": {"k": ITEM}, "template_id": "t"}, ["template_id: is an input of the items"]),
        ({"items": {"k": "v"}}, ["items.k: must be an object of a run's inputs"]),
        ({"items": {"k": [ITEM]}}, ["items.k: must be an object of a run's inputs"]),
        ({"items": {"k": ITEM}, "defaults": []}, ["defaults: must be an object of a run's inputs"]),
        (
            {"items": {"k": ITEM}, "defaults": {"existingRunId": "lb:1"}},
            ["defaults.existingRunId: is the run of one item: set existing_run_id in that item"],
        ),
        (
            {"items": {"k": {"vid": "v"}}, "defaults": {**ITEM, "clientToken": "x"}},
            ["defaults.clientToken: the provider derives each item's ClientToken"],
        ),
        ({"items": {"k": ITEM}, "defaults": {"scope": {}}}, ["defaults.scope: unknown key"]),
        (
            {"items": {"k": {**ITEM, "clientToken": "x"}}},
            ["items.k.clientToken: the provider derives each item's ClientToken"],
        ),
        ({"items": {"k": {**ITEM, "secretInputs": True}}}, ["items.k.secretInputs: unknown key"]),
        ({"items": {"k": {**ITEM, "scope": {}}}}, ["items.k.scope: unknown key"]),
        ({"items": UNKNOWN, "default": ITEM}, ["default: unknown key; did you mean defaults?"]),
        (
            {"items": {"k": {**ITEM, "TemplateId": "t"}}},
            ["items.k.TemplateId: unknown key; did you mean templateId?"],
        ),
        (
            {"items": {"k": {**ITEM, "templat_id": "t"}}},
            ["items.k.templat_id: unknown key; did you mean template_id?"],
        ),
        ({"items": {"k": {"vid": "v"}}}, ["items.k.templateId: is required"]),
        (
            {"items": {"k": {"templateId": "t"}}},
            ["items.k.vid, directUrl: exactly one of them must be set, neither is"],
        ),
        (
            {"items": {"k": {}}, "defaults": {**ITEM, "directUrl": {"fileName": "f"}}},
            ["items.k.vid, directUrl: exactly one of them must be set, both are"],
        ),
        (
            {"items": {"a b": {**ITEM, "priority": 9}}},
            ['items["a b"].priority: must be an integer'],
        ),
        (
            {"items": {"k": {}}, "defaults": {"vid": "v", "templateId": 3}},
            ["defaults.templateId: must be"],
        ),
        (
            {"items": {"k": {}, "l": {}}, "defaults": {**ITEM, "priority": 9}},
            ["defaults.priority: must be"],
        ),
        (
            {"items": {"k": ITEM, "l": {**ITEM, "priority": 9}}, "defaults": {"callbackArgs": 1}},
            ["defaults.callbackArgs: must be", "items.l.priority: must be"],
        ),
        (
            {"items": {"k": {"priority": 8}}, "defaults": {**ITEM, "priority": 9}},
            ["defaults.priority: must be", "items.k.priority: must be"],
        ),
    ],
)
def test_every_problem_is_told(raw: dict[str, Any], expected: list[str]) -> None:
    """All of them at once, those of the defaults once, each where it is."""
    told = says(**raw)
    assert len(told) == len(expected), told
    assert [text[: len(start)] for text, start in zip(told, expected, strict=True)] == expected


@pytest.mark.parametrize("junk", [UNKNOWN, "a", {}, {"file": 1}, {"file": "f", "byKey": []}])
def test_items_from_a_file_are_named_by_their_lines(junk: Any) -> None:
    """Whatever comes in their place does no harm, and nothing of it is recorded."""
    bad = {"items": {key: {**ITEM, "priority": 9} for key in ("a", "b", "c")}}
    lines = {"file": "f.csv", "byKey": {"a": 7.0, "b": 9.0}}
    told = check_batch({**bad, "__lines": lines})
    assert [str(problem) for problem in told.problems] == [
        "f.csv:7: items.a.priority: must be an integer from -5 to 5 (and 2 more: b (line 9), c)"
    ]
    assert told.values == check_batch(bad).values
    assert check_batch({**bad, "__lines": junk}) == check_batch(bad)


def test_a_batch_has_ten_thousand_items_at_most() -> None:
    """Its state is still a file that a backend takes."""
    items: dict[str, Any] = {f"k{number}": UNKNOWN for number in range(10_000)}
    assert says(items=items) == []
    assert says(items={**items, "more": UNKNOWN}) == [f"{MAP}, not 10,001"]


@pytest.mark.parametrize(
    ("count", "alike"),
    [
        (2, " (and 1 more: k1)"),
        (6, " (and 5 more: k1, k2, k3, k4, k5)"),
        (9, " (and 8 more: k1, k2, k3, k4, k5 and 3 more)"),
    ],
)
def test_what_is_wrong_with_many_items_alike_is_said_once(count: int, alike: str) -> None:
    """With the first as the place, how many more there are, and the first of their names."""
    bad = {**ITEM, "priority": 9}
    (told,) = says(items={f"k{number}": bad for number in range(count)})
    assert told.startswith("items.k0.priority: must be an integer")
    assert told.endswith(alike)
    (told,) = says(items=dict.fromkeys([f"k{number}" for number in range(count)], "not an object"))
    assert told == f"items.k0: must be an object of a run's inputs{alike}"


def test_no_more_than_a_hundred_kinds_of_problems_are_told() -> None:
    """A file with another column in each row is not to fill the screen."""
    told = says(items={f"k{number}": {**ITEM, f"x{number}": 1} for number in range(103)})
    assert len(told) == 101
    assert told[-1] == "items: 3 more kinds of problems"
    assert (
        len(says(items={f"k{number}": {**ITEM, f"x{number}": 1} for number in range(100)})) == 100
    )


@pytest.mark.parametrize(
    "raw",
    [
        {"items": "s3cret"},
        {"items": ["s3cret"]},
        {"items": {"k": "s3cret"}},
        {"items": {"k": ["s3cret"]}},
        {"items": {"k": {**ITEM, "more": "s3cret"}}},
        {"items": {"k": {"vid": " s3cret", "directUrl": "s3cret", "templateId": ["s3cret"]}}},
        {"items": {"k": {**ITEM, "input": {"condition": {"a": "s3cret"}}}}},
        {"items": {"k": {**ITEM, "triggers": ["s3cret"], "existingRunId": " s3cret"}}},
        {"items": {"k": ITEM}, "defaults": "s3cret", "more": "s3cret"},
        {"items": {"k": {}}, "defaults": {"directUrl": {"fileName": ["s3cret"]}, "x": "s3cret"}},
    ],
)
def test_no_message_has_a_value(raw: dict[str, Any]) -> None:
    """It may be a secret."""
    told = says(**raw)
    assert told
    assert "s3cret" not in " ".join(told)


def test_keys_that_are_no_names_are_quoted_in_paths() -> None:
    """Also where the defaults have the same mistake, and where there is nothing to see."""
    odd = {"input": {"condition": {"a b": 1}}}
    told = says(items={"k": {**ITEM, **odd}}, defaults={**odd, "": 1}, **{"": 1})
    assert [line.partition(": ")[0] for line in told] == [
        '[""]',
        'defaults[""]',
        'defaults.input.condition["a b"]',
        'items.k.input.condition["a b"]',
    ]


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("k", "items.k"),
        ("视频", "items.视频"),
        ("a b", 'items["a b"]'),
        ("a.b", 'items["a.b"]'),
        ("1", 'items["1"]'),
        ('a"b', r'items["a\"b"]'),
    ],
)
def test_the_path_of_an_item_is_as_pulumi_spells_it(key: str, path: str) -> None:
    """So that it can be copied into `ignore_changes`."""
    assert property_path("items", key) == path


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("items", "items"),
        ("defaults", "defaults"),
        ("items.k", "items.k"),
        ("items.k.vid", "items.k.vid"),
        ("items.k.template_id", "items.k.templateId"),
        ("items.template_id.template_id", "items.template_id.templateId"),
        ('items["a b"].direct_url.file_name', 'items["a b"].directUrl.fileName'),
        (
            'items["a.b"].input.override_params.logo[0]',
            'items["a.b"].input.overrideParams.logo[0]',
        ),
        ("items.k.triggers.template_id", "items.k.triggers.template_id"),
        ("items[*].direct_url", "items[*].directUrl"),
        (r'items["a\"b"].direct_url', r'items["a\"b"].directUrl'),
        ("defaults.direct_url.file_name", "defaults.directUrl.fileName"),
        ("runs.k.run_id", "runs.k.run_id"),
    ],
)
def test_paths_are_respelled_but_for_the_keys(path: str, expected: str) -> None:
    """An option that names a property in Python's spelling takes effect."""
    assert rename_batch_path(path) == expected


def test_names_are_cut() -> None:
    """Ten thousand of them are no help."""
    assert list_names(["a", "b"], 2) == "a, b"
    assert list_names(["a", "b", "c"], 2) == "a, b and 1 more"
    assert list_names([f"k{number}" for number in range(1_200)]).endswith("k99 and 1,100 more")


# -- tokens ------------------------------------------------------------------------------------

TRIGGERED: Final = one(triggers={"n": 1, "m": 2})


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({}, True),
        ({"scope": {**SCOPE, "stack": "other"}}, True),
        ({"scope": {**SCOPE, "project": "other"}}, True),
        ({"scope": {**SCOPE, "name": "other", "parent": "x"}}, True),
        (one(triggers={"n": 1}), True),
        (one(), True),
        (one(triggers={"m": 2.0, "n": 1.0}, priority=0, input={}), True),
        (one(triggers={"n": 1, "m": 2}, rerunOnFailure=True), True),
        ({"items": {"a": {"vid": "v"}}, "defaults": {"templateId": "t"}}, True),
        (one(triggers={"n": 1, "m": 2, "l": 3}), False),
        (one(triggers={"n": 2}), False),
        (one(triggers={"n": 1}, vid="w"), False),
        (one(triggers={"n": 1, "m": 2}, priority=1), False),
        ({"defaults": {"callbackArgs": "x"}}, False),
        ({"defaults": {"triggers": {"l": 3}}}, False),
    ],
)
def test_a_token_stays_while_nothing_asks_for_a_run(change: dict[str, Any], kept: bool) -> None:
    """Whoever declares it, and however it is spelled."""
    stack = Stack()
    stack.up(TRIGGERED)
    renewed = stack.declared({**TRIGGERED, **change})["clientTokens"]
    assert (renewed == stack.state["clientTokens"]) is kept


@pytest.mark.parametrize(
    "open_item",
    [
        UNKNOWN,
        {**ITEM, "vid": UNKNOWN},
        {**ITEM, "triggers": {"n": UNKNOWN}},
        {**ITEM, "existingRunId": UNKNOWN},
        {**ITEM, "existingRunId": "lb:9"},
        {"existingRunId": "lb:9"},
    ],
)
def test_what_is_unknown_or_adopted_has_no_token(open_item: Any) -> None:
    """The other items' tokens do not wait for it."""
    tokens = Stack().declared({"items": {"a": ITEM, "b": open_item}})["clientTokens"]
    assert tokens == Stack().declared(one())["clientTokens"]


def test_a_run_that_is_adopted_later_has_no_token_any_more() -> None:
    """As `client_tokens` says of itself."""
    stack = started()
    assert stack.declared(one(existingRunId="lb:9"))["clientTokens"] == {}
    assert stack.declared(one(existingRunId="lb:1"))["clientTokens"] == {}


def test_a_batch_of_secrets_stays_one() -> None:
    """What was made of secrets is still in the state."""
    assert with_derived_batch_inputs({"secretInputs": True}, one())["secretInputs"] is True
    assert "secretInputs" not in with_derived_batch_inputs({}, one())


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        ({}, ""),
        (one(triggers={"n": 1}), ""),
        (one(triggers={"n": 1, "m": 2}, rerunOnFailure=True), ""),
        (one(existingRunId="lb:9"), ""),
        (one(vid=UNKNOWN), ""),
        ({"items": {"b": ITEM}}, ""),
        (one(triggers={"n": 2}), "a"),
        (one(triggers={"n": 1, "m": 2}, priority=1), "a"),
        (one(triggers={"n": 1}, vid="w"), "a"),
        ({"defaults": {"callbackArgs": "x"}}, "a"),
    ],
)
def test_a_token_that_stays_for_another_start_is_refused(change: Any, stale: str) -> None:
    """The engine puts recorded tokens in for `ignore_changes`: those that are right do no harm."""
    stack = Stack()
    stack.up(TRIGGERED)
    given = {**TRIGGERED, **change, "clientTokens": stack.state["clientTokens"]}
    declared = check_batch({"scope": SCOPE, **given}).values
    problems = [str(problem) for problem in stale_tokens(stack.state, declared)]
    assert [line.partition(": with")[0] for line in problems] == [
        f"clientTokens: must change for {key}" for key in stale
    ]


@pytest.mark.parametrize("junk", [UNKNOWN, "a", ["a"], {"a": "mine"}, {"a": None}])
def test_tokens_that_a_transform_puts_in_are_not_sent(junk: Any) -> None:
    """There is no argument for them."""
    declared = check_batch({"scope": SCOPE, **one(), "clientTokens": junk}).values
    assert with_derived_batch_inputs({}, declared) == Stack().declared(one())
    assert len([*stale_tokens({}, declared)]) == (junk == {"a": "mine"})


# -- planning ----------------------------------------------------------------------------------

DEFAULTS: Final = {"templateId": "t", "priority": 1}
A: Final = {"vid": "a"}
B: Final = {"vid": "b", "priority": 2, "triggers": {"n": 1}}
RECORDED = Stack()
RECORDED.up({"items": {"a": A, "b": B}, "defaults": DEFAULTS})
"""Looked at only: nothing below changes it."""


def two(a: Any = None, b: Any = None, **batch: Any) -> dict[str, Any]:
    """Return the recorded declaration with changes: of an item, or all of one that is unknown."""
    changed = {
        key: UNKNOWN if change is UNKNOWN else {**item, **(change or {})}
        for key, item, change in (("a", A, a), ("b", B, b))
    }
    return {"items": changed, "defaults": DEFAULTS, **batch}


@pytest.mark.parametrize(
    ("declared", "start"),
    [
        (two(a={"vid": "x"}), {"a": "vid"}),
        (two(a={"vid": None, "directUrl": {"fileName": "f"}}), {"a": "vid, directUrl"}),
        (two(a={"templateId": "u"}), {"a": "templateId"}),
        (two(a={"priority": 0}), {"a": "priority"}),
        (two(defaults={"templateId": "t", "priority": 3}), {"a": "priority"}),
        (two(defaults={"templateId": "t"}), {"a": "priority"}),
        (two(defaults={**DEFAULTS, "templateId": "u"}), {"a": "templateId", "b": "templateId"}),
        (two(defaults={**DEFAULTS, "triggers": {"n": 1}}), {"a": "triggers"}),
        (two(defaults={**DEFAULTS, "triggers": {"m": 1}}), {"a": "triggers", "b": "triggers"}),
        (two(a={"triggers": {"n": 0}}), {"a": "triggers"}),
        (two(b={"triggers": {"n": 2}}), {"b": "triggers"}),
        (two(b={"vid": "x", "triggers": {"n": 2}}), {"b": "vid, triggers"}),
        (two(b={"triggers": {}}), {}),
        (two(a={"rerunOnFailure": True}), {}),
        (two(a={"priority": 1}), {}),
        (two(a=DEFAULTS, b={"templateId": "t"}, defaults=None), {}),
        (two(scope={**SCOPE, "stack": "other"}), {}),
        (two(a={"vid": UNKNOWN}), {"a": "vid (not known yet)"}),
        (two(a={"triggers": UNKNOWN}), {"a": "triggers (not known yet)"}),
        (two(b={"triggers": {"n": UNKNOWN}}), {"b": "triggers (not known yet)"}),
        (two(b={"vid": "x", "priority": UNKNOWN}), {"b": "vid, priority (not known yet)"}),
        (two(a={"rerunOnFailure": UNKNOWN}), {}),
        (two(a={"existingRunId": UNKNOWN}), {"a": "existingRunId (not known yet)"}),
        (two(defaults={**DEFAULTS, "priority": UNKNOWN}), {"a": "priority (not known yet)"}),
        (two(a=UNKNOWN), {"a": "not known yet"}),
        ({"items": {"a": A, "b": B, "c": A}, "defaults": DEFAULTS}, {"c": "new"}),
        ({"items": {"x": A, "b": B}, "defaults": DEFAULTS}, {"x": "new"}),
        ({"items": {"a": A, "x": UNKNOWN}, "defaults": DEFAULTS}, {"x": "not known yet"}),
    ],
)
def test_which_items_start_and_why(declared: dict[str, Any], start: dict[str, str]) -> None:
    """Only those that see a change of what is sent, or a trigger that is new to them."""
    plan = RECORDED.preview(declared)
    assert why(plan) == start
    assert plan.adopt == ()
    assert plan.changes


@pytest.mark.parametrize(
    "same",
    [
        two(),
        {"items": {"b": B, "a": A}, "defaults": DEFAULTS},
        two(b={"triggers": {"n": 1.0}, "priority": 2.0, "vid": "b"}),
        two(defaults={"template_id": "t", "priority": 1, "triggers": None}),
    ],
)
def test_another_order_or_spelling_is_no_change(same: dict[str, Any]) -> None:
    """Nor is there anything to record."""
    plan = RECORDED.preview(same)
    assert plan == BatchPlan(total=2)
    assert not plan.changes
    assert [*plan.summary_lines("paid")] == []


def test_unknown_defaults_ask_for_all_items() -> None:
    """Shown as what they may cost."""
    assert set(RECORDED.preview(two(defaults=UNKNOWN)).start) == {"a", "b"}
    assert RECORDED.preview({"items": UNKNOWN}) == BatchPlan()
    assert RECORDED.preview({"items": UNKNOWN}).changes


def test_a_removed_item_is_forgotten_and_free() -> None:
    """Its run goes on; declared once more it is new."""
    stack = Stack(dict(RECORDED.state))
    without = {"items": {"b": B}, "defaults": DEFAULTS}
    assert stack.preview(without) == BatchPlan(
        drop=("a",), state_only=("items", "clientTokens"), total=1
    )
    stack.up(without)
    assert set(stack.state["runs"]) == {"b"}
    assert why(stack.preview(two())) == {"a": "new"}


TWO: Final = {"items": {"a": ITEM, "b": ITEM}}
OTHER: Final = {"scope": {**SCOPE, "stack": "other"}}
STORIES: dict[str, list[tuple[dict[str, Any], str, dict[str, str]]]] = {
    # name -> declaration, keys that are rejected, what is to be started
    "rejected items are tried again": [
        (TWO, "b", {"a": "new", "b": "new"}),
        (TWO, "b", {"b": "not started before"}),
        (TWO, "", {"b": "not started before"}),
        (TWO, "", {}),
    ],
    "a rejected item is corrected": [
        (TWO, "b", {"a": "new", "b": "new"}),
        ({"items": {"a": ITEM, "b": {**ITEM, "vid": "w"}}}, "", {"b": "not started before"}),
    ],
    "a rejected item is removed": [
        (TWO, "b", {"a": "new", "b": "new"}),
        (one(), "", {}),
        (TWO, "", {"b": "new"}),
    ],
    "a rejected replacement is tried again": [
        (one(), "", {"a": "new"}),
        (one(vid="w"), "a", {"a": "vid"}),
        (one(vid="w"), "a", {"a": "vid"}),
        (one(vid="w"), "", {"a": "vid"}),
        (one(vid="w"), "", {}),
    ],
    "a rejected replacement is reverted": [
        (one(), "", {"a": "new"}),
        (one(vid="w"), "a", {"a": "vid"}),
        (one(), "", {}),
        (one(), "", {}),
    ],
    "a rejected replacement is replaced": [
        (one(), "", {"a": "new"}),
        (one(vid="w"), "a", {"a": "vid"}),
        (one(vid="x"), "", {"a": "vid"}),
        (one(vid="w"), "", {"a": "vid"}),
    ],
    "a rejected trigger is reverted": [
        (one(triggers={"n": 1}), "", {"a": "new"}),
        (one(triggers={"n": 2}), "a", {"a": "triggers"}),
        (one(triggers={"n": 1}), "", {}),
    ],
    "a rejected trigger is removed": [
        (one(triggers={"n": 1}), "", {"a": "new"}),
        (one(triggers={"n": 2}), "a", {"a": "triggers"}),
        (one(), "", {}),
    ],
    "a rejected replacement is reverted after a trigger was removed": [
        (one(triggers={"n": 1}), "", {"a": "new"}),
        (one(), "", {}),
        (one(vid="w"), "a", {"a": "vid"}),
        (one(), "", {}),
    ],
    "a rejected replacement is reverted after a rename": [
        (one(), "", {"a": "new"}),
        ({**one(), **OTHER}, "", {}),
        ({**one(vid="w"), **OTHER}, "a", {"a": "vid"}),
        ({**one(), **OTHER}, "", {}),
    ],
    "an adoption is tried again": [
        ({"items": {"a": ITEM, "b": {**ITEM, "existingRunId": "lb:9"}}}, "b", {"a": "new"}),
        ({"items": {"a": ITEM, "b": {**ITEM, "existingRunId": "lb:9"}}}, "", {}),
        (TWO, "", {}),
    ],
    "an adoption that was rejected is given up": [
        ({"items": {"a": ITEM, "b": {**ITEM, "existingRunId": "lb:9"}}}, "b", {"a": "new"}),
        (TWO, "", {"b": "not started before"}),
    ],
    "an adoption of another run is rejected, and given up": [
        (one(), "", {"a": "new"}),
        (one(existingRunId="lb:9"), "a", {}),
        (one(), "", {}),
    ],
    "an adopted run is kept, and later replaced": [
        (one(existingRunId="lb:9"), "", {}),
        (one(), "", {}),
        (one(priority=2), "a", {"a": "priority"}),
        (one(), "", {}),
        (one(triggers={"n": 1}), "", {"a": "triggers"}),
        (one(triggers={"n": 1}), "", {}),
    ],
    "what replaces an adopted run is tried again": [
        (one(existingRunId="lb:9"), "", {}),
        (one(priority=2), "a", {"a": "priority"}),
        (one(priority=2), "", {"a": "priority"}),
        (one(priority=2), "", {}),
    ],
    "a trigger replaces an adopted run": [
        (one(existingRunId="lb:9"), "", {}),
        (one(triggers={"n": 1}), "", {"a": "triggers"}),
        (one(triggers={"n": 1}), "", {}),
    ],
    "a trigger that replaces an adopted run is tried again": [
        (one(existingRunId="lb:9"), "", {}),
        (one(triggers={"n": 1}), "a", {"a": "triggers"}),
        (one(triggers={"n": 1}), "", {"a": "triggers"}),
    ],
    "going back is another start": [
        (one(), "", {"a": "new"}),
        (one(vid="w"), "", {"a": "vid"}),
        (one(), "", {"a": "vid"}),
    ],
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_stories(story: list[tuple[dict[str, Any], str, dict[str, str]]]) -> None:
    """What was not started is tried again, and what runs already is never paid twice."""
    stack = Stack()
    for raw, rejected, start in story:
        preview = stack.preview(raw)
        assert stack.up(raw, rejected) == start == why(preview)
        assert set(stack.state.get("rejected", ())) == set(rejected)


@pytest.mark.parametrize("run", [None, one(), one(existingRunId="lb:9")])
@pytest.mark.parametrize(
    "again",
    [{}, one(vid="w"), one(vid="w", triggers={"n": 1}, rerunOnFailure=True), OTHER],
    ids=["same", "without triggers", "with a free change", "renamed"],
)
def test_an_unclear_start_is_sent_again_with_the_same_token(
    run: dict[str, Any] | None, again: dict[str, Any]
) -> None:
    """So that the service finds the run if there is one; as long as it is the same start."""
    stack = Stack()
    stack.up({"items": {"z": ITEM, **(run or one())["items"]}}, rejected="" if run else "a")
    lost = {"items": {"z": ITEM, "a": {**ITEM, "vid": "w", "triggers": {"n": 1, "m": 2}}}}
    stack.up(lost, unclear="a")
    assert (stack.state["rejected"], stack.state["unclear"]) == ({}, {"a": "unclear"})
    changed = {**lost, **again}
    changed["items"] = {"z": ITEM, "a": changed["items"]["a"]}
    tokens = stack.declared(changed)["clientTokens"]
    assert tokens == stack.state["clientTokens"]
    billed = len(stack.bill)
    assert set(stack.up(changed)) == {"a"}
    assert stack.bill[billed:] == [("a", tokens["a"])]
    assert stack.state["unclear"] == {}
    assert not stack.preview(changed).changes


def test_a_start_that_may_have_been_accepted_has_a_reason_of_its_own() -> None:
    """A person can look for its run before another is paid."""
    stack = Stack()
    stack.up(TWO, unclear="b")
    assert why(stack.preview(TWO)) == {"b": SENT_BEFORE_TEXT}
    stack.up(TWO, unclear="b")
    assert why(stack.preview(TWO)) == {"b": SENT_BEFORE_TEXT}
    by_id = {"items": {"a": ITEM, "b": {**ITEM, "existingRunId": "lb:9"}}}
    assert (why(stack.preview(by_id)), stack.preview(by_id).adopt) == ({}, ("b",))
    stack.up(TWO, rejected="b")
    assert why(stack.preview(TWO)) == {"b": "not started before"}
    assert why(stack.preview({"items": {"a": ITEM, "c": ITEM}})) == {"c": "new"}


def test_a_replacement_that_may_have_been_accepted_has_it_too() -> None:
    """The run that the item had before makes no difference to what may be paid twice."""
    stack = started()
    stack.up(one(vid="w"), unclear="a")
    assert stack.preview(one(vid="w")).start["a"].may_be_sent_before


def test_what_was_never_sent_is_not_said_to_be_found_again() -> None:
    """A corrected item is another start, with another token: it is paid whatever there was."""
    stack = Stack()
    stack.up(TWO, unclear="b")
    corrected = {"items": {"a": ITEM, "b": {**ITEM, "vid": "w"}}}
    assert stack.declared(corrected)["clientTokens"]["b"] != stack.state["clientTokens"]["b"]
    assert not stack.preview(corrected).start["b"].may_be_sent_before


@pytest.mark.parametrize("how", ["rejected", "unclear"])
def test_going_back_is_free_and_recorded(how: str) -> None:
    """Nothing is left of the start that is not wanted any more."""
    stack = started()
    stack.up(one(vid="w"), **{how: "a"})
    assert stack.preview(one()) == BatchPlan(state_only=("items", "clientTokens", how), total=1)
    stack.up(one())
    assert len(stack.bill) == 1
    assert (stack.state["rejected"], stack.state["unclear"]) == ({}, {})
    assert stack.preview(one()) == BatchPlan(total=1)


def test_a_rejection_does_not_outlive_what_asked_for_the_start() -> None:
    """A completion takes what is in `rejected` for not started, though nothing is to be."""
    stack = Stack(prefix="emu:")
    stack.up(one(), endpoint="emulator")
    stack.up(one(), rejected="a")
    stack.up(one(), endpoint="emulator")
    assert stack.state["rejected"] == {}


def test_a_removed_trigger_that_is_declared_again_asks_for_a_run() -> None:
    """As with a single run; its token is the one of the first start: a pure function."""
    stack = started(triggers={"n": 1})
    stack.up(one())
    assert stack.up(one(triggers={"n": 1})) == {"a": "triggers"}
    assert stack.bill[0] == stack.bill[1]


def test_leaving_the_emulator_starts_its_items_on_the_service() -> None:
    """An emulated run is not a real one; going to an emulator starts nothing."""
    stack = Stack(prefix="emu:")
    stack.up(one(), endpoint="emulator")
    assert stack.preview(one(), service=None) == BatchPlan(total=1)
    assert why(stack.preview(one())) == {"a": "its run is an emulated one"}
    assert why(stack.preview(one(), service="emulator")) == {}
    assert stack.preview(one(existingRunId="emu:1")).adopt == ("a",)
    assert stack.preview(one(existingRunId="emu:1"), service=None).adopt == ()
    stack.up(one(), rejected="a")
    assert why(stack.preview(one())) == {"a": "its run is an emulated one"}
    stack.prefix = "lb:"
    stack.up(one())
    assert stack.preview(one()) == stack.preview(one(), service=None) == BatchPlan(total=1)
    assert runs_of(stack.state)["a"]["endpoint"] == SERVICE


@pytest.mark.parametrize(
    ("named_run", "adopt", "start"),
    [
        ("lb:1", (), {}),
        ("lb:9", ("a",), {}),
        (UNKNOWN, (), {"a": "existingRunId (not known yet)"}),
    ],
)
def test_naming_a_run_starts_nothing(
    named_run: Any, adopt: tuple[str, ...], start: dict[str, str]
) -> None:
    """Its own is only marked, another one is read; an unknown one may yet be none."""
    for changes in ({}, {"triggers": {"n": 2}}, {"priority": 2}):
        plan = started().preview(one(existingRunId=named_run, **changes))
        assert (plan.adopt, why(plan)) == (adopt, start)
        assert plan.changes


def test_a_new_item_can_adopt() -> None:
    """It is read, and costs nothing."""
    plan = Stack().preview({"items": {"a": {"existingRunId": "lb:9"}}})
    assert (plan.adopt, plan.start) == (("a",), {})


@pytest.mark.parametrize(
    "wrong", [{"vid": "w"}, {"templateId": "u"}, {"vid": ..., "directUrl": {"fileName": "f"}}]
)
def test_the_recorded_run_is_not_named_as_another(wrong: dict[str, Any]) -> None:
    """A state that says one source beside the run of another would be a lie."""
    adopted = started(existingRunId="lb:9")
    for stack, run_id in ((started(), "lb:1"), (adopted, "lb:9")):
        with pytest.raises(AdoptionError, match="another"):
            stack.preview(one(existingRunId=run_id, **wrong))


LATER_REFUSED: Final = {**ITEM, "priority": 99}
"""An item as a state may hold it from before a rule was tightened."""


def test_what_is_recorded_stays_right_under_a_tightened_rule() -> None:
    """Items as they are recorded are not checked again, until they start again or are changed."""
    recorded: dict[str, Any] = {"items": {"a": LATER_REFUSED, "b": ITEM}, "scope": SCOPE}
    assert check_batch(recorded, recorded).problems == ()
    added = {**recorded, "items": {**recorded["items"], "c": LATER_REFUSED}}
    [problem] = check_batch(added, recorded).problems
    assert problem.path == "items.c.priority"
    changed = {**recorded, "items": {"a": {**LATER_REFUSED, "triggers": {"n": 1}}}}
    assert [item.path for item in check_batch(changed, recorded).problems] == ["items.a.priority"]
    mistyped = {**recorded, "items": {"a": {**LATER_REFUSED, "prioritee": 1}}}
    assert "items.a.prioritee" in [item.path for item in check_batch(mistyped, recorded).problems]
    assert [item.path for item in check_batch(recorded).problems] == ["items.a.priority"]
    assert [item.path for item in check_restarted_items(recorded, recorded, ["a", "b"])] == [
        "items.a.priority"
    ]
    assert (
        [*check_restarted_items(recorded, recorded, ["b"])]
        == [*check_restarted_items({}, recorded, ["a"])]
        == []
    )


def test_recorded_defaults_stay_right_for_the_items_that_have_them() -> None:
    """A new item is checked with what it has of the defaults."""
    recorded = {"items": {"a": ITEM}, "defaults": {"priority": 99}, "scope": SCOPE}
    assert check_batch(recorded, recorded).problems == ()
    added = {**recorded, "items": {"a": ITEM, "b": ITEM}}
    assert [item.path for item in check_batch(added, recorded).problems] == ["items.b.priority"]
    moved = {"items": {"a": LATER_REFUSED}, "scope": SCOPE}
    assert check_batch(moved, recorded).problems == (), "the same item, written elsewhere"
    other = {**recorded, "defaults": {"priority": 98}}
    [problem] = check_batch(other, recorded).problems
    assert problem.path == "defaults.priority"


@pytest.mark.filterwarnings("ignore")
def test_text_made_of_an_output_is_refused_in_a_batch(texts_of_outputs: tuple[str, str]) -> None:
    """In keys, items, defaults and the resource's name, each with its path."""
    text, item = texts_of_outputs[0], {"vid": "v"}
    told = "contains Python's text of an Output"
    assert says(items={"a": {**ITEM, "callbackArgs": text}})[0].startswith(
        f"items.a.callbackArgs: {told}"
    )
    assert says(items={"a": item}, defaults={"templateId": text})[0].startswith(
        f"defaults.templateId: {told}"
    )
    for key in texts_of_outputs:
        [problem] = says(items={key: ITEM})
        assert problem.startswith(f"items: a key {told}")
    [problem] = says(items={"a": ITEM}, scope={**SCOPE, "name": f"n-{text}"})
    assert problem.startswith(f"the resource's name: {told}")


def test_clips_under_a_second_are_doubted_once() -> None:
    """Only of items that start, and alike ones together."""
    short = {"overrideParams": {"transcodeVideo": [{"templateId": ["x"], "clip": {"endTime": 30}}]}}
    batch = {"items": {"a": ITEM, "b": ITEM, "c": {**ITEM, "input": {}}}, "scope": SCOPE}
    batch["defaults"] = {"input": short}
    [problem] = find_item_doubts(batch, ["a", "b"])
    assert str(problem) == (
        f"items.a.input.overrideParams.transcodeVideo[0].clip: {SHORT_CLIP} (and 1 more: b)"
    )
    assert [*find_item_doubts(batch, [])] == []
    assert [*find_item_doubts({"items": {"a": UNKNOWN}}, ["a"])] == []


@pytest.mark.parametrize("of", ["a", "b"])
def test_the_run_of_another_item_is_not_named_with_another_source(of: str) -> None:
    """The batch's own state knows what that run was started with: a renamed key, two swapped."""
    stack = Stack()
    stack.up({"items": {"a": ITEM, "b": {**ITEM, "vid": "w"}}})
    named_run, vid = {"a": ("lb:1", "v"), "b": ("lb:2", "w")}[of]
    for key in {"a", "b", "new"} - {of}:
        right = {key: {**ITEM, "vid": vid, "existingRunId": named_run}}
        assert stack.preview({"items": right}).adopt == (key,)
        wrong = {key: {**ITEM, "vid": "other", "existingRunId": named_run}}
        with pytest.raises(AdoptionError, match=rf"existingRunId of items\.{key}: the run was"):
            stack.preview({"items": wrong})


def test_a_run_is_named_as_what_it_was_started_with() -> None:
    """That is not what was declared last, if the start of that was rejected."""
    stack = started()
    for how in ({"rejected": "a"}, {"unclear": "a"}):
        stack.up(one(vid="w"), **how)
        plan = stack.preview(one(existingRunId="lb:1"))
        assert plan == BatchPlan(total=1, state_only=("items", "clientTokens", *how))
        with pytest.raises(AdoptionError, match=r"existingRunId of items\.a"):
            stack.preview(one(vid="w", existingRunId="lb:1"))


def test_ceasing_to_name_a_run_is_free_also_where_the_service_told_less() -> None:
    """As of a single run: what was declared beside the run's id counts as what it is."""
    stack = started(existingRunId="lb:9", callbackArgs="x")
    assert stack.preview(one(existingRunId="lb:9", callbackArgs="x")) == BatchPlan(total=1)
    assert why(stack.preview(one(callbackArgs="x"))) == {}


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("2003", {"a": "rerunOnFailure after 2003"}),
        ("2777", {"a": "rerunOnFailure after 2777"}),
        ("1001", {}),
        ("0", {}),
        ("Terminated", {}),
        ("Running", {}),
    ],
)
def test_rerun_on_failure(status: str, reason: dict[str, str]) -> None:
    """Only a recorded system error is run again, if that is wanted, and if a preview showed it."""
    stack = started(rerunOnFailure=True)
    stack.read("a", status)
    assert why(stack.preview(one(rerunOnFailure=True))) == reason
    assert why(stack.preview({**one(), "defaults": {"rerunOnFailure": True}})) == reason
    unknown = {"a": "rerunOnFailure (not known yet)"} if reason else {}
    assert why(stack.preview(one(rerunOnFailure=UNKNOWN))) == unknown
    assert why(stack.preview(one(rerunOnFailure=True), just_ended={"lb:1"})) == {}
    assert why(stack.preview(one(rerunOnFailure=True), just_ended={"lb:2"})) == reason
    assert why(stack.preview(one(rerunOnFailure=True, vid="w"))) == {
        "a": ", ".join(["vid", *reason.values()])
    }
    assert why(stack.preview(one(rerunOnFailure=False))) == {}
    assert why(stack.preview(one())) == {}
    stack.up(one(rerunOnFailure=True), rejected="a")
    assert why(stack.preview(one(rerunOnFailure=True))) == reason, "still wanted"
    stack.up(one(rerunOnFailure=True))
    assert why(stack.preview(one(rerunOnFailure=True))) == {}, "the new run"


def test_what_a_limit_did_not_send_starts_next_and_is_recorded_until_then() -> None:
    """An item that is no longer declared is no reason to keep its key; a limit alone is free."""
    stack = started()
    state = dict(stack.state)
    declared = {**TWO, "maxFailures": 3}
    stack.state = {**state, "notSent": ["b"]}
    plan = stack.preview(declared)
    assert why(plan) == {"b": "not sent before"}
    assert plan.max_failures == 3
    assert "notSent" in stack.preview(one()).state_only
    stack.state = state
    limited = stack.preview({**one(), "maxFailures": 3})
    assert (limited.changes, limited.start, limited.state_only) == (True, {}, ("maxFailures",))


@pytest.mark.parametrize(
    ("defaults", "item", "starts"),
    [
        ({"rerunOn": ["userError"]}, {}, True),
        ({"rerunOn": ["userError"]}, {"rerunOn": []}, False),
        ({"rerunOn": ["userError"]}, {"rerunOnFailure": True}, False),
        ({"rerunOnFailure": True}, {"rerunOn": ["userError"]}, True),
        ({}, {"rerunOn": ["systemError"]}, False),
    ],
)
def test_an_items_own_rerun_replaces_that_of_the_defaults(
    defaults: dict[str, Any], item: dict[str, Any], starts: bool
) -> None:
    """Also where one of them has the alias."""
    declared = {**one(**item), "defaults": defaults}
    assert not check_batch(declared).problems
    stack = started()
    stack.read("a", "1003")
    assert why(stack.preview(declared)) == ({"a": "rerunOn after 1003"} if starts else {})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"vid": "w"},
        {"vid": ..., "directUrl": {"fileName": "f"}},
        {"priority": 0},
        {"priority": 2},
        {"priority": UNKNOWN},
        {"triggers": {}},
        {"triggers": {"n": 2}},
        {"triggers": {"n": True}},
        {"triggers": {"n": 1, "m": 1}},
        {"triggers": UNKNOWN},
        {"rerunOnFailure": True},
        {"rerunOnFailure": UNKNOWN},
        {"existingRunId": "lb:1"},
        {"existingRunId": "lb:9"},
        {"existingRunId": UNKNOWN},
        {"existingRunId": "lb:1", "priority": 3},
    ],
)
@pytest.mark.parametrize("before", ["started", "rejected", "unclear", "adopted"])
@pytest.mark.parametrize("status", ["0", "2003"])
@pytest.mark.parametrize("service", [SERVICE, None])
def test_an_item_is_planned_as_a_single_run_is(
    changes: dict[str, Any], before: str, status: str, service: str | None
) -> None:
    """One law for both resources: what costs in one costs in the other."""
    first = {"existingRunId": "lb:9", "priority": 2} if before == "adopted" else {}
    stack = started(triggers={"n": 1}, **first)
    run = {**runs_of(stack.state)["a"], "scope": {**SCOPE, "item": "a"}}
    single_run = with_derived_inputs(run, run)
    if before in {"rejected", "unclear"}:
        stack.up(one(vid="x", triggers={"n": 3}), **{before: "a"})
    stack.read("a", status)
    where = classify_status(status)
    single_run |= {"status": status, "phase": where.phase}

    raw = one(**{"triggers": {"n": 1}, **changes})
    batch = stack.preview(raw, service=service)
    declared = with_derived_inputs(single_run, {**raw["items"]["a"], "scope": single_run["scope"]})
    single = plan_change(single_run, declared, service=service)
    adopts_unknown = changes.get("existingRunId") is UNKNOWN
    assert bool(batch.adopt) is bool(single.adopt and not adopts_unknown)
    asking = single.adopt if adopts_unknown else single.new_run
    reason = batch.start.get("a", StartReason(()))
    assert reason.properties == tuple(asking)
    if before == "started":
        assert batch.changes is bool(single.new_run or single.adopt or single.free)


# -- what a person is told ---------------------------------------------------------------------

NOT_YET: Final = "items not known yet: starts each new or changed item (paid)"
NONE: Final = "starts 0 of 3 items"
VID: Final = StartReason((StartCause.CHANGED_INPUTS,), ("vid",))
MANY: Final = tuple(f"k{number:03}" for number in range(101))
HUNDRED: Final = f"{', '.join(MANY[:100])} and 1 more"


@pytest.mark.parametrize(
    ("plan", "lines"),
    [
        (
            BatchPlan(),
            [NOT_YET],
        ),
        (BatchPlan(total=3), []),
        (BatchPlan(total=3, state_only=("scope",)), [NONE]),
        (
            BatchPlan(total=1_234, start={"a": NEW, "b": VID, "c": NEW}, state_only=("items",)),
            ["starts 3 of 1,234 items (paid): new: a, c; vid: b"],
        ),
        (
            BatchPlan(total=3, start={"a": NOT_SENT}, max_failures=1),
            ["starts 1 of 3 items (paid), stops after 1 failure: not sent before: a"],
        ),
        (BatchPlan(max_failures=20), [f"{NOT_YET}, stops after 20 failures"]),
        (BatchPlan(total=3, adopt=("a", "b")), ["adopts (free): a, b", NONE]),
        (
            BatchPlan(total=3, drop=("x",), state_only=("items",)),
            ["removes unfinished runs from the state; they keep running: x", NONE],
        ),
        (
            BatchPlan(total=3, drop=("x", "y", "z"), ended=("y",), state_only=("items",)),
            [
                "removes unfinished runs from the state; they keep running: x, z",
                "removes runs that have ended from the state: y",
                NONE,
            ],
        ),
        (
            BatchPlan(total=101, start=dict.fromkeys(MANY, NEW)),
            [f"starts 101 of 101 items (paid): new: {HUNDRED}"],
        ),
        (
            BatchPlan(total=3, drop=MANY, state_only=("items",)),
            [f"removes unfinished runs from the state; they keep running: {HUNDRED}", NONE],
        ),
    ],
)
def test_what_a_preview_says(plan: BatchPlan, lines: list[str]) -> None:
    """How many are paid, which and why; and what is not paid."""
    assert [*plan.summary_lines("paid")] == lines


@pytest.mark.parametrize(
    ("starts", "groups"),
    [
        ("abcdeu", [("a", "b"), ("c", "d")]),
        ("a", [("a", "b")]),
        ("d", [("c", "d")]),
        ("eu", []),
    ],
)
def test_items_of_the_same_work(starts: str, groups: list[tuple[str, ...]]) -> None:
    """Only where one of them is started: what is paid already is not spoken of again."""
    url = {"directUrl": {"fileName": "f"}, "templateId": "t"}
    items = {
        "a": ITEM,
        "b": {**ITEM, "priority": 1},
        "c": url,
        "d": {**url, "triggers": {"n": 1}},
        "e": {**ITEM, "templateId": "u"},
        "u": UNKNOWN,
    }
    assert same_work(items, starts) == groups


def test_many_items_of_the_same_work_are_one_line() -> None:
    assert [*same_work_warnings([])] == []
    groups = [tuple(f"{group}-{key}" for key in range(20)) for group in range(30)]
    [line] = same_work_warnings(groups)
    assert "0-9 and 10 more; 1-0" in line
    assert line.endswith("; and 20 more groups")
    assert len(line) < 1000


# -- what is kept ------------------------------------------------------------------------------


def test_runs_go_on_standing_for_their_items() -> None:
    """As declared now; one that is to be replaced stays what it is until the new one is there."""
    stack = Stack()
    stack.up({"items": {key: {**ITEM, "triggers": {"n": 1}} for key in "abcdef"}})
    before = runs_of(stack.state)
    changes: dict[str, dict[str, Any]] = {
        "a": {},
        "b": {"vid": "w"},
        "c": {"existingRunId": "lb:3"},
        "d": {"existingRunId": "lb:9"},
        "f": {"priority": 0, "triggers": {}, "rerunOnFailure": False},
    }
    items = {key: {**ITEM, "triggers": {"n": 1}, **changes[key]} for key in changes}
    inputs = stack.declared({"items": items})
    runs = kept_runs(stack.state, inputs, plan_batch(stack.state, inputs, service=SERVICE))
    assert set(runs) == set("abcdf")
    assert {key: runs[key]["runId"] for key in runs} == {
        key: before[key]["runId"] for key in "abcdf"
    }
    assert inputs_of(runs["a"]) == inputs_of(before["a"])
    assert runs["b"] == before["b"]
    assert inputs_of(runs["c"]) == {**inputs_of(before["c"]), "existingRunId": "lb:3"}
    assert runs["d"] == before["d"]
    assert inputs_of(runs["f"]) == {**ITEM, **changes["f"]}
    outputs = {"runId", "phase", "region", "endpoint", "emulated"}
    for key, run in runs.items():
        assert {name: run[name] for name in outputs} == {
            name: before[key][name] for name in outputs
        }


def test_a_run_that_is_no_longer_named_becomes_the_items_own() -> None:
    """What the service told of its start is needed no longer: it is what is declared."""
    by_id: dict[str, Any] = {"items": {"a": {"existingRunId": "lb:9"}}}
    stack = Stack()
    stack.up(by_id)
    assert stack.state["runs"]["a"]["inputs"] == {**MINE, "existingRunId": "lb:9"}
    more = {"rerunOnFailure": True}
    stack.up({**by_id, "defaults": more})
    assert stack.state["runs"]["a"]["inputs"] == {**MINE, "existingRunId": "lb:9", **more}
    stack.up(one())
    assert stack.bill == []
    assert "inputs" not in stack.state["runs"]["a"]
    assert inputs_of(runs_of(stack.state)["a"]) == ITEM
    assert stack.state["clientTokens"] == Stack().declared(one())["clientTokens"]


@pytest.mark.parametrize("how", ["rejected", "unclear"])
def test_what_a_run_was_started_with_is_recorded_while_something_else_is_declared(how: str) -> None:
    """And it is the item's own inputs, their defaults included, as soon as that holds again."""
    stack = Stack()
    stack.up({**TWO, "defaults": {"priority": 1}})
    assert all("inputs" not in run for run in stack.state["runs"].values())
    stack.up({**TWO, "defaults": {"priority": 2, "triggers": {"n": 1}}}, **{how: "a"})
    assert stack.state[how] == {"a": how}
    assert stack.state["runs"]["a"]["inputs"] == {**ITEM, "priority": 1}
    assert "inputs" not in stack.state["runs"]["b"]
    stack.read("a", "Running")
    assert stack.state["runs"]["a"]["inputs"] == {**ITEM, "priority": 1}
    assert stack.state[how] == {"a": how}
    stack.up({"items": {"a": {**ITEM, "priority": 1}}})
    assert (stack.state["rejected"], stack.state["unclear"]) == ({}, {})
    assert len(stack.bill) == 3
    assert "inputs" not in stack.state["runs"]["a"]


RUN: Final[dict[str, Any]] = {**ITEM, "runId": "lb:1", "phase": "submitted", **SITE}


@pytest.mark.parametrize(
    ("own", "inputs"),
    [
        ({}, {}),
        ({"region": "ap-1"}, {}),
        ({"region": "ap-1", "endpoint": "https://x"}, {}),
        ({"requestId": "r", "submittedAt": "s", "createTime": "c", "endTime": "e"}, {}),
        ({"startTime": "t", "status": "0"}, {}),
        ({}, {"vid": "w", "priority": 1, "triggers": {"vid": [1, None], "direct_url": 2}}),
        ({"region": "ap-1"}, {"existingRunId": "lb:1", "input": {"condition": {"c": True}}}),
    ],
)
@pytest.mark.parametrize("run_id", ["lb:1", "emu:1"])
def test_what_is_recorded_of_a_run_comes_back(
    own: dict[str, Any], inputs: dict[str, Any], run_id: str
) -> None:
    """What it has in common with batch or item is left out; a run elsewhere says where."""
    declared = {**one(), "scope": SCOPE, "clientTokens": {"a": "A"}}
    run = {**RUN, "runId": run_id, **own, **inputs}
    told = {"rejected": {"b": "no"}, "unclear": {"c": "perhaps"}}
    more = {"scope": {**SCOPE, "item": "a"}, "clientToken": "A", "tasks": [1], "extra": {}}
    state = to_batch_state(declared, {"a": {**run, **more}}, **told, not_sent=(), site=SITE)
    kept = {"runId": run_id, "phase": "submitted", **own}
    if inputs:
        kept["inputs"] = {**ITEM, **inputs}
    assert state == {**declared, "runs": {"a": kept}, **told, **SITE}
    assert not {"adopted", "started", "clientToken"} & set(state["runs"]["a"])
    assert normalise_batch(state)["runs"]["a"].keys() == kept.keys()
    again = runs_of(state)
    assert again["a"] == {**run, "emulated": run_id == "emu:1"}
    assert to_batch_state(declared, again, **told, not_sent=(), site=SITE) == state


@pytest.mark.parametrize("value", [2, True, "1", None])
def test_a_trigger_is_recorded_wherever_it_is_not_the_items(value: object) -> None:
    """Whatever JSON it is: else a start that it asks for would not be tried again."""
    batch = {**one(triggers={"n": value}), "scope": SCOPE}
    run = {**RUN, "triggers": {"n": 1}}
    assert recorded(batch, {"a": run})["runs"]["a"]["inputs"] == {**ITEM, "triggers": {"n": 1}}


def test_the_record_of_a_run_is_not_respelled() -> None:
    """Keys of items and of triggers are the user's, also where they are recorded once more."""
    items = {"existing_run_id": {**ITEM, "triggers": {"template_id": 1}}}
    stack = Stack()
    stack.up({"items": items})
    stack.up({"items": {"existing_run_id": ITEM}, "defaults": {"priority": 1}}, ["existing_run_id"])
    run = runs_of(normalise_batch(stack.state))["existing_run_id"]
    assert inputs_of(run) == items["existing_run_id"]
    assert why(stack.preview({"items": items})) == {}


@pytest.mark.parametrize(
    ("outputs", "needed"),
    [
        ({"phase": "submitted", "statusReason": SUBMITTED_REASON}, False),
        ("PendingStart", False),
        ("Running", False),
        ("0", False),
        ("1001", True),
        ("2777", True),
        ("Terminated", True),
        ("Paused", True),
        (EXPIRED, True),
        ({"status": "Running", **EXPIRED}, True),
    ],
)
def test_a_reason_is_recorded_where_it_says_more_than_the_phase(outputs: Any, needed: bool) -> None:
    """There are thousands of runs, and most of them are plain."""
    if isinstance(outputs, str):
        where = classify_status(outputs)
        outputs = {"status": outputs, "phase": where.phase, "statusReason": where.reason}
    kept = recorded({}, {"a": {"runId": "lb:1", **outputs}})["runs"]["a"]
    assert ("statusReason" in kept) is needed


def test_what_is_recorded_as_secret() -> None:
    """Tokens, which are hashes of what is secret, and what was read or declared of a start."""
    runs = {"a": {**RUN, "callbackArgs": "x"}, "b": RUN}
    plain = recorded({**TWO, "clientTokens": {"a": "A"}}, runs)
    assert with_secrets(plain) == plain
    marked = with_secrets({**plain, "secretInputs": True})
    assert marked == {
        **plain,
        "secretInputs": True,
        "clientTokens": Secret({"a": "A"}),
        "runs": {
            "a": {
                "runId": "lb:1",
                "phase": "submitted",
                "inputs": Secret({**ITEM, "callbackArgs": "x"}),
            },
            "b": {"runId": "lb:1", "phase": "submitted"},
        },
    }
    assert with_secrets({"secretInputs": True}) == {"secretInputs": True}


def test_only_unfinished_runs_are_asked_about() -> None:
    """A run that has ended never changes again."""
    phases = ("submitted", "pending", "running", "succeeded", "failed", "terminated", "expired")
    runs = {phase: {"runId": f"lb:{phase}", "phase": phase} for phase in phases}
    found = unfinished_runs(recorded({}, runs))
    assert set(found) == {"submitted", "pending", "running"}
    assert found["running"]["endpoint"] == SERVICE
    assert unfinished_runs({}) == {}


# -- any sequence ------------------------------------------------------------------------------

KEYS: Final = ("a", "b", "c")
TRIGGERS: Final = st.dictionaries(st.sampled_from(["n", "m"]), st.integers(1, 2))
SHARED: Final[dict[str, st.SearchStrategy[Any]]] = {
    "priority": st.sampled_from([0, 1, 2.0]),
    "callbackArgs": st.sampled_from(["", "x"]),
    "triggers": TRIGGERS,
}
OWN: Final = {**SHARED, "existingRunId": st.sampled_from(["lb:1", "lb:2", "lb:8", "lb:9"])}
SOURCE: Final = {"vid": st.sampled_from(["v", "v", "w"]), "templateId": st.just("t")}
SOME: Final = st.sets(st.sampled_from(KEYS), max_size=2)
STATUS: Final = st.sampled_from(["PendingStart", "Running", "0", "1001", "2003", "Terminated"])


@dataclass
class Step:
    """A declaration, and what becomes of it."""

    raw: dict[str, Any]
    rejected: set[str]
    unclear: set[str]
    read: dict[str, str]
    """What a refresh before it tells, of items that have a run."""

    @property
    def items(self) -> dict[str, dict[str, Any]]:
        """Say once more, by other means, what the items are over their defaults."""
        defaults = self.raw["defaults"]
        merged: dict[str, dict[str, Any]] = {}
        for key, item in self.raw["items"].items():
            triggers = {**defaults.get("triggers", {}), **item.get("triggers", {})}
            merged[key] = {**defaults, **item, "triggers": triggers}
        return merged


STEPS: Final = st.lists(
    st.builds(
        Step,
        st.fixed_dictionaries(
            {
                "items": st.dictionaries(
                    st.sampled_from(KEYS),
                    st.fixed_dictionaries(SOURCE, optional=OWN),
                    min_size=1,
                ),
                "defaults": st.fixed_dictionaries({}, optional=SHARED),
                "scope": st.sampled_from([SCOPE, SCOPE, OTHER["scope"]]),
            }
        ),
        SOME,
        SOME,
        st.dictionaries(st.sampled_from(KEYS), STATUS, max_size=2),
    ),
    min_size=2,
    max_size=7,
)


@dataclass(frozen=True)
class Known:
    """What a person knows of an item's run."""

    run_id: str
    start: dict[str, Any]
    triggers: dict[str, Any]
    adopted: bool

    def contradicts(self, item: Mapping[str, Any]) -> bool:
        return any(item[name] != self.start.get(name) for name in ("vid", "templateId"))

    def is_what(self, item: Mapping[str, Any]) -> bool:
        """Tell whether the item asks for nothing beyond this run."""
        asked = request_fields(item)
        same = all(self.start.get(name) == asked[name] for name in asked)
        same &= self.adopted or self.start == asked
        return same and item["triggers"].items() <= self.triggers.items()

    def declared(self) -> dict[str, Any]:
        """Return the item that is exactly this run."""
        named_run = {"existingRunId": self.run_id} if self.adopted else {}
        return {**self.start, "triggers": self.triggers, **named_run}


@dataclass
class Person:
    """What is to be expected of a batch, from what is known of each item's run."""

    runs: dict[str, Known] = field(default_factory=dict)

    def expects(self, items: Mapping[str, Any]) -> tuple[set[str], set[str], bool]:
        """Return the keys that start, those that adopt, and whether it is refused."""
        start, adopt, refused = set(), set(), False
        by_id = {run.run_id: run for run in self.runs.values()}
        for key, item in items.items():
            run = self.runs.get(key)
            if "existingRunId" in item:
                named_run = by_id.get(item["existingRunId"])
                refused |= named_run is not None and named_run.contradicts(item)
                if run is None or run.run_id != item["existingRunId"]:
                    adopt.add(key)
            elif run is None or not run.is_what(item):
                start.add(key)
        return start, adopt, refused

    def learns(self, items: Mapping[str, Any], new: Mapping[str, Known]) -> None:
        """Take in the new runs; the others stand for what is declared, unless they could not."""
        start, adopt, _ = self.expects(items)
        stay = {key: run for key, run in self.runs.items() if key in items}
        carried_on = {
            key: _known(run.run_id, run.start if "existingRunId" in items[key] else {}, items[key])
            for key, run in stay.items()
            if key not in start | adopt
        }
        self.runs = {**stay, **carried_on, **new}


def _known(run_id: str, told: Mapping[str, Any], item: Mapping[str, Any]) -> Known:
    return Known(
        run_id, request_fields({**told, **item}), item["triggers"], "existingRunId" in item
    )


def _adopted(stack: Stack, items: Mapping[str, Any], keys: set[str]) -> dict[str, Known]:
    """Return what is known of each run that can be adopted: that is what it is declared as."""
    found = {}
    for key in keys:
        run_id = items[key]["existingRunId"]
        told = stack.told.get(run_id, MINE)
        if not Known(run_id, told, {}, adopted=True).contradicts(items[key]):
            found[key] = _known(run_id, told, items[key])
    return found


@settings(deadline=None)
@given(STEPS)
def test_any_sequence(steps: list[Step]) -> None:
    """
    What runs is not paid again, and what is said is what is done.

    A declaration that stays starts only what was not accepted; going back to what the recorded
    runs were started with starts nothing, nor does removing triggers; whatever the plan names is
    started, with a token that means that start, and nothing else is.
    """
    stack, person = Stack(), Person()
    meaning: dict[str, Any] = {}
    for step in steps:
        for key in step.read.keys() & person.runs.keys():
            stack.read(key, step.read[key])
        named_runs = {
            (item["existingRunId"], item["vid"])
            for item in step.items.values()
            if "existingRunId" in item
        }
        ids = {run_id for run_id, _ in named_runs}
        if {"lb:1", "lb:2"} & ids - stack.told.keys() or len(ids) < len(named_runs):
            continue  # there is no such run yet, or it has one source and not two
        if person.expects(step.items)[2]:
            with pytest.raises(AdoptionError):
                stack.preview(step.raw)
            continue
        _do_what_is_said(stack, person, step)
        tokens = stack.declared(step.raw)["clientTokens"]
        for key in tokens:
            told = (key, request_fields(step.items[key]))
            assert meaning.setdefault(tokens[key], told) == told
        _compare(stack, person)


def _do_what_is_said(stack: Stack, person: Person, step: Step) -> None:
    items = step.items
    start, adopt, _ = person.expects(items)
    plan, tokens = stack.preview(step.raw), stack.declared(step.raw)["clientTokens"]
    assert (set(plan.start), set(plan.adopt)) == (start, adopt), "also after what was read"

    new = _adopted(stack, items, adopt - step.rejected)
    before, billed = stack.state, len(stack.bill)
    assert stack.up(step.raw, step.rejected, step.unclear) == why(plan)
    paid = sorted(start - step.rejected - step.unclear)
    assert stack.bill[billed:] == [(key, tokens[key]) for key in paid]
    for number, key in enumerate(paid, billed + 1):
        new[key] = _known(f"lb:{number}", {}, items[key])

    again = stack.preview(step.raw)
    assert stack.declared(step.raw)["clientTokens"] == tokens
    if stack.state is before:
        assert not new
        assert again == plan
    else:
        person.learns(items, new)
        assert set(again.start) == start - new.keys()
        assert set(again.adopt) == adopt - new.keys()
        assert set(stack.state["unclear"]) == (start & step.unclear) - step.rejected
        failed = set(stack.state["rejected"]) | set(stack.state["unclear"])
        assert failed == (start | adopt) - new.keys()


def _compare(stack: Stack, person: Person) -> None:
    """Compare what is recorded with what is known; and go back to that, without any trigger too."""
    runs = runs_of(stack.state)
    assert {key: run["runId"] for key, run in runs.items()} == {
        key: known.run_id for key, known in person.runs.items()
    }
    for key, known in person.runs.items():
        assert request_fields(runs[key]) == known.start
        assert runs[key].get("triggers", {}) == known.triggers
    back = {key: known.declared() for key, known in person.runs.items()}
    for items in (back, {key: {**item, "triggers": {}} for key, item in back.items()}):
        if items:
            plan = stack.preview({"items": items})
            assert (plan.start, plan.adopt) == ({}, ())
