"""The terms of every store of start records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pulumi_vod_workflow.core.recovery import StartRecord


@dataclass(frozen=True, slots=True)
class RecordVersion:
    """The record of one start at one moment, which a claim compares with the record of its own."""

    sent_at: str | None = None
    """`None` where no start is recorded."""
    run_id: str | None = None
    owner: str | None = None
    """The operation that last claimed the start."""
    released_at: str | None = None
    """When a state was last seen to hold a run of this start."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """Starts, as one look at the journal finds them."""

    records: Mapping[str, StartRecord]
    """By `Order.key`: starts that no state is known to hold."""
    superseded: Mapping[str, StartRecord]
    """By `Order.resource`: the latest other start of the resource."""
    versions: Mapping[str, RecordVersion] = field(default_factory=dict)
    """By `Order.key`, of all starts that were asked for; empty unless the file may be written."""


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """The outcome of one claim."""

    won: bool
    """Whether the operation may send the start."""
    record: StartRecord
    """The start as it is recorded now: the operation's own if the claim is won."""


class ClaimLostError(Exception):
    """Another operation has sent the start since this one has looked; nothing was sent."""

    def __init__(self, entry: StartRecord) -> None:
        self.record = entry
        super().__init__("another operation has sent this start")
