"""The export of a stack from within its program: the names under which the engine finds it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from pulumi_vod_workflow.config import engine_command
from pulumi_vod_workflow.config.engine_command import (
    EngineCommandError,
    list_stacks,
    read_exported_stack,
    run_engine,
)


class Engine:
    """An engine with stacks by the names that it takes; `None` is the selected one."""

    def __init__(self, stacks: dict[str | None, str], listed: tuple[str, ...] = ()) -> None:
        self.stacks, self.listed = stacks, listed
        self.asked: list[str | None] = []

    def run(self, *arguments: str, cwd: Path | None = None) -> bytes:
        assert cwd is None
        if arguments[1] == "ls":
            assert arguments == ("stack", "ls", "--project", "shop", "--json")
            return json.dumps([{"name": name} for name in self.listed]).encode()
        assert arguments[:2] == ("stack", "export")
        name = arguments[3] if len(arguments) > 2 else None
        self.asked.append(name)
        if name not in self.stacks:
            raise EngineCommandError(f"no stack {name}")
        found = self.stacks[name]
        resources = [{"urn": f"urn:pulumi:{found}::t::n"}] if found else None
        return json.dumps({"deployment": {"resources": resources}}).encode()


def read(
    monkeypatch: pytest.MonkeyPatch, folder: Path, engine: Engine, **options: Any
) -> str | None:
    """Return the name under which the stack was found."""
    monkeypatch.setattr(engine_command, "run_engine", engine.run)
    given = {"environ": {}, "is_cloud": False, **options}
    read_exported_stack("shop", "dev", folder=folder, **given)
    return engine.asked[-1]


OWN = "dev::shop"


def test_a_backend_of_ones_own_needs_no_organization(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A program of the Automation API may run where no project is, or another one."""
    full = "organization/shop/dev"
    for text, name in ((None, full), ("name: other", full), ("name: shop", "dev")):
        if text:
            (tmp_path / "Pulumi.yaml").write_text(text)
        assert read(monkeypatch, tmp_path, Engine({name: OWN})) == name
        assert read(monkeypatch, tmp_path, Engine({name: ""})) == name, "a new stack is empty"


def test_on_pulumi_cloud_the_organization_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By the environment, the selected stack, the default one, or the list of all."""
    (tmp_path / "Pulumi.yaml").write_text("name: shop")
    stacks: dict[str | None, str] = {
        "acme/dev": OWN, None: OWN, "dev": OWN, "other/dev": OWN,
    }  # fmt: skip
    environ = {"PULUMI_STACK": "acme/dev"}
    found = []
    for gone in ("acme/dev", None, "dev", "other/dev"):
        engine = Engine(stacks, ("prod", "other/dev"))
        found.append(read(monkeypatch, tmp_path, engine, environ=environ, is_cloud=True))
        stacks.pop(gone)
    assert found == ["acme/dev", None, "dev", "other/dev"]
    with pytest.raises(EngineCommandError, match="no stack other/dev"):
        read(monkeypatch, tmp_path, Engine({}, ("other/dev",)), is_cloud=True)


@pytest.mark.parametrize("selected", ["prod::shop", "dev::other", ""])
def test_the_selected_stack_may_be_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, selected: str
) -> None:
    """As with `pulumi up --stack dev`, which selects nothing."""
    (tmp_path / "Pulumi.yaml").write_text("name: shop")
    engine = Engine({None: selected, "dev": OWN})
    assert read(monkeypatch, tmp_path, engine, is_cloud=True) == "dev"


@pytest.mark.parametrize("output", [b"", b"no stacks", b"null", b"[1]", b'[{"Name": "dev"}]'])
def test_an_unknown_list_of_stacks_is_an_error_of_the_command(
    monkeypatch: pytest.MonkeyPatch, output: bytes
) -> None:
    monkeypatch.setattr(engine_command, "run_engine", lambda *_, **__: output)
    with pytest.raises(EngineCommandError, match="is no list of stacks"):
        list_stacks("shop")


def test_the_engines_error_has_no_password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The engine quotes the URL of a backend that it cannot open."""
    command = tmp_path / "pulumi"
    command.write_text(
        """#!/bin/sh
echo "error: open $PULUMI_BACKEND_URL: refused" >&2
echo "error: postgres://u:hid/den@db/d?password=hidden is away" >&2
exit 1
"""
    )
    command.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("PULUMI_BACKEND_URL", "postgres://me:hid den@db/states")
    with pytest.raises(EngineCommandError) as raised:
        run_engine("stack", "ls")
    assert str(raised.value) == (
        "`pulumi stack ls` has failed: error: open postgres://db/states: refused\n"
        "error: postgres://db/d is away"
    )


def test_the_engine_runs_where_the_project_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With `main`, the provider runs in another folder; a relative backend is the project's."""
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nmain: src\n")
    (tmp_path / "src").mkdir()
    folders: list[Path | None] = []

    def run(command: list[str], *, cwd: Path | None, **_: Any) -> CompletedProcess[bytes]:
        folders.append(cwd and cwd.resolve())
        return CompletedProcess(command, 0, b"")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.chdir(tmp_path / "src")
    engine_command.run_engine("stack", "ls")
    engine_command.run_engine("stack", "ls", cwd=tmp_path)
    assert folders == [tmp_path.resolve(), None]
