"""
Load on the emulator: signed starts on 64 loopback connections, beside a starlette endpoint.

Each server is one uvicorn process; both have the same client. The client signs all requests first,
so it measures the server only. The load has an end, and goes to loopback only. Further values:
accepted starts with the rate limit, and the time of the command to its first response.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.request import urlopen

from bench.processes import memory, served
from bench.report import Figure, Measured, say
from bench.servers import KEYS
from pulumi_vod_workflow.core.signing import canonical_query, sign

SECONDS: Final = 30.0
"""Length of the load in seconds; the plain endpoint has a third of it."""
CONNECTIONS: Final = 64
PATIENCE: Final = 10.0
"""Timeout of a response, in seconds."""
LIMIT: Final = 50
LIMITED_SECONDS: Final = 3.5
"""Permitted starts in a second, in the phase with the rate limit."""
FLAT: Final = 16
"""MiB by which memory may differ."""
COMMAND: Final = ("-m", "pulumi_vod_workflow.emulator", "--port", "0")
BASELINE: Final = """
import sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
async def answer(request):
    return JSONResponse({"ResponseMetadata": {}, "Result": {"RunId": "x"}})
import socket
listener = socket.create_server(("127.0.0.1", 0))
print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
config = uvicorn.Config(Starlette(routes=[Route("/", answer)]), log_level="error", lifespan="off")
uvicorn.Server(config).run(sockets=[listener])
"""


def requests(host: str, count: int) -> list[bytes]:
    """Sign so many different starts, as they go over the wire."""
    made = []
    now = datetime.now(UTC)
    for number in range(count):
        query = canonical_query(
            (
                ("Action", "StartWorkflow"),
                ("Version", "2020-08-01"),
                ("Vid", f"v{number}"),
                ("TemplateId", "t"),
                ("ClientToken", f"token-{number}"),
            )
        )
        signature = sign(
            "GET",
            host=host,
            path="/",
            query=query,
            body=b"",
            content_type=None,
            credentials=KEYS,
            region="cn-north-1",
            at=now,
        )
        lines = "".join(f"{name}: {value}\r\n" for name, value in signature.headers.items())
        made.append(f"GET /?{query} HTTP/1.1\r\n{lines}\r\n".encode())
    return made


async def load(host: str, made: Sequence[bytes], seconds: float) -> tuple[int, int, float]:
    """Send until the time is over; return the good answers, the others, and the seconds."""
    address, _, port = host.rpartition(":")
    queue = iter(made)
    good = failed = 0
    end = time.monotonic() + seconds

    async def connection() -> None:
        nonlocal good, failed
        reader, writer = await asyncio.open_connection(address, int(port))
        for request in queue:
            if time.monotonic() > end:
                break
            try:
                async with asyncio.timeout(PATIENCE):
                    writer.write(request)
                    head = await reader.readuntil(b"\r\n\r\n")
                    _, _, rest = head.lower().partition(b"content-length: ")
                    await reader.readexactly(int(rest.partition(b"\r\n")[0]))
            except (OSError, EOFError, TimeoutError):
                failed += 1
                break
            if head.startswith(b"HTTP/1.1 200"):
                good += 1
            else:
                failed += 1
        writer.close()

    begun = time.monotonic()
    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    return good, failed, time.monotonic() - begun


def first_answer() -> float:
    """Return the seconds from starting the command to its first answer, the least of three."""
    took = []
    for _ in range(3):
        begun = time.monotonic()
        with served(*COMMAND) as (host, _), urlopen(f"http://{host}/_emulator/health"):
            took.append(time.monotonic() - begun)
    return min(took)


def measure(folder: Path) -> Measured:
    """Measure the plain endpoint, then the emulator."""
    say("load: time to the first answer, and what the rate limit lets through")
    startup = first_answer()
    with served(*COMMAND) as (host, _):
        limited, _, _ = asyncio.run(load(host, requests(host, 30_000), LIMITED_SECONDS))
    say(f"load: a plain endpoint for {SECONDS / 3:.0f} s")
    with served("-c", BASELINE) as (host, _):
        made = requests(host, int(12_000 * SECONDS / 3))
        done, _, took = asyncio.run(load(host, made, SECONDS / 3))
        plain = done / took
    say(f"load: the emulator for {SECONDS:.0f} s")
    options = ("--rate-limit", "0", "--store", str(folder / "runs.sqlite3"))
    with served(*COMMAND, *options) as (host, pid):
        made = requests(host, int(5_000 * SECONDS))
        warm, failed, _ = asyncio.run(load(host, made[:2000], 5))
        before = memory(pid)
        done, more, took = asyncio.run(load(host, made[2000:], SECONDS))
        after = memory(pid)
        with urlopen(f"http://{host}/_emulator/ledger") as answer:
            ledger = len(json.load(answer)["starts"])
    sent = done + warm
    let_through = LIMIT * (int(LIMITED_SECONDS) + 1)
    return Measured(
        [
            Figure("requests a second", done / took, "", 2000, "at least", at_least=1),
            Figure("requests a second", done / took, "", plain, "a plain endpoint"),
            Figure("requests that failed", failed + more, "", sent, "sent", at_most=0),
            Figure("starts lost from the ledger", sent - ledger, "", sent, "sent", at_most=0),
            Figure("memory after it", after, "MiB", before + FLAT, "MiB, at most", at_most=1),
            Figure(
                f"let through by the limit in {LIMITED_SECONDS} s",
                limited,
                "",
                let_through,
                "allowed",
                at_most=1,
                at_least=1,
            ),
            Figure("time to the first answer", startup, "s", 0.5, "s, at most", at_most=1),
        ]
    )
