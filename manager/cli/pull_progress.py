"""How far a pull is: bars on a terminal, now and then a line elsewhere."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from manager.quantities import file_size

if TYPE_CHECKING:
    from collections.abc import Generator

    from rich.progress import (
        TaskID,
    )

    from manager import ProgressResponse
    from manager.cli.terminal import Terminal

__all__ = ["PlainProgress", "ProgressDisplay", "progress_display"]

_PERCENT_STEP = 10


class ProgressDisplay(Protocol):
    """Is told of each line of a pull."""

    @property
    def received(self) -> int:
        """Bytes that were downloaded, as far as known."""
        ...

    def update(self, progress: ProgressResponse) -> None:
        """Show one line."""
        ...


@contextmanager
def progress_display(terminal: Terminal) -> Generator[ProgressDisplay]:
    """Show progress on standard error, for as long as the block lasts.

    Args:
        terminal: Decides between bars and lines.
    """
    if not terminal.err.is_terminal:
        yield PlainProgress(lambda line: terminal.err.print(line, soft_wrap=True))
        return
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=terminal.err,
        expand=True,
    )
    with bars:
        yield _Bars(bars)


class _Received:
    """Adds up what the layers have received; what was there already is not counted."""

    def __init__(self) -> None:
        self._first: dict[str, int] = {}
        self._last: dict[str, int] = {}

    def note(self, digest: str, completed: int) -> None:
        self._first.setdefault(digest, completed)
        self._last[digest] = completed

    @property
    def total(self) -> int:
        return sum(self._last[digest] - first for digest, first in self._first.items())


class _Bars:
    """A bar for each layer."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._layers: dict[str, TaskID] = {}
        self._received = _Received()
        self._status = ""

    @property
    def received(self) -> int:
        return self._received.total

    def update(self, progress: ProgressResponse) -> None:
        if progress.digest is None or not progress.total:
            self._say(progress.status)
            return
        completed = progress.completed or 0
        self._received.note(progress.digest, completed)
        task = self._layers.get(progress.digest)
        if task is None:
            label = progress.status.removeprefix("pulling ")
            task = self._bars.add_task(label, total=progress.total)
            self._layers[progress.digest] = task
        self._bars.update(task, total=progress.total, completed=completed)

    def _say(self, status: str) -> None:
        if status != self._status:
            self._status = status
            self._bars.console.print(status, style="dim")


class PlainProgress:
    """A line for each step, and for each tenth of a layer.

    Args:
        write: Takes a line.
    """

    def __init__(self, write: Writer) -> None:
        self._write = write
        self._status = ""
        self._shown: dict[str, int] = {}
        self._received = _Received()

    @property
    def received(self) -> int:
        """Bytes that were downloaded."""
        return self._received.total

    def update(self, progress: ProgressResponse) -> None:
        """Write a line if there is something new to say."""
        if progress.digest is not None and progress.total:
            self._layer(progress.digest, progress.status, progress.completed or 0, progress.total)
        elif progress.status != self._status:
            self._status = progress.status
            self._write(progress.status)

    def _layer(self, digest: str, status: str, completed: int, total: int) -> None:
        self._received.note(digest, completed)
        percent = completed * 100 // total // _PERCENT_STEP * _PERCENT_STEP
        if percent > self._shown.get(digest, -1):
            self._shown[digest] = percent
            self._write(f"{status}: {percent} % of {file_size(total)}")


class Writer(Protocol):
    """Takes a line."""

    def __call__(self, line: str, /) -> object: ...
