"""
Faults on demand: before a request takes effect, or after it did and its answer is lost.

`http` answers with a status and code, `reset` closes the connection without an answer, `hang`
answers only after a while, `garbage` answers with a page that is no envelope.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
import threading
from dataclasses import dataclass, field
from typing import Any

from pulumi_vod_workflow.emulator.errors import TABLE
from pulumi_vod_workflow.emulator.wire import VERSIONS, Receive

KINDS = ("http", "reset", "hang", "garbage")
HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")
HEADER_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")


class ResetFault(ConnectionResetError):  # noqa: N818 - it is wanted
    """The connection is to be closed without an answer."""


@dataclass(slots=True)
class Fault:
    """What is to go wrong, and how often."""

    action: str
    kind: str
    when: str = "before"
    times: int = 1
    status: int = 500
    code: str = "InternalError"
    message: str | None = None
    seconds: float = 60.0
    headers: dict[str, str] = field(default_factory=dict)

    def problem(self) -> str | None:
        """Say what is wrong with this fault itself."""
        texts = {"code": self.code, "message": self.message or "", "kind": self.kind}
        for name, text in texts.items():
            if not isinstance(text, str):
                return f"{name} must be a string"
        if self.action not in list(VERSIONS):
            return f"action must be one of {', '.join(VERSIONS)}"
        if self.kind not in KINDS:
            return f"kind must be one of {', '.join(KINDS)}"
        if self.when not in ["before", "after"]:
            return "when must be before or after"
        if type(self.times) is not int or self.times < 0:
            return "times must be an integer, 0 or more"
        if type(self.status) is not int or not 200 <= self.status <= 599:
            return "status must be an integer from 200 to 599"
        if type(self.seconds) not in {int, float} or not 0 <= self.seconds < math.inf:
            return "seconds must be a number, 0 or more"
        if not isinstance(self.headers, dict) or not all(
            isinstance(value, str) and HEADER_NAME.fullmatch(name) and HEADER_VALUE.fullmatch(value)
            for name, value in self.headers.items()
        ):
            return "headers must be an object of header names and their values, strings"
        return None

    async def happen(
        self, metadata: dict[str, Any], receive: Receive
    ) -> tuple[int, dict[str, Any], dict[str, str]] | bytes:
        """Go wrong."""
        if self.kind == "reset":
            # Over uvicorn there is a transport to cut; in process the exception is the reset.
            transport = getattr(getattr(receive, "__self__", None), "transport", None)
            if transport is None:
                raise ResetFault("the emulator was told to reset this connection")
            transport.abort()
            await _until_gone(receive, 1)
        if self.kind == "hang":
            await _until_gone(receive, self.seconds)
        if self.kind == "garbage":
            return b"<html><body>502 Bad Gateway</body></html>"
        number, _, text = TABLE.get(self.code, (None, self.status, self.code))
        error: dict[str, Any] = {
            "Code": self.code,
            "Message": self.message or text.replace("{}", "emulated"),
        }
        if number is not None:
            error = {"CodeN": number, **error}
        return self.status, {"ResponseMetadata": {**metadata, "Error": error}}, self.headers


async def _until_gone(receive: Receive, seconds: float) -> None:
    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(gone(), seconds)


class Faults:
    """The faults that are still to happen, in the order they were asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Let this happen; 0 times clears the faults of its action."""
        with self._lock:
            if fault.times == 0:
                self._faults = [item for item in self._faults if item.action != fault.action]
            else:
                self._faults.append(fault)

    def clear(self) -> None:
        """Let nothing more go wrong."""
        with self._lock:
            self._faults.clear()

    def take(self, action: str) -> Fault | None:
        """Return the fault that happens to this request."""
        with self._lock:
            for fault in self._faults:
                if fault.action == action and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None
