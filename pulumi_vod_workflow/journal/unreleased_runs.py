"""The runs in a journal that no state is known to have."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from weakref import WeakMethod

from pulumi_vod_workflow.errors import JournalError


class UnreleasedRuns:
    """
    The ids of the runs in a journal; usable from any thread.

    A read of a state calls `release` for each of its runs. Most states have no run of the journal,
    so the ids are read once.

    Args:
        read: the journal's method that returns the ids of its runs. A `JournalError` counts as no
            run: a start needs the journal, and reports its error.

    """

    def __init__(self, read: Callable[[], Iterable[str]]) -> None:
        # A cycle would keep the journal's connection open until the next garbage collection.
        self._read = WeakMethod(read)
        self._lock = threading.RLock()
        self._unreleased: set[str] | None = None
        """The ids of the journal's runs; `None` before their first read."""
        self._released: set[str] = set()
        """The ids of runs whose removal is scheduled."""

    def load(self) -> set[str]:
        """Return the ids; reads the journal unless they are known."""
        with self._lock:
            if self._unreleased is None:
                self._unreleased, read = set(), self._read()
                with suppress(JournalError):
                    self._unreleased = {*read()} if read else set()
            return self._unreleased

    def forget(self) -> None:
        """Read the ids again at the next release: the journal has the runs of another one."""
        with self._lock:
            self._unreleased = None

    def add(self, run_id: str) -> None:
        """Add the run of an accepted start."""
        with self._lock:
            self._released.discard(run_id)
            self.load().add(run_id)

    def release(self, run_ids: Iterable[str]) -> set[str]:
        """Return those of some runs that the journal has. They count as released from now on."""
        with self._lock:
            runs = self.load().intersection(run_ids)
            self.load().difference_update(runs)
            self._released |= runs
            return runs

    def is_released(self, run_id: str | None) -> bool:
        """Return whether the removal of a run is scheduled."""
        return run_id in self._released
