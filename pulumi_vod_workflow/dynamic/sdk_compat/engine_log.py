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
from typing import Final

import grpc
from pulumi.runtime.proto.engine_pb2 import LogRequest, LogSeverity
from pulumi.runtime.proto.engine_pb2_grpc import EngineStub

from pulumi_vod_workflow.dynamic.sdk_compat.call_context import host_servicer

LOG_TIMEOUT: Final = 2.0  # seconds
"""Longest wait until the engine takes a line."""


def print_line(line: str) -> None:
    """Show a line of the operation; never raises."""
    # Standard error is closed after the end of the engine. A start that was sent still retries.
    with suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - the engine shows it to the user


def print_warning(line: str) -> None:
    """Show a line of the operation as a warning; never raises."""
    if not _log(LogRequest(severity=LogSeverity.WARNING, message=line)):
        print_line(f"warning: {line}")


def log_stack_status(text: str) -> None:
    """Show a line on the stack's row until the next one; a log without rows omits it."""
    _log(LogRequest(severity=LogSeverity.INFO, message=text, ephemeral=True))


class EngineLogger:
    """
    The row of one resource. No method raises.

    Args:
        urn: the resource's; empty for lines on standard error.

    """

    def __init__(self, urn: str) -> None:
        self._urn = urn

    def info(self, text: str) -> None:
        """Show a lasting line."""
        self._show(text, LogRequest(severity=LogSeverity.INFO, message=text, urn=self._urn))

    def warning(self, text: str) -> None:
        """Show a lasting line as a warning."""
        self._show(text, LogRequest(severity=LogSeverity.WARNING, message=text, urn=self._urn))

    def status(self, text: str) -> None:
        """Show a line until the next one; a log without rows omits it."""
        if self._urn:
            request = LogRequest(
                severity=LogSeverity.INFO, message=text, urn=self._urn, ephemeral=True
            )
            _log(request)

    def plan(self, text: str, *, lasting: bool) -> None:
        """
        Send a plan message for programs; without the resource's URN nothing is sent.

        Measured on engines 3.250.0 and 3.276.0: `preview --json` keeps only lasting lines of
        information and above. Streamed events and `--event-log` keep debug lines, too, and people
        see these only with `--debug`.
        """
        if self._urn:
            severity = LogSeverity.INFO if lasting else LogSeverity.DEBUG
            _log(LogRequest(severity=severity, message=text, urn=self._urn))

    def _show(self, text: str, request: LogRequest) -> None:
        if self._urn and _log(request):
            return
        name = self._urn.rpartition("::")[2]
        print_line(f"vod: {name}: {text}" if name else f"vod: {text}")


def _log(request: LogRequest) -> bool:
    """Send a line to the engine, and return whether the engine took it."""
    engine = _engine()
    if engine is None:
        return False
    try:
        engine.Log(request, timeout=LOG_TIMEOUT)
    except grpc.RpcError:
        return False
    return True


def engine_address() -> str:
    """Return the address of the engine that has started this process; empty in another process."""
    return sys.argv[1] if host_servicer() is not None and len(sys.argv) > 1 else ""


@cache
def _engine() -> EngineStub | None:
    address = engine_address()
    return EngineStub(grpc.insecure_channel(address)) if address else None
