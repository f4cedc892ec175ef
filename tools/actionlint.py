"""Build actionlint, once for this user, and print its path: it checks the workflows of GitHub."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tools.engine.find_or_install import (
    EngineError,
    build_binary,
    cache_folder,
    kept,
    say,
)

NAME: Final = "actionlint"
COMMAND: Final = "github.com/rhysd/actionlint/cmd/actionlint"
VERSION: Final = "v1.7.12"


def find_or_build(env: Mapping[str, str]) -> Path:
    """
    Return the executable.

    Raises:
        EngineError: when it cannot be built, with the reason on one line.

    """

    def build(folder: Path) -> None:
        say(f"==> {NAME} {VERSION}, once for this user")
        get = ["get", "-tool", f"{COMMAND}@{VERSION}"]
        options = ["build", "-trimpath", "-ldflags=-s -w", COMMAND]
        with tempfile.TemporaryDirectory() as scratch:
            build_binary(Path(scratch), get, options, folder / NAME, minutes=1)

    return kept(cache_folder(env).with_name(NAME), VERSION, build) / NAME


def main() -> None:
    """Print the path, or one line with the error."""
    try:
        print(find_or_build(os.environ))
    except (EngineError, OSError) as error:
        sys.exit(f"no actionlint: its test will be skipped: {error}")


if __name__ == "__main__":
    main()
