"""
Break updates at every point of a start, and check that no start is paid twice.

`python -m torture` runs the crash matrix. `python -m torture runners` repeats interrupted updates
on another machine, with each store of the journal. `make torture` runs both, on both hosts.
`python -m torture soak` runs one large stack through many changes and crashes. The engine must be
on PATH: see `tools/with-engine`. The exit code is 1 if a check fails.
"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections.abc import Sequence
from contextlib import ExitStack

from tests.engine.hosts import PACKAGES
from tests.engine.project import no_process_left
from torture import matrix, runners
from torture.matrix import Matrix
from torture.soak import soak


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a matrix or the soak; the environment has the defaults of the options."""
    parser = argparse.ArgumentParser(
        prog="python -m torture",
        description="Break updates at every point of a start; check that no start is paid twice.",
    )
    parser.add_argument("what", nargs="?", choices=["matrix", "runners", "soak"], default="matrix")
    environ = os.environ
    parser.add_argument(
        "--seed", type=int, default=environ.get("SEED") or secrets.randbelow(10**6),
        help="seed of all random decisions; default: another seed each time",
    )  # fmt: skip
    parser.add_argument("--trials", type=int, default=environ.get("TRIALS"))
    parser.add_argument("--minutes", type=float, default=environ.get("MINUTES") or 45)
    parser.add_argument("--jobs", type=int, default=environ.get("JOBS") or 3)
    parser.add_argument("--size", type=int, default=200, help="number of runs of the soak")
    parser.add_argument("--cycles", type=int, default=50, help="number of cycles of the soak")
    parser.add_argument(
        "--host", choices=PACKAGES, default="dynamic", help="the host of the resources"
    )
    parser.add_argument("--store", choices=runners.STORES, help="run only trials of this journal")
    parser.add_argument("--trial", type=int, help="run only the trial with this number")
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}", flush=True)
    with no_process_left():
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    if options.what == "soak":
        return int(not soak(options.seed, options.size, options.cycles, options.minutes))
    trials = options.trials or {"matrix": 384, "runners": 320}[options.what]
    numbers: Sequence[int] = range(trials) if options.trial is None else [options.trial]
    limits = options.jobs, options.minutes
    if options.what == "matrix":
        crashes = Matrix(matrix.PLAN, options.seed, numbers, *limits, host=options.host)
        return int(not crashes.run())
    with ExitStack() as servers:
        stores = runners.open_stores(servers, [options.store] if options.store else runners.STORES)
        numbers = [number for number in numbers if runners.store_of(number) in stores]
        plan = runners.plan(stores)
        crashes = Matrix(plan, options.seed, numbers, *limits, host=options.host)
        return int(not crashes.run())


if __name__ == "__main__":
    sys.exit(main())
