"""Where results and messages go: standard output for the former, standard error for the latter."""

from __future__ import annotations

import json
import os
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import NoReturn, TextIO

    from rich.console import RenderableType

__all__ = ["Terminal", "silence_output", "write_json"]

# A table that is piped on must not be cut to the width of a terminal that is not there.
_PIPED_WIDTH = 400


class _Console(Console):
    """A console that leaves it to the program what a closed pipe means."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


class Terminal:
    """The two consoles of a run.

    Args:
        no_color: No colours, whatever the terminal can do; ``NO_COLOR`` means the same.
    """

    def __init__(self, *, no_color: bool = False) -> None:
        self._no_color = no_color or bool(os.environ.get("NO_COLOR"))
        self.out: Console = self._console(sys.stdout)
        self.err: Console = self._console(sys.stderr)

    def _console(self, file: TextIO) -> Console:
        # "no colours" means no escapes at all: bold and dim are of no use to a reader of text
        console = _Console(
            file=file,
            color_system=None if self._no_color else "auto",
            highlight=False,
            emoji=False,
            markup=False,
            # one line stays one line for whoever reads it with a program
            soft_wrap=not file.isatty(),
        )
        if not console.is_terminal:
            console.width = _PIPED_WIDTH
        return console

    @property
    def is_interactive(self) -> bool:
        """Whether a person sits there: both ends of the conversation are terminals."""
        return sys.stdin.isatty() and self.out.is_terminal

    def text(self, text: str, *, end: str = "\n") -> None:
        """Write text to standard output as it is, at once."""
        sys.stdout.write(text + end)
        sys.stdout.flush()

    def show(self, renderable: RenderableType) -> None:
        """Print a table or the like; in a pipe without the spaces that fill its lines."""
        if self.out.is_terminal:
            self.out.print(renderable)
            return
        with self.out.capture() as captured:
            self.out.print(renderable)
        self.text("\n".join(line.rstrip() for line in captured.get().splitlines()))

    def waiting(self, text: str) -> AbstractContextManager[object]:
        """Show a person that something goes on, for as long as the block lasts."""
        return self.err.status(text) if self.err.is_terminal else nullcontext()

    def note(self, text: str) -> None:
        """Tell a person who watches something that is no result; a script is not told."""
        if self.err.is_terminal:
            self.err.print(text, style="dim")


def write_json(value: Mapping[str, Any] | Sequence[Any], file: TextIO | None = None) -> None:
    """Write one JSON value as one line, at once.

    Args:
        value: JSON-ready data; what JSON does not know is written as text.
        file: Where to; standard output by default.
    """
    stream = sys.stdout if file is None else file
    stream.write(json.dumps(value, ensure_ascii=False, default=str) + "\n")
    stream.flush()


def silence_output() -> None:
    """Send what is still to be written nowhere: its reader has gone."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
