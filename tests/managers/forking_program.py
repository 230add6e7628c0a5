"""Opens a stream and forks: ``forking_program.py JSON``; says what became of parent and child.

It does so once for each act that it is told. The child does one of these, and ends:

``close_manager``   closes the manager
``use_and_close``   makes a call, then closes the manager
``close_stream``    closes the stream
``drop``            drops the stream
``leave``           leaves the ``with`` of the stream
``exit``            calls ``sys.exit``
``stay``            makes a call, and stays until it is killed; the parent restarts the server
``locked``          makes a call, and hears of it; forked while a thread held every lock
``read``            reads the stream: an error that says whose it is

Two acts are about connections on which nothing is under way:

``call``            the child makes two calls, then the parent one
``outlive``         the parent closes the manager, while the child lives and does nothing
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from typing import Any

import pytest

from manager import AsyncOllamaManager, InvalidRequestError, OllamaManager

CHAT = ("simulated", "write 40 words")


def say(**words: Any) -> None:
    print(json.dumps(words), flush=True)


class Driver:
    """Runs what the managers return: at once, or on an event loop of the parent's."""

    def __init__(self, kind: str) -> None:
        self.is_async = kind == "async"
        self.runner = asyncio.Runner() if self.is_async else None
        self.home = os.getpid()

    def make(self, **settings: Any) -> Any:
        return AsyncOllamaManager(**settings) if self.is_async else OllamaManager(**settings)

    def run(self, result: Any) -> Any:
        if self.runner is None:
            return result

        async def wait() -> Any:
            return await result

        if os.getpid() != self.home:  # in a forked child the parent's loop is not to be touched
            self.home, self.parents = os.getpid(), self.runner
            self.runner = asyncio.Runner()
        return self.runner.run(wait())

    def first(self, stream: Any) -> Any:
        return self.run(anext(stream)) if self.is_async else next(stream)

    def close(self, manager: Any) -> None:
        self.run(manager.aclose() if self.is_async else manager.close())

    def leave(self, stream: Any) -> None:
        if self.is_async:
            self.run(stream.__aexit__(None, None, None))
        else:
            stream.__exit__(None, None, None)


class Program:
    def __init__(self, act: str, about: dict[str, Any]) -> None:
        self.act = act
        self.driver = Driver(about["kind"])
        self.m = self.driver.make(**about["settings"])
        self.heard: queue.Queue[Any] = queue.Queue()
        self.forked = threading.Event()

    def main(self) -> None:
        driver = self.driver
        driver.run(self.m.load_model(CHAT[0]))
        self.stream = driver.run(self.m.chat(*CHAT, stream=True, think=False))
        driver.first(self.stream)
        if self.act == "locked":
            self.lock_books()
        told, tell = os.pipe()
        child = os.fork()
        if child == 0:
            self.be_child(tell)
        self.forked.set()
        os.close(tell)
        if self.act == "stay":
            assert os.read(told, 1)
            driver.run(self.stream.close())
            began = time.monotonic()
            driver.run(self.m.restart_server())
            say(seconds=time.monotonic() - began)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        else:
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            say(child=status, done=driver.run(self.stream.final()).done)
            driver.run(self.m.version())
        driver.close(self.m)

    def lock_books(self) -> None:
        """Have another thread hold every lock there is at the moment of the fork."""
        session = self.m._session
        self.m.events.subscribe(self.heard.put, "request.finished")
        locks = [
            session._transport._in_flight._lock,
            session._transport._lock,
            session.server._making_link,
            session.events._lock,
            session.events._subscriptions[0]._queue.mutex,
        ]
        held = threading.Event()

        def hold() -> None:
            for lock in locks:
                lock.acquire()
            held.set()
            self.forked.wait()
            for lock in reversed(locks):
                lock.release()

        threading.Thread(target=hold, daemon=True).start()
        held.wait()

    def be_child(self, tell: int) -> None:
        """Do what there is to do; the process ends as any does, or at once."""
        signal.alarm(30)  # a child that hangs is to be seen as such
        status = 1
        try:
            self.play(tell)
            status = 0
        except SystemExit:
            raise
        except BaseException:
            traceback.print_exc()
        os._exit(status)

    def play(self, tell: int) -> None:
        driver, stream = self.driver, self.stream
        match self.act:
            case "close_manager":
                driver.close(self.m)
            case "use_and_close":
                assert driver.run(self.m.version())
                driver.close(self.m)
            case "locked":
                assert driver.run(self.m.version())
                assert self.heard.get(timeout=20).endpoint == "GET /api/version"
                driver.close(self.m)
            case "close_stream":
                driver.run(stream.close())
            case "drop":
                del stream, self.stream
                gc.collect()
            case "leave":
                driver.leave(stream)
            case "exit":
                sys.exit()
            case "read":
                with pytest.raises(InvalidRequestError, match="parent"):
                    driver.first(stream)
            case "stay":
                assert driver.run(self.m.version())
                os.write(tell, b"+")
                signal.pause()


class IdleProgram:
    def __init__(self, act: str, about: dict[str, Any]) -> None:
        self.act = act
        self.driver = Driver(about["kind"])
        self.m = self.driver.make(**about["settings"])

    def main(self) -> None:
        self.call()
        ended, end = os.pipe()
        child = os.fork()
        if child == 0:
            self.be_child(ended, end)
        os.close(ended)
        if self.act == "call":
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            self.call()
            say(child=status)
            self.driver.close(self.m)
        else:
            self.driver.close(self.m)
            say(closed=True)
            sys.stdin.readline()  # the server has seen it
            os.write(end, b"+")
            say(child=os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    def call(self) -> None:
        assert self.driver.run(self.m.chat("m", "hi")).message.content

    def be_child(self, ended: int, end: int) -> None:
        signal.alarm(30)
        status = 1
        try:
            if self.act == "call":
                self.call()
                self.call()
            else:
                os.close(end)
                os.read(ended, 1)
            status = 0
        except BaseException:
            traceback.print_exc()
        os._exit(status)


if __name__ == "__main__":
    told = json.loads(sys.argv[1])
    for act in told["acts"]:
        (IdleProgram if act in ("call", "outlive") else Program)(act, told).main()
