"""Build the S3 server of the tests, once for this user, and print its path.

The server is versitygw, built from the Go module mirror and kept in the user's cache. Progress goes
to stderr, so that stdout has the path only.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from tools.engine.find_or_install import (
    BUILD_ENV,
    BUILD_SECONDS,
    EngineError,
    cache_folder,
    fresh_folder,
    only_one,
    run,
    say,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

MODULE = "github.com/versity/versitygw"
VERSION = "v1.8.0"
NAME = "versitygw"


def find_or_build(env: Mapping[str, str]) -> Path:
    """
    Return the server's executable.

    Raises:
        EngineError: when it cannot be built, with the reason on one line.

    """
    cache = cache_folder(env).with_name("s3-server")
    target = cache / VERSION
    with only_one(cache):
        if not target.exists():
            build(target)
    return target / NAME


def build(target: Path) -> None:
    """Build the server from its Go modules."""
    go = shutil.which("go")
    if go is None:
        raise EngineError("Go is not on PATH")
    say(f"==> {NAME} {VERSION}, the S3 server of the tests, once for this user (about 2 minutes)")
    with fresh_folder(target) as folder, tempfile.TemporaryDirectory() as scratch:
        module = Path(scratch)
        run([go, "mod", "init", "server"], cwd=module, seconds=60)
        command = f"{MODULE}/cmd/{NAME}"
        run([go, "get", "-tool", f"{command}@{VERSION}"], cwd=module, seconds=BUILD_SECONDS)
        options = ["-trimpath", "-ldflags=-s -w", "-o", str(folder / NAME)]
        run([go, "build", *options, command], cwd=module, seconds=BUILD_SECONDS, env=BUILD_ENV)


def main() -> None:
    """Print the server's path, or one line with the error."""
    try:
        print(find_or_build(os.environ))
    except (EngineError, OSError) as error:
        sys.exit(f"no S3 server: its tests will be skipped: {error}")


if __name__ == "__main__":
    main()
