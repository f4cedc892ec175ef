"""
A stand-in for HashiCorp Vault, which encrypts the key of a stack's secrets.

The engine derives the key from a passphrase in 0.2 s of processor time for each command, and gets
the key from Vault in one request. `make up` uses a passphrase.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Self

PROVIDER: Final = "hashivault://tests"
"""Name of the secrets provider for `pulumi stack init`."""
PREFIX: Final = "vault:v1:"
LINES: Final = ("encryptionsalt:", "secretsprovider:", "encryptedkey:")
"""First words of the lines of `Pulumi.STACK.yaml` that have the stack's key."""


class Transit(BaseHTTPRequestHandler):
    """One request to encrypt or to decrypt a key."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Write no log."""

    def do_PUT(self) -> None:
        """Return a key with the prefix, or without."""
        sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
        key = sent.get("plaintext")
        found = {"plaintext": sent["ciphertext"].removeprefix(PREFIX)} if key is None else {}
        answer = json.dumps({"data": found or {"ciphertext": PREFIX + key}}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


class Vault(ThreadingHTTPServer):
    """A running stand-in: `with Vault() as vault: ... vault.environ`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Transit)
        self.environ = {
            "VAULT_SERVER_URL": f"http://127.0.0.1:{self.server_port}",
            "VAULT_SERVER_TOKEN": "tests",
        }
        """The environment in which the engine finds it."""
        self.for_new_stacks = {**self.environ, "PULUMI_OPTION_SECRETS_PROVIDER": PROVIDER}
        """The environment in which `pulumi stack init` takes it, too; older engines do not."""

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
