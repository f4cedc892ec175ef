"""The end of the engine: a killed engine leaves the process of a provider behind."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

ENGINE_CHECK_INTERVAL: Final = 0.5
"""The interval of the checks of the engine's address after the end of its pipe, in seconds."""
REFUSALS: Final = 3
"""The number of refused checks in a row after which the engine is gone."""
WATCH: Final = "vod-engine-watch"
"""The name of the thread that waits for the end of the engine."""


def watch_engine(address: str, on_end: Callable[[], object]) -> None:
    """
    From now on, wait for the end of the engine, once in a process.

    The engine of a living operation never ends: both the pipe to the standard input must be closed,
    and the address must refuse connections.

    Args:
        address: the engine's; without one there is nothing to wait for.
        on_end: a thread calls it after the end of the engine.

    """
    if address and not any(thread.name == WATCH for thread in threading.enumerate()):
        threading.Thread(
            target=_call_after_end, args=[address, on_end], name=WATCH, daemon=True
        ).start()


def _call_after_end(address: str, on_end: Callable[[], object]) -> None:
    _wait_for_end_of_pipe()
    # The pipe may be closed while the engine lives: another program may start the provider.
    refusals = 0
    while refusals < REFUSALS:
        time.sleep(ENGINE_CHECK_INTERVAL)
        refusals = refusals + 1 if _refuses_connections(address) else 0
    on_end()


def _wait_for_end_of_pipe() -> None:
    """Wait until the engine, which writes nothing, closes its end of the standard input."""
    with suppress(OSError, ValueError):
        # A daemon thread must not hold the lock of `sys.stdin.buffer` when the process ends.
        while sys.stdin is not None and os.read(sys.stdin.fileno(), 1 << 12):
            pass


def _refuses_connections(address: str) -> bool:
    """Return whether nothing listens at an address any more."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=2).close()
    except ConnectionRefusedError:
        return True
    except (OSError, ValueError):  # this tells nothing about the engine
        return False
    return False
