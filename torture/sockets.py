"""Reads of the kernel's tables: bytes that one process has sent and another has not read."""

from __future__ import annotations

import contextlib
from pathlib import Path

LISTENS, CONNECTED = "0A", "01"


def unread(reader: int, server: int) -> int:
    """Return the number of unread bytes in a process from the ports of a server process."""
    tables = [
        line.split()
        for name in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    ]
    of_reader, of_server = _sockets(reader), _sockets(server)
    ports = {_port(row[1]) for row in tables if row[3] == LISTENS and row[9] in of_server}
    return sum(
        int(row[4].partition(":")[2], 16)
        for row in tables
        if row[3] == CONNECTED and row[9] in of_reader and _port(row[2]) in ports
    )


def _port(address: str) -> str:
    return address.rpartition(":")[2]


def _sockets(pid: int) -> set[str]:
    found = set()
    with contextlib.suppress(FileNotFoundError):  # a process that has ended has none
        for path in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                target = str(path.readlink())
                if target.startswith("socket:["):
                    found.add(target[8:-1])
    return found
