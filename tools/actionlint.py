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
    fresh_folder,
    only_one,
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
    cache = cache_folder(env).with_name(NAME)
    target = cache / VERSION
    with only_one(cache):
        if not target.exists():
            say(f"==> {NAME} {VERSION}, once for this user")
            get = ["get", "-tool", f"{COMMAND}@{VERSION}"]
            build = ["build", "-trimpath", "-ldflags=-s -w", COMMAND]
            with fresh_folder(target) as folder, tempfile.TemporaryDirectory() as scratch:
                build_binary(Path(scratch), get, build, folder / NAME, minutes=1)
    return target / NAME


def main() -> None:
    """Print the path, or one line with the error."""
    try:
        print(find_or_build(os.environ))
    except (EngineError, OSError) as error:
        sys.exit(f"no actionlint: its test will be skipped: {error}")


if __name__ == "__main__":
    main()
