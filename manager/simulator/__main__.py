"""The simulator as a program that stands in for ``ollama``: ``serve``, ``--version``."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from manager.simulator.direction import Director

_USAGE = """\
A simulated Ollama: it answers the REST API, but runs no model.

Usage:
  python -m manager.simulator serve      Start the server at OLLAMA_HOST
  python -m manager.simulator --version  Show the version

Environment:
  OLLAMA_HOST, OLLAMA_KEEP_ALIVE, OLLAMA_LOAD_TIMEOUT, OLLAMA_MAX_QUEUE, OLLAMA_NUM_PARALLEL,
  OLLAMA_MAX_LOADED_MODELS, OLLAMA_CONTEXT_LENGTH, OLLAMA_NO_CLOUD, OLLAMA_ORIGINS: as Ollama has
  them; OLLAMA_SIMULATOR_MODELS, _TOKEN_SECONDS, _LOAD_SECONDS, _PULL_SECONDS, _ORPHAN_SECONDS,
  _USER, _TETHER, _DIRECTOR: see manager.simulator.environment
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        arguments: The command line without the program's name; that of the process if None.

    Returns:
        The exit status: 0, or 1 if it cannot be done.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    command = words[0] if words else "help"
    if {"--help", "-h"} & set(words):
        command = "help"
    match command:
        case "serve" | "start":
            return serve()
        case "runner":
            # What the server starts for each loaded model.
            from manager.simulator.runner import main as run

            return run()
        case "--version" | "-v" | "version":
            return show_version()
        case "help" | "--help" | "-h":
            print(_USAGE, end="")  # noqa: T201
            return 0
        case _:
            print(f'Error: unknown command "{command}" for "ollama"', file=sys.stderr)  # noqa: T201
            return 1


def serve() -> int:
    """Serve until a signal comes; returns only if that cannot be done."""
    from manager.simulator import environment
    from manager.simulator.account import VERSION
    from manager.simulator.server import ListenError, Server, listen, log_event

    settings = environment.read(os.environ)
    try:
        sock = listen(settings.host, settings.port)
    except ListenError as error:
        print(f"Error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    server = Server(sock, settings, director=_director(settings.director), crash=_crash)
    end = _watch_for_the_end(settings.tether)
    # as Ollama does, before anything is answered
    log_event("this is a simulated Ollama: no model is run", "WARN")
    log_event(f"Listening on {server.address} (version {VERSION})")
    threading.Thread(target=server.serve_forever, name="accept", daemon=True).start()
    end.recv(1)
    # Streams are cut, not drained: Ollama does the same.
    server.close()
    os._exit(0)


def _director(address: str) -> Director | None:
    if not address:
        return None
    from manager.simulator.remote_direction import RemoteDirector

    return RemoteDirector(address)


def _crash() -> None:
    """Die as of a fault: no clean-up, and the runners outlive it."""
    os.kill(os.getpid(), signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)


def show_version() -> int:
    """Print the version of the server that runs, or of this program."""
    from manager.simulator.account import VERSION

    running = _running_version()
    if running is None:
        print("Warning: could not connect to a running Ollama instance")  # noqa: T201
    else:
        print(f"ollama version is {running}")  # noqa: T201
    if running != VERSION:
        print(f"Warning: client version is {VERSION}")  # noqa: T201
    return 0


def _running_version() -> str | None:
    import http.client
    import json

    from manager.simulator import environment

    settings = environment.read(os.environ)
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    connection = http.client.HTTPConnection(host, settings.port, timeout=2)
    try:
        connection.request("GET", "/api/version")
        return str(json.loads(connection.getresponse().read())["version"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()


def _watch_for_the_end(tether: bool) -> socket.socket:
    """A socket at which a byte arrives when it is time to leave."""
    # A handler alone would not do: a signal just before a blocking call would go unnoticed.
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    if tether:
        threading.Thread(target=_wait_for_end_of_input, args=(writer,), daemon=True).start()
    else:
        writer.detach()  # Stays open as long as the process.
    return reader


def _wait_for_end_of_input(writer: socket.socket) -> None:
    while os.read(0, 4096):
        pass
    writer.send(b"\0")


if __name__ == "__main__":
    sys.exit(main())
