"""Commands of the engine that read a stack; free."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pulumi_vod_workflow.config.backend import find_project
from pulumi_vod_workflow.config.shown_url import mask_urls
from pulumi_vod_workflow.errors import VodWorkflowError

if TYPE_CHECKING:
    from pulumi_vod_workflow.core.exported_stack import ExportedStack

# journal-facts 6: an export takes 0.25 to 0.4 s with a file backend, and needs no lock.
COMMAND_TIMEOUT: Final = 60.0
"""The longest wait for a command, in seconds."""


class EngineCommandError(VodWorkflowError):
    """A command of the engine has failed; nothing was sent."""


def run_engine(*arguments: str, cwd: Path | None = None) -> bytes:
    """
    Return the output of a command of the engine.

    Args:
        arguments: the command line, without `pulumi`.
        cwd: the program's folder, by default the current one.

    Raises:
        EngineCommandError: when there is no `pulumi`, or the command fails.

    """
    command = ["pulumi", *arguments, "--non-interactive", "--color=never"]
    command += ["--cwd", str(cwd)] if cwd else []
    text = f"`pulumi {' '.join(arguments)}`"
    # The engine resolves a relative backend where it runs, and `main` moves the provider.
    project = None if cwd else find_project(Path(), os.environ.get("PULUMI_PROJECT", ""))
    try:
        done = subprocess.run(  # noqa: S603
            command,
            capture_output=True,
            check=False,
            cwd=project.folder if project else None,
            stdin=subprocess.DEVNULL,
            timeout=COMMAND_TIMEOUT,
        )
    except FileNotFoundError:
        raise EngineCommandError("there is no `pulumi` on PATH") from None
    except subprocess.TimeoutExpired:
        raise EngineCommandError(f"{text} has not ended within {COMMAND_TIMEOUT:.0f} s") from None
    except OSError as error:
        raise EngineCommandError(f"{text} cannot run: {error.strerror}") from None
    if done.returncode:
        # The engine quotes the URL of a backend that it cannot open, with the password.
        backend = os.environ.get("PULUMI_BACKEND_URL", "")
        said = mask_urls(done.stderr.decode(errors="replace").strip(), backend)
        raise EngineCommandError(f"{text} has failed: {said}")
    return done.stdout


def export_stack(name: str | None = None, cwd: Path | None = None) -> bytes:
    """
    Return the export of a stack, secrets encrypted.

    Args:
        name: the stack, by default the selected one.
        cwd: the program's folder, by default the current one.

    Raises:
        EngineCommandError: when there is no `pulumi`, or the command fails.

    """
    return run_engine("stack", "export", *(["--stack", name] if name else []), cwd=cwd)


def load_stack(name: str | None) -> ExportedStack:
    """
    Return the exported state of a stack; `None` is the selected stack.

    Raises:
        EngineCommandError: when the engine cannot export the stack, or its output has another form.

    """
    # Its models are slow to load, and most updates need no export.
    from pulumi_vod_workflow.core.exported_stack import ExportedStack  # noqa: PLC0415 - see above

    try:
        return ExportedStack.parse(export_stack(name))
    except ValueError as error:
        raise EngineCommandError(f"the output of `pulumi stack export` is {error}") from None


def list_stacks(project: str | None = None, cwd: Path | None = None) -> list[str]:
    """
    Return the names of a project's stacks, with the organization if the engine prints it.

    Args:
        project: the project's name, by default that of the program's folder.
        cwd: the program's folder, by default the current one.

    Raises:
        EngineCommandError: when the engine cannot list them, or its output has another form.

    """
    try:
        chosen = ["--project", project] if project else []
        listed = json.loads(run_engine("stack", "ls", *chosen, "--json", cwd=cwd))
        return [str(stack["name"]) for stack in listed]
    except (ValueError, TypeError, KeyError):
        raise EngineCommandError(
            "the output of `pulumi stack ls --json` is no list of stacks"
        ) from None


def read_exported_stack(
    project: str, stack: str, environ: Mapping[str, str], folder: Path, *, is_cloud: bool
) -> ExportedStack:
    """
    Return the exported state of a stack from within its program.

    Args:
        project: the project's name.
        stack: the stack's name, without its organization.
        environ: the environment.
        folder: the program's folder.
        is_cloud: whether the backend is or may be Pulumi Cloud, where stacks belong to
            organizations.

    Raises:
        EngineCommandError: when the engine cannot export the stack, or no output is readable.

    """
    problem = EngineCommandError(f"`pulumi` finds no stack {stack} of the project {project}")
    for name in _stack_names(project, stack, environ, folder, is_cloud=is_cloud):
        try:
            found = load_stack(name)
        except EngineCommandError as error:
            problem = error
        else:
            # Only a stack without resources has no name, and the selected one may be another.
            if (found.project, found.name) == (project, stack) or (name and not found.name):
                return found
    raise problem


def _stack_names(
    project: str, stack: str, environ: Mapping[str, str], folder: Path, *, is_cloud: bool
) -> Iterator[str | None]:
    """Yield names for `--stack`, the most probable first; `None` is the selected stack."""
    # Neither the provider's inputs nor its environment have the stack's organization.
    chosen = environ.get("PULUMI_STACK", "")
    if chosen.rpartition("/")[2] == stack:
        yield chosen
    own = find_project(folder, project)
    has_project = own is not None and own.name == project
    if not is_cloud:
        # A program of the Automation API may have its project elsewhere.
        yield stack if has_project else f"organization/{project}/{stack}"
        return
    if has_project:
        yield None
        yield stack
    for name in list_stacks(project):
        if name.rpartition("/")[2] == stack:
            yield name
