"""What another process does with a journal, for the tests that race with it or kill it."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO

from pulumi_vod_workflow.core.recovery import StartIntent
from pulumi_vod_workflow.journal.store import Journal

PROJECT, STACK = "shop", "dev"


def resource(name: str, stack: str = STACK, project: str = PROJECT) -> str:
    """The key of a declaring resource, spelled as `resource_key_of` does."""
    return f'{{"name":"{name}","project":"{project}","stack":"{stack}"}}'


def intent(name: str, version: str = "1", request: str = "", stack: str = STACK) -> StartIntent:
    """A start of a resource; another version has other inputs."""
    key = f"{stack}-{name}-{version}"
    return StartIntent({"vid": "v"}, f"token-{key}", resource(name, stack), key, request)


def run_of(name: str) -> dict[str, str]:
    return {"runId": f"lb:{name}", "requestId": "r", "submittedAt": "2026-05-06T07:08:09Z"}


def claims(journal: Journal, names: list[str]) -> None:
    """Claim starts after one look at all of them, when the test says so."""
    wanted = {name: intent(name) for name in names}
    seen = journal.lookup(wanted.values(), create=True).versions
    step("ready")
    for name, start in wanted.items():
        if journal.claim(start, OWNER, seen[start.record_key]).result().won:
            journal.record_accepted(start, run_of(f"{name}-{OWNER}")).result()
            say(name)


def sends(journal: Journal, names: list[str]) -> None:
    """Claim one start, and record its run, each step when the test says so."""
    [name] = names
    start = intent(name)
    seen = journal.lookup([start], create=True).versions[start.record_key]
    step("looked")
    assert journal.claim(start, OWNER, seen).result().won
    step("claimed")
    journal.record_accepted(start, run_of(name)).result()
    step("accepted")
    written = journal.release([run_of(name)["runId"]])
    assert written is not None
    written.result()
    step("released")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def step(name: str) -> None:
    """Say that a step is done, and wait until the test goes on or kills this process."""
    say(name)
    sys.stdin.readline()


@contextmanager
def process(
    opener: str,
    location: str,
    action: Callable[[Journal, list[str]], None],
    *names: str,
    owner: str = "another",
    environ: Mapping[str, str] | None = None,
) -> Iterator[Process]:
    """Run an action of this module in another process, which is killed at the end."""
    arguments = [opener, location, owner, action.__name__, *names]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.journal.processes", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environ,
        text=True,
    ) as child:
        try:
            yield Process(child)
        finally:
            child.kill()


class Process:
    """A process that uses a journal step by step."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child = child

    def reach(self, name: str) -> None:
        """Let it go on until a step is done; then it waits."""
        while (line := self._pipe(self._child.stdout).readline().strip()) != name:
            assert line, f"it ended with {self._child.wait()} before {name}"
            self.go_on()

    def go_on(self) -> None:
        pipe = self._pipe(self._child.stdin)
        pipe.write("\n")
        pipe.flush()

    def rest(self) -> list[str]:
        """Let it go on to its end, and return the lines that it says."""
        said, _ = self._child.communicate("\n", timeout=120)
        assert self._child.returncode == 0
        return said.split()

    def kill(self) -> None:
        """Kill it, as a lost machine or the out-of-memory killer does."""
        self._child.kill()
        self._child.wait()

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe
        return pipe


if __name__ == "__main__":
    OPENER, LOCATION, OWNER, ACTION, *NAMES = sys.argv[1:]
    MODULE, _, FUNCTION = OPENER.partition(":")
    opened: Journal = getattr(importlib.import_module(MODULE), FUNCTION)(LOCATION)
    {"claims": claims, "sends": sends}[ACTION](opened, NAMES)
