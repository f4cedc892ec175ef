"""Follow unfinished runs until they are terminal. Reads only: the state does not change."""

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

from pulumi_vod_workflow.cli.runs.model import ListedRun, sort_runs
from pulumi_vod_workflow.cli.runs.render_table import phase_summary, render_table
from pulumi_vod_workflow.cli.sanitize import escape_controls
from pulumi_vod_workflow.config.clock import Clock
from pulumi_vod_workflow.config.endpoint import EMULATOR, endpoint_of_run
from pulumi_vod_workflow.config.settings import Settings
from pulumi_vod_workflow.core.end_estimates import run_durations_by_workflow
from pulumi_vod_workflow.core.progress import ProgressMessage
from pulumi_vod_workflow.errors import CallError
from pulumi_vod_workflow.lifecycle.reader import RunRef
from pulumi_vod_workflow.lifecycle.waiter import wait_for_runs
from pulumi_vod_workflow.transport.event_loop import BlockingClient, client_for

RESERVED_LINES: Final = 8
"""Lines of a terminal that the table leaves free."""


def connect_runs(
    runs: Mapping[str, Mapping[str, Any]], settings: Settings, print_line: Callable[[str], None]
) -> tuple[dict[str, RunRef], BlockingClient]:
    """
    Return references to recorded runs, at least one, and a client that waits for reads of them.

    Raises:
        ConfigurationError: there are no credentials for the endpoint of a run.

    """
    endpoints = {name: endpoint_of_run(run, settings.site) for name, run in runs.items()}
    for endpoint in dict.fromkeys(endpoints.values()):
        if endpoint.endpoint == EMULATOR:
            print_line(f"vod: {replace(settings, site=endpoint).endpoint_notice}")
    clients = {
        name: client_for(settings, endpoint, log=print_line) for name, endpoint in endpoints.items()
    }
    refs = {
        name: RunRef(
            clients[name].client, run["runId"], run.get("createTime") or run.get("submittedAt")
        )
        for name, run in runs.items()
    }
    return refs, next(iter(clients.values()))


def _connect_stacks(
    runs: Mapping[str, Mapping[str, Any]],
    stacks: Mapping[str, str],
    settings: Mapping[str, Settings],
    print_line: Callable[[str], None],
) -> tuple[dict[str, RunRef], BlockingClient]:
    refs: dict[str, RunRef] = {}
    clients: list[BlockingClient] = []
    for stack in dict.fromkeys(stacks.values()):
        own = {name: run for name, run in runs.items() if stacks[name] == stack}
        found, client = connect_runs(own, settings[stack], print_line)
        refs |= found
        clients.append(client)
    return refs, clients[0]  # all clients share one event loop


def follow_runs(
    runs: Sequence[ListedRun], settings: Mapping[str, Settings], out: Console, clock: Clock
) -> tuple[list[ListedRun], bool]:
    """
    Read runs until all are terminal, or until the user presses Ctrl-C; free.

    On a terminal the command redraws a table. Elsewhere it prints a line for each change, as a wait
    of the provider does, and a heartbeat at growing intervals.

    Args:
        runs: all runs of the list; terminal runs are not read again.
        settings: the keys, and the emulator's store, of each stack by its name.
        out: the console for lines and table.
        clock: the clock that ages are counted by.

    Returns:
        The runs with their last read outputs, and whether the user has cancelled.

    Raises:
        ConfigurationError: there are no credentials.

    """
    counts = Counter(run.label for run in runs)
    runs_by_name = {
        run.label if counts[run.label] == 1 else f"{run.label} ({run.run_id})": run for run in runs
    }

    def print_line(text: str) -> None:
        out.print(escape_controls(text), soft_wrap=True)

    def on_progress(line: ProgressMessage) -> None:
        if not (line.ephemeral or out.is_terminal):
            print_line(line.text)

    def on_read(name: str, outputs: Mapping[str, Any]) -> None:
        runs_by_name[name] = runs_by_name[name].with_outputs(outputs)

    def render() -> RenderableType:
        ordered, now = sort_runs([*runs_by_name.values()]), clock.now()
        max_rows = max(1, out.height - RESERVED_LINES)
        return Group(Text(phase_summary(ordered)), render_table(ordered, now, max_rows))

    unfinished = {name: run.outputs for name, run in runs_by_name.items() if not run.is_terminal}
    for name in [name for name, run in unfinished.items() if not isinstance(run["runId"], str)]:
        runs_by_name[name] = replace(
            runs_by_name[name], read_error="its runId is secret in the state"
        )
        del unfinished[name]
    if not unfinished:
        return sort_runs(runs_by_name.values()), False
    stacks = {name: runs_by_name[name].stacks[0] for name in unfinished}
    refs, client = _connect_stacks(unfinished, stacks, settings, print_line)
    with _cancel_on_ctrl_c() as is_cancelled, _live_table(render, out):
        waited = client.run(
            wait_for_runs,
            refs,
            timeout=math.inf,
            on_progress=on_progress,
            is_cancelled=is_cancelled,
            on_read=on_read,
            durations=run_durations_by_workflow(run.outputs for run in runs),
        )
    for name, error in {**waited.failing, **waited.unreadable}.items():
        run = runs_by_name[name]
        runs_by_name[name] = replace(run, read_error=_error_line(error, run))
    return sort_runs(runs_by_name.values()), waited.cancelled


def _error_line(error: CallError, run: ListedRun) -> str:
    if run.has_secret_inputs:
        error.redact_service_message()
    return " ".join(str(error).split("\n"))


@contextmanager
def _cancel_on_ctrl_c() -> Iterator[Callable[[], bool]]:
    """Yield a check for the first Ctrl-C; a second Ctrl-C ends the process."""
    cancelled = threading.Event()
    previous = signal.getsignal(signal.SIGINT)

    def cancel(*_: object) -> None:
        cancelled.set()
        signal.signal(signal.SIGINT, previous)

    signal.signal(signal.SIGINT, cancel)
    try:
        yield cancelled.is_set
    finally:
        signal.signal(signal.SIGINT, previous)


@contextmanager
def _live_table(render: Callable[[], RenderableType], out: Console) -> Iterator[None]:
    if not out.is_terminal:
        yield
        return
    with Live(get_renderable=render, console=out, refresh_per_second=2, transient=True):
        yield
