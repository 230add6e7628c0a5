"""TLS with the server, or with a proxy: which certificates are trusted, and which is shown."""

from __future__ import annotations

import functools
import os
import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import attrs

from manager.errors import ConfigError

if TYPE_CHECKING:
    import ssl  # 20 ms that only https costs
    from collections.abc import Callable, Mapping

__all__ = ["TlsSettings", "tls_settings"]

# How OpenSSL names the certificates of a folder, so that it finds them by their subject.
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")
_VERIFY, _CERT = "client.verify", "client.cert"
_FILE, _DIR, _KEY_LOG = "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"
_CA_HINT = "it must be a PEM file of CA certificates that you may read"
_FOLDER_HINT = "it must be a folder of CA certificates, as `openssl rehash` prepares it"
_CERT_HINT = "it must be a PEM file that you may read, with the certificate and its key"


@attrs.frozen(kw_only=True)
class TlsSettings:
    """What TLS is done with; equal settings make equal contexts.

    Attributes:
        verify: Whether certificates are checked; a path: against this CA file.
        cert: The client's own certificate, or that and its key.
        ca_file: The value of ``SSL_CERT_FILE``, for want of a path in ``verify``.
        ca_folders: The value of ``SSL_CERT_DIR``, likewise; as many folders as it names.
        key_log: The value of ``SSLKEYLOGFILE``.
    """

    verify: bool | str
    cert: str | tuple[str, str] | None
    ca_file: str | None = None
    ca_folders: str | None = None
    key_log: str | None = None

    @functools.cached_property
    def context(self) -> ssl.SSLContext:
        """The context for all connections, made when it is first used.

        Raises:
            ConfigError: A file that a key or variable names cannot be used.
        """
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks certificates and host names
        if sys.version_info >= (3, 13):  # as ssl.create_default_context() does
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
        context.set_alpn_protocols(["http/1.1"])
        if self.verify is False:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif isinstance(self.verify, str):
            _load_file(context, _VERIFY, self.verify)
        elif self.ca_file or self.ca_folders:
            self._trust_environment(context)
        else:
            _trust_system(context)
        if self.cert is not None:
            _load_own(context, self.cert)
        if self.key_log:
            _log_keys(context, self.key_log)
        return context

    def _trust_environment(self, context: ssl.SSLContext) -> None:
        if self.ca_file:
            _load_file(context, _FILE, self.ca_file)
        if self.ca_folders:
            _load_folders(context, self.ca_folders)


def tls_settings(
    verify: bool | str,
    cert: str | tuple[str, str] | None,
    *,
    trust_env: bool,
    environ: Mapping[str, str],
) -> TlsSettings:
    """Return what ``[client]`` and the environment say of TLS.

    Args:
        verify: The value of ``client.verify``; only if it is True, the variables name the CAs.
        cert: The value of ``client.cert``.
        trust_env: Whether the environment is asked.
        environ: The environment.
    """
    nothing: Mapping[str, str] = {}
    variables = environ if trust_env else nothing
    certificates = variables if verify is True else nothing
    return TlsSettings(
        verify=verify,
        cert=cert,
        ca_file=certificates.get(_FILE) or None,
        ca_folders=certificates.get(_DIR) or None,
        key_log=variables.get(_KEY_LOG) or None,
    )


def _trust_system(context: ssl.SSLContext) -> None:
    """Trust the CAs of the platform; for want of any, those of certifi."""
    import ssl

    found = False
    if sys.platform == "win32":
        context.load_default_certs()
    else:
        # load_default_certs() would read SSL_CERT_FILE and SSL_CERT_DIR, trusted or not
        paths = ssl.get_default_verify_paths()
        with suppress(OSError):
            context.load_verify_locations(cafile=paths.openssl_cafile)
        if found := _has_certificates(paths.openssl_capath):
            context.load_verify_locations(capath=paths.openssl_capath)
    if found or context.cert_store_stats()["x509_ca"]:
        return
    try:
        import certifi
    except ImportError:
        raise ConfigError(
            "there are no CA certificates on this machine to check the server's against",
            hint=f"install the system's CA certificates, or name a file of them in {_VERIFY}",
            key=_VERIFY,
        ) from None
    context.load_verify_locations(cafile=certifi.where())


def _has_certificates(folder: str) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(_HASHED.fullmatch(entry.name) for entry in entries)
    except OSError:
        return False


def _load_file(context: ssl.SSLContext, name: str, path: str) -> None:
    reason = _failure(lambda: context.load_verify_locations(cafile=path))
    if reason is not None:
        raise _unusable(name, path, reason, _CA_HINT)


def _load_folders(context: ssl.SSLContext, paths: str) -> None:
    def load() -> None:
        # OpenSSL says nothing of a folder that is not there, and then trusts nobody
        if not any(map(os.path.isdir, paths.split(os.pathsep))):
            raise ValueError("there is no such folder")
        context.load_verify_locations(capath=paths)

    if (reason := _failure(load)) is not None:
        raise _unusable(_DIR, paths, reason, _FOLDER_HINT)


def _load_own(context: ssl.SSLContext, cert: str | tuple[str, str]) -> None:
    def refuse_to_ask() -> str:  # OpenSSL would ask on the terminal, and wait
        raise ValueError("its key is encrypted")

    chain, key = (cert, None) if isinstance(cert, str) else cert
    reason = _failure(lambda: context.load_cert_chain(chain, key, refuse_to_ask))
    if reason is not None:
        paths = chain if key is None else f"{chain} and {key}"
        raise _unusable(_CERT, paths, reason, _CERT_HINT)


def _log_keys(context: ssl.SSLContext, path: str) -> None:
    def begin() -> None:
        context.keylog_filename = path

    if (reason := _failure(begin)) is not None:
        raise _unusable(_KEY_LOG, path, reason, "it must be a file that you may write to")


def _failure(act: Callable[[], None]) -> str | None:
    """Return why a file cannot be used, or None if it was."""
    import ssl

    try:
        act()
    except ssl.SSLError as error:
        return f"it is not what it should be: {error.reason or 'not in PEM form'}"
    except OSError as error:
        return error.strerror or str(error)
    except ValueError as error:  # a path that no file can have, or an encrypted key
        return str(error)
    return None


def _unusable(name: str, path: str, reason: str, hint: str) -> ConfigError:
    is_key = name in (_VERIFY, _CERT)
    details: dict[str, Any] = {"key" if is_key else "variable": name}
    return ConfigError(
        f"{name} names {path!r}, which cannot be used: {reason}",
        hint=f"{hint}; correct {name}{'' if is_key else ', or unset it'}",
        **details,
    )
