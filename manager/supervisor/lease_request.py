"""What a manager asks for with a lease, and the ways to say no."""

from __future__ import annotations

from manager.supervisor import wire_values as wire
from manager.supervisor.records import Record
from manager.supervisor.settings import ServerSettings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Self

__all__ = ["CLOSED", "STOPPED", "Change", "LeaseRequest", "conflict", "unknown"]


class Change(Record):
    """How settings that are other ones than before are put in force.

    Args:
        drain: Whether requests in flight come first.
        again: Whether what did not start the last time is tried once more.
    """

    drain: bool = True
    again: bool = False


class LeaseRequest(Record):
    """A wish for a ready server.

    Args:
        settings: What was set explicitly, and how long to wait for what.
        command: The words that start the server, found by the manager; empty: it found none.
        mode: ``join``, ``rejoin`` (a request was just lost: is it really ready?), ``start`` (also
            after a crash loop) or ``restart``.
        change: Set where the settings of a lease are other ones from now on: they are tried, and
            the old ones are restored where no server comes up with them.
    """

    settings: ServerSettings
    command: tuple[str, ...]
    mode: str
    change: Change | None = None

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Self:
        """Read the request from the wire.

        Args:
            message: The ``lease`` message.

        Returns:
            The request.

        Raises:
            BadMessageError: It makes no sense.
        """
        settings = ServerSettings.from_dict(
            wire.mapping(message.get("settings", {}), wire.anything)
        )
        change = message.get("change")
        return cls(
            settings,
            wire.words(message.get("command") or ()),
            wire.text(message.get("mode", "join")),
            None if change is None else _change(change),
        )


def _change(value: Any) -> Change:
    flags = {"drain": wire.flag, "again": wire.flag}
    return Change(**wire.known(wire.mapping(value, wire.anything), flags))


def conflict(address: str, other: list[str]) -> Mapping[str, Any]:
    """Other managers use the server with other settings.

    Args:
        address: The server's address.
        other: The names of the settings that differ.

    Returns:
        The error, for the wire.
    """
    return {
        "error": "ConfigError",
        "code": "settings_conflict",
        "message": (
            f"the Ollama server at {address} runs with other settings than asked for: "
            f"{', '.join(other)}"
        ),
        "hint": "Use the same settings in all managers, another `host`, or stop the server first.",
        "difference": other,
    }


def unknown(operation: object) -> Mapping[str, Any]:
    """A newer manager asked for what this supervisor cannot do.

    Args:
        operation: What it asked for.

    Returns:
        The error, for the wire.
    """
    return {
        "error": "ServerUnavailableError",
        "code": "unknown_operation",
        "message": f"the supervisor does not know the operation {operation!r}",
    }


STOPPED: Mapping[str, Any] = {
    "error": "ServerUnavailableError",
    "code": "server_stopped",
    "message": "the Ollama server was stopped on purpose while it was being started",
    "hint": "Call start_server() to start it again.",
    "retryable": False,
}
CLOSED: Mapping[str, Any] = {
    "error": "ServerUnavailableError",
    "code": "manager_closed",
    "message": "the manager was closed while the Ollama server was being started",
    "retryable": False,
}
