"""
The hosts of the lifecycle that a story can run on.

A story's module imports the classes of the dynamic provider. On the packaged provider, the module
has the classes of `pulumi_vod_workflow.plugin` under the same names.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import pytest

from pulumi_vod_workflow import plugin

HostName = Literal["dynamic", "plugin"]
EXECUTABLE: Final = "pulumi-resource-vod"
PACKAGES: Final[dict[HostName, str]] = {
    "dynamic": "pulumi_vod_workflow",
    "plugin": "pulumi_vod_workflow.plugin",
}
"""Host -> the package that a program imports its classes from."""
ENVIRONMENTS: Final[dict[HostName, dict[str, str]]] = {
    "dynamic": {},
    # Without it, the engine prefers a plugin of the PATH to the installed one, and warns.
    "plugin": {"PULUMI_IGNORE_AMBIENT_PLUGINS": "true"},
}
"""Host -> the variables of a project whose plugin is installed."""
PROVIDER_MARKS: Final[dict[HostName, str]] = {
    "dynamic": "pulumi.dynamic",
    "plugin": "-m pulumi_vod_workflow.plugin",
}
"""Host -> a text in the command line of its provider."""


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


def install_for_user(environ: Mapping[str, str]) -> None:
    """Install the packaged provider as a user does, in the PULUMI_HOME of an environment."""
    command = [sys.executable, "-m", "pulumi_vod_workflow.cli", "plugin", "install"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def declare_packaged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give all stories the packaged classes in place of the dynamic ones that they import."""
    stories = [module for name, module in sys.modules.items() if name.startswith("tests.engine.")]
    for module in stories:
        for name in plugin.__all__:
            if name in vars(module):
                monkeypatch.setattr(module, name, getattr(plugin, name))
