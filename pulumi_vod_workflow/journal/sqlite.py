"""
The journal in an SQLite file: the starts that were sent, until a state has their runs.

The provider writes a record before it sends a start, and adds the RunId before the operation
returns. A later operation that reads the run in a state removes the record. The journal has no
inputs, tokens or keys.
"""

# The state alone does not have a start whose operation was killed (journal-facts 0). One file
# serves all stacks. Each write is a short transaction, so processes do not block each other, and a
# kill leaves the file whole.

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
from pulumi_vod_workflow.journal.store import (
    ClaimResult,
    JournalLookup,
    PendingStart,
    RecordVersion,
)

T = TypeVar("T")

# Version 1 had no claims. A release of version 1 rejects the file, because it would overwrite the
# records of other updates.
SCHEMA_VERSION: Final = 2
"""The version of the schema."""

APPLICATION_ID: Final = 0x766F646A  # "vodj"
"""The application id of the provider's SQLite files."""

BUSY_TIMEOUT: Final = 30.0
"""The longest wait for another process's transaction, in seconds."""

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

# Longer than any update. A slower concurrent update still finds the released run.
RELEASED_CLAIM_RETENTION: Final = timedelta(days=2)
"""The time for which a released run is kept."""

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

SELECT_CLAIM: Final = """
SELECT starts.sent_at, starts.run_id, starts.request_id, starts.submitted_at, claims.owner,
    claims.released_at, claims.run_id, claims.request_id, claims.submitted_at
FROM (SELECT 1)
LEFT JOIN starts ON starts.key = :key
LEFT JOIN claims ON claims.key = :key
"""

INSERT_SENT: Final = """
INSERT INTO starts (key, resource, sent_at) VALUES (:key, :resource, :now)
ON CONFLICT (key) DO UPDATE SET resource = excluded.resource
"""

UPSERT_OWNER: Final = """
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


class _UnusableFileError(Exception):
    """An error of a file that the journal cannot use: the cause, and the remedy."""

    def __init__(self, why: str, remedy: str) -> None:
        self.remedy = remedy
        super().__init__(why)


class SqliteJournal:
    """
    A journal in one file; usable from any thread.

    Args:
        path: the file; the first write creates it.
        backend: the identity of the state backend whose starts the journal records.
        clock: the clock of the records.

    """

    def __init__(self, path: Path, backend: str = "", clock: Clock | None = None) -> None:
        self._path = path
        self._backend = backend
        self._clock = clock or SystemClock()
        self._opened_at = self._clock.now()
        self._lock = threading.RLock()
        """The lock of the attributes below. Take it before `_file_lock`."""
        self._file_lock = threading.RLock()
        """The lock of the file."""
        self._writer = ThreadPoolExecutor(1, "vod-journal")
        self._connection: sqlite3.Connection | None = None
        self._writable = False
        """Whether this connection has created or checked the schema."""
        self._pending_work: list[tuple[Callable[[sqlite3.Connection], Any], Future[Any]]] = []
        self._scheduled_write: Future[None] | None = None
        self._unreleased: set[str] | None = None
        """The ids of the journal's runs; `None` before their first read."""
        self._released: set[str] = set()
        """The ids of runs whose removal is scheduled."""

    @property
    def location(self) -> str:
        """The path for messages."""
        return str(self._path)

    def now(self) -> datetime:
        """Return the current time by this machine's clock, which dates the records."""
        return self._clock.now()

    def lookup(self, intents: Iterable[StartIntent], *, create: bool = False) -> JournalLookup:
        """
        Return the records of starts, and the latest other start of each of their resources.

        Args:
            intents: the starts.
            create: whether to create the file, and to return the versions that claims need. A
                preview then already fails if the file is not writable.

        Raises:
            JournalError: when the file is not readable, or with `create` not writable.

        """
        keys, resources = set(), set()
        for intent in intents:
            keys.add(intent.record_key)
            resources.add(intent.resource_key)
        names = sorted(keys), sorted(resources)
        versions: dict[str, RecordVersion] = {}
        released: dict[str, Any] = {}
        if not create:
            rows = self._rows(SELECT_RECORDS, *names)
        else:
            # Scheduled releases of runs that a state has must precede the read of the versions.
            self._writer.submit(lambda: None).result()
            with self._file_lock, self._explain_errors():
                connection = self._create()
                # One transaction: a record and its version are from the same time.
                connection.execute("BEGIN")
                try:
                    rows = self._rows(SELECT_RECORDS, *names)
                    found = connection.execute(SELECT_VERSIONS, [json.dumps(names[0])]).fetchall()
                finally:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
            versions = {key: RecordVersion(*version[:4]) for key, *version in found}
            released = {key: _run_fields(*run) for key, _, _, _, _, *run in found if run[0]}
            with self._lock:
                self._unreleased_run_ids()  # read now: an accepted run must not wait for it
        known = {entry.record_key: entry for entry in rows if entry.record_key in keys}
        for key, version in versions.items():
            # A concurrent update has started the run, and a newer state has it.
            if key not in known and self._is_released_elsewhere(version, released.get(key)):
                at = datetime.fromisoformat(str(version.released_at))
                known[key] = StartRecord(at, released[key], key)
        others = {entry.resource_key: entry for entry in rows if entry.record_key not in keys}
        return JournalLookup(known, others, versions)

    def _is_released_elsewhere(self, version: RecordVersion, released: Any) -> bool:
        """Return whether another process has released a run since this journal was opened."""
        if released is None or version.released_at is None or released["runId"] in self._released:
            return False
        return datetime.fromisoformat(version.released_at) > self._opened_at

    def list_stack(self, project: str, stack: str) -> list[StartRecord]:
        """
        Return the record of each start of a stack; the latest last.

        Raises:
            JournalError: when the file is not readable.

        """
        return self._rows(SELECT_STACK, project, stack)

    def claim(
        self, intent: StartIntent, owner: str, expected: RecordVersion | None = None
    ) -> Future[ClaimResult]:
        """
        Claim a start: record that an operation is about to send it.

        The claim is lost if another operation has changed the record. Only the owner of the last
        claim may send.

        Args:
            intent: the start.
            owner: the operation.
            expected: the record at the decision to send the start; by default none.

        """
        # journal-facts 0: two updates at the same time paid 332 of 300 starts without claims. The
        # comparison and the record are one transaction, so one process wins.
        names = {"key": intent.record_key, "resource": intent.resource_key, "owner": owner}
        values = {**names, "now": self._clock.now().isoformat()}
        return self._write(
            lambda connection: _claim(connection, values, expected or RecordVersion())
        )

    def record_rejected(self, intent: StartIntent, owner: str) -> Future[None]:
        """Record a rejected start; no effect if another operation has claimed it."""
        return self._transaction((DELETE_REJECTED, {"key": intent.record_key, "owner": owner}))

    def record_accepted(self, intent: StartIntent, run: Mapping[str, Any]) -> Future[None]:
        """Record a start's run, and remove the resource's other starts without an answer."""
        with self._lock:
            self._released.discard(run["runId"])
            self._unreleased_run_ids().add(run["runId"])
        named = {"key": intent.record_key, "resource": intent.resource_key}
        fields = {name: run.get(name) for name in RUN_FIELDS}
        values = {**named, **fields, "now": self._clock.now().isoformat()}
        return self._transaction((UPDATE_ACCEPTED, values), (DELETE_UNDECIDED, named))

    def discard_undecided(self, *resources: str) -> None:
        """Remove the resources' starts without an answer, after an adoption; never raises."""
        # The user has chosen the run, so the choices of an unknown outcome are no longer due.
        with suppress(OSError):
            if not self._path.exists():
                return
            self._transaction(
                *((DELETE_UNDECIDED, {"key": "", "resource": name}) for name in resources)
            )

    def delete(self, records: Iterable[StartRecord]) -> None:
        """
        Remove records that the user discards: all of them, or none.

        Raises:
            JournalError: when the file is not writable.

        """
        # The statement compares time and run: a record that has changed since its read stays.
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
        Remove the records of runs that a state has; never raises.

        Returns:
            The scheduled write, or `None` without a record.

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

    def adopt_records(self, records: Iterable[StartRecord]) -> int:
        """Record the starts of another journal: follows with version 3 of the schema."""
        raise NotImplementedError

    def has_met(self, project: str, stack: str) -> bool:
        """Return whether the journal has met a stack: follows with version 3 of the schema."""
        raise NotImplementedError

    def import_pending(self, project: str, stack: str, starts: Iterable[PendingStart]) -> int:
        """Record pending starts: follows with version 3 of the schema."""
        raise NotImplementedError

    def _unreleased_run_ids(self) -> set[str]:
        """Return the ids of the runs in the journal; reads the file once."""
        if self._unreleased is None:
            self._unreleased = set()
            # A start needs the journal, and reports its error.
            with self._file_lock, suppress(JournalError), self._explain_errors():
                connection = self._connect()
                rows = connection.execute(SELECT_RUN_IDS) if connection else ()
                self._unreleased = {run_id for (run_id,) in rows}
        return self._unreleased

    def _rows(self, statement: str, *names: Sequence[str]) -> list[StartRecord]:
        with self._file_lock, self._explain_errors():
            connection = self._connect()
            if connection is None:
                return []
            rows = connection.execute(statement, [json.dumps(part) for part in names]).fetchall()
            return [
                StartRecord(datetime.fromisoformat(sent_at), _run_fields(*run), key, resource)
                for resource, key, sent_at, *run in rows
                if run[0] not in self._released
            ]

    def _transaction(self, *changes: Statement) -> Future[None]:
        """Schedule statements in one transaction."""

        def execute(connection: sqlite3.Connection) -> None:
            for statement, values in changes:
                connection.execute(statement, values)

        return self._write(execute)

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Schedule work in a transaction. Work that arrives during a write shares the next one."""
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()  # a waiter cannot cancel the write
        with self._lock:
            self._pending_work.append((work, future))
            if self._scheduled_write is None:
                self._scheduled_write = self._writer.submit(self._write_pending)
        return future

    def _write_pending(self) -> None:
        with self._lock:
            pending, self._pending_work, self._scheduled_write = self._pending_work, [], None
        try:
            with self._file_lock, self._explain_errors():
                connection = self._create()
                try:
                    connection.execute("BEGIN IMMEDIATE")
                    results = [work(connection) for work, _ in pending]
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
        except BaseException as error:  # noqa: BLE001 - each waiter gets it
            for _, future in pending:
                future.set_exception(error)
        else:
            for (_, future), result in zip(pending, results, strict=True):
                future.set_result(result)

    def _connect(self) -> sqlite3.Connection | None:
        """Return the connection, or `None` without a file."""
        if not self._path.exists():
            self._close()  # the file was removed, so further writes would be lost
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
            raise _UnusableFileError(
                "a newer version of pulumi_vod_workflow has written it", "use that version"
            )
        [[owner]] = connection.execute("PRAGMA application_id")
        if owner != APPLICATION_ID and list(connection.execute("SELECT 1 FROM sqlite_master")):
            raise _UnusableFileError(
                "it is a file of another program", "set `vod:journal` to another file"
            )
        [[verdict]] = connection.execute("PRAGMA quick_check(1)")
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)

    def _create(self) -> sqlite3.Connection:
        """Return the connection, with its file and schema created."""
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
                self._close()  # also ends the transaction of the script
                raise
            self._writable = True
        return connection

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        try:
            yield
        except _UnusableFileError as error:
            raise JournalError(self._path, str(error), error.remedy) from None
        except (OSError, sqlite3.OperationalError) as error:
            raise JournalError(
                self._path,
                f"it is not usable ({error})",
                "make the file writable, or set `vod:journal` to a writable file",
            ) from None
        except (sqlite3.DatabaseError, ValueError) as error:
            raise JournalError(
                self._path,
                f"it is damaged ({error})",
                "if the last update did not finish, look for its runs in the VOD console first\n"
                "move the file away",
            ) from None


def _claim(
    connection: sqlite3.Connection, values: Mapping[str, Any], expected: RecordVersion
) -> ClaimResult:
    """Claim a start if its record equals the expected one."""
    [row] = connection.execute(SELECT_CLAIM, values).fetchall()
    sent_at, *run, owner, released_at = row[:6]
    sent, released = (_run_fields(*run), _run_fields(*row[6:]))
    if sent is not None:
        won = False
    elif owner == values["owner"]:
        won = True
    elif sent_at is not None:
        won = (sent_at, owner) == (expected.sent_at, expected.owner)
    # A start that was rejected or discarded meanwhile has no run. A released one has.
    else:
        won = released_at in {None, expected.released_at}
    if won:
        connection.execute(INSERT_SENT, values)
        connection.execute(UPSERT_OWNER, values)
    at = datetime.fromisoformat(sent_at or (values["now"] if won else released_at))
    return ClaimResult(won, StartRecord(at, None if won else sent or released, values["key"]))


def _run_fields(run_id: str | None, request_id: str | None, submitted_at: str | None) -> Any:
    """Return the fields of an accepted run; `None` without one."""
    if run_id is None:
        return None
    return dict(zip(RUN_FIELDS, (run_id, request_id, submitted_at), strict=True))
