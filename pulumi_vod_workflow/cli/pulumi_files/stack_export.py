"""
The output of `pulumi stack export` as data: nothing of it is decrypted, run or changed.

The export has the stack's configuration of its last update, because the engine records that with
the provider. So the commands need only the file, except for keys that are secret there.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final

from pulumi_vod_workflow.config.engine_command import EngineCommandError, export_stack, list_stacks
from pulumi_vod_workflow.config.settings import Settings, home_folder, load_settings
from pulumi_vod_workflow.core.exported_stack import KEY_NAMES, ExportedStack
from pulumi_vod_workflow.errors import ConfigurationError, VodWorkflowError

ENVIRONMENT: Final = {
    "accessKey": "VOLCENGINE_ACCESS_KEY",
    "secretKey": "VOLCENGINE_SECRET_KEY",
    "sessionToken": "VOLCENGINE_SESSION_TOKEN",
}
"""Name of a key -> the environment variable that replaces it."""


class ExportError(VodWorkflowError):
    """The export cannot be read; nothing was sent."""


class Stack(ExportedStack):
    """A stack in an export, and its settings."""

    def _encrypted(self, cwd: Path | None) -> str:
        """Return the hint for encrypted keys of the stack; empty if there are none."""
        for space in ("vod", "volcengine"):
            if any(self.is_secret(f"{space}:{name}") for name in KEY_NAMES):
                where = f" --stack {shlex.quote(self.name)}"
                where += f" --cwd {shlex.quote(str(cwd))}" if cwd else ""
                given = " ".join(
                    f'{ENVIRONMENT[name]}="$(pulumi config get {space}:{name}{where})"'
                    for name in KEY_NAMES
                    if self.has_setting(f"{space}:{name}")
                )
                return (
                    f"The keys of the stack ({space}:accessKey, {space}:secretKey) are encrypted, "
                    "and this command decrypts nothing. Give them by the environment: "
                    f"`export {given}`"
                )
        return ""

    def settings(self, cwd: Path | None = None, **chosen: str | None) -> Settings:
        """
        Return the settings: those of the stack, of the environment, and of the official files.

        Args:
            cwd: the program's folder, the base of the stack's relative paths.
            chosen: settings of `vod:` from the command line, which replace those of the stack. A
                relative path of them starts at `cwd`, too.

        Raises:
            ConfigurationError: when settings are invalid.

        """
        given = {f"vod:{name}": value for name, value in chosen.items() if value}
        if "vod:journal" not in given and self.is_secret("vod:journal"):
            raise ConfigurationError(
                "vod:journal of the stack is encrypted, and this command decrypts nothing\n"
                'hint: pass `--journal "$(pulumi config get vod:journal)"`'
            )
        found = load_settings(
            lambda key: given.get(key) or self.setting(key),
            {**os.environ, "PULUMI_PROJECT": self.project},
            home_folder(),
            folder=cwd or Path(),
        )
        return replace(found, unreadable=self._encrypted(cwd))


def read_stack(source: str | None, name: str | None = None, cwd: Path | None = None) -> Stack:
    """
    Return the stack of an export.

    Args:
        source: a file, `-` for the standard input, or `None`: then this runs Pulumi.
        name: the stack for Pulumi, by default the selected stack.
        cwd: the program's folder, by default the current one.

    Raises:
        ExportError: when there is no export, or the file is something else.

    """
    if source is not None and (name or cwd):
        raise ExportError("give either a file or --stack and --cwd, not both")
    what = "what Pulumi has exported" if source is None else source
    try:
        if source is None:
            content = export_stack(name, cwd)
        elif source == "-":
            what, content = "the standard input", sys.stdin.buffer.read()
        else:
            content = Path(source).read_bytes()
    except OSError as error:
        raise ExportError(f"{what} cannot be read: {error.strerror}") from None
    except EngineCommandError as error:
        raise ExportError(f"{error}\nhint: {_HINT}") from None
    try:
        return Stack.parse(content)
    except ValueError as error:
        raise ExportError(f"{what} is {error}\nhint: {_HINT}") from None


def read_stacks(
    sources: Sequence[str], names: Sequence[str], cwd: Path | None, *, every: bool
) -> list[Stack]:
    """
    Return the stacks of several exports.

    Args:
        sources: files; `-` is the standard input. Without files this runs Pulumi.
        names: stacks for Pulumi, by default the selected stack.
        cwd: the program's folder, by default the current one.
        every: whether to export all stacks of the project.

    Raises:
        ExportError: when an export is missing or is something else, or the project has no stack.

    """
    if names and every:
        raise ExportError("give either --stack or --all, not both")
    if sources and (names or every or cwd):
        raise ExportError("give either files or --stack, --all and --cwd, not both")
    if sources:
        return [read_stack(source) for source in dict.fromkeys(sources)]
    try:
        chosen: Sequence[str | None] = list_stacks(cwd=cwd) if every else [*dict.fromkeys(names)]
    except EngineCommandError as error:
        raise ExportError(f"{error}\nhint: {_HINT}") from None
    if every and not chosen:
        raise ExportError("the project has no stack")
    with ThreadPoolExecutor(EXPORTS_AT_ONCE) as pool:
        return [*pool.map(lambda name: read_stack(None, name, cwd), chosen or [None])]


def name_stacks(stacks: Sequence[Stack]) -> dict[str, Stack]:
    """Return stacks by name; where it is not unique, by project and name, or also a number."""
    found: dict[str, Stack] = {}
    for number, stack in enumerate(stacks, 1):
        same = [other for other in stacks if other.name == stack.name]
        name = stack.name if len(same) == 1 else f"{stack.project}/{stack.name}"
        if not stack.name:
            name = "empty"
        found[f"{name} ({number})" if not stack.name or name in found else name] = stack
    return found


EXPORTS_AT_ONCE: Final = 4
"""Number of exports at the same time: each takes a third of a second, mostly of waiting."""
_HINT: Final = "give a file that `pulumi stack export` has written"
