"""
The journal: which starts were sent, kept on this machine until a state is known to hold their runs.

What a state cannot tell is what happened in an operation that was killed, or whose result was never
written. An entry is written before a start is sent and completed with its RunId before the
operation returns; the first later operation that meets the run in a state removes it. Inputs,
tokens and keys are not in it. One SQLite file serves all stacks: each write is its own short
transaction, so that they do not disturb each other, and a process that is killed leaves it whole.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from pulumi_vod_workflow.config.clock import Clock, SystemClock
from pulumi_vod_workflow.core.recovery import StartIntent, StartRecord
from pulumi_vod_workflow.errors import JournalError
from pulumi_vod_workflow.journal.store import ClaimResult, Lookup, RecordVersion

T = TypeVar("T")

SCHEMA_VERSION: Final = 2
"""
Of the file's layout. Version 1 had no claims: a release that knows only that one refuses the file,
because it would overwrite what another update has sent.
"""

APPLICATION_ID: Final = 0x766F646A
"""What tells SQLite's other files from ours."""

BUSY_TIMEOUT: Final = 30.0
"""Seconds to wait for another process's transaction."""

SCHEMA: Final = f"""
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
CREATE TABLE IF NOT EXISTS claims (
    key TEXT PRIMARY KEY,
    owner TEXT,
    released_at TEXT,
    run_id TEXT,
    request_id TEXT,
    submitted_at TEXT
);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""

RELEASED_CLAIM_RETENTION: Final = timedelta(days=2)
"""Time for which a released run is kept: longer than any update takes, so a slower one finds it."""

PRUNE_RELEASED: Final = """
DELETE FROM claims WHERE key NOT IN (SELECT key FROM starts)
AND (released_at IS NULL OR released_at < :since)
"""

SELECT_VERSIONS: Final = """
WITH wanted (key) AS (SELECT value FROM json_each(?))
SELECT wanted.key, starts.sent_at, starts.run_id, claims.owner, claims.released_at,
    claims.run_id, claims.request_id, claims.submitted_at
FROM wanted
LEFT JOIN starts ON starts.key = wanted.key
LEFT JOIN claims ON claims.key = wanted.key
"""

UPSERT_CLAIM: Final = """
SELECT starts.sent_at, starts.run_id, starts.request_id, starts.submitted_at, claims.owner,
    claims.released_at, claims.run_id, claims.request_id, claims.submitted_at
FROM (SELECT 1)
LEFT JOIN starts ON starts.key = :key
LEFT JOIN claims ON claims.key = :key
"""

UPSERT_SENT: Final = """
INSERT INTO starts (key, resource, sent_at) VALUES (:key, :resource, :now)
ON CONFLICT (key) DO UPDATE SET resource = excluded.resource
"""

SELECT_OWNER: Final = """
INSERT INTO claims (key, owner) VALUES (:key, :owner)
ON CONFLICT (key) DO UPDATE SET owner = excluded.owner
"""

DELETE_REJECTED: Final = """
DELETE FROM starts WHERE key = :key AND run_id IS NULL
AND EXISTS (SELECT 1 FROM claims WHERE key = :key AND owner = :owner)
"""

UPDATE_ACCEPTED: Final = """
INSERT INTO starts VALUES (:key, :resource, :now, :runId, :requestId, :submittedAt)
ON CONFLICT (key) DO UPDATE SET
    run_id = excluded.run_id,
    request_id = excluded.request_id,
    submitted_at = excluded.submitted_at
"""

DELETE_UNDECIDED: Final = (
    "DELETE FROM starts WHERE resource = :resource AND key <> :key AND run_id IS NULL"
)

DELETE_RECORD: Final = "DELETE FROM starts WHERE key = :key AND sent_at = :sent AND run_id IS :run"

MARK_RELEASED: Final = """
INSERT OR REPLACE INTO claims
SELECT key, NULL, :now, run_id, request_id, submitted_at FROM starts
WHERE run_id IN (SELECT value FROM json_each(:runs))
"""

DELETE_RELEASED: Final = "DELETE FROM starts WHERE run_id IN (SELECT value FROM json_each(:runs))"

SELECT_RECORDS: Final = """
SELECT resource, key, sent_at, run_id, request_id, submitted_at FROM starts
WHERE key IN (SELECT value FROM json_each(?)) OR resource IN (SELECT value FROM json_each(?))
ORDER BY sent_at
"""

SELECT_STACK: Final = """
SELECT resource, key, sent_at, run_id, request_id, submitted_at FROM starts
WHERE json_extract(resource, '$.project') = json_extract(?, '$')
AND json_extract(resource, '$.stack') = json_extract(?, '$')
ORDER BY sent_at
"""

SELECT_RUN_IDS: Final = "SELECT run_id FROM starts WHERE run_id IS NOT NULL"

RUN_FIELDS: Final = ("runId", "requestId", "submittedAt")

Statement = tuple[str, Mapping[str, Any]]


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
        self._opened = self._clock.now()
        self._lock = threading.RLock()
        """Over what is below; the file's, where both are needed, comes second."""
        self._file = threading.RLock()
        """Over the file."""
        self._writer = ThreadPoolExecutor(1, "vod-journal")
        self._connection: sqlite3.Connection | None = None
        self._writable = False
        """Whether this connection has written."""
        self._pending: list[tuple[Callable[[sqlite3.Connection], Any], Future[Any]]] = []
        self._written: Future[None] | None = None
        self._unreleased: set[str] | None = None
        """Ids of the runs that the journal holds, once they were looked for."""
        self._released: set[str] = set()
        """Ids of runs that are on their way out of it."""

    def lookup(self, intents: Iterable[StartIntent], *, create: bool = False) -> Lookup:
        """
        Return what is known of starts, and the latest other start of each of their resources.

        Args:
            orders: the starts.
            make: make sure that they can be claimed, so that a preview already tells if not.

        Raises:
            JournalError: when the file cannot be read, or written if it is to be.

        """
        keys, resources = set(), set()
        for order in intents:
            keys.add(order.record_key)
            resources.add(order.resource_key)
        names = sorted(keys), sorted(resources)
        versions: dict[str, RecordVersion] = {}
        released: dict[str, Any] = {}
        if not create:
            rows = self._rows(SELECT_RECORDS, *names)
        else:
            # A run that a state holds is released before its next start is compared with this look.
            self._writer.submit(lambda: None).result()
            with self._file, self._explain_errors():
                connection = self._create()
                # One transaction: an entry and its version are of the same moment.
                connection.execute("BEGIN")
                try:
                    rows = self._rows(SELECT_RECORDS, *names)
                    found = connection.execute(SELECT_VERSIONS, [json.dumps(names[0])]).fetchall()
                finally:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
            versions = {key: RecordVersion(*version[:4]) for key, *version in found}
            released = {key: _run(*run) for key, _, _, _, _, *run in found if run[0]}
            with self._lock:
                self._unreleased_run_ids()  # now, and not when a run's acceptance waits for it
        known = {entry.record_key: entry for _, entry in rows if entry.record_key in keys}
        for key, version in versions.items():
            # An update that runs beside this one has started it, and a state holds its run: this
            # one's view of the state is older.
            if key not in known and self._is_news(version, released.get(key)):
                at = datetime.fromisoformat(str(version.released_at))
                known[key] = StartRecord(at, released[key], key)
        others = {resource: entry for resource, entry in rows if entry.record_key not in keys}
        return Lookup(known, others, versions)

    def _is_news(self, version: RecordVersion, released: Any) -> bool:
        """Tell whether another process has released a run since this journal was opened."""
        if released is None or version.released_at is None or released["runId"] in self._released:
            return False
        return datetime.fromisoformat(version.released_at) > self._opened

    def list_stack(self, project: str, stack: str) -> list[tuple[str, StartRecord]]:
        """
        Return all starts of a stack's resources, each with its `Order.resource`; the latest last.

        Raises:
            JournalError: when the file cannot be read.

        """
        return self._rows(SELECT_STACK, project, stack)

    def claim(
        self, order: StartIntent, owner: str, seen: RecordVersion | None = None
    ) -> Future[ClaimResult]:
        """
        Record that an operation is about to send a start, unless another one has since it looked.

        One process wins: the comparison and the record are one transaction. Only the owner of the
        last claim may send, so each attempt claims again.

        Args:
            order: the start.
            owner: the operation.
            seen: the start's record when the operation has decided to send it; by default none.

        """
        names = {"key": order.record_key, "resource": order.resource_key, "owner": owner}
        values = {**names, "now": self._clock.now().isoformat()}
        return self._write(lambda connection: _claim(connection, values, seen or RecordVersion()))

    def age(self, moment: datetime) -> timedelta:
        """Return how long ago a recorded moment was."""
        return self._clock.now() - moment

    def record_rejected(self, order: StartIntent, owner: str) -> Future[None]:
        """Record that a start was surely not accepted, unless another operation has claimed it."""
        return self._transaction((DELETE_REJECTED, {"key": order.record_key, "owner": owner}))

    def record_accepted(self, order: StartIntent, run: Mapping[str, Any]) -> Future[None]:
        """Take note of a start's run; what else its resource had sent is decided by that."""
        with self._lock:
            self._released.discard(run["runId"])
            self._unreleased_run_ids().add(run["runId"])
        named = {"key": order.record_key, "resource": order.resource_key}
        told = {name: run.get(name) for name in RUN_FIELDS}
        values = {**named, **told, "now": self._clock.now().isoformat()}
        return self._transaction((UPDATE_ACCEPTED, values), (DELETE_UNDECIDED, named))

    def discard_undecided(self, *resources: str) -> None:
        """Take note that a person has named the runs of resources; never raises."""
        with suppress(OSError):
            if not self._path.exists():
                return
            self._transaction(
                *((DELETE_UNDECIDED, {"key": "", "resource": name}) for name in resources)
            )

    def delete(self, records: Iterable[StartRecord]) -> None:
        """
        Forget starts as they were read, as a person decided: all of them, or none.

        Raises:
            JournalError: when that cannot be written.

        """
        changes = [
            (
                DELETE_RECORD,
                {
                    "key": entry.record_key,
                    "sent": entry.sent_at.isoformat(),
                    "run": entry.run["runId"] if entry.run else None,
                },
            )
            for entry in records
        ]
        self._transaction(*changes).result()

    def release(self, run_ids: Iterable[str]) -> Future[None] | None:
        """
        Take note that a state holds runs; never raises.

        Returns:
            What tells when that is written, if there is anything to write.

        """
        with self._lock:
            runs = self._unreleased_run_ids().intersection(run_ids)
            if not runs:
                return None
            self._unreleased_run_ids().difference_update(runs)
            self._released |= runs
        values = {"runs": json.dumps(sorted(runs)), "now": self._clock.now().isoformat()}
        return self._transaction((MARK_RELEASED, values), (DELETE_RELEASED, values))

    # -- the file -----------------------------------------------------------------------------

    def _unreleased_run_ids(self) -> set[str]:
        """Return the ids of the runs that are in the journal; they are looked for once."""
        if self._unreleased is None:
            self._unreleased = set()
            with self._file, suppress(JournalError), self._explain_errors():  # told before a start
                connection = self._connect()
                rows = connection.execute(SELECT_RUN_IDS) if connection else ()
                self._unreleased = {run_id for (run_id,) in rows}
        return self._unreleased

    def _rows(self, statement: str, *names: Sequence[str]) -> list[tuple[str, StartRecord]]:
        with self._file, self._explain_errors():
            connection = self._connect()
            if connection is None:
                return []
            rows = connection.execute(statement, [json.dumps(part) for part in names]).fetchall()
            return [
                (name, StartRecord(datetime.fromisoformat(sent_at), _run(*run), key))
                for name, key, sent_at, *run in rows
                if run[0] not in self._released
            ]

    def _transaction(self, *changes: Statement) -> Future[None]:
        """Have statements executed in one transaction."""

        def execute(connection: sqlite3.Connection) -> None:
            for statement, values in changes:
                connection.execute(statement, values)

        return self._write(execute)

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Have work done in a transaction; what comes while one is written shares the next one."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # nobody who waits for it can cancel it
        with self._lock:
            self._pending.append((work, future))
            if self._written is None:
                self._written = self._writer.submit(self._write_pending)
        return future

    def _write_pending(self) -> None:
        with self._lock:
            pending, self._pending, self._written = self._pending, [], None
        try:
            with self._file, self._explain_errors():
                connection = self._create()
                try:
                    connection.execute("BEGIN IMMEDIATE")
                    results = [work(connection) for work, _ in pending]
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
        except BaseException as error:  # noqa: BLE001 - each caller that waits gets it
            for _, future in pending:
                future.set_exception(error)
        else:
            for (_, future), result in zip(pending, results, strict=True):
                future.set_result(result)

    def _connect(self) -> sqlite3.Connection | None:
        """Return the open file, or `None` where there is none."""
        if not self._path.exists():
            self._close()  # it was removed: what is written to it would be lost
        elif self._connection is None:
            connection = sqlite3.connect(
                self._path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
            )
            self._connection = connection
            weakref.finalize(self, connection.close).atexit = False
            try:
                self._check_file(connection)
            except BaseException:
                self._close()
                raise
        return self._connection

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection, self._writable = None, False

    def _check_file(self, connection: sqlite3.Connection) -> None:
        [[version]] = connection.execute("PRAGMA user_version")
        if version > SCHEMA_VERSION:
            raise _UnusableError(
                "it was made by a newer version of pulumi_vod_workflow: use that version"
            )
        [[owner]] = connection.execute("PRAGMA application_id")
        if owner != APPLICATION_ID and list(connection.execute("SELECT 1 FROM sqlite_master")):
            raise _UnusableError("it is a file of something else: set vod:journal to another one")
        [[verdict]] = connection.execute("PRAGMA quick_check(1)")
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)

    def _create(self) -> sqlite3.Connection:
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
                connection.executescript(SCHEMA)
                since = self._clock.now() - RELEASED_CLAIM_RETENTION
                connection.execute(PRUNE_RELEASED, {"since": since.isoformat()})
            except sqlite3.Error:
                self._close()  # and with it the transaction that was begun
                raise
            self._writable = True
        return connection

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
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


def _claim(
    connection: sqlite3.Connection, values: Mapping[str, Any], seen: RecordVersion
) -> ClaimResult:
    """Compare a start's record with what was seen, and claim the start if they agree."""
    [row] = connection.execute(UPSERT_CLAIM, values).fetchall()
    sent_at, *run, owner, released_at = row[:6]
    sent, released = (_run(*run), _run(*row[6:]))
    if sent is not None:
        won = False
    elif owner == values["owner"]:
        won = True
    elif sent_at is not None:
        won = (sent_at, owner) == (seen.sent_at, seen.owner)
    else:  # a start that was refused or forgotten meanwhile is no run; one that was released is
        won = released_at in {None, seen.released_at}
    if won:
        connection.execute(UPSERT_SENT, values)
        connection.execute(SELECT_OWNER, values)
    at = datetime.fromisoformat(sent_at or (values["now"] if won else released_at))
    return ClaimResult(won, StartRecord(at, None if won else sent or released, values["key"]))


def _run(run_id: str | None, request_id: str | None, submitted_at: str | None) -> Any:
    """Return a run as it was accepted, if it was."""
    if run_id is None:
        return None
    return dict(zip(RUN_FIELDS, (run_id, request_id, submitted_at), strict=True))


_journals: dict[Path, Journal] = {}

_lock = threading.Lock()


def journal_at(path: Path) -> Journal:
    """Return this process's one journal of a file."""
    with _lock:
        return _journals.setdefault(path, Journal(path))
