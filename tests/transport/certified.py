"""TLS for the servers of the tests; tests/certificates has what they show."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .peers import Peer

if TYPE_CHECKING:
    from .peers import Script

CERTIFICATES = Path(__file__).parents[1] / "certificates"
CA = str(CERTIFICATES / "ca.pem")
CLIENT = str(CERTIFICATES / "client.pem")


def context(name: str = "server.pem", *, wants_certificate: bool = False) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(CERTIFICATES / name)
    if wants_certificate:
        made.load_verify_locations(CA)
        made.verify_mode = ssl.CERT_REQUIRED
    return made


def secure(*scripts: Script, **settings: Any) -> Peer:
    return Peer(*scripts, context=context(), **settings)
