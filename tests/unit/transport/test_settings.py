from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import pytest

from manager.config import resolve_config
from manager.errors import ConfigError
from manager.transport.settings import http_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from manager.transport.settings import HttpSettings

LOCAL = ["127.0.0.1:1", "localhost:1", "[::1]:1", "0.0.0.0:1", "127.9.9.9:1", "127.0.0.1:1/path"]
REMOTE = ["http://gpu-box:1", "http://10.0.0.1:1", "http://gpu-box:1/path"]


def settings(environ: Mapping[str, str] | None = None, **keywords: Any) -> HttpSettings:
    return http_settings(resolve_config(None, None, keywords), environ or {})


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    monkeypatch.delenv("OLLAMA_MANAGER_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("host", [*LOCAL, "https://gpu-box", "https://gpu-box/x", "ollama.com"])
def test_the_key_goes_to_this_machine_or_over_https(host: str) -> None:
    headers = settings(host=host, api_key="s3cret").client.headers
    assert headers["authorization"] == "Bearer s3cret"


@pytest.mark.parametrize("host", REMOTE)
def test_the_key_never_goes_in_the_clear(host: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settings(host=host, api_key="s3cret")
    assert caught.value.key == "client.api_key"
    assert "s3cret" not in str(caught.value.to_dict())
    assert "https" in str(caught.value)


def test_no_key_no_header() -> None:
    assert "authorization" not in settings().client.headers


def test_headers_are_not_shown() -> None:
    assert "s3cret" not in repr(settings(api_key="s3cret"))


@pytest.mark.parametrize("host", LOCAL)
def test_this_machine_is_reached_without_proxy(host: str) -> None:
    wrong = {"HTTP_PROXY": "ftp://[", "SSL_CERT_FILE": "/nowhere", "SSLKEYLOGFILE": "/nowhere"}
    for given in (host, "https://localhost"):
        client = settings(wrong, host=given, proxy="http://proxy:3128").client
        assert client.proxy is None
        assert client == settings(host=given).client
        assert client.secure == given.startswith("https")


@pytest.mark.parametrize("host", ["http://gpu-box:1", "https://gpu-box"])
def test_others_through_the_proxy(host: str) -> None:
    environ = {"ALL_PROXY": "http://other:3128"}
    for client, name, source in (
        (settings(environ, host=host, proxy="http://proxy:3128").client, "proxy", "client.proxy"),
        (settings(environ, host=host).client, "other", "ALL_PROXY"),
    ):
        assert client.proxy is not None
        assert (client.proxy.host, client.proxy.source) == (name, source)
        assert client.secure == host.startswith("https")
    assert settings(environ, host=host, trust_env=False).client.proxy is None
    assert settings({**environ, "NO_PROXY": "gpu-box"}, host=host).client.proxy is None
    assert settings(host=host, proxy="https://proxy").client.secure


def test_the_environment_is_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("http_proxy", "other:3128")
    config = resolve_config(None, None, {"host": "http://gpu-box:1"})
    proxy = http_settings(config).client.proxy
    assert proxy is not None
    assert proxy.host == "other"
    monkeypatch.setenv("http_proxy", "ftp://other")
    with pytest.raises(ConfigError, match="http_proxy"):
        http_settings(config)


def test_certificates_are_checked_by_default() -> None:
    client = settings(host="https://gpu-box").client
    context = client.ssl_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert client.ssl_context() is context


def test_certificates_unchecked_on_request() -> None:
    context = settings(host="https://gpu-box", verify=False).client.ssl_context()
    assert context.verify_mode is ssl.CERT_NONE


def test_a_bad_certificate_file(tmp_path: Any) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("no certificate")
    client = settings(host="https://gpu-box", verify=str(path)).client
    with pytest.raises(ConfigError, match="cannot be used"):
        client.ssl_context()


def test_limits_and_base_url() -> None:
    made = settings(host="0.0.0.0:7", connect_timeout=1, chunk_timeout=None, total_timeout=9)
    assert made.client.base_url == "http://127.0.0.1:7"
    assert (made.timeouts.connect, made.timeouts.chunk, made.timeouts.total) == (1, None, 9)
    assert made.client.headers["user-agent"].startswith("axiom-ollama-manager/")


def test_equal_configurations_make_equal_clients() -> None:
    assert settings(api_key="a").client == settings(api_key="a").client
    assert settings(api_key="a").client != settings(api_key="b").client
    assert settings(chunk_timeout=1).client == settings(chunk_timeout=2).client


@pytest.mark.parametrize("name", ["authorization", "Authorization"])
def test_credentials_in_headers_never_go_in_the_clear(name: str) -> None:
    headers = {name: "Bearer s3cret", "x-other": "fine"}
    for host in REMOTE:
        with pytest.raises(ConfigError) as caught:
            settings(host=host, headers=headers)
        assert caught.value.key == "client.headers"
        assert "s3cret" not in str(caught.value.to_dict())
    for host in (*LOCAL, "https://gpu-box"):
        assert settings(host=host, headers=headers).client.headers[name] == "Bearer s3cret"


def test_the_password_of_a_proxy_is_not_shown() -> None:
    proxy = "http://me:s3cret@proxy:3128"
    client = settings(host="https://gpu-box", proxy=proxy).client
    assert client.proxy is not None
    assert client.proxy.url == proxy
    assert "s3cret" not in repr(client)
    assert "host='proxy', port=3128" in repr(client)
    config = resolve_config(None, None, {"proxy": proxy})
    assert "s3cret" not in repr(config)
    assert "s3cret" not in str(config.to_dict())
    with pytest.raises(ConfigError) as caught:
        settings(proxy="ftp://me:s3cret@proxy")
    assert "s3cret" not in str(caught.value.to_dict())


def test_headers_of_the_configuration_replace_our_own() -> None:
    headers = settings(headers={"User-Agent": "mine", "ACCEPT": "text/plain"}).client.headers
    assert headers == {"User-Agent": "mine", "ACCEPT": "text/plain"}
    headers = settings(headers={"Authorization": "Basic x"}, api_key="key").client.headers
    assert {name: text for name, text in headers.items() if name.lower() == "authorization"} == {
        "authorization": "Bearer key"
    }


def test_what_sends_the_requests() -> None:
    assert settings().client.transport == "auto"
    assert settings(transport="httpx").client.transport == "httpx"
