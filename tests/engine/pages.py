"""
A page of the documentation as its reader follows it: block by block, in a folder of its own.

- A block with a title, of any language, is written to the file of that name.
- `python` that imports `pulumi` or this package is the program, `__main__.py`. If no command of
  the page runs it, `pulumi up` does, together with those after it that declare other resources.
  Other `python` is run as a script.
- `bash` or `sh` is run as written; what it exports stays, what it leaves running does not. After
  `<!-- fails -->` it has to fail. A line that starts the emulator on a port is what a reader has
  in a second terminal.
- `text` is what the last commands said, each line whole or a line's end; `...` is anything.
- `yaml` is read; its `config` has to be one that the package takes. `Pulumi.yaml` with the runtime
  `yaml` is a program.

Commands are run without questions (`PULUMI_SKIP_CONFIRMATIONS`), port 8765 is a free one, and the
emulators' runs take a moment.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import httpx
import yaml

from pulumi_vod_workflow.config.settings import load_settings
from pulumi_vod_workflow.emulator import EmulatorSettings, VodEmulator
from pulumi_vod_workflow.emulator.store import Store
from tests.engine.project import LONG, ROOT, Project, session, until
from tests.engine.vault import Vault

FENCE: Final = re.compile(
    r"(?:^<!-- (?P<note>\w+) -->\n)?"
    r'^```(?P<language>\w*)(?: title="(?P<title>[^"\n]+)")?\n(?P<text>.*?)^```$',
    re.MULTILINE | re.DOTALL,
)
PROGRAM: Final = re.compile(
    r"^(import pulumi$|from pulumi_vod_workflow(\.plugin)? import )", re.MULTILINE
)
RESOURCE: Final = re.compile(r"\bWorkflow(?:Run|Batch|Completion)\(\s*\"([^\"]+)\"")
"""A declaration with its name."""
SERVER: Final = re.compile(r"^python -m pulumi_vod_workflow\.emulator .*--port \d+")
ENGINE: Final = re.compile(r"^pulumi (up|preview|refresh|destroy)\b", re.MULTILINE)
SHELLS: Final = ("bash", "sh")
NO_PREVIEW: Final = {"PULUMI_OPTION_SKIP_PREVIEW": "true"}
"""Spares `pulumi up`, `refresh` and `destroy` their own preview: half of their time."""
QUICK: Final = {"pendingSeconds": 0.1, "runningSeconds": 0.2}


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    language: str
    title: str
    text: str
    note: str
    line: int
    """Of the page; the first is 1."""

    @property
    def is_yaml_program(self) -> bool:
        """Whether Pulumi's host for YAML runs it."""
        return self.title == "Pulumi.yaml" and "runtime: yaml\n" in self.text

    @property
    def code(self) -> str:
        """It, without comments: those are told in the page's language."""
        return re.sub(r"\s*# .*", "", self.text)


def blocks(page: Path) -> list[Block]:
    """Return a page's blocks; none is in a form that is not seen."""
    text = page.read_text()
    found = [
        Block(
            match["language"],
            match["title"] or "",
            match["text"],
            match["note"] or "",
            text.count("\n", 0, match.start("language")) + 1,
        )
        for match in FENCE.finditer(text)
    ]
    assert 2 * len(found) == len(re.findall(r"^[ >]*(?:```|~~~)", text, re.MULTILINE)), page
    return found


REGISTRY: Final = frozenset({"_index.md", "installation-configuration.md"})
"""Pages for Pulumi's registry, in its own form: tests/docs/test_registry.py reads them."""


def pages() -> Iterator[Path]:
    """
    Yield the pages in English: of the site, and of the repository.

    The Chinese ones have the same blocks, which tests/docs/test_site.py holds.
    """
    for path in sorted(
        [*ROOT.glob("*.md"), *ROOT.glob("policies/*.md"), *ROOT.glob("docs/**/*.md")]
    ):
        if path.name.endswith(".zh.md") or path.name in REGISTRY or path.parent.name == "upstream":
            continue
        yield path


class Reader:
    """
    Follows a page: `with Reader(...) as reader: reader.do(block)`.

    Args:
        folder: where; it is there.
        like: a project whose stack is taken over.
        vault: keeper of the key of the stacks' secrets.
        starts_from_nothing: whether the page makes its own stack.
        hosts: the folders of the language hosts that the page's programs need.

    """

    def __init__(
        self,
        folder: Path,
        like: Project,
        vault: Vault,
        *,
        starts_from_nothing: bool,
        hosts: Sequence[Path] = (),
    ) -> None:
        self._project = Project(folder, "emulator", like=like)
        self._environ = {
            **self._project.environ,
            "PATH": os.pathsep.join([*map(str, hosts), os.environ["PATH"]]),
            **vault.for_new_stacks,
            "PULUMI_SKIP_CONFIRMATIONS": "true",
        }
        self.folder = folder
        self.said = ""
        """By the last commands."""
        self.all_said = ""
        self._waiting = ""
        """The file of a program that no command has run yet."""
        self._declared: set[str] = set()
        """The names of the resources of this program."""
        self._servers = ExitStack()
        self._variables = folder / ".variables"
        self._store = folder / "state" / ".pulumi" / "vod-emulator.sqlite3"
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = str(free.getsockname()[1])
        if starts_from_nothing:
            del self._environ["PULUMI_STACK"]
            shutil.rmtree(folder / "state")
            (folder / "state" / ".pulumi").mkdir(parents=True)
            (folder / "Pulumi.dev.yaml").unlink()
        (folder / "__main__.py").write_text("")  # for pages that only tell of commands
        quick = VodEmulator(EmulatorSettings(store=str(self._store)))
        quick.settings(pending_seconds=0.1, running_seconds=0.2)
        quick.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self._bring_up()
        finally:
            self._servers.close()

    def do(self, block: Block) -> None:
        """Do what a block asks for."""
        text = block.text.replace("8765", self._port)
        if block.language == "yaml":
            _is_good(text)
        if block.title or (block.language == "python" and PROGRAM.search(text)):
            name = block.title or "__main__.py"
            self._write(name, text, is_program=block.is_yaml_program or name == "__main__.py")
        elif block.language == "python":
            self._run([sys.executable, "-c", text], fails=False)
        elif block.language in SHELLS:
            self._shell(text, fails=block.note == "fails")
        elif block.language == "text":
            was_said(text, self.said)
        else:
            assert block.language == "yaml", f"nobody knows what to do with {block}"

    def ledger(self) -> list[dict[str, Any]]:
        """Return what the embedded emulator would have billed."""
        store = Store(self._store)
        try:
            return store.ledger()
        finally:
            store.close()

    def _write(self, name: str, text: str, *, is_program: bool) -> None:
        if is_program:
            declared = set(RESOURCE.findall(text))
            if self._waiting == name == "__main__.py" and declared.isdisjoint(self._declared):
                text = f"{(self.folder / name).read_text()}\n{text}"
                declared |= self._declared
            else:
                self._bring_up()
            self._waiting, self._declared = name, declared
        (self.folder / name).write_text(text)

    def _bring_up(self) -> None:
        if self._waiting:
            self._shell("pulumi up --skip-preview", fails=False)

    def _shell(self, text: str, *, fails: bool) -> None:
        commands: list[str] = []
        for line in text.splitlines():
            if SERVER.match(line):
                self._serve(line)
            else:
                commands.append(line)
        if ENGINE.search(text):
            self._waiting = ""
        kept = shlex.quote(str(self._variables))
        before = f"set -euo pipefail; [ ! -f {kept} ] || . {kept}; trap 'export -p >{kept}' EXIT"
        self._run(["bash", "-c", "\n".join([before, *commands])], fails=fails)

    def _run(self, command: list[str], *, fails: bool) -> None:
        output = self.folder / ".said"  # a file: who is left behind would keep a pipe open
        with output.open("w") as said:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=self._environ if fails else {**self._environ, **NO_PREVIEW},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = process.wait(LONG)
            finally:
                for pid in session(process.pid):  # the engine's plugins, where a page kills it
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
        self.said = output.read_text()
        self.all_said += self.said
        assert (code != 0) == fails, self.said
        assert "Traceback" not in self.said, self.said

    def _serve(self, line: str) -> None:
        """Start the emulator, in the place of one that was started before."""
        self._servers.close()
        words = shlex.split(line.partition(" #")[0].removesuffix("&"))
        command = [sys.executable, *words[1:]]
        server = subprocess.Popen(command, cwd=self.folder, env=self._environ)
        self._servers.callback(server.wait)
        self._servers.callback(server.terminate)
        url = f"http://127.0.0.1:{self._port}/_emulator/"

        def is_up() -> bool:
            try:
                return httpx.get(f"{url}health", timeout=LONG).is_success
            except httpx.TransportError:
                assert server.poll() is None
                return False

        until(is_up)
        httpx.post(f"{url}settings", json=QUICK, timeout=LONG).raise_for_status()


def _is_good(text: str) -> None:
    document = yaml.safe_load(text)
    config = document.get("config") if isinstance(document, dict) else None
    if config:
        told = {key: value if isinstance(value, str) else "secret" for key, value in config.items()}
        load_settings(told.get, {}, Path("/nowhere"), told)


def was_said(sample: str, said: str) -> None:
    """Check that each line of a sample, or a line that ends in it, was said."""
    lines = [" ".join(line.split()) for line in said.splitlines()]
    for line in filter(None, (" ".join(line.split()) for line in sample.splitlines())):
        pattern = ".*".join(map(re.escape, line.split("...")))
        assert any(re.search(rf"(?:^|\s){pattern}$", other) for other in lines), (
            f"{line!r} is not in\n{said}"
        )
