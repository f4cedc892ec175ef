"""
A GCS server on this machine: fake-gcs-server, which `tools/object_servers.py` builds.

It keeps the objects in memory. `tools/gcs_server.go` adds the tokens, and the uploads of the XML
API. The server does not imitate: pages of a list, limits of rate, the rights of single objects,
service accounts, and HTTPS.
"""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from tests.servers.process import free_port, started
from tools.engine.find_or_install import EngineError
from tools.object_servers import GCS, find_or_install

TOKEN: Final = "gcs-token"
READER_TOKEN: Final = "gcs-reader-token"


class GcsServer:
    """
    A running server: `with GcsServer(executable, folder) as server: ...`.

    Args:
        executable: the server's program.
        folder: a folder for its log.

    """

    def __init__(self, executable: Path, folder: Path) -> None:
        self._executable = executable
        self._folder = folder

    def __enter__(self) -> Self:
        self.address = f"127.0.0.1:{(port := free_port())}"
        command = [str(self._executable), self.address, TOKEN, READER_TOKEN]
        self._process = started(command, port, self._folder)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)

    def environ(self, *, reader: bool = False) -> dict[str, str]:
        """Return the environment with the server and a token, also one that may only read."""
        token = READER_TOKEN if reader else TOKEN
        return {"STORAGE_EMULATOR_HOST": self.address, "GOOGLE_OAUTH_ACCESS_TOKEN": token}

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
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.address}{path}", data, headers)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)


@pytest.fixture(scope="session")
def gcs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GcsServer]:
    """A server for all tests of a process."""
    try:
        executable = find_or_install(GCS, os.environ)
    except EngineError as error:
        pytest.skip(f"no GCS server: {error}")
    with GcsServer(executable, tmp_path_factory.mktemp("gcs")) as server:
        yield server
