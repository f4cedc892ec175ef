"""What is done about a start that an earlier operation has sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pulumi_vod_workflow.core.recovery import (
    Entry,
    Recall,
    order_of,
    recall,
    recall_all,
    resource_of,
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


def sent(seconds_ago: float) -> Entry:
    return Entry(NOW - timedelta(seconds=seconds_ago))


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (None, Recall.SEND),
        (Entry(NOW - timedelta(days=29.9), RUN), Recall.TAKE),
        (Entry(NOW - timedelta(days=30), RUN), Recall.ASK),
        (Entry(NOW + timedelta(days=1), RUN), Recall.TAKE),
        (sent(0), Recall.SEND),
        (sent(4), Recall.SEND),
        (sent(4.001), Recall.ASK),
        (sent(86400), Recall.ASK),
        (sent(-0.001), Recall.ASK),
    ],
)
def test_what_is_done(entry: Entry | None, expected: Recall) -> None:
    """An answer counts while its run is found, a send for seconds, a clock set back for nothing."""
    assert recall(entry, NOW, 4.0) is expected


def test_a_longer_time_can_be_given() -> None:
    """`vod:resendWithin` is the bound."""
    assert recall(sent(3600), NOW, 3600) is Recall.SEND
    assert recall(sent(1), NOW, 0) is Recall.ASK


def test_many_are_told_apart() -> None:
    """Each name is in the group of its own start."""
    orders = {
        name: order_of({**DECLARED, "vid": name}, **SITE) for name in ("new", "old", "young", "run")
    }
    entries = {
        orders["old"].key: sent(60),
        orders["young"].key: sent(1),
        orders["run"].key: Entry(NOW, RUN),
    }
    resource = orders["new"].resource
    recalled = recall_all(orders, entries, {resource: sent(99)}, NOW, 4.0)
    assert recalled.taken == {"run": RUN}
    assert [*recalled.resent] == ["young"]
    assert [*recalled.asked] == ["old"]
    assert recalled.earlier == {"new": sent(99)}, "what was asked for before something changed"
    assert recall_all(orders, entries, {"other": sent(99)}, NOW, 4.0).earlier == {}


def test_a_start_is_known_by_all_that_makes_it_another_one() -> None:
    """Who asks, where it goes, its token, what is sent; not how it is spelled, or settings."""
    key = order_of(DECLARED, **SITE).key
    same = {**DECLARED, "priority": 0, "rerunOnFailure": True, "input": {}}
    assert order_of(dict(reversed(same.items())), **SITE).key == key
    others = [
        order_of({**DECLARED, "clientToken": "pvw1-1"}, **SITE),
        order_of({**DECLARED, "vid": "v2"}, **SITE),
        order_of({**DECLARED, "priority": 1}, **SITE),
        order_of(DECLARED, **{**SITE, "region": "ap-southeast-1"}),
        order_of(DECLARED, **{**SITE, "endpoint": "emulator"}),
        order_of({**DECLARED, "scope": {**DECLARED["scope"], "name": "twin"}}, **SITE),
    ]
    assert len({key, *(order.key for order in others)}) == 7


def test_the_key_is_frozen() -> None:
    """A release that knows a start by another key would not find what an older one has sent."""
    assert order_of(DECLARED, **SITE).key == (
        "226e35a7663a4ff20513de92266860d32e7c9e0ddc6f051684f4aa4f5a89a66a"
    )
    assert resource_of(DECLARED) == '{"name":"n","project":"p","stack":"s"}'
