"""
Dynamic resources that do nothing: what any other is measured against.

`Paced` is the least that one can be, at the pace that the service allows. `Alike` is paced, too,
and has the inputs and outputs of a run: its time is the work of the engine and of the SDK for a
resource of that shape, before anything is done for it.

A module that can be imported, as a provider's class should be in: its pickle is a name, not code.
"""

import threading
import time
from collections import deque
from typing import Any, Final

import pulumi
from pulumi.dynamic import ConfigureRequest, CreateResult, Resource, ResourceProvider


class NothingProvider(ResourceProvider):
    """Makes an id."""

    serialize_as_secret_always = False  # as in the compared provider

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make an id of the resource's input."""
        return CreateResult(f"id-{props['vid']}", props)


RATE: Final = 50
"""Starts a second that the service permits."""


class PacedProvider(NothingProvider):
    """Makes an id, at most `RATE` in any second."""

    def configure(self, req: ConfigureRequest) -> None:
        """Begin to count."""
        del req
        self._lock = threading.Lock()
        self._made: deque[float] = deque(maxlen=RATE)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make an id of the resource's input, when it is time."""
        with self._lock:
            if len(self._made) == RATE:
                time.sleep(max(0.0, self._made[0] + 1 - time.monotonic()))
            self._made.append(time.monotonic())
        return super().create(props)


class Paced(Resource, module="bench", name="Paced"):
    """Has two inputs, and does nothing, at the service's pace."""

    def __init__(self, resource_name: str, *, vid: str, template_id: str) -> None:
        super().__init__(PacedProvider(), resource_name, {"vid": vid, "templateId": template_id})


INPUTS: Final = (
    "vid", "directUrl", "templateId", "input", "priority", "callbackArgs", "enableLowPriority",
    "taskListId", "clientToken", "triggers", "existingRunId", "rerunOnFailure",
)  # fmt: skip
OUTPUTS: Final[dict[str, Any]] = {
    "requestId": "20261124225801028796162ABB5CF789",
    "status": "PendingStart",
    "phase": "pending",
    "statusReason": "PendingStart: accepted, and not begun yet",
    "submittedAt": "2026-11-24T22:58:01Z",
    "createTime": None,
    "startTime": None,
    "endTime": None,
    "spaceName": None,
    "templateName": None,
    "jobSource": None,
    "tasks": [],
    "transcodes": [],
    "snapshots": [],
    "extra": None,
    "region": "cn-north-1",
    "endpoint": "http://127.0.0.1:8080",
    "emulated": True,
}
"""The outputs of a run directly after its start."""
DECLARED: Final = (*INPUTS, "runId", *OUTPUTS)
"""The properties of a run; the benchmark fails if a run has other ones."""


class AlikeProvider(PacedProvider):
    """Makes an id, and a run's outputs of constants, at most `RATE` in any second."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Make an id of the resource's input, when it is time."""
        super().create(props)
        run_id = f"run-of-{props['vid']}-and-as-long"
        known = {name: value for name, value in OUTPUTS.items() if value is not None}
        return CreateResult(run_id, {**props, "runId": run_id, **known})


class Alike(Resource, module="bench", name="Alike"):
    """
    Has the inputs, outputs and state of a plain run, and does nothing, at the service's pace.

    A program can read each property, as those of a run: the SDK makes an output of each that is
    passed, set or not.
    """

    def __init__(self, resource_name: str, *, vid: str, template_id: str) -> None:
        scope = {
            "project": pulumi.get_project(),
            "stack": pulumi.get_stack(),
            "name": resource_name,
        }
        given = {
            **dict.fromkeys(DECLARED),
            "vid": vid,
            "templateId": template_id,
            "clientToken": f"pvw1-as-long-as-a-token-of-48-digits-{vid:>016}",
            "scope": scope,
        }
        super().__init__(AlikeProvider(), resource_name, given)
