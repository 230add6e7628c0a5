"""A director in another process: each request is told to it, and its plan awaited.

Messages are JSON over a connection that both sides authenticate, one connection a request, so
that requests do not wait for one another.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener
from typing import TYPE_CHECKING

from manager.simulator.direction import Plan, Scripted, Told
from manager.simulator.exchange import ApiError

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from manager.simulator.direction import Director

_BACKLOG = 128
_LONGEST_WAIT = 2.0


class RemoteDirector:
    """Asks the director at the other end.

    Args:
        address: What `DirectorListener.address` gives: port and key.
    """

    def __init__(self, address: str) -> None:
        port, _, key = address.partition(":")
        self._address = ("127.0.0.1", int(port))
        self._key = bytes.fromhex(key)

    def direct(self, told: Told) -> Plan:
        """Decide what becomes of a request.

        Raises:
            ApiError: 500, nobody is there to decide.
        """
        try:
            with Client(self._address, authkey=self._key) as connection:
                connection.send_bytes(_packed(told))
                return _plan(connection.recv_bytes())
        except (OSError, EOFError, AuthenticationError) as error:
            raise ApiError(500, f"the test that directs this server is gone: {error!r}") from error


class DirectorListener:
    """Lets simulators in other processes ask a director of this one.

    Args:
        director: Is asked from a thread for each request.
    """

    def __init__(self, director: Director) -> None:
        import secrets

        self._director = director
        key = secrets.token_bytes(16)
        self._listener = Listener(("127.0.0.1", 0), backlog=_BACKLOG, authkey=key)
        self._port = int(self._listener.address[1])
        self.address: str = f"{self._port}:{key.hex()}"
        """What the simulator is given as ``OLLAMA_SIMULATOR_DIRECTOR``."""
        self._closed = False
        self._serving: set[threading.Thread] = set()
        self._thread = threading.Thread(target=self._accept, name="director", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no longer; what has been asked is decided first, within two seconds."""
        due = time.monotonic() + _LONGEST_WAIT
        self._closed = True
        # Closing alone does not wake a thread that accepts; nor may this wait for its answer, as
        # it may have noticed already.
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self._port), timeout=_LONGEST_WAIT).close()
        self._thread.join(_LONGEST_WAIT)
        self._listener.close()
        for thread in self._serving - {threading.current_thread()}:
            thread.join(max(0.0, due - time.monotonic()))

    def _accept(self) -> None:
        while not self._closed:
            try:
                connection = self._listener.accept()
            except (OSError, EOFError, AuthenticationError):
                continue
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._serving.add(thread)
            thread.start()

    def _serve(self, connection: Connection) -> None:
        try:
            self._answer(connection)
        finally:
            self._serving.discard(threading.current_thread())

    def _answer(self, connection: Connection) -> None:
        with contextlib.suppress(OSError, EOFError), connection:
            told = _told(connection.recv_bytes())
            try:
                answer = _packed_plan(self._director.direct(told))
            except ApiError as error:
                plan = Plan(ending="error", status=error.status, message=error.message)
                answer = _packed_plan(plan)
            connection.send_bytes(answer)


def _packed(told: Told) -> bytes:
    head = json.dumps([told.method, told.path, dict(told.headers)]).encode()
    return head + b"\n" + told.body


def _told(data: bytes) -> Told:
    head, _, body = data.partition(b"\n")
    method, path, headers = json.loads(head)
    return Told(method, path, headers, body)


def _packed_plan(plan: Plan) -> bytes:
    return json.dumps(plan).encode()


def _plan(data: bytes) -> Plan:
    *fields, scripted = json.loads(data)
    plan = Plan._make([*fields, None])
    if scripted is None:
        return plan
    pieces, thinking, calls, reason = scripted
    tool_calls = tuple((name, arguments) for name, arguments in calls)
    return plan._replace(scripted=Scripted(tuple(pieces), thinking, tool_calls, reason))
