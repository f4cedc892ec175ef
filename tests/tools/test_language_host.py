"""The stand-in for Pulumi's Python host reports required plugins by the official rules."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import venv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tools.engine import language_host as host

NONE = {"resource": False}


@pytest.mark.parametrize(
    ("name", "version", "about", "plugin"),
    [
        ("pulumi-thing", "1.2.3", None, "thing v1.2.3"),
        ("pulumi_thing", "1.2", None, "pulumi_thing v1.2.0"),
        ("pulumi-thing", "1.2.3", NONE, None),
        ("pulumi-thing", "1.2.3", {}, None),
        ("pulumi-thing", "1.2.3rc1", None, None),
        ("pulumi-policy", "1.0.0", None, None),
        ("pulumi", "3.272.0", None, None),
        ("thing", "1.0.0", None, None),
        ("thing", "1.0.0", {"resource": True}, "thing v1.0.0"),
        ("thing", "1.0.0", {"resource": True, "name": "vod", "version": "2.0.0"}, "vod v2.0.0"),
    ],
)
def test_a_distribution_asks_for_its_plugin(
    name: str, version: str, about: dict[str, Any] | None, plugin: str | None
) -> None:
    asked = host.plugin_of(name, version, about)
    assert (f"{asked['name']} {asked['version']}" if asked else None) == plugin


def test_its_file_is_read_where_its_module_is(tmp_path: Path) -> None:
    """As for each Python alone: what is installed for another is not seen."""
    venv.create(tmp_path / "venv", symlinks=True)
    python = host.python_of(tmp_path / "venv")
    [packages] = (tmp_path / "venv").glob("lib/python*/site-packages")
    assert host.required_plugins(python, tmp_path) == []
    about = packages / "pulumi_thing-1.2.3.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: pulumi-thing\nVersion: 1.2.3\n")
    assert [told["name"] for told in host.required_plugins(python, tmp_path)] == ["thing"]
    (packages / "pulumi_thing").mkdir()
    (packages / "pulumi_thing" / "__init__.py").touch()
    assert [told["name"] for told in host.required_plugins(python, tmp_path)] == ["thing"]
    (packages / "pulumi_thing" / "pulumi-plugin.json").write_text(json.dumps(NONE))
    assert host.required_plugins(python, tmp_path) == []
    other = packages / "other_thing-1.0.0.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: Other-Thing\nVersion: 1.0.0\n")
    assert host.required_plugins(python, tmp_path) == []
    (packages / "Other_Thing").mkdir()
    (packages / "Other_Thing" / "pulumi-plugin.json").write_text(json.dumps({"resource": True}))
    assert [told["name"] for told in host.required_plugins(python, tmp_path)] == ["Other-Thing"]


def test_this_project_asks_for_none(tmp_path: Path) -> None:
    """As it is installed in the environment of its developers, too."""
    assert host.required_plugins(sys.executable, tmp_path) == []
    assert host.own_required_plugins(str(tmp_path)) == []


def test_the_own_python_is_listed_as_another_is(tmp_path: Path) -> None:
    """With what is installed in the program's folder; the path is as before."""
    about = tmp_path / "pulumi_thing-1.2.3.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: pulumi-thing\nVersion: 1.2.3\n")
    before = [*sys.path]
    own = host.own_required_plugins(str(tmp_path))
    assert own == host.required_plugins(sys.executable, tmp_path)
    assert [told["name"] for told in own] == ["thing"]
    assert sys.path == before


def test_a_virtual_environment_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="run pulumi install"):
        host.python_of(tmp_path / "venv")


def test_a_plugin_runs_as_a_program_or_as_a_package(tmp_path: Path) -> None:
    """As by the official host. A policy pack may have no environment of its own here."""
    with pytest.raises(ValueError, match="provides neither"):
        host.plugin_command(tmp_path)
    about = '[project]\nname = "pulumi-thing"\n'
    (tmp_path / "pyproject.toml").write_text(about)
    with pytest.raises(ValueError, match="not runnable"):
        host.plugin_command(tmp_path)
    (tmp_path / "pyproject.toml").write_text(f"{about}[build-system]\nrequires = []\n")
    assert host.plugin_command(tmp_path) == ["-m", "pulumi.run.plugin", "pulumi-thing"]
    (tmp_path / "__main__.py").touch()
    assert host.plugin_command(tmp_path) == [str(tmp_path)]

    info = SimpleNamespace(root_directory=str(tmp_path), options={})
    assert host.python_of_plugin(info, "analyzer") == sys.executable
    with pytest.raises(FileNotFoundError, match=str(tmp_path / "venv")):
        host.python_of_plugin(info, "resource")


def test_the_list_needs_nothing_of_the_environment() -> None:
    """It is run by Pythons that have neither the SDK nor pip."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", host.listing_program()], capture_output=True, check=True
    )
    assert json.loads(done.stdout) == []


def test_it_ends_when_the_engine_asks_also_as_a_background_command() -> None:
    """A shell lets such a command ignore SIGINT, and every `pulumi` would end 5 s later."""
    serve = ["/bin/sh", "-c", 'trap "" INT; exec "$0" "$1"', sys.executable, host.__file__]
    # The end of the standard input would be the end of the engine.
    with subprocess.Popen(serve, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout
        assert int(server.stdout.readline())
        server.send_signal(signal.SIGINT)
        assert server.wait() == 0
