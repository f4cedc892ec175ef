"""
The SDK's dynamic provider host as it may be in a release of which nothing is known.

It does what the SDK's does, but nothing has the name, place or form that `sdk_compat` looks for.
"""

from __future__ import annotations

import queue
import re
import sys
import threading
from collections.abc import Callable
from concurrent import futures
from pathlib import Path
from typing import Any

import pulumi.dynamic


class Pool(futures.Executor):
    """As many threads as it is told, and none of the attributes of the standard library's."""

    def __init__(self, max_workers: int) -> None:
        self._calls: queue.SimpleQueue[tuple[futures.Future[Any], Callable[[], Any]]]
        self._calls = queue.SimpleQueue()
        for _ in range(max_workers):
            threading.Thread(target=self._work, daemon=True).start()

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        future: futures.Future[Any] = futures.Future()
        self._calls.put((future, lambda: fn(*args, **kwargs)))
        return future

    def _work(self) -> None:
        while True:
            future, call = self._calls.get()
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001 - the future's
                future.set_exception(error)


def elsewhere(call: Callable[..., Any], *arguments: Any) -> Any:
    """Do a call on a thread of its own."""
    future: futures.Future[Any] = futures.Future()

    def work() -> None:
        try:
            future.set_result(call(*arguments))
        except Exception as error:  # noqa: BLE001 - the caller's
            future.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return future.result()


class Config(pulumi.dynamic.Config):
    """Keeps its values elsewhere."""

    def __init__(self, raw_config: dict[str, Any], project_name: str) -> None:
        super().__init__({}, project_name)
        del self._props
        self.values = raw_config

    def get(self, key: str) -> Any:
        return self.values.get(key)


NAMES = {
    r"DynamicResourceProviderServicer": "Servicer",
    r"\bcontext\b": "of_call",
    r"\brequest\b": "asked",
    r"futures\.ThreadPoolExecutor": "Pool",
    r"return fn\(self, asked, of_call\)": "return elsewhere(fn, self, asked, of_call)",
    r"ConfigureRequest, Config$": "ConfigureRequest",
    r"def Cancel\(self, asked, of_call\)": "def Cancel(self, asked, of_call, *more)",
}
path = Path(pulumi.dynamic.__file__).with_name("__main__.py")
text = path.read_text()
for known, unknown in NAMES.items():
    assert re.search(known, text, re.MULTILINE), known
    text = re.sub(known, unknown, text, flags=re.MULTILINE)
sys.argv = [sys.argv[0], f"--engine={sys.argv[1]}"]
exec(compile(text, str(path), "exec"), globals())
