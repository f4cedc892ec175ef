"""The structure, held by reading the imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "pulumi_vod_workflow"
DATA_PATH = (
    "inputs",
    "canonical",
    "client_token",
    "operations",
    "signing",
    "envelope",
    "execution",
    "policy",
    "plan",
)
ABOVE_CORE = (
    "errors",
    "core",
    "clock",
    "config",
    "client",
    "connect",
    "_report",
    "_provider",
    "resources",
)


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("module", DATA_PATH)
def test_core_imports_only_what_stands_before_it(module: str) -> None:
    """Core is pure, and knows nothing of what comes later on the data path."""
    allowed = {
        f"pulumi_vod_workflow.core.{name}" for name in DATA_PATH[: DATA_PATH.index(module)]
    } | {"pulumi_vod_workflow.errors"}
    for name in imports(PACKAGE / "core" / f"{module}.py"):
        if name.startswith("pulumi_vod_workflow"):
            assert name in allowed
        else:
            assert name.partition(".")[0] not in {
                "httpx", "pulumi", "os", "time", "random", "uuid", "socket", "pathlib", "secrets",
                "anyio", "asyncio",
            }  # fmt: skip


def test_core_has_no_other_module() -> None:
    """A new core module takes its place on the data path."""
    files = {path.stem for path in (PACKAGE / "core").glob("*.py")}
    assert files == {*DATA_PATH, "__init__"}


@pytest.mark.parametrize("module", ABOVE_CORE)
def test_layers_import_only_downwards(module: str) -> None:
    """Each module imports only what stands above it in the design's list."""
    allowed = {*ABOVE_CORE[: ABOVE_CORE.index(module)], module}
    if module == "connect":
        allowed.add("emulator")
    found = [PACKAGE / f"{module}.py", *(PACKAGE / module).glob("*.py")]
    for path in found:
        for name in imports(path) if path.exists() else ():
            if name.startswith("pulumi_vod_workflow."):
                assert name.split(".")[1] in allowed


def test_the_emulator_imports_nothing_of_ours() -> None:
    """The emulator reads the contract a second time, on its own."""
    for path in (PACKAGE / "emulator").glob("*.py"):
        for name in imports(path):
            assert not name.startswith("pulumi_vod_workflow") or name.startswith(
                "pulumi_vod_workflow.emulator"
            )


@pytest.mark.parametrize("module", ["core.plan", "core.signing", "client", "emulator"])
def test_what_needs_no_pulumi_does_not_load_it(module: str) -> None:
    """The client, the core and the emulator start without Pulumi's import time."""
    code = f"import sys, pulumi_vod_workflow.{module}; sys.exit('pulumi' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_public_names_are_there() -> None:
    """`__all__` is sorted and true."""
    import pulumi_vod_workflow

    assert pulumi_vod_workflow.__all__ == sorted(pulumi_vod_workflow.__all__)
    for name in pulumi_vod_workflow.__all__:
        module = getattr(pulumi_vod_workflow, name).__module__
        assert module.startswith("pulumi_vod_workflow.resources.")
