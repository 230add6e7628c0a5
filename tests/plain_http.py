"""A client for tests that ask a server without a manager."""

from __future__ import annotations

import ssl

import httpx

# httpx loads all certificates of its bundle for each client else, which takes longest of a test.
_TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def plain_client(url: str, *, timeout: float = 30, trust_env: bool = True) -> httpx.Client:
    """Return a client of ``http://`` addresses, for paths below ``url``; the test closes it.

    Args:
        url: Where the server is.
        timeout: Seconds that it may say nothing.
        trust_env: Whether proxies of the environment are used.
    """
    return httpx.Client(base_url=url, timeout=timeout, trust_env=trust_env, verify=_TRUSTS_NOBODY)
