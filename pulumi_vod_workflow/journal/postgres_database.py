"""
The connection of a journal to a PostgreSQL database.

Every access is one transaction and one round trip, on one thread with one connection.
"""

# Writes that arrive during a transaction share the next one. So 400 starts at 50/s took 1.01 x
# ideal (journal-facts 5). Three round trips for each start would take 1.2 x at 100 ms.

from __future__ import annotations

import os
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import partial
from itertools import groupby
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlsplit, urlunsplit

import psycopg
import psycopg.conninfo
import psycopg.errors

from pulumi_vod_workflow.config.database_url import database_location, is_database_url
from pulumi_vod_workflow.errors import JournalError

T = TypeVar("T")

CONNECT_TIMEOUT: Final = 3
"""The longest wait for a connection to one address, in seconds."""

# With a reconnection it stays below `recorder.ACCEPTED_TIMEOUT`.
TRANSACTION_TIMEOUT: Final = 15.0
"""The longest wait for the answer to one transaction, in seconds."""

NO_ANSWER: Final = f"it has not answered for {TRANSACTION_TIMEOUT:.0f} seconds"

CONNECTION_DEFAULTS: Final[Mapping[str, Any]] = {
    "fallback_application_name": "pulumi_vod_workflow",
    # A connection that a firewall has dropped breaks before TRANSACTION_TIMEOUT, and is made again.
    "keepalives_idle": 30,  # seconds
    "tcp_user_timeout": 8_000,  # milliseconds
}
"""Parameters of libpq, unless the URL has them."""

MAX_TRIES: Final = 3
"""The number of times that a transaction is sent after deadlocks and broken connections."""

# Local to the transaction, because a connection pooler gives the connection to others.
SET_LOCK_TIMEOUT: Final = "SELECT set_config('lock_timeout', '10s', true)"

SELECT_NOW: Final = "SELECT clock_timestamp()"

INVALID_URL_REMEDY: Final = (
    "write `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`, with each special character of the "
    "password percent-encoded, and only with parameters of libpq"
)

NO_PERMISSION_REMEDY: Final = (
    "grant the role SELECT, INSERT, UPDATE and DELETE on the tables `vod_starts`, `vod_stacks` and "
    "`vod_journal`, or CREATE on their schema"
)

UNUSABLE_REMEDY: Final = (
    "check that this machine can connect to the server, and that the user, the password and the "
    "database of `vod:journal` are valid"
)

Statement = tuple[str, Mapping[str, Any]]

Rows = Sequence[Sequence[Any]]

Execute = Callable[[Iterable[Statement]], Sequence[Rows]]
"""A function that executes statements in one transaction, and returns the rows of each."""

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Tick:
    """A time of this machine, to measure how long ago another one was."""

    monotonic: float = field(default_factory=time.monotonic)
    wall: float = field(default_factory=time.time)

    def seconds_until(self, later: Tick) -> float:
        """Return the seconds to a later time, rather too many than too few."""
        # One clock stands while the machine sleeps, and the other one may be set back. A record
        # that seems too young would be sent again.
        return max(later.monotonic - self.monotonic, later.wall - self.wall)


class TableAccess(Enum):
    """The access to the tables of a journal."""

    NONE = "there are no tables"
    READ = "the role may only read them"
    WRITE = "the role may read and write them"


class UnusableDatabaseError(Exception):
    """An error of a database that the journal cannot use: the cause, and the remedy."""

    def __init__(self, why: str, remedy: str) -> None:
        self.remedy = remedy
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class Write(Generic[T]):
    """Statements of one transaction, which may have the statements of other writes, too."""

    statements: Sequence[Statement]
    to_result: Callable[[Sequence[Rows]], T]
    """Returns the result of the rows of each statement."""
    resource: str | None = None
    """The only resource whose rows the statements change; `None` if there are several."""
    create: bool = True
    """Whether to create the tables. Otherwise, a write without tables has no effect."""
    future: Future[T] = field(default_factory=Future)

    def answer(self, results: Sequence[Rows]) -> None:
        """Give the waiter the result of the committed statements."""
        try:
            self.future.set_result(self.to_result(results))
        except Exception as error:  # noqa: BLE001 - the waiter gets it
            self.future.set_exception(error)


class PostgresDatabase:
    """
    A database with the tables of a journal; usable from any thread.

    Args:
        url: as in `PostgresJournal`.
        find_tables: returns the access to the tables, and creates them on demand. It receives a
            function that executes a transaction, and whether to create.

    """

    def __init__(self, url: str, find_tables: Callable[[Execute, bool], TableAccess]) -> None:
        self._url = url
        self._find_tables = find_tables
        self._access = TableAccess.NONE
        self._is_denied = False
        self._worker = ThreadPoolExecutor(1, "vod-journal")
        """The only thread that uses the connection."""
        self._connection: Connection | None = None
        self._clock: tuple[datetime, Tick, Tick] | None = None
        """A time of the database, and the times of this machine before and after it."""
        self._lock = threading.Lock()
        """The lock of the scheduled writes."""
        self._pending_writes: list[Write[Any]] = []
        self._scheduled_write: Future[None] | None = None

    @property
    def location(self) -> str:
        """The URL for messages: host, port and database."""
        return database_location(self._url)

    @property
    def is_read_only(self) -> bool:
        """Whether the server has denied a write, or would deny it."""
        return self._is_denied or self._access is TableAccess.READ

    def time_at(self, tick: Tick) -> datetime:
        """
        Return the time of the database's clock at a time of this machine.

        A time since the connection is rather too late, and an earlier one too early: by one round
        trip at most. So no record seems too young, and no release seems older than this object.

        Raises:
            JournalError: when the first connection fails.

        """
        if self._clock is None:
            self._on_worker(self._connect)
        assert self._clock is not None, "a connection has a clock"  # noqa: S101 - for mypy
        moment, before, after = self._clock
        if tick.monotonic < before.monotonic:
            return moment - timedelta(seconds=tick.seconds_until(after))
        return moment + timedelta(seconds=before.seconds_until(tick))

    def read(self, *statements: Statement, create: bool = False) -> Sequence[Rows]:
        """
        Return the rows of each statement, after the scheduled writes; none without tables.

        Args:
            statements: the statements of one transaction.
            create: whether to create the tables.

        Raises:
            JournalError: when the tables are not readable, or with `create` not creatable.

        """
        return self._on_worker(lambda: self._execute(statements, create=create))

    def write(self, write: Write[T]) -> Future[T]:
        """Schedule a write. Writes that arrive during a transaction share the next one."""
        write.future.set_running_or_notify_cancel()  # a waiter cannot cancel the write
        with self._lock:
            self._pending_writes.append(write)
            if self._scheduled_write is None:
                self._scheduled_write = self._worker.submit(self._write_pending)
        return write.future

    def _on_worker(self, access: Callable[[], T]) -> T:
        with self._explain_errors():
            return self._worker.submit(access).result()

    def _write_pending(self) -> None:
        with self._lock:
            pending, self._pending_writes, self._scheduled_write = self._pending_writes, [], None
        self._commit(_in_lock_order(pending))

    def _commit(self, writes: Sequence[Write[Any]]) -> None:
        """Execute writes in one transaction, and give each its result or its error."""
        statements = [statement for write in writes for statement in write.statements]
        try:
            with self._explain_errors():
                create = any(write.create for write in writes)
                try:
                    found = iter(self._execute(statements, create=create))
                except psycopg.OperationalError:
                    raise  # the next transaction would fail, too
                except psycopg.Error:
                    # A role that may only read fails at each of them.
                    if len(writes) == 1 or self._access is not TableAccess.WRITE:
                        raise
                    found = None
        except BaseException as error:  # noqa: BLE001 - each waiter gets it
            for write in writes:
                write.future.set_exception(error)
            return
        if found is None:
            # The failure of one write must not undo the others: they record runs that are paid.
            middle = len(writes) // 2
            self._commit(writes[:middle])
            self._commit(writes[middle:])
            return
        for write in writes:
            write.answer([next(found) for _ in write.statements])

    def _execute(self, statements: Sequence[Statement], *, create: bool) -> Sequence[Rows]:
        """Execute statements in one transaction, and return the rows of each."""
        deadline = time.monotonic() + TRANSACTION_TIMEOUT
        for tries_left in reversed(range(MAX_TRIES)):
            connection = self._connect()
            try:
                if self._access is TableAccess.NONE:
                    self._access = self._find_tables(partial(_transaction, connection), create)
                if self._access is TableAccess.NONE:
                    break
                return _transaction(connection, [(SET_LOCK_TIMEOUT, {}), *statements])[1:]
            except psycopg.errors.UndefinedTable:
                self._access = TableAccess.NONE  # removed meanwhile
                if not tries_left:
                    raise
            except psycopg.OperationalError as error:
                if connection.broken and time.monotonic() >= deadline:
                    raise UnusableDatabaseError(NO_ANSWER, UNUSABLE_REMEDY) from None
                # A repetition has no other effect than the first try: its owner can claim again.
                is_deadlock = isinstance(error, psycopg.errors.DeadlockDetected)
                if not tries_left or not (is_deadlock or connection.broken):
                    raise
        return [()] * len(statements)

    def _connect(self) -> Connection:
        if self._connection is not None and self._connection.closed:
            self._connection, self._access = None, TableAccess.NONE
        if self._connection is None:
            connection = psycopg.connect(
                **self._parameters(),
                autocommit=True,
                prepare_threshold=None,  # a pooler may give each transaction another connection
            )
            weakref.finalize(self, connection.close)
            before = Tick()
            [[(now,)]] = _transaction(connection, [(SELECT_NOW, {})])
            self._clock = now.astimezone(UTC), before, Tick()
            self._connection = connection
        return self._connection

    def _parameters(self) -> Mapping[str, Any]:
        """
        Return libpq's parameters.

        Raises:
            UnusableDatabaseError: when the URL is not valid. The error has no part of the URL.

        """
        invalid = UnusableDatabaseError("its URL is not valid", INVALID_URL_REMEDY)
        if not is_database_url(self._url):
            raise invalid
        parts = urlsplit(self._url)
        # journal-facts 1: `table` is the table in which Pulumi keeps its states.
        query = (pair for pair in parts.query.split("&") if not pair.startswith("table="))
        url = urlunsplit(parts._replace(query="&".join(query)))
        try:
            found = psycopg.conninfo.conninfo_to_dict(url)
        except psycopg.ProgrammingError:
            raise invalid from None
        return {**CONNECTION_DEFAULTS, **found, "connect_timeout": CONNECT_TIMEOUT}

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        try:
            yield
        except UnusableDatabaseError as error:
            raise JournalError(self.location, str(error), error.remedy) from None
        except psycopg.Error as error:
            self._is_denied = isinstance(
                error,
                psycopg.errors.InsufficientPrivilege | psycopg.errors.ReadOnlySqlTransaction,
            )
            why, remedy = _explanation(error)
            # libpq names user, host and database, and never a password.
            line = str(error).partition("\n")[0]
            raise JournalError(self.location, f"{why} ({line})", remedy) from None


def _explanation(error: psycopg.Error) -> tuple[str, str]:
    """Return the cause of an error, and the remedy."""
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return "the role has no permission", NO_PERMISSION_REMEDY
    if isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
        return "the database is read-only", "set `vod:journal` to the primary server"
    if isinstance(error, psycopg.errors.LockNotAvailable):
        return "another process blocks it", "run the same command again"
    return "it is not usable", UNUSABLE_REMEDY


def _transaction(connection: Connection, statements: Iterable[Statement]) -> Sequence[Rows]:
    """Execute statements in one transaction and one round trip; return the rows of each."""
    cursors: list[psycopg.Cursor[tuple[Any, ...]]] = []
    failed: psycopg.Error | None = None
    try:
        # Without BEGIN, all statements up to the end of the pipeline are one transaction.
        with _bounded_wait(connection), connection.pipeline():
            try:
                for text, values in statements:
                    cursors.append(connection.execute(text, values or None))
            except psycopg.Error as error:
                failed = error  # psycopg logs a second error if this one leaves the pipeline
    except psycopg.Error as error:
        raise failed or error from None
    if failed:
        raise failed
    return [cursor.fetchall() if cursor.description else () for cursor in cursors]


@contextmanager
def _bounded_wait(connection: Connection) -> Iterator[None]:
    """Break a connection that has no answer within `TRANSACTION_TIMEOUT`."""
    # A duplicate: the number of a closed socket may be another file's when the timer ends.
    with socket.socket(fileno=os.dup(connection.fileno())) as duplicate:
        timer = threading.Timer(TRANSACTION_TIMEOUT, _break, [duplicate])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def _break(connected: socket.socket) -> None:
    with suppress(OSError):  # the other side may have broken it
        connected.shutdown(socket.SHUT_RDWR)


def _in_lock_order(writes: Iterable[Write[Any]]) -> list[Write[Any]]:
    """Return writes in an order in which two processes lock the same rows one after the other."""
    # The order of the writes to one resource stays. A deadlock of other writes is tried again.
    return [
        write
        for has_resource, group in groupby(writes, lambda write: write.resource is not None)
        for write in (
            sorted(group, key=lambda write: write.resource or "") if has_resource else group
        )
    ]
