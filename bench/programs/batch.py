"""Declares a batch of runs."""

import os

from pulumi_vod_workflow import WorkflowBatch

numbers = range(int(os.environ["BENCH_COUNT"]))
WorkflowBatch(
    "batch",
    items={f"item-{each:05}": {"vid": f"v0d399g10001csunlgaljhtdd{each:07}"} for each in numbers},
    defaults={"template_id": "06853553c4d3402698a17ff5dff87fd7"},
)
