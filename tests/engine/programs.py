"""
Programs of other languages on the real engine, without Pulumi's hosts of their languages.

Those hosts are no public Go modules. `Host` runs a program's command with the arguments and the
environment that they give it: `pulumi up --client=ADDRESS` takes its programs from there.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import grpc
from pulumi.runtime.proto import LanguageRuntimeServicer, language_pb2, plugin_pb2
from pulumi.runtime.proto.language_pb2_grpc import add_LanguageRuntimeServicer_to_server

Request = language_pb2.RunRequest
RUN_NODE: Final = "node_modules/@pulumi/pulumi/cmd/run"
"""The module of Pulumi's SDK with which its host for Node runs a program."""


def node_program(request: Request) -> list[str]:
    """Return the command that runs the project's `main`, as Pulumi's host for Node does."""
    options = {
        "organization": request.organization,
        "project": request.project,
        "stack": request.stack,
        "parallel": str(request.parallel),
        "monitor": request.monitor_address,
        "engine": request.args[0],
    }
    preview = ["--dry-run"] if request.dryRun else []
    flags = [f"--{name}={value}" for name, value in options.items()]
    return ["node", RUN_NODE, *flags, *preview, "."]


def go_program(request: Request) -> list[str]:
    """Return the command that runs the project's executable."""
    return ["./program"]


class Host(LanguageRuntimeServicer):
    """
    Runs the program of a folder.

    Args:
        folder: the project.
        command: the request of a run -> the program's command line.

    """

    def __init__(self, folder: Path, command: Callable[[Request], Sequence[str]]) -> None:
        self._folder = folder
        self._command = command

    def About(self, request: Any, context: Any) -> Any:
        return language_pb2.AboutResponse()

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:
        return language_pb2.GetRequiredPackagesResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo()

    def Run(self, request: Request, context: Any) -> language_pb2.RunResponse:
        environ = {
            **os.environ,
            "PULUMI_ORGANIZATION": request.organization,
            "PULUMI_PROJECT": request.project,
            "PULUMI_STACK": request.stack,
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps([*request.configSecretKeys]),
            "PULUMI_DRY_RUN": str(request.dryRun).lower(),
            "PULUMI_PARALLEL": str(request.parallel),
            "PULUMI_MONITOR": request.monitor_address,
            "PULUMI_ENGINE": request.args[0],
            "PULUMI_NODEJS_TYPESCRIPT": "true",
            "PULUMI_NODEJS_TRANSPILE_ONLY": "true",  # one `tsc` has checked all types before
        }
        done = subprocess.run(
            self._command(request),
            cwd=self._folder,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        return language_pb2.RunResponse(error=done.stdout + done.stderr if done.returncode else "")


@contextmanager
def serving(host: Host) -> Iterator[str]:
    """Yield the option with which a command of the engine runs the host's program."""
    server = grpc.server(ThreadPoolExecutor(2))
    add_LanguageRuntimeServicer_to_server(host, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"--client=127.0.0.1:{port}"
    finally:
        server.stop(0).wait()
