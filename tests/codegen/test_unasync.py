"""The sync shell: what becomes of async code, and what is refused."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def load() -> Any:
    spec = importlib.util.spec_from_file_location("unasync", ROOT / "spec" / "unasync.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


unasync = load()
NAMES = {
    "AsyncIterator": "Iterator",
    "__aiter__": "__iter__",
    "_async": "_sync",
    "aclose": "close",
    "wait_async": "wait_sync",
}


def convert(source: str, texts: dict[str, str] | None = None) -> str:
    converter = unasync.Converter(NAMES, texts or {})
    converter.learn_classes(source)
    header, _, rest = converter.convert(source, "manager/_async/x.py").partition("\n")
    assert header == "# generated from manager/_async/x.py by codegen.sh - do not edit"
    return str(rest)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("async def f(): ...\n", "def f(): ...\n"),
        ("async with a as b:\n    pass\n", "with a as b:\n    pass\n"),
        ("async for a in b:\n    pass\n", "for a in b:\n    pass\n"),
        ("x = [y async for y in z]\n", "x = [y for y in z]\n"),
        ("x = await f(await g())\n", "x = f(g())\n"),
        ("await  f()  # await it\n".replace(" # await it", " # it"), "f()  # it\n"),
        ("x = await (a or b)\n", "x = (a or b)\n"),
        ("x = not await f()\n", "x = not f()\n"),
        # brackets that only await needed
        ("x = (await f(a, (b))).c\n", "x = f(a, (b)).c\n"),
        ("return_ = (await a.b[c](d)).e\n", "return_ = a.b[c](d).e\n"),
        ("f((await g()))\n", "f(g())\n"),
        # brackets that stay
        ("f(await g())\n", "f(g())\n"),
        ("x = (await f() or g).c\n", "x = (f() or g).c\n"),
        ("x = (await f(), g)\n", "x = (f(), g)\n"),
        ("print((await f()) + 1)\n", "print(f() + 1)\n"),
        # names
        ("from manager._async.y import z\n", "from manager._sync.y import z\n"),
        (
            "def __aiter__(self) -> AsyncIterator[int]: ...\n",
            "def __iter__(self) -> Iterator[int]: ...\n",
        ),
        ("wait_async(x.aclose)\n", "wait_sync(x.close)\n"),
        ("class AsyncA(AsyncIterator[int]): ...\n", "class A(Iterator[int]): ...\n"),
        ("class _AsyncA: ...\nb: _AsyncA\n", "class _A: ...\nb: _A\n"),
        # strings and comments: whole words
        ('class AsyncA: ...\n__all__ = ["AsyncA"]\n', 'class A: ...\n__all__ = ["A"]\n'),
        ('x = f"{aclose} aclose {y!r} {{}}"\n', 'x = f"{close} close {y!r} {{}}"\n'),
        ('"""Calls ``aclose()`` once."""\n', '"""Calls ``close()`` once."""\n'),
        ("# aclose\n", "# close\n"),
        ('x = "disclosed acloses"\n', 'x = "disclosed acloses"\n'),
        ("x = '''é\n''' ; await f()\n", "x = '''é\n''' ; f()\n"),
    ],
)
def test_conversion(source: str, expected: str) -> None:
    assert convert(source) == expected


def test_examples_in_docstrings_lose_await() -> None:
    source = '''"""Chat.

Example:
    >>> async with await m.chat("x") as stream:
    ...     async for piece in stream:
    ...         print((await f(g(1))).text, await h())
"""
'''
    assert convert(source) == (
        '"""Chat.\n\nExample:\n    >>> with m.chat("x") as stream:\n'
        "    ...     for piece in stream:\n    ...         print(f(g(1)).text, h())\n" + '"""\n'
    )


def test_texts_are_replaced() -> None:
    assert convert('"""The async one."""\n', {"The async one.": "The sync one."}) == (
        '"""The sync one."""\n'
    )


@pytest.mark.parametrize(
    "source",
    [
        "import asyncio\n",
        "x: AsyncUnknown\n",
        '"""An async thing."""\n',
        "# await what comes\n",
        'x = "call it with await"\n',
    ],
)
def test_what_still_says_async_is_refused(source: str) -> None:
    with pytest.raises(unasync.UnasyncError, match=r"x\.py, line 1 of the result"):
        convert(source)


def test_unused_rules_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("x.aclose()\n")
    converter = unasync.Converter({"aclose": "close", "aread": "read"}, {"Some text.": ""})
    with pytest.raises(unasync.UnasyncError, match=r"removed: Some text\., aread$"):
        unasync.convert_folders({tmp_path: tmp_path / "out"}, converter)


def test_a_folder_is_converted_with_classes_of_all_its_modules(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "a.py").write_text("from sub.b import AsyncB\n")
    (source / "sub" / "b.py").write_text("class AsyncB: ...\n")
    unasync.convert_folders({source: tmp_path / "out"}, unasync.Converter({}, {}))
    assert (tmp_path / "out" / "a.py").read_text().endswith("from sub.b import B\n")
    assert (tmp_path / "out" / "sub" / "b.py").read_text().endswith("class B: ...\n")


def test_the_program_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.py").write_text("import asyncio\n")
    assert unasync.main([str(tmp_path), str(tmp_path / "out")]) == 1
    assert "asyncio" in capsys.readouterr().err
