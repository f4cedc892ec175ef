"""
Generate the SDKs of the packaged provider: `make sdks` writes them into build/sdks.

The generators are Pulumi's, built from the Go module mirror and kept in the user's cache.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Final

from tools.engine.find_or_install import (
    BUILD_ENV,
    BUILD_SECONDS,
    EngineError,
    cache_folder,
    fingerprint,
    kept,
    on_path,
    run,
    say,
)
from tools.plugin.schema import ROOT, SCHEMA

HERE: Final = Path(__file__).parent
GENERATOR: Final = HERE / "generator"
NODE: Final = HERE / "node"
GO: Final = HERE / "go"
JAVA: Final = HERE / "java"
LANGUAGES: Final = {"newest": ("python", "nodejs", "go"), "older": ("dotnet", "java")}
"""Folder of a generator's source -> the languages that its release of Pulumi has here."""
INSTALL_SECONDS: Final = 280


def generator(release: str, env: Mapping[str, str]) -> Path:
    """
    Return the executable of a generator of `LANGUAGES`.

    Raises:
        EngineError: when it cannot be built, with the reason on one line.

    """
    of_release = [GENERATOR / release / name for name in ("languages.go", "go.mod", "go.sum")]
    sources = [GENERATOR / "main.go", *of_release]

    def build(folder: Path) -> None:
        go = on_path("go", "Go")
        say(f"==> the {release} generator of the SDKs, once for this user (about 1 minute)")
        with tempfile.TemporaryDirectory() as scratch:
            for path in sources:
                shutil.copy2(path, scratch)
            options = ["-trimpath", "-ldflags=-s -w", "-o", str(folder / "generator")]
            command = [go, "build", *options, "."]
            run(command, cwd=Path(scratch), seconds=BUILD_SECONDS, env=BUILD_ENV)

    cache = cache_folder(env).with_name("sdk-generator")
    return kept(cache, fingerprint(*(path.read_bytes() for path in sources)), build) / "generator"


def node_packages(env: Mapping[str, str]) -> Path:
    """
    Return a folder with `node_modules`: the compiler of TypeScript and Pulumi's SDK.

    Raises:
        EngineError: when npm cannot install them, with the reason on one line.

    """
    sources = [NODE / name for name in ("package.json", "package-lock.json")]

    def install(folder: Path) -> None:
        npm = on_path("npm", "npm")
        for path in sources:
            shutil.copy2(path, folder)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        run(command, cwd=folder, seconds=INSTALL_SECONDS)

    cache = cache_folder(env).with_name("node")
    return kept(cache, fingerprint(*(path.read_bytes() for path in sources)), install)


def generate(folder: Path, env: Mapping[str, str], download_url: str | None = None) -> None:
    """
    Write the SDKs into a folder, one below it for each language, and the schema they are made from.

    Args:
        folder: exists.
        env: the environment, which has the cache.
        download_url: the place from which Pulumi downloads the plugin for programs that use the
            SDKs. Without it, the plugin must be installed.

    Raises:
        EngineError: when a generator cannot be built, or refuses the schema.

    """
    place = {"pluginDownloadURL": download_url} if download_url else {}
    schema = folder / "schema.json"
    schema.write_text(json.dumps({**json.loads(SCHEMA.read_text()), **place}, indent=2))
    for release, languages in LANGUAGES.items():
        for language in languages:
            shutil.rmtree(folder / language, ignore_errors=True)
        run([str(generator(release, env)), str(schema), str(folder)], cwd=ROOT, seconds=60)
    for name in ("go.mod", "go.sum"):  # the generator writes packages of a module
        shutil.copy2(GO / name, folder / "go")


def main() -> None:
    """Generate the SDKs, or fill the cache; print one line with an error."""
    parser = argparse.ArgumentParser(prog="python -m tools.plugin.sdks")
    only_prepare = "only fill the cache: generators, and the packages that compile TypeScript"
    parser.add_argument("--prepare", action="store_true", help=only_prepare)
    url = "the place from which Pulumi downloads the plugin for programs that use the SDKs"
    parser.add_argument("--download-url", metavar="URL", help=url)
    arguments = parser.parse_args()
    try:
        if arguments.prepare:
            for release in LANGUAGES:
                generator(release, os.environ)
            node_packages(os.environ)
        else:
            folder = ROOT / "build" / "sdks"
            folder.mkdir(parents=True, exist_ok=True)
            generate(folder, os.environ, arguments.download_url)
            for language in chain(*LANGUAGES.values()):
                print(folder / language)
    except (EngineError, OSError) as error:
        sys.exit(f"error: no SDKs: {error}")


if __name__ == "__main__":
    main()
