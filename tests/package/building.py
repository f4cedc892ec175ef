"""What is built, and what is in it."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from email import message_from_string, policy
from email.message import EmailMessage
from functools import cached_property
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NAME: Final = PROJECT["name"].replace("-", "_")
STEM: Final = f"{NAME}-{PROJECT['version']}"
SUPPORTED: Final = [
    told[1]
    for classifier in PROJECT["classifiers"]
    if (told := re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", classifier))
]
"""The Pythons that the classifiers name."""


@dataclass(frozen=True)
class Built:
    """A source distribution, a wheel, or both, in a folder."""

    folder: Path

    @property
    def wheel(self) -> Path:
        """The wheel."""
        [wheel] = self.folder.glob("*.whl")
        return wheel

    @property
    def sdist(self) -> Path:
        """The source distribution."""
        [sdist] = self.folder.glob("*.tar.gz")
        return sdist

    @cached_property
    def wheel_files(self) -> dict[str, bytes]:
        """What is in the wheel."""
        with zipfile.ZipFile(self.wheel) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    @cached_property
    def sdist_files(self) -> set[str]:
        """What is in the source distribution, below its only folder."""
        with tarfile.open(self.sdist) as archive:
            names = [Path(member.name) for member in archive if member.isfile()]
        assert {path.parts[0] for path in names} == {STEM}
        return {path.relative_to(STEM).as_posix() for path in names}

    @cached_property
    def metadata(self) -> EmailMessage:
        """What the wheel says of itself."""
        text = self.wheel_files[f"{STEM}.dist-info/METADATA"].decode()
        return message_from_string(text, policy=policy.default)

    def unpack(self, folder: Path) -> Path:
        """Unpack the source distribution, and return its folder."""
        with tarfile.open(self.sdist) as archive:
            archive.extractall(folder, filter="data")
        return folder / STEM


def build(source: Path, folder: Path, *options: str) -> Built:
    """Build with the pinned backend, without a network."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--directory", folder, *options],
        cwd=source,
        check=True,
        capture_output=True,
    )
    return Built(folder)
