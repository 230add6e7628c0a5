"""The command line within the process of the tests: quick, and its insides can be made to fail."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from manager.cli import main

from .cli_testing import shown_on

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest


class Done(NamedTuple):
    """How a command went; on a terminal, standard output is all that was seen there."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it wrote: the result, or the error where there is none."""
        return json.loads(self.out or self.err)


class Inside:
    """Runs commands with streams and an environment of their own."""

    def __init__(self, patch: pytest.MonkeyPatch, env: Mapping[str, str]) -> None:
        self.patch = patch
        self.env = dict(env)

    def run(self, *words: str, stdin: str = "", **env: str) -> Done:
        """Run a command as in a pipe."""
        out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
        with self.patch.context() as patch:
            self._prepare(patch, env)
            patch.setattr(sys, "stdin", io.StringIO(stdin))
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            code = main(words)
        said = [file.buffer.getvalue().decode() for file in (out, err)]  # type: ignore[attr-defined]
        return Done(int(code), *said)

    def on_a_terminal(self, *words: str, typed: str = "", **env: str) -> Done:
        """Run a command with a terminal for all three streams.

        Args:
            words: The command.
            typed: What is typed in advance; Ctrl-D follows it.
            env: Changes of the environment.
        """
        import pty

        master, slave = pty.openpty()
        os.write(master, f"{typed}\x04".encode())
        seen: list[bytes] = []
        reader = threading.Thread(target=lambda: seen.append(shown_on(master)))
        reader.start()
        try:
            with self.patch.context() as patch:
                self._prepare(patch, {"TERM": "xterm-256color", **env})
                for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
                    patch.setattr(sys, name, open(os.dup(slave), mode, encoding="utf-8"))  # noqa: SIM115
                code = main(words)
                for name in ("stdin", "stdout", "stderr"):
                    getattr(sys, name).close()
        finally:
            os.close(slave)
            reader.join()
            os.close(master)
        return Done(int(code), b"".join(seen).decode().replace("\r\n", "\n"), "")

    def _prepare(self, patch: pytest.MonkeyPatch, env: Mapping[str, str]) -> None:
        for name in set(os.environ) - set(self.env):
            patch.delenv(name)
        for name, value in {**self.env, **env}.items():
            patch.setenv(name, value)
