"""What the manager costs: ``python -m benchmarks [--runs N] [--crashes N] [--idle SECONDS]``.

Measures the `ollama` that OLLAMA_MANAGER_BINARY names or PATH has, otherwise the simulator, and
says which. Prints tables and writes them into docs/performance.md.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict

from .crashes import crashes
from .crowd import crowd
from .idle import idle
from .program import find_program, name_of
from .report import PAGE, render, write
from .starts import bare_start, import_time, managed_life


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--runs", type=int, default=15, help="how many starts of each kind")
    parser.add_argument("--crashes", type=int, default=100, help="how many kills of the server")
    parser.add_argument("--idle", type=float, default=20, help="seconds of watching it idle")
    parser.add_argument("--no-write", action="store_true", help="print only")
    args = parser.parse_args()

    words = find_program()
    name = name_of(words)  # this first start also warms what is cold on disk

    def progress(step: str) -> None:
        if sys.stderr.isatty():
            print(f"\r\033[K{name}: {step}", end="", file=sys.stderr, flush=True)

    figures: dict[str, list[float]] = defaultdict(list)
    for run in range(1, args.runs + 1):  # one of each in turn: a slow moment slows all
        progress(f"start {run} of {args.runs}")
        alone, managed = bare_start(words), managed_life(words)
        managed |= {"bare": alone, "own": managed["start"] - alone}
        managed["import"] = import_time("from manager import OllamaManager")
        managed["import_manager"] = import_time("import manager")
        for key, seconds in managed.items():
            figures[key].append(seconds)
    figures |= crashes(words, args.crashes, lambda n: progress(f"crash {n} of {args.crashes}"))
    progress(f"idle for {args.idle:g} s")
    figures |= idle(words, args.idle)
    progress("many managers")
    crowds = crowd(words)
    progress("measured\n")

    arguments = f" --runs {args.runs} --crashes {args.crashes} --idle {args.idle:g}"
    section = render(name, arguments, figures, crowds)
    print(section)
    if not args.no_write:
        write(name, section)
        print(f"\nwritten to {PAGE.relative_to(PAGE.parents[1])}", file=sys.stderr)


if __name__ == "__main__":
    main()
