"""A program that uses a manager and leaves in one of many ways: ``user_program.py JSON``.

Says ``{"server": PID}`` once a stream is under way, then waits for a line and leaves:

``close``       closes the manager, and ends
``end``         ends without closing it
``exit``        calls ``sys.exit``
``_exit``       calls ``os._exit``
``raise``       an exception that nobody catches
``fork``        forks a child, which lives on, says ``{"child": PID}`` and ends
``handlers``    has handlers of its own for signals: says ``{"kept": BOOL}``, then which came
``child``       uses the manager in a forked child too, and says how both fared
``wait``        does not leave by itself
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from typing import Any

from manager import AsyncOllamaManager, OllamaManager, OllamaManagerError

PATIENCE = 20.0
HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)


def say(**words: Any) -> None:
    print(json.dumps(words), flush=True)


class User:
    """Uses one manager in the steps that `main` puts together; a sync one."""

    def __init__(self, about: dict[str, Any]) -> None:
        self.about = about
        self.chat = (about["model"], about["prompt"])

    def begin(self) -> int | None:
        self.m = OllamaManager(**self.about["settings"])
        self.stream = self.m.chat(*self.chat, stream=True, **self.about["options"])
        next(self.stream)
        return self.m.status().pid

    def read_on(self) -> int:
        return sum(1 for _ in zip(range(5), self.stream, strict=False))

    def ask(self) -> int:
        return len(self.m.list_models())

    def close(self) -> None:
        self.m.close()


class AsyncUser(User):
    """Uses an async manager, all on one event loop."""

    def __init__(self, about: dict[str, Any]) -> None:
        super().__init__(about)
        self.runner = asyncio.Runner()

    def begin(self) -> int | None:
        async def begin() -> int | None:
            self.manager = AsyncOllamaManager(**self.about["settings"])
            self.answer = await self.manager.chat(*self.chat, stream=True, **self.about["options"])
            await anext(self.answer)
            return self.manager.status().pid

        return self.runner.run(begin())

    def read_on(self) -> int:
        async def read() -> int:
            return len([await anext(self.answer) for _ in range(5)])

        return self.runner.run(read())

    def ask(self) -> int:
        # in a forked child the parent's loop is not to be touched
        return len(asyncio.run(self.manager.list_models()))

    def close(self) -> None:
        self.runner.run(self.manager.aclose())


def use_in_child(user: User) -> None:
    """Use the manager in a child while the parent's stream is open."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            say(models=user.ask())
            status = 0
        except OllamaManagerError as error:
            say(refused=error.to_dict())
        finally:
            os._exit(status)
    os.waitpid(child, 0)
    say(chunks=user.read_on())
    user.close()


def main() -> None:
    about = json.loads(sys.argv[1])
    came: list[int] = []
    if about["leave"] == "handlers":
        for number in HANDLED:
            signal.signal(number, lambda number, _: came.append(number))
    before = [signal.getsignal(number) for number in signal.valid_signals()]
    user = AsyncUser(about) if about["kind"] == "async" else User(about)
    say(server=user.begin())
    match about["leave"]:
        case "handlers":
            user.read_on()
            say(kept=[signal.getsignal(number) for number in signal.valid_signals()] == before)
            deadline = time.monotonic() + PATIENCE
            while len(came) < len(HANDLED) and time.monotonic() < deadline:
                time.sleep(0.01)
            say(came=sorted(came))
            return
        case "child":
            use_in_child(user)
            return
        case "wait":
            signal.pause()
    sys.stdin.readline()
    match about["leave"]:
        case "close":
            user.close()
        case "exit":
            sys.exit(7)
        case "_exit":
            os._exit(7)
        case "raise":
            raise RuntimeError("nobody catches this")
        case "fork":
            child = os.fork()
            if child == 0:
                os.close(1)
                time.sleep(600)
                os._exit(0)
            say(child=child)


if __name__ == "__main__":
    main()
