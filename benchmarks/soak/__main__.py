"""The faults that the supervisor must withstand, many times over, with counts and times.

Runs against the simulator, or the `ollama` that OLLAMA_MANAGER_BINARY or --program names, on a
private port with a home of its own; leaves nothing behind, also when interrupted. Prints a table
and writes it into docs/reliability.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shlex
import signal
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.report import write
from manager import ManagerConfig
from manager.simulator.command import simulator_command

from .faults import (
    kill_managers,
    kill_servers,
    kill_supervisors,
    many_processes,
    storm,
    unread_log,
)
from .figures import Figures
from .place import soaked
from .report import PAGE, render

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rich.progress import TaskID

    from tests.process.stage import Stage

    Fault = Callable[[Stage, int, Figures, Callable[[], object]], Awaitable[None]]


def main() -> int:
    """Run the program; its exit status says whether all promises were kept."""
    args = _parse()
    words = args.program or list(ManagerConfig.load().server.binary or _SIMULATOR)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ended so, it cleans up, too
    soak = Soak()
    interrupted = False
    try:
        asyncio.run(soak.run(words, _faults(args)))
    except KeyboardInterrupt:
        interrupted = True
    heading = f"{soak.name}: storms" if args.storms else soak.name
    is_lenient = not args.storms and args.pause < 1
    section = render(heading, _command(args), soak.done, is_lenient=is_lenient)
    print(section)
    if args.json:
        faults_done = [figures.to_dict() for figures in soak.done]
        about = {"server": soak.name, "interrupted": interrupted, "faults": faults_done}
        args.json.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    if interrupted:
        print("\ninterrupted", file=sys.stderr)
        return 130
    if not args.no_write:
        write(f"{'storms' if args.storms else 'soak'} of {soak.name}", section, PAGE)
        print(f"\nwritten to {PAGE.relative_to(PAGE.parents[1])}", file=sys.stderr)
    return 0 if all(figures.kept for figures in soak.done) else 1


_ENDS = 10
_SIMULATOR = tuple(simulator_command())


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    add = parser.add_argument
    add("--program", type=shlex.split, metavar="WORDS", help="the server program, with arguments")
    add("--kills", type=int, default=1000, help="kills of the server (default: 1000)")
    add("--manager-kills", type=int, default=100, help="of the only manager (default: 100)")
    add("--supervisor-kills", type=int, default=100, help="of the supervisor (default: 100)")
    add("--processes", type=int, default=50, help="that start managers at once (default: 50)")
    add("--requests", type=int, default=100_000, help="with an unread log (default: 100000)")
    add("--storms", action="store_true", help="instead: calls and streams in every way at once")
    add("--calls", type=int, default=20_000, help="so many in each storm (default: 20000)")
    add("--pause", type=float, default=0.0, help="seconds of readiness before a kill (default: 0)")
    add("--json", type=Path, metavar="FILE", help="write the figures there, too")
    add("--no-write", action="store_true", help="do not touch docs/reliability.md")
    return parser.parse_args()


def _faults(args: argparse.Namespace) -> list[tuple[Figures, Fault]]:
    """Return what is to be done, without the faults that are asked for 0 times."""
    if args.storms:
        return [
            (
                Figures(
                    f"calls and streams by {workers} {what}, the server killed and restarted"
                    f" {_ENDS} times",
                    "no slot, connection, descriptor, request, thread, task or memory lost",
                    args.calls,
                ),
                partial(storm, kind=kind, workers=workers, ends=_ENDS),
            )
            for kind, workers, what in (("sync", 50, "threads"), ("async", 200, "tasks"))
        ]
    wanted: list[tuple[Fault, int, str, str]] = [
        (
            partial(kill_servers, pause=args.pause),
            args.kills,
            "kill -9 of the server, with streams in flight",
            "no orphan, no silently cut stream, no failed request; p99 back to ready under 2 s",
        ),
        (
            kill_managers,
            args.manager_kills,
            "kill -9 of the only manager",
            "nothing left within 1 s",
        ),
        (
            kill_supervisors,
            args.supervisor_kills,
            "kill -9 of the supervisor",
            "server and runners gone within 1 s, the next call works, never two servers",
        ),
        (
            many_processes,
            args.processes,
            "processes that start managers at once and leave in random order",
            "one server, gone after the last",
        ),
        (unread_log, args.requests, "requests while nobody reads the log", "no wedge"),
    ]
    return [
        (Figures(what, promise, count), fault) for fault, count, what, promise in wanted if count
    ]


@attrs.define
class Soak:
    """One run: what the server is called, and what has been done so far."""

    name: str = "no server"
    done: list[Figures] = attrs.field(factory=list)

    async def run(self, words: list[str], faults: list[tuple[Figures, Fault]]) -> None:
        """Do it all, one fault after the other."""
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        progress = Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True))
        async with soaked(words) as (stage, self.name):
            with progress:
                for figures, fault in faults:
                    self.done.append(figures)
                    task = progress.add_task(figures.fault, total=figures.wanted)

                    def step(figures: Figures = figures, task: TaskID = task) -> None:
                        figures.rounds += 1
                        progress.advance(task)

                    await fault(stage, figures.wanted, figures, step)


def _command(args: argparse.Namespace) -> str:
    """Return the command that makes these figures, without the words of the program."""
    if args.storms:
        return f"python -m benchmarks.soak --storms --calls {args.calls}"
    options = ("kills", "manager_kills", "supervisor_kills", "processes", "requests", "pause")
    words = [f"--{option.replace('_', '-')} {getattr(args, option)}" for option in options]
    return " ".join(["python -m benchmarks.soak", *words])


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        sys.exit(main())
