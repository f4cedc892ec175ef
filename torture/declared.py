"""The program of every trial: it declares the runs and items of its `declared.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi

from pulumi_vod_workflow import WorkflowBatch, WorkflowRun

PROGRAM = "from torture.declared import declare\n\ndeclare(WorkflowRun, WorkflowBatch)\n"
"""The text of the program's `__main__.py`, below the imports of its project."""
FILE = "declared.json"


def declare(run: type[WorkflowRun], batch: type[WorkflowBatch]) -> None:
    """
    Declare the runs and the batch of `declared.json`, by the classes of a host.

    `runs` has the arguments of each run by its name, and an `alias` for a renamed run. `items` has
    the items of one batch; without items there is no batch.
    """
    declared: dict[str, Any] = json.loads(Path(FILE).read_text())
    for name, inputs in declared["runs"].items():
        alias = inputs.pop("alias", None)
        opts = pulumi.ResourceOptions(aliases=[pulumi.Alias(name=alias)] if alias else None)
        run(name, opts, **inputs)
    if declared["items"]:
        batch("batch", items=declared["items"], defaults={"template_id": "t"})
