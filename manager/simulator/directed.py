"""Carries out what a director has decided about a request: waits, errors, cuts, crashes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from manager.simulator.direction import UPLOADS, Told
from manager.simulator.exchange import ApiError, ClientGone, Stream

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator

    from manager.simulator.direction import Director, Plan
    from manager.simulator.exchange import Reply, Request

_GLANCE = 0.05


class Directed:
    """Puts a director before whatever answers the requests.

    Args:
        director: Decides.
        closed: Set when the server is closed: nobody waits any longer.
        crash: Ends the server on the spot.
    """

    def __init__(
        self, director: Director, closed: threading.Event, crash: Callable[[], None]
    ) -> None:
        self._director = director
        self._closed = closed
        self._crash = crash

    def answer(
        self, request: Request, answer: Callable[[Request], Reply | Stream]
    ) -> Reply | Stream:
        """Answer a request as planned.

        Raises:
            ApiError: An error was planned, or came up.
            ClientGone: The connection ends without an answer, or without the rest of it.
        """
        body = b""
        if not request.path.startswith(UPLOADS):
            body = request.body()
            request = request._replace(chunks=lambda: iter((body,)))
        plan = self._director.direct(Told(request.method, request.path, request.headers, body))
        self._wait(plan.delay, request.is_gone)
        if plan.ending and not plan.after:
            self._end(plan, request.is_gone)
        answered = answer(request._replace(scripted=plan.scripted))
        if isinstance(answered, Stream):
            return Stream(self._lines(answered.lines, plan, request.is_gone))
        if plan.ending:
            # An answer in one piece has no middle.
            self._end(plan, request.is_gone)
        return answered

    def _lines(
        self, lines: Iterator[bytes], plan: Plan, is_gone: Callable[[], bool]
    ) -> Iterator[bytes]:
        sent = 0
        held: bytes | None = None
        for line in lines:
            # One line is held back: the ending comes before the last, however few there are.
            if held is not None:
                if plan.ending and sent >= plan.after:
                    break
                self._wait(plan.pause, is_gone)
                yield held
                sent += 1
            held = line
        if plan.ending:
            self._end(plan, is_gone)
        if held is not None:
            self._wait(plan.pause, is_gone)
            yield held

    def _end(self, plan: Plan, is_gone: Callable[[], bool]) -> None:
        match plan.ending:
            case "error":
                raise ApiError(plan.status, plan.message)
            case "hang":
                while not self._closed.wait(_GLANCE) and not is_gone():
                    pass
            case "crash":
                self._crash()
            case _:
                pass
        raise ClientGone

    def _wait(self, seconds: float, is_gone: Callable[[], bool]) -> None:
        due = time.monotonic() + seconds
        while (left := due - time.monotonic()) > 0:
            if self._closed.wait(min(left, _GLANCE)) or is_gone():
                raise ClientGone
