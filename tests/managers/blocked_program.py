"""Waits for a server that says nothing, is interrupted by Ctrl-C, and makes another call.

``blocked_program.py JSON`` with the server's ``host``, the ``kind`` of manager and the ``act``:
``chat`` waits for a whole answer, ``stream`` for the next chunk of one that has begun. Says what
it waits for, and what came of it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from manager import AsyncOllamaManager, OllamaManager


def say(**words: Any) -> None:
    print(json.dumps(words), flush=True)


def wait_for_it(m: OllamaManager, act: str) -> None:
    if act == "chat":
        say(waits=act)
        m.chat("m", "hi")
    for _ in m.chat("m", "hi", stream=True):
        say(waits=act)


async def wait_for_it_async(m: AsyncOllamaManager, act: str) -> None:
    if act == "chat":
        say(waits=act)
        await m.chat("m", "hi")
    async for _ in await m.chat("m", "hi", stream=True):
        say(waits=act)


def main(host: str, kind: str, act: str) -> None:
    if kind == "sync":
        with OllamaManager(host=host, max_connections=1) as m:
            try:
                wait_for_it(m, act)
            except KeyboardInterrupt:
                say(interrupted=True)
            say(answer=m.chat("m", "hi").message.content)
        return
    with asyncio.Runner() as runner:
        made = AsyncOllamaManager(host=host, max_connections=1)
        try:
            runner.run(wait_for_it_async(made, act))
        except KeyboardInterrupt:
            say(interrupted=True)

        async def go_on() -> None:
            say(answer=(await made.chat("m", "hi")).message.content)
            await made.aclose()

        runner.run(go_on())


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
