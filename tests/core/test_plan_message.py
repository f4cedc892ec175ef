"""The plan message: exact counts, bounded keys, and nothing that is not a message."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulumi_vod_workflow.core.plan_message import (
    KIND,
    MAX_GROUPS,
    MAX_KEYS,
    ONE_RUN,
    Items,
    NewerVersionError,
    Operation,
    PlanMessage,
    StartGroup,
    declaration_fingerprint,
    parse_plan_message,
    positions_of,
    start_groups,
)
from pulumi_vod_workflow.core.start_reason import (
    NEW,
    REJECTED,
    REPLACED,
    SENT_BEFORE,
    SENT_BEFORE_TEXT,
    UNKNOWN_ADOPTION,
    UNKNOWN_ITEM,
    StartCause,
    StartReason,
    reason_text,
    restart_reason,
)
from pulumi_vod_workflow.core.values import UNKNOWN

URN = "urn:pulumi:s::p::t::n"
KEYS = st.lists(st.text(min_size=1, max_size=5), unique=True, max_size=8)
REASONS = st.builds(
    StartReason,
    st.lists(st.sampled_from(StartCause), unique=True, min_size=1).map(tuple),
    st.just(("vid",)) | st.just(()),
    st.just(("vid",)) | st.just(()),
)


def message(**plan: Any) -> PlanMessage:
    return PlanMessage(Operation.CREATE, declaration_fingerprint(URN, {}), **plan)


@given(KEYS, REASONS, st.integers(0, 8), st.sampled_from(Operation))
def test_a_message_is_read_as_it_was_written(
    keys: list[str], reason: StartReason, cut: int, operation: Operation
) -> None:
    """Whatever the keys are, the line is ASCII, and has nothing that the engine takes as colour."""
    starts, reuses = keys[:cut], keys[cut:]
    written = PlanMessage(
        operation,
        "f",
        total=len(keys),
        starts=start_groups([(reason, starts)] if starts else []),
        resends=Items.of(starts[:1]),
        reuses=Items.of(reuses),
        drops=Items.of(("<{%reset%}>",)),
    )
    line = written.to_json()
    assert line.isascii()
    assert line.isprintable()
    assert "<{%" not in line
    assert parse_plan_message(line) == written
    assert written.start_count == len(starts)


def test_counts_are_exact_and_keys_are_bounded() -> None:
    """A batch of 10,000 items in 10,000 groups is one line of limited length."""
    keys = [f"key-{number:05}" for number in range(10_000)]
    one = message(total=10_000, starts=start_groups([(NEW, keys)]))
    assert one.start_count == 10_000
    assert len(one.starts[0].items.keys) == MAX_KEYS
    assert not one.starts[0].items.are_all_named
    reasons = [StartReason((StartCause.RERUN,), (), (), str(number)) for number in range(10_000)]
    many = message(
        total=10_000,
        starts=start_groups((reason, [key]) for reason, key in zip(reasons, keys, strict=True)),
    )
    assert many.start_count == 10_000
    assert len(many.starts) == MAX_GROUPS + 1
    assert many.starts[-1].causes == (StartCause.RERUN,)
    for each in (one, many):
        assert parse_plan_message(each.to_json()) == each
        assert len(each.to_json()) < 5_000


@given(st.integers(0, 500), st.integers(1, 7))
def test_positions_name_every_item(size: int, every: int) -> None:
    """In any order of the keys, also where the message names 100 only."""
    keys = {f"k{number}" for number in range(size)}
    ordered = sorted(keys, reverse=True)
    reused = ordered[::every]
    new = [key for key in ordered if key not in reused]
    positions = positions_of(keys)
    written = message(
        total=len(keys),
        starts=start_groups([(NEW, new)] if new else [], positions),
        reuses=Items.of(reused, positions),
    )
    found = parse_plan_message(written.to_json())
    assert found == written
    whole = found.with_all_keys(keys)
    assert whole is not None
    assert {*whole.reuses.keys} == {*reused}
    assert [key for group in whole.starts for key in sorted(group.items.keys)] == sorted(new)
    if len(reused) > MAX_KEYS:
        assert found.with_all_keys(reused[1:]) is None


def test_the_positions_of_every_second_item_are_short() -> None:
    keys = [f"key-{number:05}" for number in range(10_000)]
    each_second = Items.of(keys[::2], positions_of(keys))
    assert len(each_second.positions) < 30_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "starts a paid run",
        "{",
        "[" * 100_000 + KIND,
        "{" * 100_000 + KIND,
        json.dumps({"kind": "vod.other", "x": KIND}),
        json.dumps({"kind": KIND}),
        json.dumps({"kind": KIND, "version": "1"}),
        json.dumps({"kind": KIND, "version": 0}),
        json.dumps({"kind": KIND, "version": 1, "operation": "create"}),
        json.dumps({"kind": KIND, "version": 1, "operation": "drop", "fingerprint": "f"}),
        f"see {message(reuses=ONE_RUN).to_json()}",
        f"{message(reuses=ONE_RUN).to_json()} and more",
        # counts that do not fit together
        message(reuses=ONE_RUN, adopts=ONE_RUN).to_json(),
        message(total=None, starts=start_groups([(NEW, ["a"])])).to_json(),
        message(total=2, starts=start_groups([(NEW, ["a"])]), reuses=Items.of(["a"])).to_json(),
        message(
            total=3, starts=(StartGroup((StartCause.NEW,), items=Items(1, ("a", "b"))),)
        ).to_json(),
        message(total=3, starts=(StartGroup((StartCause.NEW,), items=Items(-1)),)).to_json(),
        message(resends=ONE_RUN).to_json(),
    ],
)
def test_what_is_no_message_is_none(text: str) -> None:
    assert parse_plan_message(text) is None


def test_a_newer_message_is_refused_and_newer_fields_are_ignored() -> None:
    document = json.loads(message(starts=start_groups([(NEW, ["a"])])).to_json())
    with pytest.raises(NewerVersionError, match="version 2"):
        parse_plan_message(json.dumps({**document, "version": 2, "total": "?"}))
    document["starts"][0] |= {"causes": ["new", "a later cause"], "more": 1}
    found = parse_plan_message(json.dumps({**document, "more": {"any": 1}}))
    assert found is not None
    assert found.start_count == 1
    assert found.starts[0].causes == (StartCause.NEW, StartCause.OTHER)


def test_a_fingerprint_is_that_of_one_declaration() -> None:
    """It follows the resource and its tokens; of secret inputs it has nothing."""
    one = {"clientToken": "t"}
    many = {"clientTokens": {"a": "t", "b": UNKNOWN}}
    found = [
        declaration_fingerprint(URN, one),
        declaration_fingerprint(f"{URN}2", one),
        declaration_fingerprint(URN, {"clientToken": "u"}),
        declaration_fingerprint(URN, many),
        declaration_fingerprint(URN, {"clientTokens": {"a": "u"}}),
        declaration_fingerprint(URN, {}),
    ]
    assert len({*found}) == len(found)
    assert declaration_fingerprint(URN, {"clientTokens": {"a": "t"}}) == found[3]
    assert declaration_fingerprint(URN, {"clientToken": UNKNOWN}) == found[5]
    secret = {"secretInputs": True, "clientToken": "s3cr3t"}
    assert declaration_fingerprint(URN, secret) == found[5]


@pytest.mark.parametrize(
    ("reason", "text", "unknown", "sent_before"),
    [
        (NEW, "new", False, False),
        (REJECTED, "not started before", False, False),
        (REPLACED, "the engine replaces it", False, False),
        (UNKNOWN_ITEM, "not known yet", True, False),
        (UNKNOWN_ADOPTION, "existingRunId (not known yet)", True, False),
        (SENT_BEFORE, SENT_BEFORE_TEXT, False, True),
        (NEW.sent_before(), f"new; {SENT_BEFORE_TEXT}", False, True),
        (restart_reason(["vid", "triggers"], {}, {"vid": "w", "triggers": {}}), "vid, triggers",
         False, False),
        (restart_reason(["vid", "emulated"], {}, {"vid": UNKNOWN}),
         "vid (not known yet), its run is an emulated one", True, False),
        (restart_reason(["rerunOnFailure"], {"status": "2003"}, {"rerunOnFailure": True}),
         "rerunOnFailure after 2003", False, False),
    ],
)  # fmt: skip
def test_a_reason_is_data_and_one_text(
    reason: StartReason, text: str, unknown: bool, sent_before: bool
) -> None:
    assert reason_text(reason) == text
    assert (reason.is_unknown, reason.may_be_sent_before) == (unknown, sent_before)
    assert reason.sent_before().sent_before() == reason.sent_before()


def test_the_causes_of_a_restart_follow_its_properties() -> None:
    found = restart_reason(
        ["vid", "priority", "triggers", "rerunOnFailure", "emulated"], {"status": 2003}, {}
    )
    assert found.causes == (
        StartCause.CHANGED_INPUTS,
        StartCause.TRIGGER,
        StartCause.RERUN,
        StartCause.EMULATED_RUN,
    )
    assert found.status == "2003"
