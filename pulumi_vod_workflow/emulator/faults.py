"""
Faults on demand: before a request takes effect, or after it did and its answer is lost.

`http` answers with a code and its status, `reset` closes the connection without an answer, `hang`
answers so only after a while, `truncated` closes it within the answer, `html` answers with a page
and `garbage` with bytes that are no text.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from pulumi_vod_workflow.emulator.errors import ServiceError
from pulumi_vod_workflow.emulator.http import VERSIONS, HttpResponse, Receive


class ResetFault(ConnectionResetError):  # noqa: N818 - it is wanted
    """The connection is to be closed without an answer."""


def _check_action(value: str) -> str:
    if value not in VERSIONS:
        raise ValueError(f"must be one of {', '.join(VERSIONS)}")
    return value


def _check_status(status: int) -> int:
    if status in {204, 205, 304}:
        raise ValueError("must be one that has a body")
    return status


def _check_header(name: str) -> str:
    if name.lower() in {"content-length", "transfer-encoding", "connection"}:
        raise ValueError("is the connection's own")
    return name.lower()


class Fault(BaseModel):
    """What is to go wrong, and how often."""

    model_config = ConfigDict(strict=True, extra="forbid")

    action: Annotated[str, AfterValidator(_check_action)]
    kind: Literal["http", "reset", "hang", "truncated", "html", "garbage"]
    when: Literal["before", "after"] = "before"
    """Whether the request takes effect: `after` loses the answer of one that did."""
    times: Annotated[int, Field(ge=0, lt=2**31)] = 1
    """0 clears the faults of its action."""
    chance: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Share of the action's requests that it falls to, drawn by the seed."""
    status: Annotated[int, Field(ge=200, le=599), AfterValidator(_check_status)] | None = None
    """By default what belongs to the code, and 200 where there is none."""
    code: str = "InternalError"
    message: str | None = None
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 60.0
    """How long a hang takes."""
    headers: dict[
        Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+\z"), AfterValidator(_check_header)],
        Annotated[str, Field(pattern=r"^[!-~]([ -~]*[!-~])?\z")],
    ] = Field(default_factory=dict)


class ActiveFault(Fault):
    """A fault that happens now, out of the books."""

    number: int
    """Where it stands in the books."""


async def apply_fault(fault: Fault, receive: Receive) -> HttpResponse:
    """Go wrong."""
    if fault.kind == "reset":
        await abort_connection(receive, with_what_is_sent=False)
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


async def abort_connection(receive: Receive, *, with_what_is_sent: bool) -> None:
    """
    Close the connection under a request, after what has been sent of its answer, or at once.

    Raises:
        ResetFault: in process, where there is no connection.

    """
    transport = getattr(getattr(receive, "__self__", None), "transport", None)
    if transport is None:
        raise ResetFault("the emulator was told to break this connection")
    if with_what_is_sent:
        transport.close()
    else:
        transport.abort()
    await _wait_for_disconnect(receive, 1)


async def _wait_for_disconnect(receive: Receive, seconds: float) -> None:
    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(gone(), seconds)
