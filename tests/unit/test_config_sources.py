from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.config import ManagerConfig, RetryConfig, ServerConfig, resolve_config
from manager.config.files import line_of, locate
from manager.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, an environment without settings, and another current folder."""
    for name in [name for name in os.environ if name.startswith(("OLLAMA_", "XDG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, text: str) -> Path:
    path = folder / "ollama-manager.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def resolve(
    path: Path | None = None,
    environ: Mapping[str, str] | None = None,
    **settings: object,
) -> ManagerConfig:
    return resolve_config(None, path, settings, {"HOME": "/nowhere", **(environ or {})})


def test_keyword_over_environment_over_file_over_default(home: Path) -> None:
    path = write(
        home,
        """
        [server]
        host = "file:1"
        linger = 1
        stop_timeout = 1
        keep_alive = "1m"
        [client]
        connect_timeout = 1
        """,
    )
    environ = {
        "OLLAMA_HOST": "inherited:2",
        "OLLAMA_KEEP_ALIVE": "2m",
        "OLLAMA_MANAGER_SERVER_LINGER": "2",
        "OLLAMA_MANAGER_SERVER_KEEP_ALIVE": "3m",
        "OLLAMA_MANAGER_CLIENT_CONNECT_TIMEOUT": "2",
    }
    config = resolve(path, environ, connect_timeout=3)
    assert config.server.host.host == "inherited"
    assert (config.server.linger, config.server.stop_timeout) == (2, 1)
    assert config.server.keep_alive == "3m"
    assert config.client.connect_timeout == 3
    assert config.server.start_timeout == 120
    origins = {key: origin.kind for key, origin in config.source.origins.items()}
    assert origins == {
        "server.host": "inherited",
        "server.linger": "environment",
        "server.stop_timeout": "file",
        "server.keep_alive": "environment",
        "client.connect_timeout": "keyword",
    }
    assert config.source.origins["server.stop_timeout"].where == f"{path}, line 5"
    assert config.source.path == str(path)


def test_what_the_server_inherits_is_not_set_on_purpose() -> None:
    environ = {"OLLAMA_NUM_PARALLEL": "4", "OLLAMA_MANAGER_SERVER_MAX_QUEUE": "9"}
    config = resolve(None, environ, keep_alive="1h")
    assert config.server.num_parallel == 4
    assert config.server_environment() == {"OLLAMA_MAX_QUEUE": "9", "OLLAMA_KEEP_ALIVE": "1h"}


def test_variables_in_env_count_as_their_keys(home: Path) -> None:
    path = write(
        home, '[server]\nenv = { OLLAMA_NUM_PARALLEL = 2, OLLAMA_KEEP_ALIVE = "1m", X = "y" }\n'
    )
    config = resolve(path, None, keep_alive="2m")
    assert config.server.env == {"X": "y"}
    assert (config.server.num_parallel, config.server.keep_alive) == (2, "2m")
    with pytest.raises(ConfigError, match="OLLAMA_NUM_PARALLEL in env must be a whole number"):
        resolve(env={"OLLAMA_NUM_PARALLEL": "many"})
    with pytest.raises(ConfigError, match="second time"):
        resolve(env={"OLLAMA_NUM_PARALLEL": "2"}, num_parallel=2)
    with pytest.raises(ConfigError, match="second time"):
        resolve(num_parallel=2, env={"OLLAMA_NUM_PARALLEL": "2"})


def test_keywords_win_over_a_configuration_as_it_is() -> None:
    base = ManagerConfig(server=ServerConfig(linger=1, env={"OLLAMA_NUM_PARALLEL": "2", "A": "b"}))
    environ = {"OLLAMA_MANAGER_SERVER_LINGER": "9", "OLLAMA_KEEP_ALIVE": "9m"}
    assert resolve_config(base, None, {}, environ) == base
    config = resolve_config(base, None, {"num_parallel": 3}, environ)
    assert config.server.linger == 1
    assert config.server_environment() == {"A": "b", "OLLAMA_NUM_PARALLEL": "3"}
    with pytest.raises(ConfigError, match="both"):
        resolve_config(base, "x.toml", {}, environ)


def test_other_tables_are_mappings(home: Path) -> None:
    path = write(home, "[retry]\nmax_attempts = 2\nbudget = 5\n")
    config = resolve(
        path, None, retry={"budget": None}, logging={"level": "calls"}, defaults={"think": True}
    )
    assert (config.retry.max_attempts, config.retry.budget) == (2, None)
    assert (config.logging.level, config.defaults.think) == ("calls", True)
    assert resolve(retry=RetryConfig(max_attempts=1)).retry.max_attempts == 1
    for bad in ({"max_attempt": 1}, 3, {"max_attempts": "x"}, {1: 2}):
        with pytest.raises(ConfigError, match="retry"):
            resolve(retry=bad)


@pytest.mark.parametrize(
    ("variables", "key", "value"),
    [
        ({"OLLAMA_MANAGER_BINARY": "/opt/my programs/ollama"}, "server.binary",
         ("/opt/my programs/ollama",)),
        ({"OLLAMA_MANAGER_BINARY": '["python3", "-m", "x"]'}, "server.binary",
         ("python3", "-m", "x")),
        ({"OLLAMA_MANAGER_BINARY": "a", "OLLAMA_MANAGER_SERVER_BINARY": "b"}, "server.binary",
         ("b",)),
        ({"OLLAMA_MANAGER_LOG": "bodies"}, "logging.level", "bodies"),
        ({"OLLAMA_MANAGER_LOGGING_JSON": "yes"}, "logging.json", True),
        ({"OLLAMA_MANAGER_CLIENT_TOTAL_TIMEOUT": "none"}, "client.total_timeout", None),
        ({"OLLAMA_MANAGER_CLIENT_CHUNK_TIMEOUT": "1e1"}, "client.chunk_timeout", 10),
        ({"OLLAMA_MANAGER_CLIENT_HEADERS": '{"A": "b"}'}, "client.headers", {"A": "b"}),
        ({"OLLAMA_MANAGER_CLIENT_VERIFY": "off"}, "client.verify", False),
        ({"OLLAMA_MANAGER_CLIENT_VERIFY": "/ca.pem"}, "client.verify", "/ca.pem"),
        ({"OLLAMA_MANAGER_DEFAULTS_KEEP_ALIVE": "300"}, "defaults.keep_alive", 300),
        ({"OLLAMA_MANAGER_DEFAULTS_OPTIONS": '{"num_ctx": 1}'}, "defaults.options", {"num_ctx": 1}),
        ({"OLLAMA_MANAGER_DEFAULTS_THINK": "true"}, "defaults.think", True),
        ({"OLLAMA_NOPRUNE": " '1' "}, "server.noprune", True),
        ({"OLLAMA_FLASH_ATTENTION": "F"}, "server.flash_attention", False),
        ({"OLLAMA_DEBUG": "2"}, "server.debug", 2),
        ({"OLLAMA_KEEP_ALIVE": "300"}, "server.keep_alive", "300"),
        ({"OLLAMA_NUM_PARALLEL": ""}, "server.num_parallel", None),
        ({"OLLAMA_HOST": " "}, "server.host", ServerConfig().host),
        ({"OLLAMA_SOMETHING_NEW": "x"}, "server.env", {}),
    ],
)  # fmt: skip
def test_environment(variables: dict[str, str], key: str, value: object) -> None:
    table, name = key.split(".")
    assert getattr(getattr(resolve(None, variables), table), name) == value


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"OLLAMA_HOST": "127.0.0.1:0"}, "OLLAMA_HOST must be the address"),
        ({"OLLAMA_NOPRUNE": "yes"}, "OLLAMA_NOPRUNE must be true or false"),
        ({"OLLAMA_NUM_PARALLEL": "4.5"}, "OLLAMA_NUM_PARALLEL must be a whole number"),
        ({"OLLAMA_MANAGER_SERVER_LINGR": "1"}, "did you mean OLLAMA_MANAGER_SERVER_LINGER"),
        ({"OLLAMA_MANAGER_CLIENT_CHUNK_TIMEOUT": "nan"}, "above 0"),
        ({"OLLAMA_MANAGER_CLIENT_CHUNK_TIMEOUT": "1_0"}, "above 0"),
        ({"OLLAMA_MANAGER_CLIENT_HEADERS": "A: b"}, "JSON"),
        ({"OLLAMA_MANAGER_LOG": "debug"}, "OLLAMA_MANAGER_LOG must be one of"),
    ],
)
def test_bad_environment(variables: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve(None, variables)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("[server]\n\nlingr = 3\n", 3, "did you mean linger"),
        ("[servr]\nlinger = 3\n", 1, r"did you mean \[server\]"),
        ("[client]\nmax_attempts = 3\n", 2, r"belongs to \[retry\]"),
        ("server = 3\n", 1, "must be a table"),
        ("[server]\nlinger = 'soon'\n", 2, "server.linger must be a number of seconds"),
        ("[server]\nhost = 'h:99999'\n", 2, "port"),
        ("[server]\nbinary = 'bin/ollama'\n", 2, "server.binary must be"),
        ("[server]\nmodels = 'models'\n", 2, "absolute path"),
        ("[retry]\nmax_attempts = inf\n", 2, "whole number"),
        ('server."linger" = -1\n', 1, "server.linger"),
        ("[server]\nlinger = \n", 2, "no TOML"),
        ('[defaults]\nthink = true\n[defaults.models."a.b"]\ntemperature = 1\n', 3, "unknown key"),
        ("[server.env]\n'A B' = '1'\n", 1, "cannot be a variable"),
        ("[client]\nconnect_timeout = 0x" + "f" * 9000 + "\n", 2, "above 0"),
    ],
)
def test_bad_files_give_file_line_key_and_what_was_expected(
    home: Path, text: str, line: int, message: str
) -> None:
    path = write(home, text)
    with pytest.raises(ConfigError, match=message) as caught:
        resolve(path)
    assert f"{path}, line {line}" in caught.value.message
    assert (caught.value.file, caught.value.line) == (str(path), line)


def test_all_mistakes_are_told_at_once(home: Path) -> None:
    path = write(home, "[server]\nlingr = 3\nautostart = 'no'\n")
    with pytest.raises(ConfigError) as caught:
        resolve(path, {"OLLAMA_DEBUG": "loud"}, proxi="x")
    message = caught.value.message
    assert all(word in message for word in ("lingr", "autostart", "OLLAMA_DEBUG", "proxi"))
    assert len(caught.value.errors) == 4


def test_files_that_cannot_be_read(home: Path) -> None:
    for content, message in (
        (b"[server]\nmodels = '\xff'\n", "line 2: it is no UTF-8"),
        (b"x = " + b"[" * 5000, "no TOML"),
        (b"[server]\nlinger = " + b"9" * 5000, "no TOML"),
        (b"#" * 1_000_001, "larger"),
    ):
        path = home / "bad.toml"
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=message):
            resolve(path)
    with pytest.raises(ConfigError, match="no configuration file"):
        resolve(home / "missing.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        resolve(home)
    bom = home / "bom.toml"
    bom.write_bytes(b"\xef\xbb\xbf[server]\r\nlinger = 3\r\n")
    assert resolve(bom).server.linger == 3


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_file_that_everybody_may_write_names_no_program(home: Path) -> None:
    path = write(home, "[server]\nbinary = '/bin/true'\n")
    path.chmod(0o666)
    with pytest.raises(ConfigError, match="everybody") as caught:
        resolve(path)
    assert "chmod o-w" in str(caught.value)
    path.write_text("[server]\nlinger = 3\n")
    assert resolve(path).server.linger == 3


@pytest.mark.skipif(sys.platform != "linux", reason="XDG is Linux's")
def test_where_the_file_is_looked_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, "[server]\nlinger = 9\n")  # the current folder never counts
    config = ManagerConfig.load()
    expected = str(home / "home/.config/ollama-manager/ollama-manager.toml")
    assert (config.server.linger, config.source.path) == (0, None)
    assert config.source.expected_path == expected
    write(home / "home/.config/ollama-manager", "[server]\nlinger = 1\n")
    assert ManagerConfig.load().server.linger == 1
    write(home / "xdg/ollama-manager", "[server]\nlinger = 2\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "xdg"))
    assert ManagerConfig.load().server.linger == 2
    named = write(home / "named", "[server]\nlinger = 3\n")
    monkeypatch.setenv("OLLAMA_MANAGER_CONFIG", "named/ollama-manager.toml")
    assert ManagerConfig.load().source.path == str(named)
    given_ = write(home / "given", "[server]\nlinger = 4\n")
    assert ManagerConfig.load(given_).server.linger == 4
    monkeypatch.setenv("OLLAMA_MANAGER_CONFIG", "missing.toml")
    with pytest.raises(ConfigError, match=r"missing\.toml"):
        ManagerConfig.load()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere platformdirs is what we ask")
def test_platformdirs_agrees(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import platformdirs

    for folder in (None, str(home / "xdg")):
        if folder:
            monkeypatch.setenv("XDG_CONFIG_HOME", folder)
        found, _ = locate(None, os.environ)
        assert found == str(
            Path(platformdirs.user_config_dir("ollama-manager")) / "ollama-manager.toml"
        )


TEXT = '''\
top = 1
[server]
linger = 3  # [client]
env = { A = "b" }
text = """
linger = 4
"""

[ "client" . headers ]
X = "y"
[defaults.models."a.b"]
think = true
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 1),
        (("server",), 2),
        (("server", "linger"), 3),
        (("server", "env", "A"), 4),
        (("client", "headers", "X"), 10),
        (("client", "headers"), 9),
        (("client",), 9),
        (("defaults", "models", "a.b", "think"), 12),
        (("defaults", "models"), 11),
        (("missing",), None),
    ],
)
def test_line_of(path: tuple[str, ...], line: int | None) -> None:
    assert line_of(TEXT, path) == line


words = st.sampled_from(
    ["server", "client", "retry", "logging", "defaults", "linger", "host", "env", "binary",
     "models", "budget", "options", "headers", "level", "keep_alive", "debug", "x", '"a b"', "'c'"]
)  # fmt: skip
literals = st.one_of(
    st.integers().map(str),
    st.sampled_from(
        ["true", "false", "inf", "nan", "-0.0", "1979-05-27T07:32:00Z", "07:32:00", '"none"', '""',
         "[]", "{}", '"127.0.0.1:1"', '["a", 1]', '{a = 1}', '{"A"={b=[{}]}}', "'''x\ny'''", "0x1f",
         '"\\u0000"', '"5m"', "1e400", '{temperature=1}', '{m={think=true}}']
    ),
)  # fmt: skip
lines = st.one_of(
    st.tuples(words, literals).map(lambda p: f"{p[0]} = {p[1]}"),
    st.tuples(words, words, literals).map(lambda p: f"{p[0]}.{p[1]} = {p[2]}"),
    words.map(lambda w: f"[{w}]"),
    st.tuples(words, words).map(lambda p: f"[{p[0]}.{p[1]}]"),
    words.map(lambda w: f"[[{w}]]"),
    st.text(max_size=10),
)


@given(st.lists(lines, max_size=8).map("\n".join))
def test_any_file_is_a_configuration_or_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.toml"
    path.write_text(text, encoding="utf-8", errors="replace", newline="")
    try:
        config = resolve(path)
    except ConfigError as error:
        error.to_dict()
        return
    assert resolve(path) == config
    config.to_dict()
    config.server_environment()


@given(st.binary(max_size=60))
def test_any_bytes_are_a_configuration_or_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.toml"
    path.write_bytes(content)
    with contextlib.suppress(ConfigError):
        resolve(path)


def test_the_documentation_has_every_key() -> None:
    from manager.config.reference import render_reference

    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert render_reference() in text, "run: python -m manager.config.reference"
