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
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, TypeVar

from typing_extensions import override

from pulumi_vod_workflow.config.clock import Clock, SystemClock
from pulumi_vod_workflow.core.recovery import OwnerState, StartIntent, StartRecord
from pulumi_vod_workflow.errors import JournalError
from pulumi_vod_workflow.journal import sqlite_schema as schema
from pulumi_vod_workflow.journal.owners import LockFiles, OwnerProcesses
from pulumi_vod_workflow.journal.store import (
    PENDING_PROCESS,
    RELEASED_RETENTION,
    RUN_FIELDS,
    ClaimResult,
    Journal,
    JournalLookup,
    PendingStart,
    RecordVersion,
    imported_process,
    journal_lookup,
    lookup_keys,
)
from pulumi_vod_workflow.journal.unreleased_runs import UnreleasedRuns

T = TypeVar("T")

BUSY_TIMEOUT: Final = 30.0
"""The longest wait for another process's transaction, in seconds."""

Statement = tuple[str, Mapping[str, Any]]


class SqliteJournal(Journal):
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
        # Not the file's full name and an ending: SQLite names its own files so.
        self._owners: OwnerProcesses = LockFiles(path.with_name(f"{path.stem}.owners"))
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
        self._latest_write: Future[None] | None = None
        """The last scheduled write, which may be in progress or done."""
        self._runs = UnreleasedRuns(self._read_run_ids)

    @property
    @override
    def location(self) -> str:
        return str(self._path)

    @property
    @override
    def warnings(self) -> tuple[str, ...]:
        return ()

    @override
    def now(self) -> datetime:
        return self._clock.now()

    @override
    def lookup(self, intents: Iterable[StartIntent], *, create: bool = False) -> JournalLookup:
        wanted = [*intents]
        lists = {name: json.dumps(keys) for name, keys in lookup_keys(wanted).items()}
        values = {"backend": self._backend, **lists}
        versions: dict[str, RecordVersion] = {}
        released: dict[str, Any] = {}
        if not create:
            rows = self._records(schema.IS_WANTED, values)
        else:
            # Scheduled releases of runs that a state has must precede the read of the versions.
            with self._lock:
                write = self._latest_write
            if write:
                write.result()
            with self._file_lock, self._explain_errors():
                connection = self._create()
                # One transaction: a record and its version are from the same time.
                connection.execute("BEGIN")
                try:
                    rows = self._records(schema.IS_WANTED, values)
                    found = connection.execute(schema.SELECT_VERSIONS, values).fetchall()
                finally:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
            for key, *row in found:
                if any(row) or key not in versions:
                    versions[key] = RecordVersion(*row[:4])
                    released[key] = _run_fields(*row[4:])
            self._runs.load()  # read now: an accepted run must not wait for it
        for intent in wanted:
            version, run = versions.get(intent.record_key), released.get(intent.record_key)
            # A concurrent update has started the run, and a newer state has it.
            if version and not version.sent_at and self._is_released_elsewhere(version, run):
                at = datetime.fromisoformat(str(version.released_at))
                keys = intent.record_key, intent.resource_key, intent.request_key
                rows.append(StartRecord(at, run, *keys))
        return journal_lookup(wanted, rows, versions)

    def _is_released_elsewhere(self, version: RecordVersion, released: Any) -> bool:
        """Return whether another process has released a run since this journal was opened."""
        if released is None or version.released_at is None:
            return False
        if self._runs.is_released(released["runId"]):
            return False
        return datetime.fromisoformat(version.released_at) > self._opened_at

    @override
    def list_stack(self, project: str, stack: str) -> list[StartRecord]:
        return self._records(schema.IS_OF_STACK, self._stack_values(project, stack))

    @override
    def claim(
        self, intent: StartIntent, owner: str, expected: RecordVersion | None = None
    ) -> Future[ClaimResult]:
        # The comparison and the record are one transaction, so one process wins.
        values = {**self._values(intent), "owner": owner}
        return self._write(
            lambda connection: self._claim(connection, values, expected or RecordVersion())
        )

    @override
    def record_rejected(self, intent: StartIntent, owner: str) -> Future[None]:
        return self._transaction((schema.DELETE_REJECTED, {**self._values(intent), "owner": owner}))

    @override
    def record_accepted(self, intent: StartIntent, run: Mapping[str, Any]) -> Future[None]:
        self._runs.add(run["runId"])
        values = {**self._values(intent), **{name: run.get(name) for name in RUN_FIELDS}}
        return self._transaction(
            (schema.SET_BACKEND_OF_START, values),
            (schema.SET_BACKEND_OF_CLAIM, values),
            (schema.UPDATE_ACCEPTED, values),
            (schema.DELETE_UNDECIDED, values),
        )

    @override
    def discard_undecided(self, *resources: str) -> None:
        with suppress(OSError):
            if not self._path.exists():
                return
            self._transaction(
                *(
                    (
                        schema.DELETE_UNDECIDED,
                        {"backend": self._backend, "key": "", "resource": name},
                    )
                    for name in resources
                )
            )

    @override
    def delete(self, records: Iterable[StartRecord]) -> None:
        rows = [self._row(record) for record in records]

        def delete(connection: sqlite3.Connection) -> None:
            for row in rows:
                if connection.execute(schema.DELETE_RECORD, row).rowcount:
                    connection.execute(schema.MARK_SETTLED, row)

        self._write(delete).result()

    @override
    def release(self, run_ids: Iterable[str]) -> Future[None] | None:
        runs = self._runs.release(run_ids)
        if not runs:
            return None
        values = {
            "backend": self._backend,
            "runs": json.dumps(sorted(runs)),
            "now": self._clock.now().isoformat(),
        }
        return self._transaction((schema.MARK_RELEASED, values), (schema.DELETE_RELEASED, values))

    @override
    def import_records(self, records: Iterable[StartRecord]) -> int:
        rows = [
            {**self._row(record), "owner": None, "process": imported_process(record)}
            for record in records
        ]

        def add(connection: sqlite3.Connection) -> int:
            added = [row for row in rows if connection.execute(schema.INSERT_FOREIGN, row).rowcount]
            connection.executemany(schema.UPSERT_OWNER, added)
            return len(added)

        added = self._write(add).result()
        self._runs.forget()
        return added

    @override
    def has_met(self, project: str, stack: str) -> bool:
        values = self._stack_values(project, stack)
        with self._file_lock, self._explain_errors():
            connection = self._connect()
            if connection is None or schema.version_of(connection) < schema.VERSION:
                return False
            return bool(connection.execute(schema.SELECT_MET, values).fetchall())

    @override
    def forget_met(self, project: str, stack: str) -> None:
        self._transaction((schema.DELETE_MET, self._stack_values(project, stack))).result()

    @override
    def import_pending(self, project: str, stack: str, starts: Iterable[PendingStart]) -> int:
        met = {**self._stack_values(project, stack), "now": self._clock.now().isoformat()}
        owner = {"owner": None, "process": PENDING_PROCESS}
        rows = [
            (start, {**self._row(start.record()), "creates": start.creates, **owner})
            for start in starts
        ]

        def add(connection: sqlite3.Connection) -> int:
            added = [
                row
                for start, row in rows
                if not start.is_unsent and connection.execute(schema.INSERT_FOREIGN, row).rowcount
            ]
            connection.executemany(schema.UPSERT_OWNER, added)
            connection.executemany(schema.MARK_SETTLED, (row for _, row in rows))
            connection.execute(schema.MARK_MET, met)
            return len(added)

        return self._write(add).result()

    def list_unmoved(self, project: str, stack: str) -> list[StartRecord]:
        """
        Return the records of a stack that `remove_moved` has not removed; the latest last.

        Raises:
            JournalError: when the file is not readable.

        """
        values = self._stack_values(project, stack)
        with self._file_lock, self._explain_errors():
            connection = self._connect()
            is_older = connection is None or schema.version_of(connection) < schema.VERSION
            return self._records(schema.IS_OF_STACK if is_older else schema.IS_UNMOVED, values)

    def remove_moved(self, project: str, stack: str, records: Iterable[StartRecord]) -> None:
        """
        Remove the records of a stack that another journal has now: all of them, or none.

        A record that another update has changed since its read stays. The journal no longer has met
        the stack. A record of an older release stays, too: it may be that of another backend.

        Raises:
            JournalError: when the file is not writable.

        """
        changes = [
            (statement, self._row(record))
            for record in records
            for statement in (schema.DELETE_MOVED, schema.MARK_MOVED)
        ]
        self._transaction(
            *changes, (schema.DELETE_MET, self._stack_values(project, stack))
        ).result()

    # -- the file -----------------------------------------------------------------------------

    def _stack_values(self, project: str, stack: str) -> dict[str, str]:
        """Return the parameters of statements about one stack."""
        return {"backend": self._backend, "project": project, "stack": stack}

    def _values(self, intent: StartIntent) -> dict[str, Any]:
        """Return the parameters of statements about one start."""
        return {
            "backend": self._backend,
            "key": intent.record_key,
            "resource": intent.resource_key,
            "request": intent.request_key,
            "now": self._clock.now().isoformat(),
        }

    def _row(self, record: StartRecord) -> dict[str, Any]:
        """Return the parameters of statements about one record."""
        run = record.run or {}
        return {
            "backend": self._backend,
            "key": record.record_key,
            "resource": record.resource_key,
            "request": record.request_key,
            "sent": record.sent_at.isoformat(),
            "run": run.get("runId"),
            "creates": 1,
            **{name: run.get(name) for name in RUN_FIELDS},
        }

    def _claim(
        self, connection: sqlite3.Connection, values: Mapping[str, Any], expected: RecordVersion
    ) -> ClaimResult:
        """Claim a start if its record equals the expected one, and no living process sends it."""
        connection.execute(schema.SET_BACKEND_OF_START, values)
        connection.execute(schema.SET_BACKEND_OF_CLAIM, values)
        [row] = connection.execute(schema.SELECT_CLAIM, values).fetchall()
        (sent_at, *run), (owner, process, released_at), released_run = row[:4], row[4:7], row[7:]
        sent, released = _run_fields(*run), _run_fields(*released_run)
        state = OwnerState.ENDED if sent_at is None or sent else self._owners.state(process)
        if sent is not None:
            won = False
        elif owner == values["owner"]:
            won = True
        elif sent_at is not None:
            is_expected = (sent_at, owner) == (expected.sent_at, expected.owner)
            won = is_expected and state is not OwnerState.LIVING
        else:
            # Without a record, the start was rejected, discarded or released. Only a release since
            # the decision may mean a run.
            won = released_at in {None, expected.released_at}
        if won:
            connection.execute(schema.INSERT_SENT, values)
            connection.execute(schema.UPSERT_OWNER, {**values, "process": self._owners.own_id()})
        record = StartRecord(
            datetime.fromisoformat(sent_at or (values["now"] if won else released_at)),
            None if won else sent or released,
            values["key"],
            values["resource"],
            values["request"],
            OwnerState.THIS_PROCESS if won else state,
        )
        return ClaimResult(won, record)

    def _read_run_ids(self) -> list[str]:
        """Return the ids of the runs in the journal."""
        with self._file_lock, self._explain_errors():
            connection = self._connect()
            if connection is None or not (source := schema.source_of(connection)):
                return []
            statement = schema.SELECT_RUN_IDS.format(starts=source)
            rows = connection.execute(statement, {"backend": self._backend})
            return [run_id for (run_id,) in rows]

    def _records(self, condition: str, values: Mapping[str, Any]) -> list[StartRecord]:
        """Return the visible records that fulfil a condition; the latest last."""
        with self._file_lock, self._explain_errors():
            connection = self._connect()
            if connection is None or not (source := schema.source_of(connection)):
                return []
            statement = schema.SELECT_RECORDS.format(starts=source, condition=condition)
            rows = connection.execute(statement, values).fetchall()
        state = cache(self._owners.state)  # many starts have one owner
        return [
            StartRecord(
                datetime.fromisoformat(sent_at),
                _run_fields(*run),
                key,
                resource,
                request,
                OwnerState.ENDED if run[0] else state(process),
            )
            for sent_at, key, resource, request, process, *run in rows
            if not self._runs.is_released(run[0])
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
            if len(self._pending_work) == 1:
                self._latest_write = self._writer.submit(self._write_pending)
        return future

    def _write_pending(self) -> None:
        with self._lock:
            pending, self._pending_work = self._pending_work, []
        try:
            with self._file_lock, self._explain_errors():
                connection = self._create()
                try:
                    connection.execute("BEGIN IMMEDIATE")
                    answers = [self._answer(connection, *work) for work in pending]
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
        except BaseException as error:  # noqa: BLE001 - each waiter gets it
            for _, future in pending:
                future.set_exception(error)
        else:
            for answer in answers:
                answer()

    def _answer(
        self,
        connection: sqlite3.Connection,
        work: Callable[[sqlite3.Connection], Any],
        future: Future[Any],
    ) -> Callable[[], None]:
        """Do work in a transaction, and return the call that gives its result or its error."""
        # The failure of one work must not undo the others: they record runs that are paid.
        connection.execute("SAVEPOINT work")
        try:
            with self._explain_errors():
                result = work(connection)
        except Exception as error:
            if not connection.in_transaction:
                raise  # SQLite has undone all of them, for example on a full disk
            connection.execute("ROLLBACK TO work")
            return partial(future.set_exception, error)
        finally:
            if connection.in_transaction:
                connection.execute("RELEASE work")
        return partial(future.set_result, result)

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
        if schema.version_of(connection) > schema.VERSION:
            raise JournalError(
                self._path,
                "a newer version of pulumi_vod_workflow has written it",
                "use that version",
            )
        [[owner]] = connection.execute("PRAGMA application_id")
        if owner != schema.APPLICATION_ID and list(
            connection.execute("SELECT 1 FROM sqlite_master")
        ):
            raise JournalError(
                self._path,
                "it is a file of another program",
                "set `vod:journal` to another file",
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
                schema.create(connection)
                since = self._clock.now() - RELEASED_RETENTION
                connection.execute(schema.PRUNE_RELEASED, {"since": since.isoformat()})
            except sqlite3.Error:
                self._close()  # also ends the transaction of the script
                raise
            self._writable = True
        return connection

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        try:
            yield
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


def _run_fields(run_id: str | None, request_id: str | None, submitted_at: str | None) -> Any:
    """Return the fields of an accepted run; `None` without one."""
    if run_id is None:
        return None
    return dict(zip(RUN_FIELDS, (run_id, request_id, submitted_at), strict=True))
