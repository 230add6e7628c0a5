"""Where a scenario plays: one server program, one free port, managers of one kind.

The scenarios know only this, so that they run on the simulator here and on a real Ollama under
the `live` mark.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from manager.config import resolve_config
from manager.server_settings import server_settings

from ..managers.either import PATIENCE, answers, make_async, make_sync, until
from ..ports import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

LONG = "write 20000 words"
ENDLESS: dict[str, Any] = {"num_predict": -1, "num_thread": 1, "num_ctx": 4096, "think": False}
SHORT = ENDLESS | {"num_predict": 2}
MARK = "STAGE"
USER = str(Path(__file__).with_name("user_program.py"))
FAULTY = str(Path(__file__).with_name("faulty_program.py"))


class Stage:
    """One address of its own, and what is needed to play there.

    Args:
        kind: Which managers: ``sync`` or ``async``.
        model: The name of a model that takes its time.
        binary: The words of the server program.
        folder: For files of the test's own.
        tokens: How many of them the model takes a second for, about.
        settings: Further keywords of the managers.
    """

    def __init__(
        self,
        kind: str,
        model: str,
        binary: Sequence[str],
        folder: Path,
        *,
        tokens: int,
        **settings: Any,
    ) -> None:
        self.kind = kind
        self.model = model
        self.binary = list(binary)
        self.folder = folder
        self.tokens = tokens
        self.port = free_port()
        self.settings: dict[str, Any] = {
            "host": f"127.0.0.1:{self.port}",
            "binary": self.binary,
            "num_parallel": 2,
            **settings,
            "env": {MARK: str(self.port), **settings.get("env", {})},
        }

    # Managers here, and in processes of their own

    def make(self, **changes: Any) -> Any:
        """Make a manager; both kinds are awaited."""
        make = make_sync if self.kind == "sync" else make_async
        return make(**self.settings | changes)

    async def stream(self, m: Any) -> Any:
        """Begin an answer without an end, and read a little of it."""
        stream = await m.chat(self.model, LONG, stream=True, **ENDLESS)
        async for text in stream.text:
            if text:
                return stream
        raise AssertionError("the stream ended at once")

    async def answer(self, m: Any, **options: Any) -> Any:
        """Ask for a short answer."""
        return await m.chat(self.model, "Hello", **SHORT | options)

    def plain_settings(self) -> dict[str, Any]:
        """Return the keywords of a manager as JSON can have them."""
        return {key: _plain(value) for key, value in self.settings.items()}

    def linked(self) -> str:
        """Return the same settings as a supervisor's link takes them, in JSON."""
        return json.dumps(server_settings(resolve_config(None, None, self.settings)).to_dict())

    @asynccontextmanager
    async def user(self, leave: str = "wait") -> AsyncIterator[User]:
        """Start a program that uses a manager, and wait until a stream is under way in it."""
        about = {
            "kind": self.kind,
            "settings": self.plain_settings(),
            "model": self.model,
            "prompt": LONG,
            "options": ENDLESS,
            "leave": leave,
        }
        process = start([sys.executable, USER, json.dumps(about)])
        user = User(process)
        try:
            user.server = (await user.said())["server"]
            yield user
        finally:
            process.kill()
            process.communicate()

    @contextmanager
    def foreign(self, slots: int = 1) -> Iterator[subprocess.Popen[bytes]]:
        """Run a server that no manager has started, with room for so many answers at once."""
        environment = {**os.environ, "OLLAMA_HOST": self.settings["host"]}
        environment.update(self.settings["env"])
        if "models" in self.settings:
            environment["OLLAMA_MODELS"] = str(self.settings["models"])
        environment["OLLAMA_NUM_PARALLEL"] = str(slots)
        server = subprocess.Popen(
            [*self.binary, "serve"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield server
        finally:
            server.terminate()
            server.wait(30)

    def faulty(self, fault: str) -> list[str]:
        """Return the words of the same program with a fault, see `faulty_program`."""
        return [sys.executable, "-S", "-E", FAULTY, fault, *self.binary]

    # What there is, seen from outside

    def processes(self) -> list[int]:
        """Every process of a server at this port: servers and runners, whoever started them."""
        return [pid for pid, _ in self._processes()]

    def servers(self) -> list[int]:
        """The servers among them, all of which were there at the same moment."""
        seen = {pid: parent(pid) for pid, words in self._processes() if b"serve" in words}
        # A child that is about to become a runner still looks like its server.
        seen = {pid: above for pid, above in seen.items() if above not in seen}
        return [pid for pid in seen if self._is_ours(pid)]  # one may have followed another

    def _processes(self) -> Iterator[tuple[int, list[bytes]]]:
        for entry in os.listdir("/proc"):
            if entry.isdecimal() and self._is_ours(int(entry)):
                with contextlib.suppress(OSError):
                    words = Path(f"/proc/{entry}/cmdline").read_bytes()
                    yield int(entry), words.split(b"\0")

    def _is_ours(self, pid: int) -> bool:
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()  # empty of one that is dead
        except OSError:
            return False
        return f"{MARK}={self.port}".encode() in environment.split(b"\0")

    async def nothing_left(self) -> None:
        """Wait until neither a process nor a listener is there."""
        await until(
            lambda: not self.processes() and not answers(self.port), "everything to be gone"
        )


class User:
    """A program that uses a manager, see `user_program`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.server = 0
        """The server's pid, where it is managed."""
        self.child = 0
        """The child that it has forked."""

    async def said(self) -> dict[str, Any]:
        """The next thing that it says."""
        assert self.process.stdout is not None
        reading = asyncio.to_thread(self.process.stdout.readline)
        line = await asyncio.wait_for(reading, 2 * PATIENCE)
        assert line, "the program ended without a word"
        said: dict[str, Any] = json.loads(line)
        return said

    async def ended(self) -> int:
        """Wait until it is over; its exit status."""
        return await asyncio.to_thread(self.process.wait, PATIENCE)

    def go(self) -> None:
        """Tell it to leave."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@asynccontextmanager
async def played(stage: Stage) -> AsyncIterator[None]:
    """Room for every thread that a scenario asks for; nothing is left of it afterwards."""
    executor = ThreadPoolExecutor(64)
    asyncio.get_running_loop().set_default_executor(executor)
    try:
        yield
        await stage.nothing_left()
    finally:
        send(signal.SIGKILL, *stage.processes())
        executor.shutdown(wait=False)


def start(words: list[str]) -> subprocess.Popen[str]:
    """Start a program that is talked with."""
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def parent(pid: int) -> int:
    """The process that has started another one: of a managed server, its supervisor; or 0."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])
    except OSError:
        return 0


def is_stopped(pid: int) -> bool:
    """Whether a SIGSTOP has reached every thread; until then a server may answer."""
    tasks = Path(f"/proc/{pid}/task").glob("*/stat")
    return all(task.read_text().rpartition(") ")[2][0] == "T" for task in tasks)


def send(number: signal.Signals, *pids: int) -> None:
    """Send a signal to processes of ours."""
    for pid in pids:
        os.kill(pid, number)


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
