"""`vod-workflow plugin install` writes an executable that starts this package's provider."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pulumi_vod_workflow.cli.plugin.command import write_launcher
from tests.cli.command import invoke


def test_the_launcher_passes_all_words_to_the_provider(tmp_path: Path) -> None:
    """Whatever is in the path of the Python."""
    python = tmp_path / "it's a $HOME" / "python"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    python.chmod(0o755)
    write_launcher(tmp_path, str(python), windows=False)
    launcher = tmp_path / "pulumi-resource-vod"
    done = subprocess.run([launcher, "127.0.0.1:1", "a b"], capture_output=True, check=True)
    assert done.stdout == b"-P|-m|pulumi_vod_workflow.plugin|127.0.0.1:1|a b|"


def test_windows_has_a_batch_file(tmp_path: Path) -> None:
    write_launcher(tmp_path, r"C:\a b\python.exe", windows=True)
    [file] = tmp_path.iterdir()
    assert file.name == "pulumi-resource-vod.cmd"
    expected = b'@"C:\\a b\\python.exe" -P -m pulumi_vod_workflow.plugin %*\r\n'
    assert file.read_bytes() == expected


def test_it_needs_pulumi(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    done = invoke("plugin", "install")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "error: there is no `pulumi` on PATH\n"
