"""
The four threads of the SDK's dynamic provider host, which long operations give back while waiting.

Private part: the local variable `executor_reference` of a worker of `concurrent.futures`, and the
attributes of its pool that `NEEDED` lists.
Buys: as many operations as `pulumi up --parallel` allows, and a Ctrl-C that is noticed while all
four threads wait: the engine's Cancel needs a thread, too.
Without it: four operations at a time; a Ctrl-C is noticed when one of them ends. A batch needs one
thread only.
Tested on: 3.268.0 and 3.272.0.
"""

from __future__ import annotations

# ruff: noqa: SLF001 - see above
import inspect
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

NEEDED: Final = (
    "_adjust_thread_count",
    "_idle_semaphore",
    "_max_workers",
    "_threads",
    "_work_queue",
)
"""The pool's attributes that are read or changed."""

_lock = threading.Lock()


@contextmanager
def release_worker_thread() -> Iterator[None]:
    """Let the pool have one thread more for as long as this thread waits."""
    pool = _pool()
    if pool is None:
        yield
        return
    with _lock:
        if not isinstance(pool._idle_semaphore, _NoIdleThreads):
            pool._idle_semaphore = _NoIdleThreads()
        pool._max_workers += 1
        while not pool._work_queue.empty() and len(pool._threads) < pool._max_workers:
            pool._adjust_thread_count()
    try:
        yield
    finally:
        with _lock:
            pool._max_workers -= 1


class _NoIdleThreads:
    """
    A count of idle threads that is always zero, so that new work gets a new thread where it may.

    Python 3.11 counts a thread that goes from one piece of work to the next as idle for good. The
    next piece of work would get no thread, and wait until a wait ends.
    """

    def acquire(self, *_args: object, **_kwargs: object) -> bool:
        return False

    def release(self, *_args: object, **_kwargs: object) -> None:
        pass


def _pool() -> Any:
    """Return the pool that this thread belongs to, if the pool has all attributes needed."""
    frame = inspect.currentframe()
    while frame is not None:
        reference = frame.f_locals.get("executor_reference")
        pool = reference() if callable(reference) else None
        if isinstance(pool, ThreadPoolExecutor):
            return pool if all(hasattr(pool, name) for name in NEEDED) else None
        frame = frame.f_back
    return None
