"""Texts that match a regular expression, for the ``pattern`` of a JSON schema."""

from __future__ import annotations

import re
import warnings
from typing import NamedTuple, TypeAlias

_FEW = 2
_MANY = 64
_CANDIDATES = "a0A-_ .,:/@\n" + "".join(map(chr, range(33, 127)))

# One character, in whatever way it is written: a set, an escape, or itself.
_ATOM = re.compile(
    r"\[\^?\]?(?:\\.|[^\]\\])*\]"
    r"|\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|0[0-7]{0,2}|[0-7]{3}|\D)"
    r"|[^\\|()]",
    re.DOTALL,
)
_REPEAT = re.compile(r"(?:([*+?])|\{(\d*)(,?)(\d*)\})[?+]?")
_BOUNDS = {"*": (0, _MANY), "+": (1, _MANY), "?": (0, 1)}
_REFERENCE = re.compile(r"\\([1-9]\d?)|\(\?P=(\w+)\)")
_ANCHOR = re.compile(r"\\[AbBZ]|[\^$]")
_OPENING = re.compile(r"\((?:\?(?:P<(\w+)>|(?:[a-zA-Z]*(?:-[a-zA-Z]+)?:)|(>)))?")
_CONDITION = re.compile(r"\(\?(?:=|!|<=|<!|\(\w+\))")  # look-arounds too: left to luck
_SILENT = re.compile(r"\(\?#[^)]*\)|\(\?[aiLmsux]+\)")  # comments, flags


def matching(pattern: str, minimum: int = 0, maximum: int | None = None) -> str | None:
    """Make up a text that a pattern finds a match in.

    Args:
        pattern: A regular expression; not anchored, as in JSON schema.
        minimum: The least number of characters.
        maximum: The greatest number of characters.

    Returns:
        Such a text, or None if none was found: look-arounds are beyond this.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compiled = re.compile(pattern)
            tree = _Parser(pattern).alternatives()
            texts = [
                _Maker(count).make(tree) for count in (0, 1, _FEW, minimum, minimum + 1, _MANY)
            ]
    except (re.error, RecursionError, OverflowError):
        return None
    for text in texts:
        padded = text + "a" * (minimum - len(text))
        if (maximum is None or len(padded) <= maximum) and compiled.search(padded):
            return padded
    return None


class _Text(NamedTuple):
    """A character that an atom matches, already chosen."""

    text: str


class _Group(NamedTuple):
    """The first branch of a group; its number and name, if it has them."""

    inner: list[_Node]
    number: int | None = None
    name: str | None = None


class _Reference(NamedTuple):
    """The text of an earlier group, by number or name."""

    group: str


class _Repeat(NamedTuple):
    """A node, a number of times."""

    node: _Node
    least: int
    most: int


_Node: TypeAlias = "_Text | _Group | _Reference | _Repeat"


class _Parser:
    """Reads a pattern that ``re`` has compiled, as far as making a text of it needs."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._groups = 0

    def alternatives(self) -> list[_Node]:
        """Read to the end of a group, or of it all; return the first branch."""
        branches: list[list[_Node]] = [[]]
        while self._at < len(self._pattern) and self._pattern[self._at] != ")":
            if self._pattern[self._at] == "|":
                self._at += 1
                branches.append([])
            elif (node := self._node()) is not None:
                branches[-1].append(self._repeated(node))
        return branches[0]

    def _node(self) -> _Node | None:
        if self._take(_CONDITION):
            self._inner()
            return None
        if self._take(_SILENT) or self._take(_ANCHOR):
            return None
        if found := self._take(_REFERENCE):
            return _Reference(found[1] or found[2])
        if found := self._take(_OPENING):
            number = None
            if found[0] == "(" or found[1]:
                self._groups += 1
                number = self._groups
            return _Group(self._inner(), number, found[1])
        atom = self._take(_ATOM)
        if atom is None:
            raise re.error(f"not supported at {self._at}")
        return _Text(_character(atom[0]))

    def _inner(self) -> list[_Node]:
        inner = self.alternatives()
        self._at += 1  # the closing bracket
        return inner

    def _repeated(self, node: _Node) -> _Node:
        found = self._take(_REPEAT)
        if found is None:
            return node
        if found[1]:
            return _Repeat(node, *_BOUNDS[found[1]])
        least = int(found[2] or 0)
        most = int(found[4] or _MANY) if found[3] else least
        return _Repeat(node, least, max(least, most))

    def _take(self, expression: re.Pattern[str]) -> re.Match[str] | None:
        found = expression.match(self._pattern, self._at)
        if found is not None:
            self._at = found.end()
        return found


def _character(atom: str) -> str:
    """Return a character that an atom matches; one that stands in it, rather than none."""
    if len(atom) == 1 and atom != ".":
        return atom
    expression = re.compile(atom)
    return next((c for c in _CANDIDATES + atom if expression.fullmatch(c)), "")


class _Maker:
    """Walks a parsed pattern, taking a given number of repeats."""

    def __init__(self, repeats: int) -> None:
        self._repeats = repeats
        self._groups: dict[str, str] = {}

    def make(self, nodes: list[_Node]) -> str:
        return "".join(map(self._text, nodes))

    def _text(self, node: _Node) -> str:
        if isinstance(node, _Text):
            return node.text
        if isinstance(node, _Reference):
            return self._groups.get(node.group, "")
        if isinstance(node, _Repeat):
            times = max(node.least, min(node.most, self._repeats))
            return "".join(self._text(node.node) for _ in range(times))
        text = self.make(node.inner)
        for name in (node.number and str(node.number), node.name):
            if name:
                self._groups[name] = text
        return text
