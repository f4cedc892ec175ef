"""Nothing of this package changes another library for the whole process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CODE = """
import asyncio, gc, importlib, inspect, logging, pkgutil, sys
import anyio, asyncio.events, grpc, httpx, pulumi, pydantic, rich.console, typer, uvicorn
import pulumi.dynamic, pulumi.policy, pulumi.runtime.stack, pulumi.runtime._callbacks
from pulumi.runtime import Mocks, set_mocks
from pulumi.runtime.stack import run_pulumi_func

OURS = "pulumi_vod_workflow"
FUNCTIONS = (staticmethod, classmethod, property)


def functions():
    found = {}
    for name, module in sorted(sys.modules.items()):
        if module is None or name.partition(".")[0] in {OURS, "__main__"}:
            continue
        for key, value in list(vars(module).items()):
            if inspect.isfunction(value):
                found[name, key] = value, value.__code__
            elif inspect.isclass(value) and value.__module__ == name:
                for part, of in list(vars(value).items()):
                    if inspect.isfunction(of):
                        found[name, key, part] = of, of.__code__
                    elif isinstance(of, FUNCTIONS):
                        found[name, key, part] = of, None
    return found


def absent():
    return {name for name, module in sys.modules.items() if module is None}


def filtered():
    loggers = logging.root.manager.loggerDict
    return {name for name, of in loggers.items() if getattr(of, "filters", None)}


before, absent_before = functions(), absent()
assert len(before) > 10_000 and not filtered()

package = importlib.import_module(OURS)
for module in pkgutil.walk_packages(package.__path__, f"{OURS}."):
    if not module.name.endswith(("__main__", "pytest_plugin")):
        importlib.import_module(module.name)


class Engine(Mocks):
    def new_resource(self, args):
        return f"id-of-{args.name}", {**args.inputs, "runId": "emu:1"}

    def call(self, args):
        return {}


def program():
    secret = {"a": pulumi.Output.secret(1)}
    run = package.WorkflowRun("run", vid="v", template_id="t", triggers=secret)
    run.wait()
    package.WorkflowBatch("batch", items={"a": {"vid": "v"}}, defaults={"template_id": "t"}).wait()


async def whole():
    set_mocks(Engine())
    await run_pulumi_func(program)


asyncio.new_event_loop().run_until_complete(whole())

from pulumi_vod_workflow._provider import WorkflowRunProvider
provider = WorkflowRunProvider()
raw = {f"vod:{key}": f"{sys.argv[1]}/{key}" for key in ("journal", "emulatorStore")}
config = pulumi.dynamic.Config({**raw, "vod:endpoint": "emulator"}, "p")
provider.configure(pulumi.dynamic.ConfigureRequest(config=config))
scope = {"project": "p", "stack": "s", "name": "n"}
inputs = provider.check({}, {"vid": "v", "templateId": "t", "scope": scope}).inputs
assert provider.create(inputs).id.startswith("emu:")

after = functions()
changed = [key for key, was in before.items() if after.get(key) != was]
assert not changed, changed
assert absent() == absent_before
assert gc.get_freeze_count() == 0 and gc.isenabled()
from pulumi_vod_workflow.transport.event_loop import LOGGERS_WITH_REQUEST_DATA
assert filtered() == {*LOGGERS_WITH_REQUEST_DATA}
"""


def test_no_function_of_another_library_is_replaced(tmp_path: Path) -> None:
    """A program, a provider and a client leave all as it was, but for filters of loggers."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
