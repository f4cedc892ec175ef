"""The console command, run in this process."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import typer.testing
from typer.main import get_command
from typer.testing import CliRunner, Result

from pulumi_vod_workflow.cli.__main__ import app

# Typer's runner makes the command from its functions at each call, which takes 10 ms.
typer.testing._get_command = cache(get_command)  # type: ignore[attr-defined]


def invoke(
    *arguments: str, data: str | bytes | None = None, env: Mapping[str, str] | None = None
) -> Result:
    """Run the command with arguments, on what comes from standard input."""
    return CliRunner().invoke(app, arguments, input=data, env=env)
