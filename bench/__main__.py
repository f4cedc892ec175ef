"""
Measure each value beside a baseline of the same run: `python -m bench [PART ...]`, `make bench`.

The command prints a table and writes `bench/results/`. The exit code is 1 if a value misses its
bar. All servers are on this machine. The engine must be on PATH: see `tools/with-engine`.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench import plot, report
from bench.processes import FailedError

PARTS: Final = {
    "signing": "a start's signature beside the official SDK's",
    "startup": "loading the provider beside loading its libraries",
    "load": "the emulator under load beside a plain endpoint",
    "engine": "WorkflowRuns on the engine beside resources that do nothing",
    "plugin": "WorkflowRuns of the packaged provider beside the dynamic ones",
    "batch": "starts of a WorkflowBatch beside the permitted rate",
    "journal": "starts with each store of the journal beside starts without one",
    "completion": "how late a WorkflowCompletion sees an end beside one sweep",
    "page": "the page of 10,000 runs in a browser beside its bar",
    "sizes": "state, memory and time of large batches",
}
"""Modules of this folder; each has `measure(folder)`."""
RESULTS: Final = Path(__file__).parent / "results"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the named parts, or all parts."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure each value beside a baseline of the same run.",
        epilog="; ".join(f"{name}: {what}" for name, what in PARTS.items()),
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    names = parser.parse_args(arguments).parts or list(PARTS)
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)}")
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-bytecode-") as bytecode:
        _compile_into(bytecode)
        found, broken = _measured(names)
    RESULTS.mkdir(exist_ok=True)
    report.write(found, RESULTS / "results.json", time.monotonic() - begun)
    plot.draw(found, RESULTS)
    print(report.table(found))
    print(f"==> {RESULTS.relative_to(Path.cwd())}: results.json, *.svg", file=sys.stderr)
    missed = [figure for part in found.values() for figure in part.figures if not figure.holds]
    return int(bool(broken or missed))


def _compile_into(folder: str) -> None:
    """
    Share compiled modules among all processes, as an installed package does.

    Otherwise the measured time would include the compilation of libraries. That time depends on the
    machine's settings, and on earlier commands.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = folder


def _measured(names: Sequence[str]) -> tuple[dict[str, report.Measured], list[str]]:
    """Return the results of the parts, and the names of the failed parts."""
    found: dict[str, report.Measured] = {}
    broken = []
    for name in names:
        print(f"==> {name}: {PARTS[name]}", file=sys.stderr, flush=True)
        module = importlib.import_module(f"bench.{name}")
        with tempfile.TemporaryDirectory(prefix=f"bench-{name}-") as folder:
            try:
                found[name] = module.measure(Path(folder))
            except (FailedError, AssertionError) as error:  # the other parts still have results
                broken.append(name)
                print(f"==> {name} could not be measured: {error}", file=sys.stderr)
    return found, broken


if __name__ == "__main__":
    sys.exit(main())
