"""The process of the engine, which is the parent of this one."""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import suppress
from pathlib import PurePath
from typing import Final

ENGINE: Final = "pulumi"
"""The name of the engine's executable."""
TIMEOUT: Final = 5.0  # seconds

_ELAPSED: Final = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)")  # POSIX: [[dd-]hh:]mm:ss


def command_age() -> float | None:
    """
    Return the seconds since the begin of the engine's command; `None` if that is not known.

    It is not known if another program has started this process: a language host, a wrapper, or the
    shell of a user that attaches engines to it.
    """
    command = ["ps", "-o", "etime=", "-o", "comm=", "-p", str(os.getppid())]
    with suppress(OSError, subprocess.SubprocessError):
        answer = subprocess.run(  # noqa: S603 - `ps` of the system
            command, capture_output=True, text=True, timeout=TIMEOUT, check=True
        )
        elapsed, _, name = answer.stdout.strip().partition(" ")
        found = _ELAPSED.fullmatch(elapsed)
        if found and PurePath(name.strip()).name == ENGINE:
            days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
            return ((days * 24.0 + hours) * 60 + minutes) * 60 + seconds
    return None
