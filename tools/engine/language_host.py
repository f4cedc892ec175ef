#!/usr/bin/env python3
"""Run Pulumi programs written in Python, for an engine that was built without its language host.

A development tool, installed beside such an engine as `pulumi-language-python`. It runs the program
in its own process, with the Python it was started with: the project's environment must be active.
"""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import IO, TYPE_CHECKING, Any

try:
    import grpc
    from google.protobuf.empty_pb2 import Empty
    from pulumi.automation._server import LanguageServer
    from pulumi.runtime import settings
    from pulumi.runtime.proto import language_pb2, language_pb2_grpc
except ImportError as error:
    sys.exit(
        f"{error}: this stand-in for Pulumi's Python host runs programs with the Python on PATH: "
        "activate the environment first (. .venv/bin/activate)"
    )

if TYPE_CHECKING:
    from collections.abc import Iterator

Context = grpc.ServicerContext


class LanguageHost(LanguageServer):
    """The Automation API's language server, for a program in a folder instead of a function."""

    def __init__(self) -> None:
        super().__init__(program=lambda: None)

    def Handshake(self, request: Any, context: Context) -> Any:
        return language_pb2.LanguageHandshakeResponse()

    def InstallDependencies(self, request: Any, context: Context) -> Iterator[Any]:
        return iter(())

    def GetProgramDependencies(self, request: Any, context: Context) -> Any:
        return language_pb2.GetProgramDependenciesResponse()

    def Run(self, request: Any, context: Context) -> Any:
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
        program = Path(request.info.program_directory) / request.info.entry_point
        process = subprocess.Popen(
            [sys.executable, "-u", str(program), *request.args],
            cwd=request.pwd,
            env=dict(variable.split("=", 1) for variable in request.env) or None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        context.add_callback(process.terminate)
        output: SimpleQueue[Any] = SimpleQueue()

        def forward(name: str, stream: IO[bytes]) -> None:
            for line in stream:
                fields: dict[str, Any] = {name: line}
                output.put(language_pb2.RunPluginResponse(**fields))
            output.put(None)

        streams = {"stdout": process.stdout, "stderr": process.stderr}
        for named_stream in streams.items():
            Thread(target=forward, args=named_stream, daemon=True).start()
        for _ in streams:
            yield from iter(output.get, None)
        yield language_pb2.RunPluginResponse(exitcode=process.wait())

    def Cancel(self, request: Any, context: Context) -> Any:
        return Empty()


def main() -> None:
    """Serve, and tell the engine the port."""
    server = grpc.server(
        ThreadPoolExecutor(max_workers=4),
        options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
    )
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    try:
        Event().wait()
    except KeyboardInterrupt:
        server.stop(grace=None)


if __name__ == "__main__":
    main()
