"""A program of green threads: ``green_program.py JSON``; says what it has done, step by step.

``patcher`` is ``eventlet`` or ``gevent``, which replaces most of what blocks in the standard
library; ``late`` has it do so after the package was imported; ``kind`` is that of the manager.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from typing import Any


def say(step: str, value: object = None) -> None:
    print(json.dumps([step, value]), flush=True)


def patch(patcher: str) -> Any:
    """Replace what blocks; return what starts a green thread."""
    if patcher == "eventlet":
        import eventlet

        eventlet.monkey_patch()
        return eventlet.spawn
    import gevent
    import gevent.monkey

    gevent.monkey.patch_all()
    return gevent.spawn


def call_sync(settings: dict[str, Any], spawn: Any) -> None:
    from manager import OllamaManager, OllamaManagerError

    with OllamaManager(**{**settings, "binary": ["/no/such/program"]}) as m:
        try:
            m.start_server()
        except OllamaManagerError as error:
            say("no program", error.code)
    with OllamaManager(**settings) as m:
        say("started", m.start_server().state)
        answers: list[Any] = []
        threads = [spawn(lambda: answers.append(m.chat("simulated", "hi"))) for _ in range(8)]
        while len(answers) < len(threads):
            time.sleep(0.01)
        say("answers", all(answer.done for answer in answers))
        ended: list[bool] = []
        stream = m.chat("simulated", "write 20000 words", stream=True)

        def read_all() -> None:
            for _ in stream:
                pass
            ended.append(True)

        spawn(read_all)
        while not stream.partial:
            time.sleep(0.01)
        stream.close()
        while not ended:
            time.sleep(0.01)
        say("closed by another", stream.partial.done)
        pid = m.status().pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        say("after a crash", m.chat("simulated", "hi").done)
    say("closed", m.status().state)


async def call_async(settings: dict[str, Any]) -> None:
    from manager import AsyncOllamaManager, OllamaManagerError

    async with AsyncOllamaManager(**{**settings, "binary": ["/no/such/program"]}) as m:
        try:
            await m.start_server()
        except OllamaManagerError as error:
            say("no program", error.code)
    async with AsyncOllamaManager(**settings) as m:
        say("started", (await m.start_server()).state)
        answers = await asyncio.gather(*(m.chat("simulated", "hi") for _ in range(8)))
        say("answers", all(answer.done for answer in answers))
        stream = await m.chat("simulated", "write 20000 words", stream=True)

        begun = asyncio.Event()

        async def read_all() -> None:
            async for _ in stream:
                begun.set()

        reader = asyncio.ensure_future(read_all())
        await begun.wait()
        await stream.close()
        await reader
        say("closed by another", stream.partial.done)
        pid = m.status().pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        say("after a crash", (await m.chat("simulated", "hi")).done)
    say("closed", m.status().state)


def main(about: dict[str, Any]) -> None:
    if about["late"]:
        from manager import OllamaManager

        OllamaManager(**about["settings"]).status()
    spawn = patch(about["patcher"])
    if about["kind"] == "sync":
        call_sync(about["settings"], spawn)
    else:
        asyncio.run(call_async(about["settings"]))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
