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
from pulumi_vod_workflow.core.request import request_fields
from pulumi_vod_workflow.core.values import is_known

Run = Mapping[str, Any]
"""`runId`, `requestId` and `submittedAt` of a start that was accepted."""


@dataclass(frozen=True, slots=True)
class StartIntent:
    """A start that is asked for."""

    start: Mapping[str, Any]
    """As `start.start_of` returns it."""
    client_token: str
    """What makes a repeat the same start."""
    resource_key: str
    """Who declares it."""
    record_key: str
    """What the journal knows it by: a hash, so that no input is in the journal."""


def is_fully_known(declared: Mapping[str, Any]) -> bool:
    """Tell whether checked inputs ask for a start that is all known, whatever else is not."""
    token, scope = declared.get("clientToken"), declared.get("scope")
    return token is not None and is_known([token, scope, request_fields(declared)])


def start_intent(declared: Mapping[str, Any], *, endpoint: str, region: str) -> StartIntent:
    """Return the start that checked inputs ask for at a site, if they `can_be_ordered`."""
    start, token, resource = (
        request_fields(declared),
        declared["clientToken"],
        resource_key_of(declared),
    )
    where = {"resource": resource, "endpoint": endpoint, "region": region}
    what = canonical_json({**where, "clientToken": token, "start": start})
    return StartIntent(start, token, resource, hashlib.sha256(what).hexdigest())


def resource_key_of(declared: Mapping[str, Any]) -> str:
    """Return who declares a run, as the journal names it."""
    return canonical_json(declared.get("scope") or {}).decode()


@dataclass(frozen=True, slots=True)
class StartRecord:
    """What the journal holds of a start that no state is known to hold."""

    sent_at: datetime
    """When it was first sent, by this machine's clock."""
    run: Run | None = None
    """If an answer came."""
    record_key: str = field(default="", compare=False)
    """`Order.key` of what was sent."""


REUSES_RUN: Final = "reuses {} (free)"
"""The line for people about a run that is reused."""


class RecoveryAction(Enum):
    """What to do about a start that is asked for."""

    SEND = "nothing speaks against sending it"
    REUSE = "it was accepted: its run is taken over, which is free"
    REFUSE = "its run may have ended, or is too old to be read: a person decides"


def recovery_action(
    entry: StartRecord | None, now: datetime, resend_within: float
) -> RecoveryAction:
    """
    Decide whether a start is sent.

    Args:
        entry: what the journal holds of it.
        now: by the clock of `entry.sent_at`.
        resend_within: seconds for which a start without an answer may be sent again.

    """
    if entry is None:
        return RecoveryAction.SEND
    age = now - entry.sent_at
    if entry.run is not None:
        return RecoveryAction.REUSE if age < RETENTION else RecoveryAction.REFUSE
    # A clock that was set back tells nothing.
    return (
        RecoveryAction.SEND if 0 <= age.total_seconds() <= resend_within else RecoveryAction.REFUSE
    )


@dataclass(frozen=True, slots=True)
class RecoveryPlan:
    """What there is to do about many starts."""

    reused: Mapping[str, Run] = field(default_factory=dict)
    """Name -> the run that is taken over."""
    resent: Mapping[str, StartRecord] = field(default_factory=dict)
    """Name -> what is sent once more."""
    undecided: Mapping[str, StartRecord] = field(default_factory=dict)
    """Name -> what a person decides."""
    superseded: Mapping[str, StartRecord] = field(default_factory=dict)
    """Name -> another start of who is about to start one, which no state is known to hold."""


def plan_recovery(
    intents: Mapping[str, StartIntent],
    records: Mapping[str, StartRecord],
    earlier: Mapping[str, StartRecord],
    now: datetime,
    resend_within: float,
) -> RecoveryPlan:
    """
    Decide about starts.

    Args:
        intents: name -> a start that is asked for.
        records: `Order.key` -> what the journal holds of it.
        earlier: `Order.resource` -> what the journal holds of another start of it.
        now: by the clock of the entries.
        resend_within: as in `recall`.

    """
    known = {
        name: records[order.record_key]
        for name, order in intents.items()
        if order.record_key in records
    }
    found = {name: recovery_action(entry, now, resend_within) for name, entry in known.items()}
    return RecoveryPlan(
        reused={
            name: entry.run
            for name, entry in known.items()
            if entry.run is not None and found[name] is RecoveryAction.REUSE
        },
        resent={name: known[name] for name, what in found.items() if what is RecoveryAction.SEND},
        undecided={
            name: known[name] for name, what in found.items() if what is RecoveryAction.REFUSE
        },
        superseded={
            name: earlier[order.resource_key]
            for name, order in intents.items()
            if name not in known and order.resource_key in earlier
        },
    )
