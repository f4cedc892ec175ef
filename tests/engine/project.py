"""The command line on a program in a folder, in processes that can be stopped, killed and seen."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Self

from pulumi import automation as auto

from pulumi_vod_workflow.config.journal_location import JournalLocation
from pulumi_vod_workflow.config.settings import load_settings
from tests.engine.hosts import (
    ENVIRONMENTS,
    PACKAGES,
    PROVIDER_MARKS,
    HostName,
    install_for_user,
)
from tests.engine.vault import LINES, PROVIDER, Vault

ROOT: Final = Path(__file__).resolve().parents[2]
PYTHON_START: Final = str(Path(__file__).parent / "python_start")
"""The folder of what Python does at its start."""
IMPORTS: Final = (
    "import pulumi\nfrom {package} import WorkflowBatch, WorkflowCompletion, WorkflowRun\n"
)
STACK: Final = "dev"
TELLING: Final = frozenset({"up", "preview", "refresh", "destroy"})
"""Commands of which the engine tells events."""
MARK: Final = "VOD_TEST_SESSION"
"""The variable that marks the processes of `no_process_left`."""
ENDING: Final = 30.0
"""The longest time until what is left of killed commands has ended, in seconds."""
LONG: Final = 120.0
"""Seconds after which something that is waited for does not come any more."""


def until(condition: Callable[[], bool], every: float = 0.05, seconds: float = LONG) -> None:
    """Wait for something that does not tell by itself."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(every)


class Command:
    """
    A command of the engine that runs in a session of its own.

    Args:
        arguments: the command line.
        folder: where it runs; what it says is kept there.
        environ: its environment.

    """

    def __init__(self, *arguments: str, folder: Path, environ: Mapping[str, str]) -> None:
        self.begun = time.monotonic()
        self.events: list[auto.EngineEvent] = []
        """What the engine has told so far; the events of `up` are those of its preview, too."""
        self._output = folder / f"said-{time.monotonic_ns()}.txt"
        fifo = self._output.with_suffix(".fifo")
        os.mkfifo(fifo)
        self._fifo = os.open(fifo, os.O_RDWR | os.O_NONBLOCK)
        told = [f"--event-log={fifo}"] if arguments[0] in TELLING else []
        with self._output.open("w") as output:
            self.process = subprocess.Popen(
                ["pulumi", *arguments, "--non-interactive", "--color=never", *told],
                cwd=folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        rest = b""
        while self.running or select.select([self._fifo], [], [], 0)[0]:
            if select.select([self._fifo], [], [], 0.05)[0]:
                *lines, rest = (rest + os.read(self._fifo, 1 << 16)).split(b"\n")
                self.events += [auto.EngineEvent.from_json(json.loads(line)) for line in lines]
        os.close(self._fifo)

    @property
    def running(self) -> bool:
        """Whether the engine lives."""
        return self.process.poll() is None

    @property
    def said(self) -> str:
        """What it has said so far."""
        return self._output.read_text()

    def wait(self) -> int:
        """Wait for the engine's end and return its exit code; what it left behind may go on."""
        try:
            self.process.wait(LONG)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it does not end:\n{self.said}") from None
        self._reader.join()
        return self.process.returncode

    def signal(self, number: signal.Signals, *pids: int) -> None:
        """Signal processes of this command, by default the engine's group, as a terminal does."""
        if not pids and self.running:
            os.killpg(self.process.pid, number)
        alive = set(self.processes())
        # The engine first: it would write down what it sees of the others' end.
        for pid in sorted(alive & set(pids), key=lambda pid: pid != self.process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def processes(self, mark: str = "") -> list[int]:
        """Return the living processes of this command with `mark` in their command lines."""
        return [pid for pid in session(self.process.pid) if mark in _words(pid)]

    def kill(self, *pids: int) -> None:
        """Kill processes of this command, by default all, and wait until they are gone."""
        pids = pids or tuple(self.processes())
        self.signal(signal.SIGKILL, *pids)
        until(lambda: self.process.poll() is not None or self.process.pid not in pids, 0.002)
        until(lambda: not set(pids) & set(self.processes()), 0.002)


def session(leader: int) -> Iterator[int]:
    """Yield the processes of a session that are not dead."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, _, _, session = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(session) == leader and state not in "ZX":
                yield int(folder.name)


@contextlib.contextmanager
def no_process_left() -> Iterator[None]:
    """Check at the end that every process that was started within has ended."""
    mark = str(uuid.uuid4())
    os.environ[MARK] = mark
    try:
        yield
    finally:
        del os.environ[MARK]
    with contextlib.suppress(AssertionError):
        until(lambda: not _marked(mark), seconds=ENDING)
    left = {pid: _words(pid) for pid in _marked(mark)}
    assert not left, f"these processes are left behind: {left}"


PYTHONS_HELPER: Final = "from multiprocessing."
"""A word of the processes that fork those of `tests/forks.py`, and end with this process."""


def _marked(mark: str) -> list[int]:
    """Return the processes that have inherited a mark, and are not dead."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            is_marked = f"{MARK}={mark}".encode() in (folder / "environ").read_bytes()
            if is_marked and PYTHONS_HELPER not in _words(pid := int(folder.name)):
                found.append(pid)
    return found


def _words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


class Project:
    """
    A stack as a person has it; `with Project(...) as project: ...` leaves no process behind.

    Args:
        folder: where it is made.
        endpoint: URL of the service.
        like: another one, whose stack and Pulumi's own folder are taken over: that is quicker.
        state_of: the same stack on another machine, which shares the state and nothing else.
        stack: the stack's name.
        config: more of its configuration.
        vault: keeper of the key of its secrets, instead of a passphrase; or that of `like`.
        host: the host of its resources; by default that of the other one, or the dynamic one.

    """

    def __init__(
        self,
        folder: Path,
        endpoint: str,
        *,
        like: Project | None = None,
        state_of: Project | None = None,
        stack: str = STACK,
        config: Mapping[str, str] | None = None,
        vault: Vault | None = None,
        host: HostName | None = None,
    ) -> None:
        self.folder = folder
        self.stack = stack
        self.has_leases = False
        """Whether the lock of a killed command ends by itself, as on Pulumi Cloud."""
        other = like or state_of
        self.host: HostName = host or (other.host if other else "dynamic")
        self.home: Path = other.home if other else folder / "home"
        self.state: Path = state_of.state if state_of else folder / "state"
        self._vault: Vault | None = other._vault if other else vault
        self._begun: list[Command] = []
        self._config: dict[str, Any] = {
            "vod:endpoint": endpoint,
            "vod:accessKey": "AKLTEMULATOR",
            "vod:secretKey": "emulator-secret-key",
            **(config or {}),
        }
        self.environ = {
            **os.environ,
            "PYTHONDONTWRITEBYTECODE": "",  # every command starts two more processes
            "PYTHONPATH": f"{PYTHON_START}{os.pathsep}{ROOT}",
            "PULUMI_BACKEND_URL": f"file://{self.state}",
            "PULUMI_HOME": str(self.home),
            "PULUMI_CONFIG_PASSPHRASE": "",
            "PULUMI_PYTHON_CMD": sys.executable,
            "PULUMI_STACK": stack,
            "PULUMI_DEBUG_COMMANDS": "true",  # for --event-log
            **ENVIRONMENTS[self.host],
            **(self._vault.environ if self._vault else {}),
        }
        if like:
            shutil.copytree(like.state, self.state)
        elif state_of:
            folder.mkdir(parents=True)
        else:
            self.state.mkdir(parents=True)
        if other:
            shutil.copy(other._settings, folder)
        settings = folder / "Pulumi.yaml"
        settings.write_text("name: project\nruntime: python\n")
        self.configure()
        if not other:
            self.install_plugin()
            provider = PROVIDER if vault else "passphrase"
            self.command("stack", "init", stack, "--secrets-provider", provider)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for command in self._begun:
            command.kill()
            command.wait()

    @property
    def _settings(self) -> Path:
        return self.folder / f"Pulumi.{self.stack}.yaml"

    @property
    def _state(self) -> Path:
        return self.state / ".pulumi" / "stacks" / "project" / f"{self.stack}.json"

    def configure(self, **changes: Any) -> None:
        """Change its configuration: `vod_region="..."`; an object is a value, too."""
        self._config |= {key.replace("_", ":"): value for key, value in changes.items()}
        text = self._settings.read_text() if self._settings.exists() else ""
        key = [line for line in text.splitlines() if line.startswith(LINES)]
        lines = [f"  {key}: {json.dumps(value)}" for key, value in self._config.items()]
        self._settings.write_text("\n".join([*key, "config:", *lines, ""]))

    def install_plugin(self) -> None:
        """Install the packaged provider, if it is the host, in the present PULUMI_HOME."""
        if self.host == "plugin":
            install_for_user(self.environ)

    def providers(self, command: Command) -> list[int]:
        """Return the living providers of a command."""
        return command.processes(PROVIDER_MARKS[self.host])

    def program(self, text: str) -> None:
        """Write its program."""
        (self.folder / "__main__.py").write_text(
            IMPORTS.format(package=PACKAGES[self.host]) + textwrap.dedent(text)
        )

    def start(self, *arguments: str) -> Command:
        """Begin a command."""
        command = Command(*arguments, folder=self.folder, environ=self.environ)
        self._begun.append(command)
        return command

    def command(self, *arguments: str) -> str:
        """Run a command to its end, which is good, and return what it said."""
        command = self.start(*arguments)
        assert command.wait() == 0, command.said
        return command.said

    def up(self, *options: str) -> Command:
        """Begin an update."""
        return self.start("up", "--yes", "--stack", self.stack, *(options or ("--skip-preview",)))

    def repair(self) -> None:
        """
        Do what a person does after a command was killed.

        That is to say that it runs no more; and if it was killed while the engine wrote the state,
        which leaves half a file, to take the engine's own copy of the state before. Half a file of
        attributes beside it, which the engine reads first and needs not, is to be removed.
        """
        for aside in self._state.parent.glob("*.attrs"):
            if not aside.read_bytes().strip().endswith(b"}"):
                aside.unlink()
        try:
            json.loads(self._state.read_text())
        except ValueError:
            shutil.copy(self._state.with_name(self._state.name + ".bak"), self._state)
        locks = [*self.state.rglob("locks/**/*.json")]
        if self.has_leases:
            for lock in locks:
                lock.unlink()
        elif locks:
            self.command("cancel", "--yes", "--stack", self.stack)

    @property
    def journal(self) -> JournalLocation:
        """The location of its journal."""
        environ = {key: self.environ[key] for key in ("PULUMI_BACKEND_URL", "PULUMI_HOME")}
        return load_settings(self._config.get, environ, self.home, folder=self.folder).journal

    @property
    def resources(self) -> list[dict[str, Any]]:
        """What is in the state."""
        latest = json.loads(self._state.read_text())["checkpoint"]["latest"] or {}
        found: list[dict[str, Any]] = latest.get("resources") or []
        return found

    @property
    def outputs(self) -> dict[str, Any]:
        """The stack's outputs in the state: after a refresh by an update the engine shows none."""
        [stack] = [item for item in self.resources if item["type"] == "pulumi:pulumi:Stack"]
        outputs: dict[str, Any] = stack["outputs"]
        return outputs
