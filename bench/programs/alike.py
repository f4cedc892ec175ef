"""Resources with the properties of runs, which do nothing."""

import os

from bench.nothing import Alike

for number in range(int(os.environ["BENCH_COUNT"])):
    Alike(f"run-{number}", vid=f"v{number}", template_id="t")
