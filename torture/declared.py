"""The program of every trial: it declares what `declared.json` of its folder says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pulumi

from pulumi_vod_workflow import WorkflowBatch, WorkflowRun

PROGRAM = "from torture.declared import declare\n\ndeclare()\n"
"""The text of the program's `__main__.py`."""
FILE = "declared.json"


def declare() -> None:
    """
    Declare it.

    `runs` has a run's arguments by name, and the former name of a renamed one as `alias`; `items`
    are those of one batch, which is not there without any.
    """
    declared: dict[str, Any] = json.loads(Path(FILE).read_text())
    for name, inputs in declared["runs"].items():
        alias = inputs.pop("alias", None)
        opts = pulumi.ResourceOptions(aliases=[pulumi.Alias(name=alias)] if alias else None)
        WorkflowRun(name, opts, **inputs)
    if declared["items"]:
        WorkflowBatch("batch", items=declared["items"], defaults={"template_id": "t"})
