"""Environments of their own, as those have them who install the package and nothing else."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement

from tests.package.building import PROJECT, ROOT, SUPPORTED, Built

UV: Final = (sys.executable, "-m", "uv")
EXTRAS: Final = ",".join(PROJECT["optional-dependencies"])
RUNNING: Final = "{}.{}".format(*sys.version_info)
LOWEST: Final = "lowest"
"""The oldest Python with the oldest of every dependency."""
KINDS: Final = [LOWEST, *sorted({*SUPPORTED, RUNNING}, key=lambda name: int(name.split(".")[1]))]
"""Kinds of environments: the lowest versions, and each Python."""
NEWEST: Final = "newest"
"""The kind that is the newest Python of this machine."""
TOOLS: Final = ("hypothesis", "pytest-timeout", "volcengine")
"""What the tests of the source distribution need beside the package and its extras."""
WHOLE: Final = os.environ.get("PACKAGE") == "whole"
"""Whether every kind of environment has every test: `make package`."""
OUTSIDE: Final = ("PYTHON", "PULUMI_", "VIRTUAL_ENV", "UV_", "VOLC")


def only_in(*some: str) -> pytest.MarkDecorator:
    """Give a test some kinds of environments instead of all."""
    return pytest.mark.parametrize("environment", some, indirect=True)


def only_lowest() -> pytest.MarkDecorator:
    """
    Give a test the lowest versions alone; in `make package`, every kind of environment.

    All tests use the newest versions, and a stack tries the newest Python.
    """
    return only_in(*(KINDS if WHOLE else [LOWEST]))


def outside() -> dict[str, str]:
    """Return this process's environment without what leads to this checkout or to an account."""
    environ = {key: text for key, text in os.environ.items() if not key.startswith(OUTSIDE)}
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    # Behind those that are on PATH: pyenv has more than it shows there.
    folders = [environ["PATH"], *(str(folder) for folder in sorted(pyenv.glob("3.*/bin")))]
    return {**environ, "PATH": os.pathsep.join(folders)}


def call(*command: str | Path, environ: dict[str, str] | None = None, cwd: Path) -> str:
    """Run a command that must succeed, and return what it prints."""
    done = subprocess.run(
        command, cwd=cwd, env=environ or outside(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@dataclass(frozen=True)
class Environment:
    """A virtual environment in a folder that is apart from the checkout."""

    folder: Path

    @property
    def bin(self) -> Path:
        """Where its commands are."""
        return self.folder / "bin"

    @property
    def environ(self) -> dict[str, str]:
        """What a process has while this environment is active."""
        environ = outside()
        return {
            **environ,
            "PATH": f"{self.bin}{os.pathsep}{environ['PATH']}",
            "VIRTUAL_ENV": str(self.folder),
            "PULUMI_PYTHON_CMD": str(self.bin / "python"),
        }

    def run(self, command: str, *arguments: str | Path, cwd: Path | None = None) -> str:
        """Run one of its commands, and return what it prints."""
        cwd = cwd or self.folder
        return call(self.bin / command, *arguments, environ=self.environ, cwd=cwd)

    def uv(self, *arguments: str | Path) -> None:
        """Install by uv, which is quick."""
        call(*UV, "pip", "install", "--python", self.bin / "python", *arguments, cwd=self.folder)

    def check(self) -> None:
        """Check that the installed versions fit each other."""
        call(*UV, "pip", "check", "--python", self.bin / "python", cwd=self.folder)

    @property
    def versions(self) -> dict[str, str]:
        """What is installed."""
        program = (
            "from importlib.metadata import distributions as all\n"
            "for one in all(): print(one.name.lower().replace('_', '-'), one.version)"
        )
        return dict(line.split() for line in self.run("python", "-c", program).splitlines())


def bounds() -> list[Requirement]:
    """Return the dependencies and those of the extras, as pyproject.toml has them."""
    extras = [text for texts in PROJECT["optional-dependencies"].values() for text in texts]
    found = [Requirement(text) for text in PROJECT["dependencies"] + extras]
    return [one for one in found if not one.marker or one.marker.evaluate()]


def pins() -> list[str]:
    """Return the tested version of everything, as constraints."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    return [line.removesuffix("\\").strip() for line in lines if re.match(r"\w", line)]


def find_python(version: str) -> str:
    """Return an interpreter of this machine, or skip the test and say what was looked for."""
    if version == RUNNING:
        return sys.executable
    command = [*UV, "python", "find", "--no-project", "--no-python-downloads", version]
    found = subprocess.run(command, env=outside(), capture_output=True, text=True, check=False)
    if found.returncode:
        [*_, reason] = re.findall(r"^error: (.*)", found.stderr, re.MULTILINE) or [found.stderr]
        pytest.skip(f"Python {version} is not tested: {reason}")
    return found.stdout.strip()


def newest_found() -> str:
    """Return the newest Python of this machine; the running one is always there."""
    for version in reversed(KINDS[1:]):
        with contextlib.suppress(pytest.skip.Exception):
            find_python(version)
            return version
    raise AssertionError("not even the running Python is found")


TRIED: Final = KINDS if WHOLE else [LOWEST, NEWEST]
"""Kinds of environments that are made: in `make test`, not the Pythons between."""
BY_PIP: Final = RUNNING if WHOLE else None
"""The Python whose packages pip installs, as it does for `pulumi new`."""


def install(kind: str, built: Built, folder: Path) -> None:
    """
    Install the wheel and its extras into an empty environment.

    Args:
        kind: `lowest`, `newest` or a version of Python. A Python has the pinned versions: the
            running one from pip in `make package`, as a user does, the others from uv.
        built: the package.
        folder: where it is made, as `venv`.

    """
    if kind == LOWEST:
        python = find_python(PROJECT["requires-python"].removeprefix(">="))
    else:
        python = find_python(newest_found() if kind == NEWEST else kind)
    made = Environment(folder / "venv")
    if kind == BY_PIP:
        (folder / "pins.txt").write_text("\n".join(pins()))
        call(python, "-m", "venv", "--clear", made.folder, cwd=folder)
        tested = ("--no-compile", "--only-binary", ":all:", "--constraint", folder / "pins.txt")
        made.run("python", "-m", "pip", "install", *tested, f"{built.wheel}[{EXTRAS}]")
        return
    options = ("--clear", "--no-python-downloads", "--python", python)
    call(*UV, "venv", *options, made.folder, cwd=folder)
    if kind == LOWEST:
        lowest = ("--resolution", "lowest-direct", "--requirement", ROOT / "pyproject.toml")
        made.uv(*lowest, "--all-extras", built.wheel)
    else:
        made.uv("--constraint", ROOT / "requirements.txt", f"{built.wheel}[{EXTRAS}]")


def add_tools(made: Environment) -> None:
    """Add what the tests are run with, without a change to what is there."""
    names = tuple(f"{name}==" for name in TOOLS)
    made.uv(*(pin for pin in pins() if pin.startswith(names)))
