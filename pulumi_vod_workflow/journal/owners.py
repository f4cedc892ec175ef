"""
The processes that send starts: whether the process of a claim is still alive.

A start of a dead process gets no answer any more, so the user decides about it. A start of a living
process is never sent by a second process.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, Protocol
from uuid import uuid4

from pulumi_vod_workflow.core.recovery import OwnerState
from pulumi_vod_workflow.journal.store import PENDING_PROCESS

# A process makes its file and locks it at once. The age keeps the two steps apart from a removal.
PRUNE_AFTER: Final = 3600.0
"""The age of a dead process's file at its removal, in seconds."""

_WITHOUT_PROCESS: Final = {None: OwnerState.ENDED, PENDING_PROCESS: OwnerState.PENDING}


class OwnerProcesses(Protocol):
    """The processes whose claims a journal has."""

    def own_id(self) -> str:
        """
        Return the id of this process. It is in the records of its claims.

        Raises:
            OSError: when the process cannot show that it is alive.

        """

    def state(self, process: str | None) -> OwnerState:
        """
        Return whether a process is alive; never raises.

        Args:
            process: the id in a record; `None` in records of older releases.

        """


class _ProcessId:
    """The random id of this process. A fork gets another one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid, self._id = 0, ""

    def __call__(self) -> str:
        with self._lock:
            if self._pid != os.getpid():
                self._pid, self._id = os.getpid(), uuid4().hex
            return self._id


process_id: Final = _ProcessId()
"""Return the random id of this process."""


class UnknownProcesses:
    """The owners in a store that many machines share: it knows its own process only."""

    def own_id(self) -> str:
        """Return the id of this process."""
        return process_id()

    def state(self, process: str | None) -> OwnerState:
        """Return whether a process is this one; of all others, nothing is known."""
        if process in _WITHOUT_PROCESS:
            return _WITHOUT_PROCESS[process]
        return OwnerState.THIS_PROCESS if process == process_id() else OwnerState.UNKNOWN


# A lock ends with its process, also after a kill. A process id alone would not do: the system gives
# it to other processes, and a container has its own ones. The locks of SQLite work on all systems,
# and the journal in the same folder relies on them, too.
class LockFiles:
    """
    The owners in a file of one machine: each living process locks one file.

    Args:
        folder: the folder of the files; the first claim of a process creates it.

    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def own_id(self) -> str:
        """
        Return the id of this process, and lock its file until the process ends.

        Raises:
            OSError: when the file cannot be written or locked.

        """
        own = process_id()
        with _locks_lock:
            path = self._folder / own
            if path not in _locks:
                self._folder.mkdir(parents=True, exist_ok=True)
                path.touch(mode=0o600)
                try:
                    _locks[path] = _lock_file(path)
                except sqlite3.Error as error:
                    raise OSError(f"{path}: {error}") from None
                self._prune()
        return own

    def state(self, process: str | None) -> OwnerState:
        """Return whether a process is alive: whether its file is locked."""
        if process is None or process in _WITHOUT_PROCESS:
            return _WITHOUT_PROCESS[process]
        if process == process_id():
            return OwnerState.THIS_PROCESS
        path = self._folder / process
        if not path.exists():
            return OwnerState.UNKNOWN  # removed by hand, or long after the end of the process
        return OwnerState.LIVING if _is_locked(path) else OwnerState.ENDED

    def _prune(self) -> None:
        """Remove the files of processes that ended long ago."""
        with suppress(OSError):
            for path in self._folder.iterdir():
                with suppress(OSError):  # another process may remove the same file
                    age = time.time() - path.stat().st_mtime
                    if path not in _locks and age > PRUNE_AFTER and not _is_locked(path):
                        path.unlink()


_locks: Final[dict[Path, sqlite3.Connection]] = {}
"""The locked files of this process."""

_locks_lock: Final = threading.Lock()


def _lock_file(path: Path) -> sqlite3.Connection:
    """Return a connection that locks a file until it is closed."""
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = MEMORY")  # else a kill leaves a second file
        connection.execute("BEGIN EXCLUSIVE")
    except BaseException:
        connection.close()
        raise
    return connection


def _is_locked(path: Path) -> bool:
    """Return whether another process has locked a file; does not lock it."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", 0, uri=True)) as reader:
            reader.execute("SELECT 1 FROM sqlite_master").fetchall()
    except sqlite3.OperationalError as error:
        return error.sqlite_errorcode == sqlite3.SQLITE_BUSY
    except sqlite3.Error:
        return False
    return False
