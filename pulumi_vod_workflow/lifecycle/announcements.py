"""Lines about a whole engine operation. Lines about a resource go to its `ResourceLogger`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from threading import Lock, Timer
from typing import Final

from pulumi_vod_workflow.config.endpoint import EMULATOR
from pulumi_vod_workflow.config.settings import Settings
from pulumi_vod_workflow.core.text import pluralise

# Each update of the stack's row is a line in a log, so many resources share one update.
MAX_RESOURCES_COUNTED_AT_ONCE: Final = 20  # resources, each with an update of the stack's row
COUNT_INTERVAL: Final = 0.2  # seconds between two updates for more resources


class Announcements:
    """
    The lines of all resources of a process, each shown once.

    Args:
        print_line: shows a line of the engine operation.
        print_warning: shows a line of the engine operation as a warning.
        stack_status: shows a line on the stack's row until the next line.

    """

    def __init__(
        self,
        print_line: Callable[[str], None],
        print_warning: Callable[[str], object],
        stack_status: Callable[[str], None],
    ) -> None:
        self.print_line = print_line
        self._print_warning = print_warning
        self._stack_status = stack_status
        self._lock = Lock()
        self._shown: set[str] = set()
        self._counts: dict[str, int] = {}
        self._timer: Timer | None = None

    def once(self, key: str, show: Callable[[], object]) -> None:
        """Call `show`, unless this process has called it for the same key."""
        with self._lock:
            new = key not in self._shown
            self._shown.add(key)
        if new:
            show()

    def announce_endpoint(self, settings: Settings) -> None:
        """Show once where runs start, whether they are paid, and settings that may be mistyped."""
        for line in (settings.endpoint_notice, *settings.doubts):
            self.once(line, partial(self.print_line, f"vod: {line}"))

    def warn_of(self, warnings: Iterable[str]) -> None:
        """Show each warning about the whole engine operation once."""
        for text in warnings:
            self.once(text, partial(self._print_warning, f"vod: {text}"))

    def count_starts(self, resource_key: str, count: int, settings: Settings) -> None:
        """Count the runs that a resource starts; a replacement plans them twice."""
        kind = kind_of_run(settings)
        with self._lock:
            self._counts[resource_key] = count
            if self.has_many_starts:
                if self._timer is None:
                    self._timer = Timer(COUNT_INTERVAL, self._show_count, [kind])
                    self._timer.daemon = True
                    self._timer.start()
                return
        self._show_count(kind)

    @property
    def has_many_starts(self) -> bool:
        """Whether too many resources start runs for a lasting line each."""
        return len(self._counts) > MAX_RESOURCES_COUNTED_AT_ONCE

    def _show_count(self, kind: str) -> None:
        with self._lock:
            self._timer = None
            total = sum(self._counts.values())
            self._stack_status(f"{pluralise(total, f'{kind} run')} so far")


def kind_of_run(settings: Settings) -> str:
    """Return the cost of a new run: `paid`, or `emulated`, which is free."""
    return "emulated" if settings.site.endpoint == EMULATOR else "paid"


def a_run(settings: Settings) -> str:
    """Return the kind of a new run with article and noun."""
    kind = kind_of_run(settings)
    return f"{'an' if kind == 'emulated' else 'a'} {kind} run"
