"""
Faults on demand, before a request has an effect, or after it: then the response is lost.

- `http` responds with a code and its status.
- `reset` closes the connection without a response.
- `hang` responds as `http` does, after a delay.
- `truncated` closes the connection within the response.
- `html` responds with a page, and `garbage` with bytes that are no text.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from pulumi_vod_workflow.emulator.errors import ServiceError
from pulumi_vod_workflow.emulator.http import VERSIONS, HttpResponse, Receive


class ResetFault(ConnectionResetError):  # noqa: N818 - a fault, not an error of the emulator
    """An error that closes the connection without a response."""


def _check_action(value: str) -> str:
    if value not in VERSIONS:
        raise ValueError(f"must be one of {', '.join(VERSIONS)}")
    return value


def _check_status(status: int) -> int:
    if status in {204, 205, 304}:
        raise ValueError("must be a status with a body")
    return status


def _check_header(name: str) -> str:
    if name.lower() in {"content-length", "transfer-encoding", "connection"}:
        raise ValueError("must not be a header of the connection")
    return name.lower()


class Fault(BaseModel):
    """A fault, and the requests that it applies to."""

    model_config = ConfigDict(strict=True, extra="forbid")

    action: Annotated[str, AfterValidator(_check_action)]
    kind: Literal["http", "reset", "hang", "truncated", "html", "garbage"]
    when: Literal["before", "after"] = "before"
    """`before`: the request has no effect. `after`: it has, and its response is lost."""
    times: Annotated[int, Field(ge=0, lt=2**31)] = 1
    """Number of requests; 0 removes the faults of the action."""
    chance: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Share of the action's requests with the fault, drawn by the seed."""
    status: Annotated[int, Field(ge=200, le=599), AfterValidator(_check_status)] | None = None
    """HTTP status; default: that of the code, and 200 for a kind without a code."""
    code: str = "InternalError"
    message: str | None = None
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 60.0
    """Length of a hang, in seconds."""
    headers: dict[
        Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+\z"), AfterValidator(_check_header)],
        Annotated[str, Field(pattern=r"^[!-~]([ -~]*[!-~])?\z")],
    ] = Field(default_factory=dict)


class ActiveFault(Fault):
    """A fault that applies to a request now; the store has counted it."""

    number: int
    """Its number in the store."""


async def apply_fault(fault: Fault, receive: Receive) -> HttpResponse:
    """Return the response of a fault, or raise its error."""
    if fault.kind == "reset":
        await abort_connection(receive, after_sent_part=False)
    if fault.kind == "hang":
        await _wait_for_disconnect(receive, fault.seconds)
    status = fault.status or 200
    if fault.kind == "truncated":
        return HttpResponse(
            status, b'{"ResponseMetadata": {"RequestId": "', fault.headers, missing_bytes=99
        )
    if fault.kind == "html":
        headers = {"content-type": "text/html", **fault.headers}
        return HttpResponse(status, b"<html><body>502 Bad Gateway</body></html>", headers)
    if fault.kind == "garbage":
        return HttpResponse(status, bytes(range(256)), fault.headers)
    raise ServiceError(
        fault.code, status=fault.status, message=fault.message, headers=fault.headers
    )


async def abort_connection(receive: Receive, *, after_sent_part: bool) -> None:
    """
    Close the connection of a request, at once, or after the sent part of the response.

    Raises:
        ResetFault: the emulator runs in process, without a connection.

    """
    transport = getattr(getattr(receive, "__self__", None), "transport", None)
    if transport is None:
        raise ResetFault("a fault of the emulator has closed this connection")
    if after_sent_part:
        transport.close()
    else:
        transport.abort()
    await _wait_for_disconnect(receive, 1)


async def _wait_for_disconnect(receive: Receive, seconds: float) -> None:
    async def disconnected() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(disconnected(), seconds)
