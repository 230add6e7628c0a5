from __future__ import annotations

import copy
import math
import pickle
from pathlib import Path
from typing import Any, get_args

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.config import (
    ClientConfig,
    DefaultsConfig,
    LoggingConfig,
    ManagerConfig,
    ModelDefaults,
    RetryConfig,
    ServerConfig,
    diff_configs,
    resolve_config,
    settings,
)
from manager.config.durations import is_duration
from manager.config.keys import keys_of
from manager.config.model import TABLES
from manager.errors import ConfigError

CLASSES: dict[str, Any] = {table.table: table for table in TABLES}


def test_defaults_are_those_of_the_documentation() -> None:
    config = ManagerConfig()
    assert config.server.host.origin == "http://127.0.0.1:11434"
    assert (config.server.autostart, config.server.linger) == (True, 0)
    assert (config.server.start_timeout, config.server.on_change) == (120, "drain")
    client = config.client
    assert (client.connect_timeout, client.first_token_timeout) == (2, 300)
    assert (client.chunk_timeout, client.total_timeout) == (60, None)
    retry = config.retry
    assert (retry.max_attempts, retry.initial_delay, retry.max_delay) == (4, 0.25, 8)
    assert (retry.multiplier, retry.jitter, retry.budget) == (2, True, 30)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("server.linger", -1),
        ("server.linger", True),
        ("server.linger", math.nan),
        ("server.start_timeout", 0),
        ("server.start_timeout", math.inf),
        ("server.start_timeout", 1e300),
        ("server.autostart", 1),
        ("server.autostart", "false"),
        ("server.on_change", "later"),
        ("server.binary", []),
        ("server.binary", ""),
        ("server.binary", ["ollama", 3]),
        ("server.binary", "a\0b"),
        ("server.env", {"A B": "x"}),
        ("server.env", {"A": 1.5}),
        ("server.env", {"A": "x\0"}),
        ("server.env", {"OLLAMA_HOST": "h"}),
        ("server.env", []),
        ("server.host", "h:0"),
        ("server.host", 11434),
        ("server.crash_loop_limit", 0),
        ("server.crash_loop_limit", 2.0),
        ("server.models", "two\nlines"),
        ("server.keep_alive", "5 minutes"),
        ("server.keep_alive", 1.5),
        ("server.keep_alive", True),
        ("server.num_parallel", -1),
        ("server.num_parallel", "4"),
        ("server.num_parallel", 2**64),
        ("server.debug", 3),
        ("server.noprune", "yes"),
        ("server.noprune", 2),
        ("server.noprune", []),
        ("server.origins", ["a,b"]),
        ("client.api_key", "two words"),
        ("client.api_key", "line\nbreak"),
        ("client.headers", {"X Y": "z"}),
        ("client.headers", {"X": "a\r\nB: c"}),
        ("client.headers", {"X": "a\nb"}),
        ("client.headers", {"X": "a\rb"}),
        ("client.headers", {"X": "a\0b"}),
        ("client.headers", {"X": "\u00e9"}),
        ("client.headers", {"X:": "z"}),
        ("client.headers", {"": "z"}),
        ("client.headers", {"X\n": "z"}),
        ("client.headers", {"X": "1", "x": "2"}),
        ("client.headers", {"content-Length": "1"}),
        ("client.headers", {"Transfer-Encoding": "chunked"}),
        ("client.headers", {"Upgrade": "h2c"}),
        ("client.verify", 3),
        ("client.cert", ["one"]),
        ("client.proxy", "ftp://h"),
        ("client.proxy", "http://"),
        ("client.proxy", "http://proxy:0"),
        ("client.proxy", "proxy:3128"),
        ("client.max_connections", 0),
        ("client.transport", "carrier pigeon"),
        ("retry.max_attempts", 0),
        ("retry.multiplier", 0.5),
        ("retry.jitter", "half"),
        ("logging.level", "debug"),
        ("logging.json", "yes"),
        ("defaults.keep_alive", "300"),
        ("defaults.think", "a lot"),
        ("defaults.options", {"temprature": 1}),
        ("defaults.options", {"temperature": math.nan}),
        ("defaults.models", {"m": {"temperature": 1}}),
        ("defaults.models", {"m": 3}),
    ],
)
def test_bad_values_name_the_key(key: str, value: object) -> None:
    table, name = key.split(".")
    with pytest.raises(ConfigError) as caught:
        CLASSES[table](**{name: value})
    assert key in caught.value.message
    assert caught.value.key.startswith(table)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("server.linger", math.inf, math.inf),
        ("server.binary", "ollama", ("ollama",)),
        ("server.binary", ["python", "-m", "x"], ("python", "-m", "x")),
        ("server.env", {"A": 1, "B": True}, {"A": "1", "B": "true"}),
        ("server.keep_alive", 300, "300"),
        ("server.keep_alive", "-1", "-1"),
        ("server.noprune", "t", True),
        ("server.noprune", 0, False),
        ("server.debug", True, True),
        ("server.debug", 2, 2),
        ("server.origins", ["http://a", "http://b"], "http://a,http://b"),
        ("client.headers", {"X": " \ta b\t ", "Y": ""}, {"X": "a b", "Y": ""}),
        ("client.proxy", "HTTPS://me:pass@proxy", "HTTPS://me:pass@proxy"),
        ("client.total_timeout", "none", None),
        ("client.max_keepalive", None, None),
        ("retry.jitter", "full", True),
        ("defaults.keep_alive", 300, 300),
        ("defaults.keep_alive", "5m", "5m"),
        ("defaults.think", "high", "high"),
        ("defaults.options", {"temperature": 0.5}, {"temperature": 0.5}),
        ("defaults.models", {"m": {"think": True}}, {"m": ModelDefaults(think=True)}),
    ],
)
def test_good_values(key: str, value: object, expected: object) -> None:
    table, name = key.split(".")
    record = CLASSES[table](**{name: value})
    assert getattr(record, name) == expected
    # Reading again what was read changes nothing.
    assert attrs.evolve(record) == record


def test_a_callers_relative_paths_are_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    server = ServerConfig(binary=Path("bin/ollama"), models="~/m")
    assert server.binary == (str(tmp_path / "bin/ollama"),)
    assert server.models == str(tmp_path / "home/m")
    assert ServerConfig(binary="./ollama").binary == (str(tmp_path / "ollama"),)


def test_one_setting_cannot_be_made_twice_in_one_table() -> None:
    with pytest.raises(ConfigError, match="same setting"):
        ServerConfig(num_parallel=2, env={"OLLAMA_NUM_PARALLEL": "3"})


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("server", "env", ["API_TOKEN=hidden"]),
        ("server", "env", {"API_TOKEN=hidden": "x"}),
        ("client", "proxy", "user:hidden@proxy:3128"),
        ("client", "proxy", "ftp://us/er:hidden@proxy:3128"),
        ("client", "proxy", "ftp://user:hid den@proxy:3128"),
        ("client", "proxy", "user:hid/den@proxy:3128"),
        ("client", "proxy", "http://user:hid\nden@proxy:3128"),
        ("client", "proxy", ["http://user:hid@den@proxy:3128"]),
    ],
)
def test_errors_show_no_secrets(table: str, key: str, value: object) -> None:
    made = {"server": ServerConfig, "client": ClientConfig}[table]
    with pytest.raises(ConfigError, match=f"{table}.{key}") as caught:
        made(**{key: value})
    assert "hid" not in str(caught.value)
    assert "den" not in str(caught.value)


def test_a_long_value_is_shown_soon() -> None:
    for text in ("a" * 250_000, "a:" * 125_000, "://" * 80_000, "'a" * 125_000):
        with pytest.raises(ConfigError):
            ClientConfig(proxy=text)


def test_secrets_are_not_shown() -> None:
    config = ManagerConfig(
        server=ServerConfig(env={"HF_TOKEN": "s3cret", "CUDA_VISIBLE_DEVICES": "0"}),
        client=ClientConfig(
            api_key="s3cret", headers={"X-Any": "s3cret"}, proxy="http://me:s3@cret@proxy:1"
        ),
    )
    shown = repr(config) + str(config.to_dict())
    assert "s3" not in shown
    assert "proxy:1" in shown
    assert config.to_dict()["server"]["env"] == {"HF_TOKEN": "***", "CUDA_VISIBLE_DEVICES": "0"}
    for bad in ({"api_key": "s3cret word"}, {"headers": {"X": "s3cret\n"}}):
        with pytest.raises(ConfigError) as caught:
            ClientConfig(**bad)
        assert "s3cret" not in str(caught.value.to_dict())


@pytest.mark.parametrize("password", ["s3/cret", "s3#cret", "s3 cret", "s3@cret", "s3" * 300])
def test_the_password_of_a_proxy_is_not_shown(password: str) -> None:
    config = ManagerConfig(client=ClientConfig(proxy=f"http://me:{password}@proxy:1"))
    shown = repr(config) + str(config.to_dict())
    assert "s3" not in shown
    assert "http://***@proxy:1" in shown


def test_server_environment_is_in_ollamas_forms() -> None:
    server = ServerConfig(
        env={"CUDA_VISIBLE_DEVICES": "0"},
        keep_alive="10m",
        noprune=True,
        no_cloud=False,
        debug=2,
        num_parallel=4,
    )
    assert ManagerConfig(server=server).server_environment() == {
        "CUDA_VISIBLE_DEVICES": "0",
        "OLLAMA_KEEP_ALIVE": "10m",
        "OLLAMA_NOPRUNE": "1",
        "OLLAMA_NO_CLOUD": "0",
        "OLLAMA_DEBUG": "2",
        "OLLAMA_NUM_PARALLEL": "4",
    }


def test_defaults_for_a_model() -> None:
    defaults = DefaultsConfig(
        keep_alive="5m",
        options={"temperature": 0.1, "num_ctx": 4096},
        models={"qwen3": ModelDefaults(think=True, options={"num_ctx": 8192})},
    )
    expected = ModelDefaults(
        keep_alive="5m", think=True, options={"temperature": 0.1, "num_ctx": 8192}
    )
    assert defaults.for_model("qwen3") == expected
    assert defaults.for_model("qwen3:latest") == expected
    assert defaults.for_model("qwen3:8b").options == {"temperature": 0.1, "num_ctx": 4096}


def test_diff_says_when_a_change_holds() -> None:
    old = ManagerConfig(client=ClientConfig(api_key="old", headers={"X": "1"}))
    new = ManagerConfig(
        server=ServerConfig(host="h:1", keep_alive="1h", linger=3),
        client=ClientConfig(api_key="new", headers={"X": "2"}),
        retry=RetryConfig(max_attempts=1),
    )
    changes = [(c.key, c.old, c.new, c.effect) for c in diff_configs(old, new)]
    assert changes == [
        ("server.host", "http://127.0.0.1:11434", "http://h:1", "new managers only"),
        ("server.linger", 0, 3, "at once"),
        ("server.keep_alive", None, "1h", "restart"),
        ("client.api_key", "***", "***", "at once"),
        ("client.headers", {"X": "***"}, {"X": "***"}, "at once"),
        ("retry.max_attempts", 4, 1, "at once"),
    ]
    assert diff_configs(new, new) == []


def test_configurations_are_values() -> None:
    config = resolve_config(None, None, {"linger": 3, "headers": {"A": "b"}}, {"HOME": "/nowhere"})
    assert pickle.loads(pickle.dumps(config)) == config
    assert copy.deepcopy(config) == config
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        config.server = ServerConfig()  # type: ignore[misc]
    with pytest.raises(TypeError):
        ManagerConfig(server={"linger": 3})  # type: ignore[arg-type]


def test_keyword_types_cover_every_key() -> None:
    names = {about.name for table in (ServerConfig, ClientConfig) for about in keys_of(table)}
    assert set(settings.ManagerSettings.__annotations__) == names | {"retry", "logging", "defaults"}
    pairs: list[tuple[Any, Any]] = [
        (settings.RetrySettings, RetryConfig),
        (settings.LoggingSettings, LoggingConfig),
        (settings.DefaultsSettings, DefaultsConfig),
        (settings.ModelSettings, ModelDefaults),
    ]
    for typed, table in pairs:
        assert set(typed.__annotations__) == {about.name for about in keys_of(table)}


def test_flat_names_are_unique() -> None:
    names = [about.name for table in (ServerConfig, ClientConfig) for about in keys_of(table)]
    assert len(names) == len(set(names))


def test_effects_are_known() -> None:
    from manager.config.keys import Effect

    assert {about.effect for table in TABLES for about in keys_of(table)} == set(get_args(Effect))


@pytest.mark.parametrize("text", ["5m", "1h30m", "-1", "0", "300", "1.5s", ".5h", "1us", "-5m"])
def test_durations(text: str) -> None:
    assert is_duration(text)


@pytest.mark.parametrize("text", ["", "m", "5", "5 m", "5min", "1.5", "1e3s", "9" * 30, "3000000h"])
def test_no_durations(text: str) -> None:
    assert is_duration(text) is (text == "5")


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=10),
    st.binary(max_size=4),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(st.data())
def test_a_key_takes_a_value_or_refuses_it(data: st.DataObject) -> None:
    about = data.draw(st.sampled_from([about for table in TABLES for about in keys_of(table)]))
    value = data.draw(values)
    try:
        record = CLASSES[about.table](**{about.name: value})
    except ConfigError:
        return
    assert attrs.evolve(record) == record
