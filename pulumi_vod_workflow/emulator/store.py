"""
Runs, ledger, outcomes, faults, the pace and the clock's offset in SQLite, shared by processes.

Looking for an identical start and accepting a new one are one transaction: nothing is accepted
twice, even by two processes.
"""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pulumi_vod_workflow.emulator.faults import Fault, Happening
from pulumi_vod_workflow.emulator.outputs import fate, source_name, space_name

SCHEMA = """
CREATE TABLE IF NOT EXISTS runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT UNIQUE NOT NULL,
    identity TEXT NOT NULL, start TEXT NOT NULL, accepted REAL NOT NULL,
    started REAL NOT NULL, ended REAL NOT NULL, outcome TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS runs_by_identity ON runs (identity);
CREATE TABLE IF NOT EXISTS outcomes (
    number INTEGER PRIMARY KEY AUTOINCREMENT, status TEXT NOT NULL, left INTEGER NOT NULL,
    match TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS faults (
    number INTEGER PRIMARY KEY AUTOINCREMENT, action TEXT NOT NULL, left INTEGER NOT NULL,
    fault TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS admitted (action TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS clock (one INTEGER PRIMARY KEY CHECK (one = 1), ahead REAL NOT NULL);
INSERT OR IGNORE INTO clock VALUES (1, 0);
"""
RETENTION = 30 * 86400.0
"""Seconds for which a run is found (facts 1)."""
FARTHEST = 100 * 365 * 86400.0
"""How far, in seconds, the clock can be moved in all: every time stays one that can be spelled."""

Dedup = Literal["unfinished", "finished"]


def iso(moment: float) -> str:
    """Spell a time as the service does: UTC, whole seconds."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Run:
    """One accepted start."""

    run_id: str
    start: Mapping[str, Any]
    accepted: float
    started: float
    ended: float
    outcome: str

    def status(self, now: float) -> str:
        """Return the service's status at a moment."""
        if now < self.started:
            return "PendingStart"
        if self.outcome == "Paused":
            return "Paused"  # a word that no client knows
        return "Running" if now < self.ended else self.outcome

    def has_ended(self, now: float) -> bool:
        """Tell whether the status is a last one."""
        return self.status(now) not in {"PendingStart", "Running", "Paused"}


class Store:
    """The emulator's memory: a file, or this process's own."""

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        name = ":memory:" if path is None else str(Path(path))
        self._lock = threading.Lock()
        self._db = sqlite3.connect(name, timeout=30, isolation_level=None, check_same_thread=False)
        if path is not None:
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
        with self._lock:
            self._db.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file."""
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

    def now(self) -> float:
        """Return the emulator's time."""
        return time.time() + float(self._rows("SELECT ahead FROM clock")[0][0])

    def advance(self, seconds: float) -> None:
        """
        Move the emulator's time forward.

        Raises:
            ValueError: when it would go back, or too far.

        """
        with self._transaction() as db:
            [(ahead,)] = db.execute("SELECT ahead FROM clock").fetchall()
            if not (seconds >= 0 and ahead + seconds <= FARTHEST):
                raise ValueError(f"the clock goes forward only, and by {FARTHEST:.0f} s in all")
            db.execute("UPDATE clock SET ahead = ?", (ahead + seconds,))

    def reset(self) -> None:
        """Forget everything."""
        with self._transaction() as db:
            for table in ("runs", "outcomes", "faults", "admitted"):
                db.execute(f"DELETE FROM {table}")  # noqa: S608 - of our own names
            db.execute("UPDATE clock SET ahead = 0")

    def outcome(self, status: str, times: int, match: str) -> None:
        """Decide how the next `times` starts whose source contains `match` will end."""
        with self._transaction() as db:
            values = (status, times, match)
            db.execute("INSERT INTO outcomes (status, left, match) VALUES (?, ?, ?)", values)

    def add_fault(self, fault: Fault) -> None:
        """Let this happen; 0 times clears the faults of its action."""
        with self._transaction() as db:
            if fault.times == 0:
                db.execute("DELETE FROM faults WHERE action = ?", (fault.action,))
            else:
                values = (fault.action, fault.times, fault.model_dump_json())
                db.execute("INSERT INTO faults (action, left, fault) VALUES (?, ?, ?)", values)

    def take_fault(self, action: str) -> Happening | None:
        """Return the fault that happens to this request, the oldest first."""
        query = "SELECT number, fault FROM faults WHERE action = ? AND left > 0 ORDER BY number"
        if not self._rows(query, action):  # most requests need no transaction
            return None
        with self._transaction() as db:
            row = db.execute(query, (action,)).fetchone()
            if row is None:
                return None
            number, fault = row
            db.execute("UPDATE faults SET left = left - 1 WHERE number = ?", (number,))
        return Happening(number=number, **json.loads(fault))

    def give_back(self, fault: Happening) -> None:
        """Let it happen to another request."""
        with self._transaction() as db:
            db.execute("UPDATE faults SET left = left + 1 WHERE number = ?", (fault.number,))

    def admit(self, action: str, allowed: int) -> bool:
        """Tell whether a request is among those allowed in any one second, by the real clock."""
        now = time.time()
        with self._transaction() as db:
            db.execute("DELETE FROM admitted WHERE at <= ? OR at > ?", (now - 1, now + 1))
            [(recent,)] = db.execute("SELECT COUNT(*) FROM admitted WHERE action = ?", (action,))
            if recent < allowed:
                db.execute("INSERT INTO admitted VALUES (?, ?)", (action, now))
            return bool(recent < allowed)

    def accept(
        self, start: Mapping[str, Any], *, dedup: Dedup, pending: float, running: float
    ) -> str:
        """Return the RunId of an identical run (facts 4), or of a new one."""
        now = self.now()
        identity = _identity(start)
        with self._transaction() as db:
            for row in db.execute(
                "SELECT run_id, start, accepted, started, ended, outcome FROM runs "
                "WHERE identity = ? AND accepted > ? ORDER BY number DESC",
                (identity, now - RETENTION),
            ):
                run = _run(row)
                if not run.has_ended(now) or (dedup == "finished" and _still_counts(run, now)):
                    return run.run_id
            run_id = f"emu:{secrets.token_hex(16)}"
            started = now + pending
            values = (
                run_id,
                identity,
                json.dumps(start, ensure_ascii=False),
                now,
                started,
                started + running,
                _outcome(db, source_name(start)),
            )
            db.execute(
                "INSERT INTO runs (run_id, identity, start, accepted, started, ended, outcome) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                values,
            )
            return run_id

    def find(self, run_id: str) -> Run | None:
        """Return a run that is not older than 30 days."""
        rows = self._rows(
            "SELECT run_id, start, accepted, started, ended, outcome FROM runs "
            "WHERE run_id = ? AND accepted > ?",
            run_id,
            self.now() - RETENTION,
        )
        return _run(rows[0]) if rows else None

    def ledger(self) -> list[dict[str, Any]]:
        """Return every start that would have been billed, oldest first."""
        entries = []
        for run_id, text, accepted in self._rows(
            "SELECT run_id, start, accepted FROM runs ORDER BY number"
        ):
            start = json.loads(text)
            source = {"vid": start["Vid"]} if "Vid" in start else {"directUrl": start["DirectUrl"]}
            entries.append(
                {
                    "runId": run_id,
                    "clientToken": start.get("ClientToken"),
                    "templateId": start["TemplateId"],
                    **source,
                    "acceptedAt": iso(accepted),
                }
            )
        return entries


def _run(row: Any) -> Run:
    run_id, start, accepted, started, ended, outcome = row
    return Run(run_id, json.loads(start), accepted, started, ended, outcome)


def _still_counts(run: Run, now: float) -> bool:
    """Tell whether a finished run dedups: not one that was terminated or failed by the system."""
    status = run.status(now)
    return status != "Terminated" and not status.startswith("2")


def _identity(start: Mapping[str, Any]) -> str:
    """Same source in the same space, same workflow and Input, same ClientToken (facts 4)."""
    source = start.get("Vid") or [space_name(start), start["DirectUrl"]["FileName"]]
    parts = [source, start["TemplateId"], start.get("Input"), start.get("ClientToken")]
    return json.dumps(parts, sort_keys=True, ensure_ascii=False)


def _outcome(db: sqlite3.Connection, source: str) -> str:
    for number, status, match in db.execute(
        "SELECT number, status, match FROM outcomes WHERE left > 0 ORDER BY number"
    ).fetchall():
        if match in source:
            db.execute("UPDATE outcomes SET left = left - 1 WHERE number = ?", (number,))
            return str(status)
    return fate(source) or "0"
