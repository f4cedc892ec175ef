"""Declares resources that do nothing."""

import os

from bench.nothing import Nothing

for number in range(int(os.environ["BENCH_COUNT"])):
    Nothing(f"run-{number}", vid=f"v{number}", template_id="t")
