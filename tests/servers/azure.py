"""
A server of Azure's blob storage on this machine: azurite, which `tools/object_servers.py` installs.

It keeps the blobs in memory. The server checks the signatures of the account's key and of shared
access signatures with their rights. It does not imitate: Microsoft Entra ID, managed identities,
limits of rate, and HTTPS.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import subprocess
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from tests.servers.object_server import Server, running
from tests.servers.process import free_port, started
from tools.object_servers import AZURE

ACCOUNT: Final = "testaccount"
KEY: Final = base64.b64encode(b"the key of the tests' account").decode()
VERSION: Final = "2021-12-02"
"""The version of the service's API in a shared access signature."""


class AzureServer(Server):
    """A running server of Azure's object store."""

    program = AZURE

    def _start(self) -> subprocess.Popen[bytes]:
        self.port = free_port()
        # The engine's library asks for a newer version of the API than the server knows.
        options = ["--silent", "--inMemoryPersistence", "--skipApiVersionCheck"]
        command = [str(self._executable), "--blobPort", str(self.port), *options]
        account = {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}
        return started(command, self.port, self._folder, account)

    @property
    def domain(self) -> str:
        """The server's host and port."""
        return f"127.0.0.1:{self.port}"

    def environ(self, *, reader: bool = False) -> dict[str, str]:
        """Return the environment with the credentials of the account, also some that only read."""
        if reader:
            reading = {"AZURE_STORAGE_KEY": "", "AZURE_STORAGE_SAS_TOKEN": signature("rl")}
            return {"AZURE_STORAGE_ACCOUNT": ACCOUNT, **reading}
        return {"AZURE_STORAGE_ACCOUNT": ACCOUNT, "AZURE_STORAGE_KEY": KEY}

    def url(self, bucket: str, path: str = "") -> str:
        """Return the URL of a folder, as `pulumi login` and the journal take it."""
        query = {"domain": self.domain, "protocol": "http", "localemu": "true"}
        return f"azblob://{bucket}{path}?{urlencode(query)}"

    def bucket(self) -> str:
        """Make a container and return its name."""
        name = f"bucket-{uuid4().hex[:12]}"
        place = f"http://{self.domain}/{ACCOUNT}/{name}?restype=container&{signature('rwdlc')}"
        urllib.request.urlopen(urllib.request.Request(place, b"", method="PUT")).close()
        return name

    def paths(self, bucket: str) -> list[str]:
        """Return the paths of all objects."""
        from obstore.store import AzureStore

        store: Any = AzureStore(
            bucket,
            account_name=ACCOUNT,
            account_key=KEY,
            endpoint=f"http://{self.domain}/{ACCOUNT}",
            client_options={"allow_http": True},
        )
        return [each["path"] for each in store.list().collect()]


def signature(rights: str) -> str:
    """Return a shared access signature of the account, valid for a day."""
    end = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    # The parts: services (blob), types of resources, start, end, addresses, protocol.
    parts = [ACCOUNT, rights, "b", "sco", "", end, "", "http", VERSION, "", ""]
    digest = hmac.digest(base64.b64decode(KEY), "\n".join(parts).encode(), hashlib.sha256)
    signed = {"sv": VERSION, "ss": "b", "srt": "sco", "sp": rights, "se": end, "spr": "http"}
    return urlencode({**signed, "sig": base64.b64encode(digest)})


@pytest.fixture(scope="session")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureServer]:
    """A server for all tests of a process."""
    yield from running(AzureServer, tmp_path_factory)
