"""What the program ends with: one table from errors to exit codes."""

from __future__ import annotations

from enum import IntEnum

from manager.errors import (
    BadRequestError,
    ConfigError,
    InvalidRequestError,
    ModelNotFoundError,
    OllamaManagerError,
    RequestTimeoutError,
    ServerCrashedError,
    ServerNotFoundError,
    ServerStartError,
    ServerUnavailableError,
)

__all__ = ["MEANINGS", "ExitCode", "exit_code"]


class ExitCode(IntEnum):
    """What a script can tell apart."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NO_SERVER = 3
    NO_MODEL = 4
    TIMEOUT = 5
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.OK: "done",
    ExitCode.FAILURE: "failed otherwise",
    ExitCode.USAGE: "wrong usage, request or configuration",
    ExitCode.NO_SERVER: "no server: none there, it cannot be started or reached",
    ExitCode.NO_MODEL: "the model is not there",
    ExitCode.TIMEOUT: "a timeout passed",
    ExitCode.INTERRUPTED: "interrupted (Ctrl-C)",
}

_CODES: dict[type[OllamaManagerError], ExitCode] = {
    OllamaManagerError: ExitCode.FAILURE,
    ConfigError: ExitCode.USAGE,
    InvalidRequestError: ExitCode.USAGE,
    BadRequestError: ExitCode.USAGE,
    ServerNotFoundError: ExitCode.NO_SERVER,
    ServerStartError: ExitCode.NO_SERVER,
    ServerCrashedError: ExitCode.NO_SERVER,
    ServerUnavailableError: ExitCode.NO_SERVER,
    ModelNotFoundError: ExitCode.NO_MODEL,
    RequestTimeoutError: ExitCode.TIMEOUT,
}


def exit_code(error: BaseException) -> ExitCode:
    """Return the code for an error: that of the nearest of its classes in the table.

    Args:
        error: What ended the command.
    """
    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    if isinstance(error, OllamaManagerError):
        for kind in type(error).__mro__:
            if kind in _CODES:
                return _CODES[kind]
    return ExitCode.FAILURE
