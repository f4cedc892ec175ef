"""What is in the repository works on any machine: it names no registry and no machine's folders."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# In pieces, so that this file does not contain what it looks for.
FORBIDDEN = [
    "pypi." + "org",
    "pythonhosted." + "org",
    "proxy." + "golang",
    "sum." + "golang",
    "registry.npm" + "js.org",
    "deb." + "debian",
    "get." + "pulumi",
    "/" + "root/",
    "/" + "work/",
    "/opt/" + "wheels",
    "." + "pyenv/",
]


def tracked() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return [path for name in listing.split("\0") if name and (path := ROOT / name).is_file()]


def test_no_file_names_a_registry_or_a_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in tracked()
        for word in FORBIDDEN
        if word.encode() in path.read_bytes()
    ]
    assert found == []


def test_every_requirement_is_pinned_with_hashes() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    requirements = [line for line in lines if line and not line.startswith((" ", "#"))]
    assert requirements
    assert [line for line in requirements if "==" not in line or not line.endswith("\\")] == []


@pytest.mark.parametrize(
    "script",
    [
        ".ci/run",
        "tools/demo",
        "tools/find-browser",
        "tools/find-postgres",
        "tools/find-python",
        "tools/with-engine",
    ],
)
def test_scripts_can_be_started(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)


def find_python(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", ROOT / "tools" / "find-python"],
        env={"PATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def fake_python(folder: Path, name: str, body: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_the_first_python_that_is_new_enough_is_taken(tmp_path: Path) -> None:
    fake_python(tmp_path, "python3", "exit 1")  # an old one
    newer = fake_python(tmp_path, "python3.12", "exit 0")
    assert find_python(tmp_path).stdout.strip() == str(newer)


def test_without_python_the_remedy_is_named(tmp_path: Path) -> None:
    answer = find_python(tmp_path)
    assert answer.returncode == 1
    assert "Python 3.11 or newer is needed" in answer.stderr


def test_without_venv_the_remedy_is_named(tmp_path: Path) -> None:
    fake_python(tmp_path, "python3", 'case "$2" in *venv*) exit 1;; esac')
    answer = find_python(tmp_path)
    assert answer.returncode == 1
    assert answer.stderr.startswith("python3 cannot make virtual environments: ")
