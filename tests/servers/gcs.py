"""
A GCS server on this machine: fake-gcs-server, which `tools/object_servers.py` builds.

It keeps the objects in memory. `tools/gcs_server.go` adds the uploads of the XML API, and a second
address that may only read. The server does not imitate: credentials, pages of a list, limits of
rate, the rights of single objects, and HTTPS.
"""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from tests.servers.object_server import Server, running
from tests.servers.process import free_port, started
from tools.object_servers import GCS


class GcsServer(Server):
    """A running server of Google's object store."""

    program = GCS

    def _start(self) -> subprocess.Popen[bytes]:
        port = free_port()
        self._address, self._reader = f"127.0.0.1:{port}", f"127.0.0.1:{free_port()}"
        command = [str(self._executable), self._address, self._reader]
        return started(command, port, self._folder)

    def environ(self, *, reader: bool = False) -> dict[str, str]:
        """Return the environment with the server's address, also the one that may only read."""
        # The engine wants credentials, and sends none to an emulator.
        address = self._reader if reader else self._address
        return {"STORAGE_EMULATOR_HOST": address, "GOOGLE_OAUTH_ACCESS_TOKEN": "unused"}

    def url(self, bucket: str, path: str = "") -> str:
        """Return the URL of a folder, as `pulumi login` and the journal take it."""
        return f"gs://{bucket}{path}"

    def bucket(self) -> str:
        """Make a bucket and return its name."""
        name = f"bucket-{uuid4().hex[:12]}"
        self._request("/storage/v1/b?project=tests", {"name": name})
        return name

    def paths(self, bucket: str) -> list[str]:
        """Return the paths of all objects."""
        paths: list[str] = []
        query = {"fields": "items(name),nextPageToken"}
        while True:
            page = self._request(f"/storage/v1/b/{bucket}/o?{urlencode(query)}")
            paths += [each["name"] for each in page.get("items", [])]
            if not page.get("nextPageToken"):
                return paths
            query["pageToken"] = page["nextPageToken"]

    def _request(self, path: str, body: Any = None) -> Any:
        headers = {"Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self._address}{path}", data, headers)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)


@pytest.fixture(scope="session")
def gcs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcsServer]:
    """A server for all tests of a process."""
    yield from running(GcsServer, tmp_path_factory)
