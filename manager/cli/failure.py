"""How a failure is told: one line, a hint, no traceback; or JSON for a script."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from rich.text import Text

from manager.cli.terminal import write_json
from manager.errors import ModelNotFoundError, RequestTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from manager.cli.terminal import Terminal
    from manager.errors import OllamaManagerError

__all__ = ["report_error", "report_unexpected", "report_usage"]

_LOG_LINES = 12

logger: logging.Logger = logging.getLogger("ollama_manager.cli")


def report_error(error: OllamaManagerError, terminal: Terminal, *, as_json: bool) -> None:
    """Say what went wrong and what to do about it, on standard error.

    Args:
        error: What went wrong.
        terminal: Where to say it.
        as_json: One line of ``error.to_dict()`` instead.
    """
    for cause in _causes(error):
        logger.debug("caused by %s: %s", type(cause).__name__, cause)
    if as_json:
        write_json(error.to_dict(), sys.stderr)
        return
    _print(terminal, error.message, _hint(error))
    for line in _log_lines(error):
        terminal.err.print(Text(f"  | {line}", style="dim"))


def report_usage(message: str, hint: str | None, terminal: Terminal, *, as_json: bool) -> None:
    """Say what was wrong with the command itself."""
    if as_json:
        data = {"error": "UsageError", "code": "usage", "message": message, "hint": hint}
        write_json(data, sys.stderr)
    else:
        _print(terminal, message, hint)


def report_unexpected(error: Exception, terminal: Terminal, *, as_json: bool) -> None:
    """Say that this program itself is at fault; the traceback goes to the log alone."""
    logger.debug("an unexpected error", exc_info=error)
    message = f"unexpected {type(error).__name__}: {error}"
    hint = "this is a mistake in ollama-manager; -v shows where it is"
    if as_json:
        data = {"error": type(error).__name__, "code": "internal", "message": message, "hint": hint}
        write_json(data, sys.stderr)
    else:
        _print(terminal, message, hint)


def _hint(error: OllamaManagerError) -> str | None:
    """The hint in terms of the command line, where the error speaks of Python."""
    if isinstance(error, ModelNotFoundError) and error.model is not None:
        near: list[str] = error.details.get("suggestions") or []
        asked = f"did you mean {' or '.join(near)}? " if near else ""
        if "suggestions" in error.details:
            return f"{asked}`ollama-manager pull {error.model}` gets it, `list` shows what is there"
    if isinstance(error, RequestTimeoutError):
        which = error.details.get("timeout")
        return f"allow more with --timeout, or {which}_timeout under [client]" if which else None
    return error.hint


def _print(terminal: Terminal, message: str, hint: str | None) -> None:
    line = Text()
    line.append("error: ", style="bold red")
    line.append(" ".join(message.split()), style="red")
    terminal.err.print(line)
    if hint:
        terminal.err.print(Text(f"hint: {hint}", style="dim"))


def _log_lines(error: OllamaManagerError) -> list[str]:
    """The end of the server's log, where the error carries it."""
    log: object = error.details.get("log")
    lines = log.splitlines() if isinstance(log, str) else log
    if not isinstance(lines, list):
        return []
    return [str(line) for line in lines[-_LOG_LINES:]]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause = error.__cause__ or error.__context__
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__
