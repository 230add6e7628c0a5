"""What the model is to say, and to whom."""

from __future__ import annotations

import inspect
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from manager.simulator.direction import Scripted
from manager.simulator.names import parse_name

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from manager.testing.requests import RecordedRequest


@dataclass(frozen=True)
class ToolCall:
    """A call of a tool.

    Args:
        name: The tool.
        arguments: By name; JSON-ready.
    """

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer in full.

    Args:
        content: The text; a list of texts is streamed as just these pieces.
        thinking: Comes before the text, if the request asks for thinking.
        tool_calls: Come after the text.
        done_reason: Why the answer ends: ``stop``, or ``length`` for one that was cut off.
    """

    content: str | Sequence[str] = ""
    thinking: str = ""
    tool_calls: Sequence[ToolCall] = ()
    done_reason: str = "stop"


Content = str | Reply | ToolCall | Mapping[str, Any]
"""A text, an answer in full, a call of a tool, or data: JSON, for structured output."""

Function = Callable[["RecordedRequest"], Content | None]
"""Makes an answer to a request; None leaves it to the rules before."""


class Rule:
    """Whom to answer with what.

    Args:
        contents: One for each use, in order; the last one stays.
        model: Only requests for this model.
        matching: Only requests in whose prompt `re.search` finds this.
        times: How often the rule is used; None is for ever.
    """

    def __init__(
        self,
        contents: Sequence[Content | Function],
        model: str | None,
        matching: str | re.Pattern[str] | None,
        times: int | None,
    ) -> None:
        _check(contents, times)
        self._contents = contents
        self._fits = Filter(model=model, matching=matching)
        self._times = times
        self._used = 0
        self._lock = threading.Lock()

    def reply_to(self, request: RecordedRequest) -> Scripted | None:
        """The answer to a request, if the rule has one."""
        if not self._fits(request):
            return None
        with self._lock:
            if self._times is not None and self._used >= self._times:
                return None
            content = self._contents[min(self._used, len(self._contents) - 1)]
            self._used += 1
        # Without the lock: a function may take its time, and ask the server itself.
        made = content(request) if callable(content) else content
        if made is not None:
            return _scripted(made)
        with self._lock:
            self._used -= 1
        return None


class Filter:
    """Which requests are meant.

    Args:
        model: This one only, with or without its tag ``latest``; None is any.
        matching: `re.search` finds this in the prompt; None is any.
        endpoints: Paths; None is any.
    """

    def __init__(
        self,
        *,
        model: str | None = None,
        matching: str | re.Pattern[str] | None = None,
        endpoints: Collection[str] | None = None,
    ) -> None:
        self._model = None if model is None else parse_name(model).key
        self._matching = None if matching is None else re.compile(matching)
        self._endpoints = endpoints

    def __call__(self, request: RecordedRequest) -> bool:
        return (
            (self._endpoints is None or request.path in self._endpoints)
            and (self._model is None or parse_name(request.model).key == self._model)
            and (self._matching is None or self._matching.search(request.prompt) is not None)
        )


def _check(contents: Sequence[Content | Function], times: int | None) -> None:
    if not contents:
        raise ValueError("reply() needs at least one answer; an empty text is one, too")
    if times is not None and times < 1:
        raise ValueError(f"times must be 1 or more, or None for ever; it is {times}")
    for content in contents:
        if not callable(content):
            _scripted(content)
        elif inspect.iscoroutinefunction(content):
            raise TypeError(
                "a function that answers is called by the server's thread: "
                "it cannot be async; make it a plain one"
            )


def _scripted(content: Content) -> Scripted:
    if isinstance(content, str):
        return Scripted((content,))
    if isinstance(content, ToolCall):
        return Scripted(tool_calls=((content.name, _plain(content.arguments)),))
    if isinstance(content, Reply):
        text = content.content
        return Scripted(
            pieces=(text,) if isinstance(text, str) else tuple(text),
            thinking=content.thinking,
            tool_calls=tuple((call.name, _plain(call.arguments)) for call in content.tool_calls),
            done_reason=content.done_reason,
        )
    if not isinstance(content, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(
            "an answer is a text, a Reply, a ToolCall, a mapping or a function, "
            f"not {type(content).__name__}"
        )
    return Scripted((json.dumps(_plain(content), ensure_ascii=False),))


def _plain(data: Mapping[str, Any]) -> dict[str, Any]:
    """The data as JSON has it.

    Raises:
        TypeError: JSON has no such values.
    """
    plain: dict[str, Any] = json.loads(json.dumps(dict(data)))
    return plain
