"""The terms of every store of start records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pulumi_vod_workflow.core.recovery import StartRecord


@dataclass(frozen=True, slots=True)
class RecordVersion:
    """The record of one start at one time. A claim compares it with the current record."""

    sent_at: str | None = None
    """The time of the first send; `None` without a record."""
    run_id: str | None = None
    owner: str | None = None
    """The operation with the last claim."""
    released_at: str | None = None
    """The time at which a state had a run of this start."""


@dataclass(frozen=True, slots=True)
class JournalLookup:
    """The records of several starts at one time."""

    records: Mapping[str, StartRecord]
    """`record_key` -> the record of a start that no known state has."""
    superseded: Mapping[str, StartRecord]
    """`resource_key` -> the latest other start of the resource."""
    versions: Mapping[str, RecordVersion] = field(default_factory=dict)
    """`record_key` -> the version of each requested start; empty for a read-only lookup."""


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """The outcome of one claim."""

    won: bool
    """Whether the operation may send the start."""
    record: StartRecord
    """The current record: the operation's own one after a won claim."""


class ClaimLostError(Exception):
    """An error of a lost claim: another operation has sent the start. This one sent nothing."""

    def __init__(self, record: StartRecord) -> None:
        self.record = record
        super().__init__("another operation has sent this start")
