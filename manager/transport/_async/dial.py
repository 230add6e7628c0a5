"""From a host and a port to a connected TCP socket, in time; on an asyncio event loop."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from manager.transport.addresses import ConnectRace
from manager.transport.destination import Destination, Failure
from manager.transport.lookup import known_addresses, look_up
from manager.transport.sockets import begin_connect, finish_connect, new_socket

if TYPE_CHECKING:
    import socket

    from manager.transport.addresses import Address

__all__ = ["dial_async"]


async def dial_async(host: str, port: int, seconds: float | None) -> socket.socket:
    """Return a non-blocking socket that is connected to a server.

    Cancelling it leaves nothing behind but the thread of a name lookup under way.

    Args:
        host: A name or an IP address, without brackets.
        port: 1 to 65535.
        seconds: The limit for the name lookup and all attempts together; None for no limit.

    Raises:
        ConnectFailed: The name cannot be resolved, or no address accepts a connection.
        ConnectTimedOut: The limit passed.
    """
    destination = Destination(host, port, seconds)
    if seconds is not None and seconds <= 0:
        raise destination.timed_out()
    addresses = known_addresses(host, port)
    if addresses is not None and len(addresses) == 1:
        return await _dial_one(destination, addresses[0])
    try:
        async with asyncio.timeout(seconds):
            if addresses is None:
                addresses = await _look_up(destination)
            return await _Attempts(destination, addresses).run()
    except TimeoutError:
        if addresses is None:
            raise destination.not_resolved_in_time() from None
        raise destination.timed_out() from None


async def _look_up(destination: Destination) -> list[Address]:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle() -> None:
        if not done.done():
            done.set_result(None)

    def wake() -> None:
        loop.call_soon_threadsafe(settle)

    lookup = look_up(destination.host, destination.port)
    try:
        lookup.add_waker(wake)
        await done
    finally:
        lookup.remove_waker(wake)
    return lookup.addresses(destination)


async def _dial_one(destination: Destination, address: Address) -> socket.socket:
    """Connect to the only address: without a task, and over loopback without waiting."""
    sock: socket.socket | None = None
    try:
        sock = new_socket(address)
        if not _begin(sock, address):
            async with asyncio.timeout(destination.seconds):
                await _connect(sock, address)
        finish_connect(sock, address.sockaddr)
        return sock
    except BaseException as error:
        if sock is not None:
            sock.close()
        if isinstance(error, TimeoutError) and error.errno is None:  # the limit, not the system's
            raise destination.timed_out() from None
        if isinstance(error, OSError):
            raise destination.failed([Failure(address, error)]) from error
        raise


def _begin(sock: socket.socket, address: Address) -> bool:
    """Set a socket to non-blocking and connect it, where that needs no waiting; raises OSError."""
    sock.setblocking(False)
    # Elsewhere an event loop may not take a socket that has begun to connect.
    return sys.platform == "linux" and begin_connect(sock, address.sockaddr)


async def _connect(sock: socket.socket, address: Address) -> None:
    await asyncio.get_running_loop().sock_connect(sock, address.sockaddr)


class _Attempts:
    """The attempts of one dial, each a task that connects a socket.

    Args:
        destination: What is dialed.
        addresses: In the order in which they are to be tried.
    """

    def __init__(self, destination: Destination, addresses: list[Address]) -> None:
        self._destination = destination
        self._race = ConnectRace(addresses)
        self._sockets: list[socket.socket] = []
        self._pending: dict[asyncio.Task[None], tuple[socket.socket, Address]] = {}
        self._failures: list[Failure] = []

    async def run(self) -> socket.socket:
        """Return the socket that connects first; the others are closed, whatever happens."""
        winner: socket.socket | None = None
        try:
            winner = await self._winner()
            await self._end_tasks()
            return winner
        except BaseException as error:
            winner = None
            if not isinstance(error, GeneratorExit):  # then nothing can be waited for
                await self._end_tasks()
            raise
        finally:
            for sock in self._sockets:
                if sock is not winner:
                    sock.close()

    async def _winner(self) -> socket.socket:
        clock = asyncio.get_running_loop().time
        while not self._race.is_lost:
            now = clock()
            address = self._race.due(now)
            if address is None:
                winner = await self._wait(self._race.seconds_to_next(now))
            else:
                self._race.started(now)
                winner = self._start(address)
            if winner is not None:
                return winner
        raise self._destination.failed(self._failures)

    def _start(self, address: Address) -> socket.socket | None:
        try:
            sock = new_socket(address)
            self._sockets.append(sock)
            is_connected = _begin(sock, address)
        except OSError as error:
            self._failed(address, error)
            return None
        if is_connected:
            return self._finish(sock, address)
        task = asyncio.get_running_loop().create_task(_connect(sock, address))
        self._pending[task] = sock, address
        return None

    async def _wait(self, seconds: float | None) -> socket.socket | None:
        done, _ = await asyncio.wait(
            self._pending, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        for task in done:
            sock, address = self._pending.pop(task)
            winner = self._finish(sock, address, task)
            if winner is not None:
                return winner
        return None

    def _finish(
        self, sock: socket.socket, address: Address, task: asyncio.Task[None] | None = None
    ) -> socket.socket | None:
        try:
            if task is not None:
                task.result()
            finish_connect(sock, address.sockaddr)
        except OSError as error:
            self._failed(address, error)
            return None
        self._race.connected()
        return sock

    def _failed(self, address: Address, error: OSError) -> None:
        self._race.failed()
        # Without its traceback, which would keep this object in a cycle.
        self._failures.append(Failure(address, error.with_traceback(None)))

    async def _end_tasks(self) -> None:
        """Cancel the attempts under way and wait until they have ended, which is at once.

        An event loop lets go of a socket when the task has ended; only then may it be closed.
        """
        cancelled: asyncio.CancelledError | None = None
        for task in self._pending:
            task.cancel()
        while any(not task.done() for task in self._pending):
            try:
                await asyncio.wait(self._pending)
            except asyncio.CancelledError as error:
                cancelled = error
        for task in self._pending:
            if not task.cancelled():
                task.exception()  # or the event loop complains that nobody has looked at it
        self._pending.clear()
        if cancelled is not None:
            raise cancelled
