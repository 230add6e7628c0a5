"""What is logged of calls at each verbosity, what never is, and how that changes at run time."""

from __future__ import annotations

import base64
import gc
import json
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from manager import APIError, InvalidRequestError, StreamInterruptedError

from .either import until
from .hostile_server import Hostile, chat_line, cut, fine, says, silent_after, streams
from .test_hostile import using

if TYPE_CHECKING:
    from pathlib import Path

    from .either import Make
    from .hostile_server import Exchange

LEVELS = ["off", "errors", "calls", "headers", "bodies"]
PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
TRACED = "X-Trace: trace-7"
CALL = {"name": "look", "arguments": {"at": "the sky"}}
DONE = {"done": True, "done_reason": "stop", "eval_count": 30, "eval_duration": 2_000_000_000}


def records(caplog: pytest.LogCaptureFixture, event: str | None = None) -> list[dict[str, Any]]:
    found = [record.__dict__.get("ollama_call") for record in caplog.records]
    calls = [call for call in found if call is not None]  # others tell of the server, or the file
    return [call for call in calls if event in (None, call["event"])]


def busy(exchange: Exchange) -> None:
    exchange.answer(b'{"error":"server busy, please try again."}', 503)


def refuses(exchange: Exchange) -> None:
    exchange.answer(b'{"error":"this is wrong"}', 400)


ANSWERED = says(chat_line("the-answer", **DONE), 200, TRACED, "Set-Cookie: s3cret-cookie")
THOUGHTS = (
    chat_line(message={"role": "assistant", "content": "", "thinking": "let "}),
    chat_line(message={"role": "assistant", "content": "", "thinking": "me see"}),
    chat_line("blue "),
    chat_line(
        message={"role": "assistant", "content": "skies", "tool_calls": [{"function": CALL}]}
    ),
    chat_line(**DONE),
)


@pytest.mark.parametrize("level", LEVELS)
async def test_each_verbosity(make: Make, level: str, caplog: pytest.LogCaptureFixture) -> None:
    secrets: dict[str, Any] = {
        "api_key": "s3cret-key",
        "headers": {"X-Passport": "s3cret-passport"},
    }
    with Hostile(busy, ANSWERED, refuses) as server:
        async with using(make, server, logging={"level": level}, **secrets) as m:
            await m.chat("m", "the-prompt", system="the-system", images=PICTURE)
            with pytest.raises(APIError):
                await m.chat("m", "another-prompt")
    assert "s3cret-key" in server.heads[0], "it was sent"
    events = [call["event"] for call in records(caplog)]
    errors = ["retry", "failure"]
    calls = ["request", "response", "retry", "request", "response"]
    assert events == {"off": [], "errors": errors}.get(
        level, [*calls, "request", "response", "failure"]
    )

    text = caplog.text + json.dumps(records(caplog))
    prompts = ("the-prompt", "another-prompt", "the-system", "the-answer")
    for word in prompts:
        assert (word in text) is (level == "bodies"), word
    for word in ("trace-7", "application/json"):
        assert (word in text) is (level in ("headers", "bodies")), word
    for word in ("s3cret", base64.b64encode(PICTURE).decode()[:16], str(PICTURE)):
        assert word not in text, word
    if level in ("headers", "bodies"):
        sent = {name.lower(): value for name, value in records(caplog)[0]["headers"].items()}
        assert sent["authorization"] == sent["x-passport"] == "***"
    if level == "bodies":
        assert "image of" in text


async def test_the_records_of_a_call_belong_together(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    with Hostile(busy, cut, ANSWERED) as server:
        async with using(make, server, logging={"level": "calls"}) as m:
            await m.chat("m", "hi")
            await m.chat("m", "hi")
    ids = [call["request_id"] for call in records(caplog)]
    first, second = ids[0], ids[-1]
    assert first != second
    assert ids == [first] * 7 + [second] * 2
    mine = [call for call in records(caplog) if call["request_id"] == first]
    assert [(call["event"], call["attempt"]) for call in mine] == [
        ("request", 1),
        ("response", 1),
        ("retry", 1),
        ("request", 2),
        ("retry", 2),
        ("request", 3),
        ("response", 3),
    ]
    assert mine[2]["reason"] == "server_busy"


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_is_measured(
    make: Make, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    lines = (chat_line("a"), chat_line("b"), chat_line(**DONE))
    with Hostile(streams(*lines) if stream else ANSWERED) as server:
        async with using(make, server, logging={"level": "calls"}) as m:
            answer = await m.chat("m", "hi", stream=stream)
            if stream:
                await answer.final()
    (response,) = records(caplog, "response")
    size = sum(map(len, lines)) if stream else len(chat_line("the-answer", **DONE))
    assert response["bytes"] == size
    assert response["tokens_per_second"] == 15
    assert response["seconds"] > 0
    assert response["status"] == 200
    assert "body" not in response


async def test_a_stream_is_logged_as_the_answer_that_it_gave(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    with Hostile(streams(*THOUGHTS)) as server:
        async with using(make, server, logging={"level": "bodies"}) as m:
            final = await (await m.chat("m", "hi", stream=True)).final()
    (response,) = records(caplog, "response")
    message = response["body"]["message"]
    assert message["content"] == "blue skies" == final.message.content
    assert message["thinking"] == "let me see"
    assert message["tool_calls"][0]["function"] == CALL
    assert response["body"]["done"] is True
    assert response["tokens_per_second"] == 15


async def test_a_generated_stream_is_logged_as_one_answer(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    def line(text: str, **fields: Any) -> bytes:
        data = {"model": "m", "created_at": "2026-01-01T00:00:00Z", "response": text, "done": False}
        return json.dumps(data | fields).encode() + b"\n"

    with Hostile(streams(line("x" * 1500), line("y" * 1500), line("", **DONE))) as server:
        async with using(make, server, logging={"level": "bodies"}) as m:
            await (await m.generate("m", "hi", stream=True)).final()
    (response,) = records(caplog, "response")
    assert response["body"]["response"].startswith("x" * 1500 + "y" * 500)
    assert "1000 more characters" in response["body"]["response"]


async def test_a_stream_that_is_left_is_logged_as_far_as_it_came(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    with Hostile(silent_after(chat_line("as far "), chat_line("as this"))) as server:
        async with (
            using(make, server, logging={"level": "bodies"}) as m,
            await m.chat("m", "hi", stream=True) as stream,
        ):
            pieces = stream.text
            assert await anext(pieces) == "as far "
            assert await anext(pieces) == "as this"
    (response,) = records(caplog, "response")
    assert response["body"]["message"]["content"] == "as far as this"
    assert response["body"]["done"] is False


@pytest.mark.parametrize("level", LEVELS)
async def test_a_stream_that_breaks_off_is_logged_as_far_as_it_came(
    make: Make, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Hostile(streams(chat_line("as far "), chat_line("as this"), ends=False)) as server:
        async with using(make, server, logging={"level": level}) as m:
            with pytest.raises(StreamInterruptedError) as caught:
                await (await m.chat("m", "hi", stream=True)).final()
    assert caught.value.partial.message.content == "as far as this"
    failures = records(caplog, "failure")
    assert len(failures) == (level != "off")
    shown = [call["body"]["message"]["content"] for call in failures if "body" in call]
    assert shown == (["as far as this"] if level == "bodies" else [])
    assert ("as this" in caplog.text) is (level == "bodies")


async def test_embeddings_are_counted(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    answer = {"model": "m", "embeddings": [[0.125] * 384, [0.25] * 384]}
    with Hostile(says(json.dumps(answer).encode())) as server:
        async with using(make, server, logging={"level": "bodies"}) as m:
            await m.embed("m", ["red", "blue"])
    (response,) = records(caplog, "response")
    assert response["body"]["embeddings"] == "<2 vectors of 384 numbers>"
    assert records(caplog, "request")[0]["body"]["input"] == ["red", "blue"]


async def test_the_variable_sets_the_verbosity(
    make: Make, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_MANAGER_LOG", "headers")
    with Hostile(fine) as server:
        async with using(make, server) as m:
            assert m.config.logging.level == "headers"
            await m.chat("m", "the-prompt")
    assert [call["event"] for call in records(caplog)] == ["request", "response"]
    assert all("headers" in call and "body" not in call for call in records(caplog))


async def test_json_lines(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    with Hostile(busy, ANSWERED) as server:
        settings = {"level": "bodies", "json": True, "file": path}
        async with using(make, server, logging=settings) as m:
            await m.chat("m", "a\u2028b")
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [line["event"] for line in lines] == [
        "request",
        "response",
        "retry",
        "request",
        "response",
    ]
    assert {line["logger"] for line in lines} == {"ollama_manager.calls"}
    assert len({line["request_id"] for line in lines}) == 1
    assert lines[0]["body"]["messages"][0]["content"] == "a\u2028b"
    assert lines[-1]["tokens_per_second"] == 15


async def test_the_verbosity_changes_at_run_time(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    with Hostile(ANSWERED) as server:
        async with using(make, server, logging={"level": "off"}) as m:
            await m.chat("m", "hi")
            assert records(caplog) == []
            m.set_log_level("bodies")
            assert m.config.logging.level == "bodies"
            await m.chat("m", "hi")
            assert records(caplog, "response")[0]["body"]["message"]["content"] == "the-answer"
            caplog.clear()
            m.set_log_level("off")
            await m.chat("m", "hi")
            assert records(caplog) == []


async def test_a_call_keeps_the_verbosity_that_it_began_with(
    make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    with Hostile(streams(chat_line("a"), chat_line("b"), chat_line(**DONE))) as server:
        async with using(make, server, logging={"level": "calls"}) as m:
            stream = await m.chat("m", "hi", stream=True)
            m.set_log_level("bodies")
            await stream.final()
            assert "body" not in records(caplog, "response")[0]
            caplog.clear()
            stream = await m.chat("m", "hi", stream=True)
            m.set_log_level("off")
            await stream.final()
    assert records(caplog, "response")[0]["body"]["message"]["content"] == "ab"


@pytest.mark.parametrize("level", ["bodys", "", "DEBUG", 10, None, True, ["bodies"]])
async def test_a_verbosity_that_is_none_is_refused(make: Make, level: Any) -> None:
    with Hostile(fine) as server:
        async with using(make, server) as m:
            with pytest.raises(InvalidRequestError) as caught:
                m.set_log_level(level)
            assert m.config.logging.level == "errors"
    assert caught.value.argument == "level"
    assert '"bodies"' in caught.value.message
    if level == "bodys":
        assert "bodies" in str(caught.value.hint)


async def test_a_reload_leaves_the_verbosity_unless_the_file_changes_it(
    make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "ollama-manager.toml"
    file.write_text('[logging]\nlevel = "errors"\n', "utf-8")
    with Hostile(ANSWERED) as server:
        async with make(host=server.host, config_file=file, watch=False) as m:
            m.set_log_level("calls")
            file.write_text('[logging]\nlevel = "errors"\n[retry]\nmax_attempts = 2\n', "utf-8")
            changes = await m.reload_config()
            assert [change.key for change in changes] == ["retry.max_attempts"]
            assert m.config.logging.level == "calls"
            await m.chat("m", "hi")
            assert len(records(caplog)) == 2

            file.write_text('[logging]\nlevel = "off"\n[retry]\nmax_attempts = 2\n', "utf-8")
            changes = await m.reload_config()
            assert [change.key for change in changes] == ["logging.level"]
            assert m.config.logging.level == "off"
            await m.chat("m", "hi")
            assert len(records(caplog)) == 2

            # The file says what holds already; later it says something else.
            m.set_log_level("headers")
            file.write_text('[logging]\nlevel = "headers"\n[retry]\nmax_attempts = 2\n', "utf-8")
            assert await m.reload_config() == ()
            file.write_text('[logging]\nlevel = "off"\n[retry]\nmax_attempts = 2\n', "utf-8")
            await m.reload_config()
            assert m.config.logging.level == "off"


async def test_the_verbosity_opens_and_closes_the_file(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    with Hostile(ANSWERED) as server:
        settings = {"level": "off", "json": True, "file": path}
        async with using(make, server, logging=settings) as m:
            await m.chat("m", "hi")
            assert not path.exists()
            m.set_log_level("calls")
            await m.chat("m", "hi")
            await until(path.exists)
            assert len(path.read_text("utf-8").splitlines()) == 2


async def test_a_prompt_that_fills_the_context_of_the_server_is_told(
    make: Make, managed: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with make(**managed, context_length=64) as m:
        await m.chat("simulated", "short", think=False)
        assert not records(caplog, "notice")
        answer = await m.chat("simulated", "word " * 300, think=False)
    assert answer.prompt_eval_count <= 64
    (notice,) = records(caplog, "notice")
    assert "context_length=64" in notice["message"]


@pytest.mark.parametrize("level", ["calls", "bodies"])
async def test_a_stream_that_is_forgotten_is_logged_as_far_as_it_came(
    make: Make, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Hostile(silent_after(chat_line("as far "), chat_line("as this"))) as server:
        async with using(make, server, logging={"level": level}) as m:
            stream = await m.chat("m", "hi", stream=True)
            pieces = stream.text
            assert await anext(pieces) == "as far "
            assert await anext(pieces) == "as this"
            await pieces.aclose()
            forgotten = weakref.ref(getattr(stream, "target", stream))
            del stream, pieces
            # a thread that has made a call has its result a little longer than its caller
            await until(lambda: gc.collect() >= 0 and forgotten() is None, "the stream to go")
    (record,) = records(caplog, "cancelled")
    assert record.get("body", {}).get("message", {}).get("content") == (
        "as far as this" if level == "bodies" else None
    )
