from __future__ import annotations

import io
import json
import logging
import os
import stat
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from manager.config import LoggingConfig
from manager.errors import ConfigError, StreamInterruptedError
from manager.logs import CallLog, JsonLinesFormatter, configure_logging, render_record
from manager.redaction import MAX_TEXT, redact_headers, summarize_body

if TYPE_CHECKING:
    from pathlib import Path

    from manager.config import Verbosity

package = logging.getLogger("ollama_manager")
SECRET = "Bearer s3cret"


def make_call(log: CallLog) -> None:
    """Log one call of each kind, with everything that a transport could hand over."""
    headers = {"Authorization": SECRET, "X-Request": "shown-header"}
    log.request(
        "r1",
        "chat",
        "POST",
        "/api/chat",
        attempt=1,
        model="m",
        headers=headers,
        body={"messages": [{"content": "the prompt"}]},
    )
    log.retry("r1", "chat", attempt=1, delay=0.25, reason="server_busy")
    log.response(
        "r1",
        "chat",
        status=200,
        seconds=1.5,
        attempt=2,
        received=120,
        tokens_per_second=33.333,
        headers={"Set-Cookie": SECRET},
        body={"message": {"content": "the answer"}},
    )
    error = StreamInterruptedError("it broke off", partial={"message": {"content": "the answer"}})
    log.failure("r1", "chat", error, seconds=2, attempts=3)


@pytest.mark.parametrize(
    ("level", "events", "shown"),
    [
        ("off", [], []),
        ("errors", ["retry", "failure"], []),
        ("calls", ["request", "retry", "response", "failure"], []),
        ("headers", ["request", "retry", "response", "failure"], ["shown-header"]),
        (
            "bodies",
            ["request", "retry", "response", "failure"],
            ["shown-header", "the prompt", "the answer"],
        ),
    ],
)
def test_each_level_adds_to_the_one_before(
    level: Verbosity, events: list[str], shown: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    configure_logging(LoggingConfig(level=level))
    make_call(CallLog(level))
    assert [record.__dict__["ollama_call"]["event"] for record in caplog.records] == events
    assert all(record.__dict__["ollama_call"]["request_id"] == "r1" for record in caplog.records)
    for text in ("shown-header", "the prompt", "the answer"):
        assert (text in caplog.text) is (text in shown)
    assert "s3cret" not in caplog.text


def test_the_address_of_a_redirect_is_logged_without_its_secrets() -> None:
    headers = {"Location": "https://me:s3cret@host/a?token=s3cret"}
    assert redact_headers(headers) == {"Location": "https://***@host/a"}


def test_records_hold_the_facts(caplog: pytest.LogCaptureFixture) -> None:
    configure_logging(LoggingConfig(level="calls"))
    make_call(CallLog("calls"))
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING", "INFO", "WARNING"]
    request, retry, response, failure = caplog.messages
    assert request == "request chat request_id=r1 method=POST path=/api/chat attempt=1 model=m"
    assert "reason=server_busy" in retry
    assert "delay=0.25" in retry
    for fact in ("status=200", "seconds=1.5", "bytes=120", "tokens_per_second=33.33", "attempt=2"):
        assert fact in response
    for fact in ("error=StreamInterruptedError", "code=stream_interrupted", "attempts=3"):
        assert fact in failure


def test_a_level_of_the_program_is_respected(caplog: pytest.LogCaptureFixture) -> None:
    package.setLevel(logging.ERROR)
    configure_logging(LoggingConfig(level="bodies"))
    make_call(CallLog("bodies"))
    assert caplog.records == []


def test_json_lines_to_a_file_of_the_owner(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    config = LoggingConfig(level="headers", json=True, file=str(path))
    configure_logging(config)
    configure_logging(config)  # a second manager
    configure_logging(LoggingConfig())  # and one that asks for nothing
    make_call(CallLog("headers"))
    logging.getLogger("ollama_manager.server").warning("two\nlines")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line.get("event") for line in lines] == [
        "request",
        "retry",
        "response",
        "failure",
        None,
    ]
    assert lines[0]["headers"] == {"Authorization": "***", "X-Request": "shown-header"}
    assert lines[0]["logger"] == "ollama_manager.calls"
    assert lines[4]["message"] == "two\nlines"
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    # A reload that takes the file away ends it.
    configure_logging(LoggingConfig(), config)
    make_call(CallLog("calls"))
    assert len(path.read_text().splitlines()) == 5


def test_a_file_that_cannot_be_written_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"logging\.file") as caught:
        configure_logging(LoggingConfig(file=str(tmp_path / "missing" / "x.log")))
    assert caught.value.key == "logging.file"


def without_handlers(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Return the standard error of a program that has not configured logging."""
    # In the test itself: pytest adds its own handler after the fixtures.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


def test_a_person_who_asks_for_calls_sees_them(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = without_handlers(monkeypatch)
    configure_logging(LoggingConfig(level="calls"))
    make_call(CallLog("calls"))
    assert stderr.getvalue().count("\n") == 4
    logging.getLogger().addHandler(logging.StreamHandler(io.StringIO()))
    make_call(CallLog("calls"))
    assert stderr.getvalue().count("\n") == 4


def test_a_stream_that_takes_nothing_is_no_failure_of_the_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stderr = without_handlers(monkeypatch)
    monkeypatch.setattr(logging, "raiseExceptions", False)
    configure_logging(LoggingConfig(level="calls"))
    make_call(CallLog("calls"))
    stderr.close()
    make_call(CallLog("calls"))


def test_a_library_is_silent_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = without_handlers(monkeypatch)
    configure_logging(LoggingConfig())
    make_call(CallLog(LoggingConfig().level))
    assert stderr.getvalue() == ""


def test_nothing_is_looked_at_that_is_not_logged() -> None:
    class Untouchable:
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(name)

    untouched: Any = Untouchable()
    for level in ("off", "errors"):
        log = CallLog(level)
        log.request("r", "chat", "POST", "/api/chat", headers=untouched, body=untouched)
        log.response("r", "chat", status=200, seconds=1, headers=untouched, body=untouched)
    CallLog("off").failure("r", "chat", untouched, seconds=1)


def test_bodies_are_cut_and_summarised() -> None:
    body = {
        "prompt": "x" * (MAX_TEXT + 5),
        "images": ["abcd"],
        "embeddings": [[0.1] * 768, [0.2] * 768],
        "embedding": [0.1] * 3,
        "context": list(range(150)),
        "input": ["short"],
        "raw": b"12",
    }
    shown: Any = summarize_body(body)
    assert shown["prompt"] == "x" * MAX_TEXT + "... <5 more characters>"
    assert shown["images"] == ["<image of 4 characters>"]
    assert shown["embeddings"] == "<2 vectors of 768 numbers>"
    assert shown["embedding"] == "<3 numbers>"
    assert len(shown["context"]) == 101
    assert shown["input"] == ["short"]
    assert shown["raw"] == "<2 bytes>"


@pytest.mark.parametrize(
    "name",
    ["authorization", "Authorization", "proxy-authorization", "Cookie", "set-cookie", "X-Api-Key",
     "x-auth-token", "X-Amz-Security-Token", "X-Secret"],
)  # fmt: skip
def test_credentials_never_show(name: str) -> None:
    assert redact_headers({name: SECRET, "accept": "x"}) == {name: "***", "accept": "x"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@example({"body": "\x85\u2028\u2029"})
@given(st.dictionaries(st.sampled_from(["body", "images", "embeddings", "message"]), json_values))
def test_any_body_is_one_line(body: dict[str, Any]) -> None:
    line = render_record({"event": "request", "operation": "chat", "body": summarize_body(body)})
    assert "\n" not in line
    assert len(line.splitlines()) == 1
    record = logging.makeLogRecord({"ollama_call": {"body": summarize_body(body)}})
    assert len(JsonLinesFormatter().format(record).splitlines()) == 1
