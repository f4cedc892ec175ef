"""The choice of the store of a journal."""

from __future__ import annotations

import threading
from pathlib import Path

from pulumi_vod_workflow.journal.store import Journal

_journals: dict[tuple[Path, str], Journal] = {}

_lock = threading.Lock()


def open_journal(path: Path, backend: str = "") -> Journal:
    """
    Return the journal of a backend; one object for each process and location.

    Args:
        path: the file.
        backend: the identity of the state backend.

    """
    from pulumi_vod_workflow.journal.sqlite import SqliteJournal  # noqa: PLC0415 - of this store

    with _lock:
        key = path, backend
        if key not in _journals:
            _journals[key] = SqliteJournal(path, backend)
        return _journals[key]
