"""What the person who runs an operation is told of it as a whole; each resource has its own row."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Lock, Timer
from typing import Final

from pulumi_vod_workflow.config.endpoint import EMULATOR
from pulumi_vod_workflow.config.settings import Settings
from pulumi_vod_workflow.dynamic.sdk_compat.host import tell

FEW: Final = 20
"""Resources up to which each that starts runs is a line of its own on the stack's row."""
INTERVAL: Final = 0.2
"""Seconds between two such lines when there are more: a log has each of them."""

_announced: set[str] = set()


def announce(settings: Settings, say: Callable[[str], None] = tell) -> None:
    """
    Say once, in a preview too, where runs are started, and whether they are paid.

    And which keys of the project may have been meant as settings.
    """
    line = f"vod: {settings.where_runs_start}"
    once(line, lambda: say(line))
    for doubt in settings.doubts:
        once(doubt, partial(say, f"vod: {doubt}"))


class Tally:
    """How many runs an operation starts so far: each of a few shown at once, many now and then."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._lock = Lock()
        self._counts: dict[str, int] = {}
        self._timer: Timer | None = None

    def add(self, who: str, count: int, settings: Settings) -> None:
        """Take note of the runs that a resource starts; a replacement plans them twice."""
        kind = kind_of_run(settings)
        with self._lock:
            self._counts[who] = count
            if len(self._counts) > FEW:
                if self._timer is None:
                    self._timer = Timer(INTERVAL, self._show, [kind])
                    self._timer.daemon = True
                    self._timer.start()
                return
        self._show(kind)

    @property
    def is_many(self) -> bool:
        """Whether so many resources start runs that a lasting line for each is too much."""
        return len(self._counts) > FEW

    def _show(self, kind: str) -> None:
        with self._lock:
            self._timer = None
            total = sum(self._counts.values())
            self._say(f"{total:,} {kind} run{'' if total == 1 else 's'} so far")


def kind_of_run(settings: Settings) -> str:
    """Return what a run is that is started now: a paid one, or one that costs nothing."""
    return "emulated" if settings.site.endpoint == EMULATOR else "paid"


def a_run(settings: Settings) -> str:
    """Return the same for one of them."""
    kind = kind_of_run(settings)
    return f"{'an' if kind == 'emulated' else 'a'} {kind} run"


def once(what: str, say: Callable[[], None]) -> None:
    """Say something if `what` was not said before, for this operation or another of the process."""
    if what not in _announced:
        _announced.add(what)
        say()
