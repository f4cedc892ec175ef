"""
A TCP proxy that adds a round trip: `python -m bench.delay HOST:PORT SECONDS` prints its address.

Each part of a stream arrives half a round trip later, in order. A connection costs one round trip,
as a handshake does. The bandwidth is not limited.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from functools import partial

PART = 1 << 16
"""The most bytes that the proxy forwards together."""


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, one_way: float) -> None:
    """Forward a stream, each part `one_way` seconds after its arrival."""
    now = asyncio.get_running_loop().time
    parts: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def deliver() -> None:
        while True:
            due, part = await parts.get()
            await asyncio.sleep(due - now())
            if not part:
                break
            writer.write(part)
            await writer.drain()
        writer.close()

    delivery = asyncio.create_task(deliver())
    with suppress(OSError):
        while part := await reader.read(PART):
            parts.put_nowait((now() + one_way, part))
    parts.put_nowait((now() + one_way, b""))
    with suppress(OSError):
        await delivery


async def connect(
    host: str,
    port: int,
    one_way: float,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Forward both streams of a connection."""
    await asyncio.sleep(2 * one_way)
    there, back = await asyncio.open_connection(host, port)
    await asyncio.gather(relay(reader, back, one_way), relay(there, writer, one_way))


async def main(target: str, round_trip: float) -> None:
    """Serve until the process ends."""
    host, _, port = target.rpartition(":")
    handler = partial(connect, host, int(port), round_trip / 2)
    server = await asyncio.start_server(handler, "127.0.0.1", 0, backlog=256)
    print(f"delays at 127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1], float(sys.argv[2])))
