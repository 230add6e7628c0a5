"""A conversation on a terminal."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from .cli_testing import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .cli_testing import Shell

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")


class Typist:
    """Types into the program's terminal and reads its screen."""

    def __init__(self, shell: Shell, *words: str) -> None:
        import pty

        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [*PROGRAM, *words],
            env={**shell.env, "TERM": "dumb", "NO_COLOR": "1"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=_own_terminal,
        )
        os.close(slave)
        self.screen = ""

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def see(self, text: str, seconds: float = 30) -> None:
        """Wait until something shows up behind what was seen before."""
        assert self.sees(text, seconds), f"{text!r} did not show up: {self.screen!r}"

    def sees(self, text: str, seconds: float) -> bool:
        """Tell whether something shows up in time."""
        deadline = time.monotonic() + seconds
        while text not in self.screen:
            left = deadline - time.monotonic()
            if left <= 0 or not self._read(left):
                return False
        self.screen = self.screen.partition(text)[2]
        return True

    def _read(self, seconds: float) -> bool:
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:  # Linux says so when the other side has closed
            return False
        self.screen += data.decode("utf-8", "replace")
        return bool(data)

    def insist(self, key: str, text: str) -> None:
        """Press a key until something shows up.

        A Ctrl-C in the moment in which readline begins to wait is only noticed with the next key.
        """
        assert any(self._pressed(key, text) for _ in range(60)), self.screen

    def _pressed(self, key: str, text: str) -> bool:
        self.type(key)
        return self.sees(text, 0.5)


def _own_terminal() -> None:
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def typist(slow: Shell) -> Iterator[Typist]:
    typist = Typist(slow, "chat", "simulated", "--no-think")
    yield typist
    typist.process.kill()
    typist.process.wait()
    os.close(typist.master)


def test_a_conversation(typist: Typist) -> None:
    typist.see(">>> ")
    typist.type("my name is Ada\n")
    typist.see("You said: my name is Ada")
    typist.see(">>> ")
    typist.type("/nonsense\n")
    typist.see("/bye")
    typist.type("one two three four five six seven eight nine ten " * 8 + "\n")
    typist.see("You said: one")
    typist.type("\x03")  # stops the answer, not the conversation
    typist.see("(stopped)")
    typist.see(">>> ")
    typist.insist("\x03", "/bye")
    typist.type("still there?\n")
    typist.see("You said: still there?")
    typist.see(">>> ")
    typist.type("\x04")
    assert typist.process.wait(30) == 0


def test_a_conversation_with_nobody(slow: Shell) -> None:
    typist = Typist(slow, "chat", "no-such-model")
    try:
        typist.see("error: model 'no-such-model")
        assert typist.process.wait(30) == 4
    finally:
        typist.process.kill()
        typist.process.wait()
        os.close(typist.master)
