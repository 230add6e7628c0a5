"""Listens, and gives each connection a thread."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
import time
import traceback
from typing import TYPE_CHECKING

from manager.simulator import origins, routes
from manager.simulator.app import App
from manager.simulator.connection import Connection
from manager.simulator.directed import Directed
from manager.simulator.exchange import ApiError, ClientGone, Reply, error_reply
from manager.simulator.go_values import quote, timestamp
from manager.simulator.runner_process import RunnerProcess

if TYPE_CHECKING:
    from collections.abc import Callable

    from manager.simulator.connection import Headers
    from manager.simulator.direction import Director
    from manager.simulator.environment import Settings
    from manager.simulator.exchange import Request, Stream
    from manager.simulator.scheduler import Runner, StartRunner
    from manager.simulator.store import Model

_BACKLOG = 1024
_STATUS_OF_SIGPIPE = 128 + 13


class ListenError(Exception):
    """The address cannot be listened at; the text is Go's."""


def listen(host: str, port: int) -> socket.socket:
    """Bind the address.

    Raises:
        ListenError: It is taken, or not an address of this machine.
    """
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        # Go resolves a name to its first address, and takes no host for all of them. As bytes: a
        # text would load the codec of names in other scripts.
        name = host.encode() if host.isascii() else host
        family, _, _, _, found = socket.getaddrinfo(
            name or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise ListenError(f"listen tcp: lookup {host}: {error.strerror}") from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(found)
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        reasons = {
            errno.EADDRINUSE: "address already in use",
            errno.EADDRNOTAVAIL: "cannot assign requested address",
            errno.EACCES: "permission denied",
        }
        reason = reasons.get(error.errno or 0, error.strerror)
        raise ListenError(f"listen tcp {address}: bind: {reason}") from error
    return sock


def start_process(model: Model, on_exit: Callable[[Runner], None]) -> Runner:
    """Start a child process for a model, as Ollama does."""
    return RunnerProcess(model.blob_name, on_exit)


class Server:
    """A simulated server at a socket.

    Args:
        sock: A listening socket; belongs to the server from now on.
        settings: What the environment asks for.
        log_requests: Whether a line for each request goes to standard output.
        start_runner: Starts the runner of a model.
        director: Decides what becomes of each request.
        crash: Ends the server when the director has it crash; None: `close`.
    """

    def __init__(
        self,
        sock: socket.socket,
        settings: Settings,
        *,
        log_requests: bool = True,
        start_runner: StartRunner = start_process,
        director: Director | None = None,
        crash: Callable[[], None] | None = None,
    ) -> None:
        self.app: App = App(settings, start_runner)
        self._sock = sock
        self._log_requests = log_requests
        self._open: set[socket.socket] = set()
        self._closed = threading.Event()
        name: str = sock.getsockname()[0]
        self._is_local = name.startswith("127.") or name == "::1"
        self._directed = (
            None if director is None else Directed(director, self._closed, crash or self.close)
        )

    @property
    def address(self) -> str:
        """Where it listens: host and port."""
        host, port = self._sock.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def serve_forever(self) -> None:
        """Accept connections until `close`."""
        while not self._closed.is_set():
            try:
                sock, peer = self._sock.accept()
            except OSError:
                if self._closed.is_set():
                    return
                # Out of descriptors, most likely: let some requests end.
                time.sleep(0.01)
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._serve, args=(sock, peer[0]), daemon=True)
            thread.start()

    def close(self) -> None:
        """Cut every connection and end every runner, at once."""
        self._closed.set()
        # connections first: the death of a runner would still be told on them, as a proper end
        for sock in (self._sock, *self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()
        self.app.scheduler.close()

    def answer(self, request: Request) -> tuple[Reply | Stream, Headers]:
        """The answer to a request, and headers to add to it."""
        checked = origins.check(
            request.method, request.headers, self.app.settings.origins, self._is_local
        )
        if isinstance(checked, Reply):
            return checked, ()
        try:
            if self._directed is None:
                return self._handled(request), checked
            return self._directed.answer(request, self._handled), checked
        except ApiError as error:
            return error_reply(error), checked
        except (ClientGone, OSError, EOFError):
            raise
        except Exception:
            log_event(traceback.format_exc(), "ERROR")
            return Reply(500), checked

    def _handled(self, request: Request) -> Reply | Stream:
        handler = routes.find(request.method, request.path)
        return handler if isinstance(handler, Reply) else handler(self.app, request)

    def _serve(self, sock: socket.socket, peer: str) -> None:
        def log(method: str, path: str, status: int, seconds: float) -> None:
            if self._log_requests:
                log_request(peer, method, path, status, seconds)

        self._open.add(sock)
        if self._closed.is_set():
            # Accepted just before the end, and too late to be cut with the others.
            sock.close()
        try:
            Connection(sock, self.answer, log).serve()
        finally:
            self._open.discard(sock)


def log_request(peer: str, method: str, path: str, status: int, seconds: float) -> None:
    """One line on standard output for a request, in the manner of Ollama's web framework."""
    moment = time.strftime("%Y/%m/%d - %H:%M:%S")
    times = f"{moment} | {status} | {seconds * 1e3:10.3f}ms"
    _write(1, f'[SIM] {times} | {peer:>15} | {method:<8} "{path}"\n')


def log_event(message: str, level: str = "INFO") -> None:
    """One line on standard error, in Ollama's form."""
    _write(2, f"time={timestamp()} level={level} source=simulator msg={quote(message)}\n")


def _write(descriptor: int, text: str) -> None:
    # One write a line: lines of different threads do not mix.
    try:
        os.write(descriptor, text.encode("utf-8", "replace"))
    except BrokenPipeError:
        # Ollama dies of SIGPIPE when nobody reads its output any more.
        os._exit(_STATUS_OF_SIGPIPE)
    except OSError:
        pass
