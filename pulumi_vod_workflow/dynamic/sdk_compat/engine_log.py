"""
The engine's log, which shows a line on the row of a resource or of the stack.

Private part: the engine's address, which is the first argument of the SDK's dynamic provider host.
The SDK's own `pulumi.log` reaches the engine from a program only.
Buys: a line appears on the row of its resource, passing or lasting, as information or a warning.
Without it: a lasting line appears on standard error with the resource's name; passing lines do not
appear.
Tested on: 3.268.0 and 3.272.0.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import cache

from pulumi_vod_workflow.dynamic.sdk_compat.call_context import host_servicer
from pulumi_vod_workflow.hosting.engine_log import EngineLog


def print_line(line: str) -> None:
    """Show a line of the operation; never raises."""
    # Standard error is closed after the end of the engine. A start that was sent still retries.
    with suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - the engine shows it to the user


def engine_address() -> str:
    """Return the address of the engine that has started this process; empty in another process."""
    return sys.argv[1] if host_servicer() is not None and len(sys.argv) > 1 else ""


@cache
def engine_log() -> EngineLog:
    """Return the log of that engine."""
    return EngineLog(engine_address())


def log_stack_status(text: str) -> None:
    """Show a line on the stack's row until the next one; a log without rows omits it."""
    engine_log().stack_status(text)


def print_warning(line: str) -> None:
    """Show a line of the operation as a warning; never raises."""
    if not engine_log().warning(line):
        print_line(f"warning: {line}")
