"""Chromium, headless, asked through its pipe: no port, no library."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Without these it asks the network for updates, or needs rights that containers do not give.
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
           "--disable-background-networking", "--disable-component-update", "--disable-sync",
           "--hide-scrollbars", "--force-color-profile=srgb",
           "--remote-debugging-pipe"]  # fmt: skip
WIRE = """
import fcntl, os, sys
pair = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 5) for fd in sys.argv[1:3]]  # neither is in the way
for number, fd in enumerate(pair):
    os.dup2(fd, 3 + number)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Starts the browser so that it reads from 3 and writes to 4, as it wants to."""


class Tab:
    """One page: what it loads, says and looks like."""

    def __init__(self, requests: int, answers: int) -> None:
        self._out = os.fdopen(requests, "wb", buffering=0)
        self._in = os.fdopen(answers, "rb")
        self._count, self._session = 0, ""
        self.events: list[dict[str, Any]] = []
        """What has happened: messages of the console, errors, requests."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._count += 1
        request = {"id": self._count, "method": method, "params": params}
        if self._session:
            request["sessionId"] = self._session
        self._out.write(json.dumps(request).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def _read(self) -> dict[str, Any]:
        text = bytearray()
        while (byte := self._in.read(1)) != b"\0":
            assert byte, "the browser has ended"
            text += byte
        answer: dict[str, Any] = json.loads(text)
        return answer

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._out.close()
        self._in.close()

    def open(self, url: str, width: int = 1200, height: int = 900, scheme: str = "light") -> None:
        """Load a page into a window of a size, and wait until it is there."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)  # fmt: skip
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.events.clear()
        self.call("Page.navigate", url=url)
        while not self.named("Page.loadEventFired"):
            self.events.append(self._read())

    def named(self, *methods: str) -> list[dict[str, Any]]:
        return [event["params"] for event in self.events if event.get("method") in methods]

    def evaluate(self, expression: str) -> Any:
        """Return what JavaScript of ours finds in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def picture(self) -> bytes:
        """Return all of the page as PNG."""
        data = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        return base64.b64decode(data)


@contextlib.contextmanager
def browsing(folder: Path) -> Iterator[Tab]:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("no browser on PATH: tools/find-browser says what to do")
    (theirs, requests), (answers, ours) = os.pipe(), os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", WIRE, str(theirs), str(ours),
         found, *OPTIONS, f"--user-data-dir={folder / 'profile'}"],
        pass_fds=(theirs, ours), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(theirs)
    os.close(ours)
    tab = Tab(requests, answers)
    try:
        yield tab
    finally:
        tab.close()
        process.kill()
        process.wait()
