"""Why a server process ended, in words: from its exit code and the end of its log."""

from __future__ import annotations

from signal import Signals

from manager.supervisor.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

__all__ = ["Cause", "describe", "explain_exit"]

_LOG_LINES = 20


class Cause(Record):
    """Why a server ended.

    Args:
        code: A stable identifier.
        message: The cause in words.
        hint: What to do about it.
        permanent: Whether starting it again cannot help.
    """

    code: str
    message: str
    hint: str | None = None
    permanent: bool = False


# Words in the end of the log, in lower case: the first row that fits wins.
_KNOWN: tuple[tuple[str, Cause], ...] = (
    (
        "address already in use",
        Cause("port_in_use", "its port is taken", "Free the port or choose another `host`.", True),
    ),
    (
        "$home is not defined",
        Cause("home_not_set", "HOME is not set", "Set HOME, or OLLAMA_MODELS, for it.", True),
    ),
    (
        "permission denied",
        Cause(
            "permission_denied",
            "it may not use a file or folder that it needs",
            "Look at the path in the log: is OLLAMA_MODELS yours to read and write?",
            True,
        ),
    ),
    (
        "ensure path elements are traversable",
        Cause(
            "models_unreadable",
            "its models folder cannot be used",
            "Check OLLAMA_MODELS and the rights of that folder.",
            True,
        ),
    ),
    (
        "not a directory",
        Cause("models_unreadable", "its models folder is no folder", "Check OLLAMA_MODELS.", True),
    ),
    (
        "no space left on device",
        Cause("disk_full", "the disk is full", "Free some space.", True),
    ),
    (
        "unknown command",
        Cause("not_ollama", "the program does not know `serve`", "Check `binary`.", True),
    ),
)


def explain_exit(exit_code: int, log: Sequence[str]) -> Cause:
    """Say why a server ended.

    Args:
        exit_code: Its exit code; negative: the signal that ended it.
        log: The last lines that it wrote.

    Returns:
        The cause.
    """
    if exit_code < 0:
        return Cause("killed", f"it was ended by {_signal_name(-exit_code)}")
    # Other lines may speak of refused permissions without being the reason for the exit.
    last_words = [line for line in log if line.lower().startswith(("error", "panic"))]
    text = "\n".join(last_words or log[-3:]).lower()
    for words, cause in _KNOWN:
        if exit_code and words in text:
            return cause
    return Cause("exited", f"it exited with code {exit_code}")


def describe(
    cause: Cause, *, started: bool, exit_code: int | None, log: Sequence[str]
) -> dict[str, Any]:
    """Describe a failure, in the form of ``OllamaManagerError.to_dict``.

    Args:
        cause: Why.
        started: Whether the server had been ready before.
        exit_code: How the process ended, if it did.
        log: The last lines that it wrote.

    Returns:
        A ``ServerCrashedError`` or a ``ServerStartError``, as data.
    """
    verb = "crashed" if started else "did not start"
    error: dict[str, Any] = {
        "error": "ServerCrashedError" if started else "ServerStartError",
        "code": "port_in_use" if cause.code == "port_in_use" else None,
        "message": f"the Ollama server {verb}: {cause.message}",
        "hint": cause.hint,
        "cause": cause.code,
        "exit_code": exit_code,
        "log": list(log[-_LOG_LINES:]) or None,
    }
    return {key: value for key, value in error.items() if value is not None}


def _signal_name(number: int) -> str:
    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"
