"""
All data of an emulator in SQLite, shared by processes: runs, ledger, faults, events, clock.

One transaction looks for an identical start and accepts a new one, so that two processes accept no
start twice.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pulumi_vod_workflow.emulator.faults import ActiveFault, Fault
from pulumi_vod_workflow.emulator.settings import Dedup

SCHEMA_VERSION: Final = 1
"""The version of the tables, recorded in the file."""
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT UNIQUE NOT NULL,
    identity TEXT NOT NULL, start TEXT NOT NULL, space TEXT NOT NULL, tasks TEXT NOT NULL,
    accepted REAL NOT NULL, started REAL NOT NULL, ended REAL NOT NULL, outcome TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS runs_by_identity ON runs (identity);
CREATE TABLE IF NOT EXISTS outcomes (
    number INTEGER PRIMARY KEY AUTOINCREMENT, left INTEGER NOT NULL, rule TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS faults (
    number INTEGER PRIMARY KEY AUTOINCREMENT, action TEXT NOT NULL, left INTEGER NOT NULL,
    fault TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS admitted (action TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
    number INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, subscription TEXT NOT NULL,
    due REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, again INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting', taken REAL NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS clock (
    one INTEGER PRIMARY KEY CHECK (one = 1), shown REAL, at REAL NOT NULL, speed REAL NOT NULL,
    step REAL NOT NULL);
CREATE TABLE IF NOT EXISTS behaviour (one INTEGER PRIMARY KEY CHECK (one = 1), parts TEXT NOT NULL);
INSERT OR IGNORE INTO clock VALUES (1, NULL, 0, 1, 0);
INSERT OR IGNORE INTO behaviour VALUES (1, '{}')
"""
RETENTION: Final = 30 * 86400.0
"""Time for which reads find a run, in seconds (facts 1: 30 days)."""
LATEST_TIME: Final = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
"""The latest time of the clock, so that every time of a run has four digits in its year."""
UNFINISHED_STATUSES: Final = frozenset({"PendingStart", "Running", "Paused"})


def format_time(moment: float) -> str:
    """Return a time in the service's format: UTC, whole seconds."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class EmulatedRun:
    """One accepted start."""

    number: int
    run_id: str
    start: Mapping[str, Any]
    space: str
    tasks: Mapping[str, int]
    """Numbers of transcodes and snapshots of its workflow."""
    accepted: float
    started: float
    ended: float
    outcome: str

    def status(self, now: float) -> str:
        """Return the service's status at a time."""
        if now < self.started:
            return "PendingStart"
        if self.outcome == "Paused":
            return "Paused"  # a status that no client knows
        return "Running" if now < self.ended else self.outcome

    def has_ended(self, now: float) -> bool:
        """Return whether the run is terminal."""
        return self.status(now) not in UNFINISHED_STATUSES


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """The decisions about a run at its acceptance."""

    run_id: str
    space: str
    tasks: Mapping[str, int]
    pending: float
    running: float
    outcome: str
    deliveries: tuple[tuple[str, bool], ...] = ()
    """Subscriptions to its end, as JSON, and whether each gets the event twice."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """A claimed event."""

    number: int
    run: EmulatedRun
    subscription: str
    attempts: int
    """Number of earlier attempts."""
    claimed_at: float
    """Time of the claim: the store ignores the result of an expired claim."""


OutcomeFactory = Callable[[int, str | None], RunOutcome]
"""Returns the outcome of the run with a number; the text is a forced rule, as JSON."""
Matches = Callable[[str], bool]
"""Returns whether a forced rule, as JSON, applies to the start."""

_RUN_COLUMNS: Final = "number, run_id, start, space, tasks, accepted, started, ended, outcome"


class Store:
    """The data of an emulator, in a file or in the memory of this process."""

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        name = ":memory:" if path is None else str(Path(path))
        self._lock = threading.Lock()
        self._db = sqlite3.connect(name, timeout=30, isolation_level=None, check_same_thread=False)
        weakref.finalize(self, self._db.close).atexit = False
        if path is not None:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
        with self._transaction() as db:
            [(version,)] = db.execute("PRAGMA user_version")
            if version != SCHEMA_VERSION and db.execute("SELECT 1 FROM sqlite_master").fetchone():
                raise sqlite3.DatabaseError("another version wrote it: remove the file")
            for statement in SCHEMA.split(";"):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _rows(self, query: str, *values: object) -> list[Any]:
        with self._lock:
            return self._db.execute(query, values).fetchall()

    def reset(self) -> None:
        """Delete all data, and reset the clock."""
        with self._transaction() as db:
            for table in ("runs", "outcomes", "faults", "admitted", "deliveries"):
                db.execute(f"DELETE FROM {table}")  # noqa: S608 - constant names
            db.execute("UPDATE clock SET shown = NULL, at = 0, speed = 1, step = 0")
            db.execute("UPDATE behaviour SET parts = '{}'")

    # -- the clock ----------------------------------------------------------------------------

    def now(self) -> float:
        """Return the emulator's time."""
        return _clock_time(self._rows("SELECT shown, at, speed FROM clock")[0], time.time())

    def pace(self) -> tuple[float, float]:
        """Return the clock's speed, and the seconds that each request adds."""
        [(speed, step)] = self._rows("SELECT speed, step FROM clock")
        return speed, step

    def tick(self) -> None:
        """Add the step of a request to the clock."""
        [(step,)] = self._rows("SELECT step FROM clock")
        if step:
            with contextlib.suppress(ValueError):  # the clock stops at LATEST_TIME
                self.set_clock(advance=step)

    def set_clock(
        self,
        *,
        advance: float = 0.0,
        to: float | None = None,
        speed: float | None = None,
        step: float | None = None,
    ) -> None:
        """
        Move the clock forward, and set its speed and step.

        Raises:
            ValueError: the new time is before the present time, or after `LATEST_TIME`.

        """
        with self._transaction() as db:
            real = time.time()
            [row] = db.execute("SELECT shown, at, speed, step FROM clock").fetchall()
            before = _clock_time(row[:3], real)
            shown = (before if to is None else to) + advance
            if not before <= shown <= LATEST_TIME:
                raise ValueError(
                    f"the clock moves forward only, and not beyond {format_time(LATEST_TIME)}"
                )
            db.execute(
                "UPDATE clock SET shown = ?, at = ?, speed = ?, step = ?",
                (
                    shown,
                    real,
                    row[2] if speed is None else speed,
                    row[3] if step is None else step,
                ),
            )

    # -- settings, forced outcomes and faults -------------------------------------------------

    def changed_settings(self) -> str:
        """Return the changed settings, as JSON."""
        return str(self._rows("SELECT parts FROM behaviour")[0][0])

    def change_settings(self, parts: Mapping[str, Any]) -> None:
        """Change settings for all processes."""
        with self._transaction() as db:
            [(text,)] = db.execute("SELECT parts FROM behaviour").fetchall()
            merged = json.dumps({**json.loads(text), **parts}, ensure_ascii=False)
            db.execute("UPDATE behaviour SET parts = ?", (merged,))

    def add_outcome(self, rule: str, times: int) -> None:
        """Force a rule, as JSON, for a number of starts, before all other rules."""
        with self._transaction() as db:
            db.execute("INSERT INTO outcomes (left, rule) VALUES (?, ?)", (times, rule))

    def add_fault(self, fault: Fault) -> None:
        """Add a fault; with 0 times, remove the faults of its action."""
        with self._transaction() as db:
            if fault.times == 0:
                db.execute("DELETE FROM faults WHERE action = ?", (fault.action,))
            else:
                values = (fault.action, fault.times, fault.model_dump_json())
                db.execute("INSERT INTO faults (action, left, fault) VALUES (?, ?, ?)", values)

    def pending_outcomes_and_faults(self) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
        """Return the forced outcomes and the faults that remain: how often, and their JSON."""
        outcomes = self._rows("SELECT left, rule FROM outcomes WHERE left > 0 ORDER BY number")
        faults = self._rows("SELECT left, fault FROM faults WHERE left > 0 ORDER BY number")
        return outcomes, faults

    def claim_fault(self, action: str, matches: Callable[[Fault], bool]) -> ActiveFault | None:
        """Return the fault of a request, the oldest that matches, and count it."""
        query = "SELECT number, fault FROM faults WHERE action = ? AND left > 0 ORDER BY number"
        for number, text in self._rows(query, action):
            fault = ActiveFault(number=number, **json.loads(text))
            if matches(fault):
                with self._transaction() as db:  # another process may have claimed the last one
                    claim = "UPDATE faults SET left = left - 1 WHERE number = ? AND left > 0"
                    if db.execute(claim, (number,)).rowcount:
                        return fault
        return None

    def return_fault(self, fault: ActiveFault) -> None:
        """Undo a claim, so that the fault applies to a later request."""
        with self._transaction() as db:
            db.execute("UPDATE faults SET left = left + 1 WHERE number = ?", (fault.number,))

    def admit_request(self, action: str, allowed: int) -> bool:
        """Return whether a request is within the rate limit, by the real clock."""
        now = time.time()
        with self._transaction() as db:
            db.execute("DELETE FROM admitted WHERE at <= ? OR at > ?", (now - 1, now + 1))
            [(recent,)] = db.execute("SELECT COUNT(*) FROM admitted WHERE action = ?", (action,))
            if recent < allowed:
                db.execute("INSERT INTO admitted VALUES (?, ?)", (action, now))
            return bool(recent < allowed)

    # -- runs ---------------------------------------------------------------------------------

    def accept(
        self,
        identity: str,
        start: Mapping[str, Any],
        *,
        dedup: Dedup,
        matches: Matches,
        outcome_factory: OutcomeFactory,
    ) -> str:
        """Return the RunId of an identical run (facts 4), or of a new one."""
        now = self.now()
        with self._transaction() as db:
            for row in db.execute(
                f"SELECT {_RUN_COLUMNS} FROM runs WHERE identity = ? AND accepted > ? "  # noqa: S608 - constant names
                "ORDER BY number DESC",
                (identity, now - RETENTION),
            ):
                run = _run_from_row(row)
                if not run.has_ended(now) or (dedup == "finished" and _can_be_joined(run, now)):
                    return run.run_id
            rule = None
            for number, text in db.execute(
                "SELECT number, rule FROM outcomes WHERE left > 0 ORDER BY number"
            ).fetchall():
                if matches(text):
                    rule = text
                    db.execute("UPDATE outcomes SET left = left - 1 WHERE number = ?", (number,))
                    break
            [(last,)] = db.execute("SELECT COALESCE(MAX(number), 0) FROM runs")
            outcome = outcome_factory(last + 1, rule)
            ended = now + outcome.pending + outcome.running
            db.execute(
                f"INSERT INTO runs ({_RUN_COLUMNS}, identity) "  # noqa: S608 - constant names
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    last + 1,
                    outcome.run_id,
                    json.dumps(start, ensure_ascii=False),
                    outcome.space,
                    json.dumps(outcome.tasks),
                    now,
                    now + outcome.pending,
                    ended,
                    outcome.outcome,
                    identity,
                ),
            )
            if outcome.outcome != "Paused":
                db.executemany(
                    "INSERT INTO deliveries (run_id, subscription, due, again) VALUES (?, ?, ?, ?)",
                    [(outcome.run_id, text, ended, again) for text, again in outcome.deliveries],
                )
            return outcome.run_id

    def find_recent_run(self, run_id: str) -> EmulatedRun | None:
        """Return a run that reads still find; None if there is none."""
        run = self.run(run_id)
        return run if run and run.accepted > self.now() - RETENTION else None

    def run(self, run_id: str) -> EmulatedRun | None:
        """Return a run of any age; None if there is none."""
        query = f"SELECT {_RUN_COLUMNS} FROM runs WHERE run_id = ?"  # noqa: S608 - constant names
        return next(map(_run_from_row, self._rows(query, run_id)), None)

    def runs(self, last: int) -> list[EmulatedRun]:
        """Return the last runs, at most `last`, the newest first."""
        rows = self._rows(
            f"SELECT {_RUN_COLUMNS} FROM runs ORDER BY number DESC LIMIT ?",  # noqa: S608 - constant names
            last,
        )
        return [_run_from_row(row) for row in rows]

    def ledger(self) -> list[dict[str, Any]]:
        """Return every start that the service would bill, oldest first."""
        rows = self._rows(f"SELECT {_RUN_COLUMNS} FROM runs ORDER BY number")  # noqa: S608 - constant names
        return [ledger_entry(_run_from_row(row)) for row in rows]

    def count_starts(self, until: EmulatedRun | None = None) -> int:
        """Return the number of starts in the ledger, up to the start of `until`."""
        query = "SELECT COUNT(*) FROM runs WHERE number <= ?"
        [(count,)] = self._rows(query, until.number if until else 2**63 - 1)
        return int(count)

    # -- events -------------------------------------------------------------------------------

    def claim_delivery(self, timeout: float) -> Delivery | None:
        """
        Return a due event, and claim it for `timeout` real seconds.

        After that another process can claim the event. So an event outlives a killed process, and
        a receiver may get it twice.
        """
        query = (
            "SELECT number, run_id, subscription, attempts FROM deliveries "
            "WHERE state = 'waiting' AND due <= ? AND taken <= ? ORDER BY due, number LIMIT 1"
        )
        now, real = self.now(), time.time()
        if not self._rows(query, now, real - timeout):
            return None
        with self._transaction() as db:
            row = db.execute(query, (now, real - timeout)).fetchone()
            if row is None:
                return None
            number, run_id, subscription, attempts = row
            db.execute("UPDATE deliveries SET taken = ? WHERE number = ?", (real, number))
            found = db.execute(
                f"SELECT {_RUN_COLUMNS} FROM runs WHERE run_id = ?",  # noqa: S608 - constant names
                (run_id,),
            ).fetchone()
        return Delivery(number, _run_from_row(found), subscription, attempts, real)

    def mark_delivered(self, delivery: Delivery) -> None:
        """Record that a receiver accepted an event; schedule it again if it is due twice."""
        with self._transaction() as db:
            db.execute(
                "UPDATE deliveries SET attempts = attempts + 1, taken = 0, again = 0, "
                "state = CASE WHEN again THEN 'waiting' ELSE 'delivered' END "
                "WHERE number = ? AND taken = ?",
                (delivery.number, delivery.claimed_at),
            )

    def mark_undelivered(self, delivery: Delivery, wait: float | None) -> None:
        """Record a failed delivery: schedule a retry after `wait`, or drop the event."""
        due = self.now() + (wait or 0)
        with self._transaction() as db:
            db.execute(
                "UPDATE deliveries SET attempts = attempts + 1, taken = 0, due = ?, state = ? "
                "WHERE number = ? AND taken = ?",
                (
                    due,
                    "dropped" if wait is None else "waiting",
                    delivery.number,
                    delivery.claimed_at,
                ),
            )

    def deliveries(self) -> list[dict[str, Any]]:
        """Return all events and their states, oldest first."""
        return [
            {
                "runId": run_id,
                "url": json.loads(subscription)["url"],
                "attempts": attempts,
                "state": state,
                "dueAt": format_time(due),
            }
            for run_id, subscription, attempts, state, due in self._rows(
                "SELECT run_id, subscription, attempts, state, due FROM deliveries ORDER BY number"
            )
        ]


def _clock_time(row: tuple[float | None, float, float], real: float) -> float:
    base, at, speed = row
    return real if base is None else base + (real - at) * speed


def ledger_entry(run: EmulatedRun) -> dict[str, Any]:
    """Return the ledger's entry of a run."""
    start = run.start
    source = {"vid": start["Vid"]} if "Vid" in start else {"directUrl": start["DirectUrl"]}
    return {
        "runId": run.run_id,
        "clientToken": start.get("ClientToken"),
        "templateId": start["TemplateId"],
        **source,
        "acceptedAt": format_time(run.accepted),
    }


def _run_from_row(row: Any) -> EmulatedRun:
    number, run_id, start, space, tasks, *times = row
    return EmulatedRun(number, run_id, json.loads(start), space, json.loads(tasks), *times)


def _can_be_joined(run: EmulatedRun, now: float) -> bool:
    """Return whether a terminal run deduplicates: not after a termination or a system failure."""
    status = run.status(now)
    return status != "Terminated" and not status.startswith("2")


def new_run_id(seed: int, number: int) -> str:
    """Return a run id: random, or with a seed derived from seed and number."""
    return f"emu:{seed:08x}{number:024x}" if seed else f"emu:{secrets.token_hex(16)}"
