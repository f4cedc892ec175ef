"""A copy of the checkout, in which what a page shows is typed as a person types it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pulumi_vod_workflow.emulator.store import Store
from tests.engine import pages
from tests.engine.vault import Vault

ROOT: Final = Path(__file__).resolve().parents[2]
PARTS: Final = (
    "Makefile",
    "Pulumi.yaml",
    "pyproject.toml",
    "requirements.txt",
    "examples",
    "templates",
    "tools",
)
SET_UP: Final = "examples/README.md"
"""Its commands are what makes a shell ready for all others."""


def tracked(part: str) -> list[str]:
    """Return the files of a folder that belong to the project, and not to who tries it."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", part],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file())


def copy_to(folder: Path) -> Path:
    """Return a copy as `make env` leaves it: its environment is the one that runs the tests."""
    for name in (name for part in PARTS for name in tracked(part)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    return folder


def blocks(page: Path, language: str) -> list[str]:
    """Return a page's blocks of a language."""
    return [block.text for block in pages.blocks(page) if block.language == language]


def typed(script: str, folder: Path, environ: Mapping[str, str]) -> str:
    """Run the lines of a shell, none of which may fail, and return what they say."""
    done = subprocess.run(
        ["/bin/sh", "-eu", "-c", script],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "Traceback" not in done.stdout, done.stdout
    return done.stdout


class Checkout:
    """
    A copy whose shell is set up as the examples' page says, and whose runs end soon.

    Args:
        folder: where it is made.
        vault: keeper of the key of the stacks' secrets, instead of the passphrase.

    """

    def __init__(self, folder: Path, vault: Vault | None = None) -> None:
        self.folder = copy_to(folder)
        self.state = folder / ".pulumi-state"
        self.backend = f"file://{self.state}"
        [commands] = blocks(ROOT / SET_UP, "sh")
        environ = {
            **os.environ,
            "PULUMI_HOME": str(folder / "home"),
            "PYTHONDONTWRITEBYTECODE": "",  # every command starts two more processes
        }
        typed(f"{commands}\nenv -0 >environ", self.folder, environ)
        lines = (folder / "environ").read_text().split("\0")
        self.environ = dict(line.split("=", 1) for line in lines if line)
        self.environ |= vault.for_new_stacks if vault else {}
        assert self.environ["PULUMI_BACKEND_URL"] == self.backend
        (self.state / ".pulumi").mkdir()
        with self._store() as store:  # instead of five seconds
            store.change_settings({"pendingSeconds": 0.1, "runningSeconds": 0.2})

    @contextmanager
    def _store(self) -> Iterator[Store]:
        store = Store(self.state / ".pulumi" / "vod-emulator.sqlite3")
        try:
            yield store
        finally:
            store.close()

    def ledger(self) -> list[dict[str, Any]]:
        """Every start on the embedded emulator that would have been billed."""
        with self._store() as store:
            return store.ledger()

    def type(self, script: str, folder: Path, **environ: str) -> str:
        """Run the lines of a shell in a folder, none of which may fail."""
        return typed(script, folder, {**self.environ, **environ})
