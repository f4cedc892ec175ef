"""Follow unfinished runs until they have ended: reads only, and no state is changed."""

from __future__ import annotations

import math
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from pulumi_vod_workflow.cli.formatting import escape_controls
from pulumi_vod_workflow.cli.runs.model import Run, in_order
from pulumi_vod_workflow.cli.runs.render_table import summary, table
from pulumi_vod_workflow.config.clock import Clock
from pulumi_vod_workflow.config.endpoint import EMULATOR, endpoint_of_run
from pulumi_vod_workflow.config.settings import Settings
from pulumi_vod_workflow.core.progress import ProgressMessage
from pulumi_vod_workflow.errors import CallError
from pulumi_vod_workflow.lifecycle.reader import RunRef
from pulumi_vod_workflow.lifecycle.waiter import wait_for_runs
from pulumi_vod_workflow.transport.event_loop import BlockingClient, client_for

AROUND: Final = 8
"""Lines of a terminal that the table leaves to others."""


def connect_runs(
    runs: Mapping[str, Mapping[str, Any]], settings: Settings, say: Callable[[str], None]
) -> tuple[dict[str, RunRef], BlockingClient]:
    """
    Return recorded runs, of which there are some, as ones that can be read, and what waits for it.

    Raises:
        ConfigurationError: when there are no credentials for where they are.

    """
    sites = {name: endpoint_of_run(run, settings.site) for name, run in runs.items()}
    for site in dict.fromkeys(sites.values()):
        if site.endpoint == EMULATOR:
            say(f"vod: {replace(settings, site=site).endpoint_notice}")
    reached = {name: client_for(settings, site, log=say) for name, site in sites.items()}
    targets = {
        name: RunRef(
            reached[name].client, run["runId"], run.get("createTime") or run.get("submittedAt")
        )
        for name, run in runs.items()
    }
    return targets, next(iter(reached.values()))


def watch(
    runs: Sequence[Run], settings: Settings, out: Console, clock: Clock
) -> tuple[list[Run], bool]:
    """
    Read runs until all have ended, or the person presses Ctrl-C; free.

    On a terminal they are a table that is drawn anew; elsewhere there is a line for each change, as
    a wait of the provider tells them, and a heartbeat that gets slower.

    Args:
        runs: all that are to be shown; those that have ended are not read.
        settings: the keys, and where the emulator is.
        out: where to tell.
        clock: what ages are counted by.

    Returns:
        The runs as last read, and whether the person has stopped it.

    Raises:
        ConfigurationError: when there are no credentials.

    """
    alike = Counter(run.name for run in runs)
    known = {
        run.name if alike[run.name] == 1 else f"{run.name} ({run.run_id})": run for run in runs
    }

    def say(text: str) -> None:
        out.print(escape_controls(text), soft_wrap=True)

    def tell(line: ProgressMessage) -> None:
        if not (line.ephemeral or out.is_terminal):
            say(line.text)

    def seen(name: str, outputs: Mapping[str, Any]) -> None:
        known[name] = known[name].now_known(outputs)

    def drawn() -> RenderableType:
        ordered, now = in_order([*known.values()]), clock.now()
        most = max(1, out.height - AROUND)
        return Group(Text(summary(ordered)), table(ordered, now, most))

    asked = {name: run.outputs for name, run in known.items() if not run.ended}
    for name in [name for name, run in asked.items() if not isinstance(run["runId"], str)]:
        known[name] = replace(known[name], trouble="its runId is secret in the state")
        del asked[name]
    if not asked:
        return in_order(known.values()), False
    targets, connection = connect_runs(asked, settings, say)
    with _stopped() as stopped, _live(drawn, out):
        waited = connection.run(
            wait_for_runs, targets, timeout=math.inf, say=tell, is_cancelled=stopped, on_read=seen
        )
    for name, error in {**waited.failing, **waited.unreadable}.items():
        known[name] = replace(known[name], trouble=_told(error, known[name]))
    return in_order(known.values()), waited.cancelled


def _told(error: CallError, run: Run) -> str:
    if run.secret:
        error.redact_service_message()
    return " ".join(str(error).split("\n"))


@contextmanager
def _stopped() -> Iterator[Callable[[], bool]]:
    """Take the first Ctrl-C as a wish to stop; a second one ends the process."""
    asked = threading.Event()
    before = signal.getsignal(signal.SIGINT)

    def ask(*_: object) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, ask)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _live(drawn: Callable[[], RenderableType], out: Console) -> Iterator[None]:
    if not out.is_terminal:
        yield
        return
    with Live(get_renderable=drawn, console=out, refresh_per_second=2, transient=True):
        yield
