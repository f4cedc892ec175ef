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
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from tools.engine.find_or_install import (
    BUILD_SECONDS,
    EngineError,
    build_binary,
    cache_folder,
    fingerprint,
    kept,
    on_path,
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
    install = build if server.is_go else install_from_npm
    return kept(cache, server.folder, partial(install, server)) / server.executable


def build(server: ObjectServer, folder: Path) -> None:
    """Build a server from its Go modules."""
    announce(server)
    with tempfile.TemporaryDirectory() as scratch:
        built = server.package
        if server.source:
            shutil.copy(server.source, scratch)
            built = "."
        get = ["get", f"{server.package}@{server.version}"]
        options = ["build", "-trimpath", "-ldflags=-s -w", built]
        build_binary(Path(scratch), get, options, folder / server.executable, minutes=2)


def install_from_npm(server: ObjectServer, folder: Path) -> None:
    """Install a server from npm, without the scripts of its packages."""
    npm = on_path("npm", "npm")
    announce(server)
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"]
    package = f"{server.package}@{server.version}"
    command = [npm, "install", "--prefix", str(folder), *options, package]
    run(command, cwd=folder, seconds=BUILD_SECONDS)


def announce(server: ObjectServer) -> None:
    """Print the work that comes now."""
    name = Path(server.executable).name
    say(f"==> {name} {server.version}, the {server.store} server of the tests, once for this user")


def main() -> None:
    """Print the servers' paths, and one line for each error."""
    for server in (S3, GCS, AZURE):
        try:
            print(find_or_install(server, os.environ))
        except (EngineError, OSError) as error:
            say(f"no {server.store} server: its tests will be skipped: {error}")


if __name__ == "__main__":
    main()
