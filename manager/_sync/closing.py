# generated from manager/_async/closing.py by codegen.sh - do not edit
"""Ending several things, each of which may fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["end_each"]


def end_each(ends: Iterable[Callable[[], Any]]) -> None:
    """Call each of ``ends``, whatever the others raise; then raise the first error."""
    first: BaseException | None = None
    for end in ends:
        try:
            end()
        except BaseException as error:  # also Ctrl-C, or a cancelled task: the rest must end
            first = first or error
    if first is not None:
        raise first
