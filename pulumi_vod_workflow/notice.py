"""What the person who runs an operation is told of it as a whole; each resource has its own row."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

from pulumi_vod_workflow.config import EMULATOR, Settings

_announced: set[str] = set()


def tell(line: str) -> None:
    """Show the person who runs the operation a line."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - the host shows it to the person


def announce(settings: Settings, say: Callable[[str], None] = tell) -> None:
    """
    Say once, in a preview too, where runs are started, and whether they are paid.

    And which keys of the project may have been meant as settings.
    """
    site = settings.site
    if site.endpoint == EMULATOR:
        line = (
            "vod: embedded emulator, nothing is real or paid; "
            f"its runs are in {settings.emulator_store}"
        )
    elif site.may_be_emulator:
        line = f"vod: runs are started at {site.endpoint}, on this machine"
    else:
        line = f"vod: runs are started, and paid, at {site.endpoint} ({site.region})"
    once(line, lambda: say(line))
    for doubt in settings.doubts:
        once(doubt, partial(say, f"vod: {doubt}"))


def once(what: str, say: Callable[[], None]) -> None:
    """Say something if `what` was not said before, for this operation or another of the process."""
    if what not in _announced:
        _announced.add(what)
        say()
