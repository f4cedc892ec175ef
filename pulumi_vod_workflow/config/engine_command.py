"""Commands of the engine that read a stack; free."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

from pulumi_vod_workflow.errors import VodWorkflowError

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
    try:
        done = subprocess.run(  # noqa: S603
            command,
            capture_output=True,
            check=False,
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
        said = done.stderr.decode(errors="replace").strip()
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
