"""The choice of the store of a journal."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

from pulumi_vod_workflow.config.journal_location import JournalKind, JournalLocation
from pulumi_vod_workflow.errors import JournalError
from pulumi_vod_workflow.journal.store import Journal

# A process imports only the store that it uses: obstore and psycopg take time to load.
STORES: Final[Mapping[JournalKind, str]] = {
    "file": "sqlite.SqliteJournal",
    "objects": "objects.ObjectJournal",
    "postgres": "postgres.PostgresJournal",
}
"""The kind of a store -> its module and class in this folder."""

_journals: dict[JournalLocation, Journal] = {}

_lock = threading.Lock()


def open_journal(location: JournalLocation) -> Journal:
    """
    Return the journal of a location; one object for each process and location.

    Raises:
        JournalError: when the driver of the store is not installed.

    """
    with _lock:
        if location not in _journals:
            _journals[location] = new_journal(location)
        return _journals[location]


def new_journal(location: JournalLocation) -> Journal:
    """
    Return another object for the journal of a location; its connection ends with it.

    Raises:
        JournalError: when the driver of the store is not installed.

    """
    module, _, name = STORES[location.kind].partition(".")
    try:
        store: Callable[[Any, str], Journal] = getattr(
            import_module(f"pulumi_vod_workflow.journal.{module}"), name
        )
    except ImportError:
        if location.kind != "postgres":
            raise
        raise JournalError(
            location,
            "the driver psycopg is not installed",
            "install the extra `postgres`: `pip install 'pulumi-vod-workflow[postgres]'`",
        ) from None
    return store(location.path or location.url, location.backend)
