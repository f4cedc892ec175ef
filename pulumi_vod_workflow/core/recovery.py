"""
What an operation that was cut short has left in the journal, and so whether a start is sent.

The service joins a repeated start for as long as the run is unfinished; whether it does afterwards
is not known (facts 4). So a start whose answer arrived is never sent again, and one whose answer
never did only while its run can hardly have ended.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Final

from pulumi_vod_workflow.core.canonical import canonical_json
from pulumi_vod_workflow.core.execution import RETENTION
from pulumi_vod_workflow.core.request import start_of
from pulumi_vod_workflow.core.values import is_known

Run = Mapping[str, Any]
"""`runId`, `requestId` and `submittedAt` of a start that was accepted."""


@dataclass(frozen=True, slots=True)
class Order:
    """A start that is asked for."""

    start: Mapping[str, Any]
    """As `start.start_of` returns it."""
    client_token: str
    """What makes a repeat the same start."""
    resource: str
    """Who declares it."""
    key: str
    """What the journal knows it by: a hash, so that no input is in the journal."""


def can_be_ordered(declared: Mapping[str, Any]) -> bool:
    """Tell whether checked inputs ask for a start that is all known, whatever else is not."""
    token, scope = declared.get("clientToken"), declared.get("scope")
    return token is not None and is_known([token, scope, start_of(declared)])


def order_of(declared: Mapping[str, Any], *, endpoint: str, region: str) -> Order:
    """Return the start that checked inputs ask for at a site, if they `can_be_ordered`."""
    start, token, resource = start_of(declared), declared["clientToken"], resource_of(declared)
    where = {"resource": resource, "endpoint": endpoint, "region": region}
    what = canonical_json({**where, "clientToken": token, "start": start})
    return Order(start, token, resource, hashlib.sha256(what).hexdigest())


def resource_of(declared: Mapping[str, Any]) -> str:
    """Return who declares a run, as the journal names it."""
    return canonical_json(declared.get("scope") or {}).decode()


@dataclass(frozen=True, slots=True)
class Entry:
    """What the journal holds of a start that no state is known to hold."""

    sent_at: datetime
    """When it was first sent, by this machine's clock."""
    run: Run | None = None
    """If an answer came."""
    key: str = field(default="", compare=False)
    """`Order.key` of what was sent."""


TAKES_OVER: Final = "takes {} over, which is free"
"""What is said of a run that is taken over."""
SENT_AGAIN: Final = "was sent before and never answered: it is sent again as the same start"
"""What is said of a start that is sent once more."""


class Recall(Enum):
    """What to do about a start that is asked for."""

    SEND = "nothing speaks against sending it"
    TAKE = "it was accepted: its run is taken over, which is free"
    ASK = "its run may have ended, or is too old to be read: a person decides"


def recall(entry: Entry | None, now: datetime, resend_within: float) -> Recall:
    """
    Decide whether a start is sent.

    Args:
        entry: what the journal holds of it.
        now: by the clock of `entry.sent_at`.
        resend_within: seconds for which a start without an answer may be sent again.

    """
    if entry is None:
        return Recall.SEND
    age = now - entry.sent_at
    if entry.run is not None:
        return Recall.TAKE if age < RETENTION else Recall.ASK
    # A clock that was set back tells nothing.
    return Recall.SEND if 0 <= age.total_seconds() <= resend_within else Recall.ASK


@dataclass(frozen=True, slots=True)
class Recalled:
    """What there is to do about many starts."""

    taken: Mapping[str, Run] = field(default_factory=dict)
    """Name -> the run that is taken over."""
    resent: Mapping[str, Entry] = field(default_factory=dict)
    """Name -> what is sent once more."""
    asked: Mapping[str, Entry] = field(default_factory=dict)
    """Name -> what a person decides."""
    earlier: Mapping[str, Entry] = field(default_factory=dict)
    """Name -> another start of who is about to start one, which no state is known to hold."""


def recall_all(
    orders: Mapping[str, Order],
    entries: Mapping[str, Entry],
    earlier: Mapping[str, Entry],
    now: datetime,
    resend_within: float,
) -> Recalled:
    """
    Decide about starts.

    Args:
        orders: name -> a start that is asked for.
        entries: `Order.key` -> what the journal holds of it.
        earlier: `Order.resource` -> what the journal holds of another start of it.
        now: by the clock of the entries.
        resend_within: as in `recall`.

    """
    known = {name: entries[order.key] for name, order in orders.items() if order.key in entries}
    found = {name: recall(entry, now, resend_within) for name, entry in known.items()}
    return Recalled(
        taken={
            name: entry.run
            for name, entry in known.items()
            if entry.run is not None and found[name] is Recall.TAKE
        },
        resent={name: known[name] for name, what in found.items() if what is Recall.SEND},
        asked={name: known[name] for name, what in found.items() if what is Recall.ASK},
        earlier={
            name: earlier[order.resource]
            for name, order in orders.items()
            if name not in known and order.resource in earlier
        },
    )
