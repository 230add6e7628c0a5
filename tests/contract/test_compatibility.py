"""docs/compatibility.md says what the spec and the recorded answers say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from manager import AsyncOllamaManager, OllamaManager

from . import compatibility, validating

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"


@pytest.mark.parametrize("table", compatibility.TABLES, ids=lambda table: table.__name__)
def test_the_page_has_the_table_as_it_is_printed(table: Callable[[], str]) -> None:
    remedy = "print it: python -m tests.contract.compatibility"
    assert table() in PAGE.read_text(encoding="utf-8"), remedy


def test_every_operation_is_asked_on_every_version() -> None:
    assert "not asked" not in compatibility.operations_table()


def test_a_method_of_the_table_is_a_method_of_both_managers() -> None:
    for operation in validating.operations().values():
        for name in compatibility.METHODS.get(operation.id, operation.id).split(", "):
            bare = name.strip("`").partition("(")[0]
            for cls in (OllamaManager, AsyncOllamaManager):
                assert not bare or hasattr(cls, bare), name
