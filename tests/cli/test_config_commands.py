from __future__ import annotations

import json
import stat
import tomllib
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manager.config import ManagerConfig
from manager.config.model import TABLES
from manager.config.schema import config_schema
from manager.config.template import render_template

from .cli_testing import Shell, clean_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    env = clean_environment(tmp_path)
    del env["OLLAMA_MANAGER_BINARY"], env["OLLAMA_HOST"]
    return Shell(env)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / ".config" / "ollama-manager" / "ollama-manager.toml"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_show_says_where_each_value_came_from(shell: Shell, file: Path) -> None:
    write(
        file,
        "[server]\nkeep_alive = '5m'\n[client]\napi_key = 'hush'\nheaders = {x-key = 'hush'}\n",
    )
    shell.env |= {"OLLAMA_NUM_PARALLEL": "3", "OLLAMA_MANAGER_RETRY_BUDGET": "none"}
    shown = shell.json("config", "show", "--host", "127.0.0.1:9999")
    assert shown["file"] == str(file)
    values = shown["settings"]
    assert list(values) == [about.path for about, _ in ManagerConfig().values()]

    def entry(key: str) -> tuple[Any, ...]:
        return tuple(values[key][name] for name in ("value", "source", "where"))

    assert entry("server.host") == ("http://127.0.0.1:9999", "keyword", "--host")
    assert entry("server.num_parallel") == (3, "inherited", "OLLAMA_NUM_PARALLEL")
    assert entry("retry.budget") == (None, "environment", "OLLAMA_MANAGER_RETRY_BUDGET")
    assert entry("server.keep_alive") == ("5m", "file", f"{file}, line 2")
    assert entry("client.api_key") == ("***", "file", f"{file}, line 4")
    assert entry("server.linger") == (0, "default", "default")
    text = shell.ok("config", "show")
    assert "hush" not in text
    assert "x-key=***" in text
    assert "keep_alive" in text


def test_check_gives_file_line_key_and_what_was_expected(shell: Shell, file: Path) -> None:
    assert shell.run("config", "check").code == 0
    write(file, "[server]\nlinger = 1\n\nkeep_aliv = '5m'\nnoprune = 'yes'\n")
    done = shell.run("config", "check")
    assert done.code == 2
    assert done.err.splitlines() == [
        f"{file}:4: unknown key server.keep_aliv; did you mean keep_alive?",
        f'{file}:5: server.noprune must be true or false (or "1", "0", "t", "f"), got \'yes\'',
    ]
    done = shell.run("config", "check", "--json")
    found = json.loads(done.out)
    assert (done.code, found["ok"], found["file"]) == (2, False, None)
    assert [(e["file"], e["line"], e["key"]) for e in found["errors"]] == [
        (str(file), 4, "server.keep_aliv"),
        (str(file), 5, "server.noprune"),
    ]
    other = write(file.with_name("other.toml"), "[server]\nlinger = 1\n")
    assert shell.ok("config", "check", str(other)) == f"{other}: right\n"
    assert shell.json("config", "check", str(other)) == {
        "ok": True,
        "file": str(other),
        "errors": [],
    }
    secret = write(file, "[server]\nhost = 'http://gpu:1'\n[client]\napi_key = 'hush'\n")
    done = shell.run("config", "check", str(secret))
    assert done.code == 2
    assert "unencrypted" in done.err


def test_init_writes_a_file_for_its_owner_and_replaces_none(shell: Shell, file: Path) -> None:
    assert shell.ok("config", "init") == f"wrote {file}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().startswith("#:schema ./ollama-manager.schema.json\n")
    schema = json.loads(file.with_name("ollama-manager.schema.json").read_text())
    assert schema == config_schema()
    assert shell.ok("config", "check") == f"{file}: right\n"
    write(file, "# mine\n")
    done = shell.run("config", "init")
    assert done.code == 2
    assert "--force" in done.err
    assert file.read_text() == "# mine\n"
    shell.ok("config", "init", "--force")
    assert "# mine" not in file.read_text()
    elsewhere = file.parents[2] / "new" / "own.toml"
    shell.ok("config", "init", "--config", str(elsewhere))
    assert elsewhere.exists()
    assert [p.name for p in elsewhere.parent.iterdir() if p.name.endswith(".new")] == []


@pytest.mark.parametrize(("answer", "kept"), [("n", True), ("y", False)])
def test_init_asks_a_person(shell: Shell, file: Path, answer: str, kept: bool) -> None:
    pytest.importorskip("pty")
    write(file, "# mine\n")
    done = shell.on_a_terminal("config", "init", typed=f"{answer}\n")
    assert "Replace it?" in done.out
    assert done.code == (2 if kept else 0)
    assert (file.read_text() == "# mine\n") == kept


def test_every_line_of_the_template_may_be_uncommented(tmp_path: Path) -> None:
    lines = render_template().splitlines()
    keys = [line for line in lines if line.startswith("# ") and " = " in line]
    text = "\n".join(line.removeprefix("# ") if line in keys else line for line in lines)
    text = text.replace('# [defaults.models."llama3.2"]', '[defaults.models."llama3.2"]')
    path = write(tmp_path / "own.toml", text)
    config = ManagerConfig.load(path)
    named = {key for key, origin in config.source.origins.items() if origin.kind == "file"}
    assert named == {about.path for about, _ in config.values()}
    jsonschema.Draft7Validator(config_schema()).validate(tomllib.loads(text))


def test_the_schema_is_one_and_knows_every_key() -> None:
    schema = config_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    found = {
        f"{table}.{key}"
        for table, about in schema["properties"].items()
        for key in about["properties"]
    }
    assert found == {about.path for about, _ in ManagerConfig().values()}
    assert list(schema["properties"]) == [table.table for table in TABLES]
    untyped = [
        key
        for about in schema["properties"].values()
        for key, said in about["properties"].items()
        if not {"type", "anyOf", "enum"} & said.keys()
    ]
    assert untyped == []


def test_the_program_prints_the_schema(shell: Shell) -> None:
    assert json.loads(shell.ok("config", "schema")) == config_schema()


def values() -> Iterator[object]:
    yield from (True, False, 0, 1, 2, -1, 0.5, 300, "5m", "none", "full", "drain", "", "x y", "/ca")
    yield from ([], ["a", "b"], {}, {"a": "b"}, {"a": 1}, {"a": {"think": True}}, "calls", "auto")


@given(
    st.sampled_from([about for about, _ in ManagerConfig().values()]), st.sampled_from([*values()])
)
def test_what_the_loader_takes_the_schema_takes(about: Any, value: object) -> None:
    """An editor must not underline what is right."""
    try:
        about.kind.read(value)
    except ValueError:
        return
    document = {about.table: {about.name: value}}
    jsonschema.Draft7Validator(config_schema()).validate(document)
