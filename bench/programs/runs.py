"""Declares runs, each a resource."""

import os

from pulumi_vod_workflow import WorkflowRun

for number in range(int(os.environ["BENCH_COUNT"])):
    WorkflowRun(f"run-{number}", vid=f"v{number}", template_id="t")
