"""What operations on many runs share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

import anyio
import anyio.to_thread

from pulumi_vod_workflow.core.operations import START_WORKFLOW
from pulumi_vod_workflow.core.progress import ProgressMessage
from pulumi_vod_workflow.errors import AuthenticationError, CallError, JournalError, TransportError

MAX_CONCURRENT_CALLS: Final = 64
"""Calls at a time: enough for answers that take 1.3 s, few enough to be lost in an outage."""

CANCEL_CHECK_INTERVAL: Final = 0.5
"""Seconds between two looks at the time, and at whether to stop."""

OnProgress = Callable[[ProgressMessage], None]

OnRead = Callable[[str, Mapping[str, Any]], None]
"""Takes the name of a run, and its outputs as just read."""


async def for_each(names: Iterable[str], work: Callable[[str], Awaitable[None]]) -> None:
    """Do the work for each name, in order, some at a time."""
    todo = iter(names)

    async def worker() -> None:
        for name in todo:
            await work(name)

    async with anyio.create_task_group() as tasks:
        for _ in range(MAX_CONCURRENT_CALLS):
            tasks.start_soon(worker)


def internal_error(error: Exception) -> CallError:
    """Return the error of a start that failed by a defect of this package."""
    return CallError(
        START_WORKFLOW,
        f"a defect of pulumi_vod_workflow ({type(error).__name__}); please report it",
        maybe_accepted=True,
        retryable=True,
    )


async def emit(say: OnProgress, lines: Iterable[ProgressMessage]) -> None:
    """Show lines without holding up the loop, through which everything is sent; never raises."""
    for line in lines:
        with suppress(Exception):  # a line that is not shown must not lose a run
            await anyio.to_thread.run_sync(say, line)


def affects_every_start(error: CallError) -> bool:
    """Tell whether the next start would fail the same way."""
    return isinstance(error, (AuthenticationError, JournalError)) or (
        isinstance(error, TransportError) and not error.sent
    )
