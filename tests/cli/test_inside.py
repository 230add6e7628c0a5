"""What a command does when something of it fails, and what it leaves as it was."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import typer

from manager import CapabilityError, OllamaManager
from manager.cli import app, config, main
from manager.cli.server_logs import LogTail

from .cli_testing import Shell, clean_environment

if TYPE_CHECKING:
    from pathlib import Path


DIES = "import sys; sys.exit('the last words')"


@pytest.fixture
def inside(tmp_path: Path) -> Shell:
    return Shell(clean_environment(tmp_path))


def failing(error: BaseException) -> Any:
    def fail(*_: object) -> None:
        raise error

    return fail


def test_a_mistake_of_the_program_itself(inside: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "print_schema", failing(ZeroDivisionError("by\n zero")))
    done = inside.run("config", "schema")
    assert (done.code, done.out) == (1, "")
    message, hint = done.err.splitlines()
    assert message == "error: unexpected ZeroDivisionError: by zero"
    assert "-v" in hint
    done = inside.run("config", "schema", "--json")
    assert (done.code, done.json["error"], done.json["code"]) == (
        1,
        "ZeroDivisionError",
        "internal",
    )
    done = inside.run("config", "schema", "-v")
    assert "Traceback" in done.err


@pytest.mark.parametrize("error", [KeyboardInterrupt(), typer.Abort()])
def test_an_interrupt_is_no_failure(
    inside: Shell, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    monkeypatch.setattr(config, "print_schema", failing(error))
    assert inside.run("config", "schema") == (130, "", "")


def test_an_interrupt_before_there_is_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "run", failing(KeyboardInterrupt()))
    assert main([]) == 130


def test_the_log_is_left_as_it_was(inside: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever calls `main` may log too."""
    logger = logging.getLogger("ollama_manager")
    level, handler = logger.level, logging.NullHandler()
    monkeypatch.setattr(logger, "propagate", True)
    monkeypatch.setattr(logger, "handlers", [handler])
    try:
        logger.setLevel(logging.ERROR)
        assert inside.run("config", "schema", "-v").code == 0
        assert (logger.level, logger.propagate, logger.handlers) == (logging.ERROR, True, [handler])
    finally:
        logger.setLevel(level)


def test_a_version_and_no_more(inside: Shell) -> None:
    done = inside.run("--version")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("ollama-manager ")


class TestConfigInit:
    def test_where_there_is_no_folder_for_it(self, inside: Shell) -> None:
        done = inside.run("config", "init", "--json", XDG_CONFIG_HOME="not/absolute")
        assert done.code == 2
        assert "--config" in done.json["hint"]

    def test_what_cannot_be_replaced(self, inside: Shell, tmp_path: Path) -> None:
        taken = tmp_path / "taken"
        taken.mkdir()
        done = inside.run("config", "init", "--force", "--config", str(taken))
        assert done.code == 2
        assert "Is a directory" in done.err
        assert not list(tmp_path.glob("*.new"))  # nothing half done is left

    def test_what_it_wrote_as_json(self, inside: Shell, tmp_path: Path) -> None:
        path = tmp_path / "new" / "mine.toml"
        done = inside.run("config", "init", "--config", str(path), "--json")
        schema = path.with_name("ollama-manager.schema.json")
        assert (done.code, done.json) == (0, {"file": str(path), "schema": str(schema)})
        assert json.loads(schema.read_text())["type"] == "object"


class TestConfigShow:
    def test_each_kind_of_value(self, inside: Shell) -> None:
        shown = inside.run(
            "config",
            "show",
            OLLAMA_MANAGER_BINARY='["/opt/ollama", "-v"]',
            OLLAMA_MANAGER_RETRY_BUDGET="none",
            OLLAMA_MANAGER_SERVER_LINGER="1.5",
        )
        assert shown.code == 0
        rows = {row.split()[0]: row.split()[1:] for row in shown.out.splitlines() if "  " in row}
        assert rows["binary"] == ["/opt/ollama", "-v", "OLLAMA_MANAGER_BINARY"]
        assert rows["budget"] == ["-", "OLLAMA_MANAGER_RETRY_BUDGET"]
        assert rows["linger"] == ["1.5", "OLLAMA_MANAGER_SERVER_LINGER"]
        assert rows["autostart"] == ["true", "default"]

    def test_with_a_terminal_it_has_colours(self, inside: Shell) -> None:
        assert "\x1b[" in inside.on_a_terminal("config", "show").out
        assert "\x1b[" not in inside.on_a_terminal("config", "show", NO_COLOR="1").out


class TestConfigCheck:
    def test_a_file_that_is_right(self, inside: Shell, tmp_path: Path) -> None:
        assert inside.run("config", "check").out == "right; there is no file\n"
        path = tmp_path / "mine.toml"
        path.write_text("[server]\nlinger = 1\n")
        done = inside.run("config", "check", "--config", str(path))
        assert (done.code, done.out) == (0, f"{path}: right\n")

    def test_a_wrong_variable_has_no_place_in_a_file(self, inside: Shell) -> None:
        done = inside.run("config", "check", OLLAMA_MANAGER_SERVER_LINGER="soon")
        assert (done.code, done.out) == (2, "")
        assert "OLLAMA_MANAGER_SERVER_LINGER" in done.err


class TestOptions:
    """What the words of `--option`, `--format` and `--keep-alive` come to in a request."""

    @pytest.fixture
    def sent(self, inside: Shell, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        """What a manager is asked for; it answers nothing."""
        sent: dict[str, Any] = {}

        def chat(_manager: object, _model: str, _prompt: str, **asked: Any) -> None:
            sent.update(asked)
            raise CapabilityError("it was only asked")

        monkeypatch.setattr(OllamaManager, "chat", chat)
        return sent

    @pytest.mark.parametrize(
        ("words", "options"),
        [
            (["seed=3"], {"seed": 3}),
            (["stop=3", "stop=null"], {"stop": ["3", "null"]}),  # texts, whatever they look like
            (['stop=["a", "b"]', "stop=c"], {"stop": ["a", "b", "c"]}),
            (["name=some text"], {"name": "some text"}),
            ([], None),
        ],
    )
    def test_options(
        self, inside: Shell, sent: dict[str, Any], words: list[str], options: object
    ) -> None:
        given = [part for word in words for part in ("-o", word)]
        assert inside.run("chat", "m", "hi", *given).code == 1
        assert sent["options"] == options

    @pytest.mark.parametrize(("word", "span"), [("5m", "5m"), ("-1", -1.0), ("90", 90.0)])
    def test_keep_alive(self, inside: Shell, sent: dict[str, Any], word: str, span: object) -> None:
        inside.run("chat", "m", "hi", f"--keep-alive={word}")
        assert sent["keep_alive"] == span

    def test_a_schema_is_an_object(self, inside: Shell, tmp_path: Path) -> None:
        path = tmp_path / "schema.json"
        path.write_text("[]")
        done = inside.run("chat", "m", "hi", "--format", str(path), "--json")
        assert (done.code, done.json["message"]) == (2, "--format: a JSON schema is an object")


class TestLogTail:
    def test_what_is_added_and_what_takes_its_place(self, tmp_path: Path) -> None:
        path = tmp_path / "server.log"
        tail = LogTail(str(path))
        assert tail.read() == ""  # there is none yet
        path.write_bytes("gr\u00fc".encode()[:-1])
        assert tail.read() == "gr"  # a character that came in halves is kept whole
        path.write_bytes("gr\u00fc\u00dfe".encode())
        assert tail.read() == "\u00fc\u00dfe"
        path.write_bytes(b"new")  # rotated
        assert tail.read() == "new"
        assert tail.read() == ""


class TestAnotherMachine:
    """Its server may be asked, but neither started, stopped, restarted nor looked into."""

    @pytest.mark.parametrize(
        ("command", "code", "error"),
        [
            ("logs", 1, "server_not_owned"),
            ("stop", 1, "server_remote"),
            ("restart", 1, "server_not_owned"),
            ("simulate", 2, "config_invalid"),
        ],
    )
    def test_what_is_refused(self, inside: Shell, command: str, code: int, error: str) -> None:
        done = inside.run(command, "--host", "http://192.0.2.1:1", "--json")
        assert (done.code, done.out, done.json["code"]) == (code, "", error)

    def test_status(self, inside: Shell) -> None:
        class Proxy(BaseHTTPRequestHandler):
            """A server behind a path is no local one."""

            def do_GET(self) -> None:
                self.send_response(200 if self.path == "/ollama/api/version" else 404)
                self.end_headers()
                self.wfile.write(b'{"version": "0.30.1"}')

            def log_message(self, *_: object) -> None: ...

        with HTTPServer(("127.0.0.1", 0), Proxy) as proxy:
            thread = threading.Thread(target=proxy.serve_forever, args=(0.01,))
            thread.start()
            url = f"http://127.0.0.1:{proxy.server_port}/ollama"
            done = inside.run("status", "--host", url)
            proxy.shutdown()
            thread.join()
        assert (done.code, done.err) == (0, "")
        state, *rows = [row.split(maxsplit=1) for row in done.out.splitlines()]
        assert state == ["ready", url]
        assert rows == [["server", "on another machine"], ["version", "0.30.1"]]


def test_what_a_server_went_through_is_told(inside: Shell) -> None:
    """Of one that does not start, the end of its log; of one that was killed, how often."""
    failed = inside.run("start", "--binary", json.dumps([sys.executable, "-c", DIES]))
    assert failed.code == 3
    assert "  | the last words\n" in failed.err
    try:
        pid = inside.run("start", "--json").json["pid"]
        os.kill(pid, signal.SIGKILL)
        assert inside.run("list").code == 0  # waits for the next one
        told = inside.run("status").out
        assert re.search("restarts +1", told)
        assert re.search("leases +1", told)
        assert f" {pid}\n" not in told
        started = inside.on_a_terminal("restart")
        assert "restarting the server at" in started.out
    finally:
        assert "stopped the server" in inside.run("stop").out
    started = inside.on_a_terminal("list", OLLAMA_MANAGER_SERVER_LINGER="0")
    assert "starting the server ..." in started.out
