"""Asking about a server, or stopping it, without a lease: what a command line needs."""

from __future__ import annotations

from manager.supervisor import failures
from manager.supervisor.finding import look
from manager.supervisor.logfile import log_path, read_tail
from manager.supervisor.settings import connect_host, server_address
from manager.supervisor.states import Ownership, ServerState, Snapshot

__all__ = ["inspect", "read_log", "stop_managed"]

_STATUS_TIMEOUT = 5.0


def inspect(host: str, port: int) -> Snapshot | None:
    """Look at the server of an address. Waits for milliseconds; takes no lease.

    Args:
        host: Where the server listens.
        port: Its port.

    Returns:
        What its supervisor tells, a snapshot of a foreign server that answers, or None.

    Raises:
        ServerUnavailableError: When there is a supervisor that cannot be asked.
    """
    found = look(host, port)
    if found.channel is not None:
        with found.channel as channel:
            answer = channel.request({"op": "status"}, _STATUS_TIMEOUT)
            if answer is None and not channel.ended:
                raise failures.not_answering(server_address(host, port))
        return Snapshot.from_dict(answer["ok"]) if answer and "ok" in answer else None
    if not found.foreign:
        return None
    base_url = f"http://{server_address(connect_host(host), port)}"
    return Snapshot(ServerState.READY, Ownership.FOREIGN, base_url, version=found.version)


def stop_managed(host: str, port: int, timeout: float = 60.0) -> Snapshot | None:
    """Stop the managed server of an address for everybody, and wait until it is gone.

    Args:
        host: Where the server listens.
        port: Its port.
        timeout: Seconds to wait.

    Returns:
        The last snapshot; None when there was none to stop.

    Raises:
        ServerNotOwnedError: When the server there is a foreign one.
        ServerUnavailableError: When it did not go in time.
    """
    address = server_address(host, port)
    found = look(host, port)
    if found.channel is None:
        if found.foreign:
            raise failures.not_owned(address, "stopped", remote=False)
        return None
    with found.channel as channel:
        answer = channel.request({"op": "stop"}, timeout)
        ended = channel.ended
    if answer is not None and "ok" in answer:
        return Snapshot.from_dict(answer["ok"])
    if ended:
        return None
    raise failures.not_stopped(address)


def read_log(host: str, port: int, lines: int = 50, log_dir: str | None = None) -> list[str]:
    """Read the end of a managed server's log, whether it runs or not.

    Args:
        host: Where the server listens.
        port: Its port.
        lines: How many lines at most.
        log_dir: The folder of the log, if it is not the platform's.

    Returns:
        The lines, oldest first.
    """
    seen = inspect(host, port)
    path = seen.log_path if seen is not None else None
    return read_tail(path or log_path(server_address(host, port), log_dir), lines)
