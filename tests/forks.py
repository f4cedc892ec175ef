"""
Code in a process that has loaded the SDK, and nothing of this package.

The processes are forks of one that has loaded the SDK, which takes most of the time of a program.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

FORKS: Final = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["pulumi", "pulumi.dynamic", "pulumi.runtime.mocks"])
TIME_LIMIT: Final = 60  # seconds
P = ParamSpec("P")
T = TypeVar("T")


def in_fork(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """
    Return the result of a function in a new process, in this process's environment and folder.

    The function's module must load nothing of this package.
    """
    reader, writer = FORKS.Pipe(duplex=False)
    call = (writer, {**os.environ}, Path.cwd(), partial(function, *args, **kwargs))
    process = FORKS.Process(target=_call, args=call)
    process.start()
    writer.close()
    with reader:
        assert reader.poll(TIME_LIMIT), "the process does not end"
        result, error = reader.recv()
    process.join()
    process.close()
    assert not error, error
    found: T = result
    return found


def loaded_by(code: str, **names: object) -> set[str]:
    """Return the modules that are loaded after code has run, which uses the names."""
    return in_fork(_loaded_by, code, names)


def _loaded_by(code: str, names: dict[str, object]) -> set[str]:
    exec(code, names)
    return {*sys.modules}


def _call(
    writer: Connection, environ: dict[str, str], folder: Path, function: Callable[[], object]
) -> None:
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(folder)
    try:
        answer = function(), ""
    except BaseException:  # noqa: BLE001 - the caller's test fails with it
        answer = None, traceback.format_exc()
    writer.send(answer)
