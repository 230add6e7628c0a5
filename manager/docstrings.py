"""What docstrings say of functions and parameters, in the styles of Google, numpy and Sphinx."""

from __future__ import annotations

import re

__all__ = ["read_docstring"]

_NAMES = (
    r"Args|Arguments|Parameters|Params|Returns?|Yields?|Raises|Examples?|Notes?|Attributes|Warns?"
    r"|Warnings?|See Also|References|Keyword Args|Keyword Arguments|Other Parameters|Todo"
)
_SECTION = re.compile(rf"({_NAMES}):\s*")
_HEADING = re.compile(rf"({_NAMES})\s*")
_UNDERLINE = re.compile(r"-{3,}\s*")
_FIELD = re.compile(
    r":(param|parameter|arg|argument|key|keyword|type|returns?|rtype|yields?|ytype|raises?|except"
    r"|exception|var|ivar|cvar|vartype|meta)\b[^:]*:(\s.*)?"
)
_PARAMETER_FIELD = re.compile(
    r":(?:param|parameter|arg|argument|key|keyword)\s+(?:[^:]*\s)?\*{0,2}(\w+)\s*:\s*(.*)"
)
_PARAMETERS = frozenset(
    {
        "Args",
        "Arguments",
        "Parameters",
        "Params",
        "Keyword Args",
        "Keyword Arguments",
        "Other Parameters",
    }
)
_GOOGLE_ENTRY = re.compile(r"\*{0,2}(\w+)\s*(?:\(.*?\))?\s*:(?!:)\s*(.*)")
_NUMPY_ENTRY = re.compile(r"(\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?")


def read_docstring(text: str) -> tuple[str, dict[str, str]]:
    """Return the description, which ends where the first section begins, and the parameters'.

    Args:
        text: The docstring, without its indentation.
    """
    lines = text.splitlines()
    starts = [index for index in range(len(lines)) if _begins(lines, index)]
    summary = "\n".join(lines[: starts[0]] if starts else lines).strip()
    parameters: dict[str, str] = {}
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=False):
        parameters |= _read_section(lines[start:end])
    return summary, {name: described for name, described in parameters.items() if described}


def _begins(lines: list[str], index: int) -> bool:
    line = lines[index]
    if _SECTION.fullmatch(line) or _FIELD.fullmatch(line):
        return True
    underlined = index + 1 < len(lines) and _UNDERLINE.fullmatch(lines[index + 1])
    return bool(underlined and _HEADING.fullmatch(line))


def _read_section(lines: list[str]) -> dict[str, str]:
    if _FIELD.fullmatch(lines[0]):
        match = _PARAMETER_FIELD.fullmatch(lines[0])
        return {match[1]: _joined([match[2], *_indented(lines[1:])])} if match else {}
    if lines[0].strip().rstrip(":") not in _PARAMETERS:
        return {}
    if _SECTION.fullmatch(lines[0]):
        return _read_entries(lines[1:], _GOOGLE_ENTRY)
    return _read_entries(lines[2:], _NUMPY_ENTRY)


def _read_entries(lines: list[str], entry: re.Pattern[str]) -> dict[str, str]:
    """Return the descriptions of entries, each of which begins with the least indentation."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    indent: int | None = None
    for line in lines:
        if not line.strip():
            continue
        depth = _depth(line)
        indent = depth if indent is None else indent
        if depth > indent:
            current.append(line)
            continue
        match = entry.fullmatch(line.strip())
        if match is not None:
            current = list(match.groups()[1:])
            for name in match[1].split(","):
                found[name.strip().lstrip("*")] = current
    return {name: _joined(described) for name, described in found.items()}


def _indented(lines: list[str]) -> list[str]:
    """Return the lines up to the first that is not indented."""
    for index, line in enumerate(lines):
        if line.strip() and not _depth(line):
            return lines[:index]
    return lines


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _joined(lines: list[str]) -> str:
    return " ".join(line.strip() for line in lines if line.strip())
