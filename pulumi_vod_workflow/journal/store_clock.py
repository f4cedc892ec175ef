"""The clock of a store, which dates the records: the clocks of machines differ."""

# journal-facts 7: the age of a record decides.

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from pulumi_vod_workflow.config.clock import Clock

# The store's time has whole seconds. Synchronised clocks are more exact.
CLOCK_TOLERANCE: Final = timedelta(seconds=3)
"""The difference to the store's clock below which this machine's clock dates the records."""


class StoreClock:
    """
    The store's clock, or this machine's clock if they agree.

    Args:
        machine: this machine's clock, which is used until `set_time`.

    """

    def __init__(self, machine: Clock) -> None:
        self._machine = machine
        self._offset = timedelta()
        """The store's time minus this machine's time."""
        self._opened_at = machine.now()

    @property
    def opened_at(self) -> datetime:
        """The time at which this clock was made."""
        return self._opened_at + self._offset

    def now(self) -> datetime:
        """Return the current time."""
        return self._machine.now() + self._offset

    def machine_time(self) -> datetime:
        """Return the current time of this machine's clock."""
        return self._machine.now()

    def set_time(self, time: datetime, before: datetime, after: datetime) -> None:
        """
        Use the store's clock if it does not fit this machine's.

        Args:
            time: a time of the store.
            before: the time of this machine before the store's.
            after: the time of this machine after the store's.

        """
        if not before - CLOCK_TOLERANCE <= time <= after + CLOCK_TOLERANCE:
            self._offset = time - before
