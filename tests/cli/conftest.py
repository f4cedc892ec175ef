"""A clock that stands still, and the command as a function."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from pulumi_vod_workflow.cli.recover import command as recover_command
from pulumi_vod_workflow.cli.runs import command as runs_command
from pulumi_vod_workflow.config.clock import SystemClock
from pulumi_vod_workflow.journal import sqlite
from tests.cli.command import invoke
from tests.cli.exports import NOW

Vod = Callable[..., Result]


class Standing(SystemClock):
    """It is always NOW."""

    def now(self) -> datetime:
        return NOW


@pytest.fixture
def vod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Vod:
    """Run the command, at NOW, with nothing of this machine's user."""
    return command_of(monkeypatch, tmp_path)


def command_of(patch: pytest.MonkeyPatch, home: Path) -> Vod:
    """Return the command as a function, for as long as the patch lasts."""
    for module in (runs_command, recover_command, sqlite):
        patch.setattr(module, "SystemClock", Standing)
    for name in ("VOLCENGINE_ACCESS_KEY", "VOLC_ACCESSKEY", "PULUMI_BACKEND_URL"):
        patch.delenv(name, raising=False)
    patch.setenv("HOME", str(home))

    def run(*arguments: str, code: int = 0, **more: Any) -> Result:
        result = invoke(*arguments, **more)
        assert result.exit_code == code, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    return run
