"""What a call costs the client: ``python -m benchmarks.client [--smoke] [--write-docs]``.

Measures the manager and ollama-python in turn, against a server of its own, and prints a table.
Needs the packages of the dependency group ``bench``.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from pathlib import Path

PEERS = ("ollama", "numpy", "httpx")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.client",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, help="how often each work is done (default: 9)")
    parser.add_argument(
        "--smoke", action="store_true", help="a little of each, to see that it runs"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to keep the figures")
    parser.add_argument("--render", type=Path, metavar="FILE", help="measure nothing: show these")
    parser.add_argument(
        "--write-docs", action="store_true", help="write table and charts into docs/ (matplotlib)"
    )
    parser.add_argument("--charts", type=Path, metavar="FOLDER", help="draw the charts there")
    args = parser.parse_args()
    if args.smoke and args.write_docs:
        parser.error("the figures of --smoke mean nothing: they have no place in docs/")
    needed = [
        *(() if args.render else PEERS),
        *(("matplotlib",) if args.write_docs or args.charts else ()),
    ]
    if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
        sys.exit(f"missing: {', '.join(missing)}; pip install --group bench")

    from .results import load, save

    if args.render:
        results = load(args.render)
    else:
        from .measure import measure

        began = time.monotonic()

        def progress(step: str) -> None:
            seconds = time.monotonic() - began
            print(f"[{seconds:5.0f} s] {step}", file=sys.stderr, flush=True)

        results = measure(smoke=args.smoke, rounds=args.rounds, progress=progress)
        progress("measured")
    if args.json:
        save(results, args.json)

    from .tables import render

    section = render(results)
    print(section)
    if args.write_docs:
        from .tables import write

        write(section)
    if args.write_docs or args.charts:
        from .charts import IMAGES, draw

        draw(results, args.charts or IMAGES)


if __name__ == "__main__":
    main()
