"""
Faults on demand: before a request takes effect, or after it did and its answer is lost.

`http` answers with a status and code, `reset` closes the connection without an answer, `hang`
answers only after a while, `garbage` answers with a page that is no envelope.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from pulumi_vod_workflow.emulator.errors import TABLE
from pulumi_vod_workflow.emulator.wire import VERSIONS, Receive


class ResetFault(ConnectionResetError):  # noqa: N818 - it is wanted
    """The connection is to be closed without an answer."""


def _action(value: str) -> str:
    if value not in VERSIONS:
        raise ValueError(f"must be one of {', '.join(VERSIONS)}")
    return value


class Fault(BaseModel):
    """What is to go wrong, and how often."""

    model_config = ConfigDict(strict=True, extra="forbid")

    action: Annotated[str, AfterValidator(_action)]
    kind: Literal["http", "reset", "hang", "garbage"]
    when: Literal["before", "after"] = "before"
    """Whether the request takes effect: `after` loses the answer of one that did."""
    times: Annotated[int, Field(ge=0, lt=2**31)] = 1
    """0 clears the faults of its action."""
    status: Annotated[int, Field(ge=200, le=599)] = 500
    code: str = "InternalError"
    message: str | None = None
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 60.0
    """How long a hang takes."""
    headers: dict[
        Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+\z")],
        Annotated[str, Field(pattern=r"^[!-~]([ -~]*[!-~])?\z")],
    ] = Field(default_factory=dict)

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
