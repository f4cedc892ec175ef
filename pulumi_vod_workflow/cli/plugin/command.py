"""`vod-workflow plugin install`: let Pulumi find the provider that this environment has."""

from __future__ import annotations

import os
import shlex
import sys
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import typer

from pulumi_vod_workflow.cli.errors import exit_on_error
from pulumi_vod_workflow.config.engine_command import run_engine

EXECUTABLE: Final = "pulumi-resource-vod"
NAME: Final = "vod"

plugin = typer.Typer(
    name="plugin",
    help="Install the packaged provider, which TypeScript, Go, YAML and others use.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@plugin.callback()
def _group() -> None:
    """Install the packaged provider, which TypeScript, Go, YAML and others use."""


@plugin.command()
def install() -> None:
    """
    Install the packaged provider of this environment as a plugin of Pulumi, for this user.

    Pulumi then finds it from every program, with no PATH and no download. The plugin starts this
    environment's Python, so run the command again after the environment has moved, and after an
    upgrade of the package. Free and offline.

    Exit code 0: the plugin is installed. 2: Pulumi cannot install it.
    """
    number = version("pulumi-vod-workflow")
    with exit_on_error(), TemporaryDirectory() as folder:
        write_launcher(Path(folder), sys.executable, windows=os.name == "nt")
        run_engine("plugin", "install", "resource", NAME, number, "--file", folder, "--reinstall")
    typer.echo(f"installed the plugin {NAME} {number}; it starts {sys.executable}")


def write_launcher(folder: Path, python: str, *, windows: bool) -> None:
    """
    Write the plugin's executable, which starts the provider by a Python.

    Args:
        folder: the plugin's folder.
        python: the path of the Python that has this package.
        windows: whether to write a batch file.

    """
    # -P: a module beside the user's program must not hide one of the provider.
    module = "-P -m pulumi_vod_workflow.plugin"
    if windows:  # never run: no test has a Windows machine
        (folder / f"{EXECUTABLE}.cmd").write_text(f'@"{python}" {module} %*\r\n', newline="")
        return
    launcher = folder / EXECUTABLE
    launcher.write_text(f'#!/bin/sh\nexec {shlex.quote(python)} {module} "$@"\n')
    launcher.chmod(0o755)
