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
_NOT_OLLAMA = "Check `binary`: is it Ollama?"


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


_MODELS = "Check OLLAMA_MODELS (else HOME) and the rights of that folder."
_HOST = "Check `host`."

# Words in the end of the log, in lower case: the first row of which all fit wins.
_KNOWN: tuple[tuple[tuple[str, ...], Cause], ...] = (
    (
        ("address already in use",),
        # Not permanent: what took it may be an Ollama, or gone again.
        Cause("port_in_use", "its port is taken", "Free the port or choose another `host`."),
    ),
    (
        ("bind: permission denied",),
        Cause(
            "port_forbidden",
            "it may not listen at its port",
            "Choose a port above 1023 in `host`.",
            permanent=True,
        ),
    ),
    (
        ("cannot assign requested address",),
        Cause("bad_host", "its address is none of this machine's", _HOST, permanent=True),
    ),
    (
        ("listen tcp: lookup",),
        Cause("bad_host", "the name of its host cannot be looked up", _HOST, permanent=True),
    ),
    (
        ("$home is not defined",),
        Cause("home_not_set", "HOME is not set", "Set HOME, or OLLAMA_MODELS, for it.", True),
    ),
    (
        ("panic: bad origin",),
        Cause("bad_setting", "OLLAMA_ORIGINS is not valid", "See the panic in its log.", True),
    ),
    (
        ("panic: only one * is allowed",),
        Cause("bad_setting", "OLLAMA_ORIGINS is not valid", "One `*` per origin.", True),
    ),
    (
        ("no space left on device",),
        Cause("disk_full", "the disk is full", "Free some space.", True),
    ),
    (
        ("could not create directory",),
        Cause(
            "home_unwritable",
            "its key cannot be written to the home folder",
            "Check HOME and the rights of that folder.",
            True,
        ),
    ),
    (
        ("ensure path elements are traversable",),
        Cause("models_unreadable", "its models folder cannot be used", _MODELS, True),
    ),
    (
        ("not a directory",),
        Cause("models_unreadable", "its models folder is no folder", _MODELS, True),
    ),
    (
        ("permission denied",),
        Cause(
            "permission_denied",
            "it may not use a file or folder that it needs",
            "Look at the path in the log: is OLLAMA_MODELS yours to read and write?",
            True,
        ),
    ),
    (
        ("netpollinit failed",),
        Cause("too_few_files", "it may open too few files", "Raise `ulimit -n`.", True),
    ),
    (
        ("memory", "fatal error"),
        Cause("out_of_memory", "it did not get the memory that it needs", "See `ulimit -v`."),
    ),
    (
        ("unknown command",),
        Cause("not_ollama", "the program does not know `serve`", "Check `binary`.", True),
    ),
    (
        ("serve", "no such file"),  # what ls, cat and interpreters say
        Cause("not_ollama", "the program does not know `serve`", "Check `binary`.", True),
    ),
)
_LAST_WORDS = ("error", "panic", "fatal error", "runtime: ")
_PANICS = ("panic: ", "fatal error: ")
_SIGNAL_HINTS = {
    "SIGKILL": "If nobody did, the system was short of memory: see the kernel's log (dmesg).",
    "SIGILL": "Is the program made for this processor?",
}
_QUOTE = 200


def explain_exit(exit_code: int, log: Sequence[str], *, ready: bool = False) -> Cause:
    """Say why a server ended.

    Args:
        exit_code: Its exit code; negative: the signal that ended it.
        log: The last lines that it wrote.
        ready: Whether it had answered before.

    Returns:
        The cause.
    """
    if exit_code < 0:
        name = _signal_name(-exit_code)
        return Cause("killed", f"it was ended by {name}", _SIGNAL_HINTS.get(name))
    if exit_code == 0:
        how = "as if it had been told to" if ready else "before it had answered"
        return Cause("ended", f"it ended with exit code 0, {how}", None if ready else _NOT_OLLAMA)
    # Other lines may speak of refused permissions without being the reason for the exit.
    last_words = [line for line in log if line.lower().startswith(_LAST_WORDS)]
    text = "\n".join(last_words or log[-3:]).lower()
    for words, cause in _KNOWN:
        if all(word in text for word in words):
            return cause
    said = next((line.strip() for line in last_words or reversed(log) if line.strip()), "")
    reason = f": {said.removeprefix('Error: ')[:_QUOTE]}" if said else ""
    hint = None if last_words or ready else _NOT_OLLAMA
    return Cause("exited", f"it exited with code {exit_code}{reason}", hint)


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
    # That somebody took the port of a server that is gone is no crash.
    crashed = started and cause.code != "port_in_use"
    verb = "crashed" if crashed else "did not start"
    error: dict[str, Any] = {
        "error": "ServerCrashedError" if crashed else "ServerStartError",
        "code": "port_in_use" if cause.code == "port_in_use" else None,
        "message": f"the Ollama server {verb}: {cause.message}",
        "hint": cause.hint,
        "cause": cause.code,
        "exit_code": exit_code,
        "log": _excerpt(log) or None,
    }
    return {key: value for key, value in error.items() if value is not None}


def _excerpt(log: Sequence[str]) -> list[str]:
    """The last lines, or those from a panic on: what all threads did is the long rest."""
    for number, line in enumerate(log):
        if line.startswith(_PANICS):
            return list(log[number : number + _LOG_LINES])
    return list(log[-_LOG_LINES:])


def _signal_name(number: int) -> str:
    try:
        return Signals(number).name
    except ValueError:
        return f"signal {number}"
