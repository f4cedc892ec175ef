"""
A gate between provider and emulator, which forwards bytes unchanged, and can stop starts.

A start passes four points:

- `connect`: the connection exists, and the gate has received nothing.
- `sent`: the gate has received the whole request, and the service has not.
- `accepted`: the service has sent its response, and the client has not received it.
- `answered`: the gate has sent the response to the client.

A `Trap` stops one start, by its number at the point or by a text of its request, until its release.
All other starts pass.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, Self
from urllib.parse import urlsplit

Point = Literal["connect", "sent", "accepted", "answered"]
LARGEST: Final = 1 << 20
"""Size of a request's head, in bytes."""
STARTS: Final = b"Action=StartWorkflow&"
LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
RUN_ID: Final = re.compile(rb'"RunId": ?"([^"]+)"')


@dataclass(slots=True)
class Passage:
    """One request of a start that the gate has received whole."""

    status: int | None = None
    """The status of the response; `None` without a response, or if the request was lost."""
    run_id: str | None = None
    """The run that the request started or joined."""
    delivered: bool = False
    """Whether the gate has sent the response to the client."""


class Trap:
    """
    A trap that stops one start at a point.

    Args:
        point: the point.
        number: the number of the start among all starts that reach the point, from 1.
        text: in place of the number, a text of the request; at `sent` only.

    """

    def __init__(self, point: Point, number: int, text: str = "") -> None:
        self.point = point
        self.number = number
        self.text = text.encode()
        self.reached = threading.Event()
        """A start has reached the trap."""
        self.lost = False
        """Whether the released start is lost."""
        self._open = threading.Event()

    def release(self, *, lost: bool = False) -> None:
        """Release the start, or lose it with its connection."""
        self.lost = lost
        self._open.set()

    async def hold(self) -> None:
        """Stop a start until the release."""
        self.reached.set()
        while not self._open.is_set():  # noqa: ASYNC110 - another thread sets it
            await asyncio.sleep(0.002)


class Gate:
    """
    A running gate: `with Gate(emulator.url) as gate: ... gate.url`.

    Args:
        service: URL of the emulator.

    """

    def __init__(self, service: str) -> None:
        parts = urlsplit(service)
        self._service = (parts.hostname or "", parts.port or 0)
        self._traps: list[Trap] = []
        self._came: dict[str, int] = {}
        self._connections: set[asyncio.Task[None]] = set()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gate", daemon=True)
        self.passages: list[Passage] = []
        """All starts that the gate has received whole, in their order."""
        self.url = ""
        """The URL for clients."""

    def __enter__(self) -> Self:
        """Start the gate."""
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the gate did not open within 10 s")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop the gate, and close all connections."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)

    def trap(self, point: Point, number: int = 1, *, text: str = "") -> Trap:
        """Set a trap for the next starts at a point."""
        trap = Trap(point, number + self._came.get(point, 0), text)
        self._traps.append(trap)
        return trap

    @property
    def open(self) -> int:
        """The number of connections."""
        return len(self._connections)

    # -- in the gate's own thread -------------------------------------------------------------

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=LARGEST)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._over.wait()
        server.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        broken = (OSError, asyncio.IncompleteReadError, asyncio.CancelledError)
        with contextlib.suppress(*broken):  # either side may go at any time
            await self._pass_on(reader, writer)
        writer.close()
        self._connections.discard(task)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward the requests of a connection until a side closes it."""
        if await self._stopped("connect"):
            return
        from_service, to_service = await asyncio.open_connection(*self._service, limit=LARGEST)
        try:
            while True:
                request = await _message(reader)
                passage = None
                if STARTS in request.partition(b"\r\n")[0]:
                    passage = Passage()
                    self.passages.append(passage)
                    if await self._stopped("sent", request):
                        return
                to_service.write(request)
                answer = await _message(from_service)
                if passage:
                    found = RUN_ID.search(answer)
                    passage.run_id = found[1].decode() if found else None
                    passage.status = int(answer.split(b" ", 2)[1])
                    if await self._stopped("accepted"):
                        return
                writer.write(answer)
                await writer.drain()
                if passage:
                    passage.delivered = True
                    await self._stopped("answered")
        finally:
            to_service.close()

    async def _stopped(self, point: Point, request: bytes = b"") -> bool:
        """Stop at a point if it has a trap; return whether the start is lost."""
        self._came[point] = self._came.get(point, 0) + 1
        for trap in self._traps:
            is_its_start = trap.number == self._came[point]
            if trap.text:
                is_its_start = trap.text in request and not trap.reached.is_set()
            if trap.point == point and is_its_start:
                await trap.hold()
                return trap.lost
        return False


async def _message(reader: asyncio.StreamReader) -> bytes:
    """Read one request or response with a Content-Length."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = LENGTH.search(head)
    return head + await reader.readexactly(int(length[1]) if length else 0)
