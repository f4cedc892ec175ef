"""Parts that operations on many runs share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

import anyio
import anyio.to_thread

from pulumi_vod_workflow.core.operations import START_WORKFLOW
from pulumi_vod_workflow.core.progress import ProgressMessage
from pulumi_vod_workflow.core.text import defect_summary
from pulumi_vod_workflow.errors import AuthenticationError, CallError, JournalError, TransportError

# 50 requests a second (vod-api-facts 7) with answers of up to 1.3 s need 64. More calls would be
# more unknown outcomes in an outage.
MAX_CONCURRENT_CALLS: Final = 64  # calls

OnProgress = Callable[[ProgressMessage], None]

OnRead = Callable[[str, Mapping[str, Any]], None]
"""A function that receives the name of a run and its outputs after each read."""


async def for_each(
    names: Iterable[str],
    work: Callable[[str], Awaitable[None]],
    concurrency: Callable[[], int] = lambda: MAX_CONCURRENT_CALLS,
) -> None:
    """
    Do the work for each name, in order.

    Args:
        names: the names.
        work: the work.
        concurrency: the number of names at a time; read again after each work, and never lowered.

    """
    remaining = iter(names)
    workers = 0

    async def worker() -> None:
        for name in remaining:
            await work(name)
            add_workers()

    def add_workers() -> None:
        nonlocal workers
        while workers < concurrency():
            workers += 1
            tasks.start_soon(worker)

    async with anyio.create_task_group() as tasks:
        add_workers()


def internal_error(error: Exception) -> CallError:
    """Return the error of a start that failed by a defect of this package."""
    return CallError(
        START_WORKFLOW,
        f"{defect_summary(error)}; please report it",
        maybe_accepted=True,
        retryable=True,
    )


async def emit(on_progress: OnProgress, messages: Iterable[ProgressMessage]) -> None:
    """Show messages in a thread, because the event loop sends all requests; never raises."""
    for message in messages:
        with suppress(Exception):  # a failed message must not lose a run
            await anyio.to_thread.run_sync(on_progress, message)


def affects_every_start(error: CallError) -> bool:
    """Return whether the next start would fail for the same reason."""
    return isinstance(error, (AuthenticationError, JournalError)) or (
        isinstance(error, TransportError) and not error.sent
    )
