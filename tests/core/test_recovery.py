"""What is done about a start that an earlier operation has sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pulumi_vod_workflow.core.recovery import (
    RecoveryAction,
    StartRecord,
    plan_recovery,
    recovery_action,
    resource_key_of,
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
