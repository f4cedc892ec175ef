"""The server of an object store: a process that `tools/object_servers.py` installs."""

from __future__ import annotations

import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Self, TypeVar

import pytest

from tools.engine.find_or_install import EngineError
from tools.object_servers import ObjectServer, find_or_install


class Server(ABC):
    """
    A running server: `with Server(executable, folder) as server: ...`.

    Args:
        executable: the server's program.
        folder: an empty folder for its log and its data.

    """

    program: ClassVar[ObjectServer]

    def __init__(self, executable: Path, folder: Path) -> None:
        self._executable = executable
        self._folder = folder

    @abstractmethod
    def _start(self) -> subprocess.Popen[bytes]:
        """Start the process, and return after it listens."""

    def __enter__(self) -> Self:
        self._process = self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)


S = TypeVar("S", bound=Server)


def running(server: type[S], factory: pytest.TempPathFactory) -> Iterator[S]:
    """Yield a server for all tests of a process; skip them if it cannot be installed."""
    program = server.program
    try:
        executable = find_or_install(program, os.environ)
    except EngineError as error:
        pytest.skip(f"no {program.store} server: {error}")
    with server(executable, factory.mktemp(program.store.lower())) as started:
        yield started
