"""Commands within the process of the tests: quick, and their insides can be made to fail."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
from contextlib import ExitStack, contextmanager
from typing import IO, TYPE_CHECKING, Any, NamedTuple
from unittest import mock

import pytest

from manager.cli import main

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

_MODES = {"stdin": "r", "stdout": "w", "stderr": "w"}


class Done(NamedTuple):
    """How a command went; on a terminal, standard output is all that was seen there."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it wrote: the result, or the error where there is none."""
        return json.loads(self.out or self.err)


def run_inside(words: Sequence[str], env: Mapping[str, str], stdin: str = "") -> Done:
    """Run a command as in a pipe.

    Args:
        words: The command.
        env: All of its environment.
        stdin: What it can read.
    """
    out, err = io.BytesIO(), io.BytesIO()
    streams: dict[str, IO[str]] = {
        "stdin": io.StringIO(stdin),
        "stdout": io.TextIOWrapper(out, "utf-8", write_through=True),
        "stderr": io.TextIOWrapper(err, "utf-8", write_through=True),
    }
    with _as_in_a_process(env, streams):
        code = main(words)
    return Done(int(code), out.getvalue().decode(), err.getvalue().decode())


def run_on_a_terminal(words: Sequence[str], env: Mapping[str, str], typed: str = "") -> Done:
    """Run a command with a terminal for all three streams.

    Args:
        words: The command.
        env: All of its environment.
        typed: What is typed in advance; Ctrl-D follows it.
    """
    import pty

    master, slave = pty.openpty()
    os.write(master, f"{typed}\x04".encode())
    seen: list[bytes] = []
    reader = threading.Thread(target=lambda: seen.append(shown_on(master)))
    reader.start()
    try:
        with ExitStack() as opened:
            opened.callback(os.close, slave)
            streams = {
                name: opened.enter_context(open(os.dup(slave), mode, encoding="utf-8"))
                for name, mode in _MODES.items()
            }
            with _as_in_a_process(env, streams):
                code = main(words)
    finally:
        reader.join()
        os.close(master)
    return Done(int(code), b"".join(seen).decode().replace("\r\n", "\n"), "")


def shown_on(master: int) -> bytes:
    """Return all that is shown on a terminal, until nobody has it open any more."""
    shown = b""
    while True:
        try:
            data = os.read(master, 65536)
        except OSError:  # Linux says so when the other side has closed
            return shown
        if not data:
            return shown
        shown += data


@contextmanager
def _as_in_a_process(env: Mapping[str, str], streams: Mapping[str, IO[Any]]) -> Generator[None]:
    """Give a command streams and an environment of its own, and see that it leaves no thread."""
    before = set(threading.enumerate())
    with mock.patch.dict(os.environ, env, clear=True), pytest.MonkeyPatch.context() as patch:
        for name, stream in streams.items():
            patch.setattr(sys, name, stream)
        yield
    for thread in set(threading.enumerate()) - before:
        if thread.name != "manager-timers":  # ends by itself, after a while without a timer
            thread.join(10)
            assert not thread.is_alive(), f"{thread} is left"
