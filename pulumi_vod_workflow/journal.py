"""
The journal: which starts were sent, kept on this machine until a state is known to hold their runs.

What a state cannot tell is what happened in an operation that was killed, or whose result was never
written. An entry is written before a start is sent and completed with its RunId before the
operation returns; the first later operation that meets the run in a state removes it. Inputs,
tokens and keys are not in it. One SQLite file serves all stacks: each write is its own short
transaction, so that they do not disturb each other, and a process that is killed leaves it whole.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from pulumi_vod_workflow.clock import Clock, SystemClock
from pulumi_vod_workflow.core.recall import Entry, Order
from pulumi_vod_workflow.errors import JournalError

VERSION: Final = 1
"""Of the file's layout."""
OURS: Final = 0x766F646A
"""What tells SQLite's other files from ours."""
PATIENCE: Final = 30.0
"""Seconds to wait for another process's transaction."""
LAYOUT: Final = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS starts (
    key TEXT PRIMARY KEY,
    resource TEXT NOT NULL,
    sent_at TEXT NOT NULL,
    run_id TEXT,
    request_id TEXT,
    submitted_at TEXT
);
CREATE INDEX IF NOT EXISTS starts_by_run ON starts (run_id);
CREATE INDEX IF NOT EXISTS starts_by_resource ON starts (resource);
PRAGMA application_id = {OURS};
PRAGMA user_version = {VERSION};
COMMIT;
"""
SENT: Final = """
INSERT INTO starts (key, resource, sent_at) VALUES (:key, :resource, :now)
ON CONFLICT (key) DO UPDATE SET
    resource = excluded.resource,
    sent_at = CASE WHEN run_id IS NULL THEN sent_at ELSE excluded.sent_at END,
    run_id = NULL, request_id = NULL, submitted_at = NULL
"""
REFUSED: Final = "DELETE FROM starts WHERE key = :key AND run_id IS NULL"
ACCEPTED: Final = """
INSERT INTO starts VALUES (:key, :resource, :now, :runId, :requestId, :submittedAt)
ON CONFLICT (key) DO UPDATE SET
    run_id = excluded.run_id,
    request_id = excluded.request_id,
    submitted_at = excluded.submitted_at
"""
DECIDED: Final = "DELETE FROM starts WHERE resource = :resource AND key <> :key AND run_id IS NULL"
FORGOTTEN: Final = "DELETE FROM starts WHERE key = :key AND sent_at = :sent AND run_id IS :run"
SETTLED: Final = "DELETE FROM starts WHERE run_id IN (SELECT value FROM json_each(:runs))"
KNOWN: Final = """
SELECT resource, key, sent_at, run_id, request_id, submitted_at FROM starts
WHERE key IN (SELECT value FROM json_each(?)) OR resource IN (SELECT value FROM json_each(?))
ORDER BY sent_at
"""
OF_STACK: Final = """
SELECT resource, key, sent_at, run_id, request_id, submitted_at FROM starts
WHERE json_extract(resource, '$.project') = json_extract(?, '$')
AND json_extract(resource, '$.stack') = json_extract(?, '$')
ORDER BY sent_at
"""
HELD: Final = "SELECT run_id FROM starts WHERE run_id IS NOT NULL"
RUN: Final = ("runId", "requestId", "submittedAt")

Change = tuple[str, Mapping[str, Any]]


class _UnusableError(Exception):
    """The file cannot be used; its text says why."""


class Journal:
    """
    One journal's file; usable from any thread.

    Args:
        path: the file; it is made when a start is to be written.
        clock: what tells when a start is sent.

    """

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self._path = path
        self._clock = clock or SystemClock()
        self._lock = threading.RLock()
        """Over what is below; the file's, where both are needed, comes second."""
        self._file = threading.RLock()
        """Over the file."""
        self._writer = ThreadPoolExecutor(1, "vod-journal")
        self._connection: sqlite3.Connection | None = None
        self._writable = False
        """Whether this connection has written."""
        self._pending: list[Change] = []
        self._written: Future[None] | None = None
        self._unsettled: set[str] | None = None
        """Ids of the runs that the journal holds, once they were looked for."""
        self._settled: set[str] = set()
        """Ids of runs that are on their way out of it."""

    def look(
        self, orders: Iterable[Order], *, make: bool = False
    ) -> tuple[dict[str, Entry], dict[str, Entry]]:
        """
        Return what is known of starts, and the latest other start of each of their resources.

        Args:
            orders: the starts.
            make: make sure that they can be written, so that a preview already tells if not.

        Returns:
            Entries by `Order.key`, of those that no state is known to hold; and by
            `Order.resource`.

        Raises:
            JournalError: when the file cannot be read, or written if it is to be.

        """
        keys, resources = set(), set()
        for order in orders:
            keys.add(order.key)
            resources.add(order.resource)
        rows = self._rows(KNOWN, sorted(keys), sorted(resources), make=make)
        if make:
            with self._lock:
                self._held()  # now, and not when a run's acceptance waits for it
        known = {entry.key: entry for _, entry in rows if entry.key in keys}
        return known, {resource: entry for resource, entry in rows if entry.key not in keys}

    def of_stack(self, project: str, stack: str) -> list[tuple[str, Entry]]:
        """
        Return all starts of a stack's resources, each with its `Order.resource`; the latest last.

        Raises:
            JournalError: when the file cannot be read.

        """
        return self._rows(OF_STACK, project, stack)

    def sent(self, order: Order) -> Future[None]:
        """Take note of a start that is about to be sent; it may be once this is written."""
        now = self._clock.now().isoformat()
        return self._write((SENT, {"key": order.key, "resource": order.resource, "now": now}))

    def refused(self, order: Order) -> Future[None]:
        """Take note that a start was surely not accepted."""
        return self._write((REFUSED, {"key": order.key}))

    def accepted(self, order: Order, run: Mapping[str, Any]) -> Future[None]:
        """Take note of a start's run; what else its resource had sent is decided by that."""
        with self._lock:
            self._settled.discard(run["runId"])
            self._held().add(run["runId"])
        named = {"key": order.key, "resource": order.resource}
        told = {name: run.get(name) for name in RUN}
        values = {**named, **told, "now": self._clock.now().isoformat()}
        return self._write((ACCEPTED, values), (DECIDED, named))

    def decided(self, *resources: str) -> None:
        """Take note that a person has named the runs of resources; never raises."""
        with suppress(OSError):
            if not self._path.exists():
                return
            self._write(*((DECIDED, {"key": "", "resource": name}) for name in resources))

    def forget(self, entries: Iterable[Entry]) -> None:
        """
        Forget starts as they were read, as a person decided: all of them, or none.

        Raises:
            JournalError: when that cannot be written.

        """
        changes = [
            (
                FORGOTTEN,
                {
                    "key": entry.key,
                    "sent": entry.sent_at.isoformat(),
                    "run": entry.run["runId"] if entry.run else None,
                },
            )
            for entry in entries
        ]
        self._write(*changes).result()

    def settled(self, run_ids: Iterable[str]) -> Future[None] | None:
        """
        Take note that a state holds runs; never raises.

        Returns:
            What tells when that is written, if there is anything to write.

        """
        with self._lock:
            runs = self._held().intersection(run_ids)
            if not runs:
                return None
            self._held().difference_update(runs)
            self._settled |= runs
        return self._write((SETTLED, {"runs": json.dumps(sorted(runs))}))

    # -- the file -----------------------------------------------------------------------------

    def _held(self) -> set[str]:
        """Return the ids of the runs that are in the journal; they are looked for once."""
        if self._unsettled is None:
            self._unsettled = set()
            with self._file, suppress(JournalError), self._explained():  # told before a start
                connection = self._connect()
                rows = connection.execute(HELD) if connection else ()
                self._unsettled = {run_id for (run_id,) in rows}
        return self._unsettled

    def _rows(
        self, statement: str, *names: Sequence[str], make: bool = False
    ) -> list[tuple[str, Entry]]:
        with self._file, self._explained():
            connection = self._make() if make else self._connect()
            if connection is None:
                return []
            rows = connection.execute(statement, [json.dumps(part) for part in names]).fetchall()
            return [
                (name, Entry(datetime.fromisoformat(sent_at), _run(*run), key))
                for name, key, sent_at, *run in rows
                if run[0] not in self._settled
            ]

    def _write(self, *changes: Change) -> Future[None]:
        """Have changes written; what comes while others are written shares one transaction."""
        with self._lock:
            self._pending += changes
            if self._written is None:
                self._written = self._writer.submit(self._write_pending)
            return self._written

    def _write_pending(self) -> None:
        with self._lock:
            pending, self._pending, self._written = self._pending, [], None
        with self._file, self._explained():
            connection = self._make()
            try:
                connection.execute("BEGIN IMMEDIATE")
                for statement, values in pending:
                    connection.execute(statement, values)
                connection.execute("COMMIT")
            except sqlite3.Error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _connect(self) -> sqlite3.Connection | None:
        """Return the open file, or `None` where there is none."""
        if not self._path.exists():
            self._close()  # it was removed: what is written to it would be lost
        elif self._connection is None:
            connection = sqlite3.connect(
                self._path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
            )
            self._connection = connection
            weakref.finalize(self, connection.close).atexit = False
            try:
                self._inspect(connection)
            except BaseException:
                self._close()
                raise
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection, self._writable = None, False

    def _inspect(self, connection: sqlite3.Connection) -> None:
        [[version]] = connection.execute("PRAGMA user_version")
        if version > VERSION:
            raise _UnusableError(
                "it was made by a newer version of pulumi_vod_workflow: use that version"
            )
        [[owner]] = connection.execute("PRAGMA application_id")
        if owner != OURS and list(connection.execute("SELECT 1 FROM sqlite_master")):
            raise _UnusableError("it is a file of something else: set vod:journal to another one")
        [[verdict]] = connection.execute("PRAGMA quick_check(1)")
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)

    def _make(self) -> sqlite3.Connection:
        """Return the open file, made if there is none."""
        connection = self._connect()
        if connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.touch(mode=0o600)
            connection = self._connect()
        if connection is None:
            raise FileNotFoundError(self._path)
        if not self._writable:
            try:
                connection.executescript(LAYOUT)
            except sqlite3.Error:
                self._close()  # and with it the transaction that was begun
                raise
            self._writable = True
        return connection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except _UnusableError as error:
            raise JournalError(self._path, str(error)) from None
        except (OSError, sqlite3.OperationalError) as error:
            raise JournalError(
                self._path,
                f"it cannot be used ({error}): make it writable, or set vod:journal to a file "
                "that is",
            ) from None
        except (sqlite3.DatabaseError, ValueError) as error:
            raise JournalError(
                self._path,
                f"it is damaged ({error}). If an update was cut short since the last one that went "
                "through, look for its runs in the VOD console first; then move the file away",
            ) from None


def _run(run_id: str | None, request_id: str | None, submitted_at: str | None) -> Any:
    """Return a run as it was accepted, if it was."""
    if run_id is None:
        return None
    return dict(zip(RUN, (run_id, request_id, submitted_at), strict=True))


_journals: dict[Path, Journal] = {}
_lock = threading.Lock()


def journal_at(path: Path) -> Journal:
    """Return this process's one journal of a file."""
    with _lock:
        return _journals.setdefault(path, Journal(path))


@dataclass(frozen=True, slots=True)
class Note:
    """What the client tells the journal about a start that it is about to send."""

    journal: Journal
    order: Order
    until: datetime | None = None
    """
    Until when it may be sent, by the journal's clock: an earlier operation has sent it, and no
    answer came. Whatever comes now, it may be a run.
    """

    async def sent(self) -> None:
        """
        Write that it is sent, before it is.

        Raises:
            JournalError: when that cannot be written.

        """
        await _done(self.journal.sent(self.order))

    def refused(self) -> Future[None]:
        """Take back that it was sent; if that is not written, the next operation asks."""
        return self.journal.refused(self.order)

    async def accepted(self, run: Mapping[str, Any]) -> None:
        """
        Write which run it has become.

        Raises:
            JournalError: when that cannot be written.

        """
        async with asyncio.timeout(PATIENCE + 5):
            await _done(self.journal.accepted(self.order, run))


async def _done(written: Future[None]) -> None:
    """Wait until something is written; the others that wait for it are not disturbed."""
    try:
        await asyncio.shield(asyncio.wrap_future(written))
    except JournalError as error:
        raise JournalError(error.path, error.why) from None
