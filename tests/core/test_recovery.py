"""What is done about a start that an earlier operation has sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_vod_workflow.core.recovery import (
    RecoveryAction,
    RecoveryPlan,
    StartIntent,
    StartRecord,
    plan_recovery,
    recovery_action,
    resource_key_of,
    resource_label,
    start_intent,
)

NOW = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
SITE: dict[str, Any] = {"endpoint": "https://vod.example", "region": "cn-north-1"}
DECLARED: dict[str, Any] = {
    "vid": "v1",
    "templateId": "t1",
    "clientToken": "pvw1-0",
    "scope": {"project": "p", "stack": "s", "name": "n"},
}
RUN = {"runId": "lb:1", "requestId": "r", "submittedAt": "2026-05-06T07:08:00Z"}


def sent(seconds_ago: float) -> StartRecord:
    return StartRecord(NOW - timedelta(seconds=seconds_ago))


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (None, RecoveryAction.SEND),
        (StartRecord(NOW - timedelta(days=29.9), RUN), RecoveryAction.REUSE),
        (StartRecord(NOW - timedelta(days=30), RUN), RecoveryAction.REFUSE),
        (StartRecord(NOW + timedelta(days=1), RUN), RecoveryAction.REUSE),
        (sent(0), RecoveryAction.SEND),
        (sent(4), RecoveryAction.SEND),
        (sent(4.001), RecoveryAction.REFUSE),
        (sent(86400), RecoveryAction.REFUSE),
        (sent(-0.001), RecoveryAction.REFUSE),
    ],
)
def test_what_is_done(entry: StartRecord | None, expected: RecoveryAction) -> None:
    """An answer counts while its run is found, a send for seconds, a clock set back for nothing."""
    assert recovery_action(entry, NOW, 4.0) is expected


def test_a_longer_time_can_be_given() -> None:
    """`vod:resendWithin` is the bound."""
    assert recovery_action(sent(3600), NOW, 3600) is RecoveryAction.SEND
    assert recovery_action(sent(1), NOW, 0) is RecoveryAction.REFUSE


def test_many_are_told_apart() -> None:
    """Each name is in the group of its own start."""
    intents = {
        name: start_intent({**DECLARED, "vid": name}, **SITE)
        for name in ("new", "old", "young", "run")
    }
    entries = {
        intents["old"].record_key: sent(60),
        intents["young"].record_key: sent(1),
        intents["run"].record_key: StartRecord(NOW, RUN),
    }
    resource = intents["new"].resource_key
    plan = plan_recovery(intents, entries, {resource: sent(99)}, NOW, 4.0)
    assert plan.reused == {"run": RUN}
    assert [*plan.resent] == ["young"]
    assert [*plan.undecided] == ["old"]
    assert plan.superseded == {"new": sent(99)}, "what was asked for before something changed"
    assert plan_recovery(intents, entries, {"other": sent(99)}, NOW, 4.0).superseded == {}


def test_a_start_is_known_by_all_that_makes_it_another_one() -> None:
    """Who asks, where it goes, its token, what is sent; not how it is spelled, or settings."""
    key = start_intent(DECLARED, **SITE).record_key
    same = {**DECLARED, "priority": 0, "rerunOnFailure": True, "input": {}}
    assert start_intent(dict(reversed(same.items())), **SITE).record_key == key
    others = [
        start_intent({**DECLARED, "clientToken": "pvw1-1"}, **SITE),
        start_intent({**DECLARED, "vid": "v2"}, **SITE),
        start_intent({**DECLARED, "priority": 1}, **SITE),
        start_intent(DECLARED, **{**SITE, "region": "ap-southeast-1"}),
        start_intent(DECLARED, **{**SITE, "endpoint": "emulator"}),
        start_intent({**DECLARED, "scope": {**DECLARED["scope"], "name": "twin"}}, **SITE),
    ]
    assert len({key, *(intent.record_key for intent in others)}) == 7


def test_the_key_is_frozen() -> None:
    """A release that knows a start by another key would not find what an older one has sent."""
    assert start_intent(DECLARED, **SITE).record_key == (
        "226e35a7663a4ff20513de92266860d32e7c9e0ddc6f051684f4aa4f5a89a66a"
    )
    assert resource_key_of(DECLARED) == '{"name":"n","project":"p","stack":"s"}'


# -- the same request under other names --------------------------------------------------------


def scope(name: str, stack: str = "s", **more: str) -> dict[str, str]:
    return {"project": "p", "stack": stack, "name": name, **more}


def intent_of(name: str, stack: str = "s", vid: str = "v1", **more: str) -> StartIntent:
    """Return the start of a resource; the token is of the resource, as the derived ones are."""
    token = f"pvw1-{stack}-{name}-{more}"
    declared = {**DECLARED, "vid": vid, "clientToken": token, "scope": scope(name, stack, **more)}
    return start_intent(declared, **SITE)


def record_of(intent: StartIntent, run_id: str = "", seconds_ago: float = 60) -> StartRecord:
    return StartRecord(
        NOW - timedelta(seconds=seconds_ago),
        {**RUN, "runId": run_id} if run_id else None,
        intent.record_key,
        intent.resource_key,
        intent.request_key,
    )


def planned(
    intents: dict[str, StartIntent], *lost: StartRecord, records: Any = (), **more: Any
) -> RecoveryPlan:
    unclaimed: dict[str, list[StartRecord]] = {}
    for each in lost:
        unclaimed.setdefault(each.request_key, []).append(each)
    exact = {each.record_key: each for each in records}
    return plan_recovery(intents, exact, {}, NOW, 4.0, unclaimed=unclaimed, **more)


def test_the_request_is_the_same_under_every_name() -> None:
    key = intent_of("n").request_key
    assert key == intent_of("m", "t", parent="my:c:C", item="a").request_key
    assert key != intent_of("n", vid="v2").request_key
    again = start_intent({**DECLARED, "triggers": {"again": 1}}, **SITE)
    assert key != again.request_key


def test_a_run_of_another_name_is_reused_and_a_start_without_answer_is_asked_about() -> None:
    old, new = intent_of("old"), intent_of("new")
    run = record_of(old, "lb:1")
    plan = planned({"": new}, run)
    assert (plan.reused, plan.taken_over) == ({"": run.run}, {"": run})
    # The other name has another token, so the service would not join even a young start.
    young = record_of(old, seconds_ago=1)
    plan = planned({"": new}, young)
    assert (plan.undecided, plan.taken_over, plan.resent) == ({"": young}, {"": young}, {})
    ancient = record_of(old, "lb:1", seconds_ago=31 * 86400)
    assert planned({"": new}, ancient).undecided == {"": ancient}
    assert planned({"": new}, record_of(intent_of("old", vid="v2"), "lb:1")) == RecoveryPlan()


def test_what_another_stack_may_claim_is_asked_about_and_serves_last() -> None:
    other, renamed = record_of(intent_of("n", "dev"), "lb:1"), record_of(intent_of("old"))
    new = {"": intent_of("new")}
    plan = planned(new, other, doubtful={other.record_key})
    assert (plan.reused, plan.undecided) == ({}, {"": other})
    plan = planned(new, other, renamed, doubtful={other.record_key})
    assert plan.taken_over == {"": renamed}


def test_each_record_serves_one_start_and_runs_come_first() -> None:
    intents = {name: intent_of(name) for name in ("new1", "new2", "new3", "new4")}
    first, second = (record_of(intent_of(f"old{n}"), f"lb:{n}", 99 - n) for n in (1, 2))
    asked = record_of(intent_of("old3"))
    plan = planned(intents, asked, second, first)
    assert [run["runId"] for run in plan.reused.values()] == ["lb:1", "lb:2"]
    assert plan.undecided == {"new3": asked}
    assert "new4" not in plan.taken_over, "one more than before: it is started"


def test_the_name_that_changed_least_is_taken_first() -> None:
    """A renamed stack: each resource gets back its own run."""
    intents = {name: intent_of(name, "renamed") for name in ("a", "b")}
    runs = [record_of(intent_of(name), f"lb:{name}", 60) for name in ("b", "a")]
    plan = planned(intents, *runs)
    assert {name: run["runId"] for name, run in plan.reused.items()} == {"a": "lb:a", "b": "lb:b"}


def test_an_exact_record_has_priority() -> None:
    one, two = intent_of("one"), intent_of("two")
    run = record_of(one, "lb:1")
    plan = planned({"two": two, "one": one}, run, records=[run])
    assert plan.reused == {"one": run.run}
    assert not plan.taken_over


def test_a_run_that_another_resource_was_promised_is_not_reused_twice() -> None:
    one, two = intent_of("one"), intent_of("two")
    run = record_of(one, "lb:1")
    to_two = {one.record_key: two.record_key}
    plan = planned({"": one}, records=[run], takeovers=to_two)
    assert (plan.reused, plan.given_away) == ({}, {"": run})
    plan = planned({"": one}, record_of(intent_of("old"), "lb:2"), records=[run], takeovers=to_two)
    assert plan.reused[""]["runId"] == "lb:2"
    assert not plan.given_away
    asked = record_of(one)
    assert planned({"": one}, records=[asked], takeovers=to_two).undecided == {"": asked}


def test_the_earlier_name_is_told() -> None:
    def label(**of: str) -> str:
        return resource_label(intent_of(**of).resource_key, intent_of("new").resource_key)

    assert label(name="old") == "old"
    assert label(name="old", stack="dev", item="a") == "old[a] (stack dev)"
    assert label(name="old", parent="my:c:C") == "old (in my:c:C)"
    here = intent_of("new", parent="my:c:C").resource_key
    assert resource_label(intent_of("old").resource_key, here) == "old (without parent)"


NAMES = [f"r{n}" for n in range(5)]


@given(
    sent=st.dictionaries(st.sampled_from(NAMES), st.booleans()),
    order=st.permutations([*NAMES, *(f"new{n}" for n in range(3))]),
    declared=st.sets(st.sampled_from([*NAMES, "new0", "new1", "new2"])),
    batches=st.lists(st.integers(1, 3), min_size=8, max_size=8),
)
def test_no_order_of_checks_pays_for_more_than_is_declared(
    sent: dict[str, bool], order: list[str], declared: set[str], batches: list[int]
) -> None:
    """One operation checks all that is declared, one resource or batch after the other."""
    records = {name: record_of(intent_of(name), f"lb:{name}" * sent[name]) for name in sent}
    takeovers: dict[str, str] = {}
    reused: dict[str, str] = {}
    asked: dict[str, str] = {}
    started: list[str] = []
    checked: set[str] = set()
    names = [name for name in order if name in declared]
    while names:
        size = batches.pop()
        call, names = names[:size], names[size:]
        checked |= {*call}
        intents = {name: intent_of(name) for name in call}
        lost = [each for name, each in records.items() if name not in checked]
        plan = planned(intents, *lost, records=records.values(), takeovers=takeovers)
        for name in call:
            if name in plan.reused:
                reused[name] = plan.reused[name]["runId"]
            elif name in plan.undecided:
                asked[name] = plan.undecided[name].record_key
            else:
                started.append(name)
            record = plan.taken_over.get(name, records.get(name))
            if name in (*plan.reused, *plan.taken_over) and record:
                takeovers[record.record_key] = intents[name].record_key
    runs = {each.run["runId"] for each in records.values() if each.run}
    assert len({*reused.values()}) == len(reused), "no run is of two resources"
    assert {*reused.values()} <= runs
    # Each record saves a start, as long as there is one to save.
    assert len(started) <= max(0, len(declared) - len(records))
    if all(sent.values()):
        assert len(started) == max(0, len(declared) - len(records)), "in every order"
    for name in {*sent} & declared:
        if not sent[name]:
            assert asked[name] == records[name].record_key, "its own question has priority"
