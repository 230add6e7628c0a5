"""demo: how the demonstration looks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.live import Live
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from manager.cli.exit_codes import ExitCode
from manager.cli.terminal import write_json
from manager.demo import play
from manager.quantities import duration

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from rich.console import Console, RenderableType

    from manager.cli.invocation import Invocation
    from manager.cli.terminal import Terminal
    from manager.demo import DemoReport, StepResult
    from manager.demo.stage import Stage

__all__ = ["run_demo"]

_NAME_WIDTH = 14
_TIME_WIDTH = 8
_WIDTH = 108
_STYLES = {"ok": "bold green", "note": "bold yellow", "failed": "bold red"}
_DETAIL_STYLES = {"ok": "", "note": "yellow", "failed": "red"}
_SIGNS = {"ok": "✓", "note": "–", "failed": "✗"}
_PLAIN_SIGNS = {"ok": "ok", "note": "--", "failed": "!!"}


def run_demo(run: Invocation) -> int:
    """Show all of it.

    Returns:
        The exit code: whether every step went well.
    """
    watcher = _Watcher(run.terminal, silent=run.as_json)
    try:
        report = play(run.resolved, watcher)
    finally:
        watcher.close()
    if run.as_json:
        write_json(report.to_dict())
    else:
        watcher.sum_up(report)
    return ExitCode.OK if report.ok else ExitCode.FAILURE


class _Watcher:
    """Draws a row for each step: live on a terminal, one by one elsewhere.

    Args:
        terminal: Where to draw.
        silent: Draw nothing.
    """

    def __init__(self, terminal: Terminal, *, silent: bool) -> None:
        self._terminal = terminal
        self._out: Console = terminal.out
        self._silent = silent
        self._live: Live | None = None
        self._name = ""
        can_draw = self._out.encoding.lower().startswith("utf")
        self._signs = _SIGNS if can_draw else _PLAIN_SIGNS

    def looking(self) -> AbstractContextManager[object]:
        return self._terminal.waiting("looking for an Ollama with a local model ...")

    def opened(self, stage: Stage) -> None:
        if self._silent:
            return
        out = self._out
        out.print()
        out.print(Text("Ollama Manager, from start to stop", style="bold"))
        if stage.simulated:
            what = Text.assemble(("A SIMULATED OLLAMA", "bold yellow"), ": no model is run; ")
            out.print(what + Text(stage.reason))
        else:
            out.print(Text.assemble(("A real Ollama", "bold green"), f": {stage.reason}"))
        host = stage.config.server.host.base_url
        out.print(Text(f"on a private port, {host}; nothing of yours is touched", style="dim"))
        out.print()

    def began(self, name: str) -> None:
        self._name = name
        if self._silent or not self._out.is_terminal:
            return
        spinner = Spinner("dots" if self._signs is _SIGNS else "line")
        self._live = Live(
            self._row(spinner, "", Text("...", style="dim")),
            console=self._out,
            transient=True,
            refresh_per_second=20,
        )
        self._live.start()

    def said(self, text: str) -> None:
        if self._live is not None:
            spinner = Spinner("dots" if self._signs is _SIGNS else "line")
            self._live.update(self._row(spinner, "", Text(text, style="dim")))

    def ended(self, result: StepResult) -> None:
        self.close()
        if self._silent:
            return
        sign = Text(self._signs[result.outcome], style=_STYLES[result.outcome])
        detail = Text(
            result.detail, style="" if result.outcome == "ok" else _STYLES[result.outcome]
        )
        self._terminal.show(self._row(sign, duration(result.seconds), detail))

    def close(self) -> None:
        """Stop drawing."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def sum_up(self, report: DemoReport) -> None:
        out = self._out
        out.print()
        failed = [step.name for step in report.steps if step.outcome == "failed"]
        if failed:
            out.print(Text(f"failed: {', '.join(failed)}", style="bold red"))
            return
        noted = [step.name for step in report.steps if step.outcome == "note"]
        but = f" but {' and '.join(noted)}, which this model cannot do" if noted else ""
        time = f"{but}, in {duration(report.seconds)}."
        out.print(Text.assemble(("All of it worked", "bold green"), time))
        out.print(Text("Next: `ollama-manager --help`, or the ten lines in README.md", style="dim"))

    def _row(self, sign: RenderableType, seconds: str, detail: Text) -> RenderableType:
        row = Table.grid(padding=(0, 1))
        row.add_column(width=2)
        row.add_column(width=_NAME_WIDTH, style="bold", no_wrap=True)
        row.add_column(width=_TIME_WIDTH, justify="right", style="cyan", no_wrap=True)
        row.add_column(overflow="fold", ratio=1)
        row.add_row(sign, self._name, seconds, detail)
        row.width = min(self._out.width - 2, _WIDTH)
        return Padding(row, (0, 0, 0, 1), expand=False)
