"""Many processes that take a lease at once and leave in random order."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from manager.supervisor.client import inspect

from .stage import start

if TYPE_CHECKING:
    import random
    import subprocess

    from .stage import Stage

LEASE = """
import json, os, sys
from manager.supervisor.link import SupervisorLink
from manager.supervisor.settings import ServerSettings
link = SupervisorLink(ServerSettings.from_dict(json.loads(sys.argv[1])))
print(link.acquire().result(60).pid, flush=True)
match sys.stdin.readline().strip():
    case "close":
        link.close().result(60)
    case "_exit":
        os._exit(0)
"""


async def crowd(stage: Stage, count: int, chance: random.Random) -> None:
    """Have processes start managers at once, and see them share one server until the last leaves.

    Args:
        stage: Where.
        count: How many processes.
        chance: Says in which order they leave, and how.
    """
    users = [start([sys.executable, "-c", LEASE, stage.linked()]) for _ in range(count)]
    try:
        said = await asyncio.gather(
            *(asyncio.to_thread(user.stdout.readline) for user in users if user.stdout)
        )
        servers = {int(pid) for pid in said}
        assert len(servers) == 1, f"several servers: {servers}"
        assert set(stage.servers()) == servers
        seen = await asyncio.to_thread(inspect, "127.0.0.1", stage.port)
        assert seen is not None
        assert seen.leases == count
        assert (seen.generation, seen.restarts) == (1, 0), "there was another server before"
        chance.shuffle(users)
        *others, last = users
        for user in others:
            _end(user, chance)
        for user in others:
            await asyncio.to_thread(user.wait, 30)
        assert set(stage.servers()) == servers, "one lease is left"
        _end(last, chance)
        await stage.nothing_left()
    finally:
        for user in users:
            user.kill()
            user.communicate()


def _end(user: subprocess.Popen[str], chance: random.Random) -> None:
    how = chance.choice(["close", "end", "_exit", "kill"])
    if how == "kill":
        user.kill()
    elif user.stdin is not None:
        user.stdin.write(f"{how}\n")
        user.stdin.flush()
