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

PREVIEWING: Final = frozenset({"preview", "pre", "up", "update"})
"""The commands of the engine that plan before they change anything, with their short names."""

_ELAPSED: Final = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)")  # POSIX: [[dd-]hh:]mm:ss
# `--skip-preview` is `-f`, also within a group such as `-yf`. A value that looks like it does no
# harm: a rerun then waits for one more update.
_SKIPS_PREVIEW: Final = re.compile(r"--skip-preview(=|$)|-[a-zA-Z]*f")


def command_age() -> float | None:
    """
    Return the seconds since the begin of the engine's command, if it has a preview; else `None`.

    It is not known if another program has started this process: a language host, a wrapper, or the
    shell of a user that attaches engines to it.
    """
    # Without `ww`, a variable COLUMNS would cut the command's line.
    command = ["ps", "-ww", "-o", "etime=", "-o", "args=", "-p", str(os.getppid())]
    with suppress(OSError, subprocess.SubprocessError):
        answer = subprocess.run(  # noqa: S603 - `ps` of the system
            command, capture_output=True, text=True, timeout=TIMEOUT, check=True
        )
        elapsed, program, *words = [*answer.stdout.split(), "", ""]
        found = _ELAPSED.fullmatch(elapsed)
        if found and PurePath(program).name == ENGINE and _has_preview(words):
            days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
            return ((days * 24.0 + hours) * 60 + minutes) * 60 + seconds
    return None


def _has_preview(words: list[str]) -> bool:
    """Return whether a command shows its plan before it changes anything."""
    return not PREVIEWING.isdisjoint(words) and not any(map(_SKIPS_PREVIEW.match, words))
