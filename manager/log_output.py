"""Where log records go: the program's own logging, a file, or standard error."""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

from manager.errors import ConfigError, InvalidRequestError
from manager.spelling import did_you_mean, shown

if TYPE_CHECKING:
    from manager.config import LoggingConfig, Verbosity

__all__ = ["LEVELS", "JsonLinesFormatter", "check_level", "configure_logging"]

LEVELS: Final[tuple[Verbosity, ...]] = ("off", "errors", "calls", "headers", "bodies")

_package = logging.getLogger("ollama_manager")
_package.addHandler(logging.NullHandler())

_TEXT_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def check_level(level: object) -> Verbosity:
    """Return a verbosity that a caller gave.

    Raises:
        InvalidRequestError: It is none.
    """
    if isinstance(level, str) and level in LEVELS:
        return level
    words = ", ".join(f'"{word}"' for word in LEVELS)
    raise InvalidRequestError(
        f"level must be one of {words}, got {shown(level)}",
        argument="level",
        hint=did_you_mean(level, LEVELS) if isinstance(level, str) else None,
    )


class JsonLinesFormatter(logging.Formatter):
    """One JSON object a line, of any record; those of calls carry their facts as fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        data: dict[str, Any] = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}",
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        call = getattr(record, "ollama_call", None)
        if isinstance(call, dict):
            data |= cast("dict[str, Any]", call)
        else:
            data["message"] = record.getMessage()
        if record.exc_info:
            data["exception"] = self.formatException(record.exc_info)
        return json.dumps(data, default=str)


def configure_logging(config: LoggingConfig, previous: LoggingConfig | None = None) -> None:
    """Put the ``[logging]`` table into force for the process.

    Without ``file`` and ``json`` the records go where the program's own logging sends them, and
    to standard error where it sends them nowhere and the level is ``calls`` or more. What one
    manager asks for holds for all of the process; one that asks for nothing changes nothing.

    Args:
        config: The table. How much a manager logs is up to its :class:`CallLog`.
        previous: The table that this one replaces: what only it asked for ends.

    Raises:
        ConfigError: The file cannot be written.
    """
    if LEVELS.index(config.level) >= LEVELS.index("calls") and _package.level == logging.NOTSET:
        # A level that the program has set itself is respected.
        _package.setLevel(logging.INFO)
    wanted = _sink(config)
    current = next((h for h in _package.handlers if isinstance(h, _Sink)), None)
    if wanted is None and (previous is None or current is None or current.sink != _sink(previous)):
        return
    if current is not None and current.sink == wanted:
        return
    if wanted is not None:
        _package.addHandler(_Sink(wanted))
    if current is not None:
        _package.removeHandler(current)
        current.close()


def _sink(config: LoggingConfig) -> tuple[str | None, bool] | None:
    """Return the file and whether it is JSON, or None where no handler of our own is needed."""
    is_loud = LEVELS.index(config.level) >= LEVELS.index("calls")
    is_named = config.level != "off" and (config.file is not None or config.json)
    return (config.file, config.json) if is_loud or is_named else None


class _Sink(logging.Handler):
    """The one handler of our own: a file, or standard error.

    On standard error, lines that are not JSON are left to the program's own handlers if it has
    any, so that nothing is shown twice.
    """

    def __init__(self, sink: tuple[str | None, bool]) -> None:
        super().__init__()
        self.sink = sink
        path, is_json = sink
        self._is_fallback = path is None and not is_json
        self._stream = None if path is None else _open_for_owner(path)
        self.setFormatter(JsonLinesFormatter() if is_json else logging.Formatter(_TEXT_FORMAT))

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        if self._is_fallback and _is_handled_by_program():
            return
        try:
            stream = self._stream or sys.stderr
            stream.write(self.format(record) + "\n")
            stream.flush()
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        """Close the file."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
        super().close()


def _is_handled_by_program() -> bool:
    handlers = _package.handlers + (logging.getLogger().handlers if _package.propagate else [])
    return any(not isinstance(handler, _Sink | logging.NullHandler) for handler in handlers)


def _open_for_owner(path: str) -> TextIO:
    """Open a file that only its owner can read: bodies hold what people ask models."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise ConfigError(
            f"logging.file {path} cannot be written: {error.strerror}",
            hint="name a file in a folder that exists and that you may write to",
            key="logging.file",
        ) from error
    return open(descriptor, "a", encoding="utf-8", errors="backslashreplace")
