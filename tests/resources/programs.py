"""Programs on the SDK's own mocks, each in a process that has loaded nothing of this package."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pulumi
import pulumi.dynamic
from pulumi.runtime import Mocks, set_mocks
from pulumi.runtime.stack import run_pulumi_func

from tests.forks import in_fork


class Engine(Mocks):
    def new_resource(self, args: Any) -> tuple[str, dict[str, Any]]:
        if args.name.startswith("bad"):
            raise ValueError("refused by the engine")
        given = {**args.inputs, "status": "PendingStart", "tasks": [{"displayName": "t1"}]}
        return f"id-of-{args.name}", given

    def call(self, _: Any) -> tuple[dict[str, Any], None]:
        return {}, None


def ran(program: str, *, unknown: bool = False) -> Any:
    """
    Run a program on the mocks; return what it said, its error, and the modules it has loaded.

    Args:
        program: its code; it calls `say(name=value)`, also with outputs.
        unknown: whether nothing is known of the SDK, which then pickles the providers.

    """
    return in_fork(_ran, program, unknown=unknown)


def _ran(program: str, *, unknown: bool) -> dict[str, Any]:
    if unknown:
        _forget_the_sdk()
    said: dict[str, Any] = {}

    def say(**values: Any) -> None:
        for name, value in values.items():
            pulumi.Output.from_input(value).apply(partial(said.__setitem__, name))

    def run() -> None:
        import pulumi_vod_workflow  # a test counts what that loads

        names: dict[str, Any] = {
            "pulumi": pulumi,
            "Engine": Engine,
            "WorkflowBatch": pulumi_vod_workflow.WorkflowBatch,
            "WorkflowRun": pulumi_vod_workflow.WorkflowRun,
            "pickled": _pickled,
            "said": said,
            "say": say,
        }
        exec(program, names)

    failed = None
    try:
        asyncio.run(_on_mocks(run))
    except Exception as error:  # noqa: BLE001 - the test's answer
        failed = str(error)
    return {"said": said, "failed": failed, "loaded": [*sys.modules]}


async def _on_mocks(run: Callable[[], None]) -> None:
    set_mocks(Engine())
    await run_pulumi_func(run)


def _forget_the_sdk() -> None:
    serialize_provider = pulumi.dynamic.dynamic.serialize_provider
    del pulumi.dynamic.dynamic

    def constructor(self: Any, provider: Any, name: str, props: Any, opts: Any = None) -> None:
        props = {**props, "__provider": serialize_provider(provider)}
        kind = f"pulumi-python:{type(self)._resource_type_name}"
        pulumi.CustomResource.__init__(self, kind, name, props, opts)

    pulumi.dynamic.Resource.__init__ = constructor  # type: ignore[method-assign]


def _pickled(output: Any) -> Any:
    """Return an output after a program's own pickle of it."""
    import dill
    from pulumi.runtime._serialization import _deserialize, _serialize

    text, _ = _serialize(True, dill.dumps, output)
    return _deserialize(lambda: dill.loads(text))
