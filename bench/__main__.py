"""
Measure, each thing beside another in the same run: `python -m bench [PART ...]`, or `make bench`.

Prints a table, writes `bench/results/`, and returns 1 if a bar is missed. Everything is on this
machine; the engine must be on PATH, as `tools/with-engine` puts it there.
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
    "batch": "starts of a WorkflowBatch beside the permitted rate",
    "completion": "how late a WorkflowCompletion sees an end beside one sweep",
    "sizes": "state, memory and time of large batches",
}
"""Modules of this folder; each has `measure(folder)`."""
RESULTS: Final = Path(__file__).parent / "results"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the parts that are named, or all."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure, each thing beside another in the same run.",
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
    Let all processes share compiled modules, as those of an installed package are.

    Otherwise what is measured is how much of its libraries Python happens to compile at each start:
    that depends on the machine's settings, and on what has been run on it before.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = folder


def _measured(names: Sequence[str]) -> tuple[dict[str, report.Measured], list[str]]:
    """Return what the parts have found out, and the names of those that failed."""
    found: dict[str, report.Measured] = {}
    broken = []
    for name in names:
        print(f"==> {name}: {PARTS[name]}", file=sys.stderr, flush=True)
        module = importlib.import_module(f"bench.{name}")
        with tempfile.TemporaryDirectory(prefix=f"bench-{name}-") as folder:
            try:
                found[name] = module.measure(Path(folder))
            except (FailedError, AssertionError) as error:  # the other parts are worth having
                broken.append(name)
                print(f"==> {name} could not be measured: {error}", file=sys.stderr)
    return found, broken


if __name__ == "__main__":
    sys.exit(main())
