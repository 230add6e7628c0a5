"""All measurements, one after another."""

from __future__ import annotations

import datetime as dt
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import attrs

from .calls import calls
from .crowds import crowds
from .headroom import headroom
from .place import flood_server
from .profile import profiles
from .programs import first_calls, imports, many_texts, memories
from .results import Results
from .scaling import scaling
from .sizes import FULL, SMOKE

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["measure"]

_PACKAGES = ("ollama", "httpx", "httpcore", "h11", "msgspec", "pydantic", "numpy", "pysimdjson")


def measure(*, smoke: bool, rounds: int | None, progress: Callable[[str], None]) -> Results:
    """Measure everything.

    Args:
        smoke: A little of each, whose figures mean nothing.
        rounds: How often, where the usual number is not wanted.
        progress: Is told what comes next.
    """
    sizes = SMOKE if smoke else FULL
    if rounds is not None:
        sizes = attrs.evolve(sizes, rounds=rounds, programs=rounds, memories=min(rounds, 5))
    command = f"python -m benchmarks.client{' --smoke' if smoke else ''}"
    with flood_server() as url:
        progress("the server itself")
        room = headroom(url, sizes)
        rows = calls(url, sizes, progress)
        progress("many streams")
        rows |= crowds(url, sizes)
        progress("imports")
        rows |= imports(url, sizes)
        progress("first calls")
        rows |= first_calls(url, sizes)
        progress("memory")
        rows |= memories(url, sizes)
        many = many_texts(url, sizes, progress)
        scale = scaling(url, sizes, progress)
        progress("where the time goes")
        shares = profiles(url, sizes)
    return Results(
        made=_made(command if rounds is None else f"{command} --rounds {rounds}"),
        rows=rows,
        scaling=scale,
        headroom=room,
        many_texts=many,
        profile=shares,
    )


def _made(command: str) -> dict[str, str]:
    return {
        "command": command,
        "date": f"{dt.datetime.now(dt.UTC):%Y-%m-%d}",
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "load": f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "",
        "packages": ", ".join(f"{name} {_version(name)}" for name in _PACKAGES),
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "?"
