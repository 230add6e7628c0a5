"""Servers that speak TLS, and proxies that lead to them."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .hostile_server import Hostile

if TYPE_CHECKING:
    from collections.abc import Callable

    from .hostile_server import Action, Exchange

CERTIFICATES = Path(__file__).parents[1] / "certificates"
CA = str(CERTIFICATES / "ca.pem")


class TlsServer(Hostile):
    """Does all of it over TLS, as ``ollama.example`` and as ``127.0.0.1``.

    Args:
        actions: What it does with each request.
        wants_certificate: Whether clients have to show one.
    """

    def __init__(self, *actions: Action, wants_certificate: bool = False) -> None:
        super().__init__(*actions)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(CERTIFICATES / "server.pem")
        if wants_certificate:
            self._context.load_verify_locations(CA)
            self._context.verify_mode = ssl.CERT_REQUIRED
        self.port = urlsplit(self.host).port or 0

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            super()._serve(self._context.wrap_socket(connection, server_side=True))


def leads_to(server: TlsServer) -> Action:
    """Connect a client of a proxy to ``server``, whatever it asks for."""

    def act(exchange: Exchange) -> None:
        with socket.create_connection(("127.0.0.1", server.port)) as beyond:
            exchange.write(b"HTTP/1.1 200 Connected\r\n\r\n")
            back = threading.Thread(target=_carry, args=(beyond.recv, exchange.write))
            back.start()
            _carry(exchange.read, beyond.sendall)
            with contextlib.suppress(OSError):
                beyond.shutdown(socket.SHUT_RDWR)
            back.join()

    return act


def _carry(read: Callable[[int], bytes], write: Callable[[bytes], None]) -> None:
    with contextlib.suppress(OSError):
        while data := read(65536):
            write(data)
