"""The structure, held by reading the imports."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import anyio
import pytest

from pulumi_vod_workflow.core.signing import Credentials
from pulumi_vod_workflow.emulator import VodEmulator
from pulumi_vod_workflow.transport.client import VodClient
from tests.forks import loaded_by

PACKAGE = Path(__file__).parent.parent / "pulumi_vod_workflow"
LAYERS = (
    "errors",
    "core",
    "manifest",
    "config",
    "journal",
    "transport",
    "lifecycle",
    "hosting",
    "dynamic.sdk_compat",
    "dynamic",
    "plugin",
    "_provider",
    "_batch_provider",
    "_completion_provider",
    "resources",
    "plugin.resources",
    "cli.exit_codes",
    "cli.sanitize",
    "cli.formatting",
    "cli.errors",
    "cli.pulumi_files",
    "cli.options",
    "cli.review",
    "cli.runs",
    "cli.recover",
    "cli.plugin",
    "cli",
)
"""From the bottom to the top; `emulator` stands beside them."""

CORE_MAY_USE = {
    # of other packages, and nothing that reads a clock, a file, the environment or chance
    "__future__", "bisect", "collections", "collections.abc", "dataclasses", "datetime", "decimal",
    "difflib", "email.utils", "enum", "fractions", "functools", "hashlib", "heapq", "hmac", "json",
    "math", "operator", "pydantic", "pydantic.alias_generators", "pydantic_core", "re", "tomllib",
    "typing", "unicodedata", "urllib.parse",
}  # fmt: skip
IMPURE = {"open", "print", "input", "exec", "eval", "now", "utcnow", "today", "time", "getenv"}


@cache
def imports(path: Path) -> frozenset[str]:
    """Every module that a file imports; `from package import module` counts as that module."""
    package = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts[:-1])
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
                base = f"{above}.{base}".rstrip(".")
            names.add(base)
            for alias in node.names:
                inner = PACKAGE.parent / base.replace(".", "/") / alias.name
                if inner.is_dir() or inner.with_suffix(".py").exists():
                    names.discard(base)
                    names.add(f"{base}.{alias.name}")
    return frozenset(names)


def ours(path: Path) -> set[str]:
    """The modules of this package that a file imports, without the package's own name."""
    return {
        name.removeprefix("pulumi_vod_workflow.")
        for name in imports(path)
        if name.partition(".")[0] == "pulumi_vod_workflow"
    }


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


def layer_of(module: str) -> str:
    """The narrowest layer that a module belongs to."""
    names = [name for name in LAYERS if module == name or module.startswith(f"{name}.")]
    assert names, f"{module} has no layer"
    return max(names, key=len)


MODULES = {
    module_of(path): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if module_of(path) != "__init__" and not module_of(path).startswith("emulator")
}


@pytest.mark.parametrize("module", [name for name in MODULES if name.startswith("core.")])
def test_core_is_pure(module: str) -> None:
    """Core reads no clock, file, environment or chance."""
    path = MODULES[module]
    others = {name for name in imports(path) if not name.startswith("pulumi_vod_workflow")}
    assert others <= CORE_MAY_USE
    called = {
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    }
    assert not called & IMPURE


@pytest.mark.parametrize("module", MODULES)
def test_layers_import_only_downwards(module: str) -> None:
    """Each module imports only its own layer and those below it."""
    below = {*LAYERS[: LAYERS.index(layer_of(module)) + 1]}
    if module == "transport.event_loop":
        below.add("emulator")
    if module == "plugin":  # it loads the classes of programs at their first use
        below.add("plugin.resources")
    for name in ours(MODULES[module]):
        assert name.partition(".")[0] == "emulator" in below or layer_of(name) in below, name


def test_the_hosts_do_not_know_each_other() -> None:
    """What both need is in `hosting`; the classes of programs declare resources of either host."""
    for name, path in MODULES.items():
        known = {other.partition(".")[0] for other in ours(path)}
        if name.startswith("plugin.") and name != "plugin.resources":
            assert "dynamic" not in known, name
        if name.startswith("dynamic."):
            assert "plugin" not in known, name


def test_no_module_imports_itself_in_a_circle() -> None:
    """Imports inside functions and for type checkers count, too."""
    graph = {name: ours(path) - {name} for name, path in MODULES.items()}
    TopologicalSorter(graph).prepare()


def test_the_emulator_imports_nothing_of_ours() -> None:
    """The emulator reads the contract a second time, on its own, and in one direction."""
    order = (
        "errors", "settings", "signature", "http", "validation", "faults", "outputs", "store",
        "service", "callbacks", "timeline", "dashboard_assets", "dashboard", "control_api", "app",
        "server",
        "pytest_plugin", "__init__", "__main__",
    )  # fmt: skip
    files = {path.stem: path for path in (PACKAGE / "emulator").glob("*.py")}
    assert set(files) == set(order)
    for name, path in files.items():
        above = {f"emulator.{other}" for other in order[: order.index(name)]}
        assert ours(path) <= above


def test_what_only_one_layer_knows() -> None:
    """httpx is the transport's; Pulumi is the hosts' and the resources'."""
    users: dict[str, set[str]] = {"httpx": set(), "pulumi": set(), "grpc": set()}
    for path in PACKAGE.rglob("*.py"):
        for name in imports(path):
            if name.partition(".")[0] in users:
                top = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
                users[name.partition(".")[0]].add(top)
    assert users["httpx"] == {"transport", "emulator"}
    assert users["pulumi"] == {"hosting", "dynamic", "plugin", "resources"}
    assert users["grpc"] == {"hosting", "dynamic", "plugin"}


def test_what_needs_no_pulumi_does_not_load_it() -> None:
    """The client, the core and the emulator start without Pulumi's import time."""
    modules = ("core.changes", "core.signing", "transport.client", "emulator")
    loads = "".join(f"import pulumi_vod_workflow.{module}\n" for module in modules)
    subprocess.run(
        [sys.executable, "-c", f"import sys\n{loads}sys.exit('pulumi' in sys.modules)"], check=True
    )


@pytest.mark.parametrize(
    "module", ["_provider", "_batch_provider", "_completion_provider", "resources.workflow_run"]
)
def test_what_makes_no_call_does_not_load_httpx(module: str) -> None:
    """A program that declares runs, and their preview, start without the client's import time."""
    assert "httpx" not in loaded_by(f"import pulumi_vod_workflow.{module}")


AS_RECORDED = """
import sys
from pulumi.dynamic import Config, ConfigureRequest
from pulumi_vod_workflow._provider import WorkflowRunProvider

provider = WorkflowRunProvider()
config = {"vod:endpoint": "emulator", "vod:journal": journal}
provider.configure(ConfigureRequest(config=Config(raw_config=config, project_name="p")))
declared = {"vid": "v", "templateId": "t", "scope": {"project": "p", "stack": "s", "name": "n"}}
inputs = {**declared, "clientToken": "pvw1-1"}
checked = provider.check(inputs, declared)
assert (checked.inputs, checked.failures) == (inputs, [])
state = {**inputs, "runId": "emu:1", "emulated": True, "phase": "submitted"}
assert not provider.diff("emu:1", state, checked.inputs).changes
loaded = {"pydantic", "httpx"} & {*sys.modules}
assert not loaded, loaded
provider.check({}, declared)
assert "pydantic" in sys.modules
"""


def test_what_stays_as_it_is_loads_no_model(tmp_path: Path) -> None:
    """An update that changes nothing costs the provider neither pydantic nor the client."""
    loaded_by(AS_RECORDED, journal=str(tmp_path / "journal"))


READ = """
import json, sys
from pulumi.dynamic import Config, ConfigureRequest
from pulumi_vod_workflow._provider import WorkflowRunProvider

config, state = map(json.loads, sys.argv[1:])
provider = WorkflowRunProvider()
provider.configure(ConfigureRequest(config=Config(raw_config=config, project_name="p")))
assert provider.read(state["runId"], state).outs["phase"] == "succeeded"
assert "httpx" in sys.modules
assert "pydantic" not in sys.modules
"""


@pytest.mark.vod_emulator(pending_seconds=0, running_seconds=0)
def test_a_read_of_a_run_loads_no_model(vod_emulator: VodEmulator, tmp_path: Path) -> None:
    """A refresh needs the client, but not pydantic, which is a third of its processor time."""
    run = {"vid": "v", "templateId": "t"}
    keys = Credentials("AKLTEMULATOR", "emulator-secret-key")

    async def start() -> str:
        client = VodClient(vod_emulator.url, "cn-north-1", keys)
        answer = await client.start_workflow(run, "token")
        await client.aclose()
        return str(answer.result["RunId"])

    state = {**run, "runId": anyio.run(start), "endpoint": vod_emulator.url}
    config = {"vod:journal": str(tmp_path / "journal"), **vod_emulator.config}
    arguments = [json.dumps(config), json.dumps(state)]
    subprocess.run([sys.executable, "-c", READ, *arguments], check=True)


def test_the_public_names_are_there() -> None:
    """`__all__` is sorted and true."""
    import pulumi_vod_workflow

    assert pulumi_vod_workflow.__all__ == sorted(pulumi_vod_workflow.__all__)
    for name in pulumi_vod_workflow.__all__:
        module = getattr(pulumi_vod_workflow, name).__module__
        assert module.startswith(("pulumi_vod_workflow.resources.", "pulumi_vod_workflow.manifest"))
