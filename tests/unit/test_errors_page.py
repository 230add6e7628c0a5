"""docs/errors.md has every error class, code and cause that the source has, and no other."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from manager import errors

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### `(\w+)`\n\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))
CLASSES = {name for name in errors.__all__ if name != "OllamaManagerError"}


@cache
def nodes() -> list[ast.AST]:
    """All of the modules that speak of codes, but the half that is generated from the other."""
    files = sorted((ROOT / "manager").rglob("*.py"))
    texts = [file.read_text(encoding="utf-8") for file in files if "_sync" not in file.parts]
    return [
        node
        for text in texts
        if "code" in text or "Cause(" in text
        for node in ast.walk(ast.parse(text))
    ]


def strings(node: ast.expr) -> Iterator[str]:
    """The strings that an expression may be."""
    if isinstance(node, ast.IfExp):
        yield from strings(node.body)
        yield from strings(node.orelse)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value


def name_of(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def written_codes() -> Iterator[tuple[str, str]]:
    """Each code in the source, with the class that it stands beside."""
    for node in nodes():
        if isinstance(node, ast.Call) and name_of(node.func) != "Cause":
            for keyword in node.keywords:
                if keyword.arg == "code":
                    for code in strings(keyword.value):
                        yield code, name_of(node.func)
        elif isinstance(node, ast.Dict):
            entries = {
                key.value: value
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant)
            }
            if "code" in entries:
                kinds = list(strings(entries["error"])) if "error" in entries else []
                for code in strings(entries["code"]):
                    yield code, kinds[0] if len(kinds) == 1 else ""
        elif isinstance(node, ast.ClassDef):
            for statement in node.body:
                if isinstance(statement, ast.Assign) and name_of(statement.targets[0]) == (
                    "default_code"
                ):
                    yield from ((code, node.name) for code in strings(statement.value))
                elif isinstance(statement, ast.AnnAssign) and name_of(statement.target) == (
                    "default_code"
                ):
                    assert statement.value is not None
                    yield from ((code, node.name) for code in strings(statement.value))


def test_every_code_is_on_the_page_and_no_other() -> None:
    codes = {code for code, _ in written_codes()}
    assert len(codes) > 30, "the walk has found them"
    assert codes == set(SECTIONS)


def test_a_code_has_its_class_an_example_and_a_remedy() -> None:
    for code, kind in set(written_codes()):
        section = SECTIONS[code]
        assert re.search(r"^- Example: \S", section, re.MULTILINE), code
        assert re.search(r"^- What to do: \S", section, re.MULTILINE), code
        if kind in CLASSES - {"ServerUnavailableError"}:  # these have a heading of their own
            assert f"`{kind}`" in section.split("\n\n")[0], code
            (row,) = re.findall(rf"^\| `{kind}` \|.*$", PAGE, re.MULTILINE)
            assert f"(#{code})" in row, code


def test_every_class_is_in_the_table_with_what_else_it_is() -> None:
    rows = dict(re.findall(r"^\| `(\w+Error)` \| `?(\w*)`? ?\|", PAGE, re.MULTILINE))
    assert set(rows) == set(errors.__all__)
    for name, other in rows.items():
        others = {
            base.__name__ for base in getattr(errors, name).__bases__ if base.__name__ != name
        }
        expected = others - {"OllamaManagerError", "Exception"}
        assert {other} - {""} == expected, name


def test_links_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    anchors = {heading.replace("`", "").lower().replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\(#([^)]+)\)", PAGE)) <= anchors


def test_every_cause_is_on_the_page_and_no_other() -> None:
    found = {
        code
        for node in nodes()
        if isinstance(node, ast.Call) and name_of(node.func) == "Cause"
        for argument in [*node.args[:1], *(k.value for k in node.keywords if k.arg == "code")]
        for code in strings(argument)
    }
    table = PAGE.partition("\n## Causes\n")[2]
    assert found == set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))
