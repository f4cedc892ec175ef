"""
Start records of an interrupted operation -> the starts to send, to reuse, and to refuse.

The service joins a repeated start while the run is unfinished; afterwards, its rule is not known
(vod-api-facts 4). So the provider never sends a start again after an answer. Without an answer, it
sends the start again only while the run is most likely unfinished.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import partial
from typing import Any, Final

from pulumi_vod_workflow.core.canonical import canonical_json
from pulumi_vod_workflow.core.client_token import client_token
from pulumi_vod_workflow.core.execution import RETENTION
from pulumi_vod_workflow.core.request import request_fields
from pulumi_vod_workflow.core.values import is_known

Run = Mapping[str, Any]
"""`runId`, `requestId` and `submittedAt` of a start that was accepted."""


@dataclass(frozen=True, slots=True)
class StartIntent:
    """A start of a declaration."""

    start: Mapping[str, Any]
    """The fields of the request, as `request_fields` returns them."""
    client_token: str
    """The token by which the service joins a repeated start."""
    resource_key: str
    """The key of the declaring resource."""
    record_key: str
    """The key of its start record: a hash, so that no input is in the journal."""
    request_key: str = ""
    """
    A hash of the request and the triggers, without resource and token.

    It finds a start again whose stack or resource has another name now. Empty while a trigger is
    unknown, or a secret hides the start.
    """


def is_fully_known(declared: Mapping[str, Any]) -> bool:
    """Return whether all values of the start are known; other inputs may be unknown."""
    token, scope = declared.get("clientToken"), declared.get("scope")
    return token is not None and is_known([token, scope, request_fields(declared)])


def start_intent(declared: Mapping[str, Any], *, endpoint: str, region: str) -> StartIntent:
    """Return the start of checked inputs at an endpoint, if `is_fully_known`."""
    start, token, resource = (
        request_fields(declared),
        declared["clientToken"],
        resource_key_of(declared),
    )
    triggers = declared.get("triggers") or {}
    request = {"endpoint": endpoint, "region": region, "start": start}
    return StartIntent(
        start,
        token,
        resource,
        _hash({**request, "resource": resource, "clientToken": token}),
        _hash({**request, "triggers": triggers}) if is_known(triggers) else "",
    )


def _hash(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(value)).hexdigest()


def resource_key_of(declared: Mapping[str, Any]) -> str:
    """Return the journal's key of the declaring resource."""
    return canonical_json(declared.get("scope") or {}).decode()


class OwnerState(Enum):
    """Whether the process of the operation that sent a start last is still alive."""

    ENDED = "it has ended; also of records that name no process"
    PENDING = "none: the record is an unfinished operation of the state, which may have sent it"
    LIVING = "it is alive"
    THIS_PROCESS = "it is the process that reads the record"
    UNKNOWN = "the journal cannot know, for example because the process is on another machine"


def resource_label(resource_key: str, beside: str) -> str:
    """
    Return the name of a resource for people.

    Args:
        resource_key: the key of the resource.
        beside: the key of the resource that now has its start. The label has what differs.

    """
    scope, other = json.loads(resource_key), json.loads(beside)
    name = str(scope.get("name", ""))
    label = f"{name}[{scope['item']}]" if "item" in scope else name
    details = []
    if scope.get("stack") != other.get("stack"):
        details.append(f"stack {scope.get('stack')}")
    if scope.get("parent") != other.get("parent"):
        details.append(f"in {scope['parent']}" if scope.get("parent") else "without parent")
    return f"{label} ({', '.join(details)})" if details else label


@dataclass(frozen=True, slots=True)
class StartRecord:
    """The journal's record of a start whose run is in no known state."""

    sent_at: datetime
    """The time of the first send, by the journal's clock."""
    run: Run | None = None
    """The accepted run; `None` without an answer."""
    record_key: str = field(default="", compare=False)
    """`StartIntent.record_key` of the sent start."""
    resource_key: str = field(default="", compare=False)
    """`StartIntent.resource_key` of the sent start."""
    request_key: str = field(default="", compare=False)
    """`StartIntent.request_key` of the sent start; empty in records of older releases."""
    owner_state: OwnerState = field(default=OwnerState.ENDED, compare=False)
    """Whether another process may still send this start, and wait for its answer."""


# The longest time from the first send to the last answer, and a reserve. The parts: 30 s for the
# claim of a retry in a slow bucket, and 4 s in which a retry may begin. Then 0.5 s for an early
# permit, 5 s for the connection, 60 s for the answer, and 3 s of difference between two clocks.
# tests/transport/test_bulk.py has the sum.
ANSWER_TIMEOUT: Final = 110.0
"""The age after which no client sends a start any more, or waits for its answer, in seconds."""

REUSES_RUN: Final = "reuses {} (free)"
"""The line for people about a run that is reused."""


class RecoveryAction(Enum):
    """The action for a start."""

    SEND = "send the start: no record forbids it"
    WAIT = "wait for another update, which may be sending the start now"
    REUSE = "reuse the accepted run (free)"
    REFUSE = "refuse: its run may have ended, or is too old to read, so the user decides"


def recovery_action(
    entry: StartRecord | None, now: datetime, resend_within: float
) -> RecoveryAction:
    """
    Return the action for a start.

    Args:
        entry: its record; `None` without one.
        now: the current time, by the clock of `entry.sent_at`.
        resend_within: seconds for which a start without an answer may be sent again.

    """
    if entry is None:
        return RecoveryAction.SEND
    age = now - entry.sent_at
    if entry.run is not None:
        return RecoveryAction.REUSE if age < RETENTION else RecoveryAction.REFUSE
    seconds, owner = age.total_seconds(), entry.owner_state
    # Only the owner's own client repeats its start. A second sender could pay again.
    if owner in {OwnerState.LIVING, OwnerState.UNKNOWN} and seconds < ANSWER_TIMEOUT:
        return RecoveryAction.WAIT
    if owner is OwnerState.LIVING:
        return RecoveryAction.REFUSE
    # A clock that was set back gives no age.
    return RecoveryAction.SEND if 0 <= seconds <= resend_within else RecoveryAction.REFUSE


@dataclass(frozen=True, slots=True)
class RecoveryPlan:
    """The actions for many starts."""

    reused: Mapping[str, Run] = field(default_factory=dict)
    """Name -> the run to reuse."""
    resent: Mapping[str, StartRecord] = field(default_factory=dict)
    """Name -> the record of a start to send again."""
    in_flight: Mapping[str, StartRecord] = field(default_factory=dict)
    """Name -> the record of a start that another update may be sending now."""
    undecided: Mapping[str, StartRecord] = field(default_factory=dict)
    """Name -> the record of a start about which the user decides."""
    superseded: Mapping[str, StartRecord] = field(default_factory=dict)
    """Name -> the record of an earlier, other start of the same resource."""
    taken_over: Mapping[str, StartRecord] = field(default_factory=dict)
    """Name -> the record of another resource in `reused` or `undecided`."""
    given_away: Mapping[str, StartRecord] = field(default_factory=dict)
    """Name -> the record of the same start, whose run another resource reuses."""


def plan_recovery(
    intents: Mapping[str, StartIntent],
    records: Mapping[str, StartRecord],
    earlier: Mapping[str, StartRecord],
    now: datetime,
    resend_within: float,
    *,
    unclaimed: Mapping[str, Collection[StartRecord]] | None = None,
    takeovers: Mapping[str, str] | None = None,
    doubtful: Collection[str] = (),
) -> RecoveryPlan:
    """
    Return the actions for many starts.

    A start without a record gets a record of the same request under another resource, because the
    stack or the resource may have another name now. Each record serves one start.

    Args:
        intents: name -> a start.
        records: `StartIntent.record_key` -> the record of the start.
        earlier: `StartIntent.resource_key` -> the record of another start of the resource.
        now: the current time, by the clock of the records.
        resend_within: as in `recovery_action`.
        unclaimed: `StartIntent.request_key` -> records of other resources that nothing declares.
        takeovers: record key -> key of the start to which this operation has given the record.
        doubtful: keys of unclaimed records that a state may claim. The plan reuses no run of them:
            the user decides.

    """
    unclaimed, takeovers = unclaimed or {}, dict(takeovers or {})
    known: dict[str, StartRecord] = {}
    found: dict[str, RecoveryAction] = {}
    given_away: dict[str, StartRecord] = {}
    # Exact records have priority, so these are first.
    for name, intent in intents.items():
        record = records.get(intent.record_key)
        if record is None:
            continue
        action = recovery_action(record, now, resend_within)
        to = takeovers.setdefault(record.record_key or intent.record_key, intent.record_key)
        if to != intent.record_key and action is RecoveryAction.REUSE:
            given_away[name] = record
        else:
            known[name], found[name] = record, action
    declared = {intent.resource_key for intent in intents.values()}
    undeclared = {
        request: [record for record in others if record.resource_key not in declared]
        for request, others in unclaimed.items()
    }
    unknown = {name: intent for name, intent in intents.items() if name not in known}
    taken_over = _records_to_take_over(unknown, undeclared, takeovers, doubtful)
    for name, record in taken_over.items():
        known[name] = record
        given_away.pop(name, None)
        # Another resource has another token, so the service would not join the start, and the
        # answer to the other start would not be the answer to this one.
        action = recovery_action(record, now, resend_within=0)
        is_reused = action is RecoveryAction.REUSE and record.record_key not in doubtful
        found[name] = action if is_reused else RecoveryAction.REFUSE

    def with_action(wanted: RecoveryAction) -> dict[str, StartRecord]:
        return {name: known[name] for name, action in found.items() if action is wanted}

    reused = with_action(RecoveryAction.REUSE)
    return RecoveryPlan(
        reused={name: record.run for name, record in reused.items() if record.run is not None},
        resent=with_action(RecoveryAction.SEND),
        in_flight=with_action(RecoveryAction.WAIT),
        undecided=with_action(RecoveryAction.REFUSE),
        superseded={
            name: earlier[intent.resource_key]
            for name, intent in intents.items()
            if name not in known and intent.resource_key in earlier
        },
        taken_over=taken_over,
        given_away=given_away,
    )


def _records_to_take_over(
    intents: Mapping[str, StartIntent],
    unclaimed: Mapping[str, Collection[StartRecord]],
    takeovers: Mapping[str, str],
    doubtful: Collection[str],
) -> dict[str, StartRecord]:
    """Return the records of other resources that starts without a record get: each serves one."""
    given = dict(takeovers)
    found: dict[str, StartRecord] = {}
    for name, intent in intents.items():
        # Without a key of the request, nothing shows that another start is the same.
        others = unclaimed.get(intent.request_key, ()) if intent.request_key else ()
        free = [
            record
            for record in others
            if given.get(record.record_key, intent.record_key) == intent.record_key
        ]
        if free:
            found[name] = min(free, key=partial(_takeover_order, intent, given, doubtful))
            given[found[name].record_key] = intent.record_key
    return found


def _takeover_order(
    intent: StartIntent,
    takeovers: Collection[str],
    doubtful: Collection[str],
    record: StartRecord,
) -> tuple[Any, ...]:
    """Return the order in which a start takes records of other resources; the smallest first."""
    own, other = json.loads(intent.resource_key), json.loads(record.resource_key)
    renamed_parts = sum(own.get(part) != other.get(part) for part in {*own, *other})
    return (
        record.record_key not in takeovers,  # the decision of the check binds the create
        record.record_key in doubtful,
        record.run is None,
        renamed_parts,
        record.sent_at,
        record.record_key,
    )


def is_start_of_token(
    record: StartRecord, declared: Mapping[str, Any], token: str, *, endpoint: str, region: str
) -> bool | None:
    """
    Return whether a start was sent with a ClientToken; `None` if that cannot be known.

    A record has only hashes, so the function compares it with starts of declared inputs.

    Args:
        record: the start's record.
        declared: inputs that may be those of the start.
        token: the ClientToken of a run; empty for a run without one.
        endpoint: the endpoint of the start.
        region: its region.

    """
    declared = {**declared, "scope": json.loads(record.resource_key)}
    declared.pop("existingRunId", None)

    def has_record(sent: str | None) -> bool:
        start = {**declared, "clientToken": sent}
        intent = start_intent(start, endpoint=endpoint, region=region)
        return intent.record_key == record.record_key

    if has_record(token):
        return True
    return False if has_record(client_token(declared)) else None
