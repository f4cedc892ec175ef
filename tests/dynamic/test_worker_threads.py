"""The slots of the SDK's host: its pool of threads, in which the engine's Cancel queues, too."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from pulumi_vod_workflow.dynamic.sdk_compat.worker_threads import release_worker_thread

SLOTS = 4


@pytest.mark.parametrize("waits", [1, SLOTS, 3 * SLOTS])
@pytest.mark.parametrize("before", [0, SLOTS, 10 * SLOTS])
def test_a_word_gets_through_however_many_wait(waits: int, before: int) -> None:
    """Whatever came before: a busy pool of Python 3.11 takes busy threads for idle ones."""
    ended = threading.Event()
    waiting = threading.Semaphore(0)

    def waits_on() -> None:
        with release_worker_thread():
            waiting.release()
            ended.wait(30)

    with ThreadPoolExecutor(SLOTS) as pool:
        hold = threading.Event()
        early = [pool.submit(hold.wait, 30) for _ in range(before)]
        hold.set()
        wait(early, 10)
        made = [pool.submit(waits_on) for _ in range(waits)]
        try:
            assert all(waiting.acquire(timeout=5) for _ in range(waits))
            assert pool.submit(lambda: "stop").result(5) == "stop"
        finally:
            ended.set()
        wait(made, 10)
