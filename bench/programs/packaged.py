"""Declares runs of the packaged provider, each a resource."""

import os

from pulumi_vod_workflow.plugin import WorkflowRun

for number in range(int(os.environ["BENCH_COUNT"])):
    WorkflowRun(f"run-{number}", vid=f"p{number}", template_id="t")  # no run of `runs`
