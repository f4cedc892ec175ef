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

from pulumi_vod_workflow.dynamic.sdk_compat.call_context import current_call, host_servicer

LOG_TIMEOUT: Final = 2.0  # seconds
"""Longest wait until the engine takes a line."""


def tell(line: str) -> None:
    """Show the person who runs the operation a line."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - the host shows it to the person


def say_of_stack(text: str) -> None:
    """Show a passing line on the stack's row, if there are rows; never raises."""
    engine = _engine()
    if engine is not None:
        request = LogRequest(severity=LogSeverity.INFO, message=text, ephemeral=True)
        with suppress(grpc.RpcError):
            engine.Log(request, timeout=LOG_TIMEOUT)


class Row:
    """The row of the resource that the current call is about."""

    def __init__(self) -> None:
        call = current_call()
        self._urn = call.urn if call else ""

    def say(self, text: str, *, passing: bool = False, warning: bool = False) -> None:
        """
        Show a line on the resource's row, or plainly where that cannot be done; never raises.

        Args:
            text: what to say.
            passing: only until the next one; not shown at all where there are no rows.
            warning: as a warning.

        """
        engine = _engine() if self._urn else None
        if engine is not None:
            request = LogRequest(
                severity=LogSeverity.WARNING if warning else LogSeverity.INFO,
                message=text,
                urn=self._urn,
                ephemeral=passing,
            )
            with suppress(grpc.RpcError):
                engine.Log(request, timeout=LOG_TIMEOUT)
                return
        if not passing:
            name = self._urn.rpartition("::")[2]
            with suppress(OSError, ValueError):  # nobody listens any more
                tell(f"vod: {name}: {text}" if name else f"vod: {text}")


@cache
def _engine() -> EngineStub | None:
    """Return the engine that has started this process, if this is the SDK's host."""
    if host_servicer() is None or len(sys.argv) < 2:
        return None
    return EngineStub(grpc.insecure_channel(sys.argv[1]))
