from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from manager.context import explain_full_context

CHAT: dict[str, Any] = {"messages": []}


def explained(asked: dict[str, Any] | None, tokens: int | None, default: int | None = None) -> str:
    answer = SimpleNamespace(prompt_eval_count=tokens)
    return explain_full_context(asked, answer, default) or ""


def test_a_request_that_says_how_long_its_context_is() -> None:
    asked = {**CHAT, "options": {"num_ctx": 100}}
    assert "95 of num_ctx=100" in explained(asked, 95)
    assert "num_ctx=100" in explained(asked, 100, default=50)
    assert not explained(asked, 94)
    assert not explained(asked, 94, default=90)


@pytest.mark.parametrize("asked", [CHAT, {**CHAT, "options": {"temperature": 1}}])
def test_a_request_that_leaves_it_to_the_server(asked: dict[str, Any]) -> None:
    assert "95 of context_length=100" in explained(asked, 95, default=100)
    assert not explained(asked, 94, default=100)
    assert not explained(asked, 101, default=100), "the model has a context of its own"
    assert not explained(asked, 95)
    assert not explained(asked, 95, default=0)


def test_texts_to_embed_have_a_context_each() -> None:
    assert not explained({"input": ["a", "b"], "options": {"num_ctx": 10}}, 20)


def test_answers_and_requests_without_numbers() -> None:
    assert not explained(None, 5, default=5)
    assert not explained({**CHAT, "options": {"num_ctx": 5}}, None)
    assert explain_full_context(CHAT, None, 5) is None
