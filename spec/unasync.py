"""Write the sync shells from the async ones: ``python spec/unasync.py SOURCE DESTINATION ...``.

Works on tokens, so that layout and comments stay. ``async`` and ``await`` go; a name changes as
``NAMES`` says, and so does ``Async...`` where the source defines such a class. In strings and
comments names change as whole words, and examples in docstrings lose ``async`` and ``await``.

Nothing is guessed: a rule that is never used is an error, and so is a word that still says async.
"""

from __future__ import annotations

import io
import keyword
import re
import sys
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NAMES: Mapping[str, str] = {
    # the language
    "StopAsyncIteration": "StopIteration",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "aiter": "iter",
    "anext": "next",
    # the standard library
    "AsyncIterable": "Iterable",
    "AsyncIterator": "Iterator",
    # httpx
    "AsyncBaseTransport": "BaseTransport",
    "AsyncByteStream": "SyncByteStream",
    "AsyncClient": "Client",
    "AsyncHTTPTransport": "HTTPTransport",
    "handle_async_request": "handle_request",
    # manager
    "AsyncConnection": "Connection",
    "AsyncFileContent": "FileContent",
    "AsyncSteps": "Steps",
    "_async": "_sync",
    "aclose": "close",
    "any_done_async": "any_done_sync",
    "before_end_async": "before_end_sync",
    "begin_async": "begin_sync",
    "check_home_async": "check_home_sync",
    "close_forgotten_async": "close_forgotten_sync",
    "close_transport_async": "close_transport_sync",
    "home_async": "home_sync",
    "httpx_steps_async": "httpx_steps_sync",
    "later_async": "later_sync",
    "lock_async": "lock_sync",
    "open_connection_async": "open_connection",
    "pause_async": "pause_sync",
    "perform_async": "perform_sync",
    "run_async": "run_sync",
    "signal_async": "signal_sync",
    "stock_transports_async": "stock_transports_sync",
    "wait_async": "wait_sync",
    "waiting_async": "waiting_sync",
    "whole_async": "whole_sync",
}

TEXTS: Mapping[str, str] = {
    "The async shell: the source that the sync shell is generated from (``./codegen.sh``).": (
        "The sync shell."
    ),
    "The async manager.": "The sync manager.",
}

# Modules that block, or call an event loop: both sides are written by hand.
TWINS = frozenset({"connection.py", "dial.py", "opening.py"})

HEADER = "# generated from {path} by codegen.sh - do not edit\n"

_STRINGS = {tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
_CLASS = re.compile(r"^class (_?)Async(\w+)", re.MULTILINE)
_WORD = re.compile(r"\w+")
_EXAMPLE = re.compile(r"^[ \t]*(?:>>>|\.\.\.) .*$", re.MULTILINE)
_AWAITED_EXAMPLE = re.compile(
    r"\(await ((?:[\w.]|\((?:[^()]|\([^()]*\))*\)|\[[^][]*\])+)\)(?=[.\[])"
)
_ASYNC_WORD = re.compile(r"\w*async\w*|\bawait\b", re.IGNORECASE)


class UnasyncError(Exception):
    """The source cannot be converted; the message says where and why."""


class Edit(NamedTuple):
    """Replace what stands between two offsets."""

    start: int
    end: int
    text: str


class Converter:
    """Converts sources and remembers which rules were of use.

    Args:
        names: What each name becomes.
        texts: What each passage of a docstring or comment becomes.
    """

    def __init__(self, names: Mapping[str, str] = NAMES, texts: Mapping[str, str] = TEXTS) -> None:
        self._names = dict(names)
        self._texts = texts
        self._unused = {*names, *texts}

    def learn_classes(self, source: str) -> None:
        """Take up the ``Async...`` classes that ``source`` defines."""
        for underscore, name in _CLASS.findall(source):
            self._names.setdefault(f"{underscore}Async{name}", f"{underscore}{name}")

    def convert(self, source: str, path: str) -> str:
        """Return the sync form of one module.

        Args:
            source: The module.
            path: Its path, for the header and for errors.

        Raises:
            UnasyncError: Something in it still says async afterwards.
        """
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
        lines = [0, *(match.end() for match in re.finditer("\n", source))]
        result = _apply(source, self._edits(source, tokens, lines))
        for number, line in enumerate(result.splitlines(), 1):
            if left := _ASYNC_WORD.search(line):
                raise UnasyncError(
                    f"{path}, line {number} of the result: {left.group()!r} is left in"
                    f" {line.strip()!r}; add a rule to NAMES or TEXTS in spec/unasync.py,"
                    " or word it so that it holds for both"
                )
        return HEADER.format(path=path) + result

    def unused_rules(self) -> list[str]:
        """Return the rules that nothing needed."""
        return sorted(self._unused)

    def _edits(
        self, source: str, tokens: Sequence[tokenize.TokenInfo], lines: list[int]
    ) -> Iterator[Edit]:
        def offset(position: tuple[int, int]) -> int:
            return lines[position[0] - 1] + position[1]

        for index, token in enumerate(tokens):
            start, end = offset(token.start), offset(token.end)
            if token.type in _STRINGS:
                yield Edit(start, end, self._text(_without_async_examples(source[start:end])))
            elif token.type == tokenize.COMMENT:
                yield Edit(start, end, self._text(token.string))
            elif token.string in ("async", "await"):
                yield Edit(start, offset(tokens[index + 1].start), "")
                if brackets := _needless_brackets(tokens, index):
                    yield from (Edit(offset(b.start), offset(b.end), "") for b in brackets)
            elif token.type == tokenize.NAME:
                yield Edit(start, end, self._name(token.string))

    def _name(self, name: str) -> str:
        self._unused.discard(name)
        return self._names.get(name, name)

    def _text(self, text: str) -> str:
        for passage, replacement in self._texts.items():
            if passage in text:
                self._unused.discard(passage)
                text = text.replace(passage, replacement)
        return _WORD.sub(lambda match: self._name(match.group()), text)


def _without_async_examples(text: str) -> str:
    def without_async(match: re.Match[str]) -> str:
        line = _AWAITED_EXAMPLE.sub(r"\1", match.group())
        return re.sub(r"\b(?:async|await) ", "", line)

    return _EXAMPLE.sub(without_async, text)


def _needless_brackets(
    tokens: Sequence[tokenize.TokenInfo], index: int
) -> tuple[tokenize.TokenInfo, tokenize.TokenInfo] | None:
    """Return the brackets of ``(await a.b(c)).d`` at ``await``: without it they are not needed."""
    opening, before = tokens[index - 1], tokens[index - 2]
    if tokens[index].string != "await" or opening.string != "(":
        return None
    called = before.string in (")", "]") or _is_identifier(before)
    depth = 0
    for token in tokens[index + 1 :]:
        depth += (token.string in ("(", "[", "{")) - (token.string in (")", "]", "}"))
        if depth < 0:
            return None if called else (opening, token)
        if depth == 0 and not (_is_identifier(token) or token.string in (".", ")", "]")):
            return None
    return None


def _is_identifier(token: tokenize.TokenInfo) -> bool:
    return token.type == tokenize.NAME and not keyword.iskeyword(token.string)


def _apply(source: str, edits: Iterator[Edit]) -> str:
    pieces: list[str] = []
    position = 0
    for edit in sorted(edits):
        pieces += source[position : edit.start], edit.text
        position = edit.end
    return "".join((*pieces, source[position:]))


def convert_folders(folders: Mapping[Path, Path], converter: Converter) -> None:
    """Convert every module of some packages but those that are written by hand on both sides.

    Args:
        folders: The async packages, and where the sync ones go; these are made if need be.
        converter: The rules.

    Raises:
        UnasyncError: A module cannot be converted, or a rule is of no use.
    """
    modules = {
        path: (path.read_text("utf-8"), destination / path.relative_to(source))
        for source, destination in folders.items()
        for path in sorted(source.rglob("*.py"))
        if path.name not in TWINS
    }
    for text, _ in modules.values():
        converter.learn_classes(text)
    for path, (text, target) in modules.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(converter.convert(text, path.as_posix()), "utf-8", newline="\n")
    if unused := converter.unused_rules():
        raise UnasyncError(
            "rules in spec/unasync.py that nothing uses, to be removed: " + ", ".join(unused)
        )


def main(arguments: Sequence[str]) -> int:
    """Convert each folder that is named into the one that is named after it."""
    paths = [Path(argument) for argument in arguments]
    try:
        convert_folders(dict(zip(paths[::2], paths[1::2], strict=True)), Converter())
    except UnasyncError as error:
        sys.stderr.write(f"unasync: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
