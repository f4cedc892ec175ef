"""Declares resources that do nothing, at the service's pace."""

import os

from bench.nothing import Paced

for number in range(int(os.environ["BENCH_COUNT"])):
    Paced(f"run-{number}", vid=f"v{number}", template_id="t")
