"""A relay between a client and a server on loopback, which counts round trips and loses answers."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self


class Relay:
    """A running relay: `with Relay(port) as relay: ... relay.port`."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._client_spoke_last = False
        self.round_trips = 0
        """The number of times that the client sent something after an answer."""
        self.answers_to_lose = 0
        """The number of next answers instead of which the relay ends the connection."""

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server_port))
                for pair in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._copy, args=pair, daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket, is_client: bool) -> None:
        with source, contextlib.suppress(OSError):
            while (data := source.recv(65536)) and self._passes(is_client):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)

    def _passes(self, is_client: bool) -> bool:
        with self._lock:
            self.round_trips += is_client and not self._client_spoke_last
            self._client_spoke_last = is_client
            if is_client or not self.answers_to_lose:
                return True
            self.answers_to_lose -= 1
            return False
