"""One way to drive both managers, so that a test is written once and run against each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from manager import ChatStream, GenerateStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["Threaded"]

_PLAIN = ("status", "config", "events", "partial")
_END = object()


class Threaded:
    """A sync manager, or a stream of one, behind the async form of its interface.

    Each call runs in a thread of its own, so the sync classes are used for real, and from more
    than one thread.
    """

    def __init__(self, target: Any) -> None:
        self._target = target

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, "close" if name == "aclose" else name)
        if name in _PLAIN:
            return value
        if name == "text":
            return _each(value)

        async def call(*args: Any, **kwargs: Any) -> Any:
            result = await asyncio.to_thread(value, *args, **kwargs)
            return Threaded(result) if isinstance(result, ChatStream | GenerateStream) else result

        return call

    async def __aenter__(self) -> Threaded:
        await asyncio.to_thread(self._target.__enter__)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await asyncio.to_thread(self._target.__exit__, *exc)

    def __aiter__(self) -> AsyncIterator[Any]:
        return _each(self._target)


async def _each(iterator: Iterator[Any]) -> AsyncIterator[Any]:
    while (item := await asyncio.to_thread(next, iterator, _END)) is not _END:
        yield item
