"""chat: one question, or on a terminal a conversation."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from manager.cli.option_words import read_format, read_keep_alive, read_options
from manager.cli.terminal import write_json
from manager.default import DEFAULT
from manager.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from manager import ChatResponse, ChatStream, OllamaManager
    from manager.cli.invocation import Invocation
    from manager.cli.terminal import Terminal
    from manager.timeouts import TimeoutInput
    from manager.types import KeepAlive, Prompt, Think

__all__ = ["AnswerWriter", "ChatOptions", "chat_with", "open_stream", "prompt_from"]

_STDIN = "-"


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """What the options of ``chat`` come to, in the terms of ``OllamaManager.chat``."""

    system: str | None = None
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    think: Think | None = None
    format: Literal["json"] | dict[str, Any] | None = None
    images: tuple[Path, ...] = ()
    keep_alive: KeepAlive | None = None
    timeout: TimeoutInput = DEFAULT

    @classmethod
    def read(
        cls,
        *,
        system: str | None,
        options: Sequence[str],
        think: bool | None,
        think_level: str | None,
        answer_format: str | None,
        images: Sequence[str],
        keep_alive: str | None,
        timeout: float | None,
    ) -> ChatOptions:
        """Read the words of the command line; what a call checks is left to the call.

        Raises:
            InvalidRequestError: A word cannot be read.
        """
        if think is False and think_level is not None:
            raise InvalidRequestError(
                "--no-think and --think-level contradict each other", argument="think"
            )
        level = cast("Think | None", think_level)
        return cls(
            system=system,
            options=read_options(options),
            think=think if level is None else level,
            format=read_format(answer_format),
            images=tuple(Path(path) for path in images),
            keep_alive=read_keep_alive(keep_alive),
            timeout=DEFAULT if timeout is None else timeout,
        )


def chat_with(
    run: Invocation, model: str, words: Sequence[str], wanted: ChatOptions, *, stream: bool
) -> None:
    """Ask a model, and show its answer.

    Args:
        run: Where the server and the terminal are.
        model: The model.
        words: The question; none: standard input, or a conversation on a terminal.
        wanted: How to ask.
        stream: Show the answer while it is written.

    Raises:
        OllamaManagerError: The subclass that says what went wrong.
    """
    if not words and run.terminal.is_interactive and not run.as_json:
        from manager.cli.conversation import converse

        with run.manager() as manager:
            converse(run.terminal, manager, model, wanted)
        return
    prompt = prompt_from(words)
    with run.manager() as manager:
        if stream:
            _show_stream(run, manager, model, prompt, wanted)
        else:
            _show_whole(run, manager, model, prompt, wanted)


def prompt_from(words: Sequence[str]) -> str:
    """Join the words of a question; ``-``, or no word at all, stands for standard input."""
    parts: list[str] = []
    for word in words or [_STDIN]:
        if word != _STDIN:
            parts.append(word)
            continue
        text = sys.stdin.read().strip()
        # what was piped in stands apart from the question about it
        parts.append(text if len(words) < 2 else f"\n\n{text}\n\n")
    return " ".join(parts).strip()


def open_stream(
    manager: OllamaManager, model: str, prompt: Prompt, wanted: ChatOptions
) -> ChatStream:
    """Send a question whose answer is streamed."""
    return manager.chat(
        model,
        prompt,
        stream=True,
        system=wanted.system,
        images=wanted.images or None,
        format=wanted.format,
        think=wanted.think,
        keep_alive=wanted.keep_alive,
        options=wanted.options or None,
        timeout=wanted.timeout,
    )


def _show_stream(
    run: Invocation, manager: OllamaManager, model: str, prompt: str, wanted: ChatOptions
) -> None:
    with run.terminal.waiting(f"waiting for {model} ..."):
        stream = open_stream(manager, model, prompt, wanted)
    writer = AnswerWriter(run.terminal)
    with stream:
        try:
            for chunk in stream:
                if run.as_json:
                    write_json(chunk.to_dict())
                else:
                    writer.write(chunk)
        finally:
            writer.finish()


def _show_whole(
    run: Invocation, manager: OllamaManager, model: str, prompt: str, wanted: ChatOptions
) -> None:
    with run.terminal.waiting(f"waiting for {model} ..."):
        answer = manager.chat(
            model,
            prompt,
            system=wanted.system,
            images=wanted.images or None,
            format=wanted.format,
            think=wanted.think,
            keep_alive=wanted.keep_alive,
            options=wanted.options or None,
            timeout=wanted.timeout,
        )
    if run.as_json:
        write_json(answer.to_dict())
        return
    writer = AnswerWriter(run.terminal)
    writer.write(answer)
    writer.finish()


class AnswerWriter:
    """Writes an answer as it comes: its text as it is, its thinking dimmed for a person alone."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._last = ""
        self._thinking = False

    def write(self, chunk: ChatResponse) -> None:
        """Write what a chunk adds."""
        message = chunk.message
        if message.thinking and self._terminal.err.is_terminal:
            self._thinking = True
            self._terminal.err.print(message.thinking, style="dim", end="", soft_wrap=True)
        if message.content:
            self._end_thinking()
            self._terminal.text(message.content, end="")
            self._last = message.content

    def finish(self) -> None:
        """End the line that was begun."""
        self._end_thinking()
        if self._last and not self._last.endswith("\n"):
            self._terminal.text("")
            self._last = ""

    def _end_thinking(self) -> None:
        if self._thinking:
            self._thinking = False
            self._terminal.err.print("\n")
