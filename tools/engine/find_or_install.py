"""Find the Pulumi engine, or install it; print the folder to put first on PATH.

In this order: a `pulumi` on PATH that has its Python language host, what an earlier run installed
in the user's cache, the official installer, a build from the Go module mirror. With ENGINE=oldest
or, for example, ENGINE=v3.260.0 in the environment, that version is used and PATH is ignored.
Progress goes to stderr, so that stdout is the folder alone.
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
    from collections.abc import Iterator, Mapping, Sequence

PINNED = "v3.276.0"
"""The version that is installed: the newest on which all engine tests pass."""
OLDEST = "v3.250.0"
"""The oldest supported version, the lowest that is used from PATH. All engine tests pass on it."""

MODULE = "github.com/pulumi/pulumi"
GET = ["get", "-tool", f"{MODULE}/pkg/v3/cmd/pulumi@VERSION"]
BUILD = [
    "build",
    "-trimpath",
    f"-ldflags=-s -w -X {MODULE}/sdk/v3/go/common/version.Version=VERSION",
    f"{MODULE}/pkg/v3/cmd/pulumi",
]
BUILD_ENV = {"CGO_ENABLED": "0"}
"""Needs no C compiler, and makes a binary that needs no C library."""

LANGUAGE_HOST = "pulumi-language-python"
DYNAMIC_PROVIDER = "pulumi-resource-pulumi-python"
STAND_IN = Path(__file__).with_name("language_host.py")

OFFICIAL_SECONDS = 180
"""What a download may take. Without a network it ends after OFFICIAL_CONNECT_SECONDS already."""
OFFICIAL_CONNECT_SECONDS = 15
BUILD_SECONDS = 3600
HEARTBEAT_SECONDS = 30


class EngineError(Exception):
    """No engine, and what to do about it: one line."""


def say(message: str) -> None:
    """Tell the person who waits."""
    print(message, file=sys.stderr, flush=True)


def engine_on_path(path: str) -> Path | None:
    """The folder of a `pulumi` on this PATH that can run Python programs, or None."""
    command = shutil.which("pulumi", path=path)
    if command is None:
        return None
    beside = f"{Path(command).resolve().parent}{os.pathsep}{path}"
    for companion in (LANGUAGE_HOST, DYNAMIC_PROVIDER):
        if shutil.which(companion, path=beside) is None:
            say(f"    {command} is left aside: it has no {companion}")
            return None
    if answered_version(command) < as_numbers(OLDEST):
        say(f"    {command} is left aside: it does not answer as version {OLDEST} or newer")
        return None
    return Path(command).absolute().parent


def answered_version(command: str) -> tuple[int, ...]:
    """What `pulumi version` answers; lower than every version if it does not work."""
    env = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        answer = subprocess.run(
            [command, "version"], capture_output=True, text=True, env=env, timeout=60, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return as_numbers(answer)


def as_numbers(version: str) -> tuple[int, ...]:
    """A version such as v3.250.0, to compare; lower than every version if it is none."""
    found = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version)
    return tuple(map(int, found.groups())) if found else ()


def cache_folder(env: Mapping[str, str]) -> Path:
    """Where engines are kept: the user's cache, so that the next clone need not install again."""
    base = env.get("XDG_CACHE_HOME") or str(Path(env.get("HOME") or Path.home()) / ".cache")
    return Path(base).absolute() / "pulumi-vod-workflow" / "engine"


def fingerprint(*parts: str | bytes) -> str:
    """A short name for exactly these parts."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:12]


def wanted_version(env: Mapping[str, str]) -> str | None:
    """Return the version that ENGINE demands, or None if every supported version will do."""
    asked = env.get("ENGINE", "")
    if asked == "oldest":
        return OLDEST
    if asked and not re.fullmatch(r"v\d+\.\d+\.\d+", asked):
        raise EngineError(f"ENGINE is {asked!r}: it must be oldest, or a version such as {PINNED}")
    return asked or None


def of_version(words: Sequence[str], version: str) -> list[str]:
    """Fill the version into the words of a Go command."""
    return [word.replace("VERSION", version) for word in words]


def official_folder(cache: Path, version: str) -> Path:
    """Where the official installer's engine is kept."""
    return cache / f"{version}-official"


def built_folder(cache: Path, version: str) -> Path:
    """Where the built engine is kept: another recipe or another machine, another folder."""
    told = of_version([*GET, *BUILD], version)
    return cache / f"{version}-{fingerprint(sysconfig.get_platform(), *told, str(BUILD_ENV))}"


def assembled_folder(built: Path) -> Path:
    """Where the built engine stands with its companions: cheap to make anew when they change."""
    return built / f"with-host-{fingerprint(STAND_IN.read_bytes())}"


@contextmanager
def fresh_folder(target: Path) -> Iterator[Path]:
    """A folder to fill, which becomes the target at the end, or vanishes if that is not reached."""
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
    """Hold the cache's lock, and sweep up after a run that was killed."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("    another run is installing the engine: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        for leftover in cache.glob(".part-*"):
            shutil.rmtree(leftover)
        yield


@contextmanager
def interrupts_later() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM interrupt only at the end of the block."""
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
    """A command's output, with a sign of life while it runs, or an EngineError with its end."""
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as output, ExitStack() as stack:
        with interrupts_later():  # in the middle of it, what was started would be left behind
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
            stack.callback(process.kill)  # does nothing to one that has ended
        while process.poll() is None:
            waited = time.monotonic() - started
            if waited >= seconds:
                raise EngineError(f"no end after {seconds:.0f} s")
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
    """Build the engine from its Go modules, and take the dynamic provider's launcher from them."""
    go = shutil.which("go")
    if go is None:
        raise EngineError("Go, to build it with, is not on PATH")
    with fresh_folder(target) as folder, tempfile.TemporaryDirectory() as scratch:
        module = Path(scratch)
        run([go, "mod", "init", "engine"], cwd=module, seconds=60)
        say("    fetching its Go modules (about 1 minute)")
        run([go, *of_version(GET, version)], cwd=module, seconds=BUILD_SECONDS)
        say("    building it (6 minutes on 2 cores, once for this user)")
        verb, *options = of_version(BUILD, version)
        run(
            [go, verb, "-o", str(folder / "pulumi"), *options],
            cwd=module,
            seconds=BUILD_SECONDS,
            env=BUILD_ENV,
        )
        sdk = run([go, "list", "-m", "-f", "{{.Dir}}", f"{MODULE}/sdk/v3"], cwd=module, seconds=60)
        install(Path(sdk) / "python" / "dist" / DYNAMIC_PROVIDER, folder / DYNAMIC_PROVIDER)


def install(source: Path, target: Path) -> None:
    """Copy an executable."""
    target.write_bytes(source.read_bytes())
    target.chmod(0o755)


def assemble(built: Path) -> Path:
    """The folder with a built engine, the launcher of its version and our language host."""
    target = assembled_folder(built)
    if not target.exists():
        with fresh_folder(target) as root:
            folder = root / "bin"  # where the Automation API expects it
            folder.mkdir()
            for name in ("pulumi", DYNAMIC_PROVIDER):
                (folder / name).hardlink_to(built / name)  # the engine sees through a symbolic link
            install(STAND_IN, folder / LANGUAGE_HOST)
    return target / "bin"


def cached_engine(cache: Path, version: str) -> Path | None:
    """The folder of an engine that an earlier run installed, or None."""
    if (official := official_folder(cache, version) / "bin").exists():
        return official
    if (built := built_folder(cache, version)).exists():
        return assemble(built)
    return None


def install_engine(cache: Path, version: str) -> Path:
    """Install the engine in the cache, by the first way that works; its folder."""
    say(f"==> Pulumi engine {version}, once for this user, into {cache}")
    official, built = official_folder(cache, version), built_folder(cache, version)
    try:
        say("    trying the official installer")
        install_official(official, version)
    except EngineError as error:
        say(f"    it did not work ({error}): building from the Go modules instead")
    else:
        return official / "bin"
    try:
        build(built, version)
    except EngineError as error:
        remedy = "Install the Pulumi CLI (or Go), put it on PATH and run again"
        raise EngineError(f"no Pulumi engine: {error}. {remedy}") from None
    return assemble(built)


def find_or_install(env: Mapping[str, str]) -> Path:
    """The folder to put first on PATH."""
    wanted = wanted_version(env)
    if wanted is None and (found := engine_on_path(env.get("PATH", ""))):
        return found
    version = wanted or PINNED
    with only_one(cache := cache_folder(env)):
        return cached_engine(cache, version) or install_engine(cache, version)


def main() -> None:
    """Print the engine's folder, or one line that says why there is none."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # tidy up then, too
    try:
        print(find_or_install(os.environ))
    except EngineError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(f"error: no Pulumi engine: {error}")
    except KeyboardInterrupt:
        sys.exit("error: no Pulumi engine: interrupted, nothing is left behind")


if __name__ == "__main__":
    main()
