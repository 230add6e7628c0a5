"""A conversation on a terminal: every turn knows those before it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from manager.cli.chat import AnswerWriter, open_stream
from manager.cli.failure import report_error
from manager.errors import ModelNotFoundError, OllamaManagerError

if TYPE_CHECKING:
    from manager import ChatStream, OllamaManager
    from manager.cli.chat import ChatOptions
    from manager.cli.terminal import Terminal
    from manager.types import MessageDict

__all__ = ["converse"]

_PROMPT = ">>> "
_HELP = "/bye or Ctrl-D leaves, /clear forgets, Ctrl-C stops an answer"
_LEAVE = {"/bye", "/exit", "/quit"}


def converse(terminal: Terminal, manager: OllamaManager, model: str, wanted: ChatOptions) -> None:
    """Talk until the person leaves.

    Args:
        terminal: Where to talk.
        manager: How to reach the model.
        model: The model.
        wanted: How to ask; images go with the first question alone.

    Raises:
        ModelNotFoundError: There is no such model.
        OllamaManagerError: The server is not to be had.
    """
    with suppress(ImportError):  # Windows has none
        import readline as readline  # gives input() its history and editing

    manager.ensure_model(model, pull=False)
    terminal.note(f"{model}: {_HELP}")
    messages: list[MessageDict] = []
    while True:
        question = _ask(terminal)
        if question is None or question in _LEAVE:
            return
        if question == "/clear":
            messages.clear()
            terminal.note("forgotten")
        elif question.startswith("/"):
            terminal.note(_HELP)
        elif question:
            messages.append({"role": "user", "content": question})
            _answer(terminal, manager, model, messages, wanted)
            wanted = replace(wanted, images=())


def _ask(terminal: Terminal) -> str | None:
    """Return what the person typed; None at the end of input."""
    while True:
        try:
            return input(_PROMPT).strip()
        except EOFError:
            terminal.text("")
            return None
        except KeyboardInterrupt:
            terminal.text("")
            terminal.note(_HELP)


def _answer(
    terminal: Terminal,
    manager: OllamaManager,
    model: str,
    messages: list[MessageDict],
    wanted: ChatOptions,
) -> None:
    """Show the answer and keep what there is of it; without one, the question is forgotten."""
    said = ""
    try:
        with terminal.waiting("..."):
            stream = open_stream(manager, model, messages, wanted)
        with stream:
            said = _shown(terminal, stream)
    except KeyboardInterrupt:
        terminal.note("stopped")
    except ModelNotFoundError:
        raise
    except OllamaManagerError as error:
        report_error(error, terminal, as_json=False)
    if said:
        messages.append({"role": "assistant", "content": said})
    else:
        messages.pop()


def _shown(terminal: Terminal, stream: ChatStream) -> str:
    """Show an answer and return it, or so much of it as there was when Ctrl-C came."""
    writer = AnswerWriter(terminal)
    try:
        for chunk in stream:
            writer.write(chunk)
    except KeyboardInterrupt:
        terminal.note(" (stopped)")
    finally:
        writer.finish()
    answer = stream.partial
    return (answer.message.content or "") if answer is not None else ""
