"""
Install the servers of object stores for the tests, once for this user, and print their paths.

S3 is versitygw and GCS is fake-gcs-server with `gcs_server.go`, both built from the Go module
mirror. Azure is azurite from npm. All are kept in the user's cache. Progress goes to stderr, so
that stdout has the paths only.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from tools.engine.find_or_install import (
    BUILD_ENV,
    BUILD_SECONDS,
    EngineError,
    cache_folder,
    fingerprint,
    fresh_folder,
    only_one,
    run,
    say,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class ObjectServer:
    """A server that the tests start."""

    store: str
    """The store that the server imitates."""
    package: str
    """The Go package with the program, or the package of npm."""
    version: str
    executable: str
    """The program's path in the server's folder."""
    is_go: bool = True
    """Whether the package is of Go, and not of npm."""
    source: Path | None = None
    """The program of this repository that uses the Go package."""

    @property
    def folder(self) -> str:
        """The name of the server's folder in the cache."""
        own = f"-{fingerprint(self.source.read_bytes())}" if self.source else ""
        return f"{self.version}{own}"


S3 = ObjectServer("S3", "github.com/versity/versitygw/cmd/versitygw", "v1.8.0", "versitygw")
GCS = ObjectServer(
    "GCS",
    "github.com/fsouza/fake-gcs-server/fakestorage",
    "v1.56.1",
    "gcs-server",
    source=Path(__file__).with_name("gcs_server.go"),
)
# The last release without telemetry, which is a third of the size of the newest.
AZURE = ObjectServer("Azure", "azurite", "3.33.0", "node_modules/.bin/azurite-blob", is_go=False)


def find_or_install(server: ObjectServer, env: Mapping[str, str]) -> Path:
    """
    Return a server's executable.

    Raises:
        EngineError: when it cannot be installed, with the reason on one line.

    """
    cache = cache_folder(env).with_name(f"{server.store.lower()}-server")
    target = cache / server.folder
    with only_one(cache):
        if not target.exists():
            install = build if server.is_go else install_from_npm
            install(server, target)
    return target / server.executable


def build(server: ObjectServer, target: Path) -> None:
    """Build a server from its Go modules."""
    go = command("go", "Go")
    announce(server, "about 2 minutes")
    with fresh_folder(target) as folder, tempfile.TemporaryDirectory() as scratch:
        module = Path(scratch)
        run([go, "mod", "init", "server"], cwd=module, seconds=60)
        package = f"{server.package}@{server.version}"
        run([go, "get", package], cwd=module, seconds=BUILD_SECONDS)
        built = server.package
        if server.source:
            shutil.copy(server.source, module)
            built = "."
        options = ["-trimpath", "-ldflags=-s -w", "-o", str(folder / server.executable)]
        run([go, "build", *options, built], cwd=module, seconds=BUILD_SECONDS, env=BUILD_ENV)


def install_from_npm(server: ObjectServer, target: Path) -> None:
    """Install a server from npm, without the scripts of its packages."""
    npm = command("npm", "npm")
    announce(server, "about half a minute")
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"]
    with fresh_folder(target) as folder:
        package = f"{server.package}@{server.version}"
        run(
            [npm, "install", "--prefix", str(folder), *options, package],
            cwd=folder,
            seconds=BUILD_SECONDS,
        )


def command(name: str, shown: str) -> str:
    """Return the path of a program; raise EngineError if it is not on PATH."""
    found = shutil.which(name)
    if found is None:
        raise EngineError(f"{shown} is not on PATH")
    return found


def announce(server: ObjectServer, time: str) -> None:
    """Print the work that comes now."""
    name = Path(server.executable).name
    say(f"==> {name} {server.version}, the {server.store} server of the tests, once ({time})")


def main() -> None:
    """Print the servers' paths, and one line for each error."""
    for server in (S3, GCS, AZURE):
        try:
            print(find_or_install(server, os.environ))
        except (EngineError, OSError) as error:
            say(f"no {server.store} server: its tests will be skipped: {error}")


if __name__ == "__main__":
    main()
