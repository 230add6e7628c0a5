from __future__ import annotations

import os
import ssl
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.errors import ConfigError
from manager.transport import tls
from manager.transport.tls import tls_settings

if TYPE_CHECKING:
    from manager.transport.tls import TlsSettings

CERTIFICATES = Path(__file__).parents[2] / "certificates"
CA = str(CERTIFICATES / "ca.pem")
SERVER = str(CERTIFICATES / "server.pem")
CLIENT = str(CERTIFICATES / "client.pem")
FOLDER = str(CERTIFICATES / "folder")


def settings(
    verify: bool | str = True,
    cert: str | tuple[str, str] | None = None,
    *,
    trust_env: bool = True,
    **environ: str,
) -> TlsSettings:
    return tls_settings(verify, cert, trust_env=trust_env, environ=environ)


def shake_hands(client: ssl.SSLContext, name: str = "ollama.example") -> ssl.SSLObject:
    """Do TLS with a server that has a certificate of the tests' CA."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(SERVER)
    server.set_alpn_protocols(["h2", "http/1.1"])
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    waiting = [ours, theirs]
    while waiting:
        for side in list(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)
    return ours


@pytest.mark.parametrize(
    "trusts_ca",
    [
        settings(CA),
        settings(CA, trust_env=False),
        settings(SSL_CERT_FILE=CA),
        settings(SSL_CERT_DIR=FOLDER),
        settings(SSL_CERT_DIR=f"/nowhere{os.pathsep}{FOLDER}"),
        settings(SSL_CERT_FILE=SERVER, SSL_CERT_DIR=FOLDER),
        settings(SSL_CERT_FILE=CA, SSL_CERT_DIR=str(CERTIFICATES)),
        settings(CA, SSL_CERT_FILE="/nowhere", SSL_CERT_DIR="/nowhere"),
        settings(False, SSL_CERT_FILE="/nowhere", SSL_CERT_DIR="/nowhere"),
    ],
)
def test_who_is_trusted(trusts_ca: TlsSettings) -> None:
    done = shake_hands(trusts_ca.context)
    assert done.selected_alpn_protocol() == "http/1.1"
    if trusts_ca.verify is not False:
        with pytest.raises(ssl.SSLCertVerificationError):
            shake_hands(trusts_ca.context, "other.example")


@pytest.mark.parametrize(
    "trusts_no_ca_of_ours",
    [
        settings(),
        settings(SSL_CERT_FILE="", SSL_CERT_DIR=""),
        settings(trust_env=False, SSL_CERT_FILE=CA, SSL_CERT_DIR=FOLDER),
        settings(SERVER, SSL_CERT_FILE=CA, SSL_CERT_DIR=FOLDER),
        settings(SSL_CERT_DIR=str(CERTIFICATES)),
    ],
)
def test_who_is_not(trusts_no_ca_of_ours: TlsSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    if not trusts_no_ca_of_ours.ca_file:  # nor does OpenSSL itself look at the variables
        monkeypatch.setenv("SSL_CERT_FILE", CA)
        monkeypatch.setenv("SSL_CERT_DIR", FOLDER)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(trusts_no_ca_of_ours.context)


def test_the_system_is_trusted_by_default() -> None:
    context = settings().context
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    paths = ssl.get_default_verify_paths()
    found = tls._has_certificates(paths.openssl_capath)
    assert found or context.cert_store_stats()["x509_ca"] > 0


def test_without_the_systems_certificates_those_of_certifi_are_trusted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def empty() -> Any:
        return ssl.DefaultVerifyPaths("", "", "", str(tmp_path / "no"), "", str(tmp_path))  # type: ignore[attr-defined]

    monkeypatch.setattr(ssl, "get_default_verify_paths", empty)
    (tmp_path / "ca-bundle.crt").write_text("not found by OpenSSL")
    assert settings().context.cert_store_stats()["x509_ca"] > 50
    monkeypatch.setitem(sys.modules, "certifi", None)
    with pytest.raises(ConfigError, match="no CA certificates") as caught:
        _ = settings().context
    assert "client.verify" in str(caught.value)


def test_it_is_made_once() -> None:
    made = settings(CA)
    assert made.context is made.context
    assert made == settings(CA)
    assert hash(made) == hash(settings(CA))
    assert made != settings(CA, CLIENT)
    assert settings(SSL_CERT_FILE=CA) != settings()
    assert settings(SSL_CERT_FILE=CA, trust_env=False) == settings(trust_env=False)


def test_nothing_is_read_before_it_is_used() -> None:
    settings("/nowhere", "/nowhere", SSLKEYLOGFILE="/nowhere/at/all")


def test_it_may_succeed_later(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    made = settings(str(path))
    with pytest.raises(ConfigError):
        _ = made.context
    path.write_bytes(Path(CA).read_bytes())
    shake_hands(made.context)


def test_keys_are_logged_where_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    shake_hands(settings(CA, SSLKEYLOGFILE=str(path)).context)
    assert "TRAFFIC_SECRET" in path.read_text()
    other = tmp_path / "other"
    shake_hands(settings(CA, trust_env=False, SSLKEYLOGFILE=str(other)).context)
    assert not other.exists()


@pytest.mark.parametrize(
    "cert", [CLIENT, (CLIENT, CLIENT), str(CERTIFICATES / "client_encrypted.pem"), CA]
)
def test_the_clients_own_certificate(cert: str | tuple[str, str]) -> None:
    made = settings(CA, cert)
    if isinstance(cert, tuple) or cert == CLIENT:
        shake_hands(made.context)
        return
    with pytest.raises(ConfigError, match=r"client\.cert") as caught:
        _ = made.context
    assert ("encrypted" in str(caught.value)) == ("encrypted" in cert)


PATHS = st.text() | st.text(st.characters(codec=None)) | st.just("a" * 5000)


@given(PATHS, st.sampled_from(["verify", "cert", "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"]))
def test_any_path_is_used_or_a_mistake(text: str, name: str) -> None:
    path = f"/nowhere/{text}" if text else ""
    arguments: dict[str, Any] = {"verify": CA} if name in ("cert", "SSLKEYLOGFILE") else {}
    made = settings(**{**arguments, name: path})
    if not path and name != "verify" and name != "cert":
        assert made.context
        return
    with pytest.raises(ConfigError) as caught:
        _ = made.context
    (told,) = caught.value.details.values()
    assert told.removeprefix("client.") == name
    caught.value.message.encode()  # it can be printed
