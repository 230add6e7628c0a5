"""What a start costs with the manager and without: ``python -m benchmarks [--runs N]``.

Measures the `ollama` that OLLAMA_MANAGER_BINARY names or PATH has, otherwise the simulator, and
says which. Prints a table and writes it into docs/performance.md.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict

from .measure import bare_start, import_time, managed_start
from .program import find_program, name_of
from .report import PAGE, render, write


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="how many runs (default: 15)")
    parser.add_argument("--no-write", action="store_true", help="print only")
    args = parser.parse_args()

    words = find_program()
    name = name_of(words)  # this first start also warms what is cold on disk
    figures: dict[str, list[float]] = defaultdict(list)
    for run in range(1, args.runs + 1):
        print(f"\r{name}: run {run} of {args.runs}", end="", file=sys.stderr, flush=True)
        figures["bare"].append(bare_start(words))
        for key, seconds in managed_start(words).items():
            figures[key].append(seconds)
        figures["import"].append(import_time("from manager import OllamaManager"))
        figures["import_manager"].append(import_time("import manager"))
    print(file=sys.stderr)
    section = render(name, figures, args.runs)
    print(section)
    if not args.no_write:
        write(name, section)
        print(f"\nwritten to {PAGE.relative_to(PAGE.parents[1])}", file=sys.stderr)


if __name__ == "__main__":
    main()
