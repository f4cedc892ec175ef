"""
Load on the emulator: signed starts from 64 loopback connections, beside a plain starlette endpoint.

    python bench/load.py [--seconds 30]

Both run in one process each of uvicorn; the client is the same. Requests are signed beforehand, so
that the client measures the server and not itself. It ends by itself and aims at loopback only.
Beside it: what passes with the rate limit on, and how long the command takes to its first answer.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import urlopen

from pulumi_vod_workflow.core.signing import Credentials, canonical_query, sign

CONNECTIONS = 64
PATIENCE = 10.0
"""Seconds for an answer."""
LIMIT, LIMITED_SECONDS = 50, 3.5
"""Of the phase with the limit on: so many at once and after each second."""
KEYS = Credentials("AKLTEMULATOR", "emulator-secret-key")
BASELINE = """
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


@contextlib.contextmanager
def served(*command: str) -> Iterator[tuple[str, int]]:
    """Run a server and give its host and process id."""
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1].removeprefix("http://"), process.pid
        finally:
            process.terminate()


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
            "GET", host=host, path="/", query=query, body=b"", content_type=None,
            credentials=KEYS, region="cn-north-1", at=now,
        )  # fmt: skip
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


def resident(pid: int) -> float:
    """Return a process's memory in MiB."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


def first_answer() -> float:
    """Return the seconds from starting the command to its first answer, the least of three."""
    took = []
    for _ in range(3):
        begun = time.monotonic()
        with (
            served("-m", "pulumi_vod_workflow.emulator", "--port", "0") as (host, _),
            urlopen(f"http://{host}/_emulator/health"),
        ):
            took.append(time.monotonic() - begun)
    return min(took)


def main() -> int:
    """Measure, print a table and JSON, and return 1 if anything that must hold does not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    seconds = parser.parse_args().seconds
    startup = first_answer()
    with served("-m", "pulumi_vod_workflow.emulator", "--port", "0") as (host, _):
        made = requests(host, 100_000)
        limited, _, _ = asyncio.run(load(host, made, LIMITED_SECONDS))
    with served("-c", BASELINE) as (host, _):
        made = requests(host, int(12_000 * seconds / 3))
        done, _, took = asyncio.run(load(host, made, seconds / 3))
        baseline = done / took
    with tempfile.TemporaryDirectory() as folder:
        store = str(Path(folder) / "runs.sqlite3")
        options = ("--port", "0", "--rate-limit", "0", "--store", store)
        with served("-m", "pulumi_vod_workflow.emulator", *options) as (host, pid):
            made = requests(host, int(8_000 * seconds))
            warm, failed, _ = asyncio.run(load(host, made[:2000], 5))
            before = resident(pid)
            done, more, took = asyncio.run(load(host, made[2000:], seconds))
            after = resident(pid)
            with urlopen(f"http://{host}/_emulator/ledger") as answer:
                ledger = len(json.load(answer)["starts"])
    checks = {
        "at least 2000 requests a second": done / took >= 2000,
        "no error": failed + more == 0,
        "no lost ledger entry": done + warm == ledger,
        "first answer within half a second": startup < 0.5,
        "memory flat": after < before + 16,
        "exactly the allowed rate gets through": limited == LIMIT * (int(LIMITED_SECONDS) + 1),
    }
    report = {
        "requests_per_second": round(done / took),
        "baseline_requests_per_second": round(baseline),
        "share_of_baseline": round(done / took / baseline, 2),
        "errors": failed + more,
        "lost": done + warm - ledger,
        "memory_mib": [round(before, 1), round(after, 1)],
        "let_through_at_50_a_second_in_3.5_s": limited,
        "startup_to_first_answer_seconds": round(startup, 2),
    }
    for name, value in report.items():
        print(f"{name:38} {value}")
    print(json.dumps(report))
    for name, holds in checks.items():
        print(f"{'ok' if holds else 'NOT'}: {name}")
    return int(not all(checks.values()))


if __name__ == "__main__":
    sys.exit(main())
