"""The engine's log, which shows a line on the row of a resource or of the stack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import grpc
from pulumi.runtime.proto.engine_pb2 import LogRequest, LogSeverity
from pulumi.runtime.proto.engine_pb2_grpc import EngineStub

LOG_TIMEOUT: Final = 2.0  # seconds
"""Longest wait until the engine takes a line."""


class EngineLog:
    """
    The log of one engine. No method raises.

    Args:
        address: the engine's; empty without an engine, and then each line is refused.

    """

    def __init__(self, address: str) -> None:
        self._engine = EngineStub(grpc.insecure_channel(address)) if address else None

    def send(self, request: LogRequest) -> bool:
        """Send a line to the engine, and return whether the engine took it; blocks."""
        if self._engine is None:
            return False
        try:
            self._engine.Log(request, timeout=LOG_TIMEOUT)
        except grpc.RpcError:
            return False
        return True

    def info(self, text: str) -> bool:
        """Show a lasting line of the whole operation, and return whether the engine took it."""
        return self.send(LogRequest(severity=LogSeverity.INFO, message=text))

    def warning(self, text: str) -> bool:
        """Show a warning about the whole operation, and return whether the engine took it."""
        return self.send(LogRequest(severity=LogSeverity.WARNING, message=text))

    def stack_status(self, text: str) -> None:
        """Show a line on the stack's row until the next one; a log without rows omits it."""
        self.send(LogRequest(severity=LogSeverity.INFO, message=text, ephemeral=True))


class EngineLogger:
    """
    The row of one resource. No method raises.

    Args:
        log: the engine's log.
        urn: the resource's; empty for lines of the whole operation.
        print_line: shows a lasting line that the engine did not take.

    """

    def __init__(self, log: EngineLog, urn: str, print_line: Callable[[str], object]) -> None:
        self._log = log
        self._urn = urn
        self._print_line = print_line

    def info(self, text: str) -> None:
        """Show a lasting line."""
        self._show(text, LogRequest(severity=LogSeverity.INFO, message=text, urn=self._urn))

    def warning(self, text: str) -> None:
        """Show a lasting line as a warning."""
        self._show(text, LogRequest(severity=LogSeverity.WARNING, message=text, urn=self._urn))

    def status(self, text: str) -> None:
        """Show a line until the next one; a log without rows omits it."""
        if self._urn:
            self._log.send(
                LogRequest(severity=LogSeverity.INFO, message=text, urn=self._urn, ephemeral=True)
            )

    def plan(self, text: str, *, lasting: bool) -> None:
        """
        Send a plan message for programs; without the resource's URN nothing is sent.

        Measured on engines 3.250.0 and 3.276.0: `preview --json` keeps only lasting lines of
        information and above. Streamed events and `--event-log` keep debug lines, too, and people
        see these only with `--debug`.
        """
        if self._urn:
            severity = LogSeverity.INFO if lasting else LogSeverity.DEBUG
            self._log.send(LogRequest(severity=severity, message=text, urn=self._urn))

    def _show(self, text: str, request: LogRequest) -> None:
        if self._urn and self._log.send(request):
            return
        name = self._urn.rpartition("::")[2]
        self._print_line(f"vod: {name}: {text}" if name else f"vod: {text}")
