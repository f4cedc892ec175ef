"""Find the Pulumi engine, or install it, and print the folder to put first on PATH.

With the argument `yaml`: find or build Pulumi's YAML language host instead. An engine of the
official installer has it.

The sources, in this order: a `pulumi` on PATH with its Python language host, the engine of an
earlier run in the user's cache, the official installer, a build from the Go module mirror. With
ENGINE=oldest, or a version such as ENGINE=v3.260.0, the command ignores PATH and uses that version.
Progress goes to stderr, so that stdout has the folder only.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

PINNED = "v3.276.0"
"""The installed version: the newest one on which all engine tests pass."""
OLDEST = "v3.250.0"
"""The oldest supported version, also of a `pulumi` on PATH. All engine tests pass on it."""

MODULE = "github.com/pulumi/pulumi"
GET = ["get", "-tool", f"{MODULE}/pkg/v3/cmd/pulumi@VERSION"]
BUILD = [
    "build",
    "-trimpath",
    f"-ldflags=-s -w -X {MODULE}/sdk/v3/go/common/version.Version=VERSION",
    f"{MODULE}/pkg/v3/cmd/pulumi",
]
YAML_PINNED = "v1.25.0"
"""The built version of the YAML host: the newest one that the Go module mirror serves."""
YAML_COMMAND = "github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml"
YAML_GET = ["get", "-tool", f"{YAML_COMMAND}@VERSION"]
YAML_BUILD = ["build", "-trimpath", "-ldflags=-s -w", YAML_COMMAND]
BUILD_ENV = {"CGO_ENABLED": "0"}
"""A build needs no C compiler, and its binary needs no C library."""

LANGUAGE_HOST = "pulumi-language-python"
YAML_HOST = "pulumi-language-yaml"
DYNAMIC_PROVIDER = "pulumi-resource-pulumi-python"
STAND_IN = Path(__file__).with_name("language_host.py")
LAUNCHER = b"""#!/usr/bin/env python3
import language_host

language_host.main()
"""
"""The executable of the stand-in. Python keeps the bytecode of a module, but not of a script."""

OFFICIAL_SECONDS = 180
"""Timeout of a download. Without a network it ends after OFFICIAL_CONNECT_SECONDS."""
OFFICIAL_CONNECT_SECONDS = 15
BUILD_SECONDS = 3600
HEARTBEAT_SECONDS = 30


class EngineError(Exception):
    """An error of the search or the installation, with a remedy, on one line."""


def say(message: str) -> None:
    """Print a line of progress to stderr."""
    print(message, file=sys.stderr, flush=True)


def engine_on_path(path: str) -> Path | None:
    """Return the folder of a `pulumi` on this PATH that can run Python programs, or None."""
    command = shutil.which("pulumi", path=path)
    if command is None:
        return None
    beside = f"{Path(command).resolve().parent}{os.pathsep}{path}"
    for companion in (LANGUAGE_HOST, DYNAMIC_PROVIDER):
        if shutil.which(companion, path=beside) is None:
            say(f"    ignoring {command}: no {companion}")
            return None
    if answered_version(command) < as_numbers(OLDEST):
        say(f"    ignoring {command}: not version {OLDEST} or newer")
        return None
    return Path(command).absolute().parent


def answered_version(command: str) -> tuple[int, ...]:
    """Return the version of a `pulumi`; lower than every version if the command fails."""
    env = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        answer = subprocess.run(
            [command, "version"], capture_output=True, text=True, env=env, timeout=60, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return as_numbers(answer)


def as_numbers(version: str) -> tuple[int, ...]:
    """Return a version such as v3.250.0 as numbers; lower than every version for another text."""
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version)
    return tuple(map(int, found.groups())) if found else ()


def cache_folder(env: Mapping[str, str]) -> Path:
    """Return the folder of engines in the user's cache, which all clones share."""
    base = env.get("XDG_CACHE_HOME") or str(Path(env.get("HOME") or Path.home()) / ".cache")
    return Path(base).absolute() / "pulumi-vod-workflow" / "engine"


def fingerprint(*parts: str | bytes) -> str:
    """Return a short hash of the parts."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:12]


def wanted_version(env: Mapping[str, str]) -> str | None:
    """Return the version in ENGINE, or None without ENGINE."""
    asked = env.get("ENGINE", "")
    if asked == "oldest":
        return OLDEST
    if asked and not re.fullmatch(r"v\d+\.\d+\.\d+", asked):
        raise EngineError(f"ENGINE is {asked!r}: it must be oldest, or a version such as {PINNED}")
    return asked or None


def of_version(words: Sequence[str], version: str) -> list[str]:
    """Return the words of a Go command with the version."""
    return [word.replace("VERSION", version) for word in words]


def official_folder(cache: Path, version: str) -> Path:
    """Return the folder of the official installer's engine."""
    return cache / f"{version}-official"


def built_folder(cache: Path, version: str) -> Path:
    """Return the folder of the built engine; each recipe and platform has its own."""
    told = of_version([*GET, *BUILD], version)
    return cache / f"{version}-{fingerprint(sysconfig.get_platform(), *told, str(BUILD_ENV))}"


def yaml_folder(cache: Path) -> Path:
    """Return the folder of the built YAML host; each recipe and platform has its own."""
    told = of_version([*YAML_GET, *YAML_BUILD], YAML_PINNED)
    name = f"yaml-{YAML_PINNED}"
    return cache / f"{name}-{fingerprint(sysconfig.get_platform(), *told, str(BUILD_ENV))}"


def assembled_folder(built: Path) -> Path:
    """Return the folder of the built engine with its companions; each version has its own."""
    return built / f"with-host-{fingerprint(LAUNCHER, STAND_IN.read_bytes())}"


@contextmanager
def fresh_folder(target: Path) -> Iterator[Path]:
    """Yield a folder that replaces the target at the end, and disappears after an error."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".part-", dir=target.parent) as scratch:
        folder = Path(scratch) / target.name
        folder.mkdir()
        yield folder
        if target.exists():
            shutil.rmtree(target)
        folder.rename(target)


@contextmanager
def only_one(cache: Path) -> Iterator[None]:
    """Lock the cache, and remove the files of a killed run."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("    another run is installing it: waiting")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for leftover in cache.glob(".part-*"):
            shutil.rmtree(leftover)
        yield


def kept(cache: Path, name: str, make: Callable[[Path], object]) -> Path:
    """Return a folder of a cache; `make` fills it if it is not there yet."""
    target = cache / name
    with only_one(cache):
        if not target.exists():
            with fresh_folder(target) as folder:
                make(folder)
    return target


def on_path(name: str, shown: str) -> str:
    """
    Return the path of a program.

    Raises:
        EngineError: when it is not on PATH.

    """
    found = shutil.which(name)
    if found is None:
        raise EngineError(f"{shown} is not on PATH")
    return found


@contextmanager
def interrupts_later() -> Iterator[None]:
    """Delay Ctrl-C and SIGTERM until the end of the block."""
    came: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: came.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for arrived in came:
        signal.raise_signal(arrived)


def run(
    command: Sequence[str], *, cwd: Path, seconds: float, env: Mapping[str, str] | None = None
) -> str:
    """Return a command's output, with lines of progress; raise EngineError with its last line."""
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as output, ExitStack() as stack:
        with interrupts_later():  # an interrupt within Popen would leave the process running
            process = stack.enter_context(
                subprocess.Popen(
                    command,
                    cwd=cwd,
                    env={**os.environ, **(env or {})},
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                )
            )
            stack.callback(process.kill)  # no effect on a process that has ended
        while process.poll() is None:
            waited = time.monotonic() - started
            if waited >= seconds:
                raise EngineError(f"timeout after {seconds:.0f} s")
            try:
                process.wait(min(HEARTBEAT_SECONDS, seconds - waited))
            except subprocess.TimeoutExpired:
                say(f"    … {time.monotonic() - started:.0f} s")
        output.seek(0)
        text = output.read().strip()
    if process.returncode != 0:
        raise EngineError(text.splitlines()[-1] if text else f"exit code {process.returncode}")
    return text


def install_official(target: Path, version: str) -> None:
    """Download the engine with the Pulumi SDK's own installer."""
    program = (
        "import socket, sys\n"
        f"socket.setdefaulttimeout({OFFICIAL_CONNECT_SECONDS})\n"
        "from pulumi.automation import PulumiCommand\n"
        "from semver import VersionInfo\n"
        "PulumiCommand.install(sys.argv[1], VersionInfo.parse(sys.argv[2]))\n"
    )
    with fresh_folder(target) as folder:
        command = [sys.executable, "-c", program, str(folder), version.removeprefix("v")]
        run(command, cwd=folder, seconds=OFFICIAL_SECONDS)


def build(target: Path, version: str) -> None:
    """Build the engine from its Go modules, and copy the dynamic provider's launcher."""
    with fresh_folder(target) as folder, tempfile.TemporaryDirectory() as scratch:
        module = Path(scratch)
        recipe = of_version(GET, version), of_version(BUILD, version)
        go = build_binary(module, *recipe, folder / "pulumi", minutes=6)
        sdk = run([go, "list", "-m", "-f", "{{.Dir}}", f"{MODULE}/sdk/v3"], cwd=module, seconds=60)
        install(Path(sdk) / "python" / "dist" / DYNAMIC_PROVIDER, folder / DYNAMIC_PROVIDER)


def build_binary(
    module: Path, get: Sequence[str], build: Sequence[str], target: Path, *, minutes: int
) -> str:
    """
    Build a command from its Go modules, and return Go.

    Args:
        module: an empty folder, for the module that needs the command.
        get: the words of the Go command that fetches it.
        build: those of the Go command that builds it.
        target: the file of the binary.
        minutes: the usual time of the build on 2 cores.

    """
    go = on_path("go", "Go")
    run([go, "mod", "init", "engine"], cwd=module, seconds=60)
    say("    fetching its Go modules (about 1 minute)")
    run([go, *get], cwd=module, seconds=BUILD_SECONDS)
    unit = "minute" if minutes == 1 else "minutes"
    say(f"    building it ({minutes} {unit} on 2 cores, once for this user)")
    verb, *options = build
    command = [go, verb, "-o", str(target), *options]
    run(command, cwd=module, seconds=BUILD_SECONDS, env=BUILD_ENV)
    return go


def install(source: Path, target: Path) -> None:
    """Copy an executable."""
    target.write_bytes(source.read_bytes())
    target.chmod(0o755)


def assemble(built: Path) -> Path:
    """Return the folder with a built engine, the launcher of its version and the stand-in host."""
    target = assembled_folder(built)
    if not target.exists():
        with fresh_folder(target) as root:
            folder = root / "bin"  # the Automation API expects this name
            folder.mkdir()
            for name in ("pulumi", DYNAMIC_PROVIDER):
                (folder / name).hardlink_to(built / name)  # the engine follows a symbolic link
            shutil.copy(STAND_IN, folder / "language_host.py")
            (folder / LANGUAGE_HOST).write_bytes(LAUNCHER)
            (folder / LANGUAGE_HOST).chmod(0o755)
    return target / "bin"


def cached_engine(cache: Path, version: str) -> Path | None:
    """Return the folder of an engine of an earlier run, or None."""
    if (official := official_folder(cache, version) / "bin").exists():
        return official
    if (built := built_folder(cache, version)).exists():
        return assemble(built)
    return None


def install_engine(cache: Path, version: str) -> Path:
    """Install the engine in the cache, officially or by a build; return its folder."""
    say(f"==> Pulumi engine {version}, once for this user, into {cache}")
    official, built = official_folder(cache, version), built_folder(cache, version)
    try:
        say("    trying the official installer")
        install_official(official, version)
    except EngineError as error:
        say(f"    the official installer failed ({error}): building from the Go modules")
    else:
        return official / "bin"
    try:
        build(built, version)
    except EngineError as error:
        remedy = "Install the Pulumi CLI (or Go), put it on PATH and run again"
        raise EngineError(f"no Pulumi engine: {error}. {remedy}") from None
    return assemble(built)


def find_or_install(env: Mapping[str, str]) -> Path:
    """Return the folder to put first on PATH."""
    wanted = wanted_version(env)
    if wanted is None and (found := engine_on_path(env.get("PATH", ""))):
        return found
    version = wanted or PINNED
    with only_one(cache := cache_folder(env)):
        return cached_engine(cache, version) or install_engine(cache, version)


def find_or_build_yaml(env: Mapping[str, str]) -> Path:
    """Return a folder with the YAML host: beside the engine, on PATH, or in the cache."""
    engine = find_or_install(env)
    beside = f"{engine.resolve()}{os.pathsep}{env.get('PATH', '')}"
    if found := shutil.which(YAML_HOST, path=beside):
        return Path(found).absolute().parent
    cache = cache_folder(env)

    def build_host(folder: Path) -> None:
        say(f"==> Pulumi's YAML language host {YAML_PINNED}, once for this user, into {cache}")
        recipe = of_version(YAML_GET, YAML_PINNED), of_version(YAML_BUILD, YAML_PINNED)
        with tempfile.TemporaryDirectory() as scratch:
            build_binary(Path(scratch), *recipe, folder / YAML_HOST, minutes=1)

    try:
        return kept(cache, yaml_folder(cache).name, build_host)
    except EngineError as error:
        raise EngineError(f"no YAML language host: {error}") from None


def main() -> None:
    """Print the folder of the engine or of the YAML host, or one line with the error."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # SIGTERM also cleans up
    wants_yaml = sys.argv[1:] == ["yaml"]
    try:
        print(find_or_build_yaml(os.environ) if wants_yaml else find_or_install(os.environ))
    except EngineError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: no Pulumi engine: {error}")
    except KeyboardInterrupt:
        sys.exit("error: no Pulumi engine: interrupted, nothing is left behind")


if __name__ == "__main__":
    main()
