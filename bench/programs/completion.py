"""Declares a wait for runs that have been started: one for all, or one for each."""

import json
import os
from pathlib import Path

from pulumi_vod_workflow import WorkflowCompletion

ids = json.loads(Path(os.environ["BENCH_IDS"]).read_text())
if os.environ["BENCH_EACH"] == "True":
    for number, run_id in enumerate(ids):
        WorkflowCompletion(f"run-{number}", runs=run_id)
else:
    WorkflowCompletion("all", runs=ids)
