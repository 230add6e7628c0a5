"""list, show, pull, chat, embed: what is printed for people and for scripts."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from .cli_testing import Shell


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_list(warm: Shell) -> None:
    listed = warm.json("list")
    assert {model["name"] for model in listed} >= {"simulated:latest", "simulated-embed:latest"}
    table = warm.ok("list").splitlines()
    assert table[0].split() == ["NAME", "SIZE", "PARAMETERS", "QUANTIZATION", "MODIFIED"]
    assert any(row.startswith("simulated:latest ") and " MB " in row for row in table[1:])


def test_show(warm: Shell) -> None:
    shown = warm.json("show", "simulated")
    assert shown["capabilities"]
    assert len(shown["digest"]) == 64
    assert shown["size"] > 0
    text = warm.ok("show", "simulated")
    assert shown["digest"][:12] in text
    assert "8192 tokens" in text


def test_pull_in_plain_lines(warm: Shell) -> None:
    done = warm.run("pull", "plain:1b")
    assert done.code == 0
    assert done.out.startswith("pulled plain:1b, ")
    said = done.err.splitlines()
    assert said[0] == "pulling manifest"
    assert said[-1] == "success"
    assert any("100 % of" in line for line in said)
    assert len(said) < 60  # a line now and then, not one for each block


def test_pull_as_json_lines(warm: Shell) -> None:
    done = warm.run("pull", "scripted:1b", "--json")
    assert done.code == 0
    progress = lines(done.out)
    assert progress[0]["status"] == "pulling manifest"
    assert progress[-1]["status"] == "success"
    assert any(line.get("completed") == line.get("total") != None for line in progress)  # noqa: E711
    assert warm.run("show", "scripted:1b").code == 0


def test_chat_prints_the_answer_alone(warm: Shell) -> None:
    done = warm.run("chat", "simulated", "hello", "out", "there")
    assert done.code == 0
    assert "hello out there" in done.out
    assert done.out.endswith("\n")
    assert done.err == ""
    assert warm.ok("chat", "simulated", "hello", "out", "there", "--no-stream") == done.out


def test_chat_reads_standard_input(warm: Shell) -> None:
    piped = warm.run_program("chat", "simulated", stdin="from a pipe\n")
    assert piped.code == 0
    assert "from a pipe" in piped.out
    both = warm.ok("chat", "simulated", "Summarize:", "-", "--no-think", stdin="the long text")
    assert "Summarize:" in both
    assert "the long text" in both


def test_chat_as_json(warm: Shell) -> None:
    chunks = lines(warm.ok("chat", "simulated", "hi there", "--json"))
    assert len(chunks) > 2
    assert [chunk["done"] for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    whole = warm.json("chat", "simulated", "hi there", "--no-stream")
    text = "".join(chunk["message"]["content"] for chunk in chunks)  # type: ignore[index]
    assert whole["message"]["content"] == text


def test_chat_options(warm: Shell, tmp_path: Path) -> None:
    short = warm.json(
        "chat",
        "simulated",
        "hi",
        "--no-stream",
        "--no-think",
        "-o",
        "num_predict=2",
        "-o",
        "seed=1",
    )
    assert short["eval_count"] == 2
    thought = warm.json("chat", "simulated", "hi", "--no-stream", "--think-level", "high")
    assert thought["message"]["thinking"]
    silent = warm.json("chat", "simulated", "hi", "--no-stream", "--no-think")
    assert "thinking" not in silent["message"]
    answer = warm.ok("chat", "simulated", "hi", "--format", "json")
    assert isinstance(json.loads(answer), dict)
    schema = tmp_path / "city.json"
    schema.write_text(
        '{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}'
    )
    assert json.loads(warm.ok("chat", "simulated", "hi", "--format", str(schema)))["city"]


def test_chat_with_an_image(warm: Shell, tmp_path: Path) -> None:
    warm.ok("pull", "llava:1b")
    picture = tmp_path / "dot.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 32)
    assert warm.ok("chat", "llava:1b", "what is this?", "--image", str(picture))
    missing = warm.run("chat", "llava:1b", "what?", "--image", str(tmp_path / "none.png"))
    assert missing.code == 2
    assert "none.png" in missing.err


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_an_interrupted_chat_ends_with_130(slow: Shell) -> None:
    process = slow.start_program(
        "chat",
        "simulated",
        "--json",
        "word " * 200,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        process.stdout.readline()  # it has begun
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert errors == ""


def test_a_reader_that_goes_away_is_no_failure(slow: Shell) -> None:
    process = slow.start_program(
        "chat",
        "simulated",
        "word " * 200,
        "--no-think",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(5)
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(30) == 0
    assert errors == ""


def test_a_table_into_a_closed_pipe(warm: Shell) -> None:
    process = warm.start_program("list", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(30) == 0
    assert errors == ""


def test_embed(warm: Shell) -> None:
    vectors = [
        json.loads(line) for line in warm.ok("embed", "simulated-embed", "a", "b").splitlines()
    ]
    assert [len(vector) for vector in vectors] == [384, 384]
    piped = warm.ok("embed", "simulated-embed", "--json", stdin="a\n\nb\n")
    assert [json.loads(line) for line in piped.splitlines()] == vectors
    shorter = warm.ok("embed", "simulated-embed", "a", "--dimensions", "8")
    assert len(json.loads(shorter)) == 8


def test_shared_options_stand_before_or_behind(warm: Shell) -> None:
    host = warm.env["OLLAMA_HOST"]
    before = warm.ok("--host", host, "--json", "show", "simulated", OLLAMA_HOST="127.0.0.1:1")
    behind = warm.ok("show", "simulated", "--host", host, "--json", OLLAMA_HOST="127.0.0.1:1")
    assert json.loads(before)["digest"] == json.loads(behind)["digest"]


def test_a_configuration_file(warm: Shell, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[defaults]\noptions = { num_predict = 3 }\n")
    arguments = ["chat", "simulated", "hi", "--no-stream", "--no-think", "--config", str(path)]
    assert warm.json(*arguments)["eval_count"] == 3


def test_verbose_logs_calls_and_never_prompts(warm: Shell) -> None:
    done = warm.run("chat", "simulated", "a secret prompt", "-v")
    assert done.code == 0
    assert "/api/chat" in done.err
    assert "a secret prompt" not in done.err
    loud = warm.run("chat", "simulated", "a loud prompt", "-vvv")
    assert "a loud prompt" in loud.err
