#!/usr/bin/env python3
"""Run Pulumi programs written in Python, for an engine that was built without its language host.

A development tool, installed beside such an engine, whose `pulumi-language-python` calls `main`.
Without the runtime option `virtualenv` it runs the program in its own process, with the Python it
was started with: the project's environment must be active.

Like the official host, the stand-in reports the plugins that the installed packages need. It gives
a new project the options pip and `venv`, makes that virtual environment, installs
`requirements.txt` into it, and runs the program with its Python. The stand-in does not imitate:

- other toolchains (poetry, uv), type checkers, the debugger, tracing, .python-version;
- an installation into the environment at hand: without `virtualenv` it installs nothing;
- the installation by a preview that finds no `venv`: `pulumi install` is needed;
- the list of a program's dependencies (`pulumi about`);
- plugin versions of pre-releases: such a package needs no plugin here;
- policy packs: the Python of the stand-in runs them where they name no `virtualenv`;
- plugins with an SDK that is too old for `pulumi.run.plugin`;
- distributions without a `.dist-info` folder: they need no plugin here;
- the program's log lines: they reach the engine as output, an error with the SDK's own frames;
- the end of the engine: the official host looks for it every 5 minutes, and the program ends by
  itself at its next call of the engine. The stand-in ends at once, with the program in its process.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.machinery import ModuleSpec
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import IO, TYPE_CHECKING, Any, Final

PROTOCOL: Final = "pulumi_protocol"
"""Package of the SDK's generated modules without the rest of the SDK, which only `Run` needs.

The engine starts this program for each question, and to import the SDK takes 0.2 s of processor.
"""


def protocol_of_the_sdk() -> ModuleSpec:
    """Return the package's spec, without an import of the SDK."""
    sdk = importlib.util.find_spec("pulumi")
    if sdk is None or sdk.origin is None:
        raise ModuleNotFoundError("No module named 'pulumi'")
    spec = ModuleSpec(PROTOCOL, None, is_package=True)
    spec.submodule_search_locations = [str(Path(sdk.origin).parent / "runtime" / "proto")]
    return spec


try:
    import grpc
    from google.protobuf.empty_pb2 import Empty

    sys.modules[PROTOCOL] = importlib.util.module_from_spec(protocol_of_the_sdk())
    if TYPE_CHECKING:
        from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2
    else:
        from pulumi_protocol import language_pb2, language_pb2_grpc, plugin_pb2
except ImportError as error:
    sys.exit(
        f"{error}: this stand-in for Pulumi's Python host runs programs with the Python on PATH: "
        "activate the environment first (. .venv/bin/activate)"
    )

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Context = grpc.ServicerContext

POLICY_PACK: Final = "analyzer"
"""The engine's kind of the plugin that a policy pack is."""
WITHOUT_PLUGIN = ("pulumi-policy", "pulumi-esc-sdk")
"""Distributions without a plugin, by a list in the official host."""


def installed() -> list[dict[str, Any]]:
    """
    Return the distributions of the running Python that may need a plugin.

    Each has the content of its `pulumi-plugin.json`, or None without one. Another Python runs the
    text of this function, which therefore imports all that it uses. Each engine command runs it:
    with `importlib.metadata` for all distributions it would take ten times as much processor time.
    """
    import json  # noqa: PLC0415
    import sys  # noqa: PLC0415
    from pathlib import Path  # noqa: PLC0415

    entries = [Path(entry) for entry in sys.path]
    files = {file for entry in entries for file in entry.glob("*/pulumi-plugin.json")}
    modules = {file.parent.name.lower() for file in files}
    found: dict[str, dict[str, Any]] = {}
    for metadata in (file for entry in entries for file in entry.glob("*.dist-info/METADATA")):
        # The folder's name has an underscore in place of each hyphen of the distribution's name.
        start = metadata.parent.name.partition("-")[0].lower()
        if start not in modules and not start.startswith("pulumi_"):
            continue
        head = metadata.read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
        fields = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
        module = fields["Name"].replace("-", "_")
        imported = next((entry / module for entry in entries if (entry / module).is_dir()), Path())
        file = imported / "pulumi-plugin.json"
        about = json.loads(file.read_text()) if file in files else None
        distribution = {"name": fields["Name"], "version": fields["Version"], "about": about}
        found.setdefault(module, distribution)
    return [*found.values()]


def listing_program() -> str:
    """Return a program that prints what `installed` returns."""
    return (
        "from __future__ import annotations\n"
        f"{inspect.getsource(installed)}\n"
        "import json\n"
        "print(json.dumps(installed()))\n"
    )


def ambient_python() -> str:
    """Return the Python that the official host takes where there is no virtual environment."""
    asked = os.environ.get("PULUMI_PYTHON_CMD", "python3")
    return shutil.which(asked) or sys.executable


def virtualenv_of(info: Any) -> Path | None:
    """Return the virtual environment that the project's runtime options name, or None."""
    option = dict(info.options).get("virtualenv")
    return Path(info.root_directory, str(option)) if option else None


def python_of(environment: Path) -> str:
    """Return the Python of a virtual environment."""
    python = environment / "bin" / "python"
    if not python.is_file():
        raise FileNotFoundError(f"no virtual environment at {environment}: run pulumi install")
    return str(python)


def python_of_plugin(info: Any, kind: str) -> str:
    """Return the Python of a plugin, whose virtual environment is `venv` by default."""
    environment = virtualenv_of(info)
    if environment is None and kind == POLICY_PACK:
        return sys.executable
    return python_of(environment or Path(info.root_directory, "venv"))


def plugin_command(folder: Path) -> list[str]:
    """
    Return the arguments with which Python runs a plugin.

    Raises:
        ValueError: if the folder is neither a program nor a package.

    """
    if (folder / "__main__.py").exists():
        return [str(folder)]
    import tomllib  # noqa: PLC0415 - few calls need it

    file = folder / "pyproject.toml"
    about = tomllib.loads(file.read_text()) if file.exists() else {}
    if "build-system" not in about or "name" not in about.get("project", {}):
        raise ValueError(
            "plugin is not runnable, it provides neither __main__.py nor a buildable pyproject.toml"
        )
    return ["-m", "pulumi.run.plugin", about["project"]["name"]]


def required_plugins(python: str, folder: str | Path) -> list[dict[str, Any]]:
    """Return the plugins that the distributions of a Python need, run in the program's folder."""
    answer = subprocess.run(
        [python, "-c", listing_program()], cwd=folder, capture_output=True, text=True, check=True
    )
    return plugins_of(json.loads(answer.stdout))


def own_required_plugins(folder: str) -> list[dict[str, Any]]:
    """Return what `required_plugins` returns for the running Python, in half of the time."""
    sys.path.insert(0, folder)
    try:
        return plugins_of(installed())
    finally:
        sys.path.remove(folder)


def plugins_of(distributions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the plugins that distributions need."""
    return [plugin for told in distributions if (plugin := plugin_of(**told))]


def plugin_of(name: str, version: str, about: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the plugin that a distribution needs, by the official rules; `about` is its file."""
    if about is None and not name.startswith(("pulumi-", "pulumi_")):
        return None
    told: Mapping[str, Any] = {"resource": True} if about is None else about
    if name.replace("_", "-") in WITHOUT_PLUGIN or not told.get("resource"):
        return None
    version = told.get("version") or version
    if not re.fullmatch(r"v?\d+(\.\d+){0,2}", version):
        return None
    numbers = [*version.removeprefix("v").split("."), "0", "0"][:3]
    return {
        "name": told.get("name") or name.removeprefix("pulumi-"),
        "version": f"v{'.'.join(numbers)}",
        "server": told.get("server", ""),
    }


def output_of(process: subprocess.Popen[bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield the lines that a process writes to "stdout" and "stderr", until its end."""
    said: SimpleQueue[tuple[str, bytes] | None] = SimpleQueue()

    def forward(name: str, stream: IO[bytes]) -> None:
        for line in stream:
            said.put((name, line))
        said.put(None)

    streams = {"stdout": process.stdout, "stderr": process.stderr}
    for named_stream in streams.items():
        Thread(target=forward, args=named_stream, daemon=True).start()
    for _ in streams:
        yield from iter(said.get, None)


def begin(command: Sequence[str], folder: str, env: Mapping[str, str] | None = None) -> Any:
    """Start a process and capture its output."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """The Automation API's language server, for a program in a folder instead of a function."""

    def About(self, request: Any, context: Context) -> Any:
        version = "{}.{}.{}".format(*sys.version_info)
        return language_pb2.AboutResponse(executable=sys.executable, version=version)

    def GetPluginInfo(self, request: Any, context: Context) -> Any:
        return plugin_pb2.PluginInfo()

    def Handshake(self, request: Any, context: Context) -> Any:
        return language_pb2.LanguageHandshakeResponse()

    def RuntimeOptionsPrompts(self, request: Any, context: Context) -> Any:
        chosen = dict(request.info.options)
        prompt = language_pb2.RuntimeOptionPrompt
        wanted = {"toolchain": "pip", **({"virtualenv": "venv"} if "toolchain" in chosen else {})}
        prompts = []
        for key, text in wanted.items():
            value = prompt.RuntimeOptionValue(promptType=prompt.STRING, stringValue=text)
            if key not in chosen:
                prompts.append(
                    prompt(key=key, promptType=prompt.STRING, choices=[value], default=value)
                )
        return language_pb2.RuntimeOptionsResponse(prompts=prompts)

    def GetRequiredPackages(self, request: Any, context: Context) -> Any:
        environment = virtualenv_of(request.info)
        python = python_of(environment) if environment else ambient_python()
        folder = request.info.program_directory
        is_own = Path(python).parent == Path(sys.executable).parent
        plugins = own_required_plugins(folder) if is_own else required_plugins(python, folder)
        packages = [plugin_pb2.PackageDependency(kind="resource", **plugin) for plugin in plugins]
        return language_pb2.GetRequiredPackagesResponse(packages=packages)

    def InstallDependencies(self, request: Any, context: Context) -> Iterator[Any]:
        environment = virtualenv_of(request.info)
        if environment is None:
            said = b"No virtualenv in the runtime's options: nothing is installed\n"
            yield language_pb2.InstallDependenciesResponse(stdout=said)
            return
        folder = request.info.program_directory
        python = str(environment / "bin" / "python")
        install = [python, "-m", "pip", "install"]
        commands = [
            [ambient_python(), "-m", "venv", str(environment)],
            [*install, "--upgrade", "pip", "setuptools", "wheel"],
        ]
        if Path(folder, "requirements.txt").exists():
            commands.append([*install, "-r", "requirements.txt"])
        for command in commands:
            process = begin(command, folder)
            context.add_callback(process.terminate)
            for name, line in output_of(process):
                fields: dict[str, Any] = {name: line}
                yield language_pb2.InstallDependenciesResponse(**fields)
            if process.wait():
                context.abort(
                    grpc.StatusCode.UNKNOWN,
                    f"{' '.join(command)}: exit status {process.returncode}",
                )

    def GetProgramDependencies(self, request: Any, context: Context) -> Any:
        return language_pb2.GetProgramDependenciesResponse()

    def Run(self, request: Any, context: Context) -> Any:
        if environment := virtualenv_of(request.info):
            request.info.options.Clear()
            python = python_of(environment)
            done = subprocess.run(
                [python, __file__, RUN], input=request.SerializeToString(), check=False
            )
            return language_pb2.RunResponse(bail=bool(done.returncode))
        from pulumi.automation._server import LanguageServer  # noqa: PLC0415 - see PROTOCOL
        from pulumi.runtime import settings  # noqa: PLC0415

        folder = Path(request.info.program_directory)

        def program() -> None:
            settings.SETTINGS.root_directory = request.info.root_directory
            os.chdir(request.pwd)
            sys.path.insert(0, str(folder))
            runpy.run_path(str(folder / request.info.entry_point), run_name="__main__")

        server: Any = LanguageServer(program)
        failed = bool(server.Run(request, context).error)
        return language_pb2.RunResponse(bail=failed)  # the error itself has been shown

    def RunPlugin(self, request: Any, context: Context) -> Iterator[Any]:
        try:
            python = python_of_plugin(request.info, request.kind)
            command = plugin_command(Path(request.info.program_directory))
        except (OSError, ValueError) as error:
            context.abort(grpc.StatusCode.UNKNOWN, str(error))
        env = dict(variable.split("=", 1) for variable in request.env) or None
        process = begin([python, "-u", *command, *request.args], request.pwd, env)
        context.add_callback(process.terminate)
        for name, line in output_of(process):
            fields: dict[str, Any] = {name: line}
            yield language_pb2.RunPluginResponse(**fields)
        yield language_pb2.RunPluginResponse(exitcode=process.wait())

    def Cancel(self, request: Any, context: Context) -> Any:
        return Empty()


STOP_SECONDS: Final = 5
"""The longest wait for the end of the calls of a killed engine."""
RUN = "run"
"""The argument with which this file runs one program, in a virtual environment, and ends."""


def run_once() -> None:
    """Run the program of the RunRequest on stdin."""
    request = language_pb2.RunRequest.FromString(sys.stdin.buffer.read())
    no_call: Any = None  # Run does not use its context
    sys.exit(LanguageHost().Run(request, no_call).bail)


def stop_with_engine(server: grpc.Server) -> None:
    """Wait until the engine closes its end of the standard input, then end."""
    while os.read(sys.stdin.fileno(), 1 << 12):
        pass
    server.stop(grace=None).wait(STOP_SECONDS)  # ends the processes of plugins and installations
    os._exit(1)  # the program's thread may wait for anything


def main() -> None:
    """Serve until SIGINT, and print the port for the engine."""
    # The engine sends SIGINT to end this process, and kills the process five seconds later. A shell
    # lets a background command ignore SIGINT, and its child processes inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    server = grpc.server(
        ThreadPoolExecutor(max_workers=4),
        options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
    )
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    Thread(target=stop_with_engine, args=[server], daemon=True).start()
    try:
        print(port, flush=True)
        Event().wait()
    except KeyboardInterrupt:
        server.stop(grace=None)


if __name__ == "__main__":
    run_once() if sys.argv[1:] == [RUN] else main()
