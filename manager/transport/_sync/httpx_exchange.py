# generated from manager/transport/_async/httpx_exchange.py by codegen.sh - do not edit
"""One request and its answer, carried by an httpx transport."""

from __future__ import annotations

import threading
import time
import weakref
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import httpx

from manager.forks import fork_generation, keep
from manager.transport._sync.httpx_body import RequestBody, pieces_of
from manager.transport.content_coding import decoder_for
from manager.transport.deadlines import Limit
from manager.transport.exceptions import (
    ConnectionLost,
    NeverSent,
    TransferTimedOut,
)
from manager.transport.httpx_errors import StepEnded, from_httpx
from manager.transport.httpx_steps_sync import Steps
from manager.waiting_sync import whole_sync

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from manager.transport._sync.httpx_carrier import HttpxCarrier
    from manager.transport._sync.httpx_lease import Lease
    from manager.transport.content_coding import Decoder
    from manager.transport.deadlines import Deadlines
    from manager.transport.httpx_steps_sync import Step

__all__ = ["HttpxExchange"]

T = TypeVar("T")


class HttpxExchange:
    """Has an httpx transport send one request, and reads the answer; anybody may abort it.

    Args:
        carrier: Has the transport.
        method: The method, in capitals.
        url: The whole URL.
        fields: The header fields that do not depend on the body.
    """

    def __init__(
        self, carrier: HttpxCarrier, method: str, url: str, fields: list[tuple[str, str]]
    ) -> None:
        self._carrier = carrier
        self._method = method
        self._url = url
        self._fields = fields
        self._fork = fork_generation()
        self._steps: Steps | None = None
        self._lease: Lease | None = None
        self._deadlines: Deadlines | None = None
        self._response: httpx.Response | None = None
        self._pieces: Iterator[bytes] | None = None
        self._decoder: Decoder | None = None
        self._timeouts: dict[str, float | None] = {}
        # locks that are acquired once and never released: the first to do so decides
        self._fate = threading.Lock()
        self._unanswered = threading.Lock()
        self.status: int = 0
        """The status of the answer."""
        self.headers: Mapping[str, str] = {}
        """The header fields of the answer by lower-case name."""
        self.asked_at: float | None = None
        """When the request had been sent, on the monotonic clock; None while no head is awaited."""
        self.is_read: bool = False
        """Whether the answer has been read to its end."""

    def __del__(self) -> None:
        with suppress(AttributeError):  # __init__ was interrupted
            self.abort()
            self._close_soon()

    @property
    def sent_headers(self) -> Mapping[str, str]:
        """The header fields of the request, for the log."""
        return dict(self._fields)

    def open(self, body: bytes | Iterable[bytes], deadlines: Deadlines) -> None:
        """Send the request and wait for the head of the answer.

        Args:
            body: The body, maybe empty; or its pieces.
            deadlines: How long each step may take.

        Raises:
            TransportError: There is no answer.
        """
        try:
            self._timeouts = {
                "connect": deadlines.connecting(),
                "read": deadlines.answering().seconds(),
                "write": deadlines.sending().seconds(),
                "pool": deadlines.queueing(),
            }
            self._deadlines = deadlines
            self._lease = lease = self._carrier.take(self)
            self._steps = steps = Steps(lease.wire)
            request = self._request(body, steps)
            ask = partial(lease.transport.handle_request, request)

            def open_now() -> None:
                self._response = steps.apart(ask) if lease.is_stock else ask()

            self._step(open_now, Limit(None, deadlines.end))
            self.asked_at = None
            if not self._unanswered.acquire(blocking=False):
                raise ConnectionLost("the request is sent again")
            self._begin_to_read()
        except BaseException:
            self.asked_at = None
            self.release()
            raise

    def _request(self, body: bytes | Iterable[bytes], steps: Steps) -> httpx.Request:
        framing = (
            ("Content-Length", str(len(body)))
            if isinstance(body, bytes)
            else ("Transfer-Encoding", "chunked")
        )
        try:
            url = httpx.URL(self._url)
            if not any(name.lower() == "host" for name, _ in self._fields):
                self._fields = [("Host", url.netloc.decode("ascii")), *self._fields]
            return httpx.Request(
                self._method,
                url,
                headers=[
                    (name.encode("latin-1"), text.encode("latin-1"))
                    for name, text in [*self._fields, framing]
                ],
                stream=RequestBody(body, steps.begin_to_send, weakref.WeakMethod(self._note_sent)),
                extensions={**steps.extensions, "timeout": self._timeouts},
            )
        except Exception as error:
            raise from_httpx(error, has_head=False) from error

    def _begin_to_read(self) -> None:
        response, lease = self._response, self._lease
        if not isinstance(response, httpx.Response):
            raise NeverSent(f"the transport answered with {type(response).__name__}")
        try:
            if lease is not None:
                lease.wire.note(response)
            self.status = response.status_code
            self.headers = dict(response.headers)
            self._carrier.cookies.update(response.headers.get_list("set-cookie"))
            self._pieces = pieces_of(response)
        except Exception as error:
            raise from_httpx(error, has_head=True) from error
        if not response.is_stream_consumed:  # else the transport has decoded it
            self._decoder = decoder_for(self.headers.get("content-encoding"))

    def read(self, limit: Limit) -> bytes | None:
        """Return the next piece of the body, None at its end.

        Raises:
            TransportError: It did not arrive.
        """
        while self._pieces is not None:
            # httpx looks at it when the first piece is asked for
            self._timeouts["read"] = limit.seconds()
            piece = self._step(self._next, limit)
            if piece is None:
                self._pieces = None
                self.is_read = True
                return (self._decoder.finish() or None) if self._decoder is not None else None
            if self._decoder is not None:
                piece = self._decoder.feed(piece)
            if piece:
                return piece
        return None

    def read_all(self, limit: Limit) -> bytes:
        """Return the rest of the body.

        Raises:
            TransportError: It did not arrive in full.
        """
        pieces: list[bytes] = []
        while (piece := self.read(limit)) is not None:
            pieces.append(piece)
        return b"".join(pieces)

    def _next(self) -> bytes | None:
        assert self._pieces is not None
        piece = next(self._pieces, None)
        return None if piece is None else bytes(piece)  # an own transport may yield anything

    def _step(self, step: Step[T], limit: Limit) -> T:
        if self._fork != fork_generation():
            raise ConnectionLost("the connection belongs to the process that was forked")
        try:
            if self._fate.locked() or self._steps is None:
                raise StepEnded
            result = self._steps.run(step, limit)
            if self._fate.locked():
                raise StepEnded
            return result
        except StepEnded:
            self._damage()
            if self._fate.locked():
                raise ConnectionLost("the connection was closed by this program") from None
            raise TransferTimedOut("the time is up") from None
        except Exception as error:
            if self._fate.locked():
                raise ConnectionLost("the connection was closed by this program") from error
            raise from_httpx(error, has_head=self._pieces is not None) from error
        except BaseException:
            self._damage()
            raise

    def _damage(self) -> None:
        if self._lease is not None:
            self._lease.is_damaged = True

    def has_unread(self) -> bool:
        """Whether more has arrived than was read, from any thread; True where it is not known."""
        lease = self._lease
        return lease is None or self._response is None or lease.wire.has_unread()

    def abort(self) -> None:
        """End the exchange, from any thread, unless it was released already."""
        if not self._fate.acquire(blocking=False) or self._fork != fork_generation():
            return
        steps = self._steps
        if steps is None:
            return
        self._damage()
        is_ended = steps.interrupt()
        if not (is_ended and steps.is_busy):  # else the reader wakes up and releases it
            self._close_soon()

    def _close_soon(self) -> None:
        steps, lease, response = self._steps, self._lease, self._response
        if steps is None or lease is None or response is None or self._fork != fork_generation():
            return
        # closing a response does nothing if that was begun and cancelled before
        steps.close_soon(partial(self._carrier.put, lease) if lease.is_stock else response.close)

    def abort_unanswered(self) -> bool:
        """End it if the head of the answer has not arrived; return whether that was so.

        Where a step cannot be interrupted it goes on, and the result is False.
        """
        steps = self._steps
        if steps is None or self.asked_at is None or not steps.can_interrupt:
            return False
        if not self._unanswered.acquire(blocking=False):
            return False
        self.abort()
        return True

    def keep_for_parent(self) -> None:
        """In a forked child: leave the connection to the parent."""
        keep(self)

    def release(self) -> None:
        """Give the connection back, or close it where the answer was not read to its end.

        If cancelled midway, the transport would lose the connection: it is done to the end.
        """
        self._fate.acquire(blocking=False)
        response, self._response = self._response, None
        lease, self._lease = self._lease, None
        steps = self._steps
        if lease is None or steps is None or self._fork != fork_generation():
            return
        if not steps.close_after(partial(self._carrier.put, lease)):
            whole_sync(self._end, response, lease)

    def _end(self, response: httpx.Response | None, lease: Lease) -> None:
        try:
            if response is not None:
                response.close()
        except Exception:  # whatever became of the connection, the answer is done with
            lease.is_damaged = True
        finally:
            self._pieces = None  # an iterator that is dropped earlier would be closed by itself
            self._carrier.put(lease)

    def _note_sent(self) -> None:
        self.asked_at = time.monotonic()
        if self._steps is not None and self._deadlines is not None:
            self._steps.tighten(self._deadlines.answering().seconds())
