"""Other processes: time and memory of a command, servers, memory of a process."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

PROVIDER: Final = "pulumi.dynamic"
"""A text in the command line of the process of the providers only."""
GLANCE: Final = 0.05
"""Interval of the checks of a process, in seconds."""


class FailedError(Exception):
    """A command that is to be measured failed: there is nothing to report."""


@dataclass(frozen=True, slots=True)
class Took:
    """The times of a command, in seconds."""

    wall: float
    cpu: float
    """User and system time of all its processes."""


def run(
    command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Took:
    """
    Run a command and return its times.

    Raises:
        FailedError: the command failed; the message has the end of its output.

    """
    begun = time.monotonic()
    with subprocess.Popen(
        command,
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise FailedError(f"{' '.join(map(str, command))}:\n{said[-3000:]}")
    return Took(wall, usage.ru_utime + usage.ru_stime)


def least(*commands: Callable[[], Took], rounds: int) -> list[Took]:
    """
    Return the shortest times of each command, in alternating rounds.

    Other processes only add to a time, so the shortest one is the most exact.
    """
    took: list[list[Took]] = [[] for _ in commands]
    for _ in range(rounds):
        for command, mine in zip(commands, took, strict=True):
            mine.append(command())
    return [shortest(mine) for mine in took]


def shortest(took: Sequence[Took]) -> Took:
    """Return the shortest of several times, wall and processor each by itself."""
    return Took(min(item.wall for item in took), min(item.cpu for item in took))


@contextlib.contextmanager
def served(*command: str, log: Path | None = None) -> Iterator[tuple[str, int]]:
    """Run a Python server that prints its address; give its host and process id."""
    with contextlib.ExitStack() as stack:
        errors = stack.enter_context(log.open("w")) if log else None
        process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, *command], stdout=subprocess.PIPE, stderr=errors, text=True
            )
        )
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1].removeprefix("http://"), process.pid
        finally:
            process.terminate()


def memory(pid: int, what: str = "VmRSS") -> float:
    """Return a process's memory in MiB; `VmHWM` is the most it ever had."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition(f"{what}:")[2].split()[0]) / 1024


class Watch:
    """Looks at the provider's process while a command of the engine runs."""

    def __init__(self) -> None:
        self.peak = 0.0
        """The most memory that it had, in MiB."""
        self.cpu = 0.0
        """Processor time of the process, in seconds."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        pid: int | None = None
        while not self._over.wait(GLANCE):
            with contextlib.suppress(
                OSError, ValueError, IndexError
            ):  # the process may end at any time
                pid = pid or _descendant(os.getpid(), PROVIDER)
                if pid is not None:
                    self.peak = max(self.peak, memory(pid, "VmHWM"))
                    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                    ticks = int(fields[11]) + int(fields[12])
                    self.cpu = ticks / os.sysconf("SC_CLK_TCK")


def _descendant(ancestor: int, mark: str) -> int | None:
    """Return the Python process below `ancestor` that has `mark` in its command line."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            text = (folder / "stat").read_text()
            parents[int(folder.name)] = int(text.rpartition(")")[2].split()[1])
    for pid in parents:
        above = pid
        while above in parents and above != ancestor:
            above = parents[above]
        if above == ancestor:
            words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            if mark in words:
                return pid
    return None
