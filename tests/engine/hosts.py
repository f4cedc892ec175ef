"""
The hosts of the lifecycle that a story can run on.

A story's module imports the classes of the dynamic provider. On the packaged provider, the module
has the classes of `pulumi_vod_workflow.plugin` under the same names.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Final, Literal

import pytest

from pulumi_vod_workflow import plugin

HostName = Literal["dynamic", "plugin"]
EXECUTABLE: Final = "pulumi-resource-vod"


def install_plugin(folder: Path) -> Path:
    """Write the executable of this checkout's packaged provider, and return its folder."""
    folder.mkdir()
    command = folder / EXECUTABLE
    module = "pulumi_vod_workflow.plugin"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -u -m {module} "$@"\n')
    command.chmod(0o755)
    return folder


def use_plugin(project_file: Path, folder: Path) -> None:
    """Let a project's settings name the folder of the packaged provider."""
    text = project_file.read_text().rstrip("\n")
    lines = ["plugins:", "  providers:", "    - name: vod", f"      path: {folder}"]
    project_file.write_text("\n".join([text, *lines, ""]))


def declare_packaged(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a module the packaged classes in place of the dynamic ones that it imports."""
    for name in plugin.__all__:
        if hasattr(module, name):
            monkeypatch.setattr(module, name, getattr(plugin, name))
