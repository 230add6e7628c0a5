"""embed: texts to vectors."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from manager.cli.option_words import read_keep_alive, read_options
from manager.cli.terminal import write_json
from manager.default import DEFAULT
from manager.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from manager.cli.invocation import Invocation
    from manager.timeouts import TimeoutInput
    from manager.types import KeepAlive

__all__ = ["EmbedOptions", "embed_texts"]

_SHOWN_NUMBERS = 3
_TEXT_WIDTH = 32


@dataclass(frozen=True, slots=True)
class EmbedOptions:
    """What the options of ``embed`` come to, in the terms of ``OllamaManager.embed``."""

    dimensions: int | None = None
    truncate: bool | None = None
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    keep_alive: KeepAlive | None = None
    timeout: TimeoutInput = DEFAULT

    @classmethod
    def read(
        cls,
        *,
        dimensions: int | None,
        truncate: bool | None,
        options: Sequence[str],
        keep_alive: str | None,
        timeout: float | None,
    ) -> EmbedOptions:
        """Read the words of the command line.

        Raises:
            InvalidRequestError: A word cannot be read.
        """
        return cls(
            dimensions=dimensions,
            truncate=truncate,
            options=read_options(options),
            keep_alive=read_keep_alive(keep_alive),
            timeout=DEFAULT if timeout is None else timeout,
        )


def embed_texts(run: Invocation, model: str, texts: Sequence[str], wanted: EmbedOptions) -> None:
    """Embed texts; write a JSON array a line, or a summary for a person.

    Args:
        run: Where the server and the terminal are.
        model: The model.
        texts: The texts; none: the lines of standard input.
        wanted: How to embed them.

    Raises:
        OllamaManagerError: The subclass that says what went wrong.
    """
    chosen = list(texts) or _lines_of_stdin(run)
    with run.manager() as manager, run.terminal.waiting(f"waiting for {model} ..."):
        answer = manager.embed(
            model,
            chosen,
            dimensions=wanted.dimensions,
            truncate=wanted.truncate,
            keep_alive=wanted.keep_alive,
            options=wanted.options or None,
            timeout=wanted.timeout,
        )
    if run.as_json or not run.terminal.out.is_terminal:
        for vector in answer.embeddings:
            write_json(vector)
    else:
        run.terminal.show(_summary(chosen, answer.embeddings))


def _lines_of_stdin(run: Invocation) -> list[str]:
    if sys.stdin.isatty():
        run.terminal.note("one text a line; Ctrl-D ends")
    lines = [line for line in sys.stdin.read().splitlines() if line.strip()]
    if not lines:
        raise InvalidRequestError(
            "there is no text to embed",
            argument="text",
            hint="give it as an argument, or on standard input, one text a line",
        )
    return lines


def _summary(texts: Sequence[str], vectors: Sequence[Sequence[float]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("TEXT", overflow="ellipsis", no_wrap=True, max_width=_TEXT_WIDTH)
    table.add_column("NUMBERS", justify="right", no_wrap=True)
    table.add_column("LENGTH", justify="right", no_wrap=True)
    table.add_column("VECTOR (all of it: --json)", style="dim", no_wrap=True)
    for text, vector in zip(texts, vectors, strict=False):
        first = ", ".join(f"{number:+.3f}" for number in vector[:_SHOWN_NUMBERS])
        length = math.sqrt(math.fsum(number * number for number in vector))
        table.add_row(Text(text), str(len(vector)), f"{length:.3f}", f"{first}, ...")
    return table
